//! Whisper on real networks.
#![forbid(unsafe_code)]
