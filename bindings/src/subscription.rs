//! The messages that a filter finds.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use whisper_core::envelope::EnvelopeHash;
use whisper_core::inbox;
use whisper_core::topic::Topic;
use whisper_net as net;
use whisper_net::Lagged;

use crate::cancel::CancelToken;
use crate::error::WhisperError;
use crate::faults;
use crate::inflight::Inflight;
use crate::message::Message;
use crate::runtime;

/// The messages that one filter finds, from when it was made. Let go of, it takes the filter with it.
#[derive(uniffi::Object)]
pub struct Subscription(Arc<Inflight<net::Subscription>>);

/// What a subscription brings.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
#[allow(clippy::large_enum_variant, reason = "it is on its way to another language")]
#[non_exhaustive]
pub enum SubscriptionEvent {
    /// A message.
    Found {
        /// The message, and what its envelope said.
        received: Received,
    },
    /// At most so many messages are missing here.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// An event with the number to acknowledge it by.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct NumberedSubscriptionEvent {
    /// The number.
    pub number: u64,
    /// The event.
    pub event: SubscriptionEvent,
}

/// A message with what its envelope said. Its text form tells sizes only.
#[derive(Clone, PartialEq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct Received {
    /// The message.
    pub message: Message,
    /// The hash of its envelope.
    pub hash: EnvelopeHash,
    /// The topic it came under.
    pub topic: Topic,
    /// When its envelope says it was made. Nothing vouches for this.
    pub issued_at: SystemTime,
    /// How long its envelope lives.
    pub ttl: Duration,
    /// The rating of its envelope.
    pub rating: f64,
}

#[uniffi::export]
impl Subscription {
    /// The event that is not acknowledged yet, or the next one; nothing once the node has ended.
    #[uniffi::method(default(cancel = None))]
    pub async fn next_event(
        &self,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Option<NumberedSubscriptionEvent>, WhisperError> {
        faults::enter("Subscription.next_event");
        let inflight = Arc::clone(&self.0);
        let next = runtime::run(cancel, async move { Ok(inflight.next().await) }).await?;
        Ok(next.map(|(number, event)| NumberedSubscriptionEvent { number, event: event.into() }))
    }

    /// Lets go of the event of this number: it is dealt with and does not come again.
    pub fn acknowledge(&self, number: u64) -> Result<(), WhisperError> {
        faults::enter("Subscription.acknowledge");
        self.0.acknowledge(number);
        Ok(())
    }
}

impl Subscription {
    pub(crate) fn of(subscription: net::Subscription) -> Arc<Self> {
        Arc::new(Self(Arc::new(Inflight::new(subscription))))
    }
}

impl From<Result<Arc<inbox::Received>, Lagged>> for SubscriptionEvent {
    fn from(next: Result<Arc<inbox::Received>, Lagged>) -> Self {
        match next {
            Ok(received) => Self::Found { received: (&*received).into() },
            Err(Lagged(missed)) => Self::Gap { missed },
        }
    }
}

impl From<&inbox::Received> for Received {
    fn from(received: &inbox::Received) -> Self {
        let issued = Duration::from_secs(received.issued.unwrap_or_default());
        Self {
            message: (&received.message).into(),
            hash: received.hash,
            topic: received.topic,
            issued_at: UNIX_EPOCH + issued,
            ttl: Duration::from_secs(received.ttl),
            rating: received.rating.as_f64(),
        }
    }
}

impl fmt::Debug for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Received").field("message", &self.message).finish_non_exhaustive()
    }
}
