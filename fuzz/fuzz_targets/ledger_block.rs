//! `ledger_block` for the fuzzer; what it does stands in `bodies/ledger_block.rs`.
#![no_main]

#[path = "../bodies/ledger_block.rs"]
mod body;
#[path = "../bodies/rules.rs"]
mod rules;
#[path = "../bodies/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
