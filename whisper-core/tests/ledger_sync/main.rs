//! Ledgers among others: whole nodes in virtual time, and single ones against peers that lie.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod blame;
mod budget;
#[path = "../forge/mod.rs"]
mod forge;
mod late;
mod phone;
mod single;
mod stories;
mod together;
mod world;
