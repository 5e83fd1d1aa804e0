//! What an engine asks for.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use whisper_core::envelope::EnvelopeHash;
use whisper_core::node;
use whisper_core::peer::PeerId;
use whisper_core::session::MessageName;

use crate::envelope::Draft;
use crate::events::ConversationEvent;
use crate::subscription::Received;
use crate::time::system_time;

/// Something to do, or to show. More kinds may come.
#[derive(Clone, uniffi::Enum)]
#[uniffi::export(Debug)]
#[non_exhaustive]
pub enum Output {
    /// Send a packet, then say that it is written.
    Transmit {
        /// To whom.
        peer: PeerId,
        /// Its code, 0 to 127.
        code: u8,
        /// What stands behind the code.
        payload: Vec<u8>,
    },
    /// Do not read from this peer before that moment: it is over its budget.
    Throttle {
        /// The peer.
        peer: PeerId,
        /// Until when.
        until: SystemTime,
    },
    /// Close a connection. The engine has forgotten it.
    Disconnect {
        /// The peer.
        peer: PeerId,
        /// What it did.
        reason: String,
    },
    /// A peer has said what it takes: envelopes go both ways.
    Ready {
        /// The peer.
        peer: PeerId,
    },
    /// A filter has found a message.
    Found {
        /// The numbers of the filters that wanted it.
        filters: Vec<u64>,
        /// The message, and what its envelope said.
        received: Received,
    },
    /// Something happened in a conversation.
    Talk {
        /// What.
        event: ConversationEvent,
    },
    /// Work for this, then publish it.
    Post {
        /// What to work for.
        draft: Arc<Draft>,
        /// The name of the message that the peer will acknowledge, if this carries one.
        message: Option<MessageName>,
    },
    /// A socket has taken an envelope of ours.
    Sent {
        /// Its hash.
        hash: EnvelopeHash,
        /// The peer.
        peer: PeerId,
    },
    /// A peer has taken an envelope of ours.
    Acknowledged {
        /// Its hash.
        hash: EnvelopeHash,
        /// The peer.
        peer: PeerId,
    },
    /// A peer has refused an envelope of ours.
    Refused {
        /// Its hash.
        hash: EnvelopeHash,
        /// The peer.
        peer: PeerId,
    },
    /// An envelope of ours has left the pool.
    Gone {
        /// Its hash.
        hash: EnvelopeHash,
        /// Whether its time was over; otherwise a better one took its place.
        expired: bool,
    },
}

impl Output {
    /// What the relay asks for; nothing for what is dealt with here.
    pub(super) fn of_relay(output: node::Output) -> Option<Self> {
        Some(match output {
            node::Output::Transmit { peer, code, payload } => {
                Self::Transmit { peer, code, payload }
            }
            node::Output::Throttle(peer, until) => {
                Self::Throttle { peer, until: system_time(until) }
            }
            node::Output::Disconnect(peer, why) => {
                Self::Disconnect { peer, reason: why.to_string() }
            }
            node::Output::Event(event) => match event {
                node::Event::Ready(peer) => Self::Ready { peer },
                node::Event::Sent { hash, to } => Self::Sent { hash, peer: to },
                node::Event::Acknowledged { hash, by } => Self::Acknowledged { hash, peer: by },
                node::Event::Refused { hash, by, .. } => Self::Refused { hash, peer: by },
                node::Event::Gone { hash, why } => {
                    Self::Gone { hash, expired: why == node::Departure::Expired }
                }
                node::Event::Admitted { .. }
                | node::Event::Direct { .. }
                | node::Event::Requested { .. }
                | node::Event::Spread { .. }
                | node::Event::Relays { .. } => return None,
            },
        })
    }
}

impl fmt::Debug for Output {
    /// Tells what is to be done, and sizes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit { peer, code, payload } => {
                write!(f, "Transmit({peer:?}, code {code}, {} bytes)", payload.len())
            }
            Self::Throttle { peer, .. } => write!(f, "Throttle({peer:?})"),
            Self::Disconnect { peer, reason } => write!(f, "Disconnect({peer:?}, {reason})"),
            Self::Ready { peer } => write!(f, "Ready({peer:?})"),
            Self::Found { filters, received } => write!(f, "Found({filters:?}, {received:?})"),
            Self::Talk { event } => write!(f, "Talk({event:?})"),
            Self::Post { message, .. } => write!(f, "Post({message:?})"),
            Self::Sent { peer, .. } => write!(f, "Sent({peer:?})"),
            Self::Acknowledged { peer, .. } => write!(f, "Acknowledged({peer:?})"),
            Self::Refused { peer, .. } => write!(f, "Refused({peer:?})"),
            Self::Gone { expired, .. } => write!(f, "Gone(expired: {expired})"),
        }
    }
}
