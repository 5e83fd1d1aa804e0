//! Which keys own a handle, and since when: a block's room is shared out by it.

use alloc::collections::BTreeMap;

use super::directory::Record;
use crate::ledger::block::handle::Handle;

/// Height of the claim of each active handle, by its owner's key.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners(BTreeMap<([u8; 33], Handle), u32>);

impl Owners {
    /// Follows a record from what it was to what it is.
    pub(super) fn replace(&mut self, before: Option<&Record>, after: Option<&Record>) {
        if let Some(record) = before {
            self.0.remove(&(record.owner, record.handle));
        }
        if let Some(record) = after.filter(|record| record.active) {
            self.0.insert((record.owner, record.handle), record.claimed);
        }
    }

    pub(super) fn oldest_claim(&self, owner: &[u8; 33]) -> Option<u32> {
        let (first, last) = Handle::BOUNDS;
        self.0.range((*owner, first)..=(*owner, last)).map(|(_, height)| *height).min()
    }
}
