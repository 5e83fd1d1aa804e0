//! From a message to an envelope that peers have: posts, the work on them, what becomes of them.

mod delivery;
mod demand;
mod intake;
mod miner;
mod post;
mod queue;

pub use self::delivery::Delivery;
pub use self::delivery::DeliveryState;
pub use self::delivery::PostError;
pub use self::delivery::Undelivered;
pub(crate) use self::demand::PeerDemand;
pub(crate) use self::intake::Outbox;
pub(crate) use self::intake::Room;
pub(crate) use self::intake::Submission;
pub(crate) use self::intake::channel;
pub use self::post::Post;
pub use self::post::Recipient;
pub(crate) use self::queue::PostQueue;
pub(crate) use self::queue::Ready;

/// Names one post of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct PostId(u64);
