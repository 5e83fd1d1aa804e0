//! A node of ours and a node of go-ethereum 1.9.20 as peers of each other.
//!
//! `cargo test -p whisper-net --test geth -- --ignored` builds the Go program that stands in this
//! folder, which needs Go and gcc.

mod binary;
mod connections;
mod control;
mod direct;
mod messages;
mod ours;
mod peer;
mod settings;
mod stem;
mod verdicts;
