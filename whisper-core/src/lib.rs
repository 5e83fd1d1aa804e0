//! Whisper without I/O.
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

pub mod crypto;
pub mod envelope;
pub mod hash;
mod hex;
pub mod identity;
pub mod inbox;
pub mod message;
pub mod node;
pub mod packet;
pub mod peer;
pub mod pool;
pub mod pow;
pub mod rlp;
pub mod session;
pub mod time;
pub mod topic;
