//! Headers and proofs of the ledger, without a network.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::SystemTime;

use whisper_core::identity::PublicKey;
use whisper_core::ledger;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Entry;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::Proof;
use whisper_core::ledger::SmtProof;
use whisper_core::ledger::TxId;
use whisper_core::ledger::TxProof;
use whisper_core::ledger::merkle;

use crate::directory::NameAnswer;
use crate::error::WhisperError;
use crate::faults;
use crate::time::system_time;
use crate::time::timestamp;

/// Which network a ledger belongs to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, uniffi::Enum)]
pub enum LedgerNetwork {
    /// The network that counts.
    Main,
    /// The network for trying things.
    Test,
    /// A network of one's own, where blocks cost nothing.
    Regtest,
}

impl LedgerNetwork {
    pub(crate) fn params(self) -> Params {
        match self {
            Self::Main => Params::main(),
            Self::Test => Params::test(),
            Self::Regtest => Params::regtest(),
        }
    }
}

/// The header of a block, and where it stands.
#[derive(Clone, Debug, Eq, Hash, PartialEq, uniffi::Record)]
#[uniffi::export(Eq, Hash)]
pub struct Header {
    /// The id of the block.
    pub id: BlockId,
    /// How many blocks stand below it.
    pub height: u32,
    /// The block before.
    pub parent: BlockId,
    /// When its miner says it was made.
    pub time: SystemTime,
    /// The 80 bytes.
    pub bytes: Vec<u8>,
}

impl From<Entry> for Header {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id,
            height: entry.height,
            parent: entry.header.parent,
            time: system_time(entry.header.timestamp()),
            bytes: entry.header.encode().to_vec(),
        }
    }
}

/// A transaction that stands in the chain.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct ProvenTransaction {
    /// Its id.
    pub id: TxId,
    /// Who signed it.
    pub author: PublicKey,
    /// What it says in public, if it is a post.
    pub text: Option<String>,
    /// Height of its block.
    pub height: u32,
    /// How many blocks confirm it, its own included.
    pub confirmations: u32,
}

impl ProvenTransaction {
    pub(crate) fn new(proof: &TxProof, proven: ledger::Proven) -> Result<Self, WhisperError> {
        let text = match proof.tx.payload() {
            Ok(Payload::Post(post)) => Some(post.text.to_owned()),
            _ => None,
        };
        Ok(Self {
            id: proof.tx.id(),
            author: PublicKey::from_compressed(&proof.tx.author())?,
            text,
            height: proven.height,
            confirmations: proven.confirmations,
        })
    }
}

/// A chain of headers that proofs are held against, without a network: the app brings the bytes. It
/// trusts the chain with the most work not to lie about the directory.
#[derive(Debug, uniffi::Object)]
pub struct LightClient(Mutex<ledger::LightClient>);

#[uniffi::export]
impl LightClient {
    /// A client that begins at the first block of a network, or at an anchor that came with the app
    /// or from somebody trusted.
    #[uniffi::constructor(default(anchor = None))]
    pub fn new(network: LedgerNetwork, anchor: Option<Vec<u8>>) -> Result<Arc<Self>, WhisperError> {
        faults::enter("LightClient.new");
        let client = match anchor_of(anchor)? {
            Some(anchor) => ledger::LightClient::from_anchor(network.params(), &anchor)?,
            None => ledger::LightClient::new(network.params())?,
        };
        Ok(Arc::new(Self(Mutex::new(client))))
    }

    /// Takes in headers of 80 bytes each, one after the other, and tells the newest.
    pub fn accept(&self, now: SystemTime, headers: &[u8]) -> Result<Header, WhisperError> {
        let mut client = self.lock()?;
        faults::enter("LightClient.accept");
        let (headers, rest) = headers.as_chunks::<{ ledger::Header::LEN }>();
        if !rest.is_empty() {
            return Err(WhisperError::malformed("headers", "each has 80 bytes"));
        }
        let headers: Vec<_> = headers.iter().map(ledger::Header::decode).collect();
        client.accept(timestamp(now), &headers)?;
        Ok(client.headers().tip().into())
    }

    /// The newest header.
    pub fn tip(&self) -> Result<Header, WhisperError> {
        faults::enter("LightClient.tip");
        Ok(self.lock()?.headers().tip().into())
    }

    /// The header at this height; nothing if there is none, or it was forgotten.
    pub fn at(&self, height: u32) -> Result<Option<Header>, WhisperError> {
        faults::enter("LightClient.at");
        Ok(self.lock()?.headers().at(height).map(Into::into))
    }

    /// Checks what stands under a name.
    pub fn check_name(&self, name: String, proof: &[u8]) -> Result<NameAnswer, WhisperError> {
        faults::enter("LightClient.check_name");
        let client = self.lock()?;
        let Some(Proof::Name(proof)) = Proof::decode(proof, client.params()) else {
            return Err(WhisperError::malformed("the proof of a name", "it cannot be read"));
        };
        let proven = client.check_name(&proof, &name.parse()?)?;
        NameAnswer::new(proof.record.as_ref(), proven)
    }

    /// Checks that a transaction stands in the chain.
    pub fn check_transaction(&self, proof: &[u8]) -> Result<ProvenTransaction, WhisperError> {
        faults::enter("LightClient.check_transaction");
        let client = self.lock()?;
        let Some(Proof::Tx(proof)) = Proof::decode(proof, client.params()) else {
            return Err(WhisperError::malformed("the proof of a transaction", "it cannot be read"));
        };
        let proven = client.check_tx(&proof)?;
        ProvenTransaction::new(&proof, proven)
    }
}

impl LightClient {
    fn lock(&self) -> Result<std::sync::MutexGuard<'_, ledger::LightClient>, WhisperError> {
        self.0.lock().map_err(|_| WhisperError::Poisoned)
    }
}

/// Checks that an entry stands in a block: its place, the number of entries, the hashes on its path,
/// and the root from the block's header.
#[uniffi::export]
pub fn check_inclusion(
    entry: &[u8],
    index: u32,
    size: u32,
    path: Vec<Vec<u8>>,
    root: &[u8],
) -> Result<(), WhisperError> {
    faults::enter("check_inclusion");
    let hashes = path.iter().map(|hash| hash_of(hash)).collect::<Result<_, _>>()?;
    let path = merkle::Path { index, size, hashes };
    let reached = path.root::<Keccak256>(merkle::leaf::<Keccak256>(entry));
    if reached == Some(hash_of(root)?) { Ok(()) } else { Err(ledger::ProofError::Path.into()) }
}

/// Checks what stands under a name: its record, or nothing, and the root of the directory from the
/// block's seal.
#[uniffi::export]
pub fn check_directory(
    name: String,
    record: Option<Vec<u8>>,
    proof: &[u8],
    root: &[u8],
) -> Result<(), WhisperError> {
    faults::enter("check_directory");
    let name: ledger::Name = name.parse()?;
    let record = match &record {
        Some(bytes) => {
            let record = ledger::NameRecord::decode(bytes);
            let reason = "it cannot be read";
            Some(record.ok_or_else(|| WhisperError::malformed("a record", reason))?)
        }
        None => None,
    };
    let hash = record.map(|record| record.hash());
    let is_other = record.is_some_and(|record| record.name != name);
    let way = SmtProof::decode(proof)
        .ok_or_else(|| WhisperError::malformed("a proof", "it cannot be read"))?;
    if !is_other && way.verify(&hash_of(root)?, &name.key(), hash.as_ref()) {
        Ok(())
    } else {
        Err(ledger::ProofError::Record.into())
    }
}

pub(crate) fn anchor_of(bytes: Option<Vec<u8>>) -> Result<Option<HeaderAnchor>, WhisperError> {
    let Some(bytes) = bytes else { return Ok(None) };
    let anchor = HeaderAnchor::decode(&bytes);
    anchor.map(Some).ok_or_else(|| WhisperError::malformed("an anchor", "it cannot be read"))
}

fn hash_of(bytes: &[u8]) -> Result<[u8; 32], WhisperError> {
    let reason = || format!("a hash has 32 bytes, not {}", bytes.len());
    bytes.try_into().map_err(|_| WhisperError::malformed("a hash", reason()))
}
