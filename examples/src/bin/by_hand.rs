//! Whisper by hand.
fn main() {}
