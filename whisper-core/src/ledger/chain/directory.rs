//! The directory: which key answers to a name. First come, first served, and the next key is
//! committed to before it is needed.

use alloc::vec::Vec;

use crate::identity::InvalidKey;
use crate::identity::PublicKey;
use crate::ledger::block::name::Name;
use crate::ledger::block::register::NextKey;
use crate::ledger::block::register::Operation;
use crate::ledger::block::register::Register;
use crate::ledger::block::register::RegisterError;
use crate::ledger::hash::keccak;
use crate::ledger::read::Fields;
use crate::ledger::tree::smt::Smt;
use crate::ledger::tree::smt::SmtProof;

/// What the directory says of a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NameRecord {
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
    /// The name.
    pub name: Name,
}

impl NameRecord {
    /// The key to encrypt to and to check signatures with: the owner's Whisper identity.
    ///
    /// # Errors
    /// [`InvalidKey`] if no valid chain can hold this record.
    pub fn public_key(&self) -> Result<PublicKey, InvalidKey> {
        PublicKey::from_compressed(&self.owner)
    }

    /// Writes the record as the directory commits to it.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(78 + Name::MAX);
        bytes.push(if self.active { 1 } else { 2 });
        bytes.extend(self.seq.to_le_bytes());
        bytes.extend(self.owner);
        bytes.extend(self.next.as_bytes());
        bytes.extend(self.claimed.to_le_bytes());
        bytes.extend(self.changed.to_le_bytes());
        bytes.extend(self.name.as_bytes());
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
            next: NextKey::new(fields.array()?),
            claimed: fields.u32()?,
            changed: fields.u32()?,
            name: Name::from_bytes(fields.rest()).ok()?,
        })
    }

    /// What a proof commits to.
    pub fn hash(&self) -> [u8; 32] {
        keccak(&[&self.encode()])
    }
}

/// All records at one block, under one root. A copy costs nothing.
#[derive(Clone, Debug, Default)]
pub struct Directory(Smt<NameRecord>);

impl Directory {
    /// A directory without records.
    pub const fn new() -> Self {
        Self(Smt::new())
    }

    /// What an operation of `author` in the block at `height` would make of the name's record.
    ///
    /// # Errors
    /// The first rule that the operation breaks.
    pub fn judge(
        &self,
        register: &Register,
        author: &[u8; 33],
        height: u32,
    ) -> Result<NameRecord, RegisterError> {
        let Register { operation, seq, next, name } = *register;
        let known = self.get(&name);
        if operation == Operation::Claim {
            return match known {
                Some(_) => Err(RegisterError::Taken),
                None if seq != 0 => Err(RegisterError::Seq),
                None => Ok(NameRecord {
                    active: true,
                    seq,
                    owner: *author,
                    next,
                    claimed: height,
                    changed: height,
                    name,
                }),
            };
        }
        let known = known.ok_or(RegisterError::Unknown)?;
        if known.seq.checked_add(1) != Some(seq) {
            return Err(RegisterError::Seq);
        }
        let is_next = known.next.is_for(author);
        let changed = NameRecord { seq, changed: height, ..*known };
        if operation == Operation::Rotate {
            return if is_next {
                Ok(NameRecord { active: true, owner: *author, next, ..changed })
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
            Ok(NameRecord { active: false, ..changed })
        }
    }

    /// Sets a record.
    pub(super) fn set(&mut self, record: NameRecord) {
        self.0.insert(record.name.key(), record.hash(), record);
    }

    /// Removes a record: only to take back a block.
    pub(super) fn remove(&mut self, name: &Name) {
        self.0.remove(&name.key());
    }

    /// The record of a name.
    pub fn get(&self, name: &Name) -> Option<&NameRecord> {
        self.0.get(&name.key())
    }

    /// Proves what stands under a name, or that nothing does.
    pub fn prove(&self, name: &Name) -> SmtProof {
        self.0.prove(&name.key())
    }

    /// The hash that a block's Seal holds.
    pub fn root(&self) -> [u8; 32] {
        self.0.root()
    }

    /// How many names there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has claimed a name.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The records, in the order of their keys in the tree.
    pub fn records(&self) -> impl Iterator<Item = &NameRecord> {
        self.0.values()
    }
}

impl FromIterator<NameRecord> for Directory {
    fn from_iter<I: IntoIterator<Item = NameRecord>>(records: I) -> Self {
        let mut directory = Self::new();
        records.into_iter().for_each(|record| directory.set(record));
        directory
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
        Register { operation, seq, next, name: "alice".parse().unwrap() }
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
        assert_eq!(NameRecord::decode(&bytes), Some(record));
        let mut status = bytes.clone();
        status[0] = 0;
        let mut name = bytes.clone();
        name.push(b'-');
        assert_eq!((NameRecord::decode(&status), NameRecord::decode(&name)), (None, None));
        assert_eq!(NameRecord::decode(&bytes[..70]), None);
    }
}
