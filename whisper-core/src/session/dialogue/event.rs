//! What a dialogue reports.

use alloc::vec::Vec;
use core::fmt;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::super::error::RestoreError;
use super::super::event::Ended;
use super::super::record::Value;
use super::super::record::Writer;
use super::contract::Place;
use super::contract::TextId;
use crate::time::Timestamp;

/// Something the application may care about. The text form shows nothing of what is said.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum DialogueEvent {
    /// Somebody wants to talk, or talk under a new key. The text is withheld until
    /// [`Dialogue::accept`](super::Dialogue::accept).
    Invited(SessionId),
    /// Both may send on this session. The peer invited, which could be a repetition until
    /// [`DialogueEvent::Confirmed`]; or it has answered our invitation, which proves its keys.
    Established(SessionId),
    /// The peer has answered on the session that it began: its invitation was no repetition.
    Confirmed(SessionId),
    /// The peer says something.
    Message {
        /// The session that brought it.
        session: SessionId,
        /// The name of the message.
        name: MessageName,
        /// Where it stands among those of its session; `None` if it came as one that was sent again:
        /// such a message is shown by the time of its first sending.
        place: Option<Place>,
        /// When it was first sent, by the peer's clock.
        sent_at: Timestamp,
        /// What the peer says.
        data: Vec<u8>,
    },
    /// The peer has opened all of these texts.
    Acknowledged(Vec<TextId>),
    /// These texts were not acknowledged, and do not go again.
    Lost(Vec<TextId>, Lost),
    /// Messages now go on another session than before.
    Replaced {
        /// The one that they went on.
        from: SessionId,
        /// The one that they go on.
        to: SessionId,
    },
    /// Messages wait.
    Waiting(Obstacle),
    /// The peer has another certified key, signed by its identity. Messages to a verified peer wait
    /// until the user accepts.
    IdentityKeyChanged,
    /// Two copies of the peer are at work: a restored backup, a cloned device, or a thief.
    PeerForked,
    /// The peer sent something that makes no sense; it was dropped, the session lives.
    Malformed(SessionId),
    /// The peer has closed all sessions that it knew of.
    Closed,
    /// A session is over and its keys are wiped.
    Ended(SessionId, Ended),
}

impl fmt::Debug for DialogueEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invited(session) => f.debug_tuple("Invited").field(session).finish(),
            Self::Established(session) => f.debug_tuple("Established").field(session).finish(),
            Self::Confirmed(session) => f.debug_tuple("Confirmed").field(session).finish(),
            Self::Message { name, place, data, .. } => f
                .debug_struct("Message")
                .field("name", name)
                .field("place", place)
                .field("data", &format_args!("{} bytes", data.len()))
                .finish_non_exhaustive(),
            Self::Acknowledged(texts) => f.debug_tuple("Acknowledged").field(texts).finish(),
            Self::Lost(texts, why) => f.debug_tuple("Lost").field(texts).field(why).finish(),
            Self::Replaced { from, to } => {
                f.debug_struct("Replaced").field("from", from).field("to", to).finish()
            }
            Self::Waiting(obstacle) => f.debug_tuple("Waiting").field(obstacle).finish(),
            Self::IdentityKeyChanged => f.write_str("IdentityKeyChanged"),
            Self::PeerForked => f.write_str("PeerForked"),
            Self::Malformed(session) => f.debug_tuple("Malformed").field(session).finish(),
            Self::Closed => f.write_str("Closed"),
            Self::Ended(session, why) => f.debug_tuple("Ended").field(session).field(why).finish(),
        }
    }
}

/// What messages wait for.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Obstacle {
    /// An answer of the peer: 32 invitations have none (`AwaitingPeer`).
    Peer,
    /// A whole card of the peer (`AwaitingCard`).
    Card {
        /// Whether there is one that is out of its dates (`CardExpired`).
        expired: bool,
    },
    /// The next hour: all topics of this one are used.
    Hour {
        /// When it begins.
        until: Timestamp,
    },
    /// The user's word that the new key of a verified peer is the peer's.
    NewKey,
}

impl Obstacle {
    pub(super) fn write(self, writer: &mut Writer) {
        match self {
            Self::Peer => writer.put(&[0]),
            Self::Card { expired: false } => writer.put(&[1]),
            Self::Card { expired: true } => writer.put(&[2]),
            Self::NewKey => writer.put(&[3]),
            Self::Hour { until } => {
                writer.put(&[4]);
                writer.put_time(until);
            }
        }
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(match value.array()? {
            [0] => Self::Peer,
            [1] => Self::Card { expired: false },
            [2] => Self::Card { expired: true },
            [3] => Self::NewKey,
            [4] => Self::Hour { until: value.time()? },
            _ => return Err(RestoreError::Corrupt),
        })
    }
}

/// Why a text does not go again.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Lost {
    /// It is 21 days old.
    Old,
    /// Too much that is newer is not acknowledged either.
    Crowded,
    /// One of the two has closed the dialogue, or it was burned.
    Closed,
}
