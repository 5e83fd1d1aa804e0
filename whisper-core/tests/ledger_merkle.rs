//! Merkle trees: ours against RFC 6962's vectors, and Bitcoin's with the lists that fooled it.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod chain_data;
mod support;

use serde_json::Value;
use whisper_core::hash::sha256;
use whisper_core::ledger::Header;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::merkle;
use whisper_core::ledger::merkle::Path;

use crate::chain_data::Sha256;
use crate::chain_data::file;
use crate::chain_data::json;
use crate::support::array;
use crate::support::bytes;
use crate::support::number;

fn sha256d(bytes: &[u8]) -> [u8; 32] {
    sha256(&sha256(bytes))
}

/// Bitcoin's root: the last hash of an odd level is paired with itself. Nothing if two equal hashes
/// stand side by side, as they do in a list with a repeated tail (CVE-2012-2459).
fn bitcoin_root(leaves: &[[u8; 32]]) -> Option<[u8; 32]> {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let mut above = Vec::new();
        for pair in level.chunks(2) {
            let (left, right) = (pair[0], *pair.get(1).unwrap_or(&pair[0]));
            if pair.len() == 2 && left == right {
                return None;
            }
            above.push(sha256d(&[left, right].concat()));
        }
        level = above;
    }
    level.first().copied()
}

/// The same without a look at what it adds up: what fooled Bitcoin.
fn fooled_root(leaves: &[[u8; 32]]) -> [u8; 32] {
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| sha256d(&[pair[0], *pair.get(1).unwrap_or(&pair[0])].concat()))
            .collect();
    }
    level[0]
}

#[test]
fn roots_and_proofs_of_rfc_6962_hold() {
    let Some(data) = json("rfc6962-roots-sha256.json") else { return };
    let leaves: Vec<[u8; 32]> = data["leaves"]
        .as_array()
        .unwrap()
        .iter()
        .map(|leaf| merkle::leaf::<Sha256>(&bytes(leaf)))
        .collect();
    for (size, root) in data["roots_by_size"].as_array().unwrap().iter().enumerate() {
        assert_eq!(merkle::root::<Sha256>(&leaves[..size]), array(root), "{size}");
    }
    let inclusion = json("rfc6962-inclusion-sha256.json").unwrap();
    let cases = inclusion.as_array().unwrap();
    assert_eq!(cases.len(), 49);
    for case in cases {
        assert_eq!(includes(case), Some(case["ok"].as_bool().unwrap()), "{}", case["name"]);
    }
    let consistency = json("rfc6962-consistency-sha256.json").unwrap();
    let cases = consistency.as_array().unwrap();
    assert_eq!(cases.len(), 43);
    for case in cases {
        let old = (number(&case["size1"]), hash(&case["root1"]).unwrap_or_default());
        let new = (number(&case["size2"]), hash(&case["root2"]).unwrap_or_default());
        let proof: Option<Vec<_>> = case["proof"].as_array().unwrap().iter().map(hash).collect();
        let ok = proof.is_some_and(|proof| merkle::is_consistent::<Sha256>(old, new, &proof));
        assert_eq!(ok, case["ok"].as_bool().unwrap(), "{}", case["name"]);
    }
}

/// Whether a case of an inclusion proof passes; sizes and hashes that we cannot even hold do not.
fn includes(case: &Value) -> Option<bool> {
    let sizes = (u32::try_from(number(&case["index"])), u32::try_from(number(&case["size"])));
    let (Ok(index), Ok(size)) = sizes else { return Some(false) };
    let hashes: Option<Vec<_>> = case["proof"].as_array()?.iter().map(hash).collect();
    let (Some(hashes), Some(leaf)) = (hashes, hash(&case["leaf_hash"])) else { return Some(false) };
    let root = Path { index, size, hashes }.root::<Sha256>(leaf);
    Some(root.is_some() && root == hash(&case["root"]))
}

fn hash(value: &Value) -> Option<[u8; 32]> {
    bytes(value).try_into().ok()
}

#[test]
fn merkle_roots_of_real_blocks_hold() {
    let lists = ["0c835b2a", "277647", "300025", "363703", "370661", "383616", "481829"];
    for list in lists {
        let name = format!("merkle/mainnet-{list}.hdrtxids");
        let Some(data) = file(&name) else { return };
        let (header, ids) = data.split_at(80);
        let (ids, rest) = ids.as_chunks::<32>();
        assert!(rest.is_empty());
        let header = Header::decode(header.try_into().unwrap());
        assert_eq!(bitcoin_root(ids), Some(header.tx_root), "{name}");
    }
    for block in ["mainnet-080974", "mainnet-169482", "mainnet-227835", "testnet3-021066"] {
        let (header, ids) = block_ids(&file(&format!("blocks/{block}.bin")).unwrap());
        assert_eq!(bitcoin_root(&ids), Some(header.tx_root), "{block}");
    }
    let frames = file("blocks/mainnet-000000-000181.frames").unwrap();
    let (mut rest, mut count) = (frames.as_slice(), 0);
    while let Some((len, after)) = rest.split_first_chunk::<4>() {
        let (block, after) = after.split_at(u32::from_le_bytes(*len) as usize);
        let (header, ids) = block_ids(block);
        assert_eq!(bitcoin_root(&ids), Some(header.tx_root));
        (rest, count) = (after, count + 1);
    }
    assert_eq!(count, 182);
}

/// CH5: the lists of CVE-2012-2459 have the root of the real list in Bitcoin's tree, where only a
/// special look finds them out. In ours each has a root of its own.
#[test]
fn ch5_lists_that_fooled_bitcoin_have_other_roots_here() {
    let Some(data) = json("merkle/cve-2012-2459.json") else { return };
    let mut lists = 0;
    for case in data["cases"].as_array().unwrap() {
        let name = format!("blocks/{}.bin", case["block"].as_str().unwrap());
        let (header, ids) = block_ids(&file(&name).unwrap());
        assert_eq!(ids.len() as u64, number(&case["txs"]));
        let leaves = |ids: &[[u8; 32]]| -> Vec<[u8; 32]> {
            ids.iter().map(|id| merkle::leaf::<Keccak256>(id)).collect()
        };
        let own = merkle::root::<Keccak256>(&leaves(&ids));
        for list in case["mutated_index_lists"].as_array().unwrap() {
            let indices = list.as_array().unwrap().iter().map(|index| number(index) as usize);
            let mutated: Vec<[u8; 32]> = indices.map(|index| ids[index]).collect();
            assert_eq!(fooled_root(&mutated), header.tx_root);
            assert_eq!(bitcoin_root(&mutated), None);
            assert_ne!(merkle::root::<Keccak256>(&leaves(&mutated)), own);
            lists += 1;
        }
    }
    assert_eq!(lists, 6);
}

/// CH6: a node of the tree, given as a transaction, has another hash than as a node.
#[test]
fn ch6_a_node_cannot_pass_for_a_transaction() {
    let leaves: Vec<[u8; 32]> = (0u8..4).map(|at| merkle::leaf::<Keccak256>(&[at])).collect();
    let root = merkle::root::<Keccak256>(&leaves);
    let path = Path::new::<Keccak256>(&leaves, 0).unwrap();
    assert_eq!(path.root::<Keccak256>(leaves[0]), Some(root));
    // The 64 bytes under a node, as if they were a leaf one level up.
    let fake = merkle::leaf::<Keccak256>(&[leaves[0], leaves[1]].concat());
    let shorter = Path { index: 0, size: 2, hashes: path.hashes[1..].to_vec() };
    assert_ne!(shorter.root::<Keccak256>(fake), Some(root));
}

/// The header of a block of Bitcoin, and the ids of its transactions.
fn block_ids(block: &[u8]) -> (Header, Vec<[u8; 32]>) {
    let header = Header::decode(block.first_chunk().unwrap());
    let mut rest = Cursor(&block[80..]);
    let count = rest.count();
    let ids = (0..count).map(|_| sha256d(rest.transaction())).collect();
    assert!(rest.0.is_empty());
    (header, ids)
}

/// Walks transactions without witnesses.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }

    fn count(&mut self) -> usize {
        let read =
            |bytes: &[u8]| bytes.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        match self.take(1)[0] {
            0xfd => read(self.take(2)),
            0xfe => read(self.take(4)),
            0xff => read(self.take(8)),
            small => small.into(),
        }
    }

    fn script(&mut self) {
        let len = self.count();
        self.take(len);
    }

    fn transaction(&mut self) -> &'a [u8] {
        let whole = self.0;
        self.take(4);
        for _ in 0..self.count() {
            self.take(36);
            self.script();
            self.take(4);
        }
        for _ in 0..self.count() {
            self.take(8);
            self.script();
        }
        self.take(4);
        &whole[..whole.len() - self.0.len()]
    }
}
