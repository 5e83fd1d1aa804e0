//! What peers say, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use whisper_core::identity::PublicKey;
use whisper_core::session::Ended;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionId;
use whisper_core::time::Timestamp;

use crate::gap::Next;
use crate::gap::Tap;

/// What happens in the conversations of an identity.
#[derive(Clone)]
#[non_exhaustive]
pub enum ConversationEvent {
    /// Somebody who is no contact wants to talk. What is said is withheld until
    /// [`Conversations::accept`](crate::Conversations::accept).
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
    Message {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The number of the message in its direction; none for the text of an invitation.
        sequence: Option<u32>,
        /// When the peer's clock says it was sent.
        sent_at: Timestamp,
        /// What it says.
        data: Vec<u8>,
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
    /// Messages to this peer now go on another session: after both have invited, or the peer has
    /// lost its keys, or somebody else may have taken them.
    Replaced {
        /// The peer.
        peer: PublicKey,
    },
    /// The peer sent what makes no sense; it was dropped, the conversation goes on.
    Malformed {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// A session is over and its keys are wiped.
    Ended {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// Why.
        why: Ended,
    },
    /// At most so many events are missing here: the reader was too slow, or more envelopes came
    /// than the node had time to open.
    Gap(u64),
}

impl ConversationEvent {
    /// As the engine of sessions tells it; nothing for what this version does not know.
    pub fn from_session(event: SessionEvent) -> Option<Self> {
        Some(match event {
            SessionEvent::Invited { session, peer } => Self::Invited { session, peer },
            SessionEvent::Established { session, peer } => Self::Established { session, peer },
            SessionEvent::Message { session, peer, sequence, sent_at, data } => {
                Self::Message { session, peer, sequence, sent_at, data }
            }
            SessionEvent::Acknowledged { session, peer, sequences } => {
                Self::Acknowledged { session, peer, sequences }
            }
            SessionEvent::Replaced { peer } => Self::Replaced { peer },
            SessionEvent::Malformed { session, peer } => Self::Malformed { session, peer },
            SessionEvent::Ended { session, peer, why } => Self::Ended { session, peer, why },
            _ => return None,
        })
    }
}

impl fmt::Debug for ConversationEvent {
    /// Tells what happened, and neither with whom nor what was said.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invited { .. } => f.write_str("Invited"),
            Self::Established { .. } => f.write_str("Established"),
            Self::Message { sequence, data, .. } => f
                .debug_struct("Message")
                .field("sequence", sequence)
                .field("data", &format_args!("{} bytes", data.len()))
                .finish_non_exhaustive(),
            Self::Acknowledged { sequences, .. } => {
                f.debug_tuple("Acknowledged").field(sequences).finish()
            }
            Self::Replaced { .. } => f.write_str("Replaced"),
            Self::Malformed { .. } => f.write_str("Malformed"),
            Self::Ended { why, .. } => f.debug_tuple("Ended").field(why).finish(),
            Self::Gap(missed) => f.debug_tuple("Gap").field(missed).finish(),
        }
    }
}

/// The stream of what happens in the conversations of an identity. It ends with the node.
pub struct ConversationEvents {
    tap: Tap<SessionEvent>,
    _alive: Arc<()>,
}

impl ConversationEvents {
    pub(crate) const fn new(tap: Tap<SessionEvent>, alive: Arc<()>) -> Self {
        Self { tap, _alive: alive }
    }

    /// The next event; nothing once the node has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<ConversationEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConversationEvent>> {
        loop {
            return match self.tap.poll_next(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Ready(Some(Next::Gap(missed))) => {
                    Poll::Ready(Some(ConversationEvent::Gap(missed)))
                }
                Poll::Ready(Some(Next::Item(event))) => {
                    match ConversationEvent::from_session(event) {
                        None => continue,
                        event => Poll::Ready(event),
                    }
                }
            };
        }
    }
}

impl Stream for ConversationEvents {
    type Item = ConversationEvent;

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<ConversationEvent>> {
        self.poll(cx)
    }
}

impl fmt::Debug for ConversationEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConversationEvents").finish_non_exhaustive()
    }
}
