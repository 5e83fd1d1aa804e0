//! What nodes talk about: capabilities, and the message ids that each gets on a connection.

use std::collections::BTreeMap;

use crate::transport::Protocol;

/// A protocol that a node speaks, and its version. Names are bytes: nothing says that they are text.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Capability {
    /// The name, case-sensitive.
    pub name: Vec<u8>,
    /// The version.
    pub version: u64,
}

impl Capability {
    /// The capability of this name and version.
    pub fn new(name: impl Into<Vec<u8>>, version: u64) -> Self {
        Self { name: name.into(), version }
    }
}

/// A capability that this node offers, with the number of message ids that it takes, which both ends
/// have to know beforehand.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Offer {
    /// What is offered.
    pub capability: Capability,
    /// How many message ids it takes.
    pub length: u64,
}

impl Offer {
    /// An offer of a capability that takes `length` message ids.
    pub const fn new(capability: Capability, length: u64) -> Self {
        Self { capability, length }
    }

    /// The offer of a protocol.
    pub fn of(protocol: Protocol) -> Self {
        let capability = Capability::new(protocol.name(), protocol.version());
        Self::new(capability, u64::from(protocol.codes()))
    }
}

/// A capability that both ends speak, and its message ids on this connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shared {
    /// What is shared.
    pub capability: Capability,
    /// Its first message id.
    pub offset: u64,
    /// How many message ids it takes.
    pub length: u64,
}

impl Shared {
    /// The capability's own code of a message id on the connection, if it is one of its.
    pub fn code_of(&self, id: u64) -> Option<u64> {
        id.checked_sub(self.offset).filter(|code| *code < self.length)
    }
}

/// What both ends speak: of each shared name the highest version, ordered by the bytes of the name,
/// message ids without gaps from 16 (devp2p, "Message-id multiplexing").
pub fn negotiate(offers: &[Offer], remote: &[Capability]) -> Vec<Shared> {
    let mut best: BTreeMap<&[u8], &Offer> = BTreeMap::new();
    for offer in offers.iter().filter(|offer| remote.contains(&offer.capability)) {
        let known = best.entry(&offer.capability.name).or_insert(offer);
        if known.capability.version < offer.capability.version {
            *known = offer;
        }
    }
    let mut next = FIRST_ID;
    let shared = best.into_values().map(|Offer { capability, length }| {
        let offset = next;
        next = next.saturating_add(*length);
        Shared { capability: capability.clone(), offset, length: *length }
    });
    shared.collect()
}

/// The ids below belong to the connection itself.
pub const FIRST_ID: u64 = 16;
