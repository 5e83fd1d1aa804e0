//! What is known of one peer, and what it may still ask for.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use core::time::Duration;

use super::wire::ITEMS_MAX;
use super::wire::Question;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::headers::Scan;
use crate::ledger::pow::ChainWork;
use crate::time::Timestamp;

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
const RATE: u64 = 20;
const BURST: u64 = 200;

/// One peer. As long as it does not say its status it is neither asked nor served, and may stay: the
/// connection is the relay's as well, which has its own greeting, and the ledger that belongs to it
/// may begin later or have ended. That a status comes within five seconds binds those who run one.
#[derive(Debug)]
pub(super) struct Peer {
    /// The work of the best chain that it has shown; nothing before its status.
    pub(super) work: Option<ChainWork>,
    pub(super) height: u32,
    /// Until when headers must have come, if it was asked for some.
    pub(super) asked: Option<Timestamp>,
    /// Whether headers were given up lately: should they come, nobody is to blame.
    pub(super) late_headers: bool,
    /// Whether to ask again when they have come.
    pub(super) again: bool,
    /// Not to be asked for headers before then: its branch had less work.
    pub(super) rests: Timestamp,
    pub(super) scan: Option<Scan<Keccak256>>,
    /// Blocks that it was asked for, and until when each must have come.
    pub(super) blocks: BTreeMap<BlockId, Timestamp>,
    /// Transactions that it was asked for, and until when each must have come.
    pub(super) txs: BTreeMap<TxId, Timestamp>,
    /// Blocks and transactions that were given up lately: should they come, nobody is to blame.
    late: BTreeSet<[u8; 32]>,
    /// Transactions that it has and was not asked for yet.
    pub(super) offered: BTreeSet<TxId>,
    /// When to ask for headers again that were too new, or did not come.
    pub(super) retry: Option<Timestamp>,
    /// Blocks that it says it does not have.
    pub(super) lacks: BTreeSet<BlockId>,
    pub(super) strikes: u8,
    allowance: Allowance,
    pub(super) out: Outbox,
}

impl Peer {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            work: None,
            height: 0,
            asked: None,
            late_headers: false,
            again: false,
            rests: Timestamp::default(),
            scan: None,
            blocks: BTreeMap::new(),
            txs: BTreeMap::new(),
            late: BTreeSet::new(),
            offered: BTreeSet::new(),
            retry: None,
            lacks: BTreeSet::new(),
            strikes: 0,
            allowance: Allowance::new(now),
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
    /// that was too much.
    pub(super) fn spend(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.allowance.spend(now)
    }

    /// The next moment at which something is overdue.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let bodies = self.blocks.values().chain(self.txs.values()).copied();
        let others = [self.asked, self.retry, self.out.deadline(), self.out.next_proof()];
        bodies.chain(others.into_iter().flatten()).min()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let bodies = self.blocks.values_mut().chain(self.txs.values_mut());
        let budgets = [&mut self.allowance.since, &mut self.out.proofs.since];
        let own = [&mut self.rests, &mut self.out.progress].into_iter().chain(budgets);
        let all = bodies.chain(own).chain(self.asked.as_mut()).chain(self.retry.as_mut());
        all.for_each(|at| *at = at.saturating_sub(by));
    }
}

/// Tokens in thousandths.
#[derive(Debug)]
struct Allowance {
    tokens: u64,
    since: Timestamp,
}

impl Allowance {
    const fn new(now: Timestamp) -> Self {
        Self { tokens: BURST * 1_000, since: now }
    }

    fn spend(&mut self, now: Timestamp) -> Option<Timestamp> {
        let elapsed = now.as_millis().saturating_sub(self.since.as_millis());
        let earned = elapsed.saturating_mul(RATE);
        self.tokens = self.tokens.saturating_add(earned).min(BURST * 1_000);
        self.since = now;
        match self.tokens.checked_sub(1_000) {
            Some(left) => {
                self.tokens = left;
                None
            }
            // Nothing that was read is lost; the peer is not read again until there is a token.
            None => Some(now.saturating_add(Duration::from_millis(1_000 / RATE))),
        }
    }

    /// When there is a token.
    fn next(&self) -> Timestamp {
        let lacking = 1_000_u64.saturating_sub(self.tokens);
        self.since.saturating_add(Duration::from_millis(lacking.div_ceil(RATE)))
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
    unwritten: usize,
    /// When the socket last took something, or had nothing to take.
    progress: Timestamp,
    wants: VecDeque<Want>,
    /// Proofs cost milliseconds, and asking for one costs nothing: what is asked beyond the budget
    /// waits, since to leave the peer unread would come too late for what was read already.
    proofs: Allowance,
}

impl Outbox {
    const fn new(now: Timestamp) -> Self {
        let wants = VecDeque::new();
        Self { unwritten: 0, progress: now, wants, proofs: Allowance::new(now) }
    }

    /// Remembers a request, if there are not too many.
    pub(super) fn push(&mut self, want: Want) -> bool {
        let fits = self.wants.len() < WANTS;
        if fits {
            self.wants.push_back(want);
        }
        fits
    }

    /// The next request to answer, if there is room for the answer and the budget covers it.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Want> {
        let is_due = self.has_room() && (!self.is_proof_next() || self.proofs.spend(now).is_none());
        if is_due { self.wants.pop_front() } else { None }
    }

    /// When a proof that waits for nothing else can be made.
    fn next_proof(&self) -> Option<Timestamp> {
        (self.has_room() && self.is_proof_next()).then(|| self.proofs.next())
    }

    fn is_proof_next(&self) -> bool {
        matches!(self.wants.front(), Some(Want::Proof(_)))
    }

    pub(super) const fn has_room(&self) -> bool {
        self.unwritten < WINDOW
    }

    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten
    }

    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize) {
        if self.unwritten == 0 {
            self.progress = now;
        }
        self.unwritten = self.unwritten.saturating_add(bytes);
    }

    pub(super) fn written(&mut self, now: Timestamp, bytes: usize) {
        self.unwritten = self.unwritten.saturating_sub(bytes);
        if bytes > 0 {
            self.progress = now;
        }
    }

    /// Until when the socket must have taken something.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        (self.unwritten > 0).then(|| self.progress.saturating_add(DEAF))
    }
}
