//! Holds envelopes until they expire, the best rated longest, in bounded memory.
//!
//! Inserting, evicting and expiring take the same number of steps however many envelopes there are:
//! records lie in a slab, three lists run through each (those of like rating, those that expire in
//! the same second, those that one network brought), and maps of bits find the first list that holds
//! something.

#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

mod entry;
mod index;
mod levels;
mod rank;
mod slab;
#[cfg(test)]
mod tests;
mod wheel;

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::peer::Network;
use crate::pow::Rating;
use crate::time::Timestamp;

pub use entry::Entry;
pub use entry::Gone;
pub use entry::Inserted;
pub use entry::Origin;
pub use entry::Slot;

use index::Index;
use levels::Levels;
use rank::LEVELS;
use rank::OCTAVES;
use rank::level;
use rank::octave;
use slab::Cell;
use slab::Chain;
use slab::Record;
use slab::Slab;
use wheel::Wheel;

/// The envelopes that a node holds.
///
/// When space is short the worst go first: least `2^work / (max(length, 256) * max(ttl, 10))`, so
/// that neither dust nor flashes win. Numbers within 3 % count as equal; among equals the oldest
/// goes first, or one that expires sooner. What is not better than that has no place. Our own
/// envelopes stay until they went to one peer.
///
/// ```
/// # use core::time::Duration;
/// # use std::sync::Arc;
/// # use whisper_core::envelope::Draft;
/// # use whisper_core::time::Timestamp;
/// # use whisper_core::topic::Topic;
/// use whisper_core::pool::{Limits, Origin, Pool};
///
/// let now = Timestamp::from_secs(1_600_000_000);
/// let topic = Topic::new(*b"news");
/// let envelope = Arc::new(Draft::new(now, Duration::from_secs(50), topic, vec![7; 284])?.seal(0));
///
/// let mut pool = Pool::new(Limits::default(), [1; 32]);
/// let slot = pool.insert(now, Arc::clone(&envelope), envelope.rating(), Origin::Own)?.slot;
/// assert_eq!(pool.find(&envelope.hash()), Some(slot));
///
/// let later = pool.next_expiry().expect("it will expire");
/// assert_eq!(pool.expire(later, 100).len(), 1);
/// assert!(pool.get(slot).is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Pool {
    slab: Slab,
    index: Index,
    /// What may be evicted, by rating.
    evictable: Levels,
    /// Our own that went to no peer yet, by rating.
    waiting: Levels,
    wheel: Wheel,
    shares: BTreeMap<Network, Share>,
    bytes: usize,
    waiting_bytes: usize,
    limits: Limits,
}

impl Pool {
    /// An empty pool. `secret` keeps others from choosing where envelopes lie in its index.
    pub fn new(limits: Limits, secret: [u8; 32]) -> Self {
        Self {
            slab: Slab::new(),
            index: Index::new(&secret),
            evictable: Levels::new(Chain::Rating, LEVELS),
            waiting: Levels::new(Chain::Rating, LEVELS),
            wheel: Wheel::default(),
            shares: BTreeMap::new(),
            bytes: 0,
            waiting_bytes: 0,
            limits,
        }
    }

    /// Takes an envelope that is not yet here, and evicts what has to make room for it: what has
    /// expired, then what is rated worse.
    ///
    /// When the pool is contended, a network whose peers would hold more than a quarter of it makes room out
    /// of its own share: among what they brought, an envelope of the worst octave of ratings, oldest
    /// first. What it gathered before, while there was room, only better ones push out.
    ///
    /// # Errors
    /// [`PoolError`], and nothing has changed.
    pub fn insert(
        &mut self,
        now: Timestamp,
        envelope: Arc<Envelope>,
        rating: Rating,
        origin: Origin,
    ) -> Result<Inserted, PoolError> {
        debug_assert!(self.find(&envelope.hash()).is_none(), "the caller looks for duplicates");
        let record = Record {
            key: self.index.key(&envelope.hash()),
            expiry: envelope.expiry(),
            cost: envelope.encoded_len().saturating_add(OVERHEAD),
            level: level(&envelope, self.limits.guarded),
            entry: Entry { envelope, rating, origin, sent: false },
        };
        let victims = self.victims(now, &record)?;
        let evicted = victims.into_iter().filter_map(|victim| self.remove(victim)).collect();
        let index = self.slab.insert(record).ok_or(PoolError::Full)?;
        let slot = self.enlist(index).ok_or(PoolError::Full)?;
        Ok(Inserted { slot, evicted })
    }

    /// Notes that an envelope went to a peer: from now on it may be evicted, even if it is our own.
    pub fn mark_sent(&mut self, slot: Slot) {
        let Some(record) = self.slab.resolve_mut(slot) else { return };
        let waited = record.entry.is_waiting();
        record.entry.sent = true;
        if waited {
            let (level, expiry, cost) = (record.level, record.expiry, record.cost);
            self.waiting_bytes = self.waiting_bytes.saturating_sub(cost);
            self.waiting.remove(&mut self.slab, slot.index, level);
            file(&mut self.evictable, &mut self.slab, slot.index, level, expiry);
        }
    }

    /// Removes envelopes whose expiry lies before `now`, in whole seconds: `at_most` so many, so
    /// that no step takes long.
    pub fn expire(&mut self, now: Timestamp, at_most: usize) -> Vec<Gone> {
        let expired: Vec<u32> = self.expired(now).take(at_most).collect();
        expired.into_iter().filter_map(|index| self.remove(index)).collect()
    }

    /// When there will be something to expire. In the past, if [`Pool::expire`] left some.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        let first = self.slab.get(self.wheel.walk(&self.slab).next()?)?;
        Some(Timestamp::from_secs(first.expiry.saturating_add(1)))
    }

    /// Where the envelope of this hash is.
    pub fn find(&self, hash: &EnvelopeHash) -> Option<Slot> {
        let is_it = |index| {
            self.slab.get(index).is_some_and(|record| record.entry.envelope.hash() == *hash)
        };
        self.slab.slot(self.index.find(self.index.key(hash), is_it)?)
    }

    /// What is in `slot`, unless it has gone.
    pub fn get(&self, slot: Slot) -> Option<&Entry> {
        self.slab.resolve(slot).map(|record| &record.entry)
    }

    /// How many cells there are. Each holds an envelope or is empty; their number only grows.
    pub const fn cells(&self) -> usize {
        self.slab.cells()
    }

    /// What is in a range of cells: who looks through the pool a slice at a time misses nothing that
    /// was there before and stays.
    pub fn in_cells(&self, cells: Range<usize>) -> impl Iterator<Item = (Slot, &Entry)> {
        self.slab.range(cells).map(|(slot, record)| (slot, &record.entry))
    }

    /// All entries, best first by the number that eviction goes by.
    pub fn iter_best_first(&self) -> impl Iterator<Item = (Slot, &Entry)> {
        let on =
            |level| self.waiting.on(&self.slab, level).chain(self.evictable.on(&self.slab, level));
        (0..LEVELS)
            .rev()
            .flat_map(on)
            .filter_map(|index| Some((self.slab.slot(index)?, &self.slab.get(index)?.entry)))
    }

    /// What the envelope that would be evicted next counts as: what is not better has no place, once
    /// the pool is full.
    pub fn lowest_rating(&self) -> Option<Rating> {
        let worst = self.slab.get(self.evictable.walk(&self.slab).next()?)?;
        Some(rank::worth(&worst.entry.envelope, self.limits.guarded))
    }

    /// How many envelopes it holds.
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether it holds none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much it holds: the encoded length of each envelope and [`OVERHEAD`]. Never above the
    /// limit.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// What our own take that have gone to no peer yet, in bytes.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.waiting_bytes
    }

    /// What it may hold.
    pub const fn limits(&self) -> Limits {
        self.limits
    }

    /// Whether more than three quarters are full.
    pub const fn is_contended(&self) -> bool {
        self.bytes > self.limits.contended()
    }

    /// Whether more than seven eighths are full.
    pub const fn is_nearly_full(&self) -> bool {
        self.bytes > self.limits.bytes.saturating_sub(self.limits.bytes / 8)
    }

    /// What has to go before `newcomer` can come.
    fn victims(&self, now: Timestamp, newcomer: &Record) -> Result<Vec<u32>, PoolError> {
        let total = self.bytes.saturating_add(newcomer.cost);
        let missing = total.saturating_sub(self.limits.bytes);
        let waiting = self.waiting_bytes.saturating_add(newcomer.cost);
        if newcomer.entry.is_waiting() && waiting > self.limits.bytes / 8 {
            return Err(PoolError::OwnShareFull);
        }
        let mut victims = Vec::new();
        let missing = match self.crowding(total, newcomer) {
            Some((share, excess)) => {
                let reach = LOOK_FURTHER.saturating_add(newcomer.cost / OVERHEAD);
                let own = share.levels.walk(&self.slab).take(reach);
                let worse = own.filter(|index| self.is_worse(*index, newcomer));
                self.gather(excess.max(missing), worse, &mut victims)
            }
            None if missing == 0 => 0,
            None => {
                let missing = self.gather(missing, self.expired(now), &mut victims);
                // If something is still missing, all that has expired is among the victims.
                let worse = self
                    .evictable
                    .walk(&self.slab)
                    .take_while(|index| self.is_worse(*index, newcomer))
                    .filter(|index| !self.is_expired(*index, now));
                self.gather(missing, worse, &mut victims)
            }
        };
        if missing == 0 { Ok(victims) } else { Err(PoolError::Full) }
    }

    /// The share of the network that brought `newcomer`, if it would be too large, and by how much:
    /// at most by the newcomer itself.
    fn crowding(&self, total: usize, newcomer: &Record) -> Option<(&Share, usize)> {
        let network = newcomer.entry.origin.network()?;
        let short = self.limits.guarded && total > self.limits.contended();
        let share = self.shares.get(&network).filter(|_| short)?;
        let held = share.bytes.saturating_add(newcomer.cost);
        let excess = held.saturating_sub(self.limits.bytes / 4).min(newcomer.cost);
        (excess > 0).then_some((share, excess))
    }

    /// Takes from `candidates` until `missing` bytes are found, and tells how many still are not.
    fn gather(
        &self,
        mut missing: usize,
        mut candidates: impl Iterator<Item = u32>,
        victims: &mut Vec<u32>,
    ) -> usize {
        while missing > 0 {
            let Some(index) = candidates.next() else { break };
            let cost = self.slab.get(index).map_or(0, |record| record.cost);
            missing = missing.saturating_sub(cost);
            victims.push(index);
        }
        missing
    }

    fn expired(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        self.wheel.walk(&self.slab).take_while(move |index| self.is_expired(*index, now))
    }

    fn is_expired(&self, index: u32, now: Timestamp) -> bool {
        self.slab.get(index).is_some_and(|record| record.expiry < now.as_secs())
    }

    fn is_worse(&self, index: u32, newcomer: &Record) -> bool {
        self.slab.get(index).is_some_and(|record| record.level < newcomer.level)
    }

    /// Enters a record into the index and into each list.
    fn enlist(&mut self, index: u32) -> Option<Slot> {
        let record = self.slab.get(index)?;
        let (level, expiry, cost) = (record.level, record.expiry, record.cost);
        let (origin, waiting) = (record.entry.origin, record.entry.is_waiting());
        let key_of = |index| self.slab.get(index).map_or(0, |record| record.key);
        self.index.insert(record.key, index, key_of);
        self.wheel.push(&mut self.slab, index, expiry);
        self.bytes = self.bytes.saturating_add(cost);
        if waiting {
            self.waiting_bytes = self.waiting_bytes.saturating_add(cost);
            file(&mut self.waiting, &mut self.slab, index, level, expiry);
        } else {
            file(&mut self.evictable, &mut self.slab, index, level, expiry);
        }
        if let Some(network) = origin.network() {
            let share = self.shares.entry(network).or_insert_with(Share::new);
            share.bytes = share.bytes.saturating_add(cost);
            share.levels.push_back(&mut self.slab, index, octave(level));
        }
        self.slab.slot(index)
    }

    /// Takes a record out of each list, the index and the slab.
    fn remove(&mut self, index: u32) -> Option<Gone> {
        let slot = self.slab.slot(index)?;
        let record = self.slab.get(index)?;
        let (level, expiry, cost) = (record.level, record.expiry, record.cost);
        let (origin, waiting) = (record.entry.origin, record.entry.is_waiting());
        self.index.remove(record.key, index);
        self.wheel.remove(&mut self.slab, index, expiry);
        self.bytes = self.bytes.saturating_sub(cost);
        if waiting {
            self.waiting_bytes = self.waiting_bytes.saturating_sub(cost);
            self.waiting.remove(&mut self.slab, index, level);
        } else {
            self.evictable.remove(&mut self.slab, index, level);
        }
        if let Some(network) = origin.network()
            && let Some(share) = self.shares.get_mut(&network)
        {
            share.bytes = share.bytes.saturating_sub(cost);
            share.levels.remove(&mut self.slab, index, octave(level));
            if share.levels.is_empty() {
                self.shares.remove(&network);
            }
        }
        let entry = self.slab.remove(index)?.entry;
        Some(Gone { slot, own: entry.is_own(), envelope: entry.envelope })
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("len", &self.len())
            .field("bytes", &self.bytes)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// What a pool may hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Bytes: the encoded length of each envelope and [`OVERHEAD`].
    pub bytes: usize,
    /// Whether dust and flashes count as more than they are, and no network holds more than a quarter
    /// when space is short. Off only to see what that is good for.
    pub guarded: bool,
}

impl Limits {
    const fn contended(self) -> usize {
        self.bytes.saturating_sub(self.bytes / 4)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 64 * 1024 * 1024, guarded: true }
    }
}

/// Why an envelope has no place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PoolError {
    /// It is not better than what would have to go for it.
    #[error("the pool is full of better envelopes")]
    Full,
    /// Our own that went to no peer yet fill one eighth of the pool.
    #[error("too many of our own envelopes wait for a peer")]
    OwnShareFull,
}

/// What the peers of one network brought, by octave of its rating.
#[derive(Debug)]
struct Share {
    bytes: usize,
    levels: Levels,
}

impl Share {
    fn new() -> Self {
        Self { bytes: 0, levels: Levels::new(Chain::Peer, OCTAVES) }
    }
}

/// What a guarded pool rates an envelope by: dust counts as 256 bytes and a flash as 10 seconds.
pub fn worth(envelope: &Envelope) -> Rating {
    rank::worth(envelope, true)
}

/// Puts a record behind its equals, or before them if it expires sooner than the first.
fn file(levels: &mut Levels, slab: &mut Slab, index: u32, level: usize, expiry: u64) {
    let first = levels.first(level).and_then(|first| slab.get(first));
    if first.is_some_and(|first| first.expiry > expiry) {
        levels.push_front(slab, index, level);
    } else {
        levels.push_back(slab, index, level);
    }
}

/// What an envelope takes beside its encoding, in bytes: record, shared counts, index and what the
/// allocator adds are about 260; the rest is room to grow. The record of a network, 350 bytes, is
/// not counted: there are as many as networks that brought something.
pub const OVERHEAD: usize = 320;
/// Chosen: how many of a network's worst that are better than the newcomer are passed over, since
/// within an octave they lie in no order.
const LOOK_FURTHER: usize = 16;

const _: () = assert!(size_of::<Cell>() + size_of::<Envelope>() < OVERHEAD);
