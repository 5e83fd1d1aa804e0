//! The application's hold on a running ledger.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use whisper_core::identity::Identity;
use whisper_core::ledger::Audit;
use whisper_core::ledger::AuditError;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Entry;
use whisper_core::ledger::Header;
use whisper_core::ledger::MempoolError;
use whisper_core::ledger::Name;
use whisper_core::ledger::NameProof;
use whisper_core::ledger::NameRecord;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::TxId;
use whisper_core::ledger::TxProof;
use whisper_core::ledger::TxRating;
use whisper_core::ledger::sync::PeerInfo;

use super::config::LedgerConfig;
use super::engine::Engine;
use super::events::LedgerEvent;
use super::fault::Failure;
use super::fault::LedgerEnded;
use super::miner::Mining;
use super::signing::Signing;
use crate::actor::Address;
use crate::handle::Handle;
use crate::stream;
use crate::stream::Stream;

/// The application's hold on a running ledger. Clones hold the same one, and the node that it runs
/// on; when the last is dropped the ledger ends, and peers are told that there is nothing.
///
/// Every method may be called from anywhere, and every future be dropped at any time.
#[derive(Clone)]
pub struct Ledger(Arc<Inner>);

struct Inner {
    /// Keeps the node running.
    _node: Handle,
    engine: Address<Engine>,
    config: LedgerConfig,
    failure: Failure,
}

impl Ledger {
    pub(super) fn new(
        node: Handle,
        engine: Address<Engine>,
        config: LedgerConfig,
        failure: Failure,
    ) -> Self {
        Self(Arc::new(Inner { _node: node, engine, config, failure }))
    }

    /// The network's rules and first block.
    pub fn params(&self) -> &Params {
        &self.0.config.params
    }

    /// Does the work for a transaction and signs it: await what is returned. It tells meanwhile how
    /// far it is, and ends when it is dropped.
    ///
    /// The future gives a [`SignError`](super::SignError) if `author` is not the draft's, or the
    /// runtime goes down.
    pub fn sign(&self, draft: TxDraft, author: Arc<Identity>) -> Signing {
        Signing::new(draft, author, self.0.config.threads)
    }

    /// Lets a transaction wait for a block, here and at the peers.
    ///
    /// # Errors
    /// [`SubmitError`] if the next block could not hold it, or there is no room for it.
    pub async fn submit(&self, tx: Tx) -> Result<(), SubmitError> {
        Ok(self.ask(move |engine| engine.submit(tx)).await??)
    }

    /// What waits for a block, best rated first.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn pending(&self) -> Result<Vec<(Tx, TxRating)>, LedgerEnded> {
        self.ask(|engine| {
            let now = engine.now().as_secs();
            let all = engine.node().mempool().iter();
            let alive = all.filter(|(tx, _)| u64::from(tx.expiry()) > now);
            alive.map(|(tx, rating)| (tx.clone(), rating)).collect()
        })
        .await
    }

    /// The stream of what happens to the ledger from now on. It begins with the peers that are there,
    /// and ends with the ledger.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn events(&self) -> Result<Stream<LedgerEvent>, LedgerEnded> {
        let (feed, stream) = stream::channel(self.0.config.backlog);
        self.ask(move |engine| engine.listen(feed)).await?;
        Ok(stream)
    }

    /// How far the ledger is.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn overview(&self) -> Result<Overview, LedgerEnded> {
        self.ask(|engine| {
            let (ledger, mempool) = (engine.ledger(), engine.node().mempool());
            Overview {
                tip: ledger.tip(),
                header_tip: ledger.headers().tip(),
                names: ledger.directory().len(),
                pending: mempool.len(),
                pending_bytes: mempool.bytes(),
                floor: mempool.floor(engine.now()),
            }
        })
        .await
    }

    /// The peers that have a ledger, and how far they are.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, LedgerEnded> {
        self.ask(|engine| engine.node().peers().collect()).await
    }

    /// What stands under a name, with a proof from the newest block.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn look_up(&self, name: Name) -> Result<Option<LookUp>, LedgerEnded> {
        self.ask(move |engine| {
            let (ledger, tip) = (engine.ledger(), engine.ledger().tip());
            let proof = ledger.prove_name(&tip.id, &name, engine.store())?;
            Some(LookUp::new(proof, &tip, tip.height))
        })
        .await
    }

    /// Proves that a transaction stands in the chain; nothing if it does not.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn prove(&self, id: TxId) -> Result<Option<TxProof>, LedgerEnded> {
        self.ask(move |engine| {
            let (height, _) = engine.store().place_of(&id).ok()??;
            let block = engine.ledger().at(height)?;
            engine.ledger().prove_tx(&block.id, &id, engine.store())
        })
        .await
    }

    /// The header at this height of the chain.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn at(&self, height: u32) -> Result<Option<Entry>, LedgerEnded> {
        self.ask(move |engine| engine.ledger().at(height)).await
    }

    /// A block of the chain or beside it, encoded.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn block(&self, id: BlockId) -> Result<Option<Arc<[u8]>>, LedgerEnded> {
        self.ask(move |engine| engine.block(&id)).await
    }

    /// Reads the blocks at these heights once more and checks all that each shows by itself. Other
    /// work goes on between the blocks.
    ///
    /// # Errors
    /// [`AuditFailure`] names the first block that is not as it should be.
    pub async fn audit(&self, heights: RangeInclusive<u32>) -> Result<Audit, AuditFailure> {
        let mut sum = Audit::default();
        let (mut from, last) = heights.into_inner();
        while from <= last {
            let part = from..=from.saturating_add(AUDIT_STEP - 1).min(last);
            let audit = self
                .ask(move |engine| engine.ledger().audit(part, engine.store()))
                .await
                .map_err(AuditFailure::Ended)?
                .map_err(AuditFailure::Block)?;
            if audit.blocks == 0 {
                break;
            }
            sum.blocks = sum.blocks.saturating_add(audit.blocks);
            sum.txs = sum.txs.saturating_add(audit.txs);
            let Some(next) = from.checked_add(AUDIT_STEP) else { break };
            from = next;
        }
        Ok(sum)
    }

    /// Asks for one block, with what waits in it. Returns at once: [`Mining`] tells how it goes.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn mine(&self) -> Result<Mining, LedgerEnded> {
        self.ask(Engine::mine).await
    }

    /// Mines one block after the other, or stops that.
    ///
    /// # Errors
    /// [`LedgerEnded`] if the ledger has ended.
    pub async fn keep_mining(&self, on: bool) -> Result<(), LedgerEnded> {
        self.ask(move |engine| engine.keep_mining(on)).await
    }

    /// Lets the engine do something between two steps, and waits for the answer.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, LedgerEnded> {
        self.0.engine.ask(question).await.map_err(|_| self.0.failure.ended())
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger").field("genesis", &self.params().genesis_id()).finish()
    }
}

/// How far a ledger is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Overview {
    /// The newest block that is checked in full.
    pub tip: Entry,
    /// The newest header: ahead of the block while blocks are fetched.
    pub header_tip: Entry,
    /// How many names there are.
    pub names: usize,
    /// How many transactions wait.
    pub pending: usize,
    /// Their bytes.
    pub pending_bytes: usize,
    /// The lowest rating that may wait.
    pub floor: TxRating,
}

/// What stands under a name.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LookUp {
    /// The record; nothing if nobody has the name.
    pub record: Option<NameRecord>,
    /// Where the record was changed last, and how deep that is buried: do not trust a changed key
    /// before it is.
    pub proven: Proven,
    /// The header of the block that it is proven from: the newest, or one a little below it if a
    /// peer has proven it to a light ledger.
    pub header: Header,
    /// The proof from it, for programs that hold headers only.
    pub proof: NameProof,
}

impl LookUp {
    /// What a proof from this block says on a chain of that height. That nobody has the name is
    /// proven where the block is.
    pub(super) fn new(proof: NameProof, from: &Entry, tip: u32) -> Self {
        let height = proof.record.map_or(from.height, |record| record.changed);
        let confirmations = tip.saturating_sub(height).saturating_add(1);
        let proven = Proven { height, confirmations };
        Self { record: proof.record, proven, header: from.header, proof }
    }
}

/// Why a transaction may not wait for a block.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubmitError {
    /// The ledger refuses it.
    #[error(transparent)]
    Refused(#[from] MempoolError),
    /// The ledger has ended.
    #[error(transparent)]
    Ended(#[from] LedgerEnded),
}

/// Why an audit has ended early.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AuditFailure {
    /// A block is not as it should be.
    #[error(transparent)]
    Block(AuditError),
    /// The ledger has ended.
    #[error(transparent)]
    Ended(LedgerEnded),
}

/// Blocks between two looks at what else is to be done.
const AUDIT_STEP: u32 = 8;
