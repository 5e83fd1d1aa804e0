//! Seed mode, the paper's: signed ECIES set-up, one key per direction, no forward secrecy.

mod body;
mod chain;
mod channel;
mod invitation;
mod keys;

pub(super) use self::body::MAX_ACKNOWLEDGED;
pub(super) use self::channel::Channel;
pub(super) use self::invitation::Invitation;
pub use self::invitation::InviteOptions;
pub(super) use self::invitation::MAX_TEXT;
pub use self::invitation::is_invitation;
#[cfg(test)]
pub(super) use self::keys::Keys;
