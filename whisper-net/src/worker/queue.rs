//! What waits to be read, between the loop that relays and the worker that reads.

use std::mem;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use tokio::sync::Notify;
use whisper_core::mailbox::Arrival;
use whisper_core::mailbox::Backlog;
use whisper_core::mailbox::Limits;

/// The queue between the loop that relays and the worker that reads.
///
/// The loop never waits for it, so neither what this node can read nor how long that takes shows in
/// the time at which it relays.
pub(crate) struct Queue {
    state: Mutex<State>,
    bell: Notify,
}

struct State {
    backlog: Backlog,
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
        let state = State { backlog: Backlog::new(limits), missed: 0, closed: false };
        Self { state: Mutex::new(state), bell: Notify::new() }
    }

    /// Appends what has come, in order.
    pub(crate) fn extend(&self, arrivals: impl IntoIterator<Item = Arrival>) {
        let mut state = self.lock();
        for arrival in arrivals {
            let shed = state.backlog.push(arrival);
            state.missed = state.missed.saturating_add(shed.len() as u64);
        }
        drop(state);
        self.bell.notify_one();
    }

    /// Waits until there is something to read, and gives what there is time for; nothing once the queue is closed and empty. Safe to
    /// cancel.
    pub(crate) async fn next(&self, steps: usize, identities: usize) -> Option<Batch> {
        loop {
            if let Some(batch) = self.take(steps, identities) {
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

    /// Whether nothing more comes in.
    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().backlog.len()
    }

    fn take(&self, steps: usize, identities: usize) -> Option<Batch> {
        let mut state = self.lock();
        let arrivals = state.backlog.take(steps, identities);
        let missed = mem::take(&mut state.missed);
        (!arrivals.is_empty() || missed > 0).then_some(Batch { arrivals, missed })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use whisper_core::envelope::Draft;
    use whisper_core::pool::Origin;
    use whisper_core::time::Timestamp;
    use whisper_core::topic::Topic;

    use super::*;

    fn arrival(nonce: u64) -> Arrival {
        let now = Timestamp::from_secs(1_600_000_000);
        let draft = Draft::new(now, Duration::from_secs(50), Topic::default(), vec![0; 80]);
        Arrival::admitted(Arc::new(draft.unwrap().seal(nonce)), Origin::Own)
    }

    #[tokio::test]
    async fn d20_what_goes_when_it_is_full_is_counted_once() {
        let queue = Queue::new(Limits { envelopes: 64, bytes: usize::MAX });
        queue.extend((0..1_000).map(arrival));
        let batch = queue.next(usize::MAX, 1).await.unwrap();
        assert_eq!((batch.arrivals.len(), batch.missed), (64, 936));
        queue.extend([arrival(1)]);
        assert_eq!(queue.next(1, 1).await.unwrap().missed, 0);
    }

    #[tokio::test]
    async fn what_is_in_it_can_be_read_after_it_is_closed() {
        let queue = Queue::new(Limits { envelopes: 10, bytes: usize::MAX });
        queue.extend([arrival(1)]);
        queue.close();
        assert_eq!(queue.next(10, 1).await.unwrap().arrivals.len(), 1);
        assert!(queue.next(10, 1).await.is_none());
    }
}
