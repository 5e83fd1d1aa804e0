//! `rlpx_handshake` for the fuzzer; what it does stands in `bodies/rlpx_handshake.rs`.
#![no_main]

#[path = "../bodies/rlpx_handshake.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
