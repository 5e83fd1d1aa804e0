//! Signatures as work to be handed out: nearly all the time that a block takes.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::tx::Tx;
use super::tx::TxError;
use crate::crypto::curve;
use crate::identity::PublicKey;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::tree::merkle;

/// One signature to check. It needs nothing but itself: hand each to any thread.
#[derive(Clone, Debug)]
pub struct SigCheck {
    id: TxId,
    author: [u8; 33],
    signature: [u8; 64],
    leaf: [u8; 32],
}

/// The token that a signature is good. Only checking it makes one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verified([u8; 32]);

impl SigCheck {
    /// `leaf` is the hash of id and signature: what the transaction's block commits to.
    pub(in crate::ledger) const fn new_parts(
        id: TxId,
        author: [u8; 33],
        signature: [u8; 64],
        leaf: [u8; 32],
    ) -> Self {
        Self { id, author, signature, leaf }
    }

    pub(in crate::ledger) fn new(tx: &Tx, leaf: [u8; 32]) -> Self {
        Self::new_parts(tx.id(), tx.author(), tx.signature(), leaf)
    }

    /// The check of a transaction that is in no block.
    pub fn of(tx: &Tx) -> Self {
        Self::new(tx, merkle::leaf::<Keccak256>(&tx.entry()))
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// [`TxError::Author`], [`TxError::SignatureRange`] or [`TxError::Signature`].
    pub fn verify(&self) -> Result<Verified, TxError> {
        if !matches!(self.author.first(), Some(2 | 3)) {
            return Err(TxError::Author);
        }
        if !is_in_range(&self.signature) {
            return Err(TxError::SignatureRange);
        }
        let key = PublicKey::from_compressed(&self.author).map_err(|_| TxError::Author)?;
        curve::verify(&key, self.id.as_bytes(), &self.signature).map_err(|_| TxError::Signature)?;
        Ok(Verified(self.leaf))
    }
}

/// Checks signatures one after the other and gives the tokens of those that are good. Give each
/// thread a part of the list; the ledger itself tells which one was bad.
pub fn verify_all(checks: &[SigCheck]) -> Vec<Verified> {
    checks.iter().filter_map(|check| check.verify().ok()).collect()
}

/// Whether 0 < r < n and 0 < s ≤ n / 2, for the order n of the curve. Big-endian bytes compare as
/// the numbers do.
fn is_in_range(signature: &[u8; 64]) -> bool {
    let (scalars, _) = signature.as_chunks::<32>();
    let [r, s] = scalars else { return false };
    let zero = [0; 32];
    *r != zero && *r < ORDER && *s != zero && *s <= HALF_ORDER
}

/// SEC 2, 2.4.1: n of secp256k1.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// n / 2, rounded down.
const HALF_ORDER: [u8; 32] = [
    0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4, 0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0,
];

/// Signatures that were found good, so that a block of known transactions costs hashes only. Two
/// generations: when the young one is full it becomes the old one, and the old one goes.
#[derive(Clone, Debug, Default)]
pub(in crate::ledger) struct SigCache {
    young: BTreeSet<[u8; 32]>,
    old: BTreeSet<[u8; 32]>,
}

impl SigCache {
    /// Chosen to hold a full mempool (8 MiB of the smallest transactions) over both generations.
    const GENERATION: usize = 40_000;

    pub(in crate::ledger) fn insert(&mut self, verified: Verified) {
        if self.young.len() >= Self::GENERATION {
            self.old = core::mem::take(&mut self.young);
        }
        self.young.insert(verified.0);
    }

    pub(in crate::ledger) fn contains(&self, check: &SigCheck) -> bool {
        self.young.contains(&check.leaf) || self.old.contains(&check.leaf)
    }

    /// Checks the signature unless it is known to be good.
    pub(in crate::ledger) fn verify(&mut self, check: &SigCheck) -> Result<(), TxError> {
        if !self.contains(check) {
            self.insert(check.verify()?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(r: [u8; 32], s: [u8; 32]) -> [u8; 64] {
        [r, s].concat().try_into().unwrap()
    }

    #[test]
    fn scalars_stay_in_the_lower_half_and_above_zero() {
        let one = {
            let mut one = [0; 32];
            one[31] = 1;
            one
        };
        let above = {
            let mut above = HALF_ORDER;
            above[31] += 1;
            above
        };
        let largest = {
            let mut largest = ORDER;
            largest[31] -= 1;
            largest
        };
        assert!(is_in_range(&signature(one, one)));
        assert!(is_in_range(&signature(largest, HALF_ORDER)));
        for (r, s) in [([0; 32], one), (one, [0; 32]), (ORDER, one), (one, above)] {
            assert!(!is_in_range(&signature(r, s)));
        }
    }

    #[test]
    fn the_cache_forgets_the_oldest_and_stays_bounded() {
        let mut cache = SigCache::default();
        for at in 0u32..100_000 {
            let mut leaf = [0; 32];
            leaf[..4].copy_from_slice(&at.to_le_bytes());
            cache.insert(Verified(leaf));
        }
        assert!(cache.young.len() + cache.old.len() <= 2 * SigCache::GENERATION);
        assert!(!cache.young.contains(&[0; 32]) && !cache.old.contains(&[0; 32]));
    }
}
