//! A branch that is judged without being stored, to see what work it has.

use core::marker::PhantomData;

use super::BatchError;
use super::HeaderChain;
use super::window::Window;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::PowHash;
use crate::ledger::pow::ChainWork;
use crate::ledger::rules::params::HeaderRules;
use crate::time::Timestamp;

/// A branch that goes by: each header is held against all rules, and only the last few are kept. If
/// it has more work than the chain in the end, [`HeaderChain::permit`] lets it come again and stay.
#[derive(Clone, Debug)]
pub struct Scan<P> {
    rules: HeaderRules,
    fork: BlockId,
    window: Window,
    count: usize,
    hash: PhantomData<P>,
}

impl<P: PowHash> Scan<P> {
    /// The branch that leaves a chain at this header, which lies on it.
    pub fn new(chain: &HeaderChain<P>, fork: &BlockId) -> Option<Self> {
        let window = chain.window(fork).filter(|_| chain.is_on_chain(fork))?;
        let rules = chain.rules.clone();
        Some(Self { rules, fork: *fork, window, count: 0, hash: PhantomData })
    }

    /// Judges the next headers of the branch.
    ///
    /// # Errors
    /// The first header that is not valid. Those before it count.
    pub fn accept(&mut self, now: Timestamp, headers: &[Header]) -> Result<(), BatchError> {
        for (index, header) in headers.iter().enumerate() {
            let id = header.id::<P>();
            let judged = if header.parent == self.window.id {
                self.window.extend(&self.rules, now, header, id)
            } else {
                Err(HeaderError::Orphan)
            };
            judged.map_err(|source| BatchError { index, source })?;
            self.count = self.count.saturating_add(1);
        }
        Ok(())
    }

    /// The newest header.
    pub const fn tip(&self) -> BlockId {
        self.window.id
    }

    /// Where the branch leaves the chain.
    pub const fn fork(&self) -> BlockId {
        self.fork
    }

    /// The work of the whole branch, from genesis.
    pub const fn work(&self) -> ChainWork {
        self.window.work
    }

    /// How many headers went by.
    pub const fn count(&self) -> usize {
        self.count
    }
}
