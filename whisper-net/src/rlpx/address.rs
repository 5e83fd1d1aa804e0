//! Addresses as counted by limits.

use std::net::IpAddr;

/// Whether an address is loopback or private, so that many nodes may share it: 0/8, 10/8, 127/8,
/// 172.16/12, 192.168/16, ::1, fe80::/10 and fc00::/7, as in go-ethereum.
pub fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || matches!(v4.octets(), [0, ..]),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unique_local(),
    }
}
