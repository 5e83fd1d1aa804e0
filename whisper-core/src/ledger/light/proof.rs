//! Proofs for those who hold headers only: a transaction, or what stands under a name.

use alloc::vec::Vec;

use crate::ledger::block::header::Header;
use crate::ledger::block::name::Name;
use crate::ledger::block::seal::Seal;
use crate::ledger::block::signature::SigCheck;
use crate::ledger::block::tx::Tx;
use crate::ledger::chain::Archive;
use crate::ledger::chain::Ledger;
use crate::ledger::chain::directory::NameRecord;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::read::Fields;
use crate::ledger::rules::params::Params;
use crate::ledger::tree::merkle;
use crate::ledger::tree::merkle::Path;
use crate::ledger::tree::smt::SmtProof;

/// The Seal of a block, and its path to the header's root.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SealProof {
    /// The block.
    pub block: BlockId,
    /// Its Seal: the authentic height, number of transactions and root of the directory.
    pub seal: Seal,
    /// The Seal's path.
    pub path: Path,
}

/// Proves that a transaction stands in a block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TxProof {
    /// The block and its Seal.
    pub seal: SealProof,
    /// The transaction.
    pub tx: Tx,
    /// The transaction's path.
    pub path: Path,
}

/// Proves what stands under a name after a block, or that nothing does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NameProof {
    /// The block and its Seal.
    pub seal: SealProof,
    /// The record; nothing if nobody has the name.
    pub record: Option<NameRecord>,
    /// The way to it in the directory.
    pub way: SmtProof,
}

/// A proof, as peers send it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Proof {
    /// Of a transaction.
    Tx(TxProof),
    /// Of a name.
    Name(NameProof),
}

impl SealProof {
    /// Holds the Seal against its block's header.
    ///
    /// # Errors
    /// [`ProofError::Block`] or [`ProofError::Seal`].
    pub fn verify(&self, header: &Header) -> Result<(), ProofError> {
        if header.id::<Keccak256>() != self.block {
            return Err(ProofError::Block);
        }
        let leaf = merkle::leaf::<Keccak256>(&self.seal.encode());
        let fits = self.path.index == 0
            && self.path.size == self.seal.tx_count
            && self.path.root::<Keccak256>(leaf) == Some(header.tx_root);
        if fits { Ok(()) } else { Err(ProofError::Seal) }
    }

    fn encode_into(&self, kind: u8, bytes: &mut Vec<u8>) {
        bytes.extend(self.block.as_bytes());
        bytes.push(kind);
        let seal = self.seal.encode();
        bytes.push(u8::try_from(seal.len()).unwrap_or(u8::MAX));
        bytes.extend(seal);
        self.path.encode_into(bytes);
    }

    fn read(block: BlockId, fields: &mut Fields<'_>) -> Option<Self> {
        let len = fields.u8()?;
        let seal = Seal::decode(fields.bytes(len.into())?)?;
        Some(Self { block, seal, path: Path::read(fields)? })
    }
}

impl TxProof {
    /// Holds the transaction against its block's header, and its signature against its author. That
    /// the header is of the right chain is for [`LightClient`](crate::ledger::LightClient) to say.
    ///
    /// # Errors
    /// The first part that does not fit.
    pub fn verify(&self, header: &Header) -> Result<(), ProofError> {
        self.seal.verify(header)?;
        let leaf = merkle::leaf::<Keccak256>(&self.tx.entry());
        let fits = self.path.index > 0
            && self.path.size == self.seal.seal.tx_count
            && self.path.root::<Keccak256>(leaf) == Some(header.tx_root);
        if !fits {
            return Err(ProofError::Path);
        }
        SigCheck::of(&self.tx).verify().map_err(|_| ProofError::Signature)?;
        Ok(())
    }
}

impl NameProof {
    /// Holds what is said of `name` against its block's header.
    ///
    /// # Errors
    /// The first part that does not fit.
    pub fn verify(&self, header: &Header, name: &Name) -> Result<(), ProofError> {
        self.seal.verify(header)?;
        if self.record.is_some_and(|record| record.name != *name) {
            return Err(ProofError::Record);
        }
        let hash = self.record.map(|record| record.hash());
        let root = &self.seal.seal.directory_root;
        if self.way.verify(root, &name.key(), hash.as_ref()) {
            Ok(())
        } else {
            Err(ProofError::Record)
        }
    }
}

/// Marks a proof of a transaction.
const TX: u8 = 1;
/// Marks a proof of a name.
const NAME: u8 = 2;

impl Proof {
    /// The block that is proven from.
    pub const fn block(&self) -> BlockId {
        match self {
            Self::Tx(proof) => proof.seal.block,
            Self::Name(proof) => proof.seal.block,
        }
    }

    /// Writes the proof.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1_280);
        match self {
            Self::Tx(proof) => {
                proof.seal.encode_into(TX, &mut bytes);
                let tx = proof.tx.as_bytes();
                bytes.extend(u16::try_from(tx.len()).unwrap_or(u16::MAX).to_le_bytes());
                bytes.extend(tx);
                proof.path.encode_into(&mut bytes);
            }
            Self::Name(proof) => {
                proof.seal.encode_into(NAME, &mut bytes);
                bytes.push(u8::from(proof.record.is_some()));
                if let Some(record) = proof.record.map(|record| record.encode()) {
                    bytes.push(u8::try_from(record.len()).unwrap_or(u8::MAX));
                    bytes.extend(record);
                }
                bytes.extend(proof.way.encode());
            }
        }
        bytes
    }

    /// Reads a proof of this network; nothing if the bytes are not the one encoding of one.
    pub fn decode(bytes: &[u8], params: &Params) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let block = BlockId::new(fields.array()?);
        let kind = fields.u8()?;
        let seal = SealProof::read(block, &mut fields)?;
        match kind {
            TX => {
                let len = fields.u16()?;
                let tx = Tx::decode(fields.bytes(len.into())?, params.chain_tag()).ok()?;
                let path = Path::read(&mut fields).filter(|_| fields.is_empty())?;
                Some(Self::Tx(TxProof { seal, tx, path }))
            }
            NAME => {
                let record = match fields.u8()? {
                    0 => None,
                    1 => {
                        let len = fields.u8()?;
                        Some(NameRecord::decode(fields.bytes(len.into())?)?)
                    }
                    _ => return None,
                };
                let way = SmtProof::decode(fields.rest())?;
                Some(Self::Name(NameProof { seal, record, way }))
            }
            _ => None,
        }
    }
}

impl Ledger {
    /// Proves that a transaction stands in a block of the chain, if it does and the block is at hand.
    pub fn prove_tx(&self, block: &BlockId, id: &TxId, archive: &impl Archive) -> Option<TxProof> {
        let block = self.load(block, archive).ok().filter(|block| self.is_on_chain(&block.id()))?;
        let at = block.txs().iter().position(|tx| tx.id() == *id)?;
        let index = u32::try_from(at).ok()?.checked_add(1)?;
        let (tx, path) = (block.txs().get(at)?.clone(), block.path(index)?);
        let (seal, seal_path) = (block.seal().clone(), block.path(0)?);
        Some(TxProof { seal: SealProof { block: block.id(), seal, path: seal_path }, tx, path })
    }

    /// Proves what stands under a name after one of the newest blocks, if that is at hand.
    pub fn prove_name(
        &self,
        block: &BlockId,
        name: &Name,
        archive: &impl Archive,
    ) -> Option<NameProof> {
        let directory = self.directory_at(block)?;
        let block = self.load(block, archive).ok()?;
        let (seal, path) = (block.seal().clone(), block.path(0)?);
        let (record, way) = (directory.get(name).copied(), directory.prove(name));
        Some(NameProof { seal: SealProof { block: block.id(), seal, path }, record, way })
    }
}

/// What is wrong with a proof.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// The block is not on our chain of headers, or not at the Seal's height.
    #[error("the block is not on the chain")]
    Block,
    /// The Seal is not the block's.
    #[error("the seal is not the block's")]
    Seal,
    /// The transaction is not in the block.
    #[error("the transaction is not in the block")]
    Path,
    /// The author did not sign the transaction.
    #[error("the author did not sign the transaction")]
    Signature,
    /// The directory says something else.
    #[error("the directory says something else")]
    Record,
}
