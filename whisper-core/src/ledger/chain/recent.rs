//! The newest blocks, and what it takes to take them back, within a number of bytes.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;

use super::Ledger;
use crate::ledger::hash::BlockId;

/// A bounded memory of blocks: the lowest goes first.
#[derive(Clone, Debug, Default)]
pub(super) struct Recent {
    blocks: BTreeMap<BlockId, Held>,
    by_height: BTreeSet<(u32, BlockId)>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct Held {
    block: Arc<[u8]>,
    undo: Option<Arc<[u8]>>,
}

impl Held {
    fn len(&self) -> usize {
        // The maps' own bytes count too, or a million empty blocks would be free.
        let undo = self.undo.as_ref().map_or(0, |undo| undo.len());
        self.block.len().saturating_add(undo).saturating_add(256)
    }
}

impl Recent {
    pub(super) fn insert(&mut self, height: u32, id: BlockId, block: Arc<[u8]>) {
        let undo = self.blocks.get(&id).and_then(|held| held.undo.clone());
        self.by_height.insert((height, id));
        self.put(id, Held { block, undo });
    }

    pub(super) fn set_undo(&mut self, id: &BlockId, undo: Arc<[u8]>) {
        if let Some(block) = self.block(id) {
            self.put(*id, Held { block, undo: Some(undo) });
        }
    }

    pub(super) fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.blocks.get(id).map(|held| Arc::clone(&held.block))
    }

    pub(super) fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.blocks.get(id)?.undo.clone()
    }

    fn put(&mut self, id: BlockId, held: Held) {
        self.bytes = self.bytes.saturating_add(held.len());
        if let Some(old) = self.blocks.insert(id, held) {
            self.bytes = self.bytes.saturating_sub(old.len());
        }
        while self.bytes > Ledger::RECENT_MAX {
            let Some((_, lowest)) = self.by_height.pop_first() else { break };
            if let Some(old) = self.blocks.remove(&lowest) {
                self.bytes = self.bytes.saturating_sub(old.len());
            }
        }
    }
}
