//! What is known of the other end of a connection.

use std::net::IpAddr;
use std::net::SocketAddr;

use whisper_core::crypto::curve::PublicKey;
use whisper_core::hash::keccak256;

use super::Direction;
use super::Protocol;
use crate::peering;
use crate::peering::NodeName;

/// What a transport knows about the other end of a connection.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PeerFacts {
    /// The wire: `rlpx`, `memory`, or whatever another transport calls itself.
    pub wire: &'static str,
    /// Who opened the connection.
    pub direction: Direction,
    /// The node, if the wire tells nodes apart.
    pub node: Option<NodeName>,
    /// The other end's address as this wire writes it, such as an enode URL; empty if it has none.
    pub endpoint: String,
    /// The other end's socket address; none where something stands in between, such as a proxy.
    pub address: Option<SocketAddr>,
    /// The key that the other end has proved to hold.
    pub public_key: Option<PublicKey>,
    /// The name of the other end's program, as it claims.
    pub client: String,
    /// Whether the operator has listed it as trusted: no budget binds it.
    pub trusted: bool,
    /// What both ends speak.
    pub protocols: Vec<Protocol>,
}

impl PeerFacts {
    /// What is known of an anonymous peer.
    pub fn new(wire: &'static str, direction: Direction) -> Self {
        Self {
            wire,
            direction,
            node: None,
            endpoint: String::new(),
            address: None,
            public_key: None,
            client: String::new(),
            trusted: false,
            protocols: vec![Protocol::WHISPER],
        }
    }

    /// What shares and budgets are counted by: equal for all connections from one network, 24 bits of
    /// an IPv4 address and 48 of an IPv6 one. Where the address is loopback, private or not known, it
    /// is the node's, over whatever wire; and none if that is not known either.
    pub fn origin(&self) -> Option<u64> {
        let address = self.address.map(|address| address.ip());
        match address.filter(|address| !peering::is_local(*address)) {
            Some(address) => Some(match peering::network(address) {
                IpAddr::V4(v4) => V4 | u64::from(v4.to_bits() >> 8),
                // The first 48 bits.
                IpAddr::V6(v6) => V6 | u64::try_from(v6.to_bits() >> 80).unwrap_or(0),
            }),
            None => self.node.as_ref().map(|node| {
                let [a, b, c, d, e, f, g, h, ..] = keccak256(node.as_bytes());
                NODE | u64::from_be_bytes([a, b, c, d, e, f, g, h]) >> 2
            }),
        }
    }
}

/// The kinds of origins, in the upper bits.
const V4: u64 = 0x4000_0000_0000_0000;
const V6: u64 = 0x8000_0000_0000_0000;
const NODE: u64 = 0xc000_0000_0000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str, node: u8) -> PeerFacts {
        PeerFacts {
            address: Some(format!("{address}:30303").parse().unwrap()),
            node: Some(NodeName::new([node])),
            ..PeerFacts::new("test", Direction::Inbound)
        }
    }

    #[test]
    fn connections_from_one_network_have_one_origin() {
        let origin = |address: &str, node| at(address, node).origin().unwrap();
        assert_eq!(origin("203.0.113.7", 1), origin("203.0.113.250", 2));
        assert_ne!(origin("203.0.113.7", 1), origin("203.0.112.7", 1));
        assert_eq!(origin("[2001:db8:1:2::1]", 1), origin("[2001:db8:1:ffff::1]", 2));
        assert_ne!(origin("[2001:db8:1::1]", 1), origin("[2001:db8:2::1]", 1));
    }

    #[test]
    fn nodes_that_share_a_private_address_have_origins_of_their_own() {
        let origin = |address: &str, node| at(address, node).origin();
        assert_ne!(origin("127.0.0.1", 1), origin("127.0.0.1", 2));
        assert_eq!(origin("127.0.0.1", 1), origin("192.168.0.1", 1), "one node over two wires");
        assert_eq!(PeerFacts::new("test", Direction::Inbound).origin(), None);
    }
}
