//! From one branch to another, as one step: the new state is built beside the old one.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::Archive;
use super::BlockError;
use super::ChainUpdate;
use super::Ledger;
use super::StoreOp;
use super::check::check_block;
use super::state::Changes;
use super::state::State;
use super::state::Undo;
use crate::ledger::block::Block;
use crate::ledger::block::tx::Tx;
use crate::ledger::hash::BlockId;
use crate::ledger::headers::Entry;
use crate::time::Timestamp;

/// A block to add, judged.
struct Step {
    entry: Entry,
    block: Block,
    changes: Changes,
    median: u32,
}

impl Ledger {
    /// Changes to the branch that ends in `block`, which has more work than the chain.
    pub(super) fn reorganise(
        &mut self,
        now: Timestamp,
        entry: &Entry,
        block: &Block,
        archive: &impl Archive,
    ) -> Result<ChainUpdate, BlockError> {
        let lost = BlockError::Unavailable(entry.id);
        let path = self.headers.path(&self.tip().id, &entry.id).ok_or(lost)?;
        let (mut state, removed) = self.take_back(&path.disconnected, archive)?;
        let (mut added, start) = (Vec::new(), state.clone());
        for id in &path.connected {
            let step = self.judge(&state, id, entry, block, archive)?;
            state.apply(step.changes.clone(), step.median);
            added.push(step);
        }
        // Everything has been found valid: from here on nothing fails.
        let mut store = self.disconnect(&removed);
        store.push(self.store_op(entry, block));
        let mut state = start;
        for Step { entry, block, changes, median } in added {
            store.push(self.connect(&entry, &block, &mut state, changes, median));
        }
        self.state = state;
        self.move_tip(*entry);
        store.extend(self.settle(&path.connected));
        self.forget_lost();
        let returned = self.returned(now, &removed);
        let (disconnected, connected) = (path.disconnected, path.connected);
        Ok(ChainUpdate { disconnected, fork: path.fork, connected, returned, store })
    }

    /// Judges the block `id` on the way to `newest`, on the state before it.
    fn judge(
        &mut self,
        state: &State,
        id: &BlockId,
        newest: &Entry,
        block: &Block,
        archive: &impl Archive,
    ) -> Result<Step, BlockError> {
        let is_newest = *id == newest.id;
        let block = if is_newest { block.clone() } else { self.load(id, archive)? };
        let entry = self.headers.get(id).ok_or(BlockError::Unavailable(*id))?;
        let median = self.headers.median_time(id).ok_or(BlockError::Unavailable(*id))?;
        let was_valid = self.stored.get(id).copied().unwrap_or(false);
        let cache = (!was_valid).then_some(&mut self.cache);
        let judged = check_block(&self.params, state, entry.height, &block, cache);
        let changes = judged.map_err(|error| {
            if is_newest { error } else { BlockError::Ancestor { id: *id, rule: error.rule() } }
        })?;
        Ok(Step { entry, block, changes, median })
    }

    /// Forgets blocks as parts of the chain, the newest first.
    fn disconnect(&mut self, removed: &[(Block, Undo)]) -> Vec<StoreOp> {
        let mut ops = Vec::new();
        for (block, undo) in removed {
            let mut records = Vec::new();
            for change in undo.records.iter().rev() {
                self.owners.replace(Some(&change.after), change.before.as_ref());
                records.push((change.after.name, change.before));
            }
            self.past.pop_back();
            self.stored.insert(block.id(), true);
            let txs = block.txs().iter().map(Tx::id).collect();
            let height = block.seal().height;
            ops.push(StoreOp::Disconnect { id: block.id(), height, records, txs });
        }
        ops
    }

    /// What the removed blocks held and the new chain does not, as far as it has not expired.
    fn returned(&self, now: Timestamp, removed: &[(Block, Undo)]) -> Vec<Tx> {
        let is_alive = |tx: &&Tx| u64::from(tx.expiry()) > now.as_secs() && !self.contains(tx);
        let oldest_first = removed.iter().rev().flat_map(|(block, _)| block.txs());
        oldest_first.filter(is_alive).cloned().collect()
    }

    /// A block from memory or the archive.
    pub(in crate::ledger) fn load(
        &self,
        id: &BlockId,
        archive: &impl Archive,
    ) -> Result<Block, BlockError> {
        let lost = || BlockError::Unavailable(*id);
        let bytes = self.block(id).or_else(|| archive.block(id)).ok_or_else(lost)?;
        let block = Block::decode(Arc::clone(&bytes)).map_err(|_| lost())?;
        if block.id() != *id {
            return Err(lost());
        }
        block.check_structure(self.params.chain_tag()).map_err(|_| lost())
    }

    /// What it takes to take back a block, from memory or the archive.
    pub(super) fn load_undo(
        &self,
        id: &BlockId,
        archive: &impl Archive,
    ) -> Result<Undo, BlockError> {
        let bytes = self.recent.undo(id).or_else(|| archive.undo(id));
        bytes.and_then(|bytes| Undo::decode(&bytes)).ok_or(BlockError::Unavailable(*id))
    }
}
