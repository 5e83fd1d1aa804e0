//! What happens around a node, as a stream.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use futures_core::Stream;
use whisper_core::node::Violation;
use whisper_core::peer::PeerId;

use crate::gap::Next;
use crate::gap::Tap;
use crate::transport::DisconnectReason;
use crate::transport::PeerFacts;

/// Something that happened around the node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection stands.
    Connected {
        /// Its number.
        peer: PeerId,
        /// Who is at the other end.
        facts: PeerFacts,
    },
    /// A peer has said what it takes: envelopes go both ways.
    Ready(PeerId),
    /// This node cuts a peer for what it did.
    Dismissed {
        /// The peer.
        peer: PeerId,
        /// What it did.
        why: Violation,
    },
    /// A connection is gone.
    Disconnected {
        /// Its number.
        peer: PeerId,
        /// How it ended.
        how: DisconnectReason,
    },
    /// This node's clock seems wrong: by the envelopes of most peers, it is off by this much. It is
    /// never corrected silently; set it.
    ClockSuspect {
        /// Whether it is ahead of the others, not behind them.
        ahead: bool,
        /// By how much, about.
        by: Duration,
    },
    /// The reader was too slow and has missed so many events.
    Gap(u64),
}

/// The stream of a node's events. It ends with the node.
pub struct Events(Tap<Event>);

impl Events {
    pub(crate) const fn new(tap: Tap<Event>) -> Self {
        Self(tap)
    }

    /// The next event; nothing once the node has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_next(cx).map(|next| match next? {
            Next::Item(event) => Some(event),
            Next::Gap(missed) => Some(Event::Gap(missed)),
        })
    }
}

impl Stream for Events {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.poll(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").finish_non_exhaustive()
    }
}
