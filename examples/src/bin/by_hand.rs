//! Two nodes and a session in one thread, without a runtime: what everything else is made of.

use std::{error::Error, sync::Arc, time::SystemTime};

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use whisper_core::identity::Identity;
use whisper_core::message::Message;
use whisper_core::node::{Config, Direction, Event, Input, Node, Output};
use whisper_core::peer::PeerId;
use whisper_core::session::{InviteOptions, SessionEvent, SessionOutput, Sessions, is_invitation};
use whisper_core::time::Timestamp;

/// A relay that cannot read; beside it the key and the sessions that can; packets on their way out.
struct Party {
    node: Node,
    identity: Arc<Identity>,
    sessions: Sessions,
    rng: ChaCha20Rng,
    outbox: Vec<(u8, Vec<u8>)>,
}

impl Party {
    fn new() -> Result<Self, Box<dyn Error>> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed)?;
        let mut rng = ChaCha20Rng::from_seed(seed);
        let identity = Arc::new(Identity::generate(&mut rng));
        let sessions = Sessions::new(Arc::clone(&identity));
        let node = Node::new(Config::default(), rng.get_seed());
        Ok(Self { node, identity, sessions, rng, outbox: Vec::new() })
    }

    /// One step of the node, and what its owner makes of it.
    fn step(&mut self, now: Timestamp, input: Input<'_>) {
        let outputs: Vec<Output> = self.node.handle(now, input).collect();
        for output in outputs {
            let Output::Event(Event::Admitted { envelope, from: Some(_) }) = output else {
                self.outbox.extend(packet(output));
                continue;
            };
            let asked = match Message::open_as(envelope.data(), &self.identity) {
                Ok(message) if is_invitation(message.payload()) => {
                    self.sessions.receive(now, &message).ok()
                }
                _ => self.sessions.open(now, &envelope, &mut self.rng).ok(),
            };
            self.carry_out(now, asked.unwrap_or_default());
        }
    }

    /// What the sessions ask for: envelopes to find a nonce for and publish, and news.
    fn carry_out(&mut self, now: Timestamp, asked: Vec<SessionOutput>) {
        for output in self.sessions.stored_at_once(now, asked) {
            match output {
                SessionOutput::Transmit(outgoing) => {
                    let draft = outgoing.draft(now).expect("it is not 2106 yet");
                    let work = draft.work_for(self.node.min_rating());
                    let nonce = draft.search().find(0..u64::MAX, work).expect("some nonce does it");
                    let envelope = draft.seal(nonce);
                    println!("  all can see: {envelope:?}");
                    let outputs =
                        self.node.publish(now, envelope).expect("it is rated high enough");
                    self.outbox.extend(outputs.filter_map(packet));
                }
                SessionOutput::Event(SessionEvent::Message { data, .. }) => {
                    println!("only the reader: {}", String::from_utf8_lossy(&data));
                }
                _ => {}
            }
        }
    }
}

fn packet(output: Output) -> Option<(u8, Vec<u8>)> {
    let Output::Transmit { code, payload, .. } = output else { return None };
    Some((code, payload))
}

/// Carries packets to and fro until nobody has any.
fn settle(now: Timestamp, parties: &mut [Party; 2]) {
    while let Some(from) = parties.iter().position(|party| !party.outbox.is_empty()) {
        for (code, payload) in std::mem::take(&mut parties[from].outbox) {
            let peer = PeerId::new(1);
            parties[1 - from].step(now, Input::Received { peer, code, payload: &payload });
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?;
    let now = Timestamp::from_secs(now.as_secs());
    let mut parties = [Party::new()?, Party::new()?];
    for (party, direction) in parties.iter_mut().zip([Direction::Outbound, Direction::Inbound]) {
        party.step(now, Input::Connected { peer: PeerId::new(1), direction });
    }
    settle(now, &mut parties);

    let [alice, bob] = &mut parties;
    let [alice_key, bob_key] = [alice.identity.public_key(), bob.identity.public_key()];
    let known = bob.sessions.add_contact(now, alice_key, &mut bob.rng)?;
    bob.carry_out(now, known);
    let options = InviteOptions::default();
    let asked =
        alice.sessions.invite(now, bob_key, options, Some("Are you there?"), &mut alice.rng)?;
    alice.carry_out(now, asked);
    settle(now, &mut parties);

    let bob = &mut parties[1];
    let said = bob.sessions.send(now, &alice_key, b"I am. Nobody else knows.", &mut bob.rng)?;
    bob.carry_out(now, said);
    settle(now, &mut parties);
    Ok(())
}
