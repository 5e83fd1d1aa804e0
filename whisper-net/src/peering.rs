//! Who may be a peer, and who is dialled when: policy about connections that belongs to no wire.
//!
//! | what | where |
//! |---|---|
//! | what the transports of one node share | [`Peering`] |
//! | who is connected, who else may be, who replaces whom | [`PeerTable`], by [`Rules`] |
//! | handshakes under way | [`HandshakeLimiter`] |
//! | how often one address may come | [`AddressThrottle`] |
//! | which addresses are dialled, and when again | [`Dialler`] |
//!
//! Nodes are known by an opaque [`NodeName`], so that every wire can use it. Nothing here reads a
//! clock or opens a socket: time comes in with each call.

mod address;
mod dialler;
mod failure;
mod handshakes;
mod limits;
mod name;
mod table;
mod throttle;

pub use address::is_local;
pub(crate) use address::network;
pub use dialler::Dialler;
pub use dialler::Outcome;
pub use dialler::Target;
pub use dialler::Verdict;
pub use failure::DialFailure;
pub use handshakes::HandshakeLimiter;
pub use handshakes::Place;
pub use limits::Limits;
pub use limits::Timing;
pub use name::NodeName;
pub use name::PeerNumbers;
pub use table::Candidate;
pub use table::PeerTable;
pub use table::Refusal;
pub use table::Rules;
pub use table::Slot;
pub use throttle::AddressThrottle;

use std::time::Duration;

use tokio::time::Instant;

/// What the transports of one node share. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Peering {
    /// Gives each connection a number of its own.
    pub numbers: PeerNumbers,
    /// The connected nodes, over all wires.
    pub peers: PeerTable,
}

/// The moment `span` after `now`. "Never" is a day: it fits into any clock.
pub(crate) fn after(now: Instant, span: Duration) -> Instant {
    now + span.min(DAY)
}

const DAY: Duration = Duration::from_secs(86_400);
