//! Envelopes that wait outside the pool, and chance.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use core::time::Duration;

use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::hash::sha256;
use crate::time::Timestamp;

/// Envelopes that are judged and not yet in the pool: no peer learns of them until they are due.
#[derive(Debug)]
pub(super) struct Held {
    due: BTreeMap<(Timestamp, EnvelopeHash), Envelope>,
    hashes: BTreeSet<EnvelopeHash>,
    bytes: usize,
    limit: usize,
}

impl Held {
    /// None, and never more than `limit` bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self { due: BTreeMap::new(), hashes: BTreeSet::new(), bytes: 0, limit }
    }

    pub(super) fn contains(&self, hash: &EnvelopeHash) -> bool {
        self.hashes.contains(hash)
    }

    /// Keeps an envelope until `due`, unless there is no room.
    pub(super) fn insert(&mut self, due: Timestamp, envelope: Envelope) -> bool {
        let bytes = self.bytes.saturating_add(cost(&envelope));
        let fits = bytes <= self.limit;
        if fits {
            self.bytes = bytes;
            self.hashes.insert(envelope.hash());
            self.due.insert((due, envelope.hash()), envelope);
        }
        fits
    }

    /// Takes out the one that is due first, if it is.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Envelope> {
        let first = self.due.first_entry().filter(|first| first.key().0 <= now)?;
        let envelope = first.remove();
        self.hashes.remove(&envelope.hash());
        self.bytes = self.bytes.saturating_sub(cost(&envelope));
        Some(envelope)
    }

    /// When the next is due.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.due.first_key_value().map(|((due, _), _)| *due)
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let due = core::mem::take(&mut self.due).into_iter();
        self.due = due.map(|((at, hash), own)| ((at.saturating_sub(by), hash), own)).collect();
    }
}

/// Random choices of one node, from a seed that nobody else knows.
pub(super) struct Chance {
    seed: [u8; 32],
    drawn: u64,
}

impl Chance {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let mut input = [0; 38];
        input.iter_mut().zip(secret.iter().chain(b"chance")).for_each(|(to, from)| *to = *from);
        Self { seed: sha256(&input), drawn: 0 }
    }

    /// A moment between now and `span` later, each as likely as the other.
    pub(super) fn within(&mut self, now: Timestamp, span: Duration) -> Timestamp {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        let share = u128::from(self.draw()).saturating_mul(u128::from(millis)) >> 64;
        now.saturating_add(Duration::from_millis(u64::try_from(share).unwrap_or(u64::MAX)))
    }

    fn draw(&mut self) -> u64 {
        let mut input = [0; 40];
        let number = self.drawn.to_be_bytes();
        self.drawn = self.drawn.wrapping_add(1);
        input.iter_mut().zip(self.seed.iter().chain(&number)).for_each(|(to, from)| *to = *from);
        sha256(&input).first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }
}

impl core::fmt::Debug for Chance {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Chance").field("drawn", &self.drawn).finish_non_exhaustive()
    }
}

fn cost(envelope: &Envelope) -> usize {
    envelope.encoded_len().saturating_add(OVERHEAD)
}

/// What an envelope takes beside its encoding, in bytes: chosen as in the pool.
const OVERHEAD: usize = 320;
