//! Two sides of a session, what is on its way between them, and a thief.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::identity::Identity;
use whisper_core::session::MessageName;
use whisper_core::session::Place;
use whisper_core::session::card::Card;
use whisper_core::session::card::CardSettings;
use whisper_core::session::card::Cert;
use whisper_core::session::full::Body;
use whisper_core::session::full::Chunk;
use whisper_core::session::full::Content;
use whisper_core::session::full::Host;
use whisper_core::session::full::Inviter;
use whisper_core::session::full::Opened;
use whisper_core::session::full::Resent;
use whisper_core::session::full::Session;
use whisper_core::session::prekeys::Prekeys;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use super::Act;
use super::Saying;

pub(crate) struct Couple {
    now: Timestamp,
    rng: ChaCha20Rng,
    sides: [Side; 2],
    cards: [Card; 2],
    wire: Vec<Packet>,
    said: BTreeMap<MessageName, (usize, Content)>,
    heard: BTreeSet<MessageName>,
    theft: Option<Theft>,
}

struct Side {
    session: Session,
    /// How many chains it has begun.
    chains: usize,
    /// From which of its own chains on the thief is shut out.
    safe_from: Option<usize>,
    /// The other's newest chain that it has heard.
    heard: usize,
}

struct Packet {
    to: usize,
    chain: usize,
    topic: Topic,
    name: MessageName,
    data: Vec<u8>,
    is_safe: bool,
}

/// The state of a side, as it was.
struct Theft {
    victim: usize,
    session: Session,
    /// How many chains the victim had begun.
    chains: usize,
}

/// Somebody with all that an invitation needs.
struct Party {
    identity: Identity,
    dh: XOnlySecretKey,
    cert: Cert,
    prekeys: Prekeys,
}

impl Party {
    fn new(rng: &mut ChaCha20Rng) -> Self {
        let (identity, dh) = (Identity::generate(rng), XOnlySecretKey::generate(rng));
        let cert = Cert::sign(NOW, &identity, &dh.public_key());
        Self { identity, dh, cert, prekeys: Prekeys::new(NOW, rng) }
    }

    fn card(&self) -> Card {
        self.prekeys.card(&self.identity, &self.cert, CardSettings::default())
    }
}

impl Couple {
    pub(crate) fn new(seed: u8, one_time: bool, tail: bool) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let [alice, mut bob] = [(); 2].map(|()| Party::new(&mut rng));
        let settings = CardSettings { random_topics: true, ..CardSettings::default() };
        let card = bob.prekeys.card_with_one_time_key(&bob.identity, &bob.cert, settings, &mut rng);
        let inviter = Inviter {
            dh: &alice.dh,
            cert: &alice.cert,
            kem: alice.prekeys.newest().kem(),
            tail: alice.card().to_short().to_tail().filter(|_| tail),
        };
        let body = Body { sent_at: NOW, content: Content::App(b"hello".to_vec()) };
        let invited = inviter.invite(NOW, &card, one_time, &body, &mut rng).expect("a good card");
        let host = Host { identity: bob.identity.public_key(), dh: &bob.dh };
        let knock = host.look(&invited.data).expect("it is for Bob");
        let prekey = bob.prekeys.find(knock.prekey_id()).expect("it lives");
        let one_time = knock.one_time_id().and_then(|id| bob.prekeys.one_time_key(id));
        let accepted = knock.identify(NOW, prekey, one_time).expect("it is Alice's");
        let accepted = accepted.open(NOW).expect("it is right");
        assert_eq!(accepted.body, Some(body));
        let sides = [invited.session, accepted.session];
        Self {
            now: NOW,
            cards: [alice.card(), bob.card()],
            rng,
            sides: sides.map(|session| Side { session, chains: 0, safe_from: None, heard: 0 }),
            wire: Vec::new(),
            said: BTreeMap::new(),
            heard: BTreeSet::new(),
            theft: None,
        }
    }

    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Say(who, saying) => self.say(usize::from(*who), saying),
            Act::Deliver(index) => {
                if let Some(index) = self.index(*index) {
                    self.deliver(index);
                }
            }
            Act::Lose(index) => {
                if let Some(index) = self.index(*index) {
                    self.wire.remove(index);
                }
            }
            Act::Bend(index, bit) => {
                if let Some(index) = self.index(*index) {
                    let mut data = self.wire[index].data.clone();
                    let bit = usize::from(*bit) % (data.len() * 8);
                    data[bit / 8] ^= 1 << (bit % 8);
                    assert!(self.look(index, &data).is_none(), "a bent packet opens");
                }
            }
            Act::Utter(index, data) => {
                if let Some(index) = self.index(*index) {
                    assert!(self.look(index, data).is_none(), "a forged packet opens");
                }
            }
            Act::Wait(seconds) => {
                self.now = self.now.saturating_add(Duration::from_secs((*seconds).into()));
            }
            Act::Back(seconds) => {
                self.now = self.now.saturating_sub(Duration::from_secs((*seconds).into()));
            }
            Act::Steal(who) => self.steal(usize::from(*who)),
        }
    }

    fn say(&mut self, who: usize, saying: &Saying) {
        let content = content(saying, &self.cards[who]);
        let copy = content.clone();
        let body = Body { sent_at: self.now, content };
        let side = &mut self.sides[who];
        let begins = side.session.sealed_on_chain() == 0;
        let before = side.session.clone();
        let Ok(sealed) = side.session.seal(self.now, &body, &mut self.rng) else {
            return assert!(side.session == before, "what failed moved the session");
        };
        side.chains += usize::from(begins);
        // Who brings a key after having heard one that the thief lacks shuts the thief out.
        let heard_fresh = self
            .theft
            .as_ref()
            .is_some_and(|theft| theft.victim != who && side.heard > theft.chains);
        if begins && heard_fresh && side.safe_from.is_none() {
            side.safe_from = Some(side.chains);
        }
        let is_safe = side.safe_from.is_some_and(|from| side.chains >= from);
        let (chain, name) = (side.chains, sealed.name);
        assert!(self.said.insert(name, (who, copy)).is_none(), "a name came twice");
        let (topic, data) = (sealed.topic, sealed.data);
        self.wire.push(Packet { to: 1 - who, chain, topic, name, data, is_safe });
        self.restores(who);
    }

    fn deliver(&mut self, index: usize) {
        let data = self.wire[index].data.clone();
        self.rob(index);
        let Some(opened) = self.look(index, &data) else { return };
        let Packet { to, chain, name, .. } = self.wire[index];
        assert_eq!(opened.name, name);
        assert!(self.heard.insert(name), "a message was shown twice");
        let (from, said) = &self.said[&name];
        assert_eq!(*from, 1 - to);
        assert!(opened.content.as_ref() == Some(said), "something else was said");
        let side = &mut self.sides[to];
        side.session = opened.session;
        side.heard = side.heard.max(chain);
        self.restores(to);
    }

    /// What the recipient of a packet makes of data under its topic.
    fn look(&mut self, index: usize, data: &[u8]) -> Option<Opened> {
        let Packet { to, topic, .. } = self.wire[index];
        open(&self.sides[to].session, self.now, topic, data, &mut self.rng)
    }

    fn steal(&mut self, victim: usize) {
        let mut session = self.sides[victim].session.clone();
        let chains = self.sides[victim].chains;
        // The thief brings a key of its own, so that it may take the next one of the other side.
        let body = Body { sent_at: self.now, content: Content::Close };
        _ = session.seal(self.now, &body, &mut self.rng);
        self.theft = Some(Theft { victim, session, chains });
        for side in &mut self.sides {
            side.safe_from = None;
        }
        for packet in &mut self.wire {
            packet.is_safe = false;
        }
    }

    /// Lets the thief read what is for its victim.
    fn rob(&mut self, index: usize) {
        let packet = &self.wire[index];
        let Some(theft) = self.theft.as_mut().filter(|theft| theft.victim == packet.to) else {
            return;
        };
        let opened = open(&theft.session, self.now, packet.topic, &packet.data, &mut self.rng);
        assert!(!packet.is_safe || opened.is_none(), "the thief reads on");
        if let Some(opened) = opened {
            theft.session = opened.session;
            let body = Body { sent_at: self.now, content: Content::Close };
            _ = theft.session.seal(self.now, &body, &mut self.rng);
        }
    }

    fn restores(&self, who: usize) {
        let session = &self.sides[who].session;
        let record = session.record();
        let restored = Session::restore(record.state().expect("it is written"));
        assert!(restored.as_ref() == Ok(session), "a record says something else");
    }

    fn index(&self, index: u8) -> Option<usize> {
        usize::from(index).checked_rem(self.wire.len())
    }
}

/// Opens data that came under a topic, if the session watches for it.
fn open(
    session: &Session,
    now: Timestamp,
    topic: Topic,
    data: &[u8],
    rng: &mut ChaCha20Rng,
) -> Option<Opened> {
    let hour = now.as_secs() / 3_600;
    for (chain, lane) in session.lanes() {
        for epoch in hour.saturating_sub(3)..=hour + 1 {
            let next = lane.next().get(&epoch).copied().unwrap_or(0);
            for index in 0..next + 32 {
                if lane.topic(epoch, index) == topic {
                    let place = Place { epoch, index };
                    return session.open(now, chain, place, data, rng).ok();
                }
            }
        }
    }
    None
}

fn content(saying: &Saying, card: &Card) -> Content {
    match saying {
        Saying::App(text) => Content::App(text.clone()),
        Saying::Large(length) => Content::App(vec![1; (*length).into()]),
        Saying::Ack(count) => Content::Ack(vec![MessageName::new([*count; 8]); (*count).into()]),
        Saying::Close => Content::Close,
        Saying::Cover(text) => Content::Cover(text.clone()),
        Saying::Chunk(index, total, data) => {
            Content::Chunk(Chunk { id: [1; 8], index: *index, total: *total, data: data.clone() })
        }
        Saying::Resend(text) => {
            Content::Resend(MessageName::new([2; 8]), Resent::App(text.clone()))
        }
        Saying::Card => Content::Card(Box::new(card.clone())),
    }
}

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);
