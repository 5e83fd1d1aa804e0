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

    /// As [`Inflight::next`], in the words of the bindings; kinds of events that `known` does not know
    /// are passed over.
    pub(crate) async fn next_known<T>(
        &self,
        known: impl Fn(S::Item) -> Option<T>,
    ) -> Option<(u64, T)> {
        loop {
            let (number, event) = self.next().await?;
            match known(event) {
                Some(event) => return Some((number, event)),
                None => self.acknowledge(number),
            }
        }
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

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::pin::Pin;
    use std::task::Context;
    use std::task::Poll;

    use super::*;

    struct Numbers(VecDeque<u8>);

    impl Stream for Numbers {
        type Item = u8;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u8>> {
            Poll::Ready(self.0.pop_front())
        }
    }

    #[tokio::test]
    async fn an_event_comes_until_it_is_acknowledged() {
        let inflight = Inflight::new(Numbers([7, 8].into()));
        assert_eq!(inflight.next().await, Some((1, 7)));
        assert_eq!(inflight.next().await, Some((1, 7)));
        inflight.acknowledge(0);
        assert_eq!(inflight.next().await, Some((1, 7)), "that was another one");
        inflight.acknowledge(1);
        assert_eq!(inflight.next().await, Some((2, 8)));
        inflight.acknowledge(1);
        assert_eq!(inflight.next().await, Some((2, 8)), "an old number lets go of nothing");
        inflight.acknowledge(2);
        assert_eq!(inflight.next().await, None);
    }
}
