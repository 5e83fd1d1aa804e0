//! `node` for the fuzzer; what it does stands in `bodies/node.rs`.
#![no_main]

#[path = "../bodies/node.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
