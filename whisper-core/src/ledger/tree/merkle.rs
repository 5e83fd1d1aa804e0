//! Merkle trees in the shape of RFC 9162: leaf and node hashes apart, no leaf ever twice.
//!
//! That shape has neither of Bitcoin's faults: a list with a repeated tail has a root of its own
//! (CVE-2012-2459), and no transaction can pass for a node (CVE-2017-12842).

use alloc::vec::Vec;

use crate::ledger::hash::TreeHash;
use crate::ledger::read::Fields;

/// The hash of a leaf that holds `data`.
pub fn leaf<H: TreeHash>(data: &[u8]) -> [u8; 32] {
    H::hash(&[&[0], data])
}

/// The hash of a node over two others.
pub fn node<H: TreeHash>(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    H::hash(&[&[1], left, right])
}

/// The root over these leaf hashes; the hash of nothing if there are none.
pub fn root<H: TreeHash>(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = above::<H>(&level);
    }
    level.first().copied().unwrap_or_else(|| H::hash(&[]))
}

/// The level above: splitting at the largest power of two comes to the same as pairing from the
/// left and letting an odd one rise.
fn above<H: TreeHash>(level: &[[u8; 32]]) -> Vec<[u8; 32]> {
    let (pairs, odd) = level.as_chunks::<2>();
    pairs.iter().map(|[left, right]| node::<H>(left, right)).chain(odd.iter().copied()).collect()
}

/// Where a leaf stands in a tree, and the hashes beside its way to the root.
///
/// What is proven is membership. Index and size only tell left from right.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Path {
    /// Leaves to the left.
    pub index: u32,
    /// Leaves in all.
    pub size: u32,
    /// The hashes beside the way, from the leaf upwards.
    pub hashes: Vec<[u8; 32]>,
}

impl Path {
    /// The path of leaf `index`, if there is one.
    pub fn new<H: TreeHash>(leaves: &[[u8; 32]], index: u32) -> Option<Self> {
        let size = u32::try_from(leaves.len()).ok()?;
        let mut at = usize::try_from(index).ok().filter(|at| *at < leaves.len())?;
        let mut hashes = Vec::new();
        let mut level = leaves.to_vec();
        while level.len() > 1 {
            hashes.extend(level.get(at ^ 1));
            level = above::<H>(&level);
            at /= 2;
        }
        Some(Self { index, size, hashes })
    }

    /// The root of the tree in which `leaf` stands here, if the path is as long as it should be.
    pub fn root<H: TreeHash>(&self, leaf: [u8; 32]) -> Option<[u8; 32]> {
        let mut at = self.index;
        let mut last = self.size.checked_sub(1).filter(|last| at <= *last)?;
        let mut hash = leaf;
        let mut beside = self.hashes.iter();
        while last > 0 {
            // The last of an odd level has no sibling and rises as it is.
            if at != last || at % 2 == 1 {
                let other = beside.next()?;
                hash = if at % 2 == 1 { node::<H>(other, &hash) } else { node::<H>(&hash, other) };
            }
            at /= 2;
            last /= 2;
        }
        beside.next().is_none().then_some(hash)
    }

    /// Writes index and size (32 bits each, little-endian), the count in one byte, the hashes.
    pub fn encode_into(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.index.to_le_bytes());
        bytes.extend(self.size.to_le_bytes());
        bytes.push(u8::try_from(self.hashes.len()).unwrap_or(u8::MAX));
        bytes.extend(self.hashes.iter().flatten());
    }

    pub(in crate::ledger) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let (index, size) = (fields.u32()?, fields.u32()?);
        let count = usize::from(fields.u8()?);
        // A tree of 2^32 leaves is 32 levels high.
        let hashes = fields.arrays(count).filter(|_| count <= 32)?.to_vec();
        Some(Self { index, size, hashes })
    }
}

/// Whether the tree with the root `old` over `old_size` leaves is how the tree with the root `new`
/// over `new_size` leaves began (RFC 9162, 2.1.4.2).
pub fn is_consistent<H: TreeHash>(
    (old_size, old): (u64, [u8; 32]),
    (new_size, new): (u64, [u8; 32]),
    proof: &[[u8; 32]],
) -> bool {
    extends::<H>((old_size, old), (new_size, new), proof).unwrap_or(false)
}

fn extends<H: TreeHash>(
    (old_size, old): (u64, [u8; 32]),
    (new_size, new): (u64, [u8; 32]),
    proof: &[[u8; 32]],
) -> Option<bool> {
    if old_size == new_size {
        return Some(old == new && proof.is_empty());
    }
    let mut at = old_size.checked_sub(1)?;
    let mut last = new_size.checked_sub(1).filter(|last| at < *last)?;
    let mut hashes = proof.iter();
    let shared = at.trailing_ones();
    (at, last) = (at >> shared, last >> shared);
    // A full old tree is a subtree of the new one and need not be named.
    let first = if at == 0 { old } else { *hashes.next()? };
    let (mut from_old, mut from_new) = (first, first);
    for hash in hashes {
        if last == 0 {
            return Some(false);
        }
        if at % 2 == 1 || at == last {
            from_old = node::<H>(hash, &from_old);
            from_new = node::<H>(hash, &from_new);
            let lone = at.trailing_zeros().min(63);
            (at, last) = (at >> lone, last >> lone);
        } else {
            from_new = node::<H>(&from_new, hash);
        }
        (at, last) = (at / 2, last / 2);
    }
    Some(last == 0 && from_old == old && from_new == new)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ledger::hash::Keccak256;

    /// RFC 9162, 2.1.1, to the letter.
    fn recursive(leaves: &[[u8; 32]]) -> [u8; 32] {
        if let [only] = leaves {
            return *only;
        }
        let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
        node::<Keccak256>(&recursive(left), &recursive(right))
    }

    fn leaves(count: usize) -> Vec<[u8; 32]> {
        (0..count).map(|at| leaf::<Keccak256>(&at.to_le_bytes())).collect()
    }

    #[test]
    fn levels_give_the_recursive_root() {
        for count in 1..70 {
            assert_eq!(root::<Keccak256>(&leaves(count)), recursive(&leaves(count)), "{count}");
        }
    }

    #[test]
    fn every_leaf_has_a_path_and_no_other_passes() {
        for count in 1..40 {
            let leaves = leaves(count);
            let root = root::<Keccak256>(&leaves);
            for (at, leaf) in leaves.iter().enumerate() {
                let path = Path::new::<Keccak256>(&leaves, at as u32).unwrap();
                assert_eq!(path.root::<Keccak256>(*leaf), Some(root));
                let mut bytes = Vec::new();
                path.encode_into(&mut bytes);
                let mut fields = Fields::new(&bytes);
                assert_eq!(Path::read(&mut fields), Some(path.clone()));
                assert!(fields.is_empty());
                for (other, wrong) in leaves.iter().enumerate().filter(|(other, _)| *other != at) {
                    assert_ne!(path.root::<Keccak256>(*wrong), Some(root), "{other} of {count}");
                }
                let short = Path { hashes: path.hashes.iter().skip(1).copied().collect(), ..path };
                assert!(count == 1 || short.root::<Keccak256>(*leaf) != Some(root));
            }
            assert_eq!(Path::new::<Keccak256>(&leaves, count as u32), None);
        }
    }

    proptest! {
        /// CH5: no list that repeats its tail has the root of the list without it.
        #[test]
        fn ch5_a_repeated_tail_changes_the_root(count in 1usize..50, tail in 1usize..50) {
            let list = leaves(count);
            let mut mutated = list.clone();
            mutated.extend_from_within(count.saturating_sub(tail)..);
            prop_assert_ne!(root::<Keccak256>(&list), root::<Keccak256>(&mutated));
        }
    }
}
