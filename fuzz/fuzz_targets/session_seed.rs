//! `session_seed` for the fuzzer; what it does stands in `bodies/session_seed.rs`.
#![no_main]

#[path = "../bodies/session_seed.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
