//! Opening a chain, and running it on a node.

use std::sync::Arc;

use whisper_core::ledger;
use whisper_core::ledger::sync::LedgerNode;

use super::PROTOCOL;
use super::config::LedgerConfig;
use super::engine::Engine;
use super::fault::Damage;
use super::fault::Failure;
use super::fault::OpenError;
use super::handle::Ledger;
use super::miner::Found;
use super::miner::MinerPool;
use super::queue;
use super::store::Store;
use super::task;
use crate::actor;
use crate::actor::Closed;
use crate::entropy::Entropy;
use crate::handle::Handle;

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
    opening.await.unwrap_or(Err(OpenError::Damaged(Damage::Pages)))
}

impl OpenChain {
    pub(super) fn open(config: LedgerConfig) -> Result<Self, OpenError> {
        let store = Store::open(config.path.as_deref(), &config.params)?;
        Self::restore(config, store)
    }

    fn restore(config: LedgerConfig, store: Store) -> Result<Self, OpenError> {
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
    /// [`PROTOCOL`]. It ends with the node, or when the last [`Ledger`] is dropped.
    ///
    /// # Errors
    /// [`Closed`] if the node has ended.
    pub async fn serve(self, node: &Handle) -> Result<Ledger, Closed> {
        let Self { config, ledger, store } = self;
        let (address, commands) = actor::address::<Engine>();
        let engine = address.downgrade();
        let found: Found = Arc::new(move |block| {
            // A block that comes after the end is of no use.
            let _ = engine.tell_blocking(move |engine| engine.mined(block));
        });
        let miners = MinerPool::new(miner_tag(node.entropy()), config.threads, found);
        let failure = Failure::default();
        let engine = Engine::new(
            LedgerNode::new(ledger, store),
            config.clock.clone(),
            config.threads,
            miners,
            failure.clone(),
        );
        let (handler, events) = queue::channel();
        task::start(engine, events, commands, node.driver());
        node.ask(move |driver| driver.register(PROTOCOL, handler)).await?;
        Ok(Ledger::new(node.clone(), address, config, failure))
    }
}

/// What tells this node's candidates from others', so that no two search the same.
fn miner_tag(entropy: &Entropy) -> Vec<u8> {
    // Without randomness two nodes may search the same, and one of them in vain.
    entropy.draw().map(|bytes| bytes.expose().iter().take(8).copied().collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
