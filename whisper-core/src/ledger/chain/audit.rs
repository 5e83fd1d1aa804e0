//! Checks a stretch of the chain once more.

use core::ops::RangeInclusive;

use super::Archive;
use super::Ledger;
use super::check::check_alone;
use crate::ledger::block::BlockError;

/// What an audit has looked at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Audit {
    /// Blocks whose bodies are those that the chain of headers commits to.
    pub blocks: u32,
    /// Transactions whose form, work, time and signature are right.
    pub txs: usize,
}

impl Ledger {
    /// Reads the blocks at these heights of the chain once more, and checks all that a block shows
    /// by itself: root, Seal, and of each transaction form, work, time and signature. The headers
    /// between were checked when they came and cannot have changed without their ids. What depends
    /// on all blocks before, duplicates and the directory, takes a [`Ledger::restore`] that rechecks
    /// them all.
    ///
    /// # Errors
    /// The first block that is missing or not as it should be.
    pub fn audit(
        &self,
        heights: RangeInclusive<u32>,
        archive: &impl Archive,
    ) -> Result<Audit, AuditError> {
        let mut audit = Audit::default();
        for entry in heights.map_while(|height| self.at(height)) {
            let height = entry.height;
            let wrong = |source| AuditError { height, source };
            let block = self.load(&entry.id, archive).map_err(wrong)?;
            if block.seal().height != height {
                return Err(wrong(BlockError::SealHeight));
            }
            for ((tx, check), index) in block.txs().iter().zip(block.sig_checks()).zip(1..) {
                let wrong = |source| wrong(BlockError::Tx { index, source });
                let (before, payload) = check_alone(&self.params, tx, entry.header.time);
                before.map_err(wrong)?;
                check.verify().map_err(wrong)?;
                payload.map_err(wrong)?;
                audit.txs = audit.txs.saturating_add(1);
            }
            audit.blocks = audit.blocks.saturating_add(1);
        }
        Ok(audit)
    }
}

/// A block of the chain that is not as it should be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("block {height}: {source}")]
pub struct AuditError {
    /// The block.
    pub height: u32,
    /// What is wrong with it.
    pub source: BlockError,
}
