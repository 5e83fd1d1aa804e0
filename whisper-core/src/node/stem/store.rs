//! What has left by a stem, or waits for a relay, until it comes back or its time is over.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Bound;
use core::time::Duration;

use super::LARGEST;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::peer::PeerId;
use crate::pool::OVERHEAD;
use crate::pool::Origin;
use crate::pow::Rating;
use crate::time::Timestamp;

/// Envelopes that are not in the pool yet and of which no peer may know that they are here.
#[derive(Debug)]
pub(in crate::node) struct Store {
    held: BTreeMap<EnvelopeHash, Held>,
    due: BTreeSet<(Timestamp, EnvelopeHash)>,
    /// Those that have gone to nobody.
    waiting: BTreeSet<EnvelopeHash>,
    /// Those whose time stands still, since there is nobody who could bring them back.
    stopped: BTreeSet<EnvelopeHash>,
    /// What peers have brought, gone ones included.
    shares: BTreeMap<PeerId, Share>,
    brought_bytes: usize,
    own_bytes: usize,
    /// What one share may be, in bytes, whatever others are.
    share: usize,
    /// What all shares together may be, so that memory is bounded whoever connects.
    guard: usize,
    /// Up to where those that wait were looked at again, while that is under way.
    looked: Option<Option<EnvelopeHash>>,
}

/// One of them.
#[derive(Debug)]
pub(in crate::node) struct Held {
    pub(in crate::node) envelope: Arc<Envelope>,
    pub(in crate::node) rating: Rating,
    pub(in crate::node) origin: Origin,
    /// Who brought it, in this order.
    brought: Vec<PeerId>,
    /// Who has had it from us, and who brought it.
    pub(in crate::node) tried: Vec<PeerId>,
    /// The peer that was to flood it, which knows it since.
    pub(in crate::node) handed: Option<PeerId>,
    /// Whether anybody has had it from us.
    pub(in crate::node) has_left: bool,
    /// How often its time was over.
    pub(in crate::node) attempts: u8,
    due: Timestamp,
}

/// What one peer has brought.
#[derive(Debug, Default)]
struct Share {
    envelopes: usize,
    bytes: usize,
}

impl Store {
    /// A store for envelopes of others of about `limit` bytes in all.
    pub(super) fn new(limit: usize) -> Self {
        Self {
            share: (limit / EDGES).clamp(LARGEST.saturating_add(OVERHEAD), BYTES),
            guard: limit.saturating_mul(2),
            held: BTreeMap::new(),
            due: BTreeSet::new(),
            waiting: BTreeSet::new(),
            stopped: BTreeSet::new(),
            shares: BTreeMap::new(),
            brought_bytes: 0,
            own_bytes: 0,
            looked: None,
        }
    }

    pub(in crate::node) fn get(&self, hash: &EnvelopeHash) -> Option<&Held> {
        self.held.get(hash)
    }

    pub(in crate::node) fn contains(&self, hash: &EnvelopeHash) -> bool {
        self.held.contains_key(hash)
    }

    /// What our own take, in bytes.
    pub(in crate::node) const fn own_bytes(&self) -> usize {
        self.own_bytes
    }

    /// Whether an envelope that a peer brings has a place. What is held already counts as new, since
    /// a peer could find out otherwise. What others hold counts only against the guard: who filled
    /// what all share would see own envelopes alone passed on.
    pub(in crate::node) fn has_room(&self, peer: PeerId, envelope: &Envelope) -> bool {
        let bytes = cost(envelope);
        let (count, own) =
            self.shares.get(&peer).map_or((0, 0), |share| (share.envelopes, share.bytes));
        count < ENVELOPES
            && own.saturating_add(bytes) <= self.share
            && self.brought_bytes.saturating_add(bytes) <= self.guard
    }

    /// Holds an envelope until `due`.
    pub(in crate::node) fn insert(
        &mut self,
        envelope: Arc<Envelope>,
        rating: Rating,
        (origin, from): (Origin, Option<PeerId>),
        due: Timestamp,
    ) {
        let hash = envelope.hash();
        if from.is_none() {
            self.own_bytes = self.own_bytes.saturating_add(cost(&envelope));
        }
        self.held.insert(
            hash,
            Held {
                envelope,
                rating,
                origin,
                brought: Vec::new(),
                tried: Vec::new(),
                handed: None,
                has_left: false,
                attempts: 0,
                due,
            },
        );
        self.due.insert((due, hash));
        self.waiting.insert(hash);
        if let Some(from) = from {
            self.note_brought(&hash, from);
        }
    }

    /// Notes that a peer has brought what is held: its share is as large as if it were new.
    pub(in crate::node) fn note_brought(&mut self, hash: &EnvelopeHash, peer: PeerId) {
        let Some(held) = self.held.get_mut(hash) else { return };
        if !held.tried.contains(&peer) {
            held.tried.push(peer);
        }
        if !held.brought.contains(&peer) {
            held.brought.push(peer);
            let share = self.shares.entry(peer).or_default();
            share.envelopes = share.envelopes.saturating_add(1);
            share.bytes = share.bytes.saturating_add(cost(&held.envelope));
            self.brought_bytes = self.brought_bytes.saturating_add(cost(&held.envelope));
        }
    }

    /// Notes that a peer gets it now, to pass it on or to flood it.
    pub(in crate::node) fn note_left(&mut self, hash: &EnvelopeHash, peer: PeerId, floods: bool) {
        let Some(held) = self.held.get_mut(hash) else { return };
        held.has_left = true;
        held.tried.push(peer);
        if floods {
            held.handed = Some(peer);
        }
        self.waiting.remove(hash);
    }

    /// Awaits it until `due`, once more if its time was over.
    pub(in crate::node) fn await_until(
        &mut self,
        hash: &EnvelopeHash,
        due: Timestamp,
        attempts: u8,
    ) {
        let Some(held) = self.held.get_mut(hash) else { return };
        self.due.remove(&(held.due, *hash));
        self.due.insert((due, *hash));
        (held.due, held.attempts) = (due, attempts);
    }

    /// Lets its time stand still, at the longest until then.
    pub(in crate::node) fn stop(&mut self, hash: &EnvelopeHash, longest: Timestamp, attempts: u8) {
        self.await_until(hash, longest, attempts);
        self.stopped.insert(*hash);
    }

    /// Those whose time stands still, which goes on now.
    pub(in crate::node) fn take_stopped(&mut self) -> BTreeSet<EnvelopeHash> {
        core::mem::take(&mut self.stopped)
    }

    /// One whose time is over.
    pub(in crate::node) fn overdue(&self, now: Timestamp) -> Option<EnvelopeHash> {
        self.due.first().filter(|(due, _)| *due <= now).map(|(_, hash)| *hash)
    }

    pub(in crate::node) fn remove(&mut self, hash: &EnvelopeHash) -> Option<Held> {
        let held = self.held.remove(hash)?;
        self.due.remove(&(held.due, *hash));
        self.waiting.remove(hash);
        self.stopped.remove(hash);
        let bytes = cost(&held.envelope);
        if held.origin == Origin::Own {
            self.own_bytes = self.own_bytes.saturating_sub(bytes);
        }
        for peer in &held.brought {
            let Some(share) = self.shares.get_mut(peer) else { continue };
            share.envelopes = share.envelopes.saturating_sub(1);
            share.bytes = share.bytes.saturating_sub(bytes);
            self.brought_bytes = self.brought_bytes.saturating_sub(bytes);
            if share.envelopes == 0 {
                self.shares.remove(peer);
            }
        }
        Some(held)
    }

    /// Has those that wait looked at again: somebody may take them now.
    pub(in crate::node) fn look_again(&mut self) {
        if !self.waiting.is_empty() {
            self.looked = Some(None);
        }
    }

    /// The next of those that wait to be looked at.
    pub(in crate::node) fn next_waiting(&mut self) -> Option<EnvelopeHash> {
        let after = self.looked?.map_or(Bound::Unbounded, Bound::Excluded);
        let next = self.waiting.range((after, Bound::Unbounded)).next().copied();
        self.looked = next.map(Some);
        next
    }

    /// When the next time is over; at once, while those that wait are looked at again.
    pub(in crate::node) fn deadline(&self) -> Option<Timestamp> {
        let due = self.due.first().map(|(due, _)| *due);
        self.looked.map(|_| Timestamp::default()).or(due)
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(in crate::node) fn shift_back(&mut self, by: Duration) {
        self.held.values_mut().for_each(|held| held.due = held.due.saturating_sub(by));
        let due = core::mem::take(&mut self.due).into_iter();
        self.due = due.map(|(due, hash)| (due.saturating_sub(by), hash)).collect();
    }

    #[cfg(test)]
    pub(in crate::node) fn len(&self) -> usize {
        self.held.len()
    }
}

impl Held {
    /// By which edge it came; nothing, if it is our own.
    pub(in crate::node) fn edge(&self) -> Option<PeerId> {
        self.brought.first().copied().filter(|_| self.origin != Origin::Own)
    }
}

/// What it counts: as much as in the pool.
fn cost(envelope: &Envelope) -> usize {
    envelope.encoded_len().saturating_add(OVERHEAD)
}

/// How many envelopes of one peer are held.
const ENVELOPES: usize = 64;
/// How many bytes of one peer are held at most.
const BYTES: usize = 256 * 1024;
/// How many edges fill the store with their shares. Chosen: twice as many fill the guard.
const EDGES: usize = 48;
