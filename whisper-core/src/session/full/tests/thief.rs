//! Thieves: of a phone, and of a phone when every Diffie-Hellman has fallen.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use super::side::Packet;
use super::side::pair;
use super::side::talking;
use super::*;
use crate::crypto::Secret;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::session::full::body::Layout;
use crate::session::full::keys::HeaderKey;
use crate::session::full::keys::Key;
use crate::session::full::keys::RootStep;
use crate::session::full::keys::chain_step;
use crate::session::full::packet::Frame;
use crate::session::full::ratchet::Ratchet;
use crate::session::full::ratchet::Turn;
use crate::session::full::round::BlockKind;
use crate::session::full::round::Round;
use crate::session::full::session::State;
use crate::session::hours::epoch;

fn ratchet(side: &Side) -> &Ratchet {
    let State::Live(ratchet) = &side.session.state else { panic!("it is closing") };
    ratchet
}

/// Somebody who has read the states of both, records all envelopes, and is handed every
/// elliptic-curve secret that is drawn later. What is left is the KEM.
struct Thief {
    session: Session,
    root: Key,
    /// The next header key of Alice, and of Bob.
    next: [HeaderKey; 2],
    /// The chain that each sends on: its header key, the peer-visible key, the chain key.
    chains: [Option<(HeaderKey, [u8; 32], Key)>; 2],
    /// What is known of the current round: its number, and its state on either side.
    rounds: [Round; 2],
    /// What is mixed in by round.
    secrets: BTreeMap<u32, Arc<Secret<64>>>,
}

impl Thief {
    /// Copies the states of both. What one of them may have sent that the other has not opened yet is
    /// `ahead`'s: its root is a step further.
    fn steal(sides: &[Side; 2], ahead: usize) -> Self {
        let [alice, bob] = [0, 1].map(|who| ratchet(&sides[who]));
        let secrets = [alice, bob].into_iter().filter_map(|side| match &side.round {
            Round::Got(round, secret) => Some((*round, Arc::clone(secret))),
            Round::Answer(round, _) => Some((*round, side.round.clone().take_up().unwrap())),
            _ => None,
        });
        let next = |own: &Ratchet| match &own.turn {
            Turn::Sending(sending) => sending.next.clone(),
            Turn::Due { header, .. } => header.clone(),
            Turn::Invited { next, .. } => next.clone(),
        };
        let chain = |own: &Ratchet| match &own.turn {
            Turn::Sending(sending) => {
                let key = sending.own.public_key().to_bytes();
                Some((sending.header.clone(), key, sending.chain.clone()))
            }
            _ => None,
        };
        Self {
            session: sides[0].session.clone(),
            root: ratchet(&sides[ahead]).root.clone(),
            next: [next(alice), next(bob)],
            chains: [chain(alice), chain(bob)],
            rounds: [alice.round.clone(), bob.round.clone()],
            secrets: secrets.collect(),
        }
    }

    /// Reads what `who` has just sent, whose private key is handed over or not; whether that succeeds.
    fn reads(&mut self, sides: &[Side; 2], who: usize, packet: &Packet, handed: bool) -> bool {
        let Turn::Sending(sending) = &ratchet(&sides[who]).turn else { panic!("nothing was sent") };
        let own = sending.own.public_key().to_bytes();
        let begins = self.chains[who].as_ref().is_none_or(|chain| chain.1 != own);
        if begins {
            let peer = match &ratchet(&sides[1 - who]).turn {
                Turn::Sending(other) => other.own.public_key(),
                Turn::Invited { own, .. } => own.public_key(),
                Turn::Due { .. } => panic!("it is the other's turn"),
            };
            let key = if handed { Arc::clone(&sending.own) } else { Arc::new(another_key()) };
            self.begin(sending.mixed, who, &key, &peer, own);
        }
        let (header, _, chain) = self.chains[who].clone().unwrap();
        let (message, chain) = chain_step(&chain);
        let role = [Role::Initiator, Role::Responder][who];
        let places = (0..64).map(|index| Place { epoch: epoch(NOW), index });
        let Some(place) = places.clone().find(|place| header.topic(*place) == packet.topic) else {
            return false;
        };
        let frame = Frame { id: &self.session.id, key: &header, place };
        let Ok(open) = frame.open(&packet.data, role) else { return false };
        let Ok(body) = open.open(&message) else { return false };
        self.chains[who] = Some((header, own, chain));
        self.learn(&Layout::read(&body, open.header.flags.block), open.header.flags.block);
        true
    }

    /// Steps the root as both do, as far as what is mixed in is known.
    fn begin(
        &mut self,
        mixed: bool,
        who: usize,
        own: &XOnlySecretKey,
        peer: &XOnlyPublicKey,
        public: [u8; 32],
    ) {
        let round = self.rounds.iter().map(Round::mixed).max().unwrap() + 1;
        let unknown = Arc::new(Secret::fill_with(|_| ()));
        let secret = mixed.then(|| self.secrets.remove(&round).unwrap_or(unknown));
        let step = RootStep::new(&self.root, &own.agree(peer), secret.as_deref(), &self.session.id);
        let header = core::mem::replace(&mut self.next[who], step.next_header);
        self.root = step.root;
        self.chains[who] = Some((header, public, step.chain));
        if mixed {
            self.rounds = [Round::Wait(round + 1), Round::Idle];
        }
    }

    /// Decapsulates with a stolen key what comes for it.
    fn learn(&mut self, layout: &Layout<'_>, kind: Option<BlockKind>) {
        let (Some(block), Some(BlockKind::Answer)) = (layout.block, kind) else { return };
        let offer = &mut self.rounds[1];
        if matches!(offer, Round::Offer(round, _) if *round == block.0) {
            offer.read(block, &mut rng(0)).unwrap();
            if let Round::Got(round, secret) = offer {
                self.secrets.insert(*round, Arc::clone(secret));
            }
        }
    }
}

fn another_key() -> XOnlySecretKey {
    XOnlySecretKey::generate(&mut rng(1_000))
}

/// How many messages a thief reads of two who take turns. It comes after `before` of them, while the
/// last one is still on its way or not, and is handed the private keys of the next `handed` messages.
fn read_after(before: usize, on_its_way: bool, handed: usize) -> usize {
    let mut sides = pair(before as u64);
    let mut who = 1;
    for _ in 0..before {
        let packet = sides[who].say(NOW, b"before");
        sides[1 - who].hear(NOW, &packet).unwrap();
        who = 1 - who;
    }
    let mut read = 0;
    let waiting = on_its_way.then(|| sides[who].say(NOW, b"on its way"));
    let mut thief = Thief::steal(&sides, who);
    if let Some(packet) = waiting {
        let mut copy = Side::new(sides[1 - who].session.clone(), 77);
        assert_eq!(copy.hear(NOW, &packet).unwrap(), b"on its way");
        read += 1;
        sides[1 - who].hear(NOW, &packet).unwrap();
        who = 1 - who;
    }
    for number in 0..12 {
        let packet = sides[who].say(NOW, b"after the theft");
        match thief.reads(&sides, who, &packet, number < handed) {
            true => read += 1,
            false => return read,
        }
        sides[1 - who].hear(NOW, &packet).unwrap();
        who = 1 - who;
    }
    panic!("the thief reads on")
}

#[test]
fn e25_a_thief_of_both_states_who_breaks_every_agreement_reads_four_more_at_most() {
    let read: Vec<_> = (2..30)
        .flat_map(|before| [false, true].map(|on_its_way| read_after(before, on_its_way, 12)))
        .collect();
    assert!(read.iter().all(|read| (2..=4).contains(read)), "{read:?}");
    assert!(read.contains(&4), "{read:?}");
}

#[test]
fn e21_a_thief_of_both_states_reads_one_more_the_next_key_meets_one_that_it_lacks() {
    // The first key that is brought meets one whose private half was stolen: as if it were handed over.
    let read: Vec<_> = (2..30).map(|before| read_after(before, false, 1)).collect();
    assert!(read.iter().all(|read| *read == 1), "{read:?}");
}

#[test]
fn e21_a_thief_of_one_state_reads_nothing_after_a_round_trip_and_nothing_from_before() {
    for victim in [0, 1] {
        let mut sides = talking(30);
        let early: Vec<_> = (0..2)
            .map(|_| {
                let packet = sides[1 - victim].say(NOW, b"early");
                sides[victim].hear(NOW, &packet).unwrap();
                packet
            })
            .collect();
        let mut thief = Side::new(sides[victim].session.clone(), 31);
        for packet in &early {
            let gone = OpenFailure::KeyGone { name: packet.name };
            assert_eq!(thief.hear(NOW, packet), Err(gone));
        }
        // What comes before the victim has brought a key is the thief's too.
        let packet = sides[1 - victim].say(NOW, b"stolen");
        sides[victim].hear(NOW, &packet).unwrap();
        assert_eq!(thief.hear(NOW, &packet).unwrap(), b"stolen");
        thief.say(NOW, b"to nobody, so that it may take a key");
        for round in 0..3 {
            let packet = sides[victim].say(NOW, b"fresh");
            sides[1 - victim].hear(NOW, &packet).unwrap();
            let packet = sides[1 - victim].say(NOW, b"healed");
            sides[victim].hear(NOW, &packet).unwrap();
            assert_eq!(thief.hear(NOW, &packet), Err(OpenFailure::NotOurs), "{victim} {round}");
        }
    }
}
