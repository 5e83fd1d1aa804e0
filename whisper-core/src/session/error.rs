//! What sessions refuse.

use crate::time::Timestamp;

/// Why a session cannot do what it is asked. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no session to send on.
    #[error("there is no session with this peer: invite it first")]
    NoSession,
    /// No invitation of this peer waits.
    #[error("no invitation of this peer waits: it may have ended, or was answered already")]
    NotInvited,
    /// The text does not fit into one message.
    #[error("a message carries at most {max} bytes: send this in parts")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// The lifetime is out of bounds.
    #[error("a session lives between 60 seconds and 30 days: choose a lifetime among those")]
    Lifetime,
    /// The peer's key is this identity's.
    #[error("the peer is this identity itself: give the key of somebody else")]
    OwnKey,
    /// There are as many sessions as may be.
    #[error("there are {max} sessions already: close some")]
    TooMany {
        /// The largest number.
        max: usize,
    },
    /// The key of this direction is used up.
    #[error("the key of this session is used up: invite the peer again")]
    Exhausted,
    /// All topics of this hour are used.
    #[error("no more messages fit into this hour: send this one in the next hour")]
    HourFull {
        /// When there is room again.
        until: Timestamp,
    },
    /// The clock shows a time that envelopes cannot carry.
    #[error("the clock shows a date after the year 2106: set it right")]
    Date,
    /// The random source gives what cannot be random.
    #[error("the random source repeats itself: give one that works")]
    Entropy,
    /// An earlier step with this peer is not stored yet.
    #[error("an earlier step is not stored yet: try again once it is")]
    Busy,
}

/// Why an invitation is not taken up. The sender learns nothing of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// The payload is that of another kind of message.
    #[error("not an invitation")]
    NotAnInvitation,
    /// It breaks a rule of its format.
    #[error("the invitation is malformed")]
    Malformed,
    /// It is not signed, or this identity signed it.
    #[error("the invitation is signed by nobody, or by this identity itself")]
    Signer,
    /// It is over, was made in the future, or before the time from which on it would be known to
    /// have come before.
    #[error("the invitation is out of its time")]
    OutOfTime,
    /// It came before.
    #[error("the invitation came before")]
    Replayed,
    /// Better rated ones wait for the user, or there are as many sessions as may be.
    #[error("there are too many invitations")]
    TooMany,
    /// More came lately than are looked at.
    #[error("more invitations came lately than are looked at: try again once there is time for it")]
    Crowded,
    /// An earlier step is not stored yet.
    #[error("an earlier step is not stored yet: try again once it is")]
    Busy,
}

impl InvitationError {
    /// Whether to give the same message to [`Sessions::receive`](super::Sessions::receive) again: once a
    /// step of these sessions is stored or given up, or at
    /// [`Sessions::strangers_at`](super::Sessions::strangers_at), the best rated first.
    pub const fn is_temporary(self) -> bool {
        matches!(self, Self::Busy | Self::Crowded)
    }
}

/// Why an envelope opens in no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is for somebody else, or for a session that is not known yet.
    #[error("no session opens the envelope")]
    NotOurs,
    /// Its message came before, perhaps in another envelope.
    #[error("the message came before")]
    Duplicate,
    /// It opens, and there is nothing sensible in it.
    #[error("the message makes no sense")]
    Malformed,
    /// A session that is not accepted yet holds as much as it may.
    #[error("the session is not accepted yet and holds as much as it may")]
    Withheld,
    /// An earlier step with this peer is not stored yet.
    #[error("an earlier step is not stored yet")]
    Busy,
}

impl OpenError {
    /// Whether to keep the envelope until it expires:
    /// [`SessionOutput::LookBack`](super::SessionOutput::LookBack) asks for it when it may open.
    /// Only lengths that [`is_class_length`](super::is_class_length) are worth that.
    pub const fn is_temporary(self) -> bool {
        match self {
            Self::NotOurs | Self::Withheld | Self::Busy => true,
            Self::Duplicate | Self::Malformed => false,
        }
    }
}

/// Why sessions cannot be restored from what was stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// A record was written by a later version.
    #[error("a record has version {found}, and this program reads {known}: use a later program")]
    Version {
        /// The version of the record.
        found: u8,
        /// The version that is read.
        known: u8,
    },
    /// A record is not as it was written.
    #[error("a record of the sessions is damaged: restore it from a copy")]
    Corrupt,
    /// A record stands there twice.
    #[error("a record of the sessions is given twice: give each once")]
    Repeated,
}
