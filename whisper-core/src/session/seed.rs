//! Seed mode, the paper's: signed ECIES set-up, one key per direction, no forward secrecy.

pub(super) mod body;
pub(super) mod chain;
pub(super) mod invitation;
pub(super) mod keys;
mod session;

pub(super) use self::session::Facts;
pub(super) use self::session::Session;
pub(super) use self::session::jitter;
