//! What was handed out and is not acknowledged yet: events are not lost with a reader that goes away.

use std::sync::Mutex;
use std::sync::PoisonError;

use futures_core::Stream;
use tokio::sync::Mutex as AsyncMutex;

/// A stream, read at least once: the same event comes until it is acknowledged.
pub(crate) struct Inflight<S: Stream> {
    stream: AsyncMutex<S>,
    head: Mutex<Head<S::Item>>,
}

struct Head<T> {
    number: u64,
    event: Option<T>,
}

impl<S: Stream + Unpin> Inflight<S>
where
    S::Item: Clone,
{
    pub(crate) fn new(stream: S) -> Self {
        let head = Mutex::new(Head { number: 0, event: None });
        Self { stream: AsyncMutex::new(stream), head }
    }

    /// The event that is not acknowledged yet, or the next one, with its number. Nothing once the
    /// stream has ended. Two readers at once get the same one.
    pub(crate) async fn next(&self) -> Option<(u64, S::Item)> {
        let mut stream = self.stream.lock().await;
        if let Some(head) = self.head() {
            return Some(head);
        }
        let event =
            std::future::poll_fn(|cx| std::pin::Pin::new(&mut *stream).poll_next(cx)).await?;
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        head.number += 1;
        head.event = Some(event.clone());
        Some((head.number, event))
    }

    /// Lets go of the event of this number, if it is the one that was handed out last.
    pub(crate) fn acknowledge(&self, number: u64) {
        let mut head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        if head.number == number {
            head.event = None;
        }
    }

    fn head(&self) -> Option<(u64, S::Item)> {
        let head = self.head.lock().unwrap_or_else(PoisonError::into_inner);
        Some((head.number, head.event.clone()?))
    }
}
