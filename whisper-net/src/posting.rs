//! From a message to an envelope that peers have: posts, the work on them, what becomes of them.

mod delivery;
mod demand;
mod intake;
mod miner;
mod outbox;
mod post;
mod queue;
mod state;

pub use self::delivery::Delivery;
pub(crate) use self::demand::PeerDemand;
pub(crate) use self::intake::Room;
pub(crate) use self::intake::Submission;
pub(crate) use self::outbox::Outbox;
pub(crate) use self::outbox::channel;
pub use self::post::Post;
pub use self::post::Recipient;
pub(crate) use self::queue::PostQueue;
pub(crate) use self::queue::Ready;
pub use self::state::DeliveryState;
pub use self::state::PostError;
pub use self::state::Undelivered;

/// Names one post of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct PostId(u64);
