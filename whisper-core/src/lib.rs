//! Whisper without I/O.
#![no_std]

extern crate alloc;
