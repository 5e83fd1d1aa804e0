//! One side of a session with what a host keeps beside it: the topics that it watches for.

use alloc::vec::Vec;

use super::*;
use crate::crypto::Secret;
use crate::crypto::x_only::XOnlySecretKey;
use crate::session::contract::SessionId;
use crate::session::full::keys::HeaderKey;
use crate::session::full::keys::Key;
use crate::session::full::ratchet::Ratchet;
use crate::session::hours::epoch;
use crate::session::watch::Watch;
use crate::topic::Topic;

/// A session and its topics.
pub(super) struct Side {
    pub(super) session: Session,
    pub(super) rng: ChaCha20Rng,
    watch: Watch,
    hour: u64,
    /// Whether every step is stored and restored.
    stored: bool,
}

/// What is on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    pub(super) topic: Topic,
    pub(super) data: Vec<u8>,
    pub(super) name: MessageName,
}

/// Alice, who invited, and Bob.
pub(super) fn pair(seed: u64) -> [Side; 2] {
    let mut rng = rng(seed);
    let id = SessionId::new(*Secret::generate(&mut rng).expose());
    let root: Key = Secret::generate(&mut rng).into();
    let [own, prekey] = [(); 2].map(|()| XOnlySecretKey::generate(&mut rng));
    let first = HeaderKey::new(Secret::generate(&mut rng));
    let public = own.public_key();
    let alice = Ratchet::initiator(&id, &root, own, &prekey.public_key(), first.clone());
    let bob = Ratchet::responder(&id, &root, &prekey, public, first);
    let sides = [(Role::Initiator, alice), (Role::Responder, bob)];
    sides.map(|(role, ratchet)| Side::new(Session::new(id, role, NOW, ratchet), seed))
}

/// Alice and Bob, each of whom has heard the other.
pub(super) fn talking(seed: u64) -> [Side; 2] {
    let [mut alice, mut bob] = pair(seed);
    let first = bob.say(NOW, b"first");
    assert_eq!(alice.hear(NOW, &first).unwrap(), b"first");
    let second = alice.say(NOW, b"second");
    assert_eq!(bob.hear(NOW, &second).unwrap(), b"second");
    [alice, bob]
}

impl Side {
    pub(super) fn new(session: Session, seed: u64) -> Self {
        let (watch, hour) = (Watch::new(epoch(NOW)), epoch(NOW));
        let rng = rng(seed ^ session.role() as u64 ^ 0x5eed);
        let mut side = Self { session: session.clone(), rng, watch, hour, stored: false };
        side.take(session);
        side
    }

    pub(super) fn stores(&mut self) {
        self.stored = true;
    }

    pub(super) fn say(&mut self, now: Timestamp, text: &[u8]) -> Packet {
        self.send(now, &app(now, text)).unwrap()
    }

    pub(super) fn send(&mut self, now: Timestamp, body: &Body) -> Result<Packet, SealError> {
        let mut session = self.session.clone();
        let before = session.clone();
        let sealed = session.seal(now, body, &mut self.rng);
        let Sealed { topic, data, name, .. } =
            sealed.inspect_err(|_| assert!(session == before))?;
        self.take(session);
        Ok(Packet { topic, data, name })
    }

    /// What the text says; the session has moved only if there is one.
    pub(super) fn hear(&mut self, now: Timestamp, packet: &Packet) -> Result<Vec<u8>, OpenFailure> {
        let opened = self.open(now, packet)?;
        assert_eq!(opened.name, packet.name);
        match opened.content {
            Some(Content::App(text)) => Ok(text),
            content => panic!("no text: {content:?}"),
        }
    }

    pub(super) fn open(&mut self, now: Timestamp, packet: &Packet) -> Result<Opened, OpenFailure> {
        let opened = self.look(now, packet)?;
        self.take(opened.session.clone());
        Ok(opened)
    }

    /// Opens a packet, and stays as it is.
    pub(super) fn look(&mut self, now: Timestamp, packet: &Packet) -> Result<Opened, OpenFailure> {
        self.turn(now);
        let mut failure = OpenFailure::NotOurs;
        let candidates: Vec<_> = self.watch.candidates(packet.topic).collect();
        for ((_, lane), place) in candidates {
            let number = self.lane(lane);
            match self.session.open(now, number, place, &packet.data, &mut self.rng) {
                Ok(opened) => return Ok(opened),
                Err(why) => failure = why,
            }
        }
        Err(failure)
    }

    /// How many topics it watches for.
    pub(super) fn watched(&self) -> usize {
        self.watch.topics.len()
    }

    pub(super) fn take(&mut self, session: Session) {
        let session = match self.stored {
            true => Session::restore(session.record().state().unwrap()).unwrap(),
            false => session,
        };
        let id = session.id();
        for (number, lane) in self.session.lanes() {
            if session.lanes().all(|(kept, _)| kept != number) {
                self.watch.remove((id, number as u8), lane);
            }
        }
        for (number, lane) in session.lanes() {
            self.watch.put(self.hour, (id, number as u8), lane);
        }
        self.session = session;
    }

    fn turn(&mut self, now: Timestamp) {
        if self.hour != epoch(now) {
            self.hour = epoch(now);
            self.take(self.session.clone());
        }
    }

    fn lane(&self, low: u8) -> u32 {
        self.session.lanes().map(|lane| lane.0).find(|number| *number as u8 == low).unwrap()
    }
}
