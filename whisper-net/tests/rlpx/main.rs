//! Transports over loopback: with each other, and with peers that behave badly.

#![cfg(feature = "rlpx")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod ends;
mod faults;
mod life;
mod limits;
mod raw;
mod reach;
