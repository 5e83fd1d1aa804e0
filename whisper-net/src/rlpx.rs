//! RLPx, the paper's DEVp2p wire: a go-ethereum 1.9.20 Whisper node is a peer.
//!
//! | what | where |
//! |---|---|
//! | the transport | [`RlpxTransport`], set by [`RlpxConfig`] |
//! | addresses of nodes | [`Enode`] |
//! | the pure wire, bytes in and bytes out | [`handshake`], [`frame`], [`hello`], [`capability`], [`disconnect`] |
//!
//! The wire proves who the other end is and keeps frames whole. It does not keep a capable observer
//! from reading them: see [`secrets::Secrets`].

pub mod capability;
pub mod disconnect;
pub mod frame;
pub mod handshake;
pub mod hello;
pub mod secrets;

mod bucket;
mod channels;
mod config;
mod connection;
mod enode;
mod listener;
mod manager;
mod opening;
mod reader;
mod snappy;
mod transport;
mod writer;

pub use config::RlpxConfig;
pub use enode::Endpoint;
pub use enode::Enode;
pub use enode::Host;
pub use listener::ListenError;
pub use transport::RlpxTransport;

pub use crate::peering::Limits;
pub use crate::peering::Timing;
