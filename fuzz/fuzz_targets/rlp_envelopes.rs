//! `rlp_envelopes` for the fuzzer; what it does stands in `bodies/rlp_envelopes.rs`.
#![no_main]

#[path = "../bodies/rlp_envelopes.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
