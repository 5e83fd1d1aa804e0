//! Answering peers, as far as their sockets have room.

use alloc::vec::Vec;

use super::LedgerNode;
use super::peer::Want;
use super::wire::HEADERS_MAX;
use super::wire::Item;
use super::wire::Message;
use super::wire::Question;
use crate::ledger::chain::Archive;
use crate::ledger::light::proof::Proof;
use crate::peer::PeerId;

impl<A: Archive> LedgerNode<A> {
    /// Answers what was asked, peer by peer, as long as there is room and the budgets allow.
    pub(super) fn serve_all(&mut self) {
        let now = self.links.now();
        for peer in self.links.ready().collect::<Vec<_>>() {
            while let Some(want) = self.links.get_mut(peer).and_then(|own| own.out.pop(now)) {
                self.serve(peer, &want);
            }
        }
    }

    fn serve(&mut self, peer: PeerId, want: &Want) {
        let answer = match want {
            Want::Headers(locator, stop) => {
                // Of the chain that our status tells: what lies beyond it we could not give, and a
                // peer that follows headers alone would follow one that may not exist.
                Message::Headers(self.ledger.after(locator, stop, HEADERS_MAX))
            }
            Want::Block(id) => {
                let held = self.ledger.block(id).or_else(|| self.archive.block(id));
                held.map_or(Message::NotFound(Item::Block(*id)), |block| {
                    Message::Block(block.to_vec())
                })
            }
            Want::Tx(id) => {
                let tx = self.mempool.get(id).map(|tx| tx.as_bytes().to_vec());
                tx.map_or(Message::NotFound(Item::Tx(*id)), Message::Tx)
            }
            Want::Proof(question) => self
                .prove(question)
                .map_or(Message::NotFound(Item::Proof(question.block())), |proof| {
                    Message::Proof(proof.encode())
                }),
        };
        self.links.answer(peer, answer);
    }

    fn prove(&self, question: &Question) -> Option<Proof> {
        match question {
            Question::Tx(block, id) => {
                self.ledger.prove_tx(block, id, &self.archive).map(Proof::Tx)
            }
            Question::Name(block, name) => {
                self.ledger.prove_name(block, name, &self.archive).map(Proof::Name)
            }
        }
    }
}
