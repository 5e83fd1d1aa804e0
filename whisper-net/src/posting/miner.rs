//! The search for nonces on several threads. Short searches come first, and no search starves.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::Instant;

use tokio::task::JoinSet;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::identity::PublicKey;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::time::Timestamp;

use super::PostId;
use super::intake::Submission;
use super::state::PostError;

/// Searches for the nonces of drafts, in rounds of some milliseconds on tokio's blocking threads.
///
/// A search has no memory: a round that ends without a nonce has lost nothing. So a draft is dated
/// again, given up or put behind a shorter one between any two rounds.
pub(crate) struct Miner {
    threads: usize,
    rate: Rate,
    /// In the order in which they were added.
    jobs: Vec<Job>,
    rounds: JoinSet<Report>,
    /// Whether the next round is the oldest job's, and not the shortest's.
    oldest_is_next: bool,
}

/// A draft whose nonce is wanted.
struct Job {
    id: PostId,
    target: Rating,
    backdate: Duration,
    work: Work,
    dated: Arc<Dated>,
    next_nonce: u64,
    lane: Option<PublicKey>,
    rounds: usize,
    stop: Stop,
    /// Set once the search is over: jobs before this one may hold it back.
    found: Option<Envelope>,
}

/// A draft at its present date.
struct Dated {
    draft: Draft,
    search: Search,
    at: Timestamp,
}

/// Set, it ends the rounds of one job.
struct Stop(Arc<AtomicBool>);

/// How one round went.
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
    /// A pool of so many threads.
    pub(crate) fn new(threads: NonZeroUsize) -> Self {
        let threads = threads.get();
        let (rate, rounds) = (Rate::default(), JoinSet::new());
        Self { threads, rate, jobs: Vec::new(), rounds, oldest_is_next: false }
    }

    /// Whether the speed is known.
    pub(crate) const fn is_measured(&self) -> bool {
        self.rate.per_second.is_some()
    }

    /// Whether another job may be added.
    pub(crate) const fn has_room(&self) -> bool {
        self.jobs.len() < MOST_JOBS
    }

    /// Measures the speed, unless rounds do already. [`Miner::next`] rerounds when that is done.
    pub(crate) fn measure(&mut self) {
        if self.rounds.is_empty() {
            self.rounds.spawn_blocking(measure);
        }
    }

    /// How long `work` takes on average, as far as the speed is known.
    pub(crate) fn expected(&self, work: Work) -> Duration {
        let per_second = self.rate.per_second.unwrap_or(ASSUMED_RATE) * self.threads as f64;
        let seconds = work.expected_tries() / per_second;
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Begins to search for the nonce of a submission.
    ///
    /// # Errors
    /// [`PostError::Envelope`] if its draft cannot be dated.
    pub(crate) fn add(
        &mut self,
        id: PostId,
        now: Timestamp,
        submission: Submission,
        target: Rating,
    ) -> Result<(), PostError> {
        let Submission { draft, backdate, nonce, lane, .. } = submission;
        let draft = draft.dated(now.saturating_sub(backdate))?;
        self.jobs.push(Job {
            id,
            target,
            backdate,
            work: draft.work_for(target),
            dated: Dated::new(now, draft),
            next_nonce: nonce,
            lane,
            rounds: 0,
            stop: Stop(Arc::default()),
            found: None,
        });
        Ok(())
    }

    /// Gives a draft up. Its rounds end within a millisecond.
    pub(crate) fn cancel(&mut self, id: PostId) {
        self.jobs.retain(|job| job.id != id);
    }

    /// Waits until a draft is finished, or the speed is measured, which gives nothing. Safe to cancel:
    /// the rounds go on, what they report is kept. Never rerounds while there is nothing to do.
    pub(crate) async fn next(&mut self, now: impl Fn() -> Timestamp) -> Option<Mined> {
        loop {
            if let Some(mined) = self.release() {
                return Some(mined);
            }
            self.fill_rounds(now());
            match self.rounds.join_next().await {
                None => return std::future::pending().await,
                // Neither is a round ever aborted, nor does it panic.
                Some(Err(_)) => (),
                Some(Ok(Report::Measured { tries, span })) => {
                    self.rate = Rate::default();
                    self.rate.note(tries, span);
                    return None;
                }
                Some(Ok(Report::Searched { id, dated, nonce, tries, span })) => {
                    self.rate.note(tries, span);
                    self.note_searched(id, dated, nonce);
                }
            }
        }
    }

    fn note_searched(&mut self, id: PostId, dated: Arc<Dated>, nonce: Option<u64>) {
        let Some(job) = self.jobs.iter_mut().find(|job| job.id == id) else { return };
        job.rounds = job.rounds.saturating_sub(1);
        if let Some(nonce) = nonce.filter(|_| job.found.is_none()) {
            let draft =
                Arc::try_unwrap(dated).map_or_else(|dated| dated.draft.clone(), |own| own.draft);
            job.found = Some(draft.seal(nonce));
        }
    }

    /// The first envelope that nothing holds back: neither a short search before it, nor any in its
    /// lane.
    fn release(&mut self) -> Option<Mined> {
        let mut held = Held::default();
        let index = self.jobs.iter().position(|job| {
            let is_free = job.found.is_some() && !held.holds(job);
            if job.found.is_none() {
                held.note(job);
            }
            is_free
        })?;
        let Job { id, found, .. } = self.jobs.remove(index);
        Some(Mined { id, envelope: found? })
    }

    /// Gives idle threads work. A short search gets one thread: more would find it twice.
    fn fill_rounds(&mut self, now: Timestamp) {
        while self.rounds.len() < self.threads {
            let Some(index) = self.next_job() else { return };
            let Some(job) = self.jobs.get_mut(index) else { return };
            self.oldest_is_next = !self.oldest_is_next;
            job.date(now);
            let round = job.take_round(self.rate.tries_in(ROUND));
            self.rounds.spawn_blocking(round);
        }
    }

    /// The job whose round it is. Every other round goes to the oldest, so that no search waits for ever;
    /// the rest go to the shortest, the older first where both are short. No job begins before a long
    /// one of its lane is over: it would only grow old behind it.
    fn next_job(&self) -> Option<usize> {
        let mut before = Held::default();
        let mut candidates = self.jobs.iter().enumerate().filter(|(_, job)| {
            if job.found.is_some() {
                return false;
            }
            let most = if job.is_short() { 1 } else { self.threads };
            let may = job.rounds < most && !before.is_behind_long(job);
            before.note(job);
            may
        });
        let chosen = match self.oldest_is_next {
            true => candidates.next(),
            false => candidates.min_by_key(|(_, job)| job.work.max(SHORT)),
        };
        chosen.map(|(index, _)| index)
    }
}

/// What unfinished jobs do to those behind them.
#[derive(Default)]
struct Held {
    by_short: bool,
    lanes: BTreeSet<PublicKey>,
    long_lanes: BTreeSet<PublicKey>,
}

impl Held {
    fn note(&mut self, unfinished: &Job) {
        // One that may not begin yet is not short.
        self.by_short |= unfinished.is_short() && !self.is_behind_long(unfinished);
        if let Some(lane) = unfinished.lane {
            self.lanes.insert(lane);
            if !unfinished.is_short() {
                self.long_lanes.insert(lane);
            }
        }
    }

    fn holds(&self, job: &Job) -> bool {
        self.by_short || job.lane.is_some_and(|lane| self.lanes.contains(&lane))
    }

    fn is_behind_long(&self, job: &Job) -> bool {
        job.lane.is_some_and(|lane| self.long_lanes.contains(&lane))
    }
}

impl Job {
    fn is_short(&self) -> bool {
        self.work <= SHORT
    }

    /// Dates the draft again after a quarter of its life, so that it never leaves half dead.
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

    fn take_round(&mut self, tries: u64) -> impl FnOnce() -> Report + Send + 'static {
        if self.next_nonce.checked_add(tries).is_none() {
            self.next_nonce = 0;
        }
        let start = self.next_nonce;
        self.next_nonce = start.saturating_add(tries);
        self.rounds = self.rounds.saturating_add(1);
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
    /// Takes a measurement. Short ones measure the clock more than the search.
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

/// Tries for a work that is never found, and takes the best of some measurements: what else this
/// machine does only slows them.
fn measure() -> Report {
    let search = Search::new(&[0; 32]);
    let measurement = |_| {
        let begin = Instant::now();
        std::hint::black_box(search.find(0..MEASURED, Work::MAX));
        begin.elapsed()
    };
    let span = (0..MEASUREMENTS).map(measurement).min().unwrap_or_default();
    Report::Measured { tries: MEASURED, span }
}

/// A round is long against waking a thread, and short against the patience with which a shorter search
/// is waited for.
const ROUND: Duration = Duration::from_millis(20);
/// Tries between two looks at the stop flag: under a millisecond.
const CHUNK: u64 = 512;
/// Some 20 ms on one thread.
const SHORT: Work = Work::new(14);
/// So many drafts are searched for at once; others wait undated.
const MOST_JOBS: usize = 256;
/// How often the speed is measured, 2 to 10 ms in all.
const MEASUREMENTS: usize = 8;
/// Tries of each measurement.
const MEASURED: u64 = 1 << 10;
/// Tries a second of one thread, until measured.
const ASSUMED_RATE: f64 = 1_000_000.0;

#[cfg(test)]
mod tests {
    use whisper_core::crypto::curve::SecretKey;
    use whisper_core::identity::Identity;
    use whisper_core::topic::Topic;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn miner() -> Miner {
        Miner::new(NonZeroUsize::MIN.saturating_add(1))
    }

    fn add(miner: &mut Miner, number: u64, target: Rating, nonce: u64) {
        let draft = Draft::new(NOW, Duration::from_secs(40), Topic::default(), vec![1; 300]);
        let (backdate, patience) = (Duration::ZERO, Duration::MAX);
        let (draft, lane) = (draft.unwrap(), None);
        let submission = Submission { draft, backdate, target: None, patience, nonce, lane };
        miner.add(id(number), NOW, submission, target).unwrap();
    }

    fn rating_of(work: u16) -> Rating {
        Rating::compute(Work::new(work), 360, 40)
    }

    fn id(number: u64) -> PostId {
        PostId(number)
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
        assert_eq!((miner.jobs.len(), miner.rounds.len()), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn short_searches_end_in_the_order_in_which_they_were_added() {
        let mut miner = miner();
        for number in 0..200 {
            add(&mut miner, number, rating_of(if number % 3 == 0 { 12 } else { 2 }), 0);
        }
        for number in 0..200 {
            assert_eq!(miner.next(|| NOW).await.unwrap().id, id(number));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_short_searches_does_not_starve_a_long_one() {
        let mut miner = miner();
        add(&mut miner, 0, rating_of(18), 0);
        (1..=3).for_each(|number| add(&mut miner, number, rating_of(13), 0));
        for number in 4..10_000 {
            add(&mut miner, number, rating_of(13), 0);
            if miner.next(|| NOW).await.unwrap().id == id(0) {
                return;
            }
        }
        panic!("the long one never ends");
    }

    #[tokio::test(start_paused = true)]
    async fn what_follows_in_a_lane_waits_for_the_longer_search_before_it() {
        let mut miner = miner();
        let lane = Identity::from_secret(SecretKey::from_bytes(&[7; 32]).unwrap()).public_key();
        add(&mut miner, 1, rating_of(17), 0);
        add(&mut miner, 2, rating_of(2), 0);
        add(&mut miner, 3, rating_of(2), 0);
        for number in [0, 2] {
            miner.jobs[number].lane = Some(lane);
        }
        // What is in no lane waits for neither.
        add(&mut miner, 4, rating_of(2), 0);
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(miner.next(|| NOW).await.unwrap().id);
        }
        assert_eq!(order, [2, 4, 1, 3].map(id));
    }

    #[tokio::test(start_paused = true)]
    async fn a_draft_is_dated_again_after_a_quarter_of_its_life() {
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
        assert!(!miner.is_measured());
        miner.measure();
        assert!(miner.next(|| NOW).await.is_none());
        let [less, more] = [20, 21].map(|bits| miner.expected(Work::new(bits)));
        assert!(less > Duration::ZERO);
        assert!((more.as_secs_f64() / less.as_secs_f64() - 2.0).abs() < 1e-6);
        assert_eq!(miner.expected(Work::MAX), Duration::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_was_busy_once_is_measured_again() {
        let mut miner = miner();
        miner.rate.note(CHUNK, Duration::from_secs(1_000));
        let busy = miner.expected(Work::new(20));
        miner.measure();
        assert!(miner.next(|| NOW).await.is_none());
        assert!(miner.expected(Work::new(20)) < busy / 100);
    }
}
