//! What becomes of a post.

use std::fmt;
use std::future::Future;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use whisper_core::envelope::EnvelopeError;
use whisper_core::message::MessageError;
use whisper_core::node::Rejection;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;

use super::PostId;
use super::intake::Shared;
use crate::entropy::NoEntropy;

/// A post on its way. Dropped, it lets the post go on. A clone follows the same post by itself.
///
/// Awaiting it waits until a peer has it, or nobody will. [`Delivery::changed`] tells every step.
#[derive(Clone)]
#[must_use = "a post may fail, and only its delivery tells"]
pub struct Delivery {
    id: PostId,
    state: watch::Receiver<DeliveryState>,
    queue: Arc<Shared>,
}

/// Tells a delivery how far it is.
pub(super) type StateSender = watch::Sender<DeliveryState>;

impl Delivery {
    pub(super) fn new(id: PostId, queue: &Arc<Shared>) -> (Self, StateSender) {
        let (sender, receiver) = watch::channel(DeliveryState::Waiting);
        (Self { id, state: receiver, queue: Arc::clone(queue) }, sender)
    }

    /// How far it is.
    pub fn state(&self) -> DeliveryState {
        self.state.borrow().clone()
    }

    /// Waits for a state that this has not told yet; nothing once the last is told. Quick changes may
    /// be skipped, the last never is. Safe to cancel.
    pub async fn changed(&mut self) -> Option<DeliveryState> {
        self.state.changed().await.ok()?;
        Some(self.state.borrow_and_update().clone())
    }

    /// Waits until its state is one that is `wanted`; nothing once the last is reached and is not.
    /// [`Delivery::changed`] tells all states none the less. Safe to cancel.
    pub async fn until(&self, wanted: impl FnMut(&DeliveryState) -> bool) -> Option<DeliveryState> {
        let mut state = self.state.clone();
        let reached = state.wait_for(wanted).await.ok()?;
        Some(reached.clone())
    }

    /// Waits until a peer has the envelope, as [`Delivery::until`] does. Safe to cancel.
    ///
    /// # Errors
    /// [`Undelivered`] once no peer will ever have it.
    pub async fn sent(&self) -> Result<(), Undelivered> {
        let state = self.until(|state| state.outcome().is_some()).await;
        let outcome = state.and_then(|state| state.outcome());
        outcome.unwrap_or(Err(Undelivered::Failed(PostError::Closed)))
    }

    /// Gives the post up. An envelope that is in the pool already goes on; nothing calls it back.
    pub fn cancel(&self) {
        self.queue.cancel(self.id);
    }
}

impl IntoFuture for Delivery {
    type Output = Result<(), Undelivered>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.sent().await })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("state", &self.state()).finish_non_exhaustive()
    }
}

/// How far a post is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// No ready peer takes its topic yet. It waits for one, as long as it must.
    Waiting,
    /// The nonce is searched for.
    Working {
        /// The rating that is worked for.
        target: Rating,
        /// How long it takes on average.
        expected: Duration,
        /// How long it takes at most, nineteen times of twenty.
        likely: Duration,
        /// The ready peers that demand more than the target and will not get it from us.
        left_out: Vec<PeerId>,
    },
    /// The envelope is in the pool, and no peer's socket has taken it yet.
    Published,
    /// Peers have it.
    Sent {
        /// How many.
        peers: usize,
    },
    /// Peers have said that they took it.
    Acknowledged {
        /// How many.
        by: usize,
    },
    /// All peers that answered refused it.
    Refused {
        /// How many.
        by: usize,
    },
    /// It died before any peer had it.
    Expired,
    /// It was given up.
    Cancelled,
    /// It could not be sent.
    Failed(PostError),
}

impl DeliveryState {
    fn outcome(&self) -> Option<Result<(), Undelivered>> {
        match self {
            Self::Waiting | Self::Working { .. } | Self::Published => None,
            Self::Sent { .. } | Self::Acknowledged { .. } | Self::Refused { .. } => Some(Ok(())),
            Self::Expired => Some(Err(Undelivered::Expired)),
            Self::Cancelled => Some(Err(Undelivered::Cancelled)),
            Self::Failed(why) => Some(Err(Undelivered::Failed(*why))),
        }
    }
}

/// Why no peer has an envelope.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Undelivered {
    /// It died before any peer had it.
    #[error("the envelope died before any peer had it; post it again once there are peers")]
    Expired,
    /// It was given up.
    #[error("the post was cancelled")]
    Cancelled,
    /// It could not be sent.
    #[error(transparent)]
    Failed(#[from] PostError),
}

/// Why a post fails, and what helps.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PostError {
    /// There is no randomness. Nothing was done.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// The message cannot be made.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The envelope cannot be made.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The target that was asked for is of no use.
    #[error(
        "no peer accepts a rating below {lowest}; work for about {expected:.1?} for that, or ask for no target"
    )]
    RatedTooLow {
        /// The lowest rating that this node and some peer take.
        lowest: Rating,
        /// How long the work for that takes on average.
        expected: Duration,
    },
    /// More work is needed than the post has patience for.
    #[error(
        "a rating of {target} takes about {expected:.1?} of work; raise the patience, or post less for a shorter time"
    )]
    TooMuchWork {
        /// The rating that is needed.
        target: Rating,
        /// How long the work for it takes on average.
        expected: Duration,
    },
    /// The envelope is not taken into this node's own pool.
    #[error("this node does not take the envelope: {0}")]
    Rejected(#[from] Rejection),
    /// Too much waits already.
    #[error("too many posts wait; post again when some have left")]
    QueueFull,
    /// The node has shut down.
    #[error("the node has shut down; start another")]
    Closed,
}
