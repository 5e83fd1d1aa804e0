//! Whisper on real networks.
#![forbid(unsafe_code)]

pub mod transport;
