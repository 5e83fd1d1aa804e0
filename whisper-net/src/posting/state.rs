//! What becomes of a post.

use std::time::Duration;

use tokio::sync::watch;
use whisper_core::envelope::EnvelopeError;
use whisper_core::message::MessageError;
use whisper_core::node::Rejection;
use whisper_core::packet::Refusal;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;

use crate::entropy::NoEntropy;

/// Where the queue says how far a post is.
pub(super) type StateSender = watch::Sender<DeliveryState>;

/// How far a post is: `Waiting`, `Working`, `Published`, then `Sent` and, if peers answer,
/// `Acknowledged` or `Refused`, and `Spread` where a relay has it first
/// ([`Privacy::Stem`](crate::Privacy::Stem)). It may end at any point in `Expired`, `Cancelled` or
/// `Failed`.
///
/// None of them says that a reader has opened the message: only an answer of the reader can, such as
/// [`SessionEvent::Acknowledged`](crate::SessionEvent::Acknowledged) in a conversation.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DeliveryState {
    /// The post waits in the queue: for earlier posts, or for a ready peer that takes its topic.
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
    /// The envelope is ready for peers, and no peer's socket has taken it yet.
    Published,
    /// This machine's sockets have taken it for peers. A connection that breaks now may still lose it:
    /// peers that do not acknowledge, such as those of go-ethereum, let nobody know more than this.
    Sent {
        /// How many.
        peers: usize,
    },
    /// Peers have said that they took it. Final, though `by` may still grow.
    Acknowledged {
        /// How many.
        by: usize,
    },
    /// All peers that have answered refused it. Another may still take it.
    Refused {
        /// How many.
        by: usize,
        /// Why, as the last of them says.
        why: Refusal,
    },
    /// It has come back from the network: others have it, and a crash of this node loses nothing.
    /// Final.
    Spread,
    /// It died before any peer had it. Final.
    Expired,
    /// It was given up. Final.
    Cancelled,
    /// It could not be sent; or a relay has had it and it did not come back, and then this node had no
    /// place in its pool to send it to all: it may be lost. Final.
    Failed(PostError),
}

impl DeliveryState {
    /// Whether no better or worse state follows.
    pub const fn is_final(&self) -> bool {
        match self {
            Self::Acknowledged { .. }
            | Self::Spread
            | Self::Expired
            | Self::Cancelled
            | Self::Failed(_) => true,
            Self::Waiting
            | Self::Working { .. }
            | Self::Published
            | Self::Sent { .. }
            | Self::Refused { .. } => false,
        }
    }

    pub(super) fn outcome(&self) -> Option<Result<(), Undelivered>> {
        match self {
            Self::Waiting | Self::Working { .. } | Self::Published => None,
            Self::Sent { .. } | Self::Acknowledged { .. } | Self::Refused { .. } | Self::Spread => {
                Some(Ok(()))
            }
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
