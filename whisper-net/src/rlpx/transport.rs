//! The transport itself: what a driver holds, and the queues to the tasks behind it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context as TaskContext;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::peer::PeerId;

use super::config::RlpxConfig;
use super::connection::Link;
use super::connection::Teller;
use super::connection::Told;
use super::enode::Endpoint;
use super::enode::Enode;
use super::limits::after;
use super::listener::ListenError;
use super::listener::Listener;
use super::manager::Manager;
use super::manager::Order;
use super::opening::Context;
use crate::transport::DialError;
use crate::transport::EVENTS_PER_POLL;
use crate::transport::Goodbye;
use crate::transport::Protocol;
use crate::transport::Transport;
use crate::transport::TransportEvent;

/// Connections over RLPx.
///
/// ```
/// # use chacha20::ChaCha20Rng;
/// # use rand_core::SeedableRng;
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use std::sync::Arc;
///
/// use whisper_core::identity::Identity;
/// use whisper_net::rlpx::{RlpxConfig, RlpxTransport};
/// use whisper_net::transport::Transport;
///
/// let key = Arc::new(Identity::generate(&mut rng));
/// let listen = Some(([127, 0, 0, 1], 0).into());
/// let transport = RlpxTransport::bind(RlpxConfig { listen, ..RlpxConfig::new(key) }).await?;
/// assert!(transport.local_address().is_some_and(|url| url.starts_with("enode://")));
/// # Ok::<(), whisper_net::rlpx::ListenError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RlpxTransport {
    own: PublicKey,
    context: Arc<Context>,
    address: Option<String>,
    links: BTreeMap<PeerId, Link>,
    told: mpsc::Receiver<Told>,
    orders: mpsc::UnboundedSender<Order>,
    dialled: BTreeSet<PublicKey>,
    max_addresses: usize,
    suspended: bool,
    closing: watch::Sender<bool>,
    manager: JoinHandle<()>,
}

impl RlpxTransport {
    /// Listens, if that is set, and waits for addresses to dial. Tasks run in the tokio runtime that
    /// this is called in.
    ///
    /// # Errors
    /// [`ListenError`] if nobody could reach the address.
    pub async fn bind(config: RlpxConfig) -> Result<Self, ListenError> {
        let listener = Listener::bind(&config).await?;
        let own = config.identity.public_key();
        let address = listener.address().map(|address| {
            let host = config.host.clone().unwrap_or_else(|| address.ip().into());
            // There is no discovery, and no UDP port.
            Enode::new(own).at(Endpoint { host, tcp: address.port(), udp: 0 }).to_string()
        });
        let max_addresses = config.limits.max_addresses;
        let (teller, told) = Teller::new(config.limits.max_packet);
        let (orders, ordered) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let context = Context::new(config);
        let manager = Manager::new(Arc::clone(&context), listener, teller, ordered, closed);
        Ok(Self {
            own,
            context,
            address,
            links: BTreeMap::new(),
            told,
            orders,
            dialled: BTreeSet::new(),
            max_addresses,
            suspended: false,
            closing,
            manager: tokio::spawn(manager.run()),
        })
    }

    fn take(&mut self, told: Told) -> TransportEvent {
        match told {
            Told::Opened(peer, facts, link) => {
                if self.suspended {
                    // Its handshake was under way.
                    let _ = link.goodbye.send(Goodbye::Quitting);
                } else {
                    self.links.insert(peer, link);
                }
                TransportEvent::Connected { peer, facts }
            }
            Told::Happened(event, _room) => {
                if let TransportEvent::Disconnected { peer, .. } = &event {
                    self.links.remove(peer);
                }
                event
            }
        }
    }
}

impl Transport for RlpxTransport {
    fn poll_events(
        &mut self,
        cx: &mut TaskContext<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize> {
        for count in 0..EVENTS_PER_POLL {
            match self.told.poll_recv(cx) {
                Poll::Ready(Some(told)) => {
                    let event = self.take(told);
                    events.push(event);
                }
                Poll::Ready(None) => return Poll::Ready(count),
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => return Poll::Ready(count),
            }
        }
        Poll::Ready(EVENTS_PER_POLL)
    }

    fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>) {
        if let Some(link) = self.links.get(&peer) {
            // Its task has ended otherwise, and says so.
            let _ = link.commands.send((protocol, code, payload));
        }
    }

    fn throttle(&mut self, peer: PeerId, span: Duration) {
        if let Some(link) = self.links.get(&peer) {
            let _ = link.gate.send(after(Instant::now(), span));
        }
    }

    fn disconnect(&mut self, peer: PeerId, why: Goodbye) {
        let Some(link) = self.links.remove(&peer) else { return };
        if why == Goodbye::Requested && self.dialled.remove(&link.key) {
            let _ = self.orders.send(Order::Forget(link.key));
        }
        let _ = link.goodbye.send(why);
    }

    fn dial(&mut self, address: &str) -> Result<(), DialError> {
        let node: Enode = address.parse().map_err(|_| DialError::Malformed)?;
        if node.endpoint().is_none_or(|endpoint| endpoint.tcp == 0) {
            return Err(DialError::Malformed);
        }
        let key = node.public_key();
        if key == self.own {
            return Err(DialError::OwnAddress);
        }
        if self.dialled.len() >= self.max_addresses && !self.dialled.contains(&key) {
            return Err(DialError::Full);
        }
        self.dialled.insert(key);
        let _ = self.orders.send(Order::Dial(node));
        Ok(())
    }

    fn set_suspended(&mut self, suspended: bool) {
        self.suspended = suspended;
        let _ = self.orders.send(Order::Suspend(suspended));
        if suspended {
            for (_, link) in std::mem::take(&mut self.links) {
                let _ = link.goodbye.send(Goodbye::Quitting);
            }
        }
    }

    fn offer(&mut self, protocol: Protocol) {
        self.context.offer(protocol);
    }

    fn local_address(&self) -> Option<String> {
        self.address.clone()
    }

    fn poll_close(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.closing.send_replace(true);
        // The tasks cannot end while nobody hears what they tell.
        while let Poll::Ready(Some(told)) = self.told.poll_recv(cx) {
            self.take(told);
        }
        // Whoever asks again must not poll again what is finished.
        if !self.manager.is_finished() {
            let _ = ready!(Pin::new(&mut self.manager).poll(cx));
        }
        Poll::Ready(())
    }
}

impl Drop for RlpxTransport {
    fn drop(&mut self) {
        // Connections live in the manager's set and end with it.
        self.manager.abort();
    }
}

impl fmt::Debug for RlpxTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RlpxTransport").field("address", &self.address).finish_non_exhaustive()
    }
}
