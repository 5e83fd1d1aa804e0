//! What waits to go out to one peer: the best rated of what it wants and does not have.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::pool::Entry;
use crate::pool::Pool;
use crate::pool::Slot;
use crate::pow::Rating;

/// The envelopes that wait for one peer, each once, and at most [`LENGTH`] of them.
///
/// What finds no place stays in the pool: when most of the line has gone out, a scan of the pool
/// finds it again. So the memory of a line does not grow with the pool, and a peer that does not read
/// costs nothing more, however often it asks for the pool.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// What the peer has.
    known: BitSet,
    /// What the peer has sent.
    brought: BitSet,
    waiting: BTreeSet<(Rating, Slot)>,
    /// The cell of the pool at which the scan goes on that is under way.
    scan: Option<usize>,
    /// Whether the pool holds what only another scan finds.
    missed: bool,
}

impl Line {
    /// Notes that the envelope in `slot` is new there: the peer has it if it brought it.
    pub(super) fn replace(&mut self, slot: Slot, brought: bool) {
        self.known.set(slot.index(), brought);
        self.brought.set(slot.index(), brought);
    }

    /// Notes that the peer sent a copy of the envelope in `slot`, and returns whether it was the
    /// first.
    pub(super) fn bring(&mut self, slot: Slot) -> bool {
        let before = self.brought.contains(slot.index());
        self.replace(slot, true);
        !before
    }

    /// Whether the peer has the envelope in `slot`.
    pub(super) fn knows(&self, slot: Slot) -> bool {
        self.known.contains(slot.index())
    }

    /// Lines up the envelope in `slot`, unless the peer has it.
    pub(super) fn push(&mut self, rating: Rating, slot: Slot) {
        if self.known.contains(slot.index()) {
            return;
        }
        self.waiting.insert((rating, slot));
        if self.waiting.len() > LENGTH {
            self.waiting.pop_first();
            self.missed = true;
        }
    }

    /// The best that waits, if it is still in the pool, `wanted` and not known.
    ///
    /// Whatever else comes first is dropped on the way.
    pub(super) fn peek<'a>(
        &mut self,
        pool: &'a Pool,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<&'a Entry> {
        while let Some(&(_, slot)) = self.waiting.last() {
            let entry = pool.get(slot).filter(|entry| wanted(entry));
            if let Some(entry) = entry.filter(|_| !self.known.contains(slot.index())) {
                return Some(entry);
            }
            self.waiting.pop_last();
        }
        None
    }

    /// Takes out the best that waits: the peer has it from now on.
    pub(super) fn pop(&mut self) {
        if let Some((_, slot)) = self.waiting.pop_last() {
            self.known.set(slot.index(), true);
        }
    }

    /// Asks for a scan of the whole pool.
    pub(super) const fn request_scan(&mut self) {
        self.missed = true;
    }

    /// Whether a scan is under way or may begin: it waits until most of the line has gone out.
    pub(super) fn is_scanning(&self) -> bool {
        self.scan.is_some() || self.missed && self.waiting.len() <= REFILL
    }

    /// Goes on with the scan, for so many cells of the pool, and lines up what is `wanted` of that
    /// which the peer does not have.
    pub(super) fn scan(
        &mut self,
        pool: &Pool,
        cells: usize,
        mut wanted: impl FnMut(Slot, &Entry) -> bool,
    ) {
        let start = self.scan.take().unwrap_or_else(|| {
            self.missed = false;
            0
        });
        let end = start.saturating_add(cells);
        for (slot, entry) in pool.in_cells(start..end) {
            if !self.known.contains(slot.index()) && wanted(slot, entry) {
                self.push(entry.rating(), slot);
            }
        }
        self.scan = Some(end).filter(|end| *end < pool.cells());
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// One bit for each cell of the pool.
#[derive(Debug, Default)]
struct BitSet(Vec<u64>);

impl BitSet {
    fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn set(&mut self, index: usize, value: bool) {
        let word = index / 64;
        if word >= self.0.len() {
            if !value {
                return;
            }
            self.0.resize(word.saturating_add(1), 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            let mask = 1 << (index % 64);
            if value { *word |= mask } else { *word &= !mask }
        }
    }
}

/// How many envelopes wait for one peer at most: some 400 KiB. Chosen, so that a pool of a million is
/// looked through less than a hundred times while all of it goes out.
pub(super) const LENGTH: usize = 16 * 1024;
/// A scan begins when no more than so many wait.
const REFILL: usize = LENGTH / 4;
