//! The messages that a filter finds, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use tokio::sync::oneshot;
use whisper_core::inbox::Counts;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Received;

use crate::gap::Next;
use crate::gap::Tap;
use crate::handle::Closed;
use crate::worker::Command;
use crate::worker::WeakCommands;

/// The messages that one filter finds, from when it was added. It ends with the node; dropped, it
/// takes the filter with it.
pub struct Subscription {
    filter: FilterId,
    tap: Tap<Arc<Received>>,
    worker: WeakCommands,
}

/// What a subscription brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Incoming {
    /// A message.
    Message(Arc<Received>),
    /// At most so many messages are missing here: the reader was too slow, or more came than the
    /// node had time to open, for this or any other filter.
    Gap(u64),
}

impl Subscription {
    pub(crate) const fn new(
        filter: FilterId,
        tap: Tap<Arc<Received>>,
        worker: WeakCommands,
    ) -> Self {
        Self { filter, tap, worker }
    }

    /// The next message, or how many are missing; nothing once the node has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Incoming> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// What the filter has seen. Safe to cancel.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn counts(&self) -> Result<Counts, Closed> {
        let worker = self.worker.upgrade().ok_or(Closed)?;
        let (sender, answer) = oneshot::channel();
        let filter = self.filter;
        let command: Command = Box::new(move |reader| {
            // Whoever asked may have gone.
            let _ = sender.send(reader.counts(filter));
        });
        worker.send(command).await.map_err(|_| Closed)?;
        answer.await.ok().flatten().ok_or(Closed)
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.tap.poll_next(cx).map(|next| match next? {
            Next::Item(received) => Some(Incoming::Message(received)),
            Next::Gap(missed) => Some(Incoming::Gap(missed)),
        })
    }
}

impl Stream for Subscription {
    type Item = Incoming;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Incoming>> {
        self.poll(cx)
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("filter", &self.filter).finish_non_exhaustive()
    }
}
