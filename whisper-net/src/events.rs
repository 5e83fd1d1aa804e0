//! What happens around a node.

use std::time::Duration;

use whisper_core::node::Violation;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::transport::DialFailure;
use crate::transport::DisconnectReason;
use crate::transport::NodeName;
use crate::transport::PeerFacts;

/// Something that happened around the node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Event {
    /// A connection is made.
    Connected {
        /// Its number.
        peer: PeerId,
        /// Who is at the other end.
        facts: Box<PeerFacts>,
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
    /// A node that is dialled cannot be reached. Each reason is told once until it changes.
    Unreachable {
        /// The node, as [`Handle::dial`](crate::Handle::dial) has named it.
        node: NodeName,
        /// Its address.
        address: String,
        /// Why there is no connection.
        why: DialFailure,
        /// When it is tried again.
        retry_at: Timestamp,
    },
    /// The addresses under which others reach this node have changed to these.
    Addresses(Vec<String>),
    /// This node's clock seems wrong: by the envelopes of most peers, it is off by this much. It is
    /// never corrected silently; set it.
    ClockSuspect {
        /// Whether it is ahead of the others, not behind them.
        ahead: bool,
        /// By how much, about.
        by: Duration,
    },
}
