//! What sessions report to the application.

use alloc::vec::Vec;
use core::fmt;

use super::contract::MessageName;
use super::contract::MessageOrder;
use super::contract::SessionId;
use crate::identity::PublicKey;
use crate::time::Timestamp;

/// Something the application may care about. Of a session that is not accepted only
/// [`SessionEvent::Invited`] and [`SessionEvent::Ended`] are reported. The text form of an event shows
/// neither the peer nor what is said.
#[derive(Clone, Eq, PartialEq)]
pub enum SessionEvent {
    /// A stranger wants to talk. The text is withheld until
    /// [`Sessions::accept`](super::Sessions::accept).
    Invited {
        /// The session.
        session: SessionId,
        /// The stranger.
        peer: PublicKey,
    },
    /// The peer has proved that it holds its keys, or, as to a strict invitation, has signed it.
    Established {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer says something.
    Message {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The name of the message.
        name: MessageName,
        /// The place of the message among those of its session. Messages may come out of order.
        order: MessageOrder,
        /// How many earlier ones have not come so far, among the last 1,024: they may come later, or
        /// never. Acknowledgements and empty messages count too.
        missing: u32,
        /// When the message was sent, by the peer's clock.
        sent_at: Timestamp,
        /// What the peer says.
        data: Vec<u8>,
    },
    /// The peer has opened these messages, up to an hour ago.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The names of the messages, as [`Outgoing::message`](super::Outgoing::message) gave them.
        names: Vec<MessageName>,
    },
    /// Messages to this peer now go on another session: after both have invited, after the peer has
    /// lost its keys, or after somebody else has taken them.
    Replaced {
        /// The peer.
        peer: PublicKey,
    },
    /// The peer sent something that makes no sense; it was dropped, the session lives.
    Malformed {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The clock was ahead when earlier messages of this session were sent, by more than an hour:
    /// the peer may not find them. Send again what stays unacknowledged.
    ClockSetBack {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer has answered nothing for a day, although something was said that it would acknowledge:
    /// it is away, or has lost the session. It was invited again, once a day at most; what is not
    /// acknowledged is to be sent again once it answers.
    Stale {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// A message came under the number of an earlier one and was dropped: the peer's identity is used in
    /// two places, or was restored from an old copy, so that of the two the later messages are lost.
    /// It is a hint, told once a day at most.
    PeerForked {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer has read messages that were never said here: our identity is used in two places, or these
    /// sessions are an old copy. The peer may lose what is said here: invite it again. It is a hint,
    /// told once a day at most; a peer that lies can bring it about.
    Suspect {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The session is over and its keys are wiped.
    Ended {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// Why.
        why: Ended,
    },
}

impl SessionEvent {
    /// The peer that it is about.
    pub const fn peer(&self) -> PublicKey {
        match self {
            Self::Invited { peer, .. }
            | Self::Established { peer, .. }
            | Self::Message { peer, .. }
            | Self::Acknowledged { peer, .. }
            | Self::Replaced { peer }
            | Self::Malformed { peer, .. }
            | Self::ClockSetBack { peer, .. }
            | Self::Stale { peer, .. }
            | Self::PeerForked { peer, .. }
            | Self::Suspect { peer, .. }
            | Self::Ended { peer, .. } => *peer,
        }
    }
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invited { .. } => f.write_str("Invited"),
            Self::Established { .. } => f.write_str("Established"),
            Self::Message { name, missing, data, .. } => f
                .debug_struct("Message")
                .field("name", name)
                .field("missing", missing)
                .field("data", &format_args!("{} bytes", data.len()))
                .finish_non_exhaustive(),
            Self::Acknowledged { names, .. } => f.debug_tuple("Acknowledged").field(names).finish(),
            Self::Replaced { .. } => f.write_str("Replaced"),
            Self::Malformed { .. } => f.write_str("Malformed"),
            Self::ClockSetBack { .. } => f.write_str("ClockSetBack"),
            Self::Stale { .. } => f.write_str("Stale"),
            Self::PeerForked { .. } => f.write_str("PeerForked"),
            Self::Suspect { .. } => f.write_str("Suspect"),
            Self::Ended { why, .. } => f.debug_tuple("Ended").field(why).finish(),
        }
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Ended {
    /// We closed it.
    Closed,
    /// The peer closed it.
    ClosedByPeer,
    /// Its lifetime is over.
    Expired,
    /// Nothing happened on it for a day; for 21 days, if it waits to be accepted.
    Idle,
    /// Others took its place: newer ones of the same peer, or better rated ones of other strangers.
    Evicted,
}
