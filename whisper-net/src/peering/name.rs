//! Names of nodes, and numbers of connections.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use whisper_core::peer::PeerId;

/// What tells nodes apart, whatever the wire takes for it: a key, a peer id, a name.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeName(Arc<[u8]>);

impl NodeName {
    /// The node that a wire knows by these bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Self {
        Self(bytes.as_ref().into())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NodeName").field(&hex::encode(&self.0)).finish()
    }
}

/// Gives out numbers for connections, each once. Clones share the count, so that several transports
/// of one node never use the same number.
#[derive(Clone, Debug, Default)]
pub struct PeerNumbers(Arc<AtomicU64>);

impl PeerNumbers {
    /// The next number.
    pub fn next(&self) -> PeerId {
        PeerId::new(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_the_numbers_never_repeat_one() {
        let numbers = PeerNumbers::default();
        let other = numbers.clone();
        assert_ne!(numbers.next(), other.next());
        assert_ne!(other.next(), numbers.next());
    }
}
