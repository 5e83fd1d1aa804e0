//! Mining: threads that search for the next block, on request or without end.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;
use std::time::Instant;

use tokio::sync::watch;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Mempool;
use whisper_core::ledger::Template;
use whisper_core::ledger::TemplateError;
use whisper_core::ledger::Unchecked;
use whisper_core::time::Timestamp;

use super::fault::Failure;
use super::fault::LedgerEnded;

/// A block that was asked for. Dropping this cancels the request.
pub struct Mining {
    state: watch::Receiver<State>,
    failure: Failure,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Hashes that were tried for this request.
    pub hashes: u64,
    /// Hashes a second.
    pub per_second: f64,
    /// Hashes that a block takes on average. A search has no memory: what was tried before does not
    /// bring a block nearer.
    pub expected: f64,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum State {
    Searching(Progress),
    Found(BlockId),
    /// Our clock is behind the chain: no block could be valid.
    Impossible(TemplateError),
}

impl Mining {
    pub(super) const fn new(state: watch::Receiver<State>, failure: Failure) -> Self {
        Self { state, failure }
    }

    /// How far the search is; nothing once it is over.
    pub fn progress(&self) -> Option<Progress> {
        match *self.state.borrow() {
            State::Searching(progress) => Some(progress),
            _ => None,
        }
    }

    /// Waits until the progress has changed, or the search is over. Safe to cancel.
    pub async fn changed(&mut self) {
        // The end shows in what is asked next.
        let _ = self.state.changed().await;
    }

    /// Waits for a block of ours that stands on the chain. Safe to cancel.
    ///
    /// # Errors
    /// [`MiningEnded`] if there can be none.
    pub async fn found(&mut self) -> Result<BlockId, MiningEnded> {
        let over = self.state.wait_for(|state| !matches!(state, State::Searching(_))).await;
        match *over.map_err(|_| MiningEnded::Ended(self.failure.ended()))? {
            State::Found(id) => Ok(id),
            State::Impossible(why) => Err(MiningEnded::Impossible(why)),
            State::Searching(_) => Err(MiningEnded::Ended(self.failure.ended())),
        }
    }
}

impl fmt::Debug for Mining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Mining").field(&*self.state.borrow()).finish()
    }
}

/// Why a block that was asked for does not come.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MiningEnded {
    /// The ledger has ended.
    #[error(transparent)]
    Ended(LedgerEnded),
    /// No block could be valid now.
    #[error("no block could be valid now: {0}")]
    Impossible(TemplateError),
}

/// Where found blocks go.
pub(super) type Found = Arc<dyn Fn(Block<Unchecked>) + Send + Sync>;

/// The threads that search, and the requests that they search for.
pub(super) struct MinerPool {
    tag: Vec<u8>,
    threads: NonZeroUsize,
    found: Found,
    requests: Vec<Request>,
    /// Whether to mine without end.
    on: bool,
    round: Option<Round>,
}

struct Request {
    state: watch::Sender<State>,
    hashes: u64,
}

/// Threads that search on top of one block.
struct Round {
    parent: BlockId,
    begun: Timestamp,
    expected: f64,
    stop: Arc<AtomicBool>,
    hashes: Arc<AtomicU64>,
    /// When the hashes were counted last.
    counted: Instant,
}

impl MinerPool {
    pub(super) const fn new(tag: Vec<u8>, threads: NonZeroUsize, found: Found) -> Self {
        Self { tag, threads, found, requests: Vec::new(), on: false, round: None }
    }

    /// Takes a request for a block.
    pub(super) fn request(&mut self) -> watch::Receiver<State> {
        let (state, watched) = watch::channel(State::Searching(Progress::default()));
        self.requests.push(Request { state, hashes: 0 });
        watched
    }

    /// Mines without end, or no more.
    pub(super) const fn keep(&mut self, on: bool) {
        self.on = on;
    }

    /// A block of ours stands on the chain: every request is met.
    pub(super) fn found(&mut self, id: BlockId) {
        for request in self.requests.drain(..) {
            request.state.send_replace(State::Found(id));
        }
        self.round = None;
    }

    /// Sees to it that threads search on top of the tip, if anybody wants that.
    pub(super) fn tend(&mut self, now: Timestamp, ledger: &Ledger, mempool: &Mempool) {
        self.requests.retain(|request| !request.state.is_closed());
        if self.requests.is_empty() && !self.on {
            self.round = None;
            return;
        }
        self.report();
        let tip = ledger.tip().id;
        let is_fresh = |round: &Round| {
            let age = now.saturating_since(round.begun);
            round.parent == tip && age < FRESH && round.begun <= now
        };
        if !self.round.as_ref().is_some_and(is_fresh) {
            self.round = None;
            match self.begin(now, ledger, mempool) {
                Ok(round) => self.round = Some(round),
                Err(why) => self.give_up(why),
            }
        }
    }

    pub(super) fn until_next(&self) -> Option<Duration> {
        (self.on || !self.requests.is_empty()).then_some(REPORT)
    }

    fn give_up(&mut self, why: TemplateError) {
        for request in self.requests.drain(..) {
            request.state.send_replace(State::Impossible(why));
        }
    }

    /// Tells each request how far the search is.
    fn report(&mut self) {
        let Some(round) = &mut self.round else { return };
        let span = round.counted.elapsed();
        if span < REPORT {
            return;
        }
        let hashes = round.hashes.swap(0, Ordering::Relaxed);
        round.counted = Instant::now();
        let per_second = hashes as f64 / span.as_secs_f64();
        for request in &mut self.requests {
            request.hashes = request.hashes.saturating_add(hashes);
            let progress =
                Progress { hashes: request.hashes, per_second, expected: round.expected };
            request.state.send_replace(State::Searching(progress));
        }
    }

    fn begin(
        &self,
        now: Timestamp,
        ledger: &Ledger,
        mempool: &Mempool,
    ) -> Result<Round, TemplateError> {
        let txs = mempool.select(ledger);
        let stop = Arc::new(AtomicBool::new(false));
        let hashes = Arc::new(AtomicU64::new(0));
        let (mut parent, mut expected) = (BlockId::NONE, 0.0);
        for number in 0..self.threads.get() {
            let tag = [self.tag.as_slice(), &number.to_le_bytes()].concat();
            let template = Template::new(now, ledger, txs.iter().cloned(), &tag)?;
            (parent, expected) = (template.parent(), as_number(&template.work().to_bytes()));
            let (stop, hashes, found) =
                (Arc::clone(&stop), Arc::clone(&hashes), Arc::clone(&self.found));
            let search = move || search(template, &stop, &hashes, &*found);
            if let Err(error) = thread::Builder::new().name("whisper-miner".into()).spawn(search) {
                tracing::warn!(%error, "a miner cannot begin");
            }
        }
        Ok(Round { parent, begun: now, expected, stop, hashes, counted: Instant::now() })
    }
}

impl Drop for Round {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What a thread does until a block is found or the round is over.
fn search(
    template: Template,
    stop: &AtomicBool,
    hashes: &AtomicU64,
    found: &dyn Fn(Block<Unchecked>),
) {
    let mut miner = BlockMiner::new(template);
    while !stop.load(Ordering::Relaxed) {
        let block = miner.search(CHUNK);
        hashes.fetch_add(CHUNK, Ordering::Relaxed);
        if let Some(block) = block {
            stop.store(true, Ordering::Relaxed);
            found(block);
        }
    }
}

/// A little-endian number, as near as a float comes.
fn as_number(bytes: &[u8; 32]) -> f64 {
    bytes.iter().rev().fold(0.0, |number, byte| number * 256.0 + f64::from(*byte))
}

/// How long a candidate is searched before its time and its transactions are looked at again.
const FRESH: Duration = Duration::from_secs(10);
/// How often progress is told, and dropped requests are noticed.
const REPORT: Duration = Duration::from_millis(250);
/// Hashes between two looks at the stop flag: a millisecond or two.
const CHUNK: u64 = 4_096;
