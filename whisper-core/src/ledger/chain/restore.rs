//! A ledger from what a host has stored.

use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::iter;

use super::Archive;
use super::Ledger;
use super::check::LIFETIME;
use super::check::check_block;
use super::directory::Directory;
use super::directory::NameRecord;
use super::state::State;
use crate::ledger::block::BlockError;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::TxId;
use crate::ledger::headers::BatchError;
use crate::ledger::headers::Entry;
use crate::ledger::rules::params::Params;
use crate::time::Timestamp;

/// What a host has stored of a chain, besides its blocks.
#[derive(Clone, Debug)]
pub struct Backup {
    /// All headers after the first, parents before their children.
    pub headers: Vec<Header>,
    /// The newest valid block.
    pub tip: BlockId,
    /// The records of the directory after it.
    pub records: Vec<NameRecord>,
    /// How many of the newest blocks to check in full once more, signatures and all.
    pub recheck: u32,
}

impl Ledger {
    /// Takes up a chain where a host has left it. Headers are all checked again. The directory is
    /// taken back by the blocks to recheck, held against the Seal of the block below, and then those
    /// blocks are added anew. What is trusted is that blocks below were valid when they came. If the
    /// undos of so many blocks are not kept, all blocks are checked, from the first.
    ///
    /// # Errors
    /// [`RestoreError`] says what does not fit.
    pub fn restore(
        now: Timestamp,
        params: Params,
        backup: Backup,
        archive: &impl Archive,
    ) -> Result<Self, RestoreError> {
        let mut ledger = Self::new(params)?;
        for headers in backup.headers.chunks(2_000) {
            ledger.headers.accept(now, headers)?;
        }
        let tip = ledger.headers.get(&backup.tip).ok_or(RestoreError::Tip)?;
        let mut directory = Directory::from_iter(backup.records);
        let root = directory.root();
        let again = ledger.to_recheck(&tip, backup.recheck, archive);
        let parent = |entry: &Entry| ledger.headers.get(&entry.header.parent);
        let at = again.last().map_or(Some(tip), parent).ok_or(RestoreError::Tip)?;
        if at.height == 0 {
            directory = Directory::new();
        } else {
            for entry in &again {
                if !ledger.load_undo(&entry.id, archive)?.restore(&mut directory) {
                    return Err(RestoreError::Directory { height: entry.height });
                }
            }
        }
        let sealed = ledger.load(&at.id, archive)?.seal().directory_root;
        if directory.root() != sealed {
            return Err(RestoreError::Directory { height: at.height });
        }
        ledger.begin_at(&at, directory, archive)?;
        for entry in again.iter().rev() {
            ledger.check_again(entry, archive)?;
        }
        if ledger.directory().root() != root {
            return Err(RestoreError::Directory { height: tip.height });
        }
        Ok(ledger)
    }

    /// The blocks to check in full once more, the newest first.
    fn to_recheck(&self, tip: &Entry, recheck: u32, archive: &impl Archive) -> Vec<Entry> {
        let from = tip.height.saturating_sub(recheck);
        let back = || iter::successors(Some(*tip), |at| self.headers.get(&at.header.parent));
        let newest: Vec<Entry> = back().take_while(|at| at.height > from).collect();
        match newest.last() {
            Some(lowest) if self.load_undo(&lowest.id, archive).is_err() => {
                back().take_while(|at| at.height > 0).collect()
            }
            _ => newest,
        }
    }

    /// Takes `directory` as that after the block `at`.
    fn begin_at(
        &mut self,
        at: &Entry,
        directory: Directory,
        archive: &impl Archive,
    ) -> Result<(), RestoreError> {
        for record in directory.records() {
            self.owners.replace(None, Some(record));
        }
        self.move_tip(*at);
        self.past = VecDeque::from([(at.id, directory.clone())]);
        self.state = State::new(directory, self.unexpired_at(at, archive)?);
        Ok(())
    }

    /// The transactions up to a block that no later one may hold. Times need not rise from block to
    /// block, so every header is looked at: the blocks that matter are few.
    fn unexpired_at(
        &self,
        at: &Entry,
        archive: &impl Archive,
    ) -> Result<BTreeSet<(u32, TxId)>, RestoreError> {
        let median = self.headers.median_time(&at.id).unwrap_or(0);
        let mut seen = BTreeSet::new();
        let mut entry = Some(*at);
        while let Some(own) = entry {
            if own.header.time.saturating_add(LIFETIME) > median {
                let block = self.load(&own.id, archive)?;
                let alive = block.txs().iter().filter(|tx| tx.expiry() > median);
                seen.extend(alive.map(|tx| (tx.expiry(), tx.id())));
            }
            entry = self.headers.get(&own.header.parent);
        }
        Ok(seen)
    }

    fn check_again(&mut self, entry: &Entry, archive: &impl Archive) -> Result<(), RestoreError> {
        let block = self.load(&entry.id, archive)?;
        let mut state = core::mem::take(&mut self.state);
        let cache = Some(&mut self.cache);
        let changes = check_block(&self.params, &state, entry.height, &block, cache)?;
        let median = self.headers.median_time(&entry.id).unwrap_or(0);
        self.connect(entry, &block, &mut state, changes, median);
        self.state = state;
        self.move_tip(*entry);
        Ok(())
    }
}

/// Why a stored chain cannot be taken up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// The first block is of another network.
    #[error("the first block breaks the rules of the network: {0}")]
    Genesis(#[from] HeaderError),
    /// A header is not valid.
    #[error("a stored header is not valid: {0}")]
    Header(#[from] BatchError),
    /// The newest block is not among the headers.
    #[error("the newest block is not among the stored headers")]
    Tip,
    /// The records are not those that the block commits to.
    #[error("the stored directory is not that of block {height}")]
    Directory {
        /// The block.
        height: u32,
    },
    /// A block is missing or not valid.
    #[error("a stored block cannot be used: {0}")]
    Block(#[from] BlockError),
}
