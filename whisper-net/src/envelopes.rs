//! What the node relays, as a stream: what every peer can see of it.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use whisper_core::envelope::Envelope;

use crate::gap::Next;
use crate::gap::Tap;

/// The stream of envelopes that come into the pool, our own included: for archives, and for those who
/// want to see what a relay can see. It ends with the node.
pub struct Envelopes(Tap<Arc<Envelope>>);

/// What the stream of envelopes brings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Passing {
    /// An envelope.
    Envelope(Arc<Envelope>),
    /// The reader was too slow and has missed so many.
    Gap(u64),
}

impl Envelopes {
    pub(crate) const fn new(tap: Tap<Arc<Envelope>>) -> Self {
        Self(tap)
    }

    /// The next envelope, or how many are missing; nothing once the node has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Passing> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Passing>> {
        self.0.poll_next(cx).map(|next| match next? {
            Next::Item(envelope) => Some(Passing::Envelope(envelope)),
            Next::Gap(missed) => Some(Passing::Gap(missed)),
        })
    }
}

impl Stream for Envelopes {
    type Item = Passing;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Passing>> {
        self.poll(cx)
    }
}

impl fmt::Debug for Envelopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelopes").finish_non_exhaustive()
    }
}
