//! Operations on the directory, as transactions carry them.

use super::name::Name;
use crate::identity::PublicKey;
use crate::ledger::hash::TAG_NEXT;
use crate::ledger::hash::keccak;

/// What a record or an operation says about the key after the owner's: a hash of it, or that there
/// will be none.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NextKey([u8; 32]);

impl NextKey {
    /// No rotation ever.
    pub const NONE: Self = Self([0; 32]);

    /// The commitment to `key`.
    pub fn commit(key: &PublicKey) -> Self {
        Self::commit_compressed(&key.to_compressed())
    }

    pub(in crate::ledger) fn commit_compressed(key: &[u8; 33]) -> Self {
        Self(keccak(&[&TAG_NEXT, key]))
    }

    /// The commitment of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether it was `key` that was committed to.
    pub(in crate::ledger) fn is_for(&self, key: &[u8; 33]) -> bool {
        *self != Self::NONE && *self == Self::commit_compressed(key)
    }
}

/// What an operation does to a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Takes a name that nobody has.
    Claim,
    /// Installs the key that was committed to, also on a revoked name.
    Rotate,
    /// Says that the key is not to be used any more.
    Revoke,
}

impl Operation {
    pub(in crate::ledger) const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Claim),
            1 => Some(Self::Rotate),
            2 => Some(Self::Revoke),
            _ => None,
        }
    }

    pub(in crate::ledger) const fn as_byte(self) -> u8 {
        match self {
            Self::Claim => 0,
            Self::Rotate => 1,
            Self::Revoke => 2,
        }
    }
}

/// An operation on one name, as a Register transaction carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Register {
    /// What to do.
    pub operation: Operation,
    /// 0 for a claim, else one more than the record's.
    pub seq: u32,
    /// The key after this one; [`NextKey::NONE`] in a revocation.
    pub next: NextKey,
    /// On which name.
    pub name: Name,
}

/// Why the directory refuses an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A claim of a name that somebody has.
    #[error("the name is taken")]
    Taken,
    /// A rotation or revocation of a name that nobody has.
    #[error("nobody has the name")]
    Unknown,
    /// The sequence number does not follow.
    #[error("the sequence number does not follow")]
    Seq,
    /// The author may not do this.
    #[error("the author may not do this to the name")]
    Author,
    /// The name is revoked already.
    #[error("the name is revoked already")]
    Revoked,
    /// A revocation that names a next key.
    #[error("a revocation names no next key")]
    Next,
    /// The block holds another operation on the name.
    #[error("the block holds another operation on the name")]
    Twice,
    /// The block holds too many operations.
    #[error("the block holds more than 64 operations")]
    Cap,
}

impl RegisterError {
    /// The rule that was broken, by its name in the specification.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Taken => "register-taken",
            Self::Unknown => "register-unknown",
            Self::Seq => "register-seq",
            Self::Author => "register-author",
            Self::Revoked => "register-revoked",
            Self::Next => "register-next",
            Self::Twice => "register-twice",
            Self::Cap => "register-cap",
        }
    }
}
