//! Taking blocks back whose undos are no longer kept: everything is done once more, from the first.

use alloc::vec::Vec;

use super::Archive;
use super::BlockError;
use super::Ledger;
use super::StoreOp;
use super::check::check_block;
use super::state::State;
use super::state::Undo;
use crate::ledger::block::Block;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::headers::HeaderChain;

/// The state before some blocks, and these with what takes them back, the newest first.
pub(super) type TakenBack = (State, Vec<(Block, Undo)>);

impl Ledger {
    /// Of how many of the newest blocks a host keeps the undos: as many as a branch may go around
    /// without more work than the chain has. One that goes around more has shown more, which takes
    /// four days of most of the network's power: then the ledger does its blocks again, which takes a
    /// while, instead of every node keeping for ever what most never need.
    pub const UNDOS: u32 = HeaderChain::<Keccak256>::DEPTH_MAX;

    /// Takes back the newest blocks of the chain, these.
    pub(super) fn take_back(
        &self,
        ids: &[BlockId],
        archive: &impl Archive,
    ) -> Result<TakenBack, BlockError> {
        if ids.last().is_some_and(|lowest| self.load_undo(lowest, archive).is_err()) {
            return self.replay(ids.len(), archive);
        }
        let (mut state, mut removed) = (self.state.clone(), Vec::new());
        for id in ids {
            let block = self.load(id, archive)?;
            let undo = self.load_undo(id, archive)?;
            if !state.revert(&undo, block.txs()) {
                return Err(BlockError::Unavailable(*id));
            }
            removed.push((block, undo));
        }
        Ok((state, removed))
    }

    /// [`Ledger::take_back`] for so many blocks, from the first block upwards. That they are valid
    /// was found when they came, so signatures are not looked at.
    fn replay(&self, count: usize, archive: &impl Archive) -> Result<TakenBack, BlockError> {
        let tip = self.tip().height;
        let fork = tip.saturating_sub(u32::try_from(count).unwrap_or(u32::MAX));
        let (mut state, mut at_fork) = (State::default(), State::default());
        let mut removed = Vec::new();
        for height in 1..=tip {
            let id = self.at(height).ok_or(BlockError::Unavailable(self.tip().id))?.id;
            let lost = BlockError::Unavailable(id);
            let block = self.load(&id, archive)?;
            let median = self.headers.median_time(&id).ok_or(lost)?;
            let changes = check_block(&self.params, &state, height, &block, None);
            let undo = state.apply(changes.map_err(|_| lost)?, median);
            if height == fork {
                at_fork = state.clone();
            }
            if height > fork {
                removed.push((block, undo));
            }
        }
        removed.reverse();
        Ok((at_fork, removed))
    }

    /// What a host need not keep any more, once these blocks have joined the chain.
    pub(super) fn settle(&self, connected: &[BlockId]) -> Vec<StoreOp> {
        let height = |id: &BlockId| self.headers.get(id)?.height.checked_sub(Self::UNDOS);
        let settled = connected.iter().filter_map(height).filter(|height| *height > 0);
        let settled = settled.filter_map(|height| self.at(height));
        settled.map(|entry| StoreOp::Settle { id: entry.id }).collect()
    }
}
