//! The ledger against the vectors of its independent reference.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use serde_json::Value;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::ledger::Bits;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Fault;
use whisper_core::ledger::Floors;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderRules;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::NameRecord;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Retarget;
use whisper_core::ledger::SmtProof;
use whisper_core::ledger::Tx;
use whisper_core::ledger::asert;
use whisper_core::ledger::merkle;
use whisper_core::time::Timestamp;

use crate::forge::Host;
use crate::support::array;
use crate::support::bytes;
use crate::support::cases;
use crate::support::expect_count;
use crate::support::is_own;
use crate::support::load;
use crate::support::number;

fn vectors() -> Value {
    load("ledger", "whisper-ledger-v1.json").expect("the ledger's vectors are always there")
}

fn params(vectors: &Value) -> Params {
    let genesis = bytes(&vectors["genesis"]["block"]);
    let bits = Block::decode(genesis.as_slice()).unwrap().header().bits;
    let rules = HeaderRules {
        limit: bits.target().unwrap(),
        retarget: Retarget::Fixed,
        ..Params::regtest().rules().clone()
    };
    let floors = Floors { post: 1, register: 1, anchor: 1 };
    Params::new(rules, floors, &genesis).unwrap()
}

/// The ledger after all blocks of the vectors.
fn grown(vectors: &Value) -> Host {
    let mut host = Host::new(params(vectors));
    for block in vectors["blocks"].as_array().unwrap() {
        let block = Block::decode(bytes(&block["raw"])).unwrap();
        let now = block.header().timestamp();
        assert!(host.accept(now, block).unwrap().is_change());
    }
    host
}

/// A number of hex digits of any count, most significant first.
fn work(value: &Value) -> ChainWork {
    let text = value.as_str().unwrap();
    ChainWork::from(u128::from_str_radix(text.strip_prefix("0x").unwrap_or(text), 16).unwrap())
}

#[test]
fn the_first_block_and_its_tag_are_the_references() {
    let vectors = vectors();
    let params = params(&vectors);
    let genesis = &vectors["genesis"];
    assert_eq!(params.genesis_id(), BlockId::new(array(&genesis["hash"])));
    assert_eq!(params.genesis_header().encode().to_vec(), bytes(&genesis["header"]));
    assert_eq!(*params.chain_tag().as_bytes(), array(&vectors["chain_tag"]));
    let block = Block::decode(bytes(&genesis["block"]))
        .unwrap()
        .check_structure(params.chain_tag())
        .unwrap();
    assert_eq!(block.seal().encode(), bytes(&genesis["seal"]));
    if is_own() {
        assert_eq!(Params::regtest().genesis_id(), params.genesis_id());
        assert_eq!(Params::regtest().genesis(), params.genesis());
    }
    for name in ["tx", "handle", "next"] {
        let expected: [u8; 32] = array(&vectors["tags"][name]);
        assert_eq!(keccak256(format!("whisper-core/ledger/v1/{name}").as_bytes()), expected);
    }
}

#[test]
fn keys_and_their_commitments_are_the_references() {
    let vectors = vectors();
    let keys = vectors["keys"].as_object().unwrap();
    expect_count("keys", keys.len(), 7);
    for (name, key) in keys {
        let secret = SecretKey::from_bytes(&array(&key["secret"])).unwrap();
        let public = Identity::from_secret(secret).public_key();
        assert_eq!(public.to_compressed().to_vec(), bytes(&key["public"]), "{name}");
        let next = NextKey::commit(&public);
        assert_eq!(next.as_bytes().to_vec(), bytes(&key["next_commitment"]), "{name}");
    }
}

#[test]
fn seven_blocks_and_fifty_transactions_are_accepted_as_by_the_reference() {
    let vectors = vectors();
    let mut host = Host::new(params(&vectors));
    let mut transactions = 0;
    for case in cases(&vectors, "blocks", 7) {
        let raw = bytes(&case["raw"]);
        let block = Block::decode(raw.as_slice()).unwrap();
        assert_eq!(block.id(), BlockId::new(array(&case["hash"])));
        let checked = block.clone().check_structure(host.ledger.params().chain_tag()).unwrap();
        let txs = case["txs"].as_array().unwrap();
        assert_eq!(checked.txs().len(), txs.len());
        for (tx, expected) in checked.txs().iter().zip(txs) {
            assert_eq!(tx.as_bytes(), bytes(&expected["raw"]));
            assert_eq!(*tx.id().as_bytes(), array(&expected["txid"]));
            let entry = [tx.id().as_bytes().as_slice(), &tx.signature()].concat();
            assert_eq!(merkle::leaf::<Keccak256>(&entry), array(&expected["leaf"]));
            assert_eq!(
                Tx::decode(tx.as_bytes(), host.ledger.params().chain_tag()).as_ref(),
                Ok(tx)
            );
            transactions += 1;
        }
        let now = block.header().timestamp();
        let update = host.accept(now, block).unwrap();
        let tip = host.ledger.tip();
        assert_eq!(update.connected, [tip.id]);
        assert_eq!(u64::from(tip.height), number(&case["height"]));
        assert_eq!(tip.work, work(&case["chainwork"]));
        let median = host.ledger.headers().median_time(&tip.id).map(u64::from);
        assert_eq!(median, Some(number(&case["mtp_after"])));
        assert_eq!(host.ledger.directory().root(), array(&case["directory_root"]));
        for (name, record) in case["directory"].as_object().unwrap() {
            let own = *host.ledger.directory().get(&name.parse().unwrap()).unwrap();
            assert_eq!(own.encode(), bytes(record));
            assert_eq!(NameRecord::decode(&bytes(record)), Some(own));
        }
    }
    expect_count("transactions", transactions, 50);
}

#[test]
fn signatures_can_be_checked_beforehand() {
    let vectors = vectors();
    let mut host = Host::new(params(&vectors));
    for case in vectors["blocks"].as_array().unwrap() {
        let block = Block::decode(bytes(&case["raw"])).unwrap();
        let now = block.header().timestamp();
        let checks = host.ledger.sig_checks(now, &block);
        assert_eq!(checks.len(), case["txs"].as_array().unwrap().len());
        host.ledger.trust(whisper_core::ledger::verify_all(&checks));
        assert!(host.ledger.sig_checks(now, &block).is_empty());
        assert!(host.accept(now, block).is_ok());
    }
}

#[test]
fn each_invalid_block_is_refused_for_its_reason_and_changes_nothing() {
    let vectors = vectors();
    let grown = grown(&vectors);
    for (at, case) in cases(&vectors, "invalid", 42).iter().enumerate() {
        let reason = case["reason"].as_str().unwrap();
        let now = Timestamp::from_secs(number(&case["now"]));
        let mut host = grown.clone();
        let error = match Block::decode(bytes(&case["block"])) {
            Ok(block) => {
                let id = block.id();
                let error = host.accept(now, block.clone()).unwrap_err();
                let again = host.accept(now, block).unwrap_err();
                let refused = host.ledger.headers().is_refused(&id);
                // Only what follows a right header and a right root is the block's own fault.
                let own = !matches!(error, whisper_core::ledger::BlockError::Header(_));
                assert_eq!(refused, own && error.fault() == Fault::Invalid, "{at}: {reason}");
                assert_eq!(again.fault(), error.fault(), "{at}: {reason}");
                error
            }
            Err(error) => error.into(),
        };
        assert_eq!(error.rule(), reason, "case {at}");
        assert_eq!(error.fault(), fault(reason), "case {at}: {reason}");
        assert_eq!(host.state(), grown.state(), "{at}: {reason}");
    }
}

fn fault(reason: &str) -> Fault {
    match reason {
        "header-parent" => Fault::Orphan,
        "header-time-new" => Fault::TooNew,
        "block-short" | "block-trailing" | "block-root" | "seal-format" | "seal-position" => {
            Fault::BadBody
        }
        _ => Fault::Invalid,
    }
}

#[test]
fn proofs_are_the_references_and_verify() {
    let vectors = vectors();
    let host = grown(&vectors);
    let (mut inclusion, mut directory) = (0, 0);
    for case in cases(&vectors, "proofs", 26) {
        let height = number(&case["height"]) as u32;
        let entry = host.ledger.at(height).unwrap();
        match case["kind"].as_str().unwrap() {
            "inclusion" => {
                let index = number(&case["index"]) as u32;
                let path = merkle::Path {
                    index,
                    size: number(&case["size"]) as u32,
                    hashes: case["path"].as_array().unwrap().iter().map(array).collect(),
                };
                let leaf = merkle::leaf::<Keccak256>(&bytes(&case["leaf_data"]));
                assert_eq!(path.root::<Keccak256>(leaf), Some(array(&case["root"])));
                assert_eq!(entry.header.tx_root, array(&case["root"]));
                let block = Block::decode(host.ledger.block(&entry.id).unwrap()).unwrap();
                let block = block.check_structure(host.ledger.params().chain_tag()).unwrap();
                assert_eq!(block.path(index), Some(path));
                inclusion += 1;
            }
            "directory" => {
                check_directory_proof(case, &host, &entry.id);
                directory += 1;
            }
            kind => panic!("no such kind of proof: {kind}"),
        }
    }
    expect_count("inclusion proofs", inclusion, 17);
    expect_count("directory proofs", directory, 9);
}

fn check_directory_proof(case: &Value, host: &Host, block: &BlockId) {
    let name = case["handle"].as_str().unwrap().parse().unwrap();
    let root: [u8; 32] = array(&case["root"]);
    let encoded = bytes(&case["proof"]);
    let proof = SmtProof::decode(&encoded).unwrap();
    let record = case["record"].is_string().then(|| bytes(&case["record"]));
    let hash = record.as_ref().map(|record| keccak256(record));
    let key: [u8; 32] = array(&case["key"]);
    assert!(proof.verify(&root, &key, hash.as_ref()));
    assert_eq!(proof.encode(), encoded);
    let own = host.ledger.prove_name(block, &name, &Nothing).unwrap();
    assert_eq!(own.record.map(|record| record.encode()), record);
    assert_eq!(own.way.encode(), encoded);
    let header = host.ledger.headers().get(block).unwrap().header;
    assert_eq!(own.verify(&header, &name), Ok(()));
    let sent = Proof::Name(own);
    assert_eq!(Proof::decode(&sent.encode(), host.ledger.params()), Some(sent));
    for at in 0..encoded.len() {
        let mut bent = encoded.clone();
        bent[at] ^= 1;
        let fooled =
            SmtProof::decode(&bent).is_some_and(|bent| bent.verify(&root, &key, hash.as_ref()));
        assert!(!fooled, "byte {at} of the proof of {name} does not matter");
    }
}

#[test]
fn asert_steps_are_the_references() {
    let vectors = vectors();
    let case = &vectors["asert_parent"];
    let (spacing, half_life) = (number(&case["spacing"]) as u32, number(&case["half_life"]) as u32);
    let bits = |value: &Value| Bits::new(u32::from_str_radix(value.as_str().unwrap(), 16).unwrap());
    let first = bits(&case["limit"]);
    let limit = first.target().unwrap();
    let (mut grandparent, mut parent, mut own) =
        (None, number(&case["genesis_time"]) as i64, first);
    for header in cases(case, "headers", 60) {
        if let Some(before) = grandparent {
            own = asert(own, parent - before, 0, spacing, half_life, limit);
        }
        assert_eq!(own, bits(&header[1]));
        (grandparent, parent) = (Some(parent), number(&header[0]) as i64);
    }
}

#[test]
fn headers_of_the_vectors_read_back() {
    for case in vectors()["blocks"].as_array().unwrap() {
        let raw = bytes(&case["raw"]);
        let header = Header::decode(raw.first_chunk().unwrap());
        assert_eq!(header.encode(), raw[..80]);
    }
}
