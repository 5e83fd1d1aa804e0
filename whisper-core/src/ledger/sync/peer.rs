//! What is known of one peer, and what it may still ask for.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use core::time::Duration;

use super::wire::ITEMS_MAX;
use super::wire::Question;
use crate::ledger::block::BLOCK_MAX;
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
const REQUESTS: Budget = Budget { rate: 20, burst: 200 };
/// Bytes that a peer is served. The burst is what a peer that catches up may ask for ahead of its
/// chain; the rate is a line of 32 Mbit/s, at which a year of full blocks takes five hours.
const BYTES: Budget = Budget { rate: 4 << 20, burst: 16 << 20 };
/// The bytes that must be left before an answer is looked up: no answer is larger.
const ANSWER_MAX: u64 = BLOCK_MAX as u64;
/// What an answer costs beside its bytes, so that what is not there is not looked up for nothing.
const LOOK_UP: u64 = 1_024;

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
    allowance: Allowance,
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
            allowance: Allowance::new(REQUESTS, now),
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
        let others =
            [self.headers.asked, self.headers.retry, self.out.deadline(), self.out.next_answer()];
        bodies.chain(others.into_iter().flatten()).min()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let bodies = self.blocks.values_mut().chain(self.txs.values_mut());
        let HeaderRequests { asked, retry, rests, .. } = &mut self.headers;
        let headers = asked.as_mut().into_iter().chain(retry.as_mut());
        let Outbox { proofs, bytes, progress, .. } = &mut self.out;
        let budgets = [&mut self.allowance.since, &mut proofs.since, &mut bytes.since];
        let own = [rests, progress].into_iter().chain(budgets);
        let all = bodies.chain(own).chain(headers);
        all.for_each(|at| *at = at.saturating_sub(by));
    }
}

/// So many tokens a second, and so many at once.
#[derive(Clone, Copy, Debug)]
struct Budget {
    rate: u64,
    burst: u64,
}

/// Tokens in thousandths.
#[derive(Debug)]
struct Allowance {
    budget: Budget,
    tokens: u64,
    since: Timestamp,
}

impl Allowance {
    const fn new(budget: Budget, now: Timestamp) -> Self {
        Self { budget, tokens: budget.burst.saturating_mul(1_000), since: now }
    }

    /// Takes one token. Without one, returns when there is one again.
    fn spend(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.covers(now, 1) {
            self.charge(1);
            return None;
        }
        // Nothing that was read is lost; the peer is not read again until there is a token.
        Some(now.saturating_add(self.span_of(1_000)))
    }

    /// Whether there are so many tokens.
    fn covers(&mut self, now: Timestamp, tokens: u64) -> bool {
        let elapsed = now.as_millis().saturating_sub(self.since.as_millis());
        let earned = elapsed.saturating_mul(self.budget.rate);
        let most = self.budget.burst.saturating_mul(1_000);
        self.tokens = self.tokens.saturating_add(earned).min(most);
        self.since = now;
        self.tokens >= tokens.saturating_mul(1_000)
    }

    const fn charge(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_sub(tokens.saturating_mul(1_000));
    }

    /// When there are so many tokens.
    fn when(&self, tokens: u64) -> Timestamp {
        let lacking = tokens.saturating_mul(1_000).saturating_sub(self.tokens);
        self.since.saturating_add(self.span_of(lacking))
    }

    /// How long it takes to earn so many thousandths.
    const fn span_of(&self, thousandths: u64) -> Duration {
        Duration::from_millis(thousandths.div_ceil(self.budget.rate))
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
    /// Bytes of answers: a socket that takes all at once is no reason to read the whole chain for it.
    bytes: Allowance,
}

impl Outbox {
    const fn new(now: Timestamp) -> Self {
        Self {
            unwritten: 0,
            progress: now,
            wants: VecDeque::new(),
            proofs: Allowance::new(REQUESTS, now),
            bytes: Allowance::new(BYTES, now),
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
            && self.bytes.covers(now, ANSWER_MAX)
            && (!self.is_proof_next() || self.proofs.spend(now).is_none());
        if is_due { self.wants.pop_front() } else { None }
    }

    /// Takes what an answer has cost off the budget.
    pub(super) fn charge(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.bytes.charge(bytes.saturating_add(LOOK_UP));
    }

    /// When the budgets cover an answer that waits for nothing else.
    fn next_answer(&self) -> Option<Timestamp> {
        let waits = self.has_room() && !self.wants.is_empty();
        let proof = self.is_proof_next().then(|| self.proofs.when(1));
        waits.then(|| proof.into_iter().fold(self.bytes.when(ANSWER_MAX), Ord::max))
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
