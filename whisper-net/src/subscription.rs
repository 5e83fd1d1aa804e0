//! The messages that a filter finds, as a stream.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use whisper_core::inbox::Counts;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Received;

use crate::actor::Closed;
use crate::actor::WeakAddress;
use crate::stream::Lagged;
use crate::stream::Stream;
use crate::worker::Reader;

/// The messages that one filter finds, as a [`Stream`]. It ends with the node; dropped, it takes the
/// filter with it.
///
/// [`Lagged`] says how many messages are missing at most: the reader was too slow, or more came than
/// the node had time to open, for this or any other filter.
pub struct Subscription {
    filter: FilterId,
    messages: Stream<Arc<Received>>,
    worker: WeakAddress<Reader>,
}

impl Subscription {
    pub(crate) const fn new(
        filter: FilterId,
        messages: Stream<Arc<Received>>,
        worker: WeakAddress<Reader>,
    ) -> Self {
        Self { filter, messages, worker }
    }

    /// The next message, or how many are missing; nothing once the node has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<Arc<Received>, Lagged>> {
        self.messages.next().await
    }

    /// What the filter has seen. Safe to cancel.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn counts(&self) -> Result<Counts, Closed> {
        let filter = self.filter;
        self.worker.ask(move |reader| reader.counts(filter)).await?.ok_or(Closed)
    }
}

impl futures_core::Stream for Subscription {
    type Item = Result<Arc<Received>, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.messages).poll_next(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("filter", &self.filter).finish_non_exhaustive()
    }
}
