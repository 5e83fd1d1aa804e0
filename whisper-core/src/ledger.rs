//! The second tower: a block chain for what must be public and lasting.
//!
//! Blocks hold board posts, the directory of names, and commitments to envelopes; never envelopes,
//! never who reads what. There is no currency: a transaction costs its author work, and mining is not
//! paid. The format is the project's own (format 1), its layout and rules are Bitcoin's where those
//! have stood the test: real Bitcoin headers run through the same code.
//!
//! ```text
//!   sync      LedgerNode, LightNode: wledger/1 as state machines
//!   -------------------------------------------------------------------
//!   mining    Mempool, Template, BlockMiner     light   LightClient, Proof
//!   chain     Ledger: valid blocks, and the Directory that follows from them
//!   headers   HeaderChain: most work wins
//!   rules     Params, Retarget
//!   block     Block, Header, Seal, Tx, Name
//!   -------------------------------------------------------------------
//!   tree      merkle, Smt                       pow     Target, ChainWork
//!   hash, read
//! ```
//!
//! A valid chain is a type: nothing but checking all of it makes a [`Ledger`]. Work is done where the
//! caller wants it: a [`BlockMiner`] searches as many nonces as it is told, a [`SigCheck`] runs on
//! any thread. What must be stored comes out as a list, in one piece for each change.
//!
//! From the first block to a proof:
//!
//! ```
//! # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
//! use whisper_core::identity::Identity;
//! use whisper_core::ledger::*;
//! use whisper_core::time::Timestamp;
//! use whisper_core::topic::Topic;
//!
//! let params = Params::regtest();
//! let now = params.genesis_header().timestamp();
//! let mut ledger = Ledger::new(params.clone())?;
//! let mut mempool = Mempool::new();
//!
//! // A post: its author works for it and signs.
//! let alice = Identity::generate(&mut ChaCha20Rng::from_seed([7; 32]));
//! let text = BoardPost { topic: Topic::default(), parent: None, text: "hello, world" };
//! let expiry = Timestamp::from_secs(now.as_secs() + 3_600);
//! let draft = TxDraft::new(&params, &alice.public_key(), expiry, &Payload::Post(text))?;
//! let nonce = draft.find(0..u64::MAX).expect("some nonce fits");
//! let post = draft.sign(nonce, &alice)?;
//! mempool.submit(now, post.clone(), &mut ledger)?;
//!
//! // A block: a miner searches its nonce.
//! let template = Template::new(now, &ledger, mempool.select(&ledger), b"alice")?;
//! let block = BlockMiner::new(template).search(1_000).expect("every other hash fits here");
//! let update = ledger.accept_block(now, block)?;
//! mempool.follow(now, &mut ledger, &update);
//!
//! // A phone that holds headers only can check that it stands there.
//! let tip = ledger.tip();
//! let mut phone = LightClient::new(params)?;
//! phone.accept(now, &[tip.header])?;
//! let proof = ledger.prove_tx(&tip.id, &post.id(), &Nothing).expect("it is in the block");
//! assert_eq!(phone.check_tx(&proof)?, Proven { height: 1, confirmations: 1 });
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```

pub mod analysis;
mod block;
mod chain;
mod hash;
mod headers;
mod light;
mod mining;
mod pow;
mod read;
mod rules;
pub mod sync;
mod tree;

pub use block::Block;
pub use block::BlockError;
pub use block::BodyError;
pub use block::Checked;
pub use block::Fault;
pub use block::Unchecked;
pub use block::header::Header;
pub use block::header::HeaderError;
pub use block::name::InvalidName;
pub use block::name::Name;
pub use block::register::NextKey;
pub use block::register::Operation;
pub use block::register::Register;
pub use block::register::RegisterError;
pub use block::seal::Seal;
pub use block::signature::SigCheck;
pub use block::signature::Verified;
pub use block::signature::verify_all;
pub use block::tx::Anchor;
pub use block::tx::BoardPost;
pub use block::tx::Kind;
pub use block::tx::Payload;
pub use block::tx::Tx;
pub use block::tx::TxError;
pub use chain::Archive;
pub use chain::Audit;
pub use chain::AuditError;
pub use chain::Backup;
pub use chain::ChainUpdate;
pub use chain::Ledger;
pub use chain::Nothing;
pub use chain::RestoreError;
pub use chain::StoreOp;
pub use chain::directory::Directory;
pub use chain::directory::NameRecord;
pub use hash::BlockId;
pub use hash::ChainTag;
pub use hash::Keccak256;
pub use hash::PowHash;
pub use hash::TreeHash;
pub use hash::TxId;
pub use headers::BatchError;
pub use headers::Entry;
pub use headers::HeaderAnchor;
pub use headers::HeaderChain;
pub use headers::HeaderUpdate;
pub use headers::Scan;
pub use light::client::LightClient;
pub use light::client::Proven;
pub use light::proof::NameProof;
pub use light::proof::Proof;
pub use light::proof::ProofError;
pub use light::proof::SealProof;
pub use light::proof::TxProof;
pub use mining::draft::TxDraft;
pub use mining::mempool::Mempool;
pub use mining::mempool::MempoolError;
pub use mining::mempool::TxRating;
pub use mining::miner::BlockMiner;
pub use mining::miner::Template;
pub use mining::miner::TemplateError;
pub use pow::Bits;
pub use pow::ChainWork;
pub use pow::InvalidBits;
pub use pow::Target;
pub use rules::params::Floors;
pub use rules::params::HeaderRules;
pub use rules::params::Params;
pub use rules::retarget::Retarget;
pub use rules::retarget::asert;
pub use rules::retarget::bitcoin;
pub use sync::wire::Item;
pub use sync::wire::Message;
pub use sync::wire::Question;
pub use sync::wire::Status;
pub use sync::wire::WireError;
pub use tree::merkle;
pub use tree::smt::Smt;
pub use tree::smt::SmtProof;
