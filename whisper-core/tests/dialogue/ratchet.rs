//! A session whose keys are numbers: every rule of the double ratchet with encrypted headers that
//! decides what opens where, and nothing that hides it.

use std::collections::BTreeSet;

use chacha20::rand_core::CryptoRng;
use whisper_core::session::MessageName;
use whisper_core::session::Role;
use whisper_core::session::SessionId;
use whisper_core::session::dialogue::*;
use whisper_core::time::Timestamp;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ratchet {
    pub(crate) id: SessionId,
    pub(crate) role: Role,
    root: u64,
    ours: u64,
    theirs: u64,
    due: bool,
    sending: Option<Sending>,
    before: u32,
    next_sending_header: u64,
    next_receiving_header: u64,
    /// The newest first.
    receiving: Vec<Receiving>,
    chains: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct Sending {
    header: u64,
    chain: u64,
    next: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct Receiving {
    number: u32,
    header: u64,
    chain: u64,
    theirs: u64,
    next: u32,
    skipped: BTreeSet<u32>,
}

/// A message on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Packet {
    header: u64,
    theirs: u64,
    before: u32,
    number: u32,
    key: u64,
    name: MessageName,
    sent_at: Timestamp,
    content: Content,
    /// The card that goes with it: prekey, when it was made.
    card: Option<(u32, Timestamp)>,
}

/// An invitation on its way.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Letter {
    pub(crate) session: SessionId,
    pub(crate) created_at: Timestamp,
    pub(crate) card: u32,
    pub(crate) one_time: Option<u32>,
    secret: u64,
    theirs: u64,
    pub(crate) content: Content,
    pub(crate) name: MessageName,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Failure {
    NotOurs,
    Forked,
    KeyGone(MessageName),
}

pub(crate) fn mix(parts: &[u64]) -> u64 {
    parts.iter().fold(0x51_7C_C1_B7_27_22_0A_95, |state, part| {
        let mut z = (state ^ part).wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}

fn agree(one: u64, other: u64) -> u64 {
    mix(&[one.min(other), one.max(other)])
}

/// Root, chain, next header key.
fn step(root: u64, secret: u64) -> (u64, u64, u64) {
    (mix(&[root, secret, 1]), mix(&[root, secret, 2]), mix(&[root, secret, 3]))
}

fn prekey(card: u32) -> u64 {
    mix(&[u64::from(card), 77])
}

impl Packet {
    /// The card that it brings.
    pub(crate) fn card(&self) -> Option<(u32, Option<u32>, Timestamp)> {
        self.card.map(|(number, made)| (number, None, made))
    }
}

impl Letter {
    pub(crate) fn draw(
        now: Timestamp,
        card: u32,
        one_time: Option<u32>,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> (Self, Ratchet) {
        let secret = rng.next_u64();
        let ours = rng.next_u64();
        let letter = Self {
            session: session(secret),
            created_at: Timestamp::from_secs(now.as_secs()),
            card,
            one_time,
            secret,
            theirs: ours,
            content: content.clone(),
            name: MessageName::new(mix(&[secret, 9]).to_be_bytes()),
        };
        let (root, _, header) = step(secret, agree(ours, prekey(card)));
        let ratchet = Ratchet {
            id: letter.session,
            role: Role::Initiator,
            root,
            ours,
            theirs: prekey(card),
            due: false,
            sending: None,
            before: 0,
            next_sending_header: header,
            next_receiving_header: mix(&[secret, 8]),
            receiving: Vec::new(),
            chains: 0,
        };
        (letter, ratchet)
    }

    pub(crate) fn accept(&self) -> Ratchet {
        let ours = prekey(self.card);
        let (root, _, header) = step(self.secret, agree(ours, self.theirs));
        Ratchet {
            id: self.session,
            role: Role::Responder,
            root,
            ours,
            theirs: self.theirs,
            due: true,
            sending: None,
            before: 0,
            next_sending_header: mix(&[self.secret, 8]),
            next_receiving_header: header,
            receiving: Vec::new(),
            chains: 0,
        }
    }
}

fn session(secret: u64) -> SessionId {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&mix(&[secret, 7]).to_be_bytes());
    SessionId::new(bytes)
}

impl Ratchet {
    pub(crate) fn seal(
        &mut self,
        now: Timestamp,
        content: &Content,
        own_card: Option<(u32, Timestamp)>,
        rng: &mut impl CryptoRng,
    ) -> Result<(Packet, MessageName), SealFailure> {
        if self.due {
            self.ours = rng.next_u64();
            let (root, chain, header) = step(self.root, agree(self.ours, self.theirs));
            self.before = self.sending.as_ref().map_or(0, |sending| sending.next);
            self.sending = Some(Sending { header: self.next_sending_header, chain, next: 0 });
            (self.root, self.next_sending_header, self.due) = (root, header, false);
        }
        let salt = rng.next_u64();
        let sending = self.sending.as_mut().expect("nothing has come on it yet");
        if sending.next >= 24_000 {
            return Err(SealFailure::Exhausted);
        }
        let number = sending.next;
        sending.next += 1;
        let name = mix(&[sending.header, number.into(), salt]);
        let name = MessageName::new(name.to_be_bytes());
        let sent_at = match content {
            Content::Resend { sent_at, .. } => *sent_at,
            _ => now,
        };
        let packet = Packet {
            header: sending.header,
            theirs: self.ours,
            before: self.before,
            number,
            key: mix(&[sending.chain, number.into()]),
            name,
            sent_at,
            content: content.clone(),
            card: own_card.filter(|_| matches!(content, Content::Card)),
        };
        Ok((packet, name))
    }

    pub(crate) fn open(&self, packet: &Packet) -> Result<(Self, Opened), Failure> {
        let mut next = self.clone();
        let known = next.receiving.iter_mut().position(|chain| chain.header == packet.header);
        let (at, turned) = match known {
            Some(at) => (at, false),
            None if packet.header == self.next_receiving_header && !self.due => {
                next.turn(packet);
                (0, true)
            }
            None => return Err(Failure::NotOurs),
        };
        let chain = &mut next.receiving[at];
        if chain.theirs != packet.theirs {
            return Err(Failure::Forked);
        }
        if packet.key != mix(&[chain.chain, packet.number.into()]) {
            return Err(Failure::NotOurs);
        }
        if packet.number < chain.next {
            if !chain.skipped.remove(&packet.number) {
                return Err(Failure::KeyGone(packet.name));
            }
        } else {
            chain.skipped.extend(chain.next..packet.number);
            chain.next = packet.number + 1;
        }
        let heard = Heard {
            name: packet.name,
            place: Place { chain: chain.number, number: packet.number },
            sent_at: packet.sent_at,
            content: Some(packet.content.clone()),
        };
        Ok((next, Opened { session: self.id, turned, heard }))
    }

    fn turn(&mut self, packet: &Packet) {
        if let Some(last) = self.receiving.first_mut() {
            last.skipped.extend(last.next..packet.before.max(last.next));
        }
        let (root, chain, header) = step(self.root, agree(self.ours, packet.theirs));
        let receiving = Receiving {
            number: self.chains,
            header: self.next_receiving_header,
            chain,
            theirs: packet.theirs,
            next: 0,
            skipped: BTreeSet::new(),
        };
        self.receiving.insert(0, receiving);
        self.receiving.truncate(6);
        (self.root, self.next_receiving_header) = (root, header);
        (self.theirs, self.due) = (packet.theirs, true);
        self.chains += 1;
    }
}
