//! What a chain of blocks amounts to: the directory, and which transactions may not come again.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::directory::Directory;
use super::directory::NameRecord;
use crate::ledger::block::tx::Tx;
use crate::ledger::hash::TxId;
use crate::ledger::read::Fields;

/// The state after a block.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) directory: Directory,
    /// Transactions of the chain that have not expired yet, by expiry and id.
    seen: BTreeSet<(u32, TxId)>,
}

/// What one block changes.
#[derive(Clone, Debug)]
pub(super) struct Changes {
    pub(super) directory: Directory,
    pub(super) records: Vec<Change>,
    pub(super) txs: Vec<(u32, TxId)>,
}

/// A record before and after.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Change {
    pub(super) before: Option<NameRecord>,
    pub(super) after: NameRecord,
}

/// What it takes to take back a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Undo {
    /// The root of the directory before the block.
    root: [u8; 32],
    pub(super) records: Vec<Change>,
    /// What the block's time made the state forget.
    expired: Vec<(u32, TxId)>,
}

impl State {
    /// A state from its parts, as a host has kept them.
    pub(super) const fn new(directory: Directory, seen: BTreeSet<(u32, TxId)>) -> Self {
        Self { directory, seen }
    }

    /// Whether the transaction stands in the chain and has not expired.
    pub(super) fn has_seen(&self, tx: &Tx) -> bool {
        self.seen.contains(&(tx.expiry(), tx.id()))
    }

    /// Makes a block's changes. `median` is the median time that the next block must be after:
    /// what expires by then can stand in no later block and is forgotten.
    pub(super) fn apply(&mut self, changes: Changes, median: u32) -> Undo {
        let root = self.directory.root();
        self.directory = changes.directory;
        self.seen.extend(changes.txs);
        let alive = self.seen.split_off(&(median.saturating_add(1), TxId::new([0; 32])));
        let expired = core::mem::replace(&mut self.seen, alive).into_iter().collect();
        Undo { root, records: changes.records, expired }
    }

    /// Takes back a block with these transactions. Whether the directory is what it was before.
    pub(super) fn revert(&mut self, undo: &Undo, txs: &[Tx]) -> bool {
        self.seen.extend(undo.expired.iter().copied());
        for tx in txs {
            self.seen.remove(&(tx.expiry(), tx.id()));
        }
        undo.restore(&mut self.directory)
    }

    /// The ids that may not come again.
    pub(super) fn seen(&self) -> impl Iterator<Item = TxId> {
        self.seen.iter().map(|(_, id)| *id)
    }
}

impl Undo {
    /// Puts back the records. Whether the directory is what it was before.
    pub(super) fn restore(&self, directory: &mut Directory) -> bool {
        for change in self.records.iter().rev() {
            match change.before {
                Some(record) => directory.set(record),
                None => directory.remove(&change.after.name),
            }
        }
        directory.root() == self.root
    }

    /// Writes the undo for a host to keep: root, records before and after, what expired.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.root.to_vec();
        bytes.extend(u16::try_from(self.records.len()).unwrap_or(u16::MAX).to_le_bytes());
        for change in &self.records {
            write_record(change.before.as_ref(), &mut bytes);
            write_record(Some(&change.after), &mut bytes);
        }
        for (expiry, id) in &self.expired {
            bytes.extend(expiry.to_le_bytes());
            bytes.extend(id.as_bytes());
        }
        bytes
    }

    /// Reads what [`Undo::encode`] wrote.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let root = fields.array()?;
        let count = fields.u16()?;
        let mut records = Vec::new();
        for _ in 0..count {
            let before = read_record(&mut fields)?;
            let after = read_record(&mut fields)??;
            records.push(Change { before, after });
        }
        let mut expired = Vec::new();
        while !fields.is_empty() {
            expired.push((fields.u32()?, TxId::new(fields.array()?)));
        }
        Some(Self { root, records, expired })
    }
}

/// A record behind its length in one byte; length 0 for none.
fn write_record(record: Option<&NameRecord>, bytes: &mut Vec<u8>) {
    let record = record.map(NameRecord::encode).unwrap_or_default();
    bytes.push(u8::try_from(record.len()).unwrap_or(0));
    bytes.extend(record);
}

fn read_record(fields: &mut Fields<'_>) -> Option<Option<NameRecord>> {
    match fields.u8()? {
        0 => Some(None),
        len => Some(Some(NameRecord::decode(fields.bytes(len.into())?)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::block::register::NextKey;

    fn record(name: &str, seq: u32) -> NameRecord {
        let name = name.parse().unwrap();
        let next = NextKey::NONE;
        NameRecord { active: true, seq, owner: [2; 33], next, claimed: 1, changed: 1, name }
    }

    fn changes(state: &State, records: Vec<Change>, txs: Vec<(u32, TxId)>) -> Changes {
        let mut directory = state.directory.clone();
        records.iter().for_each(|change| directory.set(change.after));
        Changes { directory, records, txs }
    }

    #[test]
    fn what_is_taken_back_was_never_there() {
        let mut state = State::default();
        let first = Change { before: None, after: record("alice", 0) };
        let made = changes(&state, [first].into(), [(10, TxId::new([1; 32]))].into());
        state.apply(made, 5);
        let (root, seen) = (state.directory.root(), state.seen.clone());
        let second = Change { before: Some(first.after), after: record("alice", 1) };
        let third = Change { before: None, after: record("bob", 0) };
        let made = changes(&state, [second, third].into(), Vec::new());
        let undo = state.apply(made, 10);
        assert!(state.seen.is_empty());
        let undo = Undo::decode(&undo.encode()).unwrap();
        assert!(state.revert(&undo, &[]));
        assert_eq!((state.directory.root(), state.seen), (root, seen));
    }

    #[test]
    fn an_undo_of_another_block_is_noticed() {
        let mut state = State::default();
        let made =
            changes(&state, [Change { before: None, after: record("bob", 0) }].into(), [].into());
        let mut undo = state.apply(made, 0);
        undo.root = [9; 32];
        assert!(!state.revert(&undo, &[]));
        assert_eq!(Undo::decode(&undo.encode()[..40]), None);
    }
}
