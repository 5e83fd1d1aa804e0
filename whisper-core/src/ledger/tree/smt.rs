//! A sparse Merkle tree of 256 levels, kept compact: a subtree with one leaf is that leaf.
//!
//! The tree is persistent: a copy shares all nodes, and a change makes new ones along one way only.
//! So a block can be tried on a copy, and the trees of past blocks cost what has changed since.

mod proof;

use alloc::sync::Arc;
use alloc::vec::Vec;

pub use proof::SmtProof;
pub(in crate::ledger) use proof::end_of;

use super::merkle;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::keccak;

/// The hash of a subtree that holds nothing.
pub(in crate::ledger) const EMPTY: [u8; 32] = [0; 32];

/// A map from 32-byte keys, which must be hashes, with a root that commits to all of it.
#[derive(Debug)]
pub struct Smt<V> {
    root: Link<V>,
    len: usize,
}

type Link<V> = Option<Arc<Node<V>>>;

#[derive(Debug)]
enum Node<V> {
    Leaf { key: [u8; 32], value_hash: [u8; 32], value: V, hash: [u8; 32] },
    Inner { left: Link<V>, right: Link<V>, hash: [u8; 32] },
}

impl<V> Smt<V> {
    /// A tree that holds nothing.
    pub const fn new() -> Self {
        Self { root: None, len: 0 }
    }

    /// Sets what stands under `key`. `value_hash` is what the root commits to.
    pub fn insert(&mut self, key: [u8; 32], value_hash: [u8; 32], value: V) {
        let new = Arc::new(Node::leaf(key, value_hash, value));
        let known = self.get(&key).is_some();
        self.root = Some(put(self.root.as_ref(), new, &key, 0));
        self.len = self.len.saturating_add(usize::from(!known));
    }

    /// Removes what stands under `key`.
    pub fn remove(&mut self, key: &[u8; 32]) {
        if self.get(key).is_some() {
            self.root = self.root.as_ref().and_then(|root| take(root, key, 0));
            self.len = self.len.saturating_sub(1);
        }
    }

    /// What stands under `key`.
    pub fn get(&self, key: &[u8; 32]) -> Option<&V> {
        let (_, end) = self.descend(key);
        match end {
            Some(Node::Leaf { key: own, value, .. }) if own == key => Some(value),
            _ => None,
        }
    }

    /// The hash that commits to all keys and values.
    pub fn root(&self) -> [u8; 32] {
        hash_of(self.root.as_ref())
    }

    /// How many keys there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no key.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        let mut open = Vec::from_iter(self.root.as_deref());
        core::iter::from_fn(move || {
            loop {
                match open.pop()? {
                    Node::Leaf { value, .. } => return Some(value),
                    Node::Inner { left, right, .. } => {
                        open.extend(right.as_deref());
                        open.extend(left.as_deref());
                    }
                }
            }
        })
    }

    /// Proves what stands under `key`, or that nothing does.
    pub fn prove(&self, key: &[u8; 32]) -> SmtProof {
        let (siblings, end) = self.descend(key);
        let other = match end {
            Some(Node::Leaf { key: own, value_hash, .. }) => Some((*own, *value_hash)),
            _ => None,
        };
        SmtProof { siblings, end: end_of(key, other) }
    }

    /// The hashes beside the way to `key`, from the root downwards, and the leaf where it ends.
    fn descend(&self, key: &[u8; 32]) -> (Vec<[u8; 32]>, Option<&Node<V>>) {
        let mut siblings = Vec::new();
        let mut at = self.root.as_deref();
        while let Some(Node::Inner { left, right, .. }) = at {
            let (next, beside) =
                if bit(key, siblings.len()) { (right, left) } else { (left, right) };
            siblings.push(hash_of(beside.as_ref()));
            at = next.as_deref();
        }
        (siblings, at)
    }
}

impl<V> Clone for Smt<V> {
    /// Shares all nodes: costs nothing.
    fn clone(&self) -> Self {
        Self { root: self.root.clone(), len: self.len }
    }
}

impl<V> Default for Smt<V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Node<V> {
    fn leaf(key: [u8; 32], value_hash: [u8; 32], value: V) -> Self {
        Self::Leaf { key, value_hash, value, hash: leaf_hash(&key, &value_hash) }
    }

    fn inner(left: Link<V>, right: Link<V>) -> Self {
        let hash = merkle::node::<Keccak256>(&hash_of(left.as_ref()), &hash_of(right.as_ref()));
        Self::Inner { left, right, hash }
    }
}

fn leaf_hash(key: &[u8; 32], value_hash: &[u8; 32]) -> [u8; 32] {
    keccak(&[&[0], key, value_hash])
}

fn hash_of<V>(link: Option<&Arc<Node<V>>>) -> [u8; 32] {
    match link.map(AsRef::as_ref) {
        None => EMPTY,
        Some(Node::Leaf { hash, .. } | Node::Inner { hash, .. }) => *hash,
    }
}

/// Bit `depth` of `key`, the most significant first.
fn bit(key: &[u8; 32], depth: usize) -> bool {
    key.get(depth / 8).is_some_and(|byte| byte << (depth % 8) & 0x80 != 0)
}

/// The subtree `at`, `depth` levels down, with `new` in it. Recursion ends at level 256 at the
/// latest, where two keys that share all bits are the same key.
fn put<V>(
    at: Option<&Arc<Node<V>>>,
    new: Arc<Node<V>>,
    key: &[u8; 32],
    depth: usize,
) -> Arc<Node<V>> {
    let Some(node) = at else { return new };
    let (left, right) = match node.as_ref() {
        Node::Leaf { key: own, .. } if own == key => return new,
        Node::Leaf { key: own, .. } if bit(own, depth) => (None, Some(node)),
        Node::Leaf { .. } => (Some(node), None),
        Node::Inner { left, right, .. } => (left.as_ref(), right.as_ref()),
    };
    Arc::new(if bit(key, depth) {
        Node::inner(left.cloned(), Some(put(right, new, key, depth.saturating_add(1))))
    } else {
        Node::inner(Some(put(left, new, key, depth.saturating_add(1))), right.cloned())
    })
}

/// The subtree `at`, `depth` levels down, without `key`.
fn take<V>(at: &Arc<Node<V>>, key: &[u8; 32], depth: usize) -> Link<V> {
    let Node::Inner { left, right, .. } = at.as_ref() else { return None };
    let below =
        |link: &Link<V>| link.as_ref().and_then(|link| take(link, key, depth.saturating_add(1)));
    let (left, right) =
        if bit(key, depth) { (left.clone(), below(right)) } else { (below(left), right.clone()) };
    match (left, right) {
        (None, Some(only)) | (Some(only), None) if matches!(*only, Node::Leaf { .. }) => Some(only),
        (None, None) => None,
        (left, right) => Some(Arc::new(Node::inner(left, right))),
    }
}

#[cfg(test)]
mod tests;
