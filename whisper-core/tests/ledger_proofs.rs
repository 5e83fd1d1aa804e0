//! Proofs for those who hold headers only.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use proptest::prelude::*;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Name;
use whisper_core::ledger::NameRecord;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::ProofError;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Tx;
use whisper_core::time::Timestamp;

use crate::forge::Host;
use crate::forge::identity;
use crate::forge::post;
use crate::forge::register;

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);

/// A ledger with names and posts, and one of its transactions in block 20.
fn world() -> (Host, Tx) {
    let mut host = Host::regtest();
    let params = Params::regtest();
    for number in 0..19u8 {
        let name = format!("handle-{number}");
        let claim = (Operation::Claim, 0, NextKey::NONE, name.as_str());
        let claim = register(&params, &identity(number), host.time() + 900, claim);
        host.grow(60, &[claim]);
    }
    let posts: Vec<Tx> =
        (0..7).map(|at| post(&params, &identity(at), host.time() + 900, "to be proven")).collect();
    host.grow(60, &posts);
    for _ in 0..20 {
        host.grow(60, &[]);
    }
    (host, posts[4].clone())
}

fn follow(host: &Host, mut client: LightClient) -> LightClient {
    let headers = host.ledger.headers();
    let from = client.headers().tip().height + 1;
    let rest: Vec<_> =
        (from..).map_while(|height| headers.at(height)).map(|at| at.header).collect();
    client.accept(NOW, &rest).unwrap();
    client
}

#[test]
fn a_light_client_checks_a_post_that_it_never_downloaded() {
    let (host, tx) = world();
    let client = follow(&host, LightClient::new(Params::regtest()).unwrap());
    let block = host.ledger.at(20).unwrap().id;
    let proof = host.ledger.prove_tx(&block, &tx.id(), &Nothing).unwrap();
    assert_eq!(client.check_tx(&proof), Ok(Proven { height: 20, confirmations: 21 }));
    assert!(host.ledger.prove_tx(&host.ledger.tip().id, &tx.id(), &Nothing).is_none());
    let sent = Proof::Tx(proof.clone());
    assert_eq!(Proof::decode(&sent.encode(), host.ledger.params()), Some(sent));
    // Each part bent on its own is found out.
    let mut seal = proof.clone();
    seal.seal.seal.extra.push(1);
    assert_eq!(client.check_tx(&seal), Err(ProofError::Seal));
    let mut height = proof.clone();
    height.seal.seal.height += 1;
    assert_eq!(client.check_tx(&height), Err(ProofError::Block));
    let mut path = proof.clone();
    path.path.hashes[0][0] ^= 1;
    assert_eq!(client.check_tx(&path), Err(ProofError::Path));
    let mut size = proof.clone();
    size.path.size += 1;
    assert_eq!(client.check_tx(&size), Err(ProofError::Path));
    let mut block = proof;
    block.seal.block = host.ledger.at(21).unwrap().id;
    assert!(client.check_tx(&block).is_err());
}

#[test]
fn the_seal_cannot_be_passed_off_as_a_post() {
    let (host, tx) = world();
    let block = host.ledger.at(20).unwrap();
    let mut proof = host.ledger.prove_tx(&block.id, &tx.id(), &Nothing).unwrap();
    proof.path = proof.seal.path.clone();
    assert_eq!(proof.verify(&block.header), Err(ProofError::Path));
}

#[test]
fn a_light_client_checks_handles_that_are_there_and_that_are_not() {
    let (host, _) = world();
    let tip = host.ledger.tip();
    let anchor = host.ledger.headers().anchor_at(25).unwrap();
    assert_eq!(anchor.headers.len(), HeaderAnchor::HEADERS);
    let anchor = HeaderAnchor::decode(&anchor.encode()).unwrap();
    let client = LightClient::from_anchor(Params::regtest(), &anchor).unwrap();
    let short = HeaderAnchor { headers: anchor.headers[1..].to_vec(), ..anchor };
    let refused = LightClient::from_anchor(Params::regtest(), &short).map(drop);
    assert_eq!(refused, Err(HeaderError::BeforeAnchor), "rules look back twelve headers");
    let client = follow(&host, client);
    assert_eq!(client.headers().tip(), tip);
    let prove = |name: &Name| host.ledger.prove_name(&tip.id, name, &Nothing).unwrap();
    let now = Proven { height: 40, confirmations: 1 };
    let taken: Name = "handle-3".parse().unwrap();
    let proof = prove(&taken);
    assert_eq!(client.check_name(&proof, &taken), Ok(now));
    let record = proof.record.unwrap();
    assert_eq!(record.public_key(), Ok(identity(3).public_key()));
    let free: Name = "nobody".parse().unwrap();
    let absence = prove(&free);
    assert_eq!((absence.record, client.check_name(&absence, &free)), (None, Ok(now)));
    for proof in [&proof, &absence] {
        let sent = Proof::Name(proof.clone());
        assert_eq!(Proof::decode(&sent.encode(), host.ledger.params()), Some(sent));
    }
    // Neither stands for the other, nor for another name.
    assert_eq!(client.check_name(&proof, &free), Err(ProofError::Record));
    assert_eq!(client.check_name(&absence, &taken), Err(ProofError::Record));
    let mut hidden = proof.clone();
    hidden.record = None;
    assert_eq!(client.check_name(&hidden, &taken), Err(ProofError::Record));
    let mut forged = proof.clone();
    forged.record = Some(NameRecord { owner: identity(9).public_key().to_compressed(), ..record });
    assert_eq!(client.check_name(&forged, &taken), Err(ProofError::Record));
    // From a block that the client does not have.
    let old = host.ledger.prove_name(&host.ledger.at(3).unwrap().id, &taken, &Nothing).unwrap();
    assert_eq!(client.check_name(&old, &taken), Err(ProofError::Block));
    println!("handle proof: {} bytes", Proof::Name(proof).encode().len());
}

#[test]
fn past_directories_are_proven_for_a_while() {
    let (mut host, _) = world();
    let early = host.ledger.at(2).unwrap();
    let name = "handle-5".parse().unwrap();
    let proof = host.ledger.prove_name(&early.id, &name, &Nothing).unwrap();
    assert_eq!((proof.record, proof.verify(&early.header, &name)), (None, Ok(())));
    for _ in 0..64 {
        host.grow(60, &[]);
    }
    assert!(host.ledger.prove_name(&early.id, &name, &host.disk).is_none());
    let recent = host.ledger.at(host.ledger.tip().height - 60).unwrap();
    assert!(host.ledger.prove_name(&recent.id, &name, &host.disk).is_some());
}

#[test]
fn a_block_off_the_chain_proves_nothing() {
    let (mut host, _) = world();
    let params = Params::regtest();
    let mut other = host.clone();
    let tx = post(&params, &identity(1), host.time() + 600, "left behind");
    host.grow(60, std::slice::from_ref(&tx));
    let left = host.ledger.tip().id;
    let client = follow(&host, LightClient::new(params).unwrap());
    let proof = host.ledger.prove_tx(&left, &tx.id(), &Nothing).unwrap();
    assert!(client.check_tx(&proof).is_ok());
    other.grow(61, &[]);
    other.grow(60, &[]);
    let mut moved = client;
    let headers = other.ledger.headers();
    let rest: Vec<_> =
        (41..=42).filter_map(|height| headers.at(height)).map(|at| at.header).collect();
    moved.accept(NOW, &rest).unwrap();
    assert_eq!(moved.check_tx(&proof), Err(ProofError::Block));
    for id in &other.disk.chain[40..] {
        let block = whisper_core::ledger::Block::decode(other.disk.blocks[id].clone()).unwrap();
        drop(host.accept(NOW, block).unwrap());
    }
    assert!(host.ledger.prove_tx(&left, &tx.id(), &host.disk).is_none());
    assert!(host.ledger.prove_name(&left, &"handle-1".parse().unwrap(), &host.disk).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// What decodes is the one encoding, and a bent byte proves nothing.
    #[test]
    fn a_bent_proof_proves_nothing(at: prop::sample::Index, flip in 1u8.., which in 0..2) {
        let (host, tx) = cached();
        let client = follow(host, LightClient::new(Params::regtest()).unwrap());
        let name: Name = "handle-3".parse().unwrap();
        let block = host.ledger.at(20).unwrap().id;
        let proof = match which {
            0 => Proof::Tx(host.ledger.prove_tx(&block, &tx.id(), &Nothing).unwrap()),
            _ => Proof::Name(host.ledger.prove_name(&block, &name, &Nothing).unwrap()),
        };
        let mut bytes = proof.encode();
        let index = at.index(bytes.len());
        bytes[index] ^= flip;
        if let Some(bent) = Proof::decode(&bytes, host.ledger.params()) {
            prop_assert_eq!(bent.encode(), bytes);
            let verdict = match &bent {
                Proof::Tx(proof) => client.check_tx(proof),
                Proof::Name(proof) => client.check_name(proof, &name),
            };
            prop_assert!(verdict.is_err(), "byte {}", index);
        }
    }
}

fn cached() -> &'static (Host, Tx) {
    static WORLD: std::sync::OnceLock<(Host, Tx)> = std::sync::OnceLock::new();
    WORLD.get_or_init(world)
}
