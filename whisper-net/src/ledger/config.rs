//! What a ledger is set to, and opening one.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use whisper_core::ledger;
use whisper_core::ledger::Params;
use whisper_core::ledger::sync::LedgerNode;

use super::PROTOCOL;
use super::engine::Engine;
use super::fault::OpenError;
use super::handle::Ledger;
use super::miner::Foreman;
use super::queue;
use super::store::Store;
use super::task;
use crate::actor;
use crate::actor::Closed;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::handle::Handle;

/// The settings of a ledger. Only the network has no default.
#[derive(Clone, Debug)]
pub struct LedgerConfig {
    /// The network's rules and first block.
    pub params: Params,
    /// The file to keep the chain in. Without one it is kept in memory and ends with the process.
    pub path: Option<PathBuf>,
    /// How many of the newest blocks to check in full once more when the file is opened. Headers are
    /// all checked.
    pub recheck: u32,
    /// How many threads check signatures and search for nonces: half of the processors, at least one.
    pub threads: NonZeroUsize,
    /// How many events may wait for a slow reader before it misses some.
    pub backlog: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl LedgerConfig {
    /// The defaults for a network, in memory.
    pub fn new(params: Params) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self {
            params,
            path: None,
            recheck: 144,
            threads: NonZeroUsize::new(processors / 2).unwrap_or(NonZeroUsize::MIN),
            backlog: 1_024,
            clock: Clock::system(),
        }
    }
}

/// A chain that was opened and runs on no node yet.
#[derive(Debug)]
pub struct OpenChain {
    config: LedgerConfig,
    pub(super) ledger: ledger::Ledger,
    pub(super) store: Store,
}

/// Opens the chain of a file, or begins one. It takes a while, in threads of the runtime's: open the
/// chain before connections are made.
///
/// # Errors
/// [`OpenError`] says what is wrong with the file and what to do.
pub async fn open(config: LedgerConfig) -> Result<OpenChain, OpenError> {
    let opening = tokio::task::spawn_blocking(move || OpenChain::open(config));
    // Pages that are not what they should be may trip the database up.
    opening.await.unwrap_or_else(|error| Err(OpenError::Damaged(error.to_string())))
}

impl OpenChain {
    pub(super) fn open(config: LedgerConfig) -> Result<Self, OpenError> {
        let store = Store::open(config.path.as_deref(), &config.params)?;
        let backup = store.backup(&config.params, config.recheck)?;
        let (now, params) = (config.clock.now(), config.params.clone());
        let ledger = ledger::Ledger::restore(now, params, backup, &store)?;
        Ok(Self { config, ledger, store })
    }

    /// The chain.
    pub const fn ledger(&self) -> &ledger::Ledger {
        &self.ledger
    }

    /// Runs the ledger on a node: over the connections of those transports that offer
    /// [`PROTOCOL`]. It ends with the node, or when the
    /// last [`Ledger`] is dropped.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn serve(self, node: &Handle) -> Result<Ledger, Closed> {
        let Self { config, ledger, store } = self;
        let (address, commands) = actor::address();
        let tag = miner_tag(node.entropy());
        let foreman = Foreman::new(tag, config.threads, address.downgrade());
        let engine = Engine::new(
            LedgerNode::new(ledger, store),
            config.clock.clone(),
            config.threads,
            foreman,
        );
        let (handler, news) = queue::channel();
        task::start(engine, news, commands, node.driver());
        node.ask(move |driver| driver.register(PROTOCOL, handler)).await?;
        Ok(Ledger::new(node.clone(), address, config))
    }
}

/// What tells this node's candidates from others', so that no two search the same.
fn miner_tag(entropy: &Entropy) -> Vec<u8> {
    // Without randomness two nodes may search the same, and one of them in vain.
    entropy.draw().map(|bytes| bytes.expose().iter().take(8).copied().collect()).unwrap_or_default()
}
