//! Blocks: a header and what it commits to.

pub(super) mod header;
pub(super) mod name;
pub(super) mod register;
pub(super) mod seal;
pub(super) mod signature;
pub(super) mod tx;

use alloc::sync::Arc;
use alloc::vec::Vec;

use header::Header;
use header::HeaderError;
use seal::Seal;
use signature::SigCheck;
use tx::Tx;
use tx::TxError;

use crate::ledger::hash::BlockId;
use crate::ledger::hash::ChainTag;
use crate::ledger::hash::Keccak256;
use crate::ledger::read::Fields;
use crate::ledger::tree::merkle;
use crate::ledger::tree::merkle::Path;

/// A block of which only the header has been read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unchecked;

/// A block whose body is the one that its header commits to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Checked {
    seal: Seal,
    txs: Vec<Tx>,
    leaves: Vec<[u8; 32]>,
}

/// A block, and how much of it has been looked at. That it is *valid* no type says: that depends on
/// the blocks before, and only a [`Ledger`](super::Ledger) knows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block<S = Checked> {
    bytes: Arc<[u8]>,
    header: Header,
    id: BlockId,
    state: S,
}

/// The most bytes that a block may have.
pub(super) const BLOCK_MAX: usize = 262_144;

impl Block<Unchecked> {
    /// Reads the header of a block.
    ///
    /// # Errors
    /// [`BodyError::TooLarge`] or [`BodyError::Short`].
    pub fn decode(bytes: impl Into<Arc<[u8]>>) -> Result<Self, BodyError> {
        let bytes = bytes.into();
        if bytes.len() > BLOCK_MAX {
            return Err(BodyError::TooLarge);
        }
        let mut fields = Fields::new(&bytes);
        let header = Header::read(&mut fields).ok_or(BodyError::Short)?;
        fields.u32().ok_or(BodyError::Short)?;
        Ok(Self { header, id: header.id::<Keccak256>(), bytes, state: Unchecked })
    }

    /// Takes the body apart and holds it against the header's root. Until that has succeeded nothing
    /// in the body is the header's fault: it may have been changed on the way.
    ///
    /// # Errors
    /// The first rule that the body breaks, in the order of the specification.
    pub fn check_structure(self, tag: &ChainTag) -> Result<Block, BodyError> {
        let (seal, txs) = split(&self.bytes, tag)?;
        let mut leaves = Vec::with_capacity(txs.len().saturating_add(1));
        leaves.push(merkle::leaf::<Keccak256>(&seal.encode()));
        leaves.extend(txs.iter().map(|tx| merkle::leaf::<Keccak256>(&tx.entry())));
        if merkle::root::<Keccak256>(&leaves) != self.header.tx_root {
            return Err(BodyError::Root);
        }
        let Self { bytes, header, id, state: Unchecked } = self;
        Ok(Block { bytes, header, id, state: Checked { seal, txs, leaves } })
    }
}

impl<S> Block<S> {
    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The block's name.
    pub const fn id(&self) -> BlockId {
        self.id
    }

    /// The encoded block.
    pub const fn bytes(&self) -> &Arc<[u8]> {
        &self.bytes
    }
}

impl Block {
    /// The first transaction, which is not signed.
    pub const fn seal(&self) -> &Seal {
        &self.state.seal
    }

    /// The signed transactions. The first of them has index 1 in the tree.
    pub fn txs(&self) -> &[Tx] {
        &self.state.txs
    }

    /// The signatures to check, each on its own, on as many threads as there are.
    pub fn sig_checks(&self) -> Vec<SigCheck> {
        let leaves = self.state.leaves.iter().skip(1);
        self.state.txs.iter().zip(leaves).map(|(tx, leaf)| SigCheck::new(tx, *leaf)).collect()
    }

    /// The path of transaction `index` to the header's root; 0 is the Seal.
    pub fn path(&self, index: u32) -> Option<Path> {
        Path::new::<Keccak256>(&self.state.leaves, index)
    }

    /// The block as one that is not checked.
    pub fn into_unchecked(self) -> Block<Unchecked> {
        let Self { bytes, header, id, .. } = self;
        Block { bytes, header, id, state: Unchecked }
    }
}

/// A block of these parts, encoded.
pub(super) fn assemble(header: &Header, seal: &Seal, txs: &[Tx]) -> Arc<[u8]> {
    let seal = seal.encode();
    let count = u32::try_from(txs.len().saturating_add(1)).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(framed_len(txs.iter().map(|tx| tx.as_bytes().len())));
    bytes.extend(header.encode());
    bytes.extend(count.to_le_bytes());
    for tx in core::iter::once(seal.as_slice()).chain(txs.iter().map(Tx::as_bytes)) {
        bytes.extend(u16::try_from(tx.len()).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(tx);
    }
    bytes.into()
}

/// The most bytes of a block with transactions of these lengths.
pub(super) fn framed_len(txs: impl Iterator<Item = usize>) -> usize {
    // Header, count, and the Seal behind its length.
    let fixed = Seal::LEN.end().saturating_add(Header::LEN + 4 + 2);
    txs.fold(fixed, |sum, len| sum.saturating_add(len).saturating_add(2))
}

/// The transactions in a block's bytes, apart.
fn split(bytes: &[u8], tag: &ChainTag) -> Result<(Seal, Vec<Tx>), BodyError> {
    let mut fields = Fields::new(bytes);
    fields.bytes(Header::LEN).ok_or(BodyError::Short)?;
    let count = fields.u32().ok_or(BodyError::Short)?;
    let mut parts = Vec::new();
    for _ in 0..count {
        let len = fields.u16().ok_or(BodyError::Short)?;
        parts.push(fields.bytes(len.into()).ok_or(BodyError::Short)?);
    }
    if !fields.is_empty() {
        return Err(BodyError::Trailing);
    }
    let (first, others) = parts.split_first().ok_or(BodyError::Empty)?;
    let kind = |part: &[u8]| part.get(1).copied();
    if parts.iter().any(|part| kind(part).is_none()) {
        return Err(BodyError::TxSize);
    }
    if others.iter().any(|part| kind(part) == Some(0)) {
        return Err(BodyError::SealPosition);
    }
    let seal = Seal::decode(first).ok_or(BodyError::SealFormat)?;
    let framed = |part: &&[u8]| Tx::frame(part, tag).ok_or(BodyError::TxSize);
    Ok((seal, others.iter().map(framed).collect::<Result<_, _>>()?))
}

/// What is wrong with a body: it is not the one that the header commits to. The header may be fine;
/// another peer may have the right one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BodyError {
    /// More bytes than a block may have.
    #[error("a block has at most 262,144 bytes")]
    TooLarge,
    /// The bytes end too soon.
    #[error("the block ends too soon")]
    Short,
    /// Bytes after the last transaction.
    #[error("the block goes on after its last transaction")]
    Trailing,
    /// No transaction.
    #[error("the block has no transaction")]
    Empty,
    /// A transaction without room for its fields.
    #[error("a transaction of the block is too short")]
    TxSize,
    /// A Seal that is not the first.
    #[error("a seal stands at another place than the first")]
    SealPosition,
    /// The first transaction is no Seal.
    #[error("the first transaction is no seal")]
    SealFormat,
    /// The root over the transactions is another.
    #[error("the root over the transactions is another")]
    Root,
}

impl BodyError {
    /// The rule that was broken, by its name in the specification.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::TooLarge => "block-size",
            Self::Short => "block-short",
            Self::Trailing => "block-trailing",
            Self::Empty => "block-empty",
            Self::TxSize => "tx-size",
            Self::SealPosition => "seal-position",
            Self::SealFormat => "seal-format",
            Self::Root => "block-root",
        }
    }
}

/// Why a block is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BlockError {
    /// The header is at fault.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body is at fault.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The Seal names another height.
    #[error("the seal names another height")]
    SealHeight,
    /// The Seal counts other transactions.
    #[error("the seal counts other transactions")]
    SealCount,
    /// The Seal commits to another directory.
    #[error("the seal commits to another directory")]
    SealDirectory,
    /// A transaction is not valid.
    #[error("transaction {index}: {source}")]
    Tx {
        /// Which one; 1 is the first after the Seal.
        index: u32,
        /// Why.
        source: TxError,
    },
    /// A block before this one, never tried until now, turned out not to be valid.
    #[error("block {id} before it breaks {rule}")]
    Ancestor {
        /// The block.
        id: BlockId,
        /// The rule that it breaks, by its name in the specification.
        rule: &'static str,
    },
    /// A block that is needed to change chains is neither in memory nor in the archive.
    #[error("block {0} is not at hand")]
    Unavailable(BlockId),
}

/// What to think of a block that was not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// It will never be valid, nor will those that build on it.
    Invalid,
    /// The body is not the header's: ask another peer.
    BadBody,
    /// It may become valid with time.
    TooNew,
    /// What it builds on is not at hand.
    Orphan,
}

impl BlockError {
    /// The rule that was broken, by its name in the specification.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Header(error) => error.rule(),
            Self::Body(error) => error.rule(),
            Self::SealHeight => "seal-height",
            Self::SealCount => "seal-count",
            Self::SealDirectory => "seal-directory",
            Self::Tx { source, .. } => source.rule(),
            Self::Ancestor { rule, .. } => rule,
            Self::Unavailable(_) => "block-unavailable",
        }
    }

    /// What to think of the block.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Header(error) => error.fault(),
            Self::Body(_) => Fault::BadBody,
            Self::Unavailable(_) => Fault::Orphan,
            _ => Fault::Invalid,
        }
    }
}

impl HeaderError {
    /// What to think of the header.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::TooNew { .. } => Fault::TooNew,
            Self::Orphan | Self::Deep | Self::BeforeAnchor => Fault::Orphan,
            _ => Fault::Invalid,
        }
    }
}
