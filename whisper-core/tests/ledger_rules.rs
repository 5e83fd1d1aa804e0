//! Rules of blocks that have no vector, and those that attackers try first.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use proptest::prelude::*;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockError;
use whisper_core::ledger::BodyError;
use whisper_core::ledger::Fault;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Tx;

use crate::forge::Forge;
use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;
use crate::forge::raw_tx;
use crate::forge::register;

/// A ledger with some blocks, and the time of the next one.
fn grown() -> (Host, u32) {
    let mut host = Host::regtest();
    for _ in 0..3 {
        host.grow(120, &[]);
    }
    let time = host.time() + 120;
    (host, time)
}

/// The rule that a block breaks, which must leave the ledger as it was.
fn broken(host: &Host, bytes: Vec<u8>) -> (&'static str, Fault) {
    let mut tried = host.clone();
    let now = at(host.time() + 120);
    let error: BlockError = match Block::decode(bytes) {
        Ok(block) => tried.accept(now, block).unwrap_err(),
        Err(error) => error.into(),
    };
    assert_eq!(tried.state(), host.state());
    (error.rule(), error.fault())
}

fn broken_with(host: &Host, time: u32, tx: Vec<u8>) -> (&'static str, Fault) {
    broken(host, Forge::new(&host.ledger, time, vec![tx]).bytes(host.ledger.params()))
}

#[test]
fn a_block_of_more_bytes_than_there_may_be_is_refused_unread() {
    let (host, _) = grown();
    assert_eq!(broken(&host, vec![0; 262_145]), ("block-size", Fault::BadBody));
    assert_eq!(Block::decode(vec![0; 83]), Err(BodyError::Short));
    // As many as there may be are read: then the header is at fault.
    assert_eq!(broken(&host, vec![0; 262_144]).0, "header-version");
}

#[test]
fn a_block_without_transactions_is_refused() {
    let (host, time) = grown();
    let bytes = Forge::new(&host.ledger, time, Vec::new()).bytes(host.ledger.params());
    let empty = [&bytes[..80], &[0; 4]].concat();
    assert_eq!(broken(&host, empty), ("block-empty", Fault::BadBody));
}

/// CH15: counts and lengths that lie, bytes left over, two Seals.
#[test]
fn ch15_frames_that_lie_are_the_bodys_fault() {
    let (host, time) = grown();
    let params = host.ledger.params();
    let tx = post(params, &identity(1), time + 60, "hello").as_bytes().to_vec();
    let forge = Forge::new(&host.ledger, time, vec![tx.clone()]);
    let bytes = forge.bytes(params);
    let with = |at: usize, byte: u8| {
        let mut bent = bytes.clone();
        bent[at] = byte;
        broken(&host, bent)
    };
    assert_eq!(with(80, 3), ("block-short", Fault::BadBody), "one more is counted than there is");
    assert_eq!(with(80, 1), ("block-trailing", Fault::BadBody));
    assert_eq!(with(83, 0xff), ("block-short", Fault::BadBody), "four billion are counted");
    assert_eq!(with(85, 0xff), ("block-short", Fault::BadBody), "a length beyond the end");
    let longer = [bytes.as_slice(), &[0]].concat();
    assert_eq!(broken(&host, longer), ("block-trailing", Fault::BadBody));
    let shorter = bytes[..bytes.len() - 1].to_vec();
    assert_eq!(broken(&host, shorter), ("block-short", Fault::BadBody));
    let two_seals = Forge { txs: vec![forge.seal.encode(), tx], ..forge.clone() };
    assert_eq!(broken(&host, two_seals.bytes(params)), ("seal-position", Fault::BadBody));
    for short in [vec![], vec![1], vec![1; 110]] {
        assert_eq!(broken_with(&host, time, short), ("tx-size", Fault::BadBody));
    }
}

#[test]
fn a_transaction_of_more_than_two_kilobytes_is_invalid() {
    let (host, time) = grown();
    let tx = raw_tx(host.ledger.params(), &identity(1), time + 60, (1, &[0; 1_938]));
    assert_eq!(tx.len(), 2_049);
    assert_eq!(broken_with(&host, time, tx), ("tx-size", Fault::Invalid));
}

#[test]
fn payloads_that_are_too_short_are_named() {
    let (host, time) = grown();
    let params = host.ledger.params();
    let broken = |kind, payload: &[u8]| {
        broken_with(&host, time, raw_tx(params, &identity(1), time + 60, (kind, payload)))
    };
    for len in 0..6 {
        assert_eq!(broken(1, &[0; 6][..len]), ("post-short", Fault::Invalid));
    }
    assert_eq!(broken(1, &[0, 0, 0, 0, 1, 0]).0, "post-empty");
    for len in [0, 5, 37, 39] {
        assert_eq!(broken(2, &[0; 40][..len]), ("register-size", Fault::Invalid));
    }
    assert_eq!(broken(2, &[0; 40]).0, "register-handle");
    assert_eq!(broken(2, &[3; 40]).0, "register-op");
    assert_eq!(broken(3, &[0; 35]).0, "anchor-size");
}

#[test]
fn a_revoked_handle_is_not_revoked_again() {
    let (mut host, _) = grown();
    let params = Params::regtest();
    let owner = identity(1);
    let time = host.time();
    let claim = (Operation::Claim, 0, NextKey::NONE, "alice");
    host.grow(120, &[register(&params, &owner, time + 3_000, claim)]);
    let revoke = |seq| (Operation::Revoke, seq, NextKey::NONE, "alice");
    host.grow(120, &[register(&params, &owner, time + 3_000, revoke(1))]);
    let again = register(&params, &owner, time + 3_000, revoke(2));
    let time = host.time() + 120;
    let refused = broken_with(&host, time, again.as_bytes().to_vec());
    assert_eq!(refused, ("register-revoked", Fault::Invalid));
}

#[test]
fn a_block_holds_at_most_sixty_four_operations() {
    let (host, time) = grown();
    let params = host.ledger.params();
    let claims: Vec<Tx> = (0..65)
        .map(|at| {
            let name = format!("handle-{at}");
            let claim = (Operation::Claim, 0, NextKey::NONE, name.as_str());
            register(params, &identity(1), time + 60, claim)
        })
        .collect();
    let raw = |count: usize| claims[..count].iter().map(|tx| tx.as_bytes().to_vec()).collect();
    let many = Forge::new(&host.ledger, time, raw(65)).bytes(params);
    assert_eq!(broken(&host, many), ("register-cap", Fault::Invalid));
    let mut fits = host.clone();
    fits.grow(120, &claims[..64]);
    assert_eq!(fits.ledger.directory().len(), 64);
}

/// CH5: a repeated tail is a body's fault and never the header's; with a root of its own it is a
/// duplicate.
#[test]
fn ch5_a_repeated_tail_never_marks_the_header() {
    let (mut host, time) = grown();
    let params = Params::regtest();
    let txs: Vec<Vec<u8>> = (0..2)
        .map(|at| post(&params, &identity(at), time + 60, "hello").as_bytes().to_vec())
        .collect();
    let good = Forge::new(&host.ledger, time, txs.clone());
    let mut bytes = good.bytes(&params);
    // The same header over the same list with its tail twice.
    let last = [&(txs[1].len() as u16).to_le_bytes()[..], &txs[1]].concat();
    bytes.extend(last);
    bytes[80] += 1;
    let mutated = Block::decode(bytes).unwrap();
    let id = mutated.id();
    let error = host.accept(at(time), mutated).unwrap_err();
    assert_eq!((error.rule(), error.fault()), ("block-root", Fault::BadBody));
    assert!(!host.ledger.headers().is_refused(&id));
    // Under a header of its own the list is a duplicate.
    let twice = [txs.clone(), vec![txs[1].clone()]].concat();
    let own = Forge::new(&host.ledger, time, twice).bytes(&params);
    assert_eq!(broken(&host, own), ("tx-duplicate", Fault::Invalid));
    assert!(host.accept(at(time), good.block(&params)).unwrap().is_change());
}

/// CH7: not twice in a block, not again later, not on another network.
#[test]
fn ch7_no_transaction_comes_twice() {
    let (mut host, _) = grown();
    let params = Params::regtest();
    let tx = post(&params, &identity(1), host.time() + 7_000, "once");
    let raw = tx.as_bytes().to_vec();
    let time = host.time() + 120;
    let double = Forge::new(&host.ledger, time, vec![raw.clone(), raw.clone()]).bytes(&params);
    assert_eq!(broken(&host, double).0, "tx-duplicate");
    host.grow(120, std::slice::from_ref(&tx));
    // As long as it has not expired it is remembered, then it is too late for it.
    let mut last = 0;
    while last < tx.expiry() {
        last = host.time() + 120;
        let rule = broken_with(&host, last, raw.clone()).0;
        let expected = if last < tx.expiry() { "tx-duplicate" } else { "tx-expiry" };
        assert_eq!(rule, expected);
        host.grow(120, &[]);
    }
    // Once the median has passed the expiry, nothing of it is kept.
    for _ in 0..12 {
        host.grow(120, &[]);
    }
    assert_eq!(host.ledger.unexpired().count(), 0);
    let foreign = post(&Params::test(), &identity(1), host.time() + 600, "elsewhere");
    let time = host.time() + 120;
    // Its work was for another id; even with luck there, the signature is not for this network.
    let rule = broken_with(&host, time, foreign.as_bytes().to_vec()).0;
    assert!(["tx-work", "tx-signature"].contains(&rule), "{rule}");
}

/// CH7: a fork may hold it again, since it is another chain; the chain that wins holds it once.
#[test]
fn ch7_a_fork_may_hold_what_the_other_branch_holds() {
    let (mut host, time) = grown();
    let params = Params::regtest();
    let tx = post(&params, &identity(1), time + 3_000, "on both");
    let mut fork = host.clone();
    host.grow(120, std::slice::from_ref(&tx));
    fork.grow(130, std::slice::from_ref(&tx));
    fork.grow(120, &[]);
    for id in fork.disk.chain.iter().skip(3) {
        let block = Block::decode(fork.disk.blocks[id].clone()).unwrap();
        let now = block.header().timestamp();
        assert!(host.accept(now, block).unwrap().returned.is_empty());
    }
    assert_eq!(host.state(), fork.state());
    assert_eq!(host.ledger.unexpired().collect::<Vec<_>>(), [tx.id()]);
}

/// CH14: a bad signature deep inside a block is found, remembered, and not checked again.
#[test]
fn ch14_an_invalid_block_is_remembered_with_all_that_builds_on_it() {
    let (mut host, time) = grown();
    let params = Params::regtest();
    let mut txs: Vec<Vec<u8>> = (0..20)
        .map(|at| post(&params, &identity(at), time + 600, "fine").as_bytes().to_vec())
        .collect();
    let last = txs[17].len() - 1;
    txs[17][last] ^= 1;
    let bad = Forge::new(&host.ledger, time, txs).block(&params);
    let (id, header) = (bad.id(), *bad.header());
    let before = host.state();
    // Headers come first, and more than this one.
    let children = forge::headers(&header, 3, 120, 7);
    host.ledger.accept_headers(at(time + 999), &[&[header][..], &children].concat()).unwrap();
    assert_eq!(host.ledger.headers().tip().height, 7);
    let error = host.accept(at(time), bad.clone()).unwrap_err();
    assert!(matches!(error, BlockError::Tx { index: 18, .. }), "{error}");
    assert_eq!((error.rule(), error.fault()), ("tx-signature", Fault::Invalid));
    assert_eq!(host.state(), before);
    assert!(host.ledger.headers().is_refused(&id));
    assert_eq!(host.ledger.headers().tip().id, host.ledger.tip().id, "its descendants are gone");
    let again = host.accept(at(time), bad).unwrap_err();
    assert_eq!(again.rule(), "header-refused", "no signature is looked at again");
    let refused = host.ledger.accept_headers(at(time + 999), &children).unwrap_err();
    assert_eq!(refused.source.rule(), "header-refused");
}

/// Two rules are broken: the first in the order of transactions, then of rules, is named.
#[test]
fn the_first_broken_rule_is_named() {
    let (host, time) = grown();
    let params = host.ledger.params();
    let good = post(params, &identity(1), time + 600, "fine").as_bytes().to_vec();
    let mut forged = post(params, &identity(4), time + 600, "forged").as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let empty = raw_tx(params, &identity(2), time + 60, (1, &[0; 5]));
    let mut both = empty.clone();
    *both.last_mut().unwrap() ^= 1;
    let late = post(params, &identity(3), time, "late").as_bytes().to_vec();
    let first = |txs: &[&Vec<u8>]| {
        let txs = txs.iter().map(|tx| (*tx).clone()).collect();
        broken(&host, Forge::new(&host.ledger, time, txs).bytes(params)).0
    };
    assert_eq!(first(&[&good, &forged, &empty]), "tx-signature");
    assert_eq!(first(&[&good, &empty, &forged]), "post-short");
    assert_eq!(first(&[&both]), "tx-signature", "the signature comes before the payload");
    assert_eq!(first(&[&late, &forged]), "tx-expiry");
    assert_eq!(first(&[&forged, &late]), "tx-signature");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever byte of a valid block is bent, it is refused and nothing changes.
    #[test]
    fn a_bent_byte_anywhere_is_refused(at_byte: prop::sample::Index, flip in 1u8..) {
        let (host, time) = grown();
        let params = host.ledger.params();
        let txs = (0..3).map(|at| post(params, &identity(at), time + 60, "hello").as_bytes().to_vec());
        let mut bytes = Forge::new(&host.ledger, time, txs.collect()).bytes(params);
        let index = at_byte.index(bytes.len());
        bytes[index] ^= flip;
        // A nonce of the header that also fits makes another valid block, half of the time here.
        let mut tried = host.clone();
        let result = Block::decode(bytes).map_err(BlockError::from).and_then(|block| {
            tried.accept(at(time), block)
        });
        let other_header = (68..72).contains(&index) || (76..80).contains(&index);
        prop_assert!(result.is_err() || other_header, "byte {}", index);
        prop_assert!(result.is_ok() || tried.state() == host.state());
    }
}
