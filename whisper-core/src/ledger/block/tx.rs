//! Transactions: what is signed, worked for and public.

use alloc::vec::Vec;

use super::name::Name;
use super::register::NextKey;
use super::register::Operation;
use super::register::Register;
use super::register::RegisterError;
use crate::ledger::hash::ChainTag;
use crate::ledger::hash::TxId;
use crate::ledger::hash::keccak;
use crate::ledger::read::Fields;
use crate::topic::Topic;

/// What a signed transaction is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// A public message.
    Post,
    /// An operation on a name.
    Register,
    /// A commitment to envelopes.
    Anchor,
}

impl Kind {
    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            1 => Some(Self::Post),
            2 => Some(Self::Register),
            3 => Some(Self::Anchor),
            _ => None,
        }
    }

    pub(in crate::ledger) const fn as_byte(self) -> u8 {
        match self {
            Self::Post => 1,
            Self::Register => 2,
            Self::Anchor => 3,
        }
    }
}

/// What a signed transaction says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Payload<'a> {
    /// A public message.
    Post(BoardPost<'a>),
    /// An operation on a name.
    Register(Register),
    /// A commitment to envelopes.
    Anchor(Anchor),
}

/// A public message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BoardPost<'a> {
    /// What it is about, as in Whisper.
    pub topic: Topic,
    /// The message that it answers.
    pub parent: Option<TxId>,
    /// 1 to [`BoardPost::TEXT_MAX`] bytes.
    pub text: &'a str,
}

impl BoardPost<'_> {
    /// The most bytes that a text may have.
    pub const TEXT_MAX: usize = 1_024;
}

/// A commitment to one envelope hash, or to many by the root of their tree.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Anchor {
    /// How many envelopes; at least one.
    pub count: u32,
    /// The hash of the one, or the root over all.
    pub root: [u8; 32],
}

/// A signed transaction: large enough to have all fields, its id computed once. [`Tx::decode`] reads
/// all its fields, a [`Ledger`](crate::ledger::Ledger) judges the rest.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tx {
    bytes: Vec<u8>,
    id: TxId,
}

impl Tx {
    /// The most bytes that a transaction may have.
    pub const MAX: usize = 2_048;
    /// The bytes of the fields before the payload, of the nonce and of the signature.
    pub(in crate::ledger) const MIN: usize = Self::PAYLOAD + Self::NONCE + Self::SIGNATURE;
    pub(in crate::ledger) const PAYLOAD: usize = 39;
    pub(in crate::ledger) const NONCE: usize = 8;
    pub(in crate::ledger) const SIGNATURE: usize = 64;

    /// Reads a transaction of this chain. Work, time and signature are judged elsewhere.
    ///
    /// # Errors
    /// The first rule of its form that it breaks.
    pub fn decode(bytes: &[u8], tag: &ChainTag) -> Result<Self, TxError> {
        let tx = Self::frame(bytes, tag).ok_or(TxError::Size)?;
        tx.check_form()?;
        tx.payload()?;
        Ok(tx)
    }

    /// Takes bytes that are long enough to be a transaction.
    pub(in crate::ledger) fn frame(bytes: &[u8], tag: &ChainTag) -> Option<Self> {
        let body = bytes.get(..bytes.len().checked_sub(Self::SIGNATURE)?)?;
        let id = TxId::new(keccak(&[tag.as_bytes(), body]));
        (bytes.len() >= Self::MIN).then(|| Self { bytes: bytes.to_vec(), id })
    }

    /// Size, format and kind.
    pub(in crate::ledger) fn check_form(&self) -> Result<Kind, TxError> {
        if self.bytes.len() > Self::MAX {
            return Err(TxError::Size);
        }
        match self.bytes.first_chunk::<2>() {
            Some([1, kind]) => Kind::from_byte(*kind).ok_or(TxError::Kind),
            _ => Err(TxError::Format),
        }
    }

    /// What the transaction says.
    ///
    /// # Errors
    /// The first rule of its payload that it breaks.
    pub fn payload(&self) -> Result<Payload<'_>, TxError> {
        let kind = self.kind().ok_or(TxError::Kind)?;
        let end = self.bytes.len().saturating_sub(Self::NONCE + Self::SIGNATURE);
        let bytes = self.bytes.get(Self::PAYLOAD..end).unwrap_or_default();
        match kind {
            Kind::Post => read_post(bytes).map(Payload::Post),
            Kind::Register => read_register(bytes).map(Payload::Register),
            Kind::Anchor => read_anchor(bytes).map(Payload::Anchor),
        }
    }

    /// What the transaction is, if that is known.
    pub fn kind(&self) -> Option<Kind> {
        let [kind] = self.field(1);
        Kind::from_byte(kind)
    }

    /// The second at which it can no longer stand in a block, since the Unix epoch.
    pub fn expiry(&self) -> u32 {
        u32::from_le_bytes(self.field(2))
    }

    /// The key that it says it is signed with, compressed.
    pub fn author(&self) -> [u8; 33] {
        self.field(6)
    }

    /// The signature: r, then s.
    pub fn signature(&self) -> [u8; 64] {
        self.field(self.bytes.len().saturating_sub(Self::SIGNATURE))
    }

    /// The hash that names it.
    pub const fn id(&self) -> TxId {
        self.id
    }

    /// The encoded transaction.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What stands for it in a block's tree: id and signature, so that it is hashed once.
    pub(in crate::ledger) fn entry(&self) -> [u8; 96] {
        let mut entry = [0; 96];
        let (id, signature) = entry.split_at_mut(32);
        id.copy_from_slice(self.id.as_bytes());
        signature.copy_from_slice(&self.signature());
        entry
    }

    /// The field at this offset. No transaction is too short to have it.
    fn field<const N: usize>(&self, at: usize) -> [u8; N] {
        self.bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
    }
}

fn read_post(bytes: &[u8]) -> Result<BoardPost<'_>, TxError> {
    let mut fields = Fields::new(bytes);
    let topic = fields.array().map(Topic::new).ok_or(TxError::PostShort)?;
    let flags = fields.u8().filter(|_| bytes.len() >= 6).ok_or(TxError::PostShort)?;
    let parent = match flags {
        0 => None,
        1 => Some(TxId::new(fields.array().ok_or(TxError::PostEmpty)?)),
        _ => return Err(TxError::PostFlags),
    };
    let text = fields.rest();
    if text.is_empty() {
        return Err(TxError::PostEmpty);
    }
    if text.len() > BoardPost::TEXT_MAX {
        return Err(TxError::PostLong);
    }
    let text = str::from_utf8(text).map_err(|_| TxError::PostUtf8)?;
    Ok(BoardPost { topic, parent, text })
}

fn read_register(bytes: &[u8]) -> Result<Register, TxError> {
    let mut fields = Fields::new(bytes);
    let mut head = || Some((fields.u8()?, fields.u32()?, fields.array()?));
    let (operation, seq, next) =
        head().filter(|_| bytes.len() >= 40).ok_or(TxError::RegisterSize)?;
    Ok(Register {
        operation: Operation::from_byte(operation).ok_or(TxError::RegisterOp)?,
        seq,
        next: NextKey::new(next),
        name: Name::from_bytes(fields.rest()).map_err(|_| TxError::RegisterName)?,
    })
}

fn read_anchor(bytes: &[u8]) -> Result<Anchor, TxError> {
    let mut fields = Fields::new(bytes);
    let mut both = || Some((fields.u32()?, fields.array()?));
    let (count, root) = both().filter(|_| bytes.len() == 36).ok_or(TxError::AnchorSize)?;
    if count == 0 { Err(TxError::AnchorCount) } else { Ok(Anchor { count, root }) }
}

/// Why a transaction is not valid.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TxError {
    /// Under 111 or over 2,048 bytes.
    #[error("a transaction has 111 to 2,048 bytes")]
    Size,
    /// The format is not 1.
    #[error("the format is not known")]
    Format,
    /// The kind is not 1, 2 or 3.
    #[error("the kind is not known")]
    Kind,
    /// The id does not show enough work.
    #[error("the id does not show enough work")]
    Work,
    /// Too late, or more than two hours early.
    #[error("the expiry does not lie within two hours after the block")]
    Expiry,
    /// The transaction stands in this block or an earlier one already.
    #[error("the transaction is in the chain already")]
    Duplicate,
    /// The author is no key.
    #[error("the author is no key")]
    Author,
    /// r or s out of range, or s in the upper half.
    #[error("the signature is out of range")]
    SignatureRange,
    /// The author did not sign this.
    #[error("the author did not sign this")]
    Signature,
    /// A Post without room for its fields.
    #[error("the post is too short")]
    PostShort,
    /// Flags other than 0 and 1.
    #[error("the flags of the post are not known")]
    PostFlags,
    /// A Post without text.
    #[error("the post has no text")]
    PostEmpty,
    /// More text than there may be.
    #[error("the text has more than 1,024 bytes")]
    PostLong,
    /// The text is not UTF-8.
    #[error("the text is not UTF-8")]
    PostUtf8,
    /// An Anchor's payload has 36 bytes.
    #[error("the payload of an anchor has 36 bytes")]
    AnchorSize,
    /// An Anchor of nothing.
    #[error("the anchor commits to nothing")]
    AnchorCount,
    /// A Register without room for its fields.
    #[error("the operation is too short")]
    RegisterSize,
    /// An operation other than 0, 1 and 2.
    #[error("the operation is not known")]
    RegisterOp,
    /// The name is not one.
    #[error("the name is not one")]
    RegisterName,
    /// The directory refuses it.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

impl TxError {
    /// The rule that was broken, by its name in the specification.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Size => "tx-size",
            Self::Format => "tx-format",
            Self::Kind => "tx-kind",
            Self::Work => "tx-work",
            Self::Expiry => "tx-expiry",
            Self::Duplicate => "tx-duplicate",
            Self::Author => "tx-author",
            Self::SignatureRange => "tx-low-s",
            Self::Signature => "tx-signature",
            Self::PostShort => "post-short",
            Self::PostFlags => "post-flags",
            Self::PostEmpty => "post-empty",
            Self::PostLong => "post-long",
            Self::PostUtf8 => "post-utf8",
            Self::AnchorSize => "anchor-size",
            Self::AnchorCount => "anchor-count",
            Self::RegisterSize => "register-size",
            Self::RegisterOp => "register-op",
            Self::RegisterName => "register-handle",
            Self::Register(error) => error.rule(),
        }
    }
}

#[cfg(test)]
mod tests;
