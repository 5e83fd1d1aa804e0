//! Keeping up with other ledgers: `wledger/1` as state machines that do no I/O and read no clock.
//!
//! [`LedgerNode`] keeps a whole ledger and serves others, [`LightNode`] follows headers and asks for
//! proofs. Both are driven alike: one [`Input`] after the other, each with the time; the [`Outputs`]
//! of a step are carried out before the next begins; between inputs the driver sleeps until
//! `poll_timeout`.

mod blocks;
mod contract;
mod headers;
mod light;
mod links;
mod peer;
mod serve;
mod txs;
mod unstored;
pub(super) mod wire;

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::time::Duration;

pub use contract::Event;
pub use contract::Input;
pub use contract::Output;
pub use contract::Outputs;
pub use contract::PeerInfo;
pub use contract::Violation;
pub use light::LightNode;

use links::Links;
use unstored::Unstored;
use wire::Item;
use wire::Message;
use wire::Status;

use crate::ledger::block::Block;
use crate::ledger::block::BlockError;
use crate::ledger::block::Unchecked;
use crate::ledger::block::signature::SigCheck;
use crate::ledger::block::signature::Verified;
use crate::ledger::block::tx::Tx;
use crate::ledger::chain::Archive;
use crate::ledger::chain::ChainUpdate;
use crate::ledger::chain::Ledger;
use crate::ledger::chain::Nothing;
use crate::ledger::hash::BlockId;
use crate::ledger::mining::mempool::Mempool;
use crate::ledger::mining::mempool::MempoolError;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// How often transactions that have expired are dropped, at the most.
const SWEEP: Duration = Duration::from_secs(60);

/// How old a block may be and still be announced, though there are headers of newer ones: sixty
/// blocks, so that no peer that is behind hears of more than that one by one.
const ANNOUNCED: Duration = Duration::from_secs(7_200);

/// A ledger among others: follows the chain with the most work, and hands on what it has.
///
/// `A` is where the host keeps blocks. Every [`Event::Chain`] of a step must be written there before
/// the next one.
#[derive(Debug)]
pub struct LedgerNode<A = Nothing> {
    ledger: Ledger,
    mempool: Mempool,
    archive: A,
    links: Links,
    /// Blocks that came before those they build on.
    arrived: BTreeMap<BlockId, (PeerId, Block<Unchecked>)>,
    unstored: Unstored,
    /// When expired transactions were dropped last.
    swept: Timestamp,
}

impl<A: Archive> LedgerNode<A> {
    /// A node without peers.
    pub fn new(ledger: Ledger, archive: A) -> Self {
        Self {
            ledger,
            mempool: Mempool::new(),
            archive,
            links: Links::default(),
            arrived: BTreeMap::new(),
            unstored: Unstored::default(),
            swept: Timestamp::default(),
        }
    }

    /// Takes one step.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Outputs<'_> {
        self.advance(now);
        let status = self.status();
        if let Some((peer, message)) = self.links.take(input, status) {
            self.receive(peer, message);
        }
        self.finish()
    }

    /// Takes in a transaction of our own and tells the peers.
    ///
    /// # Errors
    /// [`MempoolError`] if it could not stand in the next block, or there is no room for it.
    pub fn submit(&mut self, now: Timestamp, tx: Tx) -> Result<Outputs<'_>, MempoolError> {
        self.advance(now);
        let id = tx.id();
        self.mempool.submit(now, tx, &mut self.ledger)?;
        self.announce(&[Item::Tx(id)], None);
        Ok(self.finish())
    }

    /// Takes in a block of our own and tells the peers.
    ///
    /// # Errors
    /// [`BlockError`] if it is not valid.
    pub fn mined(
        &mut self,
        now: Timestamp,
        block: Block<Unchecked>,
    ) -> Result<Outputs<'_>, BlockError> {
        self.advance(now);
        let archive = self.unstored.over(&self.archive);
        let update = self.ledger.accept_block_with(now, block, &archive)?;
        self.adopted(update);
        Ok(self.finish())
    }

    /// The signatures that handling this packet would check: hand them to threads, give the tokens
    /// to [`LedgerNode::trust`], then handle the packet. None, if the peer was not asked for what it
    /// sends: that is not checked at all.
    pub fn sig_checks(
        &self,
        now: Timestamp,
        peer: PeerId,
        code: u8,
        payload: &[u8],
    ) -> Vec<SigCheck> {
        let Some(own) = self.links.get(peer) else { return Vec::new() };
        match Message::decode(code, payload) {
            Ok(Message::Block(bytes)) => match Block::decode(bytes) {
                Ok(block) if own.owes_block(&block.id()) => self.ledger.sig_checks(now, &block),
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }

    /// Remembers signatures that were found good.
    pub fn trust(&mut self, verified: impl IntoIterator<Item = Verified>) {
        self.ledger.trust(verified);
    }

    /// When to call [`LedgerNode::handle`] with [`Input::Timeout`], if nothing else comes first.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.links.deadline()
    }

    /// The ledger.
    pub const fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What waits for a block.
    pub const fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// The host's storage.
    pub const fn archive(&self) -> &A {
        &self.archive
    }

    /// The peers, and how far they are.
    pub fn peers(&self) -> impl Iterator<Item = PeerInfo> {
        self.links.infos()
    }

    fn advance(&mut self, now: Timestamp) {
        if self.links.advance(now).is_some() {
            self.swept = now;
        }
        if self.links.is_drained() {
            self.unstored.clear();
        }
    }

    /// Drops what has expired, asks for what is missing, sends what there is room for.
    fn finish(&mut self) -> Outputs<'_> {
        self.sweep();
        headers::retry(&mut self.links, &self.ledger);
        self.ask_others();
        self.schedule();
        self.serve_all();
        self.links.outputs()
    }

    fn sweep(&mut self) {
        let now = self.links.now();
        if now.saturating_since(self.swept) >= SWEEP {
            self.mempool.expire(now);
            self.swept = now;
        }
    }

    fn receive(&mut self, peer: PeerId, message: Message) {
        match message {
            Message::Status(status) => self.greet(peer, &status),
            Message::GetHeaders { .. }
            | Message::GetBlocks(_)
            | Message::GetTxs(_)
            | Message::GetProof(_) => self.links.want(peer, message),
            Message::Headers(list) => headers::take(&mut self.links, &mut self.ledger, peer, &list),
            Message::Block(bytes) => self.take_block(peer, bytes),
            Message::Inv(items) => self.take_items(peer, &items),
            Message::Tx(bytes) => self.take_tx(peer, &bytes),
            Message::NotFound(item) => self.miss(peer, item),
            // A whole ledger asks for none.
            Message::Proof(_) => self.links.strike(peer, Violation::Unsolicited),
        }
    }

    fn status(&self) -> Status {
        let tip = self.ledger.tip();
        let genesis = self.ledger.params().genesis_id();
        Status { genesis, tip: tip.id, height: tip.height, work: tip.work }
    }

    fn greet(&mut self, peer: PeerId, status: &Status) {
        if !self.links.greet(peer, status, &self.ledger.params().genesis_id()) {
            return;
        }
        // The blocks of our own best headers may be withheld: what counts is what we have.
        if status.work > self.ledger.tip().work {
            headers::ask(&mut self.links, &self.ledger, peer);
        }
        // Our own status may be older than what has come since.
        let tip = self.ledger.tip();
        if tip.work > status.work {
            self.links.tell(peer, &[Item::Block(tip.id)]);
        }
        let best = self.mempool.iter().take(wire::ITEMS_MAX);
        let items: Vec<Item> = best.map(|(tx, _)| Item::Tx(tx.id())).collect();
        if !items.is_empty() {
            self.links.send(peer, Message::Inv(items));
        }
    }

    fn take_items(&mut self, peer: PeerId, items: &[Item]) {
        let txs = items.iter().filter_map(|item| match item {
            Item::Tx(id) => Some(*id),
            _ => None,
        });
        self.take_offer(peer, txs);
        let mut is_unknown = false;
        for item in items {
            let Item::Block(id) = item else { continue };
            match self.ledger.headers().get(id) {
                Some(entry) => self.links.note_work(peer, entry.work, entry.height),
                None => is_unknown |= !self.ledger.headers().is_refused(id),
            }
        }
        if is_unknown {
            headers::ask(&mut self.links, &self.ledger, peer);
        }
    }

    fn miss(&mut self, peer: PeerId, item: Item) {
        match item {
            Item::Block(id) => self.links.lacks(peer, id),
            Item::Tx(id) => self.links.lacks_tx(peer, &id),
            Item::Proof(_) => self.links.strike(peer, Violation::Unsolicited),
        }
    }

    /// Follows an update, and tells host and peers.
    fn adopted(&mut self, mut update: ChainUpdate) {
        if update.store.is_empty() {
            return;
        }
        self.unstored.note(&update.store);
        let is_change = update.is_change();
        if is_change {
            self.mempool.follow(self.links.now(), &mut self.ledger, &update);
        }
        if let Some(depth) = update.deep() {
            self.links.push(Output::Event(Event::DeepReorg { depth }));
        }
        update.returned.retain(|tx| self.mempool.get(&tx.id()).is_some());
        // Peers that were on the other branch all along may never have heard of these.
        let returned: Vec<Item> = update.returned.iter().map(|tx| Item::Tx(tx.id())).collect();
        self.links.push(Output::Event(Event::Chain(update)));
        if is_change && self.is_worth_announcing() {
            let tip = self.ledger.tip();
            for peer in self.links.behind(tip.work) {
                self.links.send(peer, Message::Inv([Item::Block(tip.id)].into()));
            }
        }
        self.announce(&returned, None);
    }

    /// Whether others may not know our newest block. While old ones come in they do. That there are
    /// headers of more is no reason to be silent: their blocks may be withheld.
    fn is_worth_announcing(&self) -> bool {
        let tip = self.ledger.tip();
        let age = self.links.now().saturating_since(tip.header.timestamp());
        age <= ANNOUNCED || tip.id == self.ledger.headers().tip().id
    }

    /// Tells all peers but one that there is something.
    fn announce(&mut self, items: &[Item], but: Option<PeerId>) {
        for peer in self.links.ready().filter(|peer| Some(*peer) != but).collect::<Vec<_>>() {
            for part in items.chunks(wire::ITEMS_MAX) {
                self.links.tell(peer, part);
            }
        }
    }
}
