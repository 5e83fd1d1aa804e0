//! RLPx, the paper's DEVp2p wire: a go-ethereum 1.9.20 Whisper node is a peer.
//!
//! | what | where |
//! |---|---|
//! | the pure wire, bytes in and bytes out | [`handshake`], [`frame`], [`hello`], [`capability`], [`disconnect`] |
//! | addresses of nodes | [`Enode`] |
//!
//! The wire proves who the other end is and keeps frames whole. It does not keep a capable observer
//! from reading them: see [`secrets::Secrets`].

pub mod capability;
pub mod disconnect;
pub mod frame;
pub mod handshake;
pub mod hello;
pub mod secrets;

mod address;
mod enode;
mod snappy;

pub use address::is_local;
pub use enode::Endpoint;
pub use enode::Enode;
pub use enode::EnodeError;
pub use enode::Host;
