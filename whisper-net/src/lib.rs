//! Whisper on real networks: a node that runs, and what applications do with it.
//!
//! `whisper-core` is the protocol and does no I/O; this crate owns sockets, clock, threads and
//! randomness, on tokio.
//!
//! ```text
//!   application ── Handle ──┬── converse ── post ── subscribe ── events
//!                           │
//!      Transport ⇄ driver ⇄ whisper_core::node      one loop: relays, holds no key
//!                   │  │  │
//!             miners  worker  handlers              beside it: nonces; keys and sessions; the ledger
//! ```
//!
//! # Which type to start with
//!
//! | you want to | take |
//! |---|---|
//! | run a node | [`start`] with a [`Config`] over [`rlpx::RlpxTransport`], which gives a [`Handle`] |
//! | talk to somebody | [`Handle::converse`], which gives [`Conversations`] and a stream of [`SessionEvent`]s |
//! | send a message of your own making | [`Handle::post`] with a [`Post`], and watch the [`Delivery`] |
//! | read messages | [`Handle::subscribe`] with a filter, which gives a [`Subscription`] |
//! | see who comes and goes, or what is relayed | [`Handle::events`], [`Handle::envelopes`] |
//! | keep a block chain of public posts and names | [`ledger::open`], then [`ledger::OpenChain::serve`] on a node |
//! | verify names and posts on a phone, without the chain | [`ledger::LightLedger::serve`] on a node |
//! | test without a network | [`memory::MemoryNetwork`], with faults from a seed |
//! | see what whole networks do | [`sim::World`], in virtual time, with adversaries if you like |
//! | speak a protocol of your own with peers | implement [`handler::Handler`], and [`Handle::register`] it |
//! | carry packets another way | implement [`transport::Transport`] |
//!
//! ```
//! use std::sync::Arc;
//!
//! use whisper_core::identity::Identity;
//! use whisper_net::Config;
//! use whisper_net::Entropy;
//! # #[cfg(feature = "rlpx")]
//! use whisper_net::rlpx::{RlpxConfig, RlpxTransport};
//!
//! # #[cfg(feature = "rlpx")]
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node_key = Arc::new(Identity::generate(&mut Entropy::os().rng()?));
//! let listen = Some(([127, 0, 0, 1], 0).into());
//! let transport = RlpxTransport::bind(RlpxConfig { listen, ..RlpxConfig::new(node_key) }).await?;
//! let node = whisper_net::start(Config::new(transport))?;
//! println!("others reach this node at {}", node.local_address().unwrap_or_default());
//! node.shutdown().await;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "rlpx"))]
//! # fn main() {}
//! ```
//!
//! # What holds everywhere
//!
//! Every async function is safe to cancel. Queues are bounded, and a [`Stream`] tells a slow reader by
//! [`Lagged`] how much is missing. Only a ledger and key files are stored: sessions and the pool end with
//! the process. Logs at the default level hold no topic, no hash, and no peer beside a time.
//!
//! A debug build is a hundred times slower unless its dependencies are optimised, and the profile is that
//! of the program that embeds this crate: put `opt-level = 3` below `[profile.dev.package."*"]` there.
#![forbid(unsafe_code)]

#[cfg(all(doctest, feature = "rlpx"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod handler;
pub mod keyfile;
#[cfg(feature = "ledger")]
pub mod ledger;
pub mod memory;
pub mod peering;
#[cfg(feature = "rlpx")]
pub mod rlpx;
pub mod sim;
pub mod transport;

mod actor;
mod clock;
mod config;
mod conversation;
mod driver;
mod entropy;
mod events;
mod handle;
mod posting;
mod stream;
mod subscription;
mod worker;

pub use actor::Closed;
pub use clock::Clock;
pub use config::Config;
pub use config::Privacy;
pub use config::StartError;
pub use conversation::ConversationError;
pub use conversation::Conversations;
pub use conversation::Sent;
pub use driver::Peer;
pub use driver::Stats;
pub use entropy::Entropy;
pub use entropy::NoEntropy;
pub use events::Event;
pub use handle::DirectError;
pub use handle::Handle;
pub use handle::RegisterError;
pub use handle::start;
pub use posting::Delivery;
pub use posting::DeliveryState;
pub use posting::Post;
pub use posting::PostError;
pub use posting::Recipient;
pub use posting::Undelivered;
pub use stream::Lagged;
pub use stream::Stream;
pub use subscription::Subscription;
pub use whisper_core;
pub use whisper_core::session::SessionEvent;
