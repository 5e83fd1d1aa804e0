//! From a message to an envelope that peers have: posts, the work on them, what becomes of them.

mod delivery;
mod intake;
mod miner;
mod post;
mod queue;

pub(crate) use self::delivery::Cancellations;
pub use self::delivery::Delivery;
pub use self::delivery::DeliveryState;
pub use self::delivery::PostError;
pub use self::delivery::Undelivered;
pub(crate) use self::intake::Outbox;
pub(crate) use self::intake::Parcel;
pub use self::post::Post;
pub use self::post::Recipient;
pub(crate) use self::queue::Desk;
pub(crate) use self::queue::Order;
pub(crate) use self::queue::Outlook;
pub(crate) use self::queue::Ready;

/// Names one post of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PostId(u64);

impl PostId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}
