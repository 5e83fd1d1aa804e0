//! The inputs of the fuzz targets that concern this crate, without a fuzzer.
#![cfg(feature = "rlpx")]

#[path = "../../fuzz/bodies/hello.rs"]
mod hello;
#[path = "../../fuzz/replay.rs"]
mod replay;
#[path = "../../fuzz/bodies/rlpx_frame.rs"]
mod rlpx_frame;
#[path = "../../fuzz/bodies/rlpx_handshake.rs"]
mod rlpx_handshake;

use replay::replay;

#[test]
fn hellos_of_the_corpus_are_read_as_ever() {
    replay("hello", 29, hello::run);
}

#[test]
fn frames_of_the_corpus_are_read_as_ever() {
    replay("rlpx_frame", 47, rlpx_frame::run);
}

#[test]
fn handshakes_of_the_corpus_end_as_ever() {
    replay("rlpx_handshake", 39, rlpx_handshake::run);
}
