//! Connections inside one process, with faults drawn from a seed: networks for tests.

mod conditions;
mod pipe;
mod transport;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::Weak;
use std::time::Duration;

use self::pipe::Bell;
use self::pipe::Pipe;
pub use self::transport::MemoryTransport;
use crate::transport::Protocol;

/// A network inside this process. Clones are the same network.
///
/// Connections behave like TCP: packets arrive whole and in order, or the connection breaks. What
/// goes wrong is drawn from a seed; with tokio's clock paused, hours of it pass in milliseconds.
///
/// ```
/// use whisper_net::memory::MemoryNetwork;
/// use whisper_net::transport::Transport;
///
/// let network = MemoryNetwork::new();
/// let alice = network.transport("alice");
/// let mut bob = network.transport("bob");
/// bob.dial("memory:alice")?;
/// assert_eq!(alice.addresses(), ["memory:alice"]);
/// # Ok::<(), whisper_net::transport::DialError>(())
/// ```
#[derive(Clone)]
pub struct MemoryNetwork(Arc<Network>);

struct Network {
    faults: Faults,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    seed: u64,
    hosts: BTreeMap<String, Weak<Host>>,
}

/// What other hosts see of a transport.
struct Host {
    protocols: Mutex<Vec<Protocol>>,
    bell: Bell,
    newcomers: Mutex<VecDeque<Newcomer>>,
}

impl Host {
    fn protocols(&self) -> Vec<Protocol> {
        lock(&self.protocols).clone()
    }
}

/// A connection that another host has opened.
struct Newcomer {
    endpoint: String,
    protocols: Vec<Protocol>,
    incoming: Pipe,
    outgoing: Pipe,
}

/// What goes wrong in a [`MemoryNetwork`].
#[derive(Clone, Debug)]
pub struct Faults {
    /// How long packets are under way, drawn for each.
    pub latency: RangeInclusive<Duration>,
    /// The probability that a connection breaks instead of taking a packet; what is under way is lost.
    pub cut: f64,
    /// How many bytes a socket takes ahead of the other end's reading.
    pub buffer: usize,
    /// How long until an address is dialled again after its connection ended.
    pub redial: Duration,
}

impl Default for Faults {
    /// Nothing goes wrong; a lost connection is dialled again after a second.
    fn default() -> Self {
        Self {
            latency: Duration::ZERO..=Duration::ZERO,
            cut: 0.0,
            buffer: 256 * 1024,
            redial: Duration::from_secs(1),
        }
    }
}

impl MemoryNetwork {
    /// A network where nothing goes wrong.
    pub fn new() -> Self {
        Self::with_faults(0, Faults::default())
    }

    /// A network where `faults` go wrong, drawn from `seed`.
    pub fn with_faults(seed: u64, faults: Faults) -> Self {
        let state = State { seed, hosts: BTreeMap::new() };
        Self(Arc::new(Network { faults, state: Mutex::new(state) }))
    }

    /// A transport that others reach as `memory:` and `name`. A name that is given again leads to
    /// the newer transport.
    pub fn transport(&self, name: &str) -> MemoryTransport {
        self.transport_with(name, &[Protocol::WHISPER])
    }

    /// [`MemoryNetwork::transport`], for a node that speaks these protocols. Offer others than
    /// Whisper only where a handler is registered or will be: peers find nothing there before.
    pub fn transport_with(&self, name: &str, protocols: &[Protocol]) -> MemoryTransport {
        let transport = MemoryTransport::new(self.clone(), name, protocols);
        self.lock().hosts.insert(name.to_owned(), Arc::downgrade(transport.host()));
        transport
    }

    /// Opens a connection from one host to another, if there is somebody of that name.
    fn connect(&self, from: (&str, &Host), name: &str) -> Option<(Vec<Protocol>, (Pipe, Pipe))> {
        let mut state = self.lock();
        let host = state.hosts.get(name)?.upgrade()?;
        let mut pipe = |writer: &Bell, reader: &Bell| {
            state.seed = state.seed.wrapping_add(1);
            Pipe::new(&self.0.faults, state.seed, writer.clone(), reader.clone())
        };
        let outgoing = pipe(&from.1.bell, &host.bell);
        let incoming = pipe(&host.bell, &from.1.bell);
        let mut protocols = from.1.protocols();
        let theirs = host.protocols();
        protocols.retain(|protocol| theirs.contains(protocol));
        let newcomer = Newcomer {
            endpoint: format!("{SCHEME}{}", from.0),
            protocols: protocols.clone(),
            incoming: outgoing.clone(),
            outgoing: incoming.clone(),
        };
        lock(&host.newcomers).push_back(newcomer);
        host.bell.ring();
        Some((protocols, (incoming, outgoing)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.0.state)
    }
}

impl Default for MemoryNetwork {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryNetwork").field("faults", &self.0.faults).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const SCHEME: &str = "memory:";
