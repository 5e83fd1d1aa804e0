//! The ledger on real networks: a chain on disk that keeps up with others, and mines.
//!
//! ```text
//!   application ── Ledger ── submit, look up, prove, audit, mine
//!                     │
//!   driver ⇄ events, commands ⇄ engine: whisper_core::ledger::sync::LedgerNode
//!                     │        │
//!                   store    miners        a file; threads
//! ```
//!
//! The engine runs beside the loop of the relay, which never waits for it. It speaks `wledger/1` over
//! the same connections; peers without it notice nothing.
//!
//! Where there is no room for a chain, [`LightLedger`] follows headers only and has peers prove the
//! rest.
//!
//! A post, mined and proven, on a network of one:
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use whisper_core::identity::Identity;
//! use whisper_core::ledger::{BoardPost, Params, Payload, TxDraft};
//! use whisper_core::topic::Topic;
//! use whisper_net::ledger::{self, LedgerConfig};
//! use whisper_net::memory::MemoryNetwork;
//! use whisper_net::transport::Protocol;
//! use whisper_net::{Config, Entropy};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let chain = ledger::open(LedgerConfig::new(Params::regtest())).await?;
//! let protocols = [Protocol::WHISPER, ledger::PROTOCOL];
//! let transport = MemoryNetwork::new().transport_with("alice", &protocols);
//! let node = whisper_net::start(Config::new(transport))?;
//! let ledger = chain.serve(&node).await?;
//!
//! let alice = Arc::new(Identity::generate(&mut Entropy::os().rng()?));
//! let payload = Payload::Post(BoardPost { topic: Topic::default(), parent: None, text: "hello" });
//! let expiry = node.clock().now().saturating_add(Duration::from_secs(3_600));
//! let draft = TxDraft::new(ledger.params(), &alice.public_key(), expiry, &payload)?;
//! let post = ledger.sign(draft, alice).await?;
//! let id = post.id();
//! ledger.submit(post).await?;
//! ledger.mine().await?.found().await?;
//! let proof = ledger.prove(id).await?.expect("it stands in the block");
//! assert_eq!(proof.seal.seal.height, 1);
//! # node.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod commands;
mod config;
mod engine;
mod events;
mod fault;
mod handle;
mod light;
mod miner;
mod null_responder;
mod open;
mod queue;
mod signing;
mod store;
mod task;

pub use config::LedgerConfig;
pub use events::Change;
pub use events::LedgerEvent;
pub use fault::Damage;
pub use fault::LedgerEnded;
pub use fault::OpenError;
pub use fault::StoreError;
pub use handle::AuditFailure;
pub use handle::Ledger;
pub use handle::LookUp;
pub use handle::Overview;
pub use handle::SubmitError;
pub use light::LightConfig;
pub use light::LightError;
pub use light::LightEvent;
pub use light::LightLedger;
pub use light::QuestionError;
pub use miner::Mining;
pub use miner::MiningEnded;
pub use miner::Progress;
pub use open::OpenChain;
pub use open::open;
pub use signing::SignError;
pub use signing::Signing;

use crate::transport::Protocol;

/// `wledger/1`, codes 0 to 31: what ledgers speak. Its name sorts after that of the relay's protocol,
/// whose codes stay where they are.
pub const PROTOCOL: Protocol = Protocol::new("wledger", 1, 32);
