//! Trees of hashes: what a root commits to, and proofs that something stands below it.

pub mod merkle;
pub(super) mod smt;
