//! How the author of an envelope is hidden (`spec/privacy.md`).
//!
//! What begins its way here does not leave for all peers at once. It goes to one relay, which passes
//! it on to one of its own, until a node ends the stem and floods it; and who floods it lets each peer
//! wait by itself. Own envelopes and those of others are treated alike, so that no peer can tell them
//! apart, and what is held here can be seen by nobody.

mod routes;
mod seats;
mod store;

use core::time::Duration;

pub(super) use self::routes::Routes;
pub(super) use self::seats::Member;
pub(super) use self::seats::Seats;
pub(super) use self::store::Held;
pub(super) use self::store::Store;
use super::contract::Direction;
use super::dice::Dice;
use super::dice::Throw;
use crate::envelope::EnvelopeHash;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// How the author of an envelope is hidden.
///
/// All nodes should be set alike: other values than the defaults tell a node from others. They can be
/// changed for measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stem {
    /// How many relays are kept. With none there are no stems: what begins here is scattered.
    pub relays: u8,
    /// The share of edges whose stems end here, and are flooded.
    pub ends: f64,
    /// How long relays are kept, and up to two sevenths longer.
    pub period: Duration,
    /// How long an envelope on a stem is awaited before it is sent once more, then flooded: at least
    /// the first, and the second on average beyond that.
    pub embargo: (Duration, Duration),
    /// How long each peer waits, on average and by itself, for what begins its flood here. Everything
    /// else is relayed at once.
    pub scatter: Duration,
}

impl Default for Stem {
    fn default() -> Self {
        Self {
            relays: 2,
            ends: 0.2,
            period: Duration::from_secs(7 * 86_400),
            embargo: (Duration::from_secs(4), Duration::from_secs(4)),
            scatter: Duration::from_secs(1),
        }
    }
}

/// The relays of a node, and what it has given them.
#[derive(Debug)]
pub(super) struct Stems {
    pub(super) settings: Stem,
    pub(super) dice: Dice,
    pub(super) seats: Seats,
    pub(super) routes: Routes,
    pub(super) store: Store,
}

/// A ready peer, as the next to have an envelope.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate {
    pub(super) peer: PeerId,
    pub(super) direction: Direction,
    /// Whether it offers the stem.
    pub(super) stems: bool,
    pub(super) light: bool,
    /// Whether it takes this envelope.
    pub(super) wants: bool,
    /// Whether its window has room.
    pub(super) has_room: bool,
}

/// What to do with an envelope that begins here or came by a stem.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Hop {
    /// Pass it on to this relay.
    Stem(PeerId),
    /// Let this peer flood it, which speaks no stem.
    HandOver(PeerId),
    /// Hold it until there is a relay for it.
    Wait,
    /// Flood it.
    Flood,
}

impl Stems {
    /// Nothing, where there are to be no stems.
    pub(super) fn new(settings: Stem, secret: &[u8; 32], pool_bytes: usize) -> Option<Self> {
        (settings.relays > 0).then(|| Self {
            settings,
            dice: Dice::new(secret),
            seats: Seats::new(settings.relays.into(), settings.period),
            routes: Routes::default(),
            store: Store::new(pool_bytes / SHARE),
        })
    }

    /// Where an envelope goes that came by this edge and which these peers have or had.
    ///
    /// It looks at peers, relays and edge alone, never at what is held: else a peer could find out.
    pub(super) fn next_hop(
        &self,
        hash: &EnvelopeHash,
        edge: Option<PeerId>,
        candidates: &[Candidate],
        tried: &[PeerId],
    ) -> Hop {
        let full =
            || candidates.iter().filter(|peer| self.seats.may_hold(peer.direction, peer.light));
        let usable = |peer: &&Candidate| peer.wants && peer.has_room && !tried.contains(&peer.peer);
        let to = |peer: &Candidate| match peer.stems {
            true => Hop::Stem(peer.peer),
            false => Hop::HandOver(peer.peer),
        };
        if self.seats.are_taken() {
            let first = self.routes.seat(&self.dice, edge, &self.seats);
            for relay in self.seats.present_from(first) {
                if let Some(peer) = full().filter(usable).find(|peer| peer.peer == relay) {
                    return to(peer);
                }
            }
            return if self.seats.are_all_of(edge) { Hop::Flood } else { Hop::Wait };
        }
        let offered = full().any(|peer| peer.stems);
        let thrown = full().filter(usable).filter(|peer| peer.stems == offered);
        match self.throw(hash, thrown) {
            Some(peer) if !self.seats.are_drawn() => to(peer),
            _ if candidates.is_empty() => Hop::Wait,
            _ => Hop::Flood,
        }
    }

    /// Where an envelope goes that has not come back in time: to the other relay, or to any peer if
    /// the relays are away or nobody has had it yet. Nothing, if it is to be flooded.
    pub(super) fn second_hop(
        &self,
        hash: &EnvelopeHash,
        held: &Held,
        candidates: &[Candidate],
    ) -> Option<Hop> {
        match self.next_hop(hash, held.edge(), candidates, &held.tried) {
            hop @ (Hop::Stem(_) | Hop::HandOver(_)) => return Some(hop),
            Hop::Wait | Hop::Flood => {}
        }
        let are_away = self.seats.present_from(0).next().is_none();
        let usable = |peer: &&Candidate| {
            let may = self.seats.may_hold(peer.direction, peer.light) && peer.stems;
            may && peer.wants && peer.has_room && !held.tried.contains(&peer.peer)
        };
        let thrown = candidates.iter().filter(usable);
        let thrown = self.throw(hash, thrown).filter(|_| are_away || !held.has_left);
        thrown.map(|peer| Hop::Stem(peer.peer))
    }

    /// When an envelope that is passed on now is awaited no longer.
    pub(super) fn embargo(
        &self,
        now: Timestamp,
        hash: &EnvelopeHash,
        attempt: u8,
        left: Duration,
    ) -> Timestamp {
        let (least, mean) = self.settings.embargo;
        let drawn = self.dice.span(Throw::Embargo, &[hash.as_bytes(), &[attempt]], mean);
        let share = (left.as_secs_f64() / FULL_EMBARGO.as_secs_f64()).min(1.0);
        let span = least.saturating_add(drawn).as_secs_f64() * share;
        now.saturating_add(Duration::try_from_secs_f64(span).unwrap_or(Duration::MAX))
    }

    /// Lets the time go on of what stood still.
    pub(super) fn resume(&mut self, now: Timestamp) {
        for hash in self.store.take_stopped() {
            let Some(held) = self.store.get(&hash) else { continue };
            let (attempts, left) = (held.attempts, held.envelope.time_left(now));
            let due = self.embargo(now, &hash, attempts, left);
            self.store.await_until(&hash, due, attempts);
        }
    }

    /// When something is due, if nobody comes or goes.
    pub(super) fn deadline(&self, has_peers: bool) -> Option<Timestamp> {
        let due = [self.store.deadline(), self.seats.deadline(has_peers)];
        due.into_iter().flatten().min()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        self.seats.shift_back(by);
        self.store.shift_back(by);
    }

    /// Whether what comes by this edge ends here.
    pub(super) fn ends(&self, edge: PeerId) -> bool {
        self.dice.happens(Throw::End, &[&edge.as_u64().to_be_bytes()], self.settings.ends)
    }

    /// One of several for one envelope, each as likely as the other.
    fn throw<'a>(
        &self,
        hash: &EnvelopeHash,
        peers: impl Iterator<Item = &'a Candidate>,
    ) -> Option<&'a Candidate> {
        let number = |peer: &Candidate| peer.peer.as_u64().to_be_bytes();
        peers.min_by_key(|peer| self.dice.number(Throw::Peer, &[hash.as_bytes(), &number(peer)]))
    }
}

/// What an envelope must have left to live to be held: less is spent on its flood.
pub(super) const LEAST_LEFT: Duration = Duration::from_secs(20);
/// The largest envelope on a stem, as a list of one: the largest of the sizes to which stems are
/// filled up where links are confidential.
pub(super) const LARGEST: usize = 65_792;
/// The largest packet of a stem.
pub(super) const LARGEST_PACKET: usize = 67_584;
/// The life below which the embargo is shortened.
const FULL_EMBARGO: Duration = Duration::from_secs(120);
/// The part of the pool's size that envelopes of others on stems may take.
const SHARE: usize = 16;
