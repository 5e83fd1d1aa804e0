//! The transport itself: what a driver holds, and the queues to the tasks behind it.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
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
use whisper_core::peer::PeerId;

use super::config::RlpxConfig;
use super::connection::Link;
use super::connection::Report;
use super::connection::Reporter;
use super::connection::Signals;
use super::enode::Endpoint;
use super::enode::Enode;
use super::enode::Host;
use super::listener::ListenError;
use super::listener::Listener;
use super::listener::reachable;
use super::manager::Command;
use super::manager::Manager;
use super::opening::Context;
use crate::peering::Peering;
use crate::peering::Target;
use crate::peering::after;
use crate::transport::AddressError;
use crate::transport::DialError;
use crate::transport::EVENTS_PER_POLL;
use crate::transport::Goodbye;
use crate::transport::NodeName;
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
/// assert!(transport.addresses().iter().all(|url| url.starts_with("enode://")));
/// # Ok::<(), whisper_net::rlpx::ListenError>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct RlpxTransport {
    context: Arc<Context>,
    /// Where the socket listens.
    listens: Option<SocketAddr>,
    addresses: Vec<String>,
    links: BTreeMap<PeerId, Link>,
    reports: mpsc::Receiver<Report>,
    /// What the transport itself has to tell.
    own: VecDeque<TransportEvent>,
    commands: mpsc::UnboundedSender<Command>,
    dialled: BTreeSet<NodeName>,
    suspended: bool,
    closing: watch::Sender<bool>,
    check: watch::Sender<u32>,
    task: Task,
}

/// The task behind a transport. It begins when the transport is first asked for events: until then it
/// may be given what it shares with others.
enum Task {
    Waits(Box<Manager>),
    Runs(JoinHandle<()>),
    Ended,
}

impl RlpxTransport {
    /// Listens, if that is set, and waits for addresses to dial. Connections are made once the
    /// transport is polled, by tasks of the tokio runtime that this happens in.
    ///
    /// # Errors
    /// [`ListenError`] if the address cannot be listened on.
    pub async fn bind(config: RlpxConfig) -> Result<Self, ListenError> {
        let listener = Listener::bind(&config).await?;
        let listens = listener.local_address();
        let (reporter, reports) = Reporter::new(config.limits.max_packet);
        let (commands, commanded) = mpsc::unbounded_channel();
        let (closing, closed) = watch::channel(false);
        let (check, checked) = watch::channel(0);
        let signals = Signals { closing: closed, check: checked };
        let context = Context::new(config);
        let manager = Manager::new(Arc::clone(&context), listener, reporter, commanded, signals);
        let mut transport = Self {
            context,
            listens,
            addresses: Vec::new(),
            links: BTreeMap::new(),
            reports,
            own: VecDeque::new(),
            commands,
            dialled: BTreeSet::new(),
            suspended: false,
            closing,
            check,
            task: Task::Waits(Box::new(manager)),
        };
        transport.addresses = transport.look_up_addresses();
        Ok(transport)
    }

    /// The addresses of this node: one, if the settings name a host, else one for each of the
    /// machine's ways to other networks that it listens on.
    fn look_up_addresses(&self) -> Vec<String> {
        let config = &self.context.config;
        let Some(listens) = self.listens else { return Vec::new() };
        let hosts: Vec<Host> = match &config.host {
            Some(host) => vec![host.clone()],
            None => reachable(listens).into_iter().map(|address| address.ip().into()).collect(),
        };
        let node = Enode::new(config.identity.public_key());
        // There is no discovery, and no UDP port.
        let at = |host| node.clone().at(Endpoint { host, tcp: listens.port(), udp: 0 }).to_string();
        hosts.into_iter().map(at).collect()
    }

    fn start(&mut self) {
        self.task = match std::mem::replace(&mut self.task, Task::Ended) {
            Task::Waits(manager) => Task::Runs(tokio::spawn(manager.run())),
            other => other,
        };
    }

    fn take(&mut self, report: Report) -> TransportEvent {
        match report {
            Report::Opened(peer, facts, link) => {
                if self.suspended {
                    // Its handshake was under way.
                    let _ = link.goodbye.send(Goodbye::Quitting);
                } else {
                    self.links.insert(peer, link);
                }
                TransportEvent::Connected { peer, facts }
            }
            Report::Happened(event, _room) => {
                if let TransportEvent::Disconnected { peer, .. } = &event {
                    self.links.remove(peer);
                }
                event
            }
        }
    }
}

impl Transport for RlpxTransport {
    fn share(&mut self, peering: &Peering) {
        self.context.share(peering);
    }

    fn poll_events(
        &mut self,
        cx: &mut TaskContext<'_>,
        events: &mut Vec<TransportEvent>,
    ) -> Poll<usize> {
        self.start();
        if !self.own.is_empty() {
            let count = self.own.len();
            events.extend(self.own.drain(..));
            return Poll::Ready(count);
        }
        for count in 0..EVENTS_PER_POLL {
            match self.reports.poll_recv(cx) {
                Poll::Ready(Some(report)) => {
                    let event = self.take(report);
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
        let name = Enode::name_of(&link.key);
        if why == Goodbye::Requested && self.dialled.remove(&name) {
            let _ = self.commands.send(Command::Forget(name));
        }
        let _ = link.goodbye.send(why);
    }

    fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        let node: Enode = address.parse().map_err(DialError::Malformed)?;
        match node.endpoint() {
            None => return Err(DialError::Malformed(AddressError::Host)),
            Some(Endpoint { tcp: 0, .. }) => {
                return Err(DialError::Malformed(AddressError::NoPort));
            }
            Some(_) => {}
        }
        let (name, config) = (node.name(), &self.context.config);
        if node.public_key() == config.identity.public_key() {
            return Err(DialError::OwnAddress);
        }
        let is_full = self.dialled.len() >= config.limits.max_addresses;
        if is_full && !self.dialled.contains(&name) {
            return Err(DialError::Full);
        }
        self.dialled.insert(name.clone());
        let _ = self.commands.send(Command::Dial(node));
        Ok(name)
    }

    fn network_changed(&mut self) {
        let addresses = self.look_up_addresses();
        if addresses != self.addresses {
            self.addresses.clone_from(&addresses);
            self.own.push_back(TransportEvent::Addresses(addresses));
        }
        let _ = self.commands.send(Command::Hurry);
        self.check.send_modify(|check| *check = check.wrapping_add(1));
    }

    fn set_suspended(&mut self, suspended: bool) {
        self.suspended = suspended;
        let _ = self.commands.send(Command::Suspend(suspended));
        if suspended {
            for (_, link) in std::mem::take(&mut self.links) {
                let _ = link.goodbye.send(Goodbye::Quitting);
            }
        }
    }

    fn offer(&mut self, protocol: Protocol) {
        self.context.offer(protocol);
    }

    fn addresses(&self) -> Vec<String> {
        self.addresses.clone()
    }

    fn poll_close(&mut self, cx: &mut TaskContext<'_>) -> Poll<()> {
        self.closing.send_replace(true);
        // The tasks cannot end while nobody hears what they report.
        while let Poll::Ready(Some(report)) = self.reports.poll_recv(cx) {
            self.take(report);
        }
        if let Task::Runs(manager) = &mut self.task {
            let _ = ready!(Pin::new(manager).poll(cx));
        }
        self.task = Task::Ended;
        Poll::Ready(())
    }
}

impl Drop for RlpxTransport {
    fn drop(&mut self) {
        // Connections live in the manager's set and end with it.
        if let Task::Runs(manager) = &self.task {
            manager.abort();
        }
    }
}

impl fmt::Debug for RlpxTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RlpxTransport").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}
