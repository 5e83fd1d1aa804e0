//! Protocols beside the relay's, over the same connections.

use std::time::Duration;

use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::transport::Goodbye;

/// Speaks one protocol with the peers of a node. [`Handle::register`](crate::Handle::register) adds it.
///
/// It is called by the node's loop and must not wait: work that takes longer than a millisecond
/// belongs into a task of its own.
///
/// ```
/// use whisper_core::time::Timestamp;
/// use whisper_net::handler::{Handler, PeerCommand, PeerEvent};
///
/// /// Sends back what peers say.
/// struct Echo;
///
/// impl Handler for Echo {
///     fn handle(&mut self, _now: Timestamp, event: PeerEvent) -> Vec<PeerCommand> {
///         match event {
///             PeerEvent::Received { peer, code, payload } => {
///                 vec![PeerCommand::Send { peer, code, payload }]
///             }
///             PeerEvent::Connected(_) | PeerEvent::Disconnected(_) | PeerEvent::Written { .. } => {
///                 Vec::new()
///             }
///         }
///     }
/// }
/// ```
pub trait Handler: Send + 'static {
    /// Takes what has happened on a connection that speaks the protocol; returns what is to be done.
    fn handle(&mut self, now: Timestamp, event: PeerEvent) -> Vec<PeerCommand>;

    /// When to call [`Handler::timeout`]. It is asked again after every call.
    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }

    /// Takes notice that the time of [`Handler::poll_timeout`] has come.
    fn timeout(&mut self, now: Timestamp) -> Vec<PeerCommand> {
        let _ = now;
        Vec::new()
    }
}

/// What happens on the connections that speak a protocol.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerEvent {
    /// A connection stands.
    Connected(PeerId),
    /// A connection has ended.
    Disconnected(PeerId),
    /// A packet has come.
    Received {
        /// The peer that sent it.
        peer: PeerId,
        /// The protocol's own message code.
        code: u8,
        /// The packet's body.
        payload: Vec<u8>,
    },
    /// The socket has taken more of what was sent.
    Written {
        /// The peer whose socket it is.
        peer: PeerId,
        /// The lengths of the payloads that were taken whole since the last such event, summed.
        bytes: usize,
    },
}

/// What is to be done with a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum PeerCommand {
    /// Send a packet.
    Send {
        /// The peer to send it to.
        peer: PeerId,
        /// The protocol's own message code.
        code: u8,
        /// The packet's body.
        payload: Vec<u8>,
    },
    /// Leave the peer unread for so long. The connection's other protocols rest with it.
    Throttle(PeerId, Duration),
    /// End the connection, with all its protocols.
    Disconnect(PeerId, Goodbye),
}
