//! What this mode refuses.

use crate::session::contract::MessageName;
use crate::time::Timestamp;

/// Why no invitation can be made. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InviteError {
    /// The card of the peer, or the own certificate, is out of its dates.
    #[error("the card is out of its dates: ask for a new one")]
    CardExpired,
    /// The card is one's own.
    #[error("the card is this identity's own: give that of somebody else")]
    OwnCard,
    /// What is to be said does not fit into one message.
    #[error("a message carries at most {max} bytes: send this in parts")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// Acknowledgements, goodbyes and cards need a session.
    #[error("an invitation carries a text, a part of one, or nothing: say this on a session")]
    Kind,
    /// The clock shows a time that envelopes cannot carry.
    #[error("the clock shows a date after the year 2106: set it right")]
    Date,
    /// The random source gives what cannot be random.
    #[error("the random source repeats itself: give one that works")]
    Entropy,
}

/// Why data does not open as an invitation to this identity.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum KnockError {
    /// It is a message, or for somebody else.
    #[error("not an invitation to this identity")]
    NotOurs,
    /// The peer wrote it with a later version.
    #[error("the peer uses a later version of the protocol: use a later program")]
    PeerTooNew,
}

/// An invitation is refused. Why is not told: that would help whoever forges.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the invitation is refused")]
pub struct Refused;

/// Why a session cannot say what it is to say. Nothing has changed then.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// We invited, and nothing came back yet; or the session is closing.
    #[error("nothing can be sent on this session: invite the peer")]
    Unanswered,
    /// The peer has not answered for as many messages as may be.
    #[error("the peer has not answered for long: invite it again")]
    Exhausted,
    /// All topics of this hour are used.
    #[error("no more messages fit into this hour: send this one in the next hour")]
    HourFull {
        /// When there is room again.
        until: Timestamp,
    },
    /// What is to be said does not fit into one message.
    #[error("a message carries at most {max} bytes: send this in parts")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// The clock shows a time that envelopes cannot carry.
    #[error("the clock shows a date after the year 2106: set it right")]
    Date,
    /// The random source gives what cannot be random.
    #[error("the random source repeats itself: give one that works")]
    Entropy,
}

/// Why data does not open on a session. The session is as it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenFailure {
    /// It does not open: it is for somebody else, or was changed on the way.
    #[error("the data does not open on this session")]
    NotOurs,
    /// Its header says what this side of a session never says, or not now.
    #[error("the header breaks a rule")]
    Refused,
    /// More messages before it are missing than a session looks past.
    #[error("too many messages are missing before this one: invite the peer again")]
    SkipLimit,
    /// Its header is of the same chain as others that say something else: the peer's state was
    /// copied.
    #[error("two copies of the peer's session are in use")]
    Forked,
    /// The key for its number is gone: it came before, or the peer's state was copied, or it comes
    /// too late.
    #[error("the key of this message is gone")]
    KeyGone {
        /// The name of the message: if one of that name was opened, it came before.
        name: MessageName,
    },
}
