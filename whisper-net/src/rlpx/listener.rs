//! Where others reach this node.

use std::future::pending;
use std::io;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::net::UdpSocket;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::config::RlpxConfig;
use crate::peering::AddressThrottle;
use crate::peering::HandshakeLimiter;
use crate::peering::Place;

/// Takes connections in, or none at all.
pub(super) struct Listener {
    socket: Option<TcpListener>,
    throttle: AddressThrottle,
    handshakes: HandshakeLimiter,
}

impl Listener {
    pub(super) async fn bind(config: &RlpxConfig) -> Result<Self, ListenError> {
        let socket = match config.listen {
            Some(address) => {
                let bound = TcpListener::bind(address).await;
                Some(bound.map_err(|error| ListenError::new(address, &error))?)
            }
            None => None,
        };
        let limits = &config.limits;
        let throttle = AddressThrottle::new(config.timing.address, limits.exempt_local);
        Ok(Self { socket, throttle, handshakes: HandshakeLimiter::new(limits.max_handshakes) })
    }

    /// Where the socket listens.
    pub(super) fn local_address(&self) -> Option<SocketAddr> {
        self.socket.as_ref()?.local_addr().ok()
    }

    /// The next connection, and the place that its handshake takes. An address that comes too often is
    /// closed without a word.
    pub(super) async fn accept(&mut self) -> (TcpStream, Place) {
        let Some(socket) = &self.socket else { return pending().await };
        loop {
            match socket.accept().await {
                Ok((stream, from)) if self.throttle.admits(Instant::now(), from.ip()) => {
                    return (stream, self.handshakes.enter(from.ip()));
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!(kind = ?error.kind(), "no connection could be accepted");
                    // Most likely there are too many open files: not a reason to spin.
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// The addresses under which others reach what listens at `address`. An unspecified one stands for the
/// addresses that this machine has towards other networks, and for the machine itself.
pub(super) fn reachable(address: SocketAddr) -> Vec<SocketAddr> {
    if !address.ip().is_unspecified() {
        return vec![address];
    }
    let v4 = route((Ipv4Addr::UNSPECIFIED, 0).into(), (TEST_V4, 1).into());
    let v6 = route((Ipv6Addr::UNSPECIFIED, 0).into(), (TEST_V6, 1).into());
    let routes: [Option<IpAddr>; 2] = match address {
        SocketAddr::V4(_) => [v4, Some(Ipv4Addr::LOCALHOST.into())],
        SocketAddr::V6(_) => [v6.or(v4), Some(Ipv6Addr::LOCALHOST.into())],
    };
    routes.into_iter().flatten().map(|ip| (ip, address.port()).into()).collect()
}

/// The address that this machine would use towards `remote`. Nothing is sent.
fn route(local: SocketAddr, remote: SocketAddr) -> Option<IpAddr> {
    let socket = UdpSocket::bind(local).ok()?;
    socket.connect(remote).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Addresses that no machine has (RFC 5737, RFC 3849): the way to them is that to all other networks.
const TEST_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const TEST_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Why a node cannot listen.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ListenError {
    /// Somebody else listens there.
    #[error(
        "port {port} is in use: stop the program that listens on {0}, or choose another port \
         (0 takes any that is free)",
        port = .0.port()
    )]
    PortBusy(SocketAddr),
    /// The system does not allow it.
    #[error(
        "listening on {0} is not permitted: choose a port above 1023, or ask for the right to use this one"
    )]
    NotPermitted(SocketAddr),
    /// This machine does not have the address.
    #[error(
        "{ip} is no address of this machine: listen on one that is, or on 0.0.0.0 for all",
        ip = .0.ip()
    )]
    NoSuchAddress(SocketAddr),
    /// The system gives another reason.
    #[error("cannot listen on {0}: {1}")]
    Other(SocketAddr, ErrorKind),
}

impl ListenError {
    fn new(address: SocketAddr, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::AddrInUse => Self::PortBusy(address),
            ErrorKind::PermissionDenied => Self::NotPermitted(address),
            ErrorKind::AddrNotAvailable => Self::NoSuchAddress(address),
            kind => Self::Other(address, kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_stands_for_those_that_others_can_use() {
        let listens: SocketAddr = ([0, 0, 0, 0], 30_303).into();
        let addresses = reachable(listens);
        assert_eq!(addresses.last(), Some(&([127, 0, 0, 1], 30_303).into()));
        assert!(addresses.iter().all(|address| !address.ip().is_unspecified()));
        let route = route(([0, 0, 0, 0], 0).into(), (TEST_V4, 1).into());
        assert_eq!(addresses.len(), 1 + usize::from(route.is_some()));
        let chosen: SocketAddr = ([192, 0, 2, 9], 1).into();
        assert_eq!(reachable(chosen), [chosen]);
    }
}
