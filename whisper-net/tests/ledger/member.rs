//! A node with a ledger, as tests use it.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;

use whisper_core::identity::Identity;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BoardPost;
use whisper_core::ledger::Name;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::Register;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::Clock;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Handle;
use whisper_net::ledger;
use whisper_net::ledger::Ledger;
use whisper_net::ledger::LedgerConfig;
use whisper_net::memory::MemoryNetwork;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::rlpx::Timing;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;

pub(crate) struct Member {
    pub(crate) node: Handle,
    pub(crate) ledger: Ledger,
}

pub(crate) const BOTH: [Protocol; 2] = [Protocol::WHISPER, ledger::PROTOCOL];

impl Member {
    pub(crate) async fn rlpx(params: &Params) -> Self {
        Self::on(rlpx().await, LedgerConfig::new(params.clone())).await
    }

    pub(crate) async fn memory(network: &MemoryNetwork, name: &str, params: &Params) -> Self {
        Self::with(network, name, LedgerConfig::new(params.clone())).await
    }

    pub(crate) async fn with(network: &MemoryNetwork, name: &str, config: LedgerConfig) -> Self {
        Self::on(network.transport_with(name, &BOTH), config).await
    }

    async fn on(transport: impl Transport, config: LedgerConfig) -> Self {
        let config = LedgerConfig { threads: NonZeroUsize::MIN, clock: clock(), ..config };
        let chain = ledger::open(config).await.unwrap();
        let node = whisper_net::start(Config { clock: clock(), ..Config::new(transport) }).unwrap();
        let ledger = chain.serve(&node).await.unwrap();
        Self { node, ledger }
    }

    pub(crate) async fn dial(&self, other: &Self) {
        self.node.dial(other.node.local_address().unwrap()).await.unwrap();
    }

    /// Ends all connections; those that this node has dialled do not come again.
    pub(crate) async fn leave_all(&self) {
        for peer in self.node.peers().await.unwrap() {
            self.node.disconnect(peer.info.peer).await.unwrap();
        }
        eventually(|| async { self.ledger.peers().await.unwrap().is_empty() }).await;
    }

    pub(crate) async fn mine(&self) -> BlockId {
        self.ledger.mine().await.unwrap().found().await.unwrap()
    }

    /// Mines until the chain is so high; how high it is then.
    pub(crate) async fn mine_until(&self, height: u32) -> u32 {
        let own = || async { self.ledger.overview().await.unwrap().tip.height };
        self.ledger.keep_mining(true).await.unwrap();
        eventually(|| async { own().await >= height }).await;
        self.ledger.keep_mining(false).await.unwrap();
        // A block may still be on its way.
        tokio::time::sleep(Duration::from_millis(100)).await;
        own().await
    }

    pub(crate) async fn post(&self, text: &str) -> Tx {
        let post = BoardPost { topic: Topic::default(), parent: None, text };
        self.submit(&Arc::new(identity()), &Payload::Post(post)).await
    }

    pub(crate) async fn submit(&self, author: &Arc<Identity>, payload: &Payload<'_>) -> Tx {
        let expiry = self.node.clock().now().saturating_add(Duration::from_secs(3_600));
        let key = author.public_key();
        let draft = TxDraft::new(self.ledger.params(), &key, expiry, payload).unwrap();
        let tx = self.ledger.sign(draft, Arc::clone(author)).await.unwrap();
        self.ledger.submit(tx.clone()).await.unwrap();
        tx
    }

    pub(crate) async fn end(self) {
        let Self { node, ledger } = self;
        drop(ledger);
        node.shutdown().await;
    }
}

/// Claims a name, and mines the claim; the owner's key.
pub(crate) async fn claim(member: &Member, name: Name) -> [u8; 33] {
    let owner = Arc::new(identity());
    let next = NextKey::NONE;
    let claim = Register { operation: Operation::Claim, seq: 0, next, name };
    member.submit(&owner, &Payload::Register(claim)).await;
    member.mine().await;
    owner.public_key().to_compressed()
}

/// A transport on loopback that dials again soon.
pub(crate) async fn rlpx() -> RlpxTransport {
    let timing = Timing { retry_local: Duration::from_millis(20), ..Timing::default() };
    let listen = Some(([127, 0, 0, 1], 0).into());
    let config = RlpxConfig::new(Arc::new(identity()));
    let config = RlpxConfig { listen, timing, protocols: BOTH.to_vec(), ..config };
    RlpxTransport::bind(config).await.unwrap()
}

/// The time of all nodes, after the first block of every network: whatever this machine says.
pub(crate) fn clock() -> Clock {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(Instant::now);
    Clock::from_source(move || Timestamp::from_secs(1_800_000_000).saturating_add(start.elapsed()))
}

pub(crate) fn identity() -> Identity {
    Identity::generate(&mut Entropy::os().rng().unwrap())
}

/// Waits until all have the same newest block.
pub(crate) async fn agree(members: &[Member]) {
    eventually(|| async {
        let mut tips = Vec::new();
        for member in members {
            tips.push(member.ledger.overview().await.unwrap().tip.id);
        }
        tips.windows(2).all(|pair| pair[0] == pair[1])
    })
    .await;
}

/// Waits for what must come within two minutes, on a busy machine.
pub(crate) async fn eventually<F: Future<Output = bool>>(mut is_so: impl FnMut() -> F) {
    let wait = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(120), wait).await.expect("it comes");
}
