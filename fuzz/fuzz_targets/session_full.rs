//! `session_full` for the fuzzer; what it does stands in `bodies/session_full.rs`.
#![no_main]

#[path = "../bodies/session_full.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
