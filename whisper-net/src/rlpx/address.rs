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
    match address.to_canonical() {
        v4 @ IpAddr::V4(_) => v4,
        IpAddr::V6(v6) => IpAddr::V6(masked(v6, 64)),
    }
}

/// The network that an address belongs to: 24 bits for IPv4, 48 for IPv6.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => {
            let [a, b, c, _] = v4.octets();
            IpAddr::from([a, b, c, 0])
        }
        IpAddr::V6(v6) => IpAddr::V6(masked(v6, 48)),
    }
}

fn masked(address: Ipv6Addr, bits: u32) -> Ipv6Addr {
    let host = u128::MAX.checked_shr(bits).unwrap_or(0);
    Ipv6Addr::from_bits(address.to_bits() & !host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_network() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(network(at("203.0.113.7")), network(at("203.0.113.250")));
        assert_ne!(network(at("203.0.113.7")), network(at("203.0.112.7")));
        assert_eq!(network(at("::ffff:203.0.113.7")), network(at("203.0.113.9")));
        assert_eq!(network(at("2001:db8:1:2::1")), network(at("2001:db8:1:ffff::1")));
        assert_eq!(subscriber(at("2001:db8:1:2::1")), subscriber(at("2001:db8:1:2:ffff::1")));
        assert_ne!(subscriber(at("2001:db8:1:2::1")), subscriber(at("2001:db8:1:3::1")));
    }
}
