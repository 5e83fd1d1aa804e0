//! The peers, the time, and what is to be put out: what both kinds of nodes share.

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::contract::Event;
use super::contract::Input;
use super::contract::Output;
use super::contract::Outputs;
use super::contract::PeerInfo;
use super::contract::Violation;
use super::peer::PATIENCE;
use super::peer::Peer;
use super::peer::STRIKES;
use super::peer::Want;
use super::wire::Item;
use super::wire::Message;
use super::wire::Status;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::TxId;
use crate::ledger::pow::ChainWork;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// The peers of a node.
#[derive(Debug, Default)]
pub(super) struct Links {
    peers: BTreeMap<PeerId, Peer>,
    outputs: VecDeque<Output>,
    now: Timestamp,
    /// Whether a peer has failed to give transactions that others may have.
    retry_txs: bool,
}

/// The least time that can pass.
const MOMENT: Duration = Duration::from_millis(1);
/// How many blocks that a peer lacks are remembered.
const LACKS: usize = 256;

impl Links {
    /// Takes the time. When it is earlier than the last one all deadlines move with it, once; by how
    /// much, is returned.
    pub(super) fn advance(&mut self, now: Timestamp) -> Option<Duration> {
        let back = self.now.saturating_since(now);
        self.now = now;
        if back.is_zero() {
            return None;
        }
        self.peers.values_mut().for_each(|peer| peer.shift_back(back));
        Some(back)
    }

    pub(super) const fn now(&self) -> Timestamp {
        self.now
    }

    pub(super) const fn outputs(&mut self) -> Outputs<'_> {
        Outputs::new(&mut self.outputs)
    }

    /// Whether all outputs of earlier steps were carried out.
    pub(super) fn is_drained(&self) -> bool {
        self.outputs.is_empty()
    }

    pub(super) fn push(&mut self, output: Output) {
        self.outputs.push_back(output);
    }

    /// Takes what has happened to a connection; a new peer is sent our status. A message that is
    /// in order is left for the node.
    pub(super) fn take(&mut self, input: Input<'_>, status: Status) -> Option<(PeerId, Message)> {
        match input {
            Input::Connected(peer) => self.connect(peer, status),
            Input::Disconnected(peer) => self.forget(peer),
            Input::Received { peer, code, payload } => {
                return self.receive(peer, code, payload).map(|message| (peer, message));
            }
            Input::Written { peer, bytes } => self.written(peer, bytes),
            Input::Timeout => self.expire(),
        }
        None
    }

    fn connect(&mut self, peer: PeerId, status: Status) {
        if !self.peers.contains_key(&peer) {
            self.peers.insert(peer, Peer::new(self.now));
            self.send(peer, Message::Status(status));
        }
    }

    fn forget(&mut self, peer: PeerId) {
        let gone = self.peers.remove(&peer);
        self.retry_txs |= gone.is_some_and(|gone| !gone.txs.is_empty());
    }

    /// Notes that others are to be asked for transactions.
    pub(super) fn retry_txs(&mut self) {
        self.retry_txs = true;
    }

    pub(super) fn take_retry_txs(&mut self) -> bool {
        core::mem::take(&mut self.retry_txs)
    }

    /// Whether any peer is asked for this transaction.
    pub(super) fn is_asked(&self, id: &TxId) -> bool {
        self.peers.values().any(|peer| peer.txs.contains_key(id))
    }

    /// Peers whose headers were too new until now, or did not come.
    pub(super) fn take_retries(&mut self) -> Vec<PeerId> {
        let now = self.now;
        let due = self.peers.iter_mut().filter_map(|(id, peer)| {
            peer.headers.retry.take_if(|until| *until <= now).map(|_| *id)
        });
        due.collect()
    }

    /// Notes that a peer's chain goes at least so far.
    pub(super) fn note_work(&mut self, peer: PeerId, work: ChainWork, height: u32) {
        let own = self.get_mut(peer);
        if let Some(own) = own.filter(|own| own.work.is_some_and(|known| work > known)) {
            (own.work, own.height) = (Some(work), height);
            // Its chain has grown: what it did not have before it may have now.
            own.lacks.clear();
        }
    }

    pub(super) fn get(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(&peer)
    }

    pub(super) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(&peer)
    }

    fn written(&mut self, peer: PeerId, bytes: usize) {
        let now = self.now;
        if let Some(peer) = self.get_mut(peer) {
            peer.out.written(now, bytes);
        }
    }

    /// Reads a packet of a peer that is known, keeps its order and its budget.
    fn receive(&mut self, peer: PeerId, code: u8, payload: &[u8]) -> Option<Message> {
        let is_ready = self.get(peer)?.work.is_some();
        let Ok(message) = Message::decode(code, payload) else {
            self.cut(peer, Violation::Malformed);
            return None;
        };
        if is_ready == matches!(message, Message::Status(_)) {
            self.cut(peer, Violation::StatusOrder);
            return None;
        }
        // Answers are counted by the requests they belong to.
        let is_answer = matches!(
            message,
            Message::Headers(_) | Message::Block(_) | Message::Tx(_) | Message::Proof(_)
        );
        let now = self.now;
        if let Some(until) = self.get_mut(peer).filter(|_| !is_answer).and_then(|it| it.spend(now))
        {
            self.push(Output::Throttle(peer, until));
        }
        Some(message)
    }

    /// Takes a status. Whether the peer is of our network.
    pub(super) fn greet(&mut self, peer: PeerId, status: &Status, genesis: &BlockId) -> bool {
        if status.genesis != *genesis {
            self.cut(peer, Violation::ForeignGenesis);
            return false;
        }
        if let Some(own) = self.get_mut(peer) {
            (own.work, own.height) = (Some(status.work), status.height);
        }
        self.push(Output::Event(Event::Ready { peer, status: *status }));
        true
    }

    /// Remembers what a peer asks for.
    pub(super) fn want(&mut self, peer: PeerId, request: Message) {
        let wants: Vec<Want> = match request {
            Message::GetHeaders { locator, stop } => [Want::Headers(locator, stop)].into(),
            Message::GetBlocks(ids) => ids.into_iter().map(Want::Block).collect(),
            Message::GetTxs(ids) => ids.into_iter().map(Want::Tx).collect(),
            Message::GetProof(question) => [Want::Proof(question)].into(),
            _ => return,
        };
        let Some(own) = self.get_mut(peer) else { return };
        if !wants.into_iter().all(|want| own.out.push(want)) {
            self.cut(peer, Violation::Greedy);
        }
    }

    pub(super) fn send(&mut self, peer: PeerId, message: Message) {
        let now = self.now;
        if let Some(own) = self.get_mut(peer) {
            let code = message.code();
            let payload = message.encode();
            own.out.sent(now, payload.len());
            self.push(Output::Transmit { peer, code, payload });
        }
    }

    /// Sends what a peer has asked for, at its expense.
    pub(super) fn answer(&mut self, peer: PeerId, message: Message) {
        let now = self.now;
        let before = self.get(peer).map_or(0, |own| own.out.unwritten());
        self.send(peer, message);
        if let Some(own) = self.get_mut(peer) {
            own.out.charge(now, own.out.unwritten().saturating_sub(before));
        }
    }

    /// Says that there is something, unless the peer has no room for it: others will tell it.
    pub(super) fn tell(&mut self, peer: PeerId, items: &[Item]) {
        if self.get(peer).is_some_and(|peer| peer.out.has_room()) {
            self.send(peer, Message::Inv(items.to_vec()));
        }
    }

    pub(super) fn cut(&mut self, peer: PeerId, violation: Violation) {
        if self.peers.contains_key(&peer) {
            self.forget(peer);
            self.push(Output::Disconnect(peer, violation));
        }
    }

    /// Notes what an honest peer does rarely; a peer that does it often is cut.
    pub(super) fn strike(&mut self, peer: PeerId, violation: Violation) {
        let Some(own) = self.get_mut(peer) else { return };
        own.strikes = own.strikes.saturating_add(1);
        if own.strikes >= STRIKES {
            self.cut(peer, violation);
        }
    }

    /// Notes that a peer does not have a block that it was asked for.
    pub(super) fn lacks(&mut self, peer: PeerId, id: BlockId) {
        let Some(own) = self.get_mut(peer) else { return };
        if !own.take_block(&id) {
            self.strike(peer, Violation::Unsolicited);
            return;
        }
        self.avoid(peer, id);
    }

    /// Notes that a peer does not have a transaction that it was asked for.
    pub(super) fn lacks_tx(&mut self, peer: PeerId, id: &TxId) {
        if self.get_mut(peer).is_some_and(|own| own.take_tx(id)) {
            self.retry_txs = true;
        } else {
            self.strike(peer, Violation::Unsolicited);
        }
    }

    /// Remembers not to ask a peer for a block.
    pub(super) fn avoid(&mut self, peer: PeerId, id: BlockId) {
        let Some(own) = self.get_mut(peer) else { return };
        if own.lacks.len() >= LACKS {
            own.lacks.clear();
        }
        own.lacks.insert(id);
    }

    /// Peers that have said their status.
    pub(super) fn ready(&self) -> impl Iterator<Item = PeerId> {
        self.peers.iter().filter(|(_, peer)| peer.work.is_some()).map(|(id, _)| *id)
    }

    /// Peers whose chain, as far as we know, has less work than this.
    pub(super) fn behind(&self, work: ChainWork) -> Vec<PeerId> {
        let is_behind = |peer: &Peer| peer.work.is_some_and(|own| own < work);
        self.peers.iter().filter(|(_, peer)| is_behind(peer)).map(|(id, _)| *id).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (PeerId, &Peer)> {
        self.peers.iter().map(|(id, peer)| (*id, peer))
    }

    pub(super) fn infos(&self) -> impl Iterator<Item = PeerInfo> {
        self.iter().map(|(peer, own)| PeerInfo {
            peer,
            work: own.work,
            height: own.height,
            in_flight: own.blocks.len(),
            unwritten: own.out.unwritten(),
        })
    }

    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.peers.values().filter_map(Peer::deadline).min().map(|at| self.ahead(at))
    }

    /// A deadline, or the next moment if it has passed: what is overdue waits for a timeout.
    pub(super) fn ahead(&self, at: Timestamp) -> Timestamp {
        at.max(self.now.saturating_add(MOMENT))
    }

    /// Deals with everything that is overdue. Only a timeout tells that nothing has come meanwhile:
    /// with other inputs we may be late ourselves, and the answers wait behind this one.
    fn expire(&mut self) {
        let now = self.now;
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let due: Vec<PeerId> =
            self.iter().filter(|(_, peer)| is_due(peer.deadline())).map(|(id, _)| id).collect();
        for id in due {
            let Some(peer) = self.get_mut(id) else { continue };
            if is_due(peer.out.deadline()) {
                self.cut(id, Violation::Deaf);
                continue;
            }
            let (late_blocks, late_txs) = peer.give_up(now);
            let mut late = late_blocks || late_txs;
            if is_due(peer.headers.asked) {
                (peer.headers.asked, peer.headers.late) = (None, true);
                peer.headers.retry = Some(now.saturating_add(PATIENCE));
                late = true;
            }
            self.retry_txs |= late_txs;
            if late {
                self.strike(id, Violation::Stalled);
            }
        }
    }
}
