//! What a pool hands out.

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::envelope::Envelope;
use crate::peer::Network;
use crate::pow::Rating;

/// Where an envelope lies in a pool. Once that has gone the slot is stale, though another with the
/// same number may follow.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Slot {
    pub(super) index: u32,
    pub(super) generation: u32,
}

impl Slot {
    /// A small number that no other envelope in the pool has.
    pub const fn index(self) -> usize {
        self.index as usize
    }
}

/// Who brought an envelope.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// This node.
    Own,
    /// A peer of this network.
    Network(Network),
    /// This node, and a peer of this network has brought it back: it counts as that peer's, so that
    /// nobody sees the difference.
    Returned(Network),
}

impl Origin {
    /// The network in whose share of the pool it counts.
    pub const fn network(self) -> Option<Network> {
        match self {
            Self::Own => None,
            Self::Network(network) | Self::Returned(network) => Some(network),
        }
    }

    /// Whether this node made it.
    pub const fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::Returned(_))
    }
}

/// An envelope in a pool.
#[derive(Debug)]
pub struct Entry {
    pub(super) envelope: Arc<Envelope>,
    pub(super) rating: Rating,
    pub(super) origin: Origin,
    pub(super) sent: bool,
}

impl Entry {
    /// The envelope.
    pub const fn envelope(&self) -> &Arc<Envelope> {
        &self.envelope
    }

    /// Its rating at admission.
    pub const fn rating(&self) -> Rating {
        self.rating
    }

    /// Who brought it.
    pub const fn origin(&self) -> Origin {
        self.origin
    }

    /// Whether it is our own.
    pub const fn is_own(&self) -> bool {
        self.origin.is_own()
    }

    /// Whether it went to a peer.
    pub const fn is_sent(&self) -> bool {
        self.sent
    }

    pub(super) const fn is_waiting(&self) -> bool {
        matches!(self.origin, Origin::Own) && !self.sent
    }
}

/// An envelope is in the pool now.
#[derive(Debug)]
pub struct Inserted {
    /// Where it is.
    pub slot: Slot,
    /// What had to go.
    pub evicted: Vec<Gone>,
}

/// An envelope that has left the pool.
#[derive(Debug)]
pub struct Gone {
    /// Where it was.
    pub slot: Slot,
    /// The envelope.
    pub envelope: Arc<Envelope>,
    pub(super) own: bool,
}

impl Gone {
    /// Whether it was our own.
    pub const fn is_own(&self) -> bool {
        self.own
    }
}
