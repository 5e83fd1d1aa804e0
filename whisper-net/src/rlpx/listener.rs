//! Where others reach this node.

use std::future::pending;
use std::io;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::net::Ipv6Addr;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::config::RlpxConfig;
use super::limits::AddressThrottle;
use super::lobby::Lobby;
use super::lobby::Place;

/// Takes connections in, or none at all.
pub(super) struct Listener {
    socket: Option<TcpListener>,
    throttle: AddressThrottle,
    lobby: Lobby,
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
        Ok(Self { socket, throttle, lobby: Lobby::new(limits.max_handshakes) })
    }

    /// The address as others may use it: an unspecified one stands for this machine.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let mut address = self.socket.as_ref()?.local_addr().ok()?;
        if address.ip().is_unspecified() {
            address.set_ip(match address {
                SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
            });
        }
        Some(address)
    }

    /// The next connection, and the place that its handshake takes. Who comes too often is closed
    /// without a word.
    pub(super) async fn accept(&mut self) -> (TcpStream, Place) {
        let Some(socket) = &self.socket else { return pending().await };
        loop {
            match socket.accept().await {
                Ok((stream, from)) if self.throttle.admits(Instant::now(), from.ip()) => {
                    return (stream, self.lobby.enter());
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
