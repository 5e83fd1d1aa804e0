//! Records in one block of memory, and the links of the lists that run through them.

use alloc::vec::Vec;
use core::iter;
use core::ops::Range;

use super::Entry;
use super::Slot;

/// An entry and what the pool needs to find its way back from it to each list.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) entry: Entry,
    pub(super) key: u64,
    pub(super) expiry: u64,
    pub(super) cost: usize,
    pub(super) level: usize,
}

/// The lists that each record is in, one of each kind.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chain {
    Rating,
    Expiry,
    Peer,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) prev: u32,
    pub(super) next: u32,
}

impl Link {
    const NONE: Self = Self { prev: NIL, next: NIL };
}

#[derive(Debug)]
pub(super) struct Cell {
    record: Option<Record>,
    generation: u32,
    rating: Link,
    expiry: Link,
    peer: Link,
}

impl Cell {
    const fn link(&self, chain: Chain) -> &Link {
        match chain {
            Chain::Rating => &self.rating,
            Chain::Expiry => &self.expiry,
            Chain::Peer => &self.peer,
        }
    }

    const fn link_mut(&mut self, chain: Chain) -> &mut Link {
        match chain {
            Chain::Rating => &mut self.rating,
            Chain::Expiry => &mut self.expiry,
            Chain::Peer => &mut self.peer,
        }
    }
}

/// Cells by number. Those that are empty form a list of their own, through `rating.next`.
#[derive(Debug)]
pub(super) struct Slab {
    cells: Vec<Cell>,
    empty: u32,
    len: usize,
}

impl Slab {
    pub(super) const fn new() -> Self {
        Self { cells: Vec::new(), empty: NIL, len: 0 }
    }

    /// Stores a record, unless there are four thousand million.
    pub(super) fn insert(&mut self, record: Record) -> Option<u32> {
        let index = if let Some(cell) = self.cells.get_mut(self.empty as usize) {
            cell.record = Some(record);
            core::mem::replace(&mut self.empty, cell.rating.next)
        } else {
            let index = u32::try_from(self.cells.len()).ok().filter(|index| *index != NIL)?;
            self.cells.push(Cell {
                record: Some(record),
                generation: 0,
                rating: Link::NONE,
                expiry: Link::NONE,
                peer: Link::NONE,
            });
            index
        };
        self.len = self.len.saturating_add(1);
        Some(index)
    }

    /// Takes a record out that is in no list any more. Slots that meant it miss from now on.
    pub(super) fn remove(&mut self, index: u32) -> Option<Record> {
        let cell = self.cells.get_mut(index as usize)?;
        let record = cell.record.take()?;
        cell.generation = cell.generation.wrapping_add(1);
        cell.rating.next = core::mem::replace(&mut self.empty, index);
        self.len = self.len.saturating_sub(1);
        Some(record)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) const fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The records in a range of cells, as far as there are any.
    pub(super) fn range(&self, cells: Range<usize>) -> impl Iterator<Item = (Slot, &Record)> {
        let end = cells.end.min(self.cells.len());
        let range = self.cells.get(cells.start..end).unwrap_or_default();
        range.iter().zip(cells.start..).filter_map(|(cell, index)| {
            let index = u32::try_from(index).ok()?;
            Some((Slot { index, generation: cell.generation }, cell.record.as_ref()?))
        })
    }

    pub(super) fn get(&self, index: u32) -> Option<&Record> {
        self.cells.get(index as usize)?.record.as_ref()
    }

    pub(super) fn slot(&self, index: u32) -> Option<Slot> {
        let generation = self.cells.get(index as usize)?.generation;
        Some(Slot { index, generation })
    }

    pub(super) fn resolve(&self, slot: Slot) -> Option<&Record> {
        let cell = self.cells.get(slot.index())?;
        cell.record.as_ref().filter(|_| cell.generation == slot.generation)
    }

    pub(super) fn resolve_mut(&mut self, slot: Slot) -> Option<&mut Record> {
        let cell = self.cells.get_mut(slot.index())?;
        cell.record.as_mut().filter(|_| cell.generation == slot.generation)
    }

    /// Puts a record between two neighbours, of which either may be missing.
    pub(super) fn join(&mut self, chain: Chain, index: u32, link: Link) {
        if let Some(cell) = self.cells.get_mut(index as usize) {
            *cell.link_mut(chain) = link;
        }
        self.close(chain, Link { prev: link.prev, next: index });
        self.close(chain, Link { prev: index, next: link.next });
    }

    /// Takes a record from between its neighbours, joins these, and names them.
    pub(super) fn part(&mut self, chain: Chain, index: u32) -> Link {
        let Some(cell) = self.cells.get_mut(index as usize) else { return Link::NONE };
        let link = core::mem::replace(cell.link_mut(chain), Link::NONE);
        self.close(chain, link);
        link
    }

    /// The records of a list, from `first` on.
    pub(super) fn walk(&self, chain: Chain, first: u32) -> impl Iterator<Item = u32> {
        iter::successors(Some(first), move |index| {
            self.cells.get(*index as usize).map(|cell| cell.link(chain).next)
        })
        .take_while(|index| *index != NIL)
    }

    /// Makes two records neighbours.
    fn close(&mut self, chain: Chain, Link { prev, next }: Link) {
        if let Some(cell) = self.cells.get_mut(prev as usize) {
            cell.link_mut(chain).next = next;
        }
        if let Some(cell) = self.cells.get_mut(next as usize) {
            cell.link_mut(chain).prev = prev;
        }
    }
}

/// No record: the end of a list.
pub(super) const NIL: u32 = u32::MAX;
