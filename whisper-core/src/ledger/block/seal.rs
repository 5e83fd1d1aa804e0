//! The Seal: each block's first transaction, which says where it stands and what it commits to.

use alloc::vec::Vec;

use crate::ledger::read::Fields;

/// The first transaction of a block, unsigned: its height, how many transactions it has, and the
/// root of the directory after it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seal {
    /// The block's height.
    pub height: u32,
    /// Transactions in the block, this one included.
    pub tx_count: u32,
    /// The root of the directory after the block.
    pub directory_root: [u8; 32],
    /// At most [`Seal::EXTRA_MAX`] bytes of the miner's: a tag, and a counter that goes on where
    /// the nonce ends.
    pub extra: Vec<u8>,
}

impl Seal {
    /// The most bytes that `extra` may have.
    pub const EXTRA_MAX: usize = 32;
    /// The fewest and the most bytes of an encoded Seal; never the 96 of another transaction's leaf.
    pub(in crate::ledger) const LEN: core::ops::RangeInclusive<usize> = 42..=74;

    /// Writes the Seal. What `extra` has beyond its limit is left out.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(*Self::LEN.end());
        bytes.extend([1, 0]);
        bytes.extend(self.height.to_le_bytes());
        bytes.extend(self.tx_count.to_le_bytes());
        bytes.extend(self.directory_root);
        bytes.extend(self.extra.iter().take(Self::EXTRA_MAX));
        bytes
    }

    /// Reads a Seal; nothing if the bytes are not one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::new(bytes);
        if !Self::LEN.contains(&bytes.len()) || fields.array()? != [1, 0] {
            return None;
        }
        Some(Self {
            height: fields.u32()?,
            tx_count: fields.u32()?,
            directory_root: fields.array()?,
            extra: fields.rest().to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_has_one_encoding() {
        let seal = |extra| Seal { height: 1, tx_count: 2, directory_root: [3; 32], extra };
        for extra in [0, 1, 32].map(|len| alloc::vec![7; len]) {
            let seal = seal(extra);
            assert_eq!(Seal::decode(&seal.encode()), Some(seal));
        }
        let bytes = seal(alloc::vec![7; 32]).encode();
        assert_eq!(Seal::decode(&[bytes.as_slice(), &[7]].concat()), None);
        assert_eq!(Seal::decode(&bytes[..41]), None);
        assert_eq!(Seal::decode(&[&[2][..], &bytes[1..]].concat()), None);
    }
}
