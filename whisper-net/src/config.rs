//! What a running node is set to.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use whisper_core::node;

use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::entropy::NoEntropy;
use crate::transport::Transport;

/// The settings of a running node. Only the transport has no default.
pub struct Config {
    /// The relay: what it takes, holds and tolerates. Its `stem` is set by `privacy`, where it is `None`.
    pub node: node::Config,
    /// The wires.
    pub transports: Vec<Box<dyn Transport>>,
    /// Addresses to stay connected to, as the transports write them.
    pub dial: Vec<String>,
    /// Where the time comes from.
    pub clock: Clock,
    /// Where randomness comes from.
    pub entropy: Entropy,
    /// How many threads search for nonces: half of the processors, at least one.
    pub mining_threads: NonZeroUsize,
    /// How many messages, or events, may wait for a slow reader before it misses some. It misses some
    /// as well once 4 MiB of them wait.
    pub backlog: usize,
    /// How long a shutdown may take to send what was posted, and to see it come back from the network.
    pub drain: Duration,
    /// How the author of an envelope is hidden.
    pub privacy: Privacy,
    /// Where relays are kept over a restart, for this user alone: two node keys, or addresses. Without
    /// it each start draws others, and each new relay may learn who wrote what passes through it.
    pub relays_file: Option<PathBuf>,
}

/// How the author of an envelope is hidden from peers. It changes what leaves this node, not what it
/// takes.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Privacy {
    /// Not at all: envelopes leave for all peers at once. Spies on one node of a hundred that take the
    /// time name the author of nearly every envelope.
    Fast,
    /// [Stems](node::Stem): to a relay first, which passes it on, then to all peers at different
    /// moments. It takes a second more.
    #[default]
    Stem,
}

impl Privacy {
    /// What the relay engine is set to.
    pub fn stem(self) -> Option<node::Stem> {
        match self {
            Self::Fast => None,
            Self::Stem => Some(node::Stem::default()),
        }
    }
}

impl Config {
    /// The defaults, on this wire.
    pub fn new(transport: impl Transport) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            node: node::Config::default(),
            transports: vec![Box::new(transport)],
            dial: Vec::new(),
            clock: Clock::system(),
            entropy: Entropy::os(),
            mining_threads: NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN),
            backlog: DEFAULT_BACKLOG,
            drain: DEFAULT_DRAIN,
            privacy: Privacy::default(),
            relays_file: None,
        }
    }

    /// The same, on one more wire. The node joins the networks of all its wires.
    #[must_use]
    pub fn and(mut self, transport: impl Transport) -> Self {
        self.transports.push(Box::new(transport));
        self
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("node", &self.node)
            .field("dial", &format_args!("{} addresses", self.dial.len()))
            .field("mining_threads", &self.mining_threads)
            .field("backlog", &self.backlog)
            .field("drain", &self.drain)
            .field("privacy", &self.privacy)
            .finish_non_exhaustive()
    }
}

/// Why a node does not start.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The source of randomness fails or is stuck.
    #[error(transparent)]
    NoEntropy(#[from] NoEntropy),
    /// There is no tokio runtime with time in this thread.
    #[error("a node needs a tokio runtime; start it inside one")]
    NoRuntime,
    /// The rating that is demanded cannot be reached.
    #[error("no envelope can reach the least rating that is demanded; set one below 1e15")]
    MinRating,
    /// An address to dial is malformed, or the node's own.
    #[error("address {} of those to dial: {source}", .index.saturating_add(1))]
    Dial {
        /// Its place in the list.
        index: usize,
        /// What is wrong with it.
        source: crate::transport::DialError,
    },
}

/// At a kilobyte a message, a megabyte for each reader that has stopped reading.
const DEFAULT_BACKLOG: usize = 1_024;
/// As long as a person waits for a window to close.
const DEFAULT_DRAIN: Duration = Duration::from_secs(5);
