//! Whisper on real networks.
#![forbid(unsafe_code)]

pub mod keyfile;
pub mod memory;
#[cfg(feature = "rlpx")]
pub mod rlpx;
pub mod transport;

mod clock;
mod config;
mod conversation;
mod driver;
mod entropy;
mod envelopes;
mod events;
mod gap;
mod handle;
mod posting;
mod subscription;
mod worker;

pub use clock::Clock;
pub use config::Config;
pub use config::StartError;
pub use conversation::ConversationError;
pub use conversation::ConversationEvent;
pub use conversation::ConversationEvents;
pub use conversation::Conversations;
pub use conversation::Sent;
pub use entropy::Entropy;
pub use entropy::NoEntropy;
pub use envelopes::Envelopes;
pub use envelopes::Passing;
pub use events::Event;
pub use events::Events;
pub use handle::Closed;
pub use handle::DirectError;
pub use handle::Handle;
pub use handle::Peer;
pub use handle::Stats;
pub use handle::start;
pub use posting::Delivery;
pub use posting::DeliveryState;
pub use posting::Post;
pub use posting::PostError;
pub use posting::Recipient;
pub use posting::Undelivered;
pub use subscription::Incoming;
pub use subscription::Subscription;
