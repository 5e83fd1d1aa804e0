//! The chain itself: headers by height, and an index from their names.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use hashbrown::HashTable;
use hashbrown::hash_table::OccupiedEntry;

use super::Entry;
use crate::ledger::block::header::Header;
use crate::ledger::hash::BlockId;
use crate::ledger::pow::ChainWork;

/// A chain of at least one header.
#[derive(Clone, Debug)]
pub(super) struct Trunk {
    base: u32,
    /// All full but the last: growing moves no header, and costs at most one chunk too many.
    chunks: VecDeque<Vec<Node>>,
    len: usize,
    index: HashTable<u32>,
    tip: Entry,
}

#[derive(Clone, Debug)]
struct Node {
    header: Header,
    id: BlockId,
    work: ChainWork,
}

const CHUNK: usize = 1_024;

impl Trunk {
    pub(super) fn new(entries: impl Iterator<Item = Entry>) -> Option<Self> {
        let mut entries = entries.peekable();
        let first = *entries.peek()?;
        let mut trunk = Self {
            base: first.height,
            chunks: VecDeque::new(),
            len: 0,
            index: HashTable::new(),
            tip: first,
        };
        entries.for_each(|entry| trunk.push(entry));
        Some(trunk)
    }

    /// Adds the child of the tip.
    pub(super) fn push(&mut self, entry: Entry) {
        let Entry { header, id, work, height } = entry;
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push_back(Vec::with_capacity(CHUNK));
        }
        if let Some(last) = self.chunks.back_mut() {
            last.push(Node { header, id, work });
            self.len = self.len.saturating_add(1);
        }
        let Self { index, chunks, base, .. } = self;
        index.insert_unique(hash(&id), height, |height| {
            node(chunks, *base, *height).map_or(0, |node| hash(&node.id))
        });
        self.tip = entry;
    }

    /// Removes what lies at `height` and above, and gives it, lowest first. The oldest header stays.
    pub(super) fn cut(&mut self, height: u32) -> Vec<Entry> {
        let height = height.max(self.base.saturating_add(1));
        let removed: Vec<Entry> = (height..).map_while(|height| self.get(height)).collect();
        for entry in removed.iter().rev() {
            self.remove_from_index(&entry.id);
            if let Some(last) = self.chunks.back_mut() {
                last.pop();
                self.len = self.len.saturating_sub(1);
            }
            if self.chunks.back().is_some_and(Vec::is_empty) {
                self.chunks.pop_back();
            }
        }
        if let Some(tip) = height.checked_sub(1).and_then(|height| self.get(height)) {
            self.tip = tip;
        }
        removed
    }

    /// Forgets the oldest chunks as long as `keep` headers are left.
    pub(super) fn prune(&mut self, keep: usize) {
        while self.len.checked_sub(CHUNK).is_some_and(|left| left >= keep) {
            let Some(chunk) = self.chunks.pop_front() else { break };
            // The index reads the chain to tell hashes apart, so what is gone from there is
            // found by its height.
            for (height, node) in (self.base..).zip(&chunk) {
                let found = self.index.find_entry(hash(&node.id), |at| *at == height);
                found.map(OccupiedEntry::remove).ok();
            }
            self.len = self.len.saturating_sub(chunk.len());
            self.base = self.base.saturating_add(u32::try_from(chunk.len()).unwrap_or(0));
        }
    }

    pub(super) const fn tip(&self) -> Entry {
        self.tip
    }

    pub(super) const fn base(&self) -> u32 {
        self.base
    }

    pub(super) fn get(&self, height: u32) -> Option<Entry> {
        let Node { header, id, work } = node(&self.chunks, self.base, height)?;
        Some(Entry { header: *header, id: *id, height, work: *work })
    }

    pub(super) fn by_id(&self, id: &BlockId) -> Option<Entry> {
        self.get(self.height_of(id)?)
    }

    pub(super) fn height_of(&self, id: &BlockId) -> Option<u32> {
        self.index.find(hash(id), |height| self.is_at(*height, id)).copied()
    }

    /// The names above this height.
    pub(super) fn ids_above(&self, height: u32) -> Vec<BlockId> {
        let from = height.saturating_add(1);
        (from..)
            .map_while(|height| node(&self.chunks, self.base, height))
            .map(|node| node.id)
            .collect()
    }

    fn is_at(&self, height: u32, id: &BlockId) -> bool {
        node(&self.chunks, self.base, height).is_some_and(|node| node.id == *id)
    }

    fn remove_from_index(&mut self, id: &BlockId) {
        let Self { index, chunks, base, .. } = self;
        let is_it = |height: &u32| node(chunks, *base, *height).is_some_and(|node| node.id == *id);
        index.find_entry(hash(id), is_it).map(OccupiedEntry::remove).ok();
    }
}

fn node(chunks: &VecDeque<Vec<Node>>, base: u32, height: u32) -> Option<&Node> {
    let at = usize::try_from(height.checked_sub(base)?).ok()?;
    chunks.get(at / CHUNK)?.get(at % CHUNK)
}

/// Names are hashes, and each costs its maker a block's work: they need not be hashed again. The
/// first bytes are the lowest of the number, which no target binds.
fn hash(id: &BlockId) -> u64 {
    id.as_bytes().first_chunk().copied().map_or(0, u64::from_le_bytes)
}
