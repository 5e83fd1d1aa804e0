//! What a conversation has sent.

use std::fmt;
use std::future::Future;
use std::future::IntoFuture;
use std::pin::Pin;

use whisper_core::session::MessageName;
use whisper_core::session::SessionId;

use crate::posting::Delivery;
use crate::posting::Undelivered;
use crate::worker::Dispatch;

/// What one step of a conversation has sent: an invitation, a message, both, or two goodbyes.
///
/// Two awaits follow each other in `talks.send(peer, "hello").await?.await?`: the first hands the message
/// over and may wait for room, the second waits until peers have all envelopes of it, or one is lost.
/// Dropped, it lets them go on.
#[must_use = "what is sent may be lost on the way, and only this says so"]
pub struct Sent(Vec<Dispatch>);

impl Sent {
    pub(crate) const fn new(dispatches: Vec<Dispatch>) -> Self {
        Self(dispatches)
    }

    /// The session that it went on.
    pub fn session(&self) -> Option<SessionId> {
        self.0.last().map(|dispatch| dispatch.outgoing.session)
    }

    /// The message, as [`SessionEvent::Acknowledged`](whisper_core::session::SessionEvent) names it.
    pub fn message(&self) -> Option<MessageName> {
        self.0.last().and_then(|dispatch| dispatch.outgoing.message)
    }

    /// The deliveries of the envelopes, in the order they were made.
    pub fn into_deliveries(self) -> Vec<Delivery> {
        self.0.into_iter().map(|dispatch| dispatch.delivery).collect()
    }
}

impl IntoFuture for Sent {
    type Output = Result<(), Undelivered>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            for delivery in self.into_deliveries() {
                delivery.await?;
            }
            Ok(())
        })
    }
}

impl fmt::Debug for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sent").field("envelopes", &self.0.len()).finish_non_exhaustive()
    }
}
