//! Blocks that were found invalid: they do not come in again.

use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;

use crate::ledger::hash::BlockId;

/// The newest blocks that were found invalid.
#[derive(Clone, Debug, Default)]
pub(super) struct Refused {
    order: VecDeque<BlockId>,
    ids: BTreeSet<BlockId>,
}

impl Refused {
    /// Each cost its maker a block's work: chosen to be more than anybody would spend.
    const MAX: usize = 1_024;

    pub(super) fn insert(&mut self, id: BlockId) {
        if !self.ids.insert(id) {
            return;
        }
        self.order.push_back(id);
        if self.order.len() > Self::MAX {
            self.order.pop_front().map(|oldest| self.ids.remove(&oldest));
        }
    }

    pub(super) fn contains(&self, id: &BlockId) -> bool {
        self.ids.contains(id)
    }
}
