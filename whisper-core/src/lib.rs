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
//! # The map
//!
//! ```text
//!    relays, holds no key          reads, holds keys            what is public and lasts
//!
//!    node                             mailbox                   ledger
//!      │                                 │                        blocks, names, proofs,
//!    pool  packet                  inbox  session                 light client, sync
//!      └──────────┬──────────────────┴─────┐                      │
//!              envelope                 message                   │
//!                 └───────────┬────────────┘                      │
//!                   identity  topic  pow                          │
//!                             └──────────────────┬────────────────┘
//!                                  crypto  hash  rlp  time
//! ```
//!
//! A module imports only from those below it, what relays imports nothing that reads, and the ledger
//! and the rest do not know each other: `ARCHITECTURE.md` of the repository draws it floor by floor, and
//! tests hold it.
//!
//! # Which type to start with
//!
//! | you want to | take |
//! |---|---|
//! | relay | [`node::Node`] |
//! | write to somebody | [`identity::Identity`] or [`identity::SymmetricKey`], then [`message`] and [`envelope::Draft`] |
//! | read what is for you, and talk | [`mailbox::Mailbox`]; by hand [`inbox::Inbox`] and [`session::Sessions`] |
//! | keep a block chain | [`ledger::Ledger`], and [`ledger::sync::LedgerNode`] to keep up with others |
//! | believe a block chain without keeping it | [`ledger::LightClient`], and [`ledger::sync::LightNode`] |
//! | check what this crate does against its rules | [`spec`]: the formats byte by byte, and the attacks that tests are named after |
//!
//! Engines have one contract: a step takes the time first, then what has happened; it returns what is to
//! be done, which the compiler wants carried out before the next step; `poll_timeout` says when to come
//! back. An engine that wants something stored waits until its host says that it is.
//!
//! # Embedding
//!
//! The crate has no features. `k256/std` and `k256/precomputed-tables` halve the cost of key
//! generation and signing where there is a standard library: depend on `k256` with these two and
//! they are on. `whisper-net` does.
//!
//! In builds with overflow checks (those for development have them), switch them off for `ml-kem` and
//! `module-lattice` in the profile of your own workspace: each addition of secrets would be a branch.
//!
//! ```toml
//! [profile.dev.package.ml-kem]
//! overflow-checks = false
//! [profile.dev.package.module-lattice]
//! overflow-checks = false
//! ```
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

pub mod bucket;
pub mod crypto;
pub mod envelope;
pub mod hash;
mod hex;
pub mod identity;
pub mod inbox;
pub mod ledger;
pub mod mailbox;
pub mod message;
pub mod node;
pub mod outputs;
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
mod unwritten;
