//! The header of a block: 80 bytes, six fields.

use crate::ledger::hash::BlockId;
use crate::ledger::hash::PowHash;
use crate::ledger::pow::Bits;
use crate::ledger::read::Fields;
use crate::time::Timestamp;

/// The header of a block: 80 bytes in Bitcoin's layout.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Header {
    /// Which set of rules the block follows.
    pub version: u32,
    /// The block before; [`BlockId::NONE`] at genesis.
    pub parent: BlockId,
    /// The root of the tree over the block's transactions.
    pub tx_root: [u8; 32],
    /// Seconds since the Unix epoch.
    pub time: u32,
    /// The target, in compact form.
    pub bits: Bits,
    /// What was counted up until the id met the target.
    pub nonce: u32,
}

impl Header {
    /// Bytes of an encoded header.
    pub const LEN: usize = 80;

    /// Reads a header. Every 80 bytes are one: whether it is valid, the chain tells.
    pub fn decode(bytes: &[u8; Self::LEN]) -> Self {
        Self::read(&mut Fields::new(bytes)).unwrap_or(Self::EMPTY)
    }

    pub(in crate::ledger) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            version: fields.u32()?,
            parent: BlockId::new(fields.array()?),
            tx_root: fields.array()?,
            time: fields.u32()?,
            bits: Bits::new(fields.u32()?),
            nonce: fields.u32()?,
        })
    }

    /// Writes the header.
    pub fn encode(&self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let fields: [&[u8]; 6] = [
            &self.version.to_le_bytes(),
            self.parent.as_bytes(),
            &self.tx_root,
            &self.time.to_le_bytes(),
            &self.bits.as_u32().to_le_bytes(),
            &self.nonce.to_le_bytes(),
        ];
        let mut rest = bytes.as_mut_slice();
        for field in fields {
            let Some((own, after)) = rest.split_at_mut_checked(field.len()) else { break };
            own.copy_from_slice(field);
            rest = after;
        }
        bytes
    }

    /// The block's name: the hash of the header.
    pub fn id<P: PowHash>(&self) -> BlockId {
        BlockId::new(P::digest(&self.encode()))
    }

    /// When the block says it was made.
    pub const fn timestamp(&self) -> Timestamp {
        Timestamp::from_secs(self.time as u64)
    }

    const EMPTY: Self = Self {
        version: 0,
        parent: BlockId::NONE,
        tx_root: [0; 32],
        time: 0,
        bits: Bits::new(0),
        nonce: 0,
    };
}

/// Why a header is not taken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HeaderError {
    /// The rules do not know the version.
    #[error("the version is {0}")]
    Version(u32),
    /// The parent is not known: ask for the headers between.
    #[error("the parent is not known")]
    Orphan,
    /// The bits are not those that follow from the headers before.
    #[error("the bits are not {expected}")]
    Bits {
        /// The bits that follow.
        expected: Bits,
    },
    /// The id lies above the target.
    #[error("the id lies above the target")]
    Pow,
    /// The time is not after the median of the eleven headers before.
    #[error("the time is not after the median, {median}")]
    TimeOld {
        /// The median, in seconds since the Unix epoch.
        median: u32,
    },
    /// The time lies too far ahead of ours: the header may become valid.
    #[error("the time lies too far ahead")]
    TooNew {
        /// When to try again.
        until: Timestamp,
    },
    /// The block, or one before it, was found invalid.
    #[error("the block descends from an invalid one")]
    Refused,
    /// Another block is known to stand at this height.
    #[error("another block stands at this height")]
    Checkpoint,
    /// The branch leaves the chain so deep, or is so long and light, that it is not stored unless a
    /// [`Scan`](crate::ledger::Scan) has shown that it has more work.
    #[error("the branch has not shown that it has more work")]
    Deep,
    /// The rule needs a header from before the anchor.
    #[error("the bits follow from headers before the anchor")]
    BeforeAnchor,
}

impl HeaderError {
    /// The rule that was broken, by its name in the specification.
    pub const fn rule(&self) -> &'static str {
        match self {
            Self::Version(_) => "header-version",
            Self::Orphan => "header-parent",
            Self::Bits { .. } => "header-bits",
            Self::Pow => "header-pow",
            Self::TimeOld { .. } => "header-time-old",
            Self::TooNew { .. } => "header-time-new",
            Self::Refused => "header-refused",
            Self::Checkpoint => "header-checkpoint",
            Self::Deep => "header-deep",
            Self::BeforeAnchor => "header-anchor",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn eighty_bytes_are_a_header_and_back(bytes: [[u8; 40]; 2]) {
            let bytes: [u8; 80] = bytes.concat().try_into().unwrap();
            prop_assert_eq!(Header::decode(&bytes).encode(), bytes);
        }
    }
}
