//! Lists on numbered levels, with a map of bits by which the lowest is found at once.

use alloc::vec;
use alloc::vec::Vec;
use core::iter;

use super::slab::Chain;
use super::slab::Link;
use super::slab::NIL;
use super::slab::Slab;

/// Up to 4096 lists of records. Each knows both ends: it is filled at either and emptied anywhere.
#[derive(Debug)]
pub(super) struct Levels {
    chain: Chain,
    lists: Vec<List>,
    /// One bit for each list that holds something.
    words: Vec<u64>,
    /// One bit for each word that is not zero.
    summary: u64,
}

#[derive(Clone, Copy, Debug)]
struct List {
    first: u32,
    last: u32,
}

impl Levels {
    pub(super) fn new(chain: Chain, count: usize) -> Self {
        debug_assert!(count <= 4_096, "the summary has 64 bits");
        let empty = List { first: NIL, last: NIL };
        Self { chain, lists: vec![empty; count], words: vec![0; count.div_ceil(64)], summary: 0 }
    }

    pub(super) fn push_back(&mut self, slab: &mut Slab, index: u32, level: usize) {
        let Some(list) = self.lists.get_mut(level) else { return };
        slab.join(self.chain, index, Link { prev: list.last, next: NIL });
        list.last = index;
        if list.first == NIL {
            list.first = index;
            self.mark(level, true);
        }
    }

    pub(super) fn push_front(&mut self, slab: &mut Slab, index: u32, level: usize) {
        let Some(list) = self.lists.get_mut(level) else { return };
        slab.join(self.chain, index, Link { prev: NIL, next: list.first });
        list.first = index;
        if list.last == NIL {
            list.last = index;
            self.mark(level, true);
        }
    }

    pub(super) fn remove(&mut self, slab: &mut Slab, index: u32, level: usize) {
        let Some(list) = self.lists.get_mut(level) else { return };
        let Link { prev, next } = slab.part(self.chain, index);
        if prev == NIL {
            list.first = next;
        }
        if next == NIL {
            list.last = prev;
        }
        if list.first == NIL {
            self.mark(level, false);
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.summary == 0
    }

    pub(super) fn first(&self, level: usize) -> Option<u32> {
        self.lists.get(level).map(|list| list.first).filter(|first| *first != NIL)
    }

    /// The lowest level at `from` or above that holds something.
    pub(super) fn lowest(&self, from: usize) -> Option<usize> {
        let word = from / 64;
        let here = self.words.get(word)? & u64::MAX.wrapping_shl(bit(from));
        if here != 0 {
            return Some(level(word, here));
        }
        let above = u64::MAX.checked_shl(bit(word).saturating_add(1)).unwrap_or(0);
        let word = level(0, Some(self.summary & above).filter(|words| *words != 0)?);
        Some(level(word, *self.words.get(word)?))
    }

    /// The records on one level, from its front.
    pub(super) fn on<'a>(&self, slab: &'a Slab, level: usize) -> impl Iterator<Item = u32> + 'a {
        slab.walk(self.chain, self.first(level).unwrap_or(NIL))
    }

    /// All records, from the lowest level up.
    pub(super) fn walk<'a>(&'a self, slab: &'a Slab) -> impl Iterator<Item = u32> + 'a {
        iter::successors(self.lowest(0), |level| self.lowest(level.saturating_add(1)))
            .flat_map(|level| self.on(slab, level))
    }

    fn mark(&mut self, level: usize, filled: bool) {
        let Some(word) = self.words.get_mut(level / 64) else { return };
        set(word, level, filled);
        let any = *word != 0;
        set(&mut self.summary, level / 64, any);
    }
}

fn set(word: &mut u64, position: usize, value: bool) {
    let mask = 1_u64.wrapping_shl(bit(position));
    *word = if value { *word | mask } else { *word & !mask };
}

/// The position within a word: below 64.
const fn bit(position: usize) -> u32 {
    (position % 64) as u32
}

/// The number of the lowest bit of a word that is not zero.
fn level(word: usize, bits: u64) -> usize {
    word.saturating_mul(64).saturating_add(bits.trailing_zeros() as usize)
}
