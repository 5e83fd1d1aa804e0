//! A ledger for phones: headers only, and proofs that peers are asked for.

mod engine;
mod events;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Entry;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderChain;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Name;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Question;
use whisper_core::ledger::TxId;
use whisper_core::ledger::TxProof;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::PeerInfo;

pub use self::events::LightEvent;

use self::engine::Answer;
use self::engine::LightEngine;
use super::PROTOCOL;
use super::handle::LookUp;
use super::queue;
use super::task;
use crate::actor;
use crate::actor::Address;
use crate::actor::Closed;
use crate::clock::Clock;
use crate::handle::Handle;
use crate::stream;
use crate::stream::Stream;

/// The settings of a light ledger. Only the network has no default.
#[derive(Clone, Debug)]
pub struct LightConfig {
    /// The network's rules and first block.
    pub params: Params,
    /// Where to begin instead of at the first block: one that [`LightLedger::anchor`] gave earlier, or
    /// that came with the program. Its source is trusted.
    pub anchor: Option<HeaderAnchor>,
    /// How many events may wait for a slow reader before it misses some.
    pub backlog: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl LightConfig {
    /// The defaults for a network, from its first block.
    pub fn new(params: Params) -> Self {
        Self { params, anchor: None, backlog: 256, clock: Clock::system() }
    }
}

/// The application's hold on a light ledger: it follows headers and asks peers for proofs, keeps
/// nothing on disk and serves no peer. Clones hold the same one, and the node that it runs on; when
/// the last is dropped it ends.
///
/// Every method may be called from anywhere, and every future be dropped at any time.
///
/// It trusts the chain with the most work not to lie about the directory: pin keys that were seen,
/// and do not trust a changed one before it is buried deep.
///
/// ```
/// use whisper_core::ledger::Params;
/// use whisper_net::Config;
/// use whisper_net::ledger::{self, LedgerConfig, LightConfig, LightEvent, LightLedger};
/// use whisper_net::memory::MemoryNetwork;
/// use whisper_net::transport::Protocol;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let network = MemoryNetwork::new();
/// let both = [Protocol::WHISPER, ledger::PROTOCOL];
/// let server = whisper_net::start(Config::new(network.transport_with("server", &both)))?;
/// let chain = ledger::open(LedgerConfig::new(Params::regtest())).await?.serve(&server).await?;
/// chain.mine().await?.found().await?;
///
/// let node = whisper_net::start(Config::new(network.transport_with("phone", &both)))?;
/// let phone = LightLedger::serve(LightConfig::new(Params::regtest()), &node).await?;
/// let mut events = phone.events().await?;
/// node.dial("memory:server").await?;
/// while !matches!(events.next().await, Some(Ok(LightEvent::Tip { height: 1, .. }))) {}
/// let found = phone.look_up("alice".parse()?).await?;
/// assert!(found.record.is_none(), "and it is proven that nobody has the name");
/// # node.shutdown().await;
/// # server.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct LightLedger(Arc<Inner>);

struct Inner {
    /// Keeps the node running.
    _node: Handle,
    engine: Address<LightEngine>,
    params: Params,
    backlog: usize,
    /// So many questions may be open; others wait their turn.
    turns: Arc<Semaphore>,
}

impl LightLedger {
    /// Runs a light ledger on a node: over the connections of those transports that offer
    /// [`PROTOCOL`]. It ends with the node, or when the
    /// last [`LightLedger`] is dropped. A node runs one ledger, light or not: the newer takes the
    /// older one's place.
    ///
    /// # Errors
    /// [`LightError`] if the anchor is refused, or the node has ended.
    pub async fn serve(config: LightConfig, node: &Handle) -> Result<Self, LightError> {
        let LightConfig { params, anchor, backlog, clock } = config;
        let client = match &anchor {
            Some(anchor) => {
                LightClient::from_anchor(params.clone(), anchor).map_err(LightError::Anchor)?
            }
            None => LightClient::new(params.clone()).map_err(LightError::Network)?,
        };
        let (address, commands) = actor::address();
        let (handler, events) = queue::channel();
        let engine = LightEngine::new(LightNode::new(client), clock, anchor);
        task::start(engine, events, commands, node.driver());
        node.ask(move |driver| driver.register(PROTOCOL, handler)).await?;
        let turns = Arc::new(Semaphore::new(LightNode::QUESTIONS_MAX));
        Ok(Self(Arc::new(Inner { _node: node.clone(), engine: address, params, backlog, turns })))
    }

    /// The network's rules and first block.
    pub fn params(&self) -> &Params {
        &self.0.params
    }

    /// The newest header.
    ///
    /// # Errors
    /// [`Closed`] if the ledger has ended.
    pub async fn tip(&self) -> Result<Entry, Closed> {
        self.0.engine.ask(|engine| engine.headers().tip()).await
    }

    /// The header at this height of the chain, if it is held: the oldest are forgotten.
    ///
    /// # Errors
    /// [`Closed`] if the ledger has ended.
    pub async fn at(&self, height: u32) -> Result<Option<Entry>, Closed> {
        self.0.engine.ask(move |engine| engine.headers().at(height)).await
    }

    /// What stands under a name, as a peer proves from the newest block, or from one a little below
    /// it while no peer can prove from that: [`LookUp::header`] is the one. That nobody has the name
    /// is proven, too.
    ///
    /// Peers are asked one after the other until one gives a right proof; one that gives a wrong one
    /// is disconnected. Headers that are under way are waited for.
    ///
    /// # Errors
    /// [`QuestionError`] if there is no peer that could prove it, or the ledger has ended.
    pub async fn look_up(&self, name: Name) -> Result<LookUp, QuestionError> {
        let Answer { proof, proven, from } = self.question(|tip| Question::Name(tip, name)).await?;
        match proof {
            Proof::Name(proof) => Ok(LookUp::new(proof, &from, tip_of(proven))),
            // The core holds answers against questions.
            Proof::Tx(_) => Err(QuestionError::Unanswered),
        }
    }

    /// Lets a peer prove that a transaction stands in a block of the chain, and says how deep.
    ///
    /// # Errors
    /// [`QuestionError`] if there is no peer that could prove it, or the ledger has ended.
    pub async fn prove(
        &self,
        block: BlockId,
        tx: TxId,
    ) -> Result<(TxProof, Proven), QuestionError> {
        let answer = self.question(|_| Question::Tx(block, tx)).await?;
        match answer.proof {
            Proof::Tx(proof) => Ok((proof, answer.proven)),
            // The core holds answers against questions.
            Proof::Name(_) => Err(QuestionError::Unanswered),
        }
    }

    /// The stream of what happens to the ledger from now on. It begins with the peers that are there,
    /// and ends with the ledger.
    ///
    /// # Errors
    /// [`Closed`] if the ledger has ended.
    pub async fn events(&self) -> Result<Stream<LightEvent>, Closed> {
        let (feed, stream) = stream::channel(self.0.backlog);
        self.0.engine.ask(move |engine| engine.listen(feed)).await?;
        Ok(stream)
    }

    /// The peers that speak of ledgers, and how far they are.
    ///
    /// # Errors
    /// [`Closed`] if the ledger has ended.
    pub async fn peers(&self) -> Result<Vec<PeerInfo>, Closed> {
        self.0.engine.ask(LightEngine::peers).await
    }

    /// An anchor to store, and to begin at the next time; nothing while the chain is so short that
    /// its first block serves as well.
    ///
    /// It lies [`HeaderChain::DEPTH_MAX`](whisper_core::ledger::HeaderChain::DEPTH_MAX) below the
    /// tip. What begins at an anchor cannot leave the chain below it, and would be lost to the
    /// network if that did: no branch that begins deeper comes in before it has shown more work than
    /// all of the chain's. Less deep would save two packets of headers at the next start, no more.
    ///
    /// # Errors
    /// [`Closed`] if the ledger has ended.
    pub async fn anchor(&self) -> Result<Option<HeaderAnchor>, Closed> {
        self.0.engine.ask(LightEngine::anchor).await
    }

    /// Asks peers, from the newest block, and again from lower ones while that may help.
    async fn question(&self, about: impl Fn(BlockId) -> Question) -> Result<Answer, QuestionError> {
        self.settled().await?;
        for (attempt, depth) in DEPTHS.into_iter().enumerate() {
            if attempt > 0 {
                if !self.has_ready_peer().await? {
                    break;
                }
                // The peers may be checking a block whose header they have given us.
                tokio::time::sleep(PAUSE).await;
            }
            let from = self.0.engine.ask(move |engine| below_tip(engine.headers(), depth)).await?;
            if let Some(answer) = self.ask_peers(about(from)).await? {
                return Ok(answer);
            }
        }
        Err(QuestionError::Unanswered)
    }

    /// Waits for headers that are under way: what an old block proves may be long out of date. A
    /// peer that gives none is not waited for without end.
    async fn settled(&self) -> Result<(), Closed> {
        let (sender, settled) = oneshot::channel();
        self.0.engine.ask(move |engine| engine.tell_when_settled(sender)).await?;
        match tokio::time::timeout(PATIENCE, settled).await {
            Ok(Err(_)) => Err(Closed),
            Ok(Ok(())) | Err(_) => Ok(()),
        }
    }

    async fn ask_peers(&self, question: Question) -> Result<Option<Answer>, Closed> {
        // It comes back when the peers were asked, even if the caller has gone.
        let turn = Arc::clone(&self.0.turns).acquire_owned().await.map_err(|_| Closed)?;
        let (sender, answer) = oneshot::channel();
        self.0.engine.ask(move |engine| engine.ask(question, sender, turn)).await?;
        answer.await.map_err(|_| Closed)
    }

    async fn has_ready_peer(&self) -> Result<bool, Closed> {
        Ok(self.peers().await?.iter().any(|peer| peer.work.is_some()))
    }
}

impl fmt::Debug for LightLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LightLedger").field("genesis", &self.params().genesis_id()).finish()
    }
}

/// The block so deep below the newest one; never the first one, whose directory is empty.
fn below_tip(headers: &HeaderChain, depth: u32) -> BlockId {
    let tip = headers.tip();
    let height = tip.height.saturating_sub(depth).max(1);
    headers.at(height).unwrap_or(tip).id
}

/// The height of the chain that confirms so well.
const fn tip_of(proven: Proven) -> u32 {
    proven.height.saturating_add(proven.confirmations).saturating_sub(1)
}

/// Why a light ledger does not run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LightError {
    /// The anchor is not one of this network: begin without it.
    #[error("the anchor is refused: {0}")]
    Anchor(HeaderError),
    /// The network's own first block breaks its rules.
    #[error("the network is not valid: {0}")]
    Network(HeaderError),
    /// The node has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Why a question stays open.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuestionError {
    /// No peer that is connected could prove anything: ask again when there are others.
    #[error("no peer could prove it")]
    Unanswered,
    /// The ledger has ended.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// How deep below the newest block each attempt asks. The newest may be one that only its miner has,
/// or one of two at the same height; chains that differ by more are not worth waiting for, and peers
/// prove from [`Ledger::PROVABLE`](whisper_core::ledger::Ledger::PROVABLE) blocks.
const DEPTHS: [u32; 4] = [0, 1, 3, 6];
/// A block is checked within this.
const PAUSE: Duration = Duration::from_millis(250);
/// How long headers are waited for: as long as the core waits for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
