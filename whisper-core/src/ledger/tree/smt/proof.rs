//! The proof of one key: the hashes beside its way, and where the way ends.

use alloc::vec;
use alloc::vec::Vec;

use super::EMPTY;
use super::bit;
use super::leaf_hash;
use crate::ledger::hash::Keccak256;
use crate::ledger::read::Fields;
use crate::ledger::tree::merkle;

/// Proves what stands under a key of a tree, or that nothing does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SmtProof {
    /// The hashes beside the way, from the root downwards.
    pub(super) siblings: Vec<[u8; 32]>,
    pub(super) end: End,
}

/// Where the way to a key ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// In an empty subtree.
    Empty,
    /// At the key.
    Present,
    /// At another key, which shares all bits so far.
    Other { key: [u8; 32], value_hash: [u8; 32] },
}

/// The end of a way to `key` that leads to this leaf, or to none.
pub(in crate::ledger) fn end_of(key: &[u8; 32], leaf: Option<([u8; 32], [u8; 32])>) -> End {
    match leaf {
        None => End::Empty,
        Some((own, _)) if own == *key => End::Present,
        Some((key, value_hash)) => End::Other { key, value_hash },
    }
}

impl SmtProof {
    /// Whether a tree with this root holds `value_hash` under `key`; with `None`, whether it holds
    /// nothing there.
    pub fn verify(&self, root: &[u8; 32], key: &[u8; 32], value_hash: Option<&[u8; 32]>) -> bool {
        let mut hash = match (self.end, value_hash) {
            (End::Present, Some(value_hash)) => leaf_hash(key, value_hash),
            (End::Empty, None) => EMPTY,
            (End::Other { key: other, value_hash }, None) if self.shares_way(key, &other) => {
                leaf_hash(&other, &value_hash)
            }
            _ => return false,
        };
        for (depth, sibling) in self.siblings.iter().enumerate().rev() {
            hash = if bit(key, depth) {
                merkle::node::<Keccak256>(sibling, &hash)
            } else {
                merkle::node::<Keccak256>(&hash, sibling)
            };
        }
        hash == *root
    }

    /// Whether `other` is another key that lies on the same way.
    fn shares_way(&self, key: &[u8; 32], other: &[u8; 32]) -> bool {
        let depth = self.siblings.len();
        other != key && (0..depth).all(|depth| bit(key, depth) == bit(other, depth))
    }

    /// Writes the proof: depth, a bitmap of the siblings that are not empty, those, the end.
    pub fn encode(&self) -> Vec<u8> {
        let depth = self.siblings.len();
        let mut bitmap = vec![0u8; depth.div_ceil(8)];
        for (at, sibling) in self.siblings.iter().enumerate() {
            if let Some(byte) = bitmap.get_mut(at / 8).filter(|_| *sibling != EMPTY) {
                *byte |= 0x80 >> (at % 8);
            }
        }
        let mut bytes = Vec::new();
        bytes.extend(u16::try_from(depth).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend(bitmap);
        bytes.extend(self.siblings.iter().filter(|sibling| **sibling != EMPTY).flatten());
        match &self.end {
            End::Empty => bytes.push(0),
            End::Present => bytes.push(1),
            End::Other { key, value_hash } => {
                bytes.push(2);
                bytes.extend(key);
                bytes.extend(value_hash);
            }
        }
        bytes
    }

    /// Reads a proof; nothing if the bytes are not the one encoding of one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        let depth = usize::from(fields.u16()?);
        if depth > 256 {
            return None;
        }
        let bitmap = fields.bytes(depth.div_ceil(8))?;
        let is_set =
            |at: usize| bitmap.get(at / 8).is_some_and(|byte| byte << (at % 8) & 0x80 != 0);
        if (depth..bitmap.len().saturating_mul(8)).any(is_set) {
            return None;
        }
        let mut siblings = Vec::with_capacity(depth);
        for at in 0..depth {
            let sibling = if is_set(at) {
                fields.array().filter(|sibling| *sibling != EMPTY)?
            } else {
                EMPTY
            };
            siblings.push(sibling);
        }
        let end = match fields.u8()? {
            // Where both halves were empty, the tree would have ended above.
            0 if siblings.last() == Some(&EMPTY) => return None,
            0 => End::Empty,
            1 => End::Present,
            2 => End::Other { key: fields.array()?, value_hash: fields.array()? },
            _ => return None,
        };
        fields.is_empty().then_some(Self { siblings, end })
    }
}
