//! Handing on transactions: each is fetched from one peer at a time, and from the next if that fails.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::LedgerNode;
use super::contract::Event;
use super::contract::Output;
use super::contract::Violation;
use super::peer::PATIENCE;
use super::wire::Item;
use super::wire::Message;
use super::wire::TXS_MAX;
use crate::ledger::block::tx::Tx;
use crate::ledger::block::tx::TxError;
use crate::ledger::chain::Archive;
use crate::ledger::hash::TxId;
use crate::ledger::mining::mempool::MempoolError;
use crate::peer::PeerId;

/// How many transactions a peer is asked for at a time: what it offers beyond that waits.
const IN_FLIGHT: usize = 2 * TXS_MAX;

impl<A: Archive> LedgerNode<A> {
    /// Notes which transactions a peer has, and asks for them.
    pub(super) fn take_offer(&mut self, peer: PeerId, ids: impl Iterator<Item = TxId>) {
        if let Some(own) = self.links.get_mut(peer) {
            ids.for_each(|id| own.offer(id));
        }
        self.ask_txs(peer);
    }

    /// Asks a peer for what it offers, as far as no peer is asked for it and there is room.
    pub(super) fn ask_txs(&mut self, peer: PeerId) {
        let Some(own) = self.links.get_mut(peer) else { return };
        let offered = core::mem::take(&mut own.offered);
        let room = IN_FLIGHT.saturating_sub(own.txs.len());
        let (mut wanted, mut later) = (Vec::new(), BTreeSet::new());
        for id in offered.into_iter().filter(|id| self.mempool.get(id).is_none()) {
            if wanted.len() < room && !self.links.is_asked(&id) {
                wanted.push(id);
            } else {
                later.insert(id);
            }
        }
        let now = self.links.now();
        let Some(own) = self.links.get_mut(peer) else { return };
        // Answers come in order: behind the blocks that it is asked for.
        let until = own.blocks.values().copied().fold(now, Ord::max).saturating_add(PATIENCE);
        own.offered = later;
        own.txs.extend(wanted.iter().map(|id| (*id, until)));
        for part in wanted.chunks(TXS_MAX) {
            self.links.send(peer, Message::GetTxs(part.to_vec()));
        }
    }

    /// Asks others for what a peer has failed to give.
    pub(super) fn ask_others(&mut self) {
        if self.links.take_retry_txs() {
            self.links.ready().collect::<Vec<_>>().into_iter().for_each(|peer| self.ask_txs(peer));
        }
    }

    /// Takes a transaction that a peer was asked for.
    pub(super) fn take_tx(&mut self, peer: PeerId, bytes: &[u8]) {
        let tx = match Tx::decode(bytes, self.ledger.params().chain_tag()) {
            Ok(tx) => tx,
            Err(error) => return self.links.cut(peer, Violation::Tx(error)),
        };
        let id = tx.id();
        if !self.links.get_mut(peer).is_some_and(|own| own.take_tx(&id)) {
            self.links.strike(peer, Violation::Unsolicited);
            return;
        }
        match self.mempool.submit(self.links.now(), tx, &mut self.ledger) {
            Ok(()) => {
                if let Some(own) = self.links.get_mut(peer) {
                    own.strikes = 0;
                }
                self.links.push(Output::Event(Event::Pending(id)));
                self.announce(&[Item::Tx(id)], Some(peer));
            }
            Err(MempoolError::Tx(error)) if is_fault(error) => {
                self.links.retry_txs();
                self.links.cut(peer, Violation::Tx(error));
            }
            // Clocks, chains and fill levels differ between honest nodes.
            Err(_) => {}
        }
        self.ask_txs(peer);
    }
}

/// Whether no honest peer hands on such a transaction.
const fn is_fault(error: TxError) -> bool {
    !matches!(error, TxError::Expiry | TxError::Duplicate | TxError::Register(_))
}
