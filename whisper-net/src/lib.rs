//! Whisper on real networks.
#![forbid(unsafe_code)]

pub mod keyfile;
pub mod memory;
#[cfg(feature = "rlpx")]
pub mod rlpx;
pub mod transport;

mod clock;
mod entropy;

pub use clock::Clock;
pub use entropy::Entropy;
pub use entropy::NoEntropy;
