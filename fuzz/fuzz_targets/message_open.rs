//! `message_open` for the fuzzer; what it does stands in `bodies/message_open.rs`.
#![no_main]

#[path = "../bodies/message_open.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
