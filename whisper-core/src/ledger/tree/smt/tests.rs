use alloc::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// The tree by its definition.
fn naive(items: &[([u8; 32], [u8; 32])], depth: usize) -> [u8; 32] {
    match items {
        [] => EMPTY,
        [(key, value_hash)] => leaf_hash(key, value_hash),
        _ => {
            let (right, left): (Vec<_>, Vec<_>) =
                items.iter().copied().partition(|(key, _)| bit(key, depth));
            merkle::node::<Keccak256>(&naive(&left, depth + 1), &naive(&right, depth + 1))
        }
    }
}

/// Keys that share many bits, since real ones never would.
fn key() -> impl Strategy<Value = [u8; 32]> {
    (0u8..4, 0usize..32, 0u8..4).prop_map(|(first, at, other)| {
        let mut key = [first << 6; 32];
        key[at] ^= other;
        key
    })
}

proptest! {
    #[test]
    fn changes_one_by_one_give_the_tree_by_definition(
        steps in vec((key(), any::<Option<u8>>()), 1..60),
    ) {
        let mut tree = Smt::new();
        let mut model = BTreeMap::new();
        for (key, value) in steps {
            match value {
                Some(value) => {
                    tree.insert(key, [value; 32], value);
                    model.insert(key, [value; 32]);
                }
                None => {
                    tree.remove(&key);
                    model.remove(&key);
                }
            }
            let items: Vec<_> = model.iter().map(|(key, hash)| (*key, *hash)).collect();
            prop_assert_eq!(tree.root(), naive(&items, 0));
            prop_assert_eq!(tree.len(), model.len());
            prop_assert_eq!(tree.values().count(), model.len());
            let stored: Vec<_> = tree.values().map(|value| [*value; 32]).collect();
            prop_assert_eq!(stored, model.values().copied().collect::<Vec<_>>());
        }
    }

    #[test]
    fn proofs_prove_what_is_there_and_nothing_else(
        keys in vec(key(), 0..20),
        asked in key(),
    ) {
        let mut tree = Smt::new();
        for key in &keys {
            tree.insert(*key, *key, ());
        }
        let root = tree.root();
        let proof = tree.prove(&asked);
        let held = keys.contains(&asked).then_some(asked);
        prop_assert!(proof.verify(&root, &asked, held.as_ref()));
        prop_assert!(!proof.verify(&root, &asked, Some(&[9; 32])));
        prop_assert!(held.is_none() || !proof.verify(&root, &asked, None));
        prop_assert!(!proof.verify(&[7; 32], &asked, held.as_ref()));
        prop_assert_eq!(SmtProof::decode(&proof.encode()), Some(proof));
    }

    #[test]
    fn what_decodes_is_the_one_encoding(bytes in vec(prop_oneof![Just(0u8), Just(1), any::<u8>()], 0..140)) {
        if let Some(proof) = SmtProof::decode(&bytes) {
            prop_assert_eq!(proof.encode(), bytes);
        }
    }
}

#[test]
fn proofs_that_are_not_canonical_do_not_decode() {
    let mut tree = Smt::new();
    for first in [0u8, 0x80, 0xc0] {
        tree.insert([first; 32], [1; 32], ());
    }
    let bytes = tree.prove(&[0xc0; 32]).encode();
    assert!(SmtProof::decode(&bytes).is_some());
    let spare = {
        let mut bytes = bytes.clone();
        bytes[2] |= 1;
        bytes
    };
    let trailing = {
        let mut bytes = bytes.clone();
        bytes.push(0);
        bytes
    };
    let zero = {
        let mut bytes = bytes.clone();
        bytes[3..35].fill(0);
        bytes
    };
    let kind = {
        let mut bytes = bytes.clone();
        *bytes.last_mut().unwrap() = 3;
        bytes
    };
    for wrong in [spare, trailing, zero, kind, bytes[..bytes.len() - 1].to_vec()] {
        assert_eq!(SmtProof::decode(&wrong), None);
    }
    // A depth of one whose only sibling is empty, ending in an empty subtree.
    assert_eq!(SmtProof::decode(&[1, 0, 0, 0]), None);
    assert_eq!(SmtProof::decode(&[0x01, 0x01]), None);
    assert!(SmtProof::decode(&[0, 0, 0]).is_some_and(|proof| proof.verify(&EMPTY, &[1; 32], None)));
}
