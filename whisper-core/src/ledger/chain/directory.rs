//! The directory: which key answers to a handle. First come, first served, and the next key is
//! committed to before it is needed.

use alloc::vec::Vec;

use crate::identity::InvalidKey;
use crate::identity::PublicKey;
use crate::ledger::block::handle::Handle;
use crate::ledger::hash::TAG_NEXT;
use crate::ledger::hash::keccak;
use crate::ledger::read::Fields;
use crate::ledger::tree::smt::Smt;
use crate::ledger::tree::smt::SmtProof;

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

    pub(super) fn commit_compressed(key: &[u8; 33]) -> Self {
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
    fn is_for(&self, key: &[u8; 33]) -> bool {
        *self != Self::NONE && *self == Self::commit_compressed(key)
    }
}

/// What an operation does to a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operation {
    /// Takes a handle that nobody has.
    Claim,
    /// Installs the key that was committed to, also on a revoked handle.
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

/// An operation on one handle, as a Register transaction carries it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Register {
    /// What to do.
    pub operation: Operation,
    /// 0 for a claim, else one more than the record's.
    pub seq: u32,
    /// The key after this one; [`NextKey::NONE`] in a revocation.
    pub next: NextKey,
    /// On which handle.
    pub handle: Handle,
}

/// What the directory says of a handle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    /// Whether the owner's key is to be used.
    pub active: bool,
    /// How many operations there were after the claim.
    pub seq: u32,
    /// The owner's key, compressed.
    pub owner: [u8; 33],
    /// The key after it.
    pub next: NextKey,
    /// Height of the claim.
    pub claimed: u32,
    /// Height of the last operation.
    pub changed: u32,
    /// The handle.
    pub handle: Handle,
}

impl Record {
    /// The key to encrypt to and to check signatures with: the owner's Whisper identity.
    ///
    /// # Errors
    /// [`InvalidKey`] if no valid chain can hold this record.
    pub fn public_key(&self) -> Result<PublicKey, InvalidKey> {
        PublicKey::from_compressed(&self.owner)
    }

    /// Writes the record as the directory commits to it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(78 + Handle::MAX);
        bytes.push(if self.active { 1 } else { 2 });
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(self.owner);
        bytes.extend(self.next.0);
        bytes.extend(self.claimed.to_le_bytes());
        bytes.extend(self.changed.to_le_bytes());
        bytes.extend(self.handle.as_bytes());
        bytes
    }

    /// Reads a record; nothing if the bytes are not the one encoding of one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        Some(Self {
            active: match fields.u8()? {
                1 => true,
                2 => false,
                _ => return None,
            },
            seq: fields.u32()?,
            owner: fields.array()?,
            next: NextKey(fields.array()?),
            claimed: fields.u32()?,
            changed: fields.u32()?,
            handle: Handle::from_bytes(fields.rest()).ok()?,
        })
    }

    /// What a proof commits to.
    pub fn hash(&self) -> [u8; 32] {
        keccak(&[&self.encode()])
    }
}

/// All records at one block, under one root. A copy costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Directory(Smt<Record>);

impl Directory {
    /// A directory without records.
    pub const fn new() -> Self {
        Self(Smt::new())
    }

    /// What an operation of `author` in the block at `height` would make of the handle's record.
    ///
    /// # Errors
    /// The first rule that the operation breaks.
    pub fn judge(
        &self,
        register: &Register,
        author: &[u8; 33],
        height: u32,
    ) -> Result<Record, RegisterError> {
        let Register { operation, seq, next, handle } = *register;
        let known = self.get(&handle);
        if operation == Operation::Claim {
            return match known {
                Some(_) => Err(RegisterError::Taken),
                None if seq != 0 => Err(RegisterError::Seq),
                None => Ok(Record {
                    active: true,
                    seq,
                    owner: *author,
                    next,
                    claimed: height,
                    changed: height,
                    handle,
                }),
            };
        }
        let known = known.ok_or(RegisterError::Unknown)?;
        if known.seq.checked_add(1) != Some(seq) {
            return Err(RegisterError::Seq);
        }
        let is_next = known.next.is_for(author);
        let changed = Record { seq, changed: height, ..*known };
        if operation == Operation::Rotate {
            return if is_next {
                Ok(Record { active: true, owner: *author, next, ..changed })
            } else {
                Err(RegisterError::Author)
            };
        }
        if !is_next && known.owner != *author {
            Err(RegisterError::Author)
        } else if !known.active {
            Err(RegisterError::Revoked)
        } else if next != NextKey::NONE {
            Err(RegisterError::Next)
        } else {
            Ok(Record { active: false, ..changed })
        }
    }

    /// Sets a record.
    pub(super) fn set(&mut self, record: Record) {
        self.0.insert(record.handle.key(), record.hash(), record);
    }

    /// Removes a record: only to take back a block.
    pub(super) fn remove(&mut self, handle: &Handle) {
        self.0.remove(&handle.key());
    }

    /// The record of a handle.
    pub fn get(&self, handle: &Handle) -> Option<&Record> {
        self.0.get(&handle.key())
    }

    /// Proves what stands under a handle, or that nothing does.
    pub fn prove(&self, handle: &Handle) -> SmtProof {
        self.0.prove(&handle.key())
    }

    /// The hash that a block's Seal holds.
    pub fn root(&self) -> [u8; 32] {
        self.0.root()
    }

    /// How many handles there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has claimed a handle.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The records, in the order of their keys in the tree.
    pub fn records(&self) -> impl Iterator<Item = &Record> {
        self.0.values()
    }
}

impl FromIterator<Record> for Directory {
    fn from_iter<I: IntoIterator<Item = Record>>(records: I) -> Self {
        let mut directory = Self::new();
        records.into_iter().for_each(|record| directory.set(record));
        directory
    }
}

/// Why the directory refuses an operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RegisterError {
    /// A claim of a handle that somebody has.
    #[error("the handle is taken")]
    Taken,
    /// A rotation or revocation of a handle that nobody has.
    #[error("nobody has the handle")]
    Unknown,
    /// The sequence number does not follow.
    #[error("the sequence number does not follow")]
    Seq,
    /// The author may not do this.
    #[error("the author may not do this to the handle")]
    Author,
    /// The handle is revoked already.
    #[error("the handle is revoked already")]
    Revoked,
    /// A revocation that names a next key.
    #[error("a revocation names no next key")]
    Next,
    /// The block holds another operation on the handle.
    #[error("the block holds another operation on the handle")]
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

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &[u8]) -> [u8; 33] {
        let mut key = [2; 33];
        key[1..].copy_from_slice(&keccak(&[name]));
        key
    }

    fn operation(operation: Operation, seq: u32, next: NextKey) -> Register {
        Register { operation, seq, next, handle: "alice".parse().unwrap() }
    }

    fn claimed(next: NextKey) -> Directory {
        let mut directory = Directory::new();
        let claim = operation(Operation::Claim, 0, next);
        directory.set(directory.judge(&claim, &key(b"one"), 5).unwrap());
        directory
    }

    #[test]
    fn a_rotation_needs_the_key_that_was_committed_to() {
        let next = NextKey::commit_compressed(&key(b"two"));
        let directory = claimed(next);
        let rotate = operation(Operation::Rotate, 1, NextKey::NONE);
        let by = |author| directory.judge(&rotate, &author, 9);
        assert_eq!(by(key(b"one")), Err(RegisterError::Author));
        let record = by(key(b"two")).unwrap();
        assert_eq!((record.owner, record.claimed, record.changed), (key(b"two"), 5, 9));
    }

    #[test]
    fn a_stolen_key_can_revoke_but_a_revocation_is_not_the_end() {
        let mut directory = claimed(NextKey::commit_compressed(&key(b"two")));
        let revoke = operation(Operation::Revoke, 1, NextKey::NONE);
        assert_eq!(directory.judge(&revoke, &key(b"x"), 6), Err(RegisterError::Author));
        let with_next = Register { next: NextKey::new([1; 32]), ..revoke };
        assert_eq!(directory.judge(&with_next, &key(b"one"), 6), Err(RegisterError::Next));
        directory.set(directory.judge(&revoke, &key(b"one"), 6).unwrap());
        let again = Register { seq: 2, ..revoke };
        assert_eq!(directory.judge(&again, &key(b"one"), 7), Err(RegisterError::Revoked));
        let rotate = operation(Operation::Rotate, 2, NextKey::NONE);
        assert!(directory.judge(&rotate, &key(b"two"), 7).unwrap().active);
    }

    #[test]
    fn without_a_next_key_there_is_no_rotation() {
        let rotate = operation(Operation::Rotate, 1, NextKey::NONE);
        let refused = claimed(NextKey::NONE).judge(&rotate, &key(b"one"), 6);
        assert_eq!(refused, Err(RegisterError::Author));
    }

    #[test]
    fn a_sequence_number_never_wraps() {
        let mut directory = claimed(NextKey::NONE);
        let mut record = *directory.get(&"alice".parse().unwrap()).unwrap();
        record.seq = u32::MAX;
        directory.set(record);
        let revoke = operation(Operation::Revoke, 0, NextKey::NONE);
        assert_eq!(directory.judge(&revoke, &key(b"one"), 6), Err(RegisterError::Seq));
    }

    #[test]
    fn a_record_has_one_encoding() {
        let record = *claimed(NextKey::NONE).get(&"alice".parse().unwrap()).unwrap();
        let bytes = record.encode();
        assert_eq!(Record::decode(&bytes), Some(record));
        let mut status = bytes.clone();
        status[0] = 0;
        let mut handle = bytes.clone();
        handle.push(b'-');
        assert_eq!((Record::decode(&status), Record::decode(&handle)), (None, None));
        assert_eq!(Record::decode(&bytes[..70]), None);
    }
}
