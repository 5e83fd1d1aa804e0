//! The formats and rules that are this project's own, byte by byte.
//!
//! The same texts stand in the folder `spec` of the crate. Whisper v6 itself is EIP-627; what it leaves
//! open is decided as go-ethereum 1.9.20 does.

#[doc = include_str!("../spec/attacks.md")]
pub mod attacks {}

#[doc = include_str!("../spec/ledger.md")]
pub mod ledger {}

#[doc = include_str!("../spec/privacy.md")]
pub mod privacy {}

#[doc = include_str!("../spec/session.md")]
pub mod session {}
