//! What is hashed how: ids of blocks and transactions, the hash of a header, the hash of trees.

use core::fmt;

use crate::hash::Keccak as Running;
use crate::hash::keccak256;

/// The hash that a header is mined and named with.
///
/// A parameter of [`HeaderChain`](super::HeaderChain), so that tests run the very same rules over
/// Bitcoin's headers.
pub trait PowHash {
    /// The hash of an encoded header, read as a little-endian number when it is held against a
    /// target.
    fn digest(header: &[u8; 80]) -> [u8; 32];
}

/// The hash of leaves and nodes in a Merkle tree.
pub trait TreeHash {
    /// The hash of `parts`, one after the other.
    fn hash(parts: &[&[u8]]) -> [u8; 32];
}

/// Keccak-256 with its original padding: the hash of our own ledgers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Keccak256;

impl PowHash for Keccak256 {
    fn digest(header: &[u8; 80]) -> [u8; 32] {
        keccak256(header)
    }
}

impl TreeHash for Keccak256 {
    fn hash(parts: &[&[u8]]) -> [u8; 32] {
        let mut hash = Running::new();
        for part in parts {
            hash.update(part);
        }
        hash.finish()
    }
}

/// The Keccak-256 hash of `parts`, one after the other.
pub(super) fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    <Keccak256 as TreeHash>::hash(parts)
}

/// Names a block: the hash of its header. Prints byte-reversed, as is the custom, so that the
/// zeros of its work stand in front.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BlockId([u8; 32]);

impl BlockId {
    /// What genesis, which has no parent, holds in its place.
    pub const NONE: Self = Self([0; 32]);

    /// The id of these bytes, in the order of the wire.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, in the order of the wire.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockId({self})")
    }
}

/// Names a signed transaction on one chain: at once its id, its work and what its author signs.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TxId([u8; 32]);

impl TxId {
    /// The id of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TxId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxId({self})")
    }
}

/// What the id of every transaction of a chain begins with, so that none is valid on two chains.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ChainTag([u8; 32]);

impl ChainTag {
    /// The tag of the chain that begins with this block.
    pub fn of(genesis: &BlockId) -> Self {
        Self(keccak(&[&TAG_TX, genesis.as_bytes()]))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// `H("whisper-core/ledger/v1/tx")`.
const TAG_TX: [u8; 32] = [
    0xc4, 0xcc, 0x1e, 0x7e, 0x94, 0x4e, 0x44, 0xda, 0x31, 0xcf, 0xfe, 0xde, 0xb2, 0xb2, 0xf5, 0xf6,
    0x28, 0x86, 0x39, 0xe2, 0x41, 0x92, 0xc9, 0x3f, 0xbc, 0x79, 0x1f, 0x78, 0x2b, 0xe5, 0x1a, 0x32,
];

/// `H("whisper-core/ledger/v1/handle")`.
pub(super) const TAG_NAME: [u8; 32] = [
    0xed, 0x3a, 0xc8, 0x25, 0x1b, 0x90, 0xd6, 0x40, 0x82, 0x93, 0x1b, 0x8e, 0xac, 0x26, 0x03, 0x2b,
    0xcc, 0x4b, 0x2e, 0x1a, 0xa9, 0xd9, 0x9d, 0xb6, 0x82, 0x37, 0x35, 0xcf, 0xb2, 0x51, 0x43, 0x20,
];

/// `H("whisper-core/ledger/v1/next")`.
pub(super) const TAG_NEXT: [u8; 32] = [
    0x83, 0x18, 0x20, 0x82, 0x91, 0xfd, 0x57, 0xcd, 0xc8, 0x00, 0xf8, 0xdd, 0xf2, 0xb1, 0x32, 0x78,
    0xd3, 0x11, 0x62, 0x86, 0xb7, 0xa7, 0x1b, 0xfd, 0xf1, 0x2f, 0xff, 0xf2, 0x88, 0x67, 0x3e, 0x2f,
];

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn tags_are_the_hashes_of_their_names() {
        for (name, tag) in [("tx", TAG_TX), ("handle", TAG_NAME), ("next", TAG_NEXT)] {
            assert_eq!(keccak(&[b"whisper-core/ledger/v1/", name.as_bytes()]), tag, "{name}");
        }
    }

    #[test]
    fn a_block_id_prints_reversed_and_a_transaction_id_as_it_is() {
        let mut bytes = [0; 32];
        bytes[0] = 0xab;
        assert!(BlockId::new(bytes).to_string().ends_with("00ab"));
        assert!(TxId::new(bytes).to_string().starts_with("ab00"));
    }
}
