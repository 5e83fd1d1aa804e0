//! How much of everything there may be, and how long everything may take.

use std::time::Duration;

/// How much of everything there may be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Peers in all. Trusted ones come on top.
    pub max_peers: usize,
    /// Peers that have opened the connection themselves: at most two thirds, so that an attacker who
    /// takes all of these does not take all.
    pub max_inbound: usize,
    /// Such peers from one network: 24 bits of an IPv4 address, 48 of an IPv6 one.
    pub max_per_network: usize,
    /// Such peers from one region, what a provider is given: 16 bits of an IPv4 address, 32 of an IPv6
    /// one, so that nobody fills all places out of a single range.
    pub max_per_region: usize,
    /// Connections that others have opened and whose handshake is not over. One more, and the oldest
    /// of the most crowded network is closed.
    pub max_handshakes: usize,
    /// Addresses to dial.
    pub max_addresses: usize,
    /// Bytes of a packet after decompression.
    pub max_packet: usize,
    /// Whether limits per address leave out loopback and private ranges, where many nodes share one.
    pub exempt_local: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_peers: 64,
            max_inbound: 43,
            max_per_network: 8,
            max_per_region: 16,
            max_handshakes: 128,
            max_addresses: 256,
            // go-ethereum's default for a Whisper packet.
            max_packet: 1 << 20,
            exempt_local: true,
        }
    }
}

/// How long everything may take. Only the times of retries are of our choosing; the others follow what
/// go-ethereum 1.9.20 does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Timing {
    /// Opening a TCP connection.
    pub connect: Duration,
    /// Handshake and Hello, both ways.
    pub handshake: Duration,
    /// One frame, from its first byte.
    pub frame: Duration,
    /// Silence until a peer counts as dead. Time during which it is not read does not count.
    pub idle: Duration,
    /// Between two Pings.
    pub ping: Duration,
    /// A write that makes no progress.
    pub stall: Duration,
    /// The last word.
    pub goodbye: Duration,
    /// Between two connections from one address.
    pub address: Duration,
    /// Until a lost connection is tried again, the first time; then twice as long, and so on.
    pub retry: Duration,
    /// The same for loopback and private addresses, where nobody counts attempts.
    pub retry_local: Duration,
    /// The longest wait that doubling leads to.
    pub retry_longest: Duration,
    /// The wait when a peer is full, or was cut for what it sent.
    pub retry_full: Duration,
    /// The wait when a peer is of no use, or another node than expected.
    pub retry_useless: Duration,
    /// The longest wait while there is no other peer.
    pub retry_alone: Duration,
    /// How long a peer may take to show that it is still there after the network has changed.
    pub check: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            handshake: Duration::from_secs(5),
            frame: Duration::from_secs(30),
            idle: Duration::from_secs(45),
            ping: Duration::from_secs(15),
            stall: Duration::from_secs(20),
            goodbye: Duration::from_secs(1),
            address: Duration::from_secs(30),
            // go-ethereum refuses a second connection within 30 s without a word.
            retry: Duration::from_secs(35),
            retry_local: Duration::from_secs(1),
            retry_longest: Duration::from_secs(600),
            retry_full: Duration::from_secs(300),
            retry_useless: Duration::from_secs(3_600),
            retry_alone: Duration::from_secs(60),
            check: Duration::from_secs(5),
        }
    }
}
