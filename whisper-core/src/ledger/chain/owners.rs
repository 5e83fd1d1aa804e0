//! Which keys own a name, and since when: a block's room is shared out by it.

use alloc::collections::BTreeMap;

use super::directory::NameRecord;
use crate::ledger::block::name::Name;

/// Height of the claim of each active name, by its owner's key.
#[derive(Clone, Debug, Default)]
pub(super) struct Owners(BTreeMap<([u8; 33], Name), u32>);

impl Owners {
    /// Follows a record from what it was to what it is.
    pub(super) fn replace(&mut self, before: Option<&NameRecord>, after: Option<&NameRecord>) {
        if let Some(record) = before {
            self.0.remove(&(record.owner, record.name));
        }
        if let Some(record) = after.filter(|record| record.active) {
            self.0.insert((record.owner, record.name), record.claimed);
        }
    }

    pub(super) fn oldest_claim(&self, owner: &[u8; 33]) -> Option<u32> {
        let (first, last) = Name::BOUNDS;
        self.0.range((*owner, first)..=(*owner, last)).map(|(_, height)| *height).min()
    }
}
