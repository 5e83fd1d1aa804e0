//! Where the ledger's chain lies in the tree of headers: most often along the chain of headers, which
//! may be ahead, but for a while beside it, when headers of a better branch came before its blocks.

use alloc::vec::Vec;

use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::headers::Entry;
use crate::ledger::headers::HeaderChain;

#[derive(Clone, Debug)]
pub(super) struct Place {
    tip: Entry,
    /// The part beside the chain of headers, lowest first: every height is found at once.
    branch: Vec<BlockId>,
}

impl Place {
    pub(super) const fn new(tip: Entry) -> Self {
        Self { tip, branch: Vec::new() }
    }

    pub(super) fn move_to(&mut self, tip: Entry, headers: &HeaderChain<Keccak256>) {
        self.tip = tip;
        self.follow(headers);
    }

    /// Finds its place again, after the chain of headers has changed.
    pub(super) fn follow(&mut self, headers: &HeaderChain<Keccak256>) {
        self.branch.clear();
        let mut at = Some(self.tip);
        while let Some(entry) = at.filter(|entry| !headers.is_on_chain(&entry.id)) {
            self.branch.push(entry.id);
            at = headers.get(&entry.header.parent);
        }
        self.branch.reverse();
    }

    pub(super) const fn tip(&self) -> Entry {
        self.tip
    }

    pub(super) fn at(&self, headers: &HeaderChain<Keccak256>, height: u32) -> Option<Entry> {
        let above = self.tip.height.checked_sub(height)?;
        let back = usize::try_from(above).ok()?.checked_add(1)?;
        match self.branch.len().checked_sub(back) {
            Some(at) => headers.get(self.branch.get(at)?),
            None => headers.at(height),
        }
    }
}
