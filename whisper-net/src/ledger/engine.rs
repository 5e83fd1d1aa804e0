//! The ledger, its storage, its miners and its listeners: one step after the other.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use whisper_core::ledger;
use whisper_core::ledger::Archive;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainUpdate;
use whisper_core::ledger::MempoolError;
use whisper_core::ledger::SigCheck;
use whisper_core::ledger::Tx;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::Verified;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LedgerNode;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::verify_all;
use whisper_core::time::Timestamp;

use super::commands::PeerCommands;
use super::events::Change;
use super::events::Greetings;
use super::events::LedgerEvent;
use super::fault::Failure;
use super::miner::MinerPool;
use super::miner::Mining;
use super::store::Store;
use super::task::Steps;
use crate::clock::Clock;
use crate::handler::PeerCommand;
use crate::stream::Audience;
use crate::stream::Feed;

pub(super) struct Engine {
    node: LedgerNode<Store>,
    clock: Clock,
    threads: NonZeroUsize,
    miners: MinerPool,
    audience: Audience<LedgerEvent>,
    greetings: Greetings,
    commands: PeerCommands,
    /// Noted when the storage has failed: the ledger in memory is ahead of it, and must end.
    failure: Failure,
}

impl Engine {
    pub(super) fn new(
        node: LedgerNode<Store>,
        clock: Clock,
        threads: NonZeroUsize,
        miners: MinerPool,
        failure: Failure,
    ) -> Self {
        Self {
            node,
            clock,
            threads,
            miners,
            audience: Audience::new(),
            greetings: Greetings::default(),
            commands: PeerCommands::new(),
            failure,
        }
    }

    pub(super) fn submit(&mut self, tx: Tx) -> Result<(), MempoolError> {
        let (now, id) = (self.clock.now(), tx.id());
        let outputs: Vec<Output> = self.node.submit(now, tx)?.collect();
        self.carry_out(now, outputs);
        self.audience.tell(&LedgerEvent::Pending(id), 0);
        Ok(())
    }

    /// Takes in a block that a miner has found. It may have come too late to matter.
    pub(super) fn mined(&mut self, block: Block<Unchecked>) {
        let (now, id) = (self.clock.now(), block.id());
        match self.node.mined(now, block).map(Iterator::collect::<Vec<Output>>) {
            Ok(outputs) => {
                self.carry_out(now, outputs);
                if !self.failure.is_noted() && self.node.ledger().is_on_chain(&id) {
                    self.miners.found(id);
                }
            }
            Err(error) => tracing::warn!(%error, "a mined block is not taken"),
        }
    }

    /// Asks for one block.
    pub(super) fn mine(&mut self) -> Mining {
        Mining::new(self.miners.request(), self.failure.clone())
    }

    /// Mines without end, or no more.
    pub(super) const fn keep_mining(&mut self, on: bool) {
        self.miners.keep(on);
    }

    /// Adds a listener, which is told first of the peers that have said their status.
    pub(super) fn listen(&mut self, feed: Feed<LedgerEvent>) {
        for (peer, status) in self.greetings.of(self.node.peers()) {
            feed.push(LedgerEvent::Ready { peer, status });
        }
        self.audience.add(feed);
    }

    pub(super) const fn node(&self) -> &LedgerNode<Store> {
        &self.node
    }

    pub(super) const fn ledger(&self) -> &ledger::Ledger {
        self.node.ledger()
    }

    pub(super) const fn store(&self) -> &Store {
        self.node.archive()
    }

    /// A block from memory or storage.
    pub(super) fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.ledger().block(id).or_else(|| self.store().block(id))
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn carry_out(&mut self, now: Timestamp, outputs: Vec<Output>) {
        for output in outputs {
            if let Some(event) = self.commands.note(now, output) {
                self.hear(event);
            }
            if self.failure.is_noted() {
                // What was announced must be stored: nothing more goes out.
                return;
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Chain(update) => self.store_and_tell(&update),
            Event::DeepReorg { depth } => self.audience.tell(&LedgerEvent::DeepReorg { depth }, 0),
            Event::Pending(id) => self.audience.tell(&LedgerEvent::Pending(id), 0),
            Event::Ready { peer, status } => {
                self.greetings.note(peer, status, self.node.peers());
                self.audience.tell(&LedgerEvent::Ready { peer, status }, 0);
            }
            Event::Unavailable(id) => {
                tracing::warn!("a stored block cannot be read");
                self.audience.tell(&LedgerEvent::Unavailable(id), 0);
            }
            // A light node's.
            Event::Tip { .. } | Event::Answered { .. } | Event::Unanswered(_) => {}
        }
    }

    fn store_and_tell(&mut self, update: &ChainUpdate) {
        if let Err(failure) = self.store().write(update) {
            tracing::error!(%failure, "the ledger ends");
            self.failure.note(failure);
            self.audience.tell_last(&LedgerEvent::Failed(failure));
            return;
        }
        if update.is_change() {
            let newest = update.connected.last();
            let height = newest.and_then(|id| self.ledger().headers().get(id));
            let change = Change {
                disconnected: update.disconnected.clone(),
                fork: update.fork,
                connected: update.connected.clone(),
                returned: update.returned.iter().map(Tx::id).collect(),
                height: height.map_or(0, |entry| entry.height),
            };
            self.audience.tell(&LedgerEvent::Changed(Arc::new(change)), 0);
        }
    }
}

impl Steps for Engine {
    fn genesis(&self) -> BlockId {
        self.ledger().params().genesis_id()
    }

    fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        if let Input::Received { peer, code, payload } = input {
            let checks = self.node.sig_checks(now, peer, code, payload);
            self.node.trust(verify(&checks, self.threads));
        }
        let outputs: Vec<Output> = self.node.handle(now, input).collect();
        self.carry_out(now, outputs);
    }

    /// What the miners need: to be told of a new tip, and of time that has passed.
    fn tend(&mut self) {
        self.miners.tend(self.clock.now(), self.node.ledger(), self.node.mempool());
    }

    fn until_next(&self) -> Duration {
        let now = self.clock.now();
        let node = self.node.poll_timeout().map(|due| due.saturating_since(now));
        let miners = self.miners.until_next();
        [node, miners].into_iter().flatten().min().unwrap_or(Duration::MAX)
    }

    fn take_commands(&mut self) -> Vec<PeerCommand> {
        self.commands.take()
    }

    fn has_failed(&self) -> bool {
        self.failure.is_noted()
    }
}

/// Checks signatures on several threads. The ledger itself finds out which ones are bad.
fn verify(checks: &[SigCheck], threads: NonZeroUsize) -> Vec<Verified> {
    if checks.len() < WORTH_THREADS {
        return verify_all(checks);
    }
    thread::scope(|scope| {
        let parts = checks.chunks(checks.len().div_ceil(threads.get()));
        let running: Vec<_> = parts.map(|part| scope.spawn(|| verify_all(part))).collect();
        // What a thread could not do is done by the ledger.
        running.into_iter().filter_map(|part| part.join().ok()).flatten().collect()
    })
}

/// Under a millisecond of signatures is not worth a thread.
const WORTH_THREADS: usize = 8;
