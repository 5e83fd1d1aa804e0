//! `rlpx_frame` for the fuzzer; what it does stands in `bodies/rlpx_frame.rs`.
#![no_main]

#[path = "../bodies/rlpx_frame.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
