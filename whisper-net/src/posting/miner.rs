//! The search for nonces: many threads, several drafts, the shortest search first.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::time::Timestamp;

use super::PostId;
use super::intake::Parcel;

/// Searches for the nonces of drafts, in turns of some milliseconds on tokio's blocking threads.
///
/// A search has no memory: a turn that ends without a nonce has lost nothing, so a draft is dated
/// anew, given up or put behind a shorter one between any two turns.
pub(crate) struct Miner {
    threads: usize,
    rate: Rate,
    jobs: Vec<Job>,
    turns: JoinSet<Report>,
}

/// A draft whose nonce is wanted.
struct Job {
    id: PostId,
    target: Rating,
    backdate: Duration,
    work: Work,
    dated: Arc<Dated>,
    next_nonce: u64,
    turns: usize,
    stop: Stop,
}

/// A draft at its present date.
struct Dated {
    draft: Draft,
    search: Search,
    at: Timestamp,
}

/// Set, it ends the turns of one job.
struct Stop(Arc<AtomicBool>);

/// How one turn went.
enum Report {
    /// A draft was searched on.
    Searched { id: PostId, dated: Arc<Dated>, nonce: Option<u64>, tries: u64, span: Duration },
    /// Only the speed was measured.
    Measured { tries: u64, span: Duration },
}

/// What a miner has found.
pub(crate) struct Mined {
    pub(crate) id: PostId,
    pub(crate) envelope: Envelope,
}

impl Miner {
    /// A miner on so many threads.
    pub(crate) fn new(threads: NonZeroUsize) -> Self {
        let threads = threads.get();
        Self { threads, rate: Rate::default(), jobs: Vec::new(), turns: JoinSet::new() }
    }

    /// Measures the speed, unless turns do already. [`Miner::next`] returns when that is done.
    pub(crate) fn measure(&mut self) {
        if self.turns.is_empty() {
            self.turns.spawn_blocking(measure);
        }
    }

    /// How long `work` takes on average; nothing before the speed is measured.
    pub(crate) fn expected(&self, work: Work) -> Option<Duration> {
        let per_second = self.rate.per_second? * self.threads as f64;
        let seconds = work.expected_tries() / per_second;
        Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
    }

    /// Begins to search for the nonce of `draft`, a parcel's at its present date.
    pub(crate) fn add(
        &mut self,
        id: PostId,
        now: Timestamp,
        parcel: &Parcel,
        draft: Draft,
        target: Rating,
    ) {
        self.jobs.push(Job {
            id,
            target,
            backdate: parcel.backdate,
            work: draft.work_for(target),
            dated: Dated::new(now, draft),
            next_nonce: parcel.nonce,
            turns: 0,
            stop: Stop(Arc::default()),
        });
    }

    /// Gives a draft up. Its turns end within a millisecond.
    pub(crate) fn cancel(&mut self, id: PostId) {
        self.jobs.retain(|job| job.id != id);
    }

    /// Waits until a draft is finished, or the speed is measured, which gives nothing. Safe to cancel:
    /// the turns go on, what they report is kept. Never returns while there is nothing to do.
    pub(crate) async fn next(&mut self, now: impl Fn() -> Timestamp) -> Option<Mined> {
        loop {
            self.fill_turns(now());
            match self.turns.join_next().await {
                None => return std::future::pending().await,
                // Neither is a turn ever aborted, nor does it panic.
                Some(Err(_)) => (),
                Some(Ok(Report::Measured { tries, span })) => {
                    self.rate = Rate::default();
                    self.rate.note(tries, span);
                    return None;
                }
                Some(Ok(Report::Searched { id, dated, nonce, tries, span })) => {
                    self.rate.note(tries, span);
                    if let Some(mined) = self.finish(id, dated, nonce) {
                        return Some(mined);
                    }
                }
            }
        }
    }

    fn finish(&mut self, id: PostId, dated: Arc<Dated>, nonce: Option<u64>) -> Option<Mined> {
        let index = self.jobs.iter().position(|job| job.id == id)?;
        let Some(nonce) = nonce else {
            let job = self.jobs.get_mut(index)?;
            job.turns = job.turns.saturating_sub(1);
            return None;
        };
        self.jobs.swap_remove(index);
        let draft =
            Arc::try_unwrap(dated).map_or_else(|dated| dated.draft.clone(), |own| own.draft);
        Some(Mined { id, envelope: draft.seal(nonce) })
    }

    /// Gives idle threads the shortest searches. A short search gets one thread: more would find it
    /// twice.
    fn fill_turns(&mut self, now: Timestamp) {
        self.jobs.sort_by_key(|job| job.work);
        for job in &mut self.jobs {
            let most = if job.work <= SHORT { 1 } else { self.threads };
            while job.turns < most && self.turns.len() < self.threads {
                job.date(now);
                let turn = job.take_turn(self.rate.tries_in(TURN));
                self.turns.spawn_blocking(turn);
            }
        }
    }
}

impl Job {
    /// Dates the draft anew after a quarter of its life, so that it never leaves half dead.
    fn date(&mut self, now: Timestamp) {
        let Dated { draft, at, .. } = &*self.dated;
        if now.saturating_since(*at) < draft.ttl() / 4 && now >= *at {
            return;
        }
        // Beyond the year 2106 the old date has to do.
        if let Ok(draft) = draft.clone().dated(now.saturating_sub(self.backdate)) {
            self.work = draft.work_for(self.target);
            self.dated = Dated::new(now, draft);
        }
    }

    fn take_turn(&mut self, tries: u64) -> impl FnOnce() -> Report + Send + 'static {
        if self.next_nonce.checked_add(tries).is_none() {
            self.next_nonce = 0;
        }
        let start = self.next_nonce;
        self.next_nonce = start.saturating_add(tries);
        self.turns = self.turns.saturating_add(1);
        let (id, work, end) = (self.id, self.work, self.next_nonce);
        let (dated, stop) = (Arc::clone(&self.dated), Arc::clone(&self.stop.0));
        move || {
            let begin = Instant::now();
            let mut at = start;
            let mut nonce = None;
            while at < end && nonce.is_none() && !stop.load(Ordering::Relaxed) {
                let chunk = at.saturating_add(CHUNK).min(end);
                nonce = dated.search.find(at..chunk, work);
                at = chunk;
            }
            if nonce.is_some() {
                stop.store(true, Ordering::Relaxed);
            }
            let tries = nonce.unwrap_or(at).saturating_sub(start);
            Report::Searched { id, dated, nonce, tries, span: begin.elapsed() }
        }
    }
}

impl Dated {
    fn new(at: Timestamp, draft: Draft) -> Arc<Self> {
        Arc::new(Self { search: draft.search(), draft, at })
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The speed of one thread, as lately measured.
#[derive(Default)]
struct Rate {
    per_second: Option<f64>,
}

impl Rate {
    /// Takes a measurement. Short ones tell more of the clock than of the search.
    fn note(&mut self, tries: u64, span: Duration) {
        if tries < CHUNK || span.is_zero() {
            return;
        }
        let measured = tries as f64 / span.as_secs_f64();
        let before = self.per_second.unwrap_or(measured);
        self.per_second = Some(before + (measured - before) / 8.0);
    }

    fn tries_in(&self, span: Duration) -> u64 {
        let tries = self.per_second.unwrap_or(ASSUMED_RATE) * span.as_secs_f64();
        (tries as u64).max(CHUNK)
    }
}

/// Tries on a prefix of nobody for a work that nobody finds, and takes the best of some rounds: what
/// else this machine does only slows them.
fn measure() -> Report {
    let search = Search::new(&[0; 32]);
    let round = |_| {
        let begin = Instant::now();
        std::hint::black_box(search.find(0..MEASURED, Work::MAX));
        begin.elapsed()
    };
    let span = (0..ROUNDS).map(round).min().unwrap_or_default();
    Report::Measured { tries: MEASURED, span }
}

/// A turn is long against waking a thread, and short against the patience of whoever waits for a
/// shorter search.
const TURN: Duration = Duration::from_millis(20);
/// Tries between two looks at the stop flag: under a millisecond.
const CHUNK: u64 = 512;
/// Some 20 ms on one thread.
const SHORT: Work = Work::new(14);
/// Rounds of a measurement, 2 to 10 ms in all.
const ROUNDS: usize = 8;
/// Tries of each.
const MEASURED: u64 = 1 << 10;
/// Tries a second of one thread, until measured.
const ASSUMED_RATE: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use whisper_core::topic::Topic;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn miner() -> Miner {
        Miner::new(NonZeroUsize::MIN.saturating_add(1))
    }

    fn add(miner: &mut Miner, number: u64, target: Rating, nonce: u64) {
        let draft = Draft::new(NOW, Duration::from_secs(40), Topic::default(), vec![1; 300]);
        let draft = draft.unwrap();
        let (backdate, patience) = (Duration::ZERO, Duration::MAX);
        let parcel = Parcel { draft: draft.clone(), backdate, target: None, patience, nonce };
        miner.add(id(number), NOW, &parcel, draft, target);
    }

    fn rating_of(work: u16) -> Rating {
        Rating::compute(Work::new(work), 360, 40)
    }

    fn id(number: u64) -> PostId {
        PostId::new(number)
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_mined_reaches_its_target() {
        let mut miner = miner();
        let target = Rating::new(0.5).unwrap();
        add(&mut miner, 1, target, u64::MAX - 5);
        let mined = miner.next(|| NOW).await.unwrap();
        assert_eq!(mined.id, id(1));
        assert!(mined.envelope.rating() >= target);
        assert_eq!(mined.envelope.issued(), Some(NOW.as_secs()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_search_overtakes_an_endless_one() {
        let mut miner = miner();
        add(&mut miner, 1, rating_of(80), 0);
        assert!(tokio::time::timeout(Duration::ZERO, miner.next(|| NOW)).await.is_err());
        add(&mut miner, 2, rating_of(4), 0);
        assert_eq!(miner.next(|| NOW).await.unwrap().id, id(2));
        miner.cancel(id(1));
        let idle = Duration::from_secs(1_000);
        assert!(tokio::time::timeout(idle, miner.next(|| NOW)).await.is_err());
        assert_eq!((miner.jobs.len(), miner.turns.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_draft_is_dated_anew_after_a_quarter_of_its_life() {
        for (later, issued) in [(9, 0), (10, 10), (35, 35)] {
            let mut miner = miner();
            add(&mut miner, 1, rating_of(10), 0);
            let later = NOW.saturating_add(Duration::from_secs(later));
            let mined = miner.next(|| later).await.unwrap();
            assert_eq!(mined.envelope.issued(), Some(NOW.as_secs() + issued));
            assert!(mined.envelope.rating() >= rating_of(10));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_expected_time_doubles_with_each_bit() {
        let mut miner = miner();
        assert_eq!(miner.expected(Work::new(20)), None);
        miner.measure();
        assert!(miner.next(|| NOW).await.is_none());
        let [less, more] = [20, 21].map(|bits| miner.expected(Work::new(bits)).unwrap());
        assert!(less > Duration::ZERO);
        assert!((more.as_secs_f64() / less.as_secs_f64() - 2.0).abs() < 1e-6);
        assert_eq!(miner.expected(Work::MAX), Some(Duration::MAX));
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_was_busy_once_is_measured_anew() {
        let mut miner = miner();
        miner.rate.note(CHUNK, Duration::from_secs(1_000));
        let busy = miner.expected(Work::new(20)).unwrap();
        miner.measure();
        assert!(miner.next(|| NOW).await.is_none());
        assert!(miner.expected(Work::new(20)).unwrap() < busy / 100);
    }
}
