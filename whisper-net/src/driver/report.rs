//! What a node reports about itself.

use whisper_core::node::PeerInfo;

use crate::transport::PeerFacts;

/// A connected peer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Peer {
    /// What it says it takes, and how it is treated.
    pub info: PeerInfo,
    /// Who it is, as far as the transport knows.
    pub facts: PeerFacts,
}

/// What a node holds and has done since its start.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Stats {
    /// Connections.
    pub peers: usize,
    /// Peers that have said what they take.
    pub ready_peers: usize,
    /// Envelopes in the pool.
    pub pool_envelopes: usize,
    /// Envelopes that no key was tried on yet.
    pub unread_envelopes: usize,
    /// Envelopes that came into the pool, our own included.
    pub admitted_envelopes: u64,
    /// Packets from peers.
    pub packets_received: u64,
    /// Their bytes.
    pub bytes_received: u64,
    /// Packets to peers.
    pub packets_sent: u64,
    /// Their bytes.
    pub bytes_sent: u64,
}
