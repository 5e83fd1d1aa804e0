//! From a message to an envelope that peers have: posts, the work on them, what becomes of them.

mod delivery;
mod desk;
mod miner;
mod outbox;
mod post;

pub(crate) use self::delivery::Cancellations;
pub use self::delivery::Delivery;
pub use self::delivery::DeliveryState;
pub use self::delivery::PostError;
pub use self::delivery::Undelivered;
pub(crate) use self::desk::Desk;
pub(crate) use self::desk::Order;
pub(crate) use self::desk::Outlook;
pub(crate) use self::desk::Ready;
pub(crate) use self::outbox::Outbox;
pub(crate) use self::outbox::Parcel;
pub use self::post::Post;
pub use self::post::Recipient;

/// Names one post of a node.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct PostId(u64);

impl PostId {
    pub(crate) const fn new(number: u64) -> Self {
        Self(number)
    }
}
