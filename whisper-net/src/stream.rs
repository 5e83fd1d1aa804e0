//! Streams of what happens. The writer never waits: what a slow reader misses is counted.

#[cfg(feature = "ledger")]
mod last;

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Context;
use std::task::Poll;
use std::task::Waker;

use tokio::sync::Notify;

/// A stream of items that the reader may read too slowly: [`Lagged`] stands where some are missing.
/// It ends with what it reports on.
///
/// It is a [`futures_core::Stream`] of `Result<T, Lagged>`, and [`Stream::next`] needs no other crate.
pub struct Stream<T>(Arc<Shared<T>>);

/// So many items are missing here: the reader was too slow.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0} items are missing; read the stream faster, or let more of them wait")]
pub struct Lagged(pub u64);

/// A stream of which at most `capacity` items wait, and some [`MAX_BYTES`].
pub(crate) fn channel<T>(capacity: usize) -> (Feed<T>, Stream<T>) {
    let state = State {
        items: VecDeque::new(),
        bytes: 0,
        missed: 0,
        reader: None,
        read_on: None,
        closed: false,
    };
    let shared = Arc::new(Shared { capacity, state: Mutex::new(state) });
    (Feed(Arc::clone(&shared)), Stream(shared))
}

/// The end that is written to.
pub(crate) struct Feed<T>(Arc<Shared<T>>);

struct Shared<T> {
    capacity: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// What waits, and how many bytes each holds.
    items: VecDeque<(Result<T, Lagged>, usize)>,
    bytes: usize,
    /// Missed since the last item of the queue.
    missed: u64,
    reader: Option<Waker>,
    /// Rings once half of what fits is free again.
    read_on: Option<Arc<Notify>>,
    closed: bool,
}

impl<T> Stream<T> {
    /// The next item, or how many are missing; nothing after the last. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<T, Lagged>> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<T, Lagged>>> {
        let mut state = self.0.lock();
        if let Some((next, bytes)) = state.items.pop_front() {
            state.bytes = state.bytes.saturating_sub(bytes);
            state.ring(self.0.capacity);
            return Poll::Ready(Some(next));
        }
        match mem::take(&mut state.missed) {
            0 => (),
            missed => return Poll::Ready(Some(Err(Lagged(missed)))),
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl<T> futures_core::Stream for Stream<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.poll(cx)
    }
}

impl<T> fmt::Debug for Stream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stream").finish_non_exhaustive()
    }
}

impl<T> Feed<T> {
    /// Appends an item, or counts it as missed.
    pub(crate) fn push(&self, item: T) {
        self.push_bytes(item, 0);
    }

    /// Appends an item that holds so many bytes, or counts it as missed. One always fits.
    pub(crate) fn push_bytes(&self, item: T, bytes: usize) {
        let mut state = self.0.lock();
        let is_heavy = state.bytes.saturating_add(bytes) > MAX_BYTES && !state.items.is_empty();
        if is_heavy || state.items.len() >= self.0.capacity {
            state.missed = state.missed.saturating_add(1);
            return;
        }
        state.append(item, bytes);
    }

    /// Appends an item that holds so many bytes, even beyond the capacity: a last word, or one of a
    /// writer that asks [`Feed::is_full`] before it makes more.
    pub(crate) fn push_always(&self, item: T, bytes: usize) {
        self.0.lock().append(item, bytes);
    }

    /// Whether no more should be made. Where nobody reads, nothing waits.
    pub(crate) fn is_full(&self) -> bool {
        let state = self.0.lock();
        !state.closed && (state.items.len() >= self.0.capacity || state.bytes >= MAX_BYTES)
    }

    /// Rings `read_on` once the reader has read half of what fits.
    pub(crate) fn ring_when_read(&self, read_on: &Arc<Notify>) {
        let mut state = self.0.lock();
        state.read_on = Some(Arc::clone(read_on));
        state.ring(self.0.capacity);
    }

    /// Counts items as missed that never came here.
    pub(crate) fn skip(&self, items: u64) {
        let mut state = self.0.lock();
        state.missed = state.missed.saturating_add(items);
        state.wake();
    }

    /// Whether the reader is gone.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.lock().closed
    }
}

/// All who listen to the same.
pub(crate) struct Audience<T>(Vec<Feed<T>>);

impl<T: Clone> Audience<T> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds a listener.
    pub(crate) fn add(&mut self, feed: Feed<T>) {
        self.0.push(feed);
    }

    /// Gives an item that holds so many bytes to all.
    pub(crate) fn tell(&mut self, item: &T, bytes: usize) {
        self.0.retain(|feed| !feed.is_closed());
        self.0.iter().for_each(|feed| feed.push_bytes(item.clone(), bytes));
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> State<T> {
    fn append(&mut self, item: T, bytes: usize) {
        if self.closed {
            self.missed = 0;
            return;
        }
        match mem::take(&mut self.missed) {
            0 => (),
            missed => self.items.push_back((Err(Lagged(missed)), 0)),
        }
        self.items.push_back((Ok(item), bytes));
        self.bytes = self.bytes.saturating_add(bytes);
        self.wake();
    }

    fn ring(&mut self, capacity: usize) {
        let has_room = self.items.len() <= capacity / 2 && self.bytes <= MAX_BYTES / 2;
        if has_room && let Some(read_on) = self.read_on.take() {
            read_on.notify_one();
        }
    }

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

impl<T> Drop for Stream<T> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.closed = true;
        state.items.clear();
        state.bytes = 0;
        state.ring(self.0.capacity);
    }
}

/// Four thousand messages of a kilobyte: large ones that nobody reads fill no memory.
const MAX_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_slow_reader_misses_is_counted_where_it_is_missing() {
        let (feed, mut stream) = channel(2);
        (1..=5).for_each(|item| feed.push(item));
        assert_eq!(stream.next().await, Some(Ok(1)));
        feed.push(6);
        assert_eq!(stream.next().await, Some(Ok(2)));
        assert_eq!(stream.next().await, Some(Err(Lagged(3))));
        assert_eq!(stream.next().await, Some(Ok(6)));
        feed.skip(7);
        assert_eq!(stream.next().await, Some(Err(Lagged(7))));
        drop(feed);
        assert_eq!(stream.next().await, None);
    }

    #[tokio::test]
    async fn what_waits_is_bounded_in_bytes_and_one_item_always_fits() {
        let (feed, mut stream) = channel(100);
        feed.push_bytes(1, MAX_BYTES + 1);
        feed.push_bytes(2, 1);
        assert_eq!(stream.next().await, Some(Ok(1)));
        assert_eq!(stream.next().await, Some(Err(Lagged(1))));
        for item in 3..=6 {
            feed.push_bytes(item, MAX_BYTES / 3);
        }
        for item in 3..=5 {
            assert_eq!(stream.next().await, Some(Ok(item)));
        }
        assert_eq!(stream.next().await, Some(Err(Lagged(1))));
        feed.push_bytes(7, MAX_BYTES);
        assert_eq!(stream.next().await, Some(Ok(7)), "what was read weighs no more");
    }

    #[tokio::test]
    async fn a_feed_knows_when_nobody_reads() {
        let (feed, stream) = channel::<u32>(2);
        assert!(!feed.is_closed());
        drop(stream);
        assert!(feed.is_closed());
    }

    #[tokio::test]
    async fn what_nobody_reads_is_neither_kept_nor_ever_full() {
        let (feed, stream) = channel(2);
        drop(stream);
        (1..=5).for_each(|item| feed.push_always(item, MAX_BYTES));
        assert!(!feed.is_full());
        assert!(feed.0.lock().items.is_empty());
    }

    #[tokio::test]
    async fn the_last_word_reaches_a_reader_who_has_read_nothing() {
        let (feed, mut stream) = channel(1);
        let mut audience = Audience::new();
        audience.add(feed);
        (1..=3).for_each(|item| audience.tell(&item, 0));
        audience.tell_last(&4);
        let mut read = Vec::new();
        while let Some(next) = stream.next().await {
            read.push(next);
        }
        assert_eq!(read, [Ok(1), Err(Lagged(2)), Ok(4)]);
    }
}
