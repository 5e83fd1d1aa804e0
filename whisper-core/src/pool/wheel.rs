//! Records by the second in which they expire.

use alloc::collections::BTreeMap;

use super::levels::Levels;
use super::slab::Chain;
use super::slab::Slab;

/// A wheel of 1024 slots of one second, each turn of it made when something expires therein.
///
/// No record is moved from turn to turn, so time may jump, forth and back, at no cost. As envelopes
/// live two days at most there are 170 turns at most, of 8 KiB each; most pools need one or two.
#[derive(Debug, Default)]
pub(super) struct Wheel {
    turns: BTreeMap<u64, Levels>,
}

impl Wheel {
    pub(super) fn push(&mut self, slab: &mut Slab, index: u32, expiry: u64) {
        self.turns
            .entry(expiry / SLOTS)
            .or_insert_with(|| Levels::new(Chain::Expiry, SLOTS as usize))
            .push_back(slab, index, slot(expiry));
    }

    pub(super) fn remove(&mut self, slab: &mut Slab, index: u32, expiry: u64) {
        let Some(turn) = self.turns.get_mut(&(expiry / SLOTS)) else { return };
        turn.remove(slab, index, slot(expiry));
        if turn.is_empty() {
            self.turns.remove(&(expiry / SLOTS));
        }
    }

    /// All records, from the first to expire.
    pub(super) fn walk<'a>(&'a self, slab: &'a Slab) -> impl Iterator<Item = u32> + 'a {
        self.turns.values().flat_map(|turn| turn.walk(slab))
    }
}

const fn slot(expiry: u64) -> usize {
    (expiry % SLOTS) as usize
}

/// Chosen: most envelopes live 50 s, so that one turn holds nearly all.
const SLOTS: u64 = 1_024;
