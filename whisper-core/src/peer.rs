//! The other end of one connection, by number.

/// Names one connection. The driver counts connections and never uses a number twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PeerId(u64);

impl PeerId {
    /// The peer at the other end of connection `number`.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of the connection.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// The network that a connection comes from: what one operator can have many connections from.
///
/// Budgets and shares of the pool count by it, since the key of a peer costs nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Network {
    /// Nothing is known: each connection counts for itself.
    Alone(PeerId),
    /// The network of this number, the same for all its connections: a transport makes it from an
    /// address.
    Shared(u64),
}
