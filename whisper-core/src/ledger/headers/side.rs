//! What branches off the chain: a bounded number of headers, those with the most work.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Entry;
use super::trunk::Trunk;
use crate::ledger::hash::BlockId;
use crate::ledger::pow::ChainWork;

/// Headers beside the chain. The parent of each is here or on the chain.
#[derive(Clone, Debug, Default)]
pub(super) struct Side {
    entries: BTreeMap<BlockId, Entry>,
    /// The same, by work.
    by_work: BTreeSet<(ChainWork, BlockId)>,
}

impl Side {
    pub(super) fn insert(&mut self, entry: Entry) {
        self.by_work.insert((entry.work, entry.id));
        self.entries.insert(entry.id, entry);
    }

    fn remove(&mut self, id: &BlockId) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.by_work.remove(&(entry.work, *id));
        Some(entry)
    }

    pub(super) fn get(&self, id: &BlockId) -> Option<Entry> {
        self.entries.get(id).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The header with the most work.
    pub(super) fn best(&self) -> Option<Entry> {
        self.by_work.last().and_then(|(_, id)| self.get(id))
    }

    /// The headers with more work than this, the most first.
    pub(super) fn heavier(&self, work: ChainWork) -> impl Iterator<Item = Entry> {
        let heavier = self.by_work.iter().rev().take_while(move |(own, _)| *own > work);
        heavier.filter_map(|(_, id)| self.get(id))
    }

    /// Takes out a header and its ancestors, the newest first.
    pub(super) fn take_branch(&mut self, mut id: BlockId) -> Vec<Entry> {
        let mut branch = Vec::new();
        while let Some(entry) = self.remove(&id) {
            branch.push(entry);
            id = entry.header.parent;
        }
        branch
    }

    /// Removes these headers and all that build on them.
    pub(super) fn remove_descendants(&mut self, removed: &BTreeSet<BlockId>) {
        let mut removed = removed.clone();
        for entry in self.by_height() {
            if removed.contains(&entry.id) || removed.contains(&entry.header.parent) {
                removed.insert(entry.id);
                self.remove(&entry.id);
            }
        }
    }

    /// Removes what no longer leads to the chain.
    pub(super) fn remove_orphans(&mut self, trunk: &Trunk) {
        for entry in self.by_height() {
            let parent = entry.header.parent;
            if !self.entries.contains_key(&parent) && trunk.height_of(&parent).is_none() {
                self.remove(&entry.id);
            }
        }
    }

    /// Removes branches that leave the chain below this height, but for the ancestors of `keep`.
    pub(super) fn give_up_below(&mut self, lowest: u32, trunk: &Trunk, keep: [Option<BlockId>; 2]) {
        let kept = self.ancestors(keep);
        let begins_deep = |entry: &&Entry| {
            let fork = trunk.height_of(&entry.header.parent);
            fork.is_some_and(|fork| fork < lowest) && !kept.contains(&entry.id)
        };
        let deep = self.entries.values().filter(begins_deep).map(|entry| entry.id).collect();
        self.remove_descendants(&deep);
    }

    /// When there are more than `max`, drops whole branches, the least work first, until a quarter
    /// of the room is free: so the search for them costs little for each header that came. The
    /// ancestors of `keep` stay.
    pub(super) fn trim(&mut self, max: usize, keep: [Option<BlockId>; 2]) {
        if self.entries.len() <= max {
            return;
        }
        let enough = max.saturating_sub(max / 4);
        let kept = self.ancestors(keep);
        let mut children: BTreeMap<BlockId, usize> = BTreeMap::new();
        for entry in self.entries.values() {
            let count = children.entry(entry.header.parent).or_default();
            *count = count.saturating_add(1);
        }
        let mut ends: Vec<Entry> = self
            .entries
            .values()
            .filter(|entry| !children.contains_key(&entry.id))
            .copied()
            .collect();
        ends.sort_unstable_by_key(|entry| (entry.work, entry.id));
        for end in ends {
            if self.entries.len() <= enough {
                break;
            }
            self.drop_branch(end.id, &kept, &mut children);
        }
    }

    /// Drops a header without children, and its ancestors as far as they have no others.
    fn drop_branch(
        &mut self,
        mut id: BlockId,
        kept: &BTreeSet<BlockId>,
        children: &mut BTreeMap<BlockId, usize>,
    ) {
        while !kept.contains(&id) && children.get(&id).is_none_or(|count| *count == 0) {
            let Some(entry) = self.remove(&id) else { break };
            id = entry.header.parent;
            if let Some(count) = children.get_mut(&id) {
                *count = count.saturating_sub(1);
            }
        }
    }

    fn ancestors(&self, of: [Option<BlockId>; 2]) -> BTreeSet<BlockId> {
        let mut all = BTreeSet::new();
        for mut id in of.into_iter().flatten() {
            while let Some(entry) = self.entries.get(&id) {
                all.insert(id);
                id = entry.header.parent;
            }
        }
        all
    }

    /// All headers, parents before their children.
    fn by_height(&self) -> Vec<Entry> {
        let mut entries: Vec<Entry> = self.entries.values().copied().collect();
        entries.sort_unstable_by_key(|entry| entry.height);
        entries
    }
}
