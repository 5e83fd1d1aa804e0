//! A bounded queue that never makes the writer wait: what a slow reader misses is counted.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

/// A queue of at most `capacity` items that nobody has read, and of some [`MAX_BYTES`].
pub(crate) fn channel<T>(capacity: usize) -> (Feed<T>, Tap<T>) {
    let state = State { items: VecDeque::new(), bytes: 0, missed: 0, reader: None, closed: false };
    let shared = Arc::new(Shared { capacity, state: Mutex::new(state) });
    (Feed(Arc::clone(&shared)), Tap(shared))
}

/// The end that is written to.
pub(crate) struct Feed<T>(Arc<Shared<T>>);

/// The end that is read from.
pub(crate) struct Tap<T>(Arc<Shared<T>>);

struct Shared<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// What waits, and how many bytes each holds.
    items: VecDeque<(Next<T>, usize)>,
    bytes: usize,
    /// Missed since the last item of the queue.
    missed: u64,
    reader: Option<Waker>,
    closed: bool,
}

/// What comes out.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Next<T> {
    Item(T),
    /// So many items are missing here.
    Gap(u64),
}

impl<T> Feed<T> {
    /// Appends an item, or counts it as missed.
    pub(crate) fn push(&self, item: T) {
        self.push_bytes(item, 0);
    }

    /// Appends an item that holds so many bytes, or counts it as missed. One always fits.
    pub(crate) fn push_bytes(&self, item: T, bytes: usize) {
        let mut state = self.0.lock();
        let total = state.bytes.saturating_add(bytes);
        let is_heavy = total > MAX_BYTES && !state.items.is_empty();
        if is_heavy || state.items.len() >= self.0.capacity {
            state.missed = state.missed.saturating_add(1);
            return;
        }
        match mem::take(&mut state.missed) {
            0 => (),
            missed => state.items.push_back((Next::Gap(missed), 0)),
        }
        state.items.push_back((Next::Item(item), bytes));
        state.bytes = total;
        state.wake();
    }

    /// Counts items as missed that never came here.
    pub(crate) fn skip(&self, items: u64) {
        let mut state = self.0.lock();
        state.missed = state.missed.saturating_add(items);
        state.wake();
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

impl<T> Tap<T> {
    /// The next item or gap; nothing after the last, once the other end is gone.
    pub(crate) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Next<T>>> {
        let mut state = self.0.lock();
        if let Some((next, bytes)) = state.items.pop_front() {
            state.bytes = state.bytes.saturating_sub(bytes);
            return Poll::Ready(Some(next));
        }
        match mem::take(&mut state.missed) {
            0 => (),
            missed => return Poll::Ready(Some(Next::Gap(missed))),
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn wake(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
    }
}

impl<T> Drop for Feed<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.wake();
    }
}

impl<T> Drop for Tap<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.items.clear();
    }
}

/// Four thousand messages of a kilobyte: whoever sends large ones to somebody who does not read fills
/// no memory.
const MAX_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn next(tap: &mut Tap<u32>) -> Option<Next<u32>> {
        poll_fn(|cx| tap.poll_next(cx)).await
    }

    #[tokio::test]
    async fn what_a_slow_reader_misses_is_counted_where_it_is_missing() {
        let (feed, mut tap) = channel(2);
        (1..=5).for_each(|item| feed.push(item));
        assert_eq!(next(&mut tap).await, Some(Next::Item(1)));
        feed.push(6);
        assert_eq!(next(&mut tap).await, Some(Next::Item(2)));
        assert_eq!(next(&mut tap).await, Some(Next::Gap(3)));
        assert_eq!(next(&mut tap).await, Some(Next::Item(6)));
        feed.skip(7);
        assert_eq!(next(&mut tap).await, Some(Next::Gap(7)));
        drop(feed);
        assert_eq!(next(&mut tap).await, None);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_one_item_always_fits() {
        let (feed, mut tap) = channel(100);
        feed.push_bytes(1, MAX_BYTES + 1);
        feed.push_bytes(2, 1);
        assert_eq!(next(&mut tap).await, Some(Next::Item(1)));
        assert_eq!(next(&mut tap).await, Some(Next::Gap(1)));
        for item in 3..=6 {
            feed.push_bytes(item, MAX_BYTES / 3);
        }
        for item in 3..=5 {
            assert_eq!(next(&mut tap).await, Some(Next::Item(item)));
        }
        assert_eq!(next(&mut tap).await, Some(Next::Gap(1)));
        feed.push_bytes(7, MAX_BYTES);
        assert_eq!(next(&mut tap).await, Some(Next::Item(7)), "what was read weighs no more");
    }

    #[tokio::test]
    async fn a_feed_knows_when_nobody_reads() {
        let (feed, tap) = channel::<u32>(2);
        assert!(!feed.is_closed());
        drop(tap);
        assert!(feed.is_closed());
    }
}
