//! What happens in conversations, as both engine and node tell it.

use std::fmt;
use std::time::SystemTime;

use whisper_core::identity::PublicKey;
use whisper_core::session;
use whisper_core::session::SessionEvent;
use whisper_net::Lagged;

use crate::ids::SessionId;
use crate::time::system_time;

/// What happens in the conversations of an identity. More kinds may come. Its text form tells neither
/// with whom nor what is said.
#[derive(Clone, Eq, Hash, PartialEq, uniffi::Enum)]
#[uniffi::export(Debug, Eq, Hash)]
#[non_exhaustive]
pub enum ConversationEvent {
    /// Somebody who is no contact wants to talk. What is said is withheld until it is accepted.
    Invited {
        /// The session.
        session: SessionId,
        /// Who asks.
        peer: PublicKey,
    },
    /// A conversation stands: the peer has proved who it is.
    Established {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer says something.
    Received {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The number of the message in its direction; none for the text of an invitation.
        sequence: Option<u32>,
        /// When the peer's clock says it was sent.
        sent_at: SystemTime,
        /// What it says.
        payload: Vec<u8>,
    },
    /// The peer has read messages, up to an hour ago.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The numbers of the messages.
        sequences: Vec<u32>,
    },
    /// Messages to this peer now go on another session: after both have invited, or the peer has lost
    /// its keys, or somebody else may have taken them.
    Replaced {
        /// The peer.
        peer: PublicKey,
    },
    /// The peer sent what makes no sense; it was dropped, the conversation goes on.
    Nonsense {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// A session is over and its keys are wiped.
    Over {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// Why.
        why: Ended,
    },
    /// At most so many events are missing here: the app read too slowly, or more envelopes came than
    /// there was time to open.
    Gap {
        /// How many.
        missed: u64,
    },
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, uniffi::Enum)]
#[non_exhaustive]
pub enum Ended {
    /// This side closed it.
    Closed,
    /// The peer closed it.
    ClosedByPeer,
    /// Its lifetime is over.
    LifetimeOver,
    /// Nothing happened on it for a day.
    Idle,
    /// Newer ones took its place.
    Displaced,
    /// A reason that this version does not know.
    Other,
}

impl From<session::Ended> for Ended {
    fn from(why: session::Ended) -> Self {
        match why {
            session::Ended::Closed => Self::Closed,
            session::Ended::ClosedByPeer => Self::ClosedByPeer,
            session::Ended::Expired => Self::LifetimeOver,
            session::Ended::Idle => Self::Idle,
            session::Ended::Evicted => Self::Displaced,
            _ => Self::Other,
        }
    }
}

impl ConversationEvent {
    /// As the node tells it; nothing for what this version does not know.
    pub(crate) fn from_net(event: Result<SessionEvent, Lagged>) -> Option<Self> {
        match event {
            Ok(event) => Self::from_core(event),
            Err(Lagged(missed)) => Some(Self::Gap { missed }),
        }
    }

    /// As sessions tell it; nothing for what this version does not know.
    pub(crate) fn from_core(event: SessionEvent) -> Option<Self> {
        use SessionEvent as Event;
        Some(match event {
            Event::Invited { session, peer } => Self::Invited { session: session.into(), peer },
            Event::Established { session, peer } => {
                Self::Established { session: session.into(), peer }
            }
            Event::Message { session, peer, sequence, sent_at, data } => Self::Received {
                session: session.into(),
                peer,
                sequence,
                sent_at: system_time(sent_at),
                payload: data,
            },
            Event::Acknowledged { session, peer, sequences } => {
                Self::Acknowledged { session: session.into(), peer, sequences }
            }
            Event::Replaced { peer } => Self::Replaced { peer },
            Event::Malformed { session, peer } => Self::Nonsense { session: session.into(), peer },
            Event::Ended { session, peer, why } => {
                Self::Over { session: session.into(), peer, why: why.into() }
            }
            _ => return None,
        })
    }
}

impl fmt::Debug for ConversationEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invited { .. } => f.write_str("Invited"),
            Self::Established { .. } => f.write_str("Established"),
            Self::Received { sequence, payload, .. } => f
                .debug_struct("Received")
                .field("sequence", sequence)
                .field("payload", &format_args!("{} bytes", payload.len()))
                .finish_non_exhaustive(),
            Self::Acknowledged { sequences, .. } => {
                f.debug_tuple("Acknowledged").field(sequences).finish()
            }
            Self::Replaced { .. } => f.write_str("Replaced"),
            Self::Nonsense { .. } => f.write_str("Nonsense"),
            Self::Over { why, .. } => f.debug_tuple("Over").field(why).finish(),
            Self::Gap { missed } => f.debug_tuple("Gap").field(missed).finish(),
        }
    }
}
