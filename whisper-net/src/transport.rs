//! What carries packets between nodes: the trait that every wire implements.
//!
//! A transport owns the sockets. It numbers connections, moves packets, and judges nothing: who may
//! send how much, and what is forwarded to whom, is decided by [`whisper_core`]'s node behind it.
//!
//! # Promises of an implementation
//!
//! - **Each connection is one life**: one [`Connected`](TransportEvent::Connected), then packets, then
//!   exactly one [`Disconnected`](TransportEvent::Disconnected), even when the node asked for it.
//!   Its [`PeerId`] comes from the [`PeerNumbers`] that all transports of the node share, and is never
//!   used again.
//! - **No call waits.** [`Transport::send`] queues; what a socket has taken is told by
//!   [`Written`](TransportEvent::Written). The node hands over at most about 1 MiB per peer ahead of
//!   that, so a queue is bounded without a limit of its own.
//! - **Intake is bounded.** Sockets are read only while the queue of events has room, and a
//!   [throttled](Transport::throttle) peer is not read at all. Nothing that was read is dropped: what
//!   was in the queue of events before comes out of it, and the node keeps that until it may be taken.
//! - **Calls for a connection that is gone** are ignored: the two sides cannot agree on the instant.

mod dial;
mod facts;
mod joined;

use std::task::Context;
use std::task::Poll;
use std::time::Duration;

pub use whisper_core::node::Direction;
use whisper_core::peer::PeerId;

pub use self::dial::AddressError;
pub use self::dial::DialError;
pub use self::facts::PeerFacts;
pub use self::joined::Joined;
pub use crate::peering::DialFailure;
pub use crate::peering::NodeName;
pub use crate::peering::PeerNumbers;
use crate::peering::Peering;

/// A wire: connections to other nodes, and packets over them.
///
/// It is polled like a stream and driven from one task. Whoever implements it keeps its sockets in
/// tasks of its own, so that packets are decrypted on all cores while one loop relays them.
pub trait Transport: Send + 'static {
    /// Takes what all transports of the node share. The node calls it once, before anything else.
    fn share(&mut self, peering: &Peering);

    /// Appends what has happened to `events`, at most [`EVENTS_PER_POLL`] of them, and tells how many.
    ///
    /// It is pending while there is nothing. `Ready(0)` means that the transport has ended and will
    /// never tell anything again.
    fn poll_events(
        &mut self,
        cx: &mut Context<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize>;

    /// Queues one packet. `code` is the protocol's own, before any offset of the wire. What the other
    /// end does not speak goes nowhere.
    fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>);

    /// Leaves the socket of `peer` unread for `span`. A later call replaces an earlier one.
    fn throttle(&mut self, peer: PeerId, span: Duration);

    /// Ends a connection, saying why where the wire has a word for it. What is queued may be lost.
    fn disconnect(&mut self, peer: PeerId, why: Goodbye);

    /// Connects to `address`, written as this wire writes addresses, and keeps at it: when the
    /// connection ends it is tried again after a while. An address of a node that is dialled already
    /// replaces the former one and is dialled at once. The name is that of
    /// [`PeerFacts::node`] once the connection stands; until then
    /// [`Unreachable`](TransportEvent::Unreachable) tells what is in the way.
    ///
    /// # Errors
    ///
    /// When the address is malformed, or the wire cannot dial.
    fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        let _ = address;
        Err(DialError::Unsupported)
    }

    /// Takes notice that the machine's network has changed: dials at once whatever waits, and ends
    /// connections that do not show soon that they still work.
    fn network_changed(&mut self) {}

    /// Offers `protocol` on connections from now on. Those that stand keep what they have agreed on.
    fn offer(&mut self, protocol: Protocol);

    /// Ends all connections and makes none, in neither direction, until told otherwise; then dials
    /// again at once. A wire that cannot do so goes on.
    fn set_suspended(&mut self, suspended: bool) {
        let _ = suspended;
    }

    /// Where others reach this node, as the wire writes addresses, the most useful first; none if it
    /// does not listen. A later [`Addresses`](TransportEvent::Addresses) replaces them.
    fn addresses(&self) -> Vec<String> {
        Vec::new()
    }

    /// Says goodbye to everybody and is ready once that is written. The driver bounds the wait, then
    /// drops the transport, which must cut what is left.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let _ = cx;
        Poll::Ready(())
    }
}

/// The most events that one [`Transport::poll_events`] may append: enough to pay for a wake-up, few
/// enough that a command waits for less than a millisecond.
pub const EVENTS_PER_POLL: usize = 256;

/// What is spoken on a connection. Each protocol has message codes of its own, and none notices the
/// others.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Protocol {
    name: &'static str,
    version: u64,
    codes: u8,
}

impl Protocol {
    /// `shh/6`, codes 0 to 127: the relay's. Every connection speaks it.
    pub const WHISPER: Self = Self::new("shh", 6, 128);

    /// A protocol with `codes` message codes, counted from 0. Both ends must know the number: on a
    /// connection the codes of several protocols follow each other in the order of their names.
    pub const fn new(name: &'static str, version: u64, codes: u8) -> Self {
        Self { name, version, codes }
    }

    /// The name, case-sensitive.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The version.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// How many message codes it has.
    pub const fn codes(&self) -> u8 {
        self.codes
    }
}

/// What a transport tells.
#[derive(Debug)]
pub enum TransportEvent {
    /// A connection stands: the wire's own handshake is over and both sides speak `shh/6` at least.
    Connected {
        /// Its number.
        peer: PeerId,
        /// Who is at the other end.
        facts: PeerFacts,
    },
    /// A connection has ended.
    Disconnected {
        /// Its number.
        peer: PeerId,
        /// How it ended.
        how: DisconnectReason,
    },
    /// A packet has come.
    Received {
        /// Who sent it.
        peer: PeerId,
        /// What it belongs to: one of those in [`PeerFacts::protocols`].
        protocol: Protocol,
        /// The protocol's own message code, without any offset of the wire.
        code: u8,
        /// The packet's body, decrypted and decompressed.
        payload: Vec<u8>,
    },
    /// A node that is dialled cannot be reached. Each reason is reported once until it changes.
    Unreachable {
        /// The node, as [`Transport::dial`] has named it.
        node: NodeName,
        /// Its address.
        address: String,
        /// Why there is no connection.
        why: DialFailure,
        /// The time until the next attempt.
        retry_in: Duration,
    },
    /// The addresses under which others reach this node have changed to these.
    Addresses(Vec<String>),
    /// The socket has taken more of what [`Transport::send`] queued.
    Written {
        /// Whose socket.
        peer: PeerId,
        /// Of which protocol.
        protocol: Protocol,
        /// The lengths of the protocol's payloads that were taken whole since the last such event,
        /// summed: the numbers that `send` saw, not what they became on the wire.
        bytes: usize,
    },
}

/// Why this node ends a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Goodbye {
    /// The application asked for it.
    Requested,
    /// The peer broke the protocol.
    Violation,
    /// The peer is of no use, such as a light node to a light node.
    Useless,
    /// This node shuts down.
    Quitting,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum DisconnectReason {
    /// This node ended it.
    Local,
    /// The other end closed it.
    Remote,
    /// The node at the other end has connected anew, and that connection took its place.
    Replaced,
    /// Nothing came, or nothing was taken, for too long.
    TimedOut,
    /// What came was not the wire's format, or the network failed.
    Broken,
}
