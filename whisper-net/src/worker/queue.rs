//! What waits to be read: bounded, and when it is full the lowest rated go.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;
use whisper_core::envelope::Envelope;

/// An envelope that keys may be tried on.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) envelope: Arc<Envelope>,
    /// Whether a trusted peer sent it past the network.
    pub(crate) direct: bool,
}

/// The queue between the loop that relays and the worker that reads.
///
/// The loop never waits for it, so neither what this node can read nor how long that takes shows in
/// the time at which it relays.
pub(crate) struct Queue {
    limits: Limits,
    state: Mutex<State>,
    bell: Notify,
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) envelopes: usize,
    pub(crate) bytes: usize,
}

impl Limits {
    /// A quarter of what the pool may hold, and no more than a second's work for one key.
    pub(crate) const fn of_pool(bytes: usize) -> Self {
        Self { envelopes: 16_384, bytes: bytes / 4 }
    }
}

#[derive(Default)]
struct State {
    arrivals: VecDeque<Arrival>,
    bytes: usize,
    missed: u64,
    closed: bool,
}

/// What a worker takes at once.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) arrivals: Vec<Arrival>,
    /// How many went since the last batch because there was no room.
    pub(crate) missed: u64,
}

impl Queue {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), bell: Notify::new() }
    }

    /// Appends what has come, in order. Where it does not fit, an eighth of all goes, lowest rated
    /// and newest first: at once, so that a flood costs no more than a few steps an envelope.
    pub(crate) fn extend(&self, arrivals: impl IntoIterator<Item = Arrival>) {
        let mut state = self.lock();
        for arrival in arrivals {
            state.bytes = state.bytes.saturating_add(arrival.envelope.size());
            state.arrivals.push_back(arrival);
            while state.exceeds(self.limits) {
                state.shed();
            }
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Waits until there is something to read; nothing once the queue is closed and empty. Safe to
    /// cancel.
    pub(crate) async fn next(&self, most: usize) -> Option<Batch> {
        loop {
            if let Some(batch) = self.take(most) {
                return Some(batch);
            }
            if self.lock().closed {
                return None;
            }
            self.bell.notified().await;
        }
    }

    /// Ends the queue: what is in it can still be taken.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.bell.notify_one();
    }

    /// How much may wait.
    pub(crate) const fn limits(&self) -> Limits {
        self.limits
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().arrivals.len()
    }

    fn take(&self, most: usize) -> Option<Batch> {
        let mut state = self.lock();
        let count = state.arrivals.len().min(most);
        let arrivals: Vec<_> = state.arrivals.drain(..count).collect();
        let size: usize = arrivals.iter().map(|arrival| arrival.envelope.size()).sum();
        state.bytes = state.bytes.saturating_sub(size);
        let missed = mem::take(&mut state.missed);
        (!arrivals.is_empty() || missed > 0).then_some(Batch { arrivals, missed })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn exceeds(&self, limits: Limits) -> bool {
        self.arrivals.len() > limits.envelopes || self.bytes > limits.bytes
    }

    fn shed(&mut self) {
        let goes = self.arrivals.len() / 8;
        let rank = |(index, arrival): (usize, &Arrival)| {
            (arrival.direct, arrival.envelope.rating(), Reverse(index))
        };
        let mut ranks: Vec<_> = self.arrivals.iter().enumerate().map(rank).collect();
        let (_, last_to_go, _) = ranks.select_nth_unstable(goes);
        let last_to_go = *last_to_go;
        let mut index = 0;
        let before = self.arrivals.len();
        self.arrivals.retain(|arrival| {
            let stays = rank((index, arrival)) > last_to_go;
            index += 1;
            stays
        });
        self.bytes = self.arrivals.iter().map(|arrival| arrival.envelope.size()).sum();
        let gone = before.saturating_sub(self.arrivals.len());
        self.missed = self.missed.saturating_add(gone as u64);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use whisper_core::envelope::Draft;
    use whisper_core::pow::Rating;
    use whisper_core::time::Timestamp;
    use whisper_core::topic::Topic;

    use super::*;

    fn arrival(nonce: u64) -> Arrival {
        let now = Timestamp::from_secs(1_600_000_000);
        let draft = Draft::new(now, Duration::from_secs(50), Topic::default(), vec![0; 80]);
        Arrival { envelope: Arc::new(draft.unwrap().seal(nonce)), direct: false }
    }

    fn limits(envelopes: usize, bytes: usize) -> Limits {
        Limits { envelopes, bytes }
    }

    #[tokio::test]
    async fn what_fits_comes_out_in_order() {
        let queue = Queue::new(limits(100, usize::MAX));
        queue.extend((0..100).map(arrival));
        let batch = queue.next(1_000).await.unwrap();
        let nonces: Vec<_> = batch.arrivals.iter().map(|a| a.envelope.nonce()).collect();
        assert_eq!(nonces, (0..100).collect::<Vec<_>>());
        assert_eq!((batch.missed, queue.len()), (0, 0));
    }

    #[tokio::test]
    async fn d20_when_it_is_full_the_lowest_rated_go_and_are_counted() {
        for limits in [limits(64, usize::MAX), limits(usize::MAX, 6_400)] {
            let queue = Queue::new(limits);
            queue.extend((0..1_000).map(arrival));
            let batch = queue.next(usize::MAX).await.unwrap();
            assert!((48..=64).contains(&batch.arrivals.len()));
            assert_eq!(batch.arrivals.len() as u64 + batch.missed, 1_000);
            let best = (0..1_000).map(|nonce| arrival(nonce).envelope.rating()).max();
            let kept =
                |rating: &Rating| batch.arrivals.iter().any(|a| a.envelope.rating() == *rating);
            assert!(best.is_some_and(|best| kept(&best)));
            assert_eq!(queue.take(1).map(|batch| batch.missed), None);
        }
    }

    #[tokio::test]
    async fn what_is_in_it_can_be_read_after_it_is_closed() {
        let queue = Queue::new(limits(10, usize::MAX));
        queue.extend([arrival(1)]);
        queue.close();
        assert_eq!(queue.next(10).await.unwrap().arrivals.len(), 1);
        assert!(queue.next(10).await.is_none());
    }
}
