//! `hello` for the fuzzer; what it does stands in `bodies/hello.rs`.
#![no_main]

#[path = "../bodies/hello.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| body::run(data));
