//! `ledger_sync` for the fuzzer; what it does stands in `bodies/ledger_sync.rs`.
#![no_main]

#[path = "../bodies/ledger_sync.rs"]
mod body;
#[path = "../../whisper-core/tests/forge/mod.rs"]
mod forge;
#[path = "../bodies/rules.rs"]
mod rules;
#[path = "../bodies/tree.rs"]
mod tree;
#[path = "../bodies/world.rs"]
mod world;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
