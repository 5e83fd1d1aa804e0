//! What goes into the next block. Policy, not consensus: other miners may choose otherwise.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Mempool;
use crate::ledger::block::BLOCK_MAX;
use crate::ledger::block::framed_len;
use crate::ledger::block::tx::Kind;
use crate::ledger::block::tx::Tx;
use crate::ledger::chain::Ledger;
use crate::ledger::hash::TxId;

/// So that no author fills a block alone.
const PER_AUTHOR: usize = 4;
/// A day: how old an author's name must be for the reserved half.
const NAME_AGE: u32 = 720;
/// The consensus limit, which a block is not filled beyond.
const REGISTERS: usize = 64;

impl Mempool {
    /// The transactions for the next block, best rated first: at most four of one author, and half
    /// of the bytes for authors that have owned a name for a day, as far as they use them.
    pub fn select(&self, ledger: &Ledger) -> Vec<Tx> {
        let mut choice = Choice::default();
        let tip = ledger.tip().height;
        let is_old = |tx: &Tx| {
            let claimed = ledger.oldest_claim(&tx.author());
            claimed.is_some_and(|height| height.saturating_add(NAME_AGE) <= tip)
        };
        let room = BLOCK_MAX.saturating_sub(framed_len(core::iter::empty()));
        let owners = self.iter().map(|(tx, _)| tx).filter(|tx| is_old(tx));
        owners.for_each(|tx| choice.add(tx, room / 2));
        self.iter().for_each(|(tx, _)| choice.add(tx, room));
        choice.txs.into_iter().cloned().collect()
    }
}

#[derive(Default)]
struct Choice<'a> {
    txs: Vec<&'a Tx>,
    ids: BTreeSet<TxId>,
    by_author: BTreeMap<[u8; 33], usize>,
    registers: usize,
    bytes: usize,
}

impl<'a> Choice<'a> {
    /// Adds a transaction, if it is new and there is room for it.
    fn add(&mut self, tx: &'a Tx, room: usize) {
        let bytes = self.bytes.saturating_add(tx.as_bytes().len()).saturating_add(2);
        let is_register = tx.kind() == Some(Kind::Register);
        let registers = self.registers.saturating_add(usize::from(is_register));
        let own = self.by_author.entry(tx.author()).or_default();
        let fits = bytes <= room && registers <= REGISTERS && *own < PER_AUTHOR;
        if !fits || !self.ids.insert(tx.id()) {
            return;
        }
        *own = own.saturating_add(1);
        (self.bytes, self.registers) = (bytes, registers);
        self.txs.push(tx);
    }
}
