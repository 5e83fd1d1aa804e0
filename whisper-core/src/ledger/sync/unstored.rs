//! What one step has stored and the host cannot have written yet: later parts of the same step may
//! need it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

use crate::ledger::chain::Archive;
use crate::ledger::chain::StoreOp;
use crate::ledger::hash::BlockId;

/// Blocks and undos of this step.
#[derive(Debug, Default)]
pub(super) struct Unstored {
    blocks: BTreeMap<BlockId, Arc<[u8]>>,
    undos: BTreeMap<BlockId, Arc<[u8]>>,
}

impl Unstored {
    pub(super) fn note(&mut self, ops: &[StoreOp]) {
        for op in ops {
            match op {
                StoreOp::Block { id, bytes, .. } => {
                    self.blocks.insert(*id, Arc::clone(bytes));
                }
                StoreOp::Connect { id, undo, .. } => {
                    self.undos.insert(*id, Arc::clone(undo));
                }
                StoreOp::Disconnect { .. } | StoreOp::Settle { .. } | StoreOp::Forget { .. } => {}
            }
        }
    }

    pub(super) fn clear(&mut self) {
        self.blocks.clear();
        self.undos.clear();
    }

    /// The host's archive as it will be when all is written.
    pub(super) const fn over<'a, A>(&'a self, archive: &'a A) -> Over<'a, A> {
        Over { unstored: self, archive }
    }
}

pub(super) struct Over<'a, A> {
    unstored: &'a Unstored,
    archive: &'a A,
}

impl<A: Archive> Archive for Over<'_, A> {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.unstored.blocks.get(id).cloned().or_else(|| self.archive.block(id))
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.unstored.undos.get(id).cloned().or_else(|| self.archive.undo(id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::chain::Nothing;

    #[test]
    fn what_was_stored_in_a_step_is_there_before_it_is_written() {
        let (id, bytes): (_, Arc<[u8]>) = (BlockId::new([1; 32]), [7].into());
        let mut unstored = Unstored::default();
        let block = StoreOp::Block { id, height: 1, bytes: Arc::clone(&bytes) };
        let connect = StoreOp::Connect {
            id,
            height: 1,
            undo: [8].into(),
            records: [].into(),
            txs: [].into(),
        };
        unstored.note(&[block, connect]);
        let over = unstored.over(&Nothing);
        assert_eq!((over.block(&id), over.undo(&id)), (Some(bytes), Some([8].into())));
        unstored.clear();
        assert_eq!(unstored.over(&Nothing).block(&id), None);
    }
}
