//! What is known of one peer, and what it may still ask for.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use core::time::Duration;

use super::wire::ITEMS_MAX;
use super::wire::Question;
use crate::bucket::Bucket;
use crate::bucket::Rate;
use crate::ledger::block::BLOCK_MAX;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::headers::Scan;
use crate::ledger::pow::ChainWork;
use crate::time::Timestamp;
use crate::unwritten::Unwritten;

/// How long a peer may take to answer, and how long for each block that it is asked for.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How long a socket may take nothing.
const DEAF: Duration = Duration::from_secs(20);
/// How many bytes may be unwritten before nothing more is served.
const WINDOW: usize = 1_024 * 1_024;
/// How many answers may wait for room.
const WANTS: usize = 256;
/// How many answers that were given up are remembered.
const LATE: usize = 256;
/// How often a peer may do what an honest one does rarely.
pub(super) const STRIKES: u8 = 3;
/// Requests and announcements that a peer may send, and proofs that it is given: so many a second,
/// and so many at once.
const REQUESTS: Rate = Rate::per_second(20, 200);
/// Bytes that a peer is served: 16 MiB at once, of which the last answer, a block at most, may be
/// a debt. The burst is what a peer that catches up may ask for ahead of its chain; the rate is a
/// line of 32 Mbit/s, at which a year of full blocks takes five hours.
const BYTES: Rate = Rate::per_second(4 << 20, (16 << 20) - BLOCK_MAX as u32);
/// What an answer costs beside its bytes, so that what is not there is not looked up for nothing.
const LOOK_UP: usize = 1_024;

/// One peer. As long as it does not say its status it is neither asked nor served, and may stay: the
/// connection is the relay's as well, which has its own greeting, and the ledger that belongs to it
/// may begin later or have ended. That a status comes within five seconds binds peers that run one.
#[derive(Debug)]
pub(super) struct Peer {
    /// The work of the best chain that it has shown; nothing before its status.
    pub(super) work: Option<ChainWork>,
    pub(super) height: u32,
    pub(super) headers: HeaderRequests,
    /// Blocks that it was asked for, and until when each must have come.
    pub(super) blocks: BTreeMap<BlockId, Timestamp>,
    /// Transactions that it was asked for, and until when each must have come.
    pub(super) txs: BTreeMap<TxId, Timestamp>,
    /// Blocks and transactions that were given up lately: should they come, the peer is not to blame.
    late: BTreeSet<[u8; 32]>,
    /// Transactions that it has and was not asked for yet.
    pub(super) offered: BTreeSet<TxId>,
    /// Blocks that it says it does not have, as long as its chain does not grow.
    pub(super) lacks: BTreeSet<BlockId>,
    pub(super) strikes: u8,
    requests: Bucket,
    pub(super) out: Outbox,
}

/// What a peer was asked for of its headers.
#[derive(Debug, Default)]
pub(super) struct HeaderRequests {
    /// Until when headers must have come, if it was asked for some.
    pub(super) asked: Option<Timestamp>,
    /// Whether headers were given up lately: should they come, the peer is not to blame.
    pub(super) late: bool,
    /// Whether to ask again when they have come.
    pub(super) again: bool,
    /// When to ask again for headers that were too new, or did not come.
    pub(super) retry: Option<Timestamp>,
    /// Not to be asked before then: its branch had less work.
    pub(super) rests: Timestamp,
    /// A deep branch that goes by.
    pub(super) scan: Option<Scan<Keccak256>>,
}

impl Peer {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            work: None,
            height: 0,
            headers: HeaderRequests::default(),
            blocks: BTreeMap::new(),
            txs: BTreeMap::new(),
            late: BTreeSet::new(),
            offered: BTreeSet::new(),
            lacks: BTreeSet::new(),
            strikes: 0,
            requests: Bucket::full(now, REQUESTS),
            out: Outbox::new(now),
        }
    }

    /// Remembers that the peer has a transaction, as long as that are not too many.
    pub(super) fn offer(&mut self, id: TxId) {
        if self.offered.len() < ITEMS_MAX {
            self.offered.insert(id);
        }
    }

    /// Whether the peer was asked for this block.
    pub(super) fn owes_block(&self, id: &BlockId) -> bool {
        self.blocks.contains_key(id) || self.late.contains(id.as_bytes())
    }

    /// Whether the peer was asked for this block, and no longer is.
    pub(super) fn take_block(&mut self, id: &BlockId) -> bool {
        self.blocks.remove(id).is_some() || self.late.remove(id.as_bytes())
    }

    /// Whether the peer was asked for this transaction, and no longer is.
    pub(super) fn take_tx(&mut self, id: &TxId) -> bool {
        self.txs.remove(id).is_some() || self.late.remove(id.as_bytes())
    }

    /// Gives up what should have come by now: whether there were blocks, and transactions.
    pub(super) fn give_up(&mut self, now: Timestamp) -> (bool, bool) {
        let Self { blocks, txs, late, .. } = self;
        let before = (blocks.len(), txs.len());
        if late.len() > LATE {
            late.clear();
        }
        let mut is_early = |id: &[u8; 32], until: Timestamp| {
            until > now || {
                late.insert(*id);
                false
            }
        };
        blocks.retain(|id, until| is_early(id.as_bytes(), *until));
        txs.retain(|id, until| is_early(id.as_bytes(), *until));
        (blocks.len() < before.0, txs.len() < before.1)
    }

    /// Takes one request or announcement off what the peer may send; when it may send again, if
    /// that was too much. Nothing that was read is lost.
    pub(super) fn spend(&mut self, now: Timestamp) -> Option<Timestamp> {
        (!self.requests.try_spend(now, 1)).then(|| self.requests.ready_at())
    }

    /// The next moment at which something is overdue.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let bodies = self.blocks.values().chain(self.txs.values()).copied();
        let others =
            [self.headers.asked, self.headers.retry, self.out.deadline(), self.out.next_answer()];
        bodies.chain(others.into_iter().flatten()).min()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let bodies = self.blocks.values_mut().chain(self.txs.values_mut());
        let HeaderRequests { asked, retry, rests, .. } = &mut self.headers;
        let headers = asked.as_mut().into_iter().chain(retry.as_mut());
        let Outbox { unwritten, proofs, bytes, .. } = &mut self.out;
        bodies.chain([rests]).chain(headers).for_each(|at| *at = at.saturating_sub(by));
        unwritten.shift_back(by);
        [&mut self.requests, proofs, bytes].into_iter().for_each(|bucket| bucket.shift_back(by));
    }
}

/// Something a peer has asked for.
#[derive(Clone, Debug)]
pub(super) enum Want {
    Headers(alloc::vec::Vec<BlockId>, BlockId),
    Block(BlockId),
    Tx(TxId),
    Proof(Question),
}

/// What goes out to a peer: answers are made when there is room for them, so that a slow peer costs
/// the room and a list of requests.
#[derive(Debug)]
pub(super) struct Outbox {
    unwritten: Unwritten,
    wants: VecDeque<Want>,
    /// Proofs cost milliseconds, and asking for one costs nothing: what is asked beyond the budget
    /// waits, since to leave the peer unread would come too late for what was read already.
    proofs: Bucket,
    /// Bytes of answers: a socket that takes all at once is no reason to read the whole chain for it.
    bytes: Bucket,
}

impl Outbox {
    fn new(now: Timestamp) -> Self {
        Self {
            unwritten: Unwritten::default(),
            wants: VecDeque::new(),
            proofs: Bucket::full(now, REQUESTS),
            bytes: Bucket::full(now, BYTES),
        }
    }

    /// Remembers a request, if there are not too many.
    pub(super) fn push(&mut self, want: Want) -> bool {
        let fits = self.wants.len() < WANTS;
        if fits {
            self.wants.push_back(want);
        }
        fits
    }

    /// The next request to answer, if there is room for the answer and the budgets cover it.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Want> {
        let is_due = self.has_room()
            && self.bytes.in_debt_until().is_none_or(|until| until <= now)
            && (!self.is_proof_next() || self.proofs.try_spend(now, 1));
        if is_due { self.wants.pop_front() } else { None }
    }

    /// Takes what an answer has cost off the budget.
    pub(super) fn charge(&mut self, now: Timestamp, bytes: usize) {
        self.bytes.spend(now, bytes.saturating_add(LOOK_UP));
    }

    /// When the budgets cover an answer that waits for nothing else.
    fn next_answer(&self) -> Option<Timestamp> {
        let waits = self.has_room() && !self.wants.is_empty();
        let proof = self.is_proof_next().then(|| self.proofs.ready_at());
        self.bytes.in_debt_until().max(proof).filter(|_| waits)
    }

    fn is_proof_next(&self) -> bool {
        matches!(self.wants.front(), Some(Want::Proof(_)))
    }

    pub(super) const fn has_room(&self) -> bool {
        self.unwritten.bytes() < WINDOW
    }

    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten.bytes()
    }

    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize) {
        self.unwritten.sent(now, bytes);
    }

    pub(super) fn written(&mut self, now: Timestamp, bytes: usize) {
        self.unwritten.written(now, bytes);
    }

    /// Until when the socket must have taken something.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.unwritten.stalls_at(DEAF)
    }
}
