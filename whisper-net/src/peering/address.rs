//! Addresses as counted by limits.

use std::net::IpAddr;
use std::net::Ipv6Addr;

/// Whether an address is loopback or private, so that many nodes may share it: 0/8, 10/8, 127/8,
/// 172.16/12, 192.168/16, ::1, fe80::/10 and fc00::/7, as in go-ethereum.
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || matches!(v4.octets(), [0, ..]),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}

/// The address as far as one customer is given it: whole for IPv4, the first 64 bits for IPv6.
pub(super) fn subscriber(address: IpAddr) -> IpAddr {
    masked(address, 32, 64)
}

/// The network that an address belongs to: 24 bits for IPv4, 48 for IPv6.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    masked(address, 24, 48)
}

/// What a provider is given: 16 bits of IPv4, 32 of IPv6.
pub(super) fn region(address: IpAddr) -> IpAddr {
    masked(address, 16, 32)
}

fn masked(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let host = u32::MAX.checked_shr(v4_bits).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & !host).into())
        }
        IpAddr::V6(v6) => {
            let host = u128::MAX.checked_shr(v6_bits).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & !host))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(at("203.0.113.7")), network(at("203.0.113.250")));
        assert_ne!(network(at("203.0.113.7")), network(at("203.0.112.7")));
        assert_eq!(region(at("203.0.113.7")), region(at("203.0.112.7")));
        assert_eq!(network(at("::ffff:203.0.113.7")), network(at("203.0.113.9")));
        assert_eq!(network(at("2001:db8:1:2::1")), network(at("2001:db8:1:ffff::1")));
        assert_eq!(region(at("2001:db8:1:2::1")), region(at("2001:db8:2:ffff::1")));
        assert_eq!(subscriber(at("203.0.113.7")), at("203.0.113.7"));
        assert_eq!(subscriber(at("2001:db8:1:2::1")), subscriber(at("2001:db8:1:2:ffff::1")));
        assert_ne!(subscriber(at("2001:db8:1:2::1")), subscriber(at("2001:db8:1:3::1")));
    }
}
