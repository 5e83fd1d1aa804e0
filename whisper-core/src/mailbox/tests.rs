//! What a mailbox does with envelopes, readers and time.

mod crowd;
mod laws;
mod messages;
mod sessions;

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;

use super::*;
use crate::envelope::Draft;
use crate::envelope::Envelope;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::peer::Network;
use crate::pool::Origin;
use crate::session::InviteOptions;
use crate::session::SessionEvent;
use crate::session::SessionTtl;
use crate::time::Timestamp;
use crate::topic::Topic;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_500);

fn after(secs: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(secs))
}

fn arrival(envelope: &Envelope) -> Arrival {
    Arrival::admitted(Arc::new(envelope.clone()), Origin::Network(Network::Shared(1)))
}

/// One who talks, and the host around.
struct Party {
    mailbox: Mailbox,
    key: PublicKey,
    rng: ChaCha20Rng,
}

/// What a step said and sent.
#[derive(Debug, Default)]
struct Said {
    events: Vec<SessionEvent>,
    sent: Vec<Envelope>,
    delivered: usize,
}

impl Said {
    fn texts(&self) -> Vec<String> {
        let texts = self.events.iter().filter_map(|event| match event {
            SessionEvent::Message { data, .. } => String::from_utf8(data.clone()).ok(),
            _ => None,
        });
        texts.collect()
    }
}

impl Party {
    fn new(seed: u8, persists: bool) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Arc::new(Identity::generate(&mut rng));
        let key = identity.public_key();
        let mut mailbox = Mailbox::new(Config { waiting: Limits::waiting(1 << 22), persists });
        mailbox.open_account(NOW, identity).unwrap();
        let mut party = Self { mailbox, key, rng };
        party.step(NOW, Step::SetTtl(SessionTtl::Day));
        party
    }

    fn befriend(&mut self, now: Timestamp, peer: PublicKey) {
        self.step(now, Step::AddContact(peer));
    }

    fn invite(&mut self, now: Timestamp, peer: PublicKey, text: &str) -> Said {
        let options = InviteOptions::default();
        self.step(now, Step::Invite { peer, options, text: text.into() })
    }

    fn say(&mut self, now: Timestamp, peer: PublicKey, text: &str) -> Envelope {
        let said = self.step(now, Step::Send { peer, data: text.into() });
        said.sent.into_iter().next().unwrap()
    }

    fn step(&mut self, now: Timestamp, step: Step) -> Said {
        let outputs = self.mailbox.step(now, &self.key, step, &mut self.rng).unwrap();
        self.store(now, outputs)
    }

    fn hear(&mut self, now: Timestamp, envelope: &Envelope) -> Said {
        let outputs = self.mailbox.receive(now, arrival(envelope), &mut self.rng);
        self.store(now, outputs)
    }

    fn timeout(&mut self, now: Timestamp) -> Said {
        let outputs = self.mailbox.timeout(now, &mut self.rng);
        self.store(now, outputs)
    }

    fn resume(&mut self, now: Timestamp) -> Said {
        let outputs = self.mailbox.resume(now, &self.key, &mut self.rng);
        self.store(now, outputs)
    }

    /// Lets time pass as a host does, and gathers what is due.
    fn wait(&mut self, mut now: Timestamp, until: Timestamp) -> Said {
        let mut all = Said::default();
        while let Some(due) = self.mailbox.poll_timeout().filter(|due| *due <= until) {
            now = now.max(due);
            let said = self.timeout(now);
            all.events.extend(said.events);
            all.sent.extend(said.sent);
        }
        all
    }

    /// Answers every batch, and carries out the rest.
    fn store(&mut self, now: Timestamp, outputs: Vec<Output>) -> Said {
        let mut said = Said::default();
        let mut outputs = alloc::collections::VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Persist { account, batch } => {
                    let stored = self.mailbox.stored(now, &account, batch.id(), &mut self.rng);
                    outputs.extend(stored);
                }
                Output::Publish { outgoing, .. } => {
                    said.sent.push(outgoing.draft(now).unwrap().seal(0));
                }
                Output::Deliver(delivery) => said.delivered += delivery.filters.len(),
                Output::Event { event, .. } => said.events.push(event),
            }
        }
        said
    }
}

/// Two contacts who have heard of each other.
fn talking(persists: bool) -> [Party; 2] {
    let [mut alice, mut bob] = [1, 2].map(|seed| Party::new(seed, persists));
    bob.befriend(NOW, alice.key);
    let invited = alice.invite(NOW, bob.key, "hello");
    invited.sent.iter().for_each(|envelope| drop(bob.hear(NOW, envelope)));
    let answer = bob.say(NOW, alice.key, "hi");
    assert_eq!(alice.hear(NOW, &answer).texts(), ["hi"]);
    [alice, bob]
}

/// An envelope that no key opens.
fn foreign(now: Timestamp, topic: u32, length: usize, nonce: u64) -> Envelope {
    let topic = Topic::new(topic.to_be_bytes());
    let draft = Draft::new(now, Duration::from_secs(600), topic, alloc::vec![0; length]);
    draft.unwrap().seal(nonce)
}

/// The length of the smallest session message.
const CLASS: usize = 1_052;
