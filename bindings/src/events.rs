//! What happens in conversations, as both engine and node tell it.

use std::fmt;
use std::time::SystemTime;

use whisper_core::identity::PublicKey;
use whisper_core::session;
use whisper_core::session::MessageName;
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
        /// The name of the message.
        name: MessageName,
        /// A number that grows from message to message of a session: they may come out of order.
        order: u64,
        /// How many earlier ones have not come so far: they may come later, or never.
        missing: u32,
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
        /// The names of the messages.
        names: Vec<MessageName>,
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
    /// The clock was ahead when earlier messages of this session were sent, by more than an hour: the
    /// peer may not find them. Send again what stays unacknowledged.
    ClockSetBack {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer has answered nothing for a day: it is away, or has lost the session. It was invited
    /// again; send again what stays unacknowledged once it answers.
    Stale {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer's identity is used in two places, or was restored from an old copy: some of what it
    /// sends is lost.
    PeerForked {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer has read what was never said here: this identity is used in two places, or these
    /// sessions are an old copy. Invite the peer again.
    Suspect {
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
    /// Others took its place: newer ones of the same peer, or better rated ones of other strangers.
    Displaced,
}

impl From<session::Ended> for Ended {
    fn from(why: session::Ended) -> Self {
        match why {
            session::Ended::Closed => Self::Closed,
            session::Ended::ClosedByPeer => Self::ClosedByPeer,
            session::Ended::Expired => Self::LifetimeOver,
            session::Ended::Idle => Self::Idle,
            session::Ended::Evicted => Self::Displaced,
        }
    }
}

impl From<Result<SessionEvent, Lagged>> for ConversationEvent {
    /// As the node tells it.
    fn from(event: Result<SessionEvent, Lagged>) -> Self {
        match event {
            Ok(event) => event.into(),
            Err(Lagged(missed)) => Self::Gap { missed },
        }
    }
}

impl From<SessionEvent> for ConversationEvent {
    /// As sessions tell it.
    fn from(event: SessionEvent) -> Self {
        use SessionEvent as Event;
        match event {
            Event::Invited { session, peer } => Self::Invited { session: session.into(), peer },
            Event::Established { session, peer } => {
                Self::Established { session: session.into(), peer }
            }
            Event::Message { session, peer, name, order, missing, sent_at, data } => {
                Self::Received {
                    session: session.into(),
                    peer,
                    name,
                    order: order.as_u64(),
                    missing,
                    sent_at: system_time(sent_at),
                    payload: data,
                }
            }
            Event::Acknowledged { session, peer, names } => {
                Self::Acknowledged { session: session.into(), peer, names }
            }
            Event::ClockSetBack { session, peer } => {
                Self::ClockSetBack { session: session.into(), peer }
            }
            Event::Stale { session, peer } => Self::Stale { session: session.into(), peer },
            Event::PeerForked { session, peer } => {
                Self::PeerForked { session: session.into(), peer }
            }
            Event::Suspect { session, peer } => Self::Suspect { session: session.into(), peer },
            Event::Replaced { peer } => Self::Replaced { peer },
            Event::Malformed { session, peer } => Self::Nonsense { session: session.into(), peer },
            Event::Ended { session, peer, why } => {
                Self::Over { session: session.into(), peer, why: why.into() }
            }
        }
    }
}

impl fmt::Debug for ConversationEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invited { .. } => f.write_str("Invited"),
            Self::Established { .. } => f.write_str("Established"),
            Self::Received { name, payload, .. } => f
                .debug_struct("Received")
                .field("name", name)
                .field("payload", &format_args!("{} bytes", payload.len()))
                .finish_non_exhaustive(),
            Self::Acknowledged { names, .. } => f.debug_tuple("Acknowledged").field(names).finish(),
            Self::Replaced { .. } => f.write_str("Replaced"),
            Self::Nonsense { .. } => f.write_str("Nonsense"),
            Self::ClockSetBack { .. } => f.write_str("ClockSetBack"),
            Self::Stale { .. } => f.write_str("Stale"),
            Self::PeerForked { .. } => f.write_str("PeerForked"),
            Self::Suspect { .. } => f.write_str("Suspect"),
            Self::Over { why, .. } => f.debug_tuple("Over").field(why).finish(),
            Self::Gap { missed } => f.debug_tuple("Gap").field(missed).finish(),
        }
    }
}
