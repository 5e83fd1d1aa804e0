//! Whisper without I/O: secure messaging in a trustless environment, as a library to embed.
//!
//! Two people talk, end-to-end encrypted and anonymous to each other's network, over peers that flood
//! what they cannot read. Proof of work and a rating price what everybody has to carry.
//!
//! # What this crate promises not to do
//!
//! No sockets, no clock, no threads, no randomness of its own, no global state, no `unsafe`, no
//! standard library. Time comes in as [`Timestamp`](time::Timestamp), always the first argument;
//! randomness as `&mut impl CryptoRng`, always the last. What peers send can make it neither panic
//! nor remember without bound. A driver that owns sockets and time is the crate `whisper-net`.
//!
//! # The house
//!
//! A module imports only from floors below its own; a test holds it so.
//!
//! | floor | modules |
//! |---|---|
//! | 5 | [`node`]: the relay engine, which holds no key and imports nothing that could read |
//! | 4 | [`pool`], [`packet`]; [`inbox`] and [`session`] for those who hold keys |
//! | 3 | [`envelope`]: what peers relay; [`message`]: what is inside |
//! | 2 | [`identity`], [`topic`], [`pow`] |
//! | 1 | [`crypto`]: the one door to the cipher crates |
//! | 0 | [`time`], [`hash`], [`rlp`], [`peer`] |
//!
//! # Which type to start with
//!
//! | you want to | take |
//! |---|---|
//! | relay | [`node::Node`] |
//! | write to somebody | [`identity::Identity`] or [`identity::SymmetricKey`], then [`message`] and [`envelope::Draft`] |
//! | read what is for you | [`inbox::Inbox`] |
//! | talk | [`session::Sessions`] |
//!
//! # Embedding
//!
//! The crate has no features. `k256/std` and `k256/precomputed-tables` halve the cost of key
//! generation and signing where there is a standard library: depend on `k256` with these two and
//! they are on. `whisper-net` does.
#![no_std]
#![deny(unsafe_code)]
// Peers choose the bytes: nothing here may panic on them. Tests may.
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        clippy::unwrap_used
    )
)]

extern crate alloc;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod crypto;
pub mod envelope;
pub mod hash;
mod hex;
pub mod identity;
pub mod inbox;
pub mod ledger;
pub mod message;
pub mod node;
pub mod packet;
pub mod peer;
pub mod pool;
pub mod pow;
pub mod rlp;
pub mod session;
#[cfg(doc)]
pub mod spec;
pub mod time;
pub mod topic;
