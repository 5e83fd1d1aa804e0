//! Ways through the tree of headers: to ancestors, between branches, and what another node lacks.

use alloc::vec::Vec;

use super::Entry;
use super::HeaderChain;
use crate::ledger::block::header::Header;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::PowHash;

/// The most ids in a locator.
pub(in crate::ledger) const LOCATOR_MAX: usize = 32;

/// How headers changed the chain.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderUpdate {
    /// How many headers were new.
    pub added: usize,
    /// What left the chain, from the old tip downwards.
    pub disconnected: Vec<BlockId>,
    /// The last block that old and new chain share.
    pub fork: BlockId,
    /// What joined the chain, upwards to the new tip.
    pub connected: Vec<BlockId>,
}

impl<P: PowHash> HeaderChain<P> {
    /// The ancestor of `id`, or `id` itself, at this height.
    pub fn ancestor(&self, id: &BlockId, height: u32) -> Option<Entry> {
        let mut at = self.get(id)?;
        while at.height > height {
            if self.is_on_chain(&at.id) {
                return self.at(height);
            }
            at = self.get(&at.header.parent)?;
        }
        (at.height == height).then_some(at)
    }

    /// The way from one block to another: what to take back, downwards, where both branches part,
    /// and what to add, upwards.
    pub fn path(&self, from: &BlockId, to: &BlockId) -> Option<HeaderUpdate> {
        let (mut old, mut new) = (self.get(from)?, self.get(to)?);
        let (mut disconnected, mut connected) = (Vec::new(), Vec::new());
        while old.id != new.id {
            if old.height >= new.height {
                disconnected.push(old.id);
                old = self.get(&old.header.parent)?;
            } else {
                connected.push(new.id);
                new = self.get(&new.header.parent)?;
            }
        }
        connected.reverse();
        Some(HeaderUpdate { added: 0, disconnected, fork: old.id, connected })
    }

    /// Some ids of the chain, dense at the tip, by which another node finds where chains part.
    pub fn locator(&self) -> Vec<BlockId> {
        let mut ids = Vec::new();
        let mut step = 1;
        let mut height = Some(self.tip().height);
        while let Some(entry) = height.and_then(|height| self.at(height)) {
            ids.push(entry.id);
            if ids.len() > 10 {
                step = u32::saturating_mul(step, 2);
            }
            height = entry.height.checked_sub(step);
        }
        ids.truncate(LOCATOR_MAX.saturating_sub(1));
        let base = self.at(self.base()).map(|entry| entry.id);
        ids.extend(base.filter(|base| ids.last() != Some(base)));
        ids
    }

    /// The headers of the chain after the first of these ids that is on it (after the oldest, if
    /// none is), up to `stop` or as many as `max`.
    pub fn after(&self, locator: &[BlockId], stop: &BlockId, max: usize) -> Vec<Header> {
        let known = locator.iter().find_map(|id| self.trunk.height_of(id));
        let from = known.unwrap_or(self.base()).saturating_add(1);
        up_to(stop, (from..).map_while(|height| self.at(height)).take(max))
    }
}

/// The headers of these, up to `stop`.
pub(in crate::ledger) fn up_to(
    stop: &BlockId,
    entries: impl Iterator<Item = Entry>,
) -> Vec<Header> {
    let mut headers = Vec::new();
    for entry in entries {
        headers.push(entry.header);
        if entry.id == *stop {
            break;
        }
    }
    headers
}
