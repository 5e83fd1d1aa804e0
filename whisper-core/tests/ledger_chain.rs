//! Changing chains: whatever came in whatever order, the ledger is what a replay of its chain is.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use std::collections::BTreeMap;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::ledger::Backup;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockError;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainUpdate;
use whisper_core::ledger::Fault;
use whisper_core::ledger::Header;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::RestoreError;
use whisper_core::ledger::Tx;
use whisper_core::ledger::Unchecked;
use whisper_core::time::Timestamp;

use crate::forge::Disk;
use crate::forge::Forge;
use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;
use crate::forge::register;

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);

/// The blocks of a host's chain, lowest first, without the first.
fn blocks(host: &Host) -> Vec<Block<Unchecked>> {
    let stored = host.disk.chain.iter().map(|id| host.disk.blocks[id].clone());
    stored.map(|bytes| Block::decode(bytes).unwrap()).collect()
}

/// A ledger that has only ever seen the blocks of this one's chain.
fn replay(host: &Host) -> Host {
    let mut fresh = Host::regtest();
    for block in blocks(host) {
        assert!(fresh.accept(NOW, block).unwrap().is_change());
    }
    fresh
}

fn backup(host: &Host, recheck: u32) -> Backup {
    let headers = host.ledger.headers();
    let chain = (1..=headers.tip().height).filter_map(|height| headers.at(height));
    Backup {
        headers: chain.map(|entry| entry.header).collect(),
        tip: host.ledger.tip().id,
        records: host.disk.records.values().copied().collect(),
        recheck,
    }
}

/// The ledger as it comes up again from what is stored.
fn restored(disk: &Disk, backup: Backup) -> Result<Host, RestoreError> {
    let ledger = Ledger::restore(NOW, Params::regtest(), backup, disk)?;
    Ok(Host { ledger, disk: disk.clone() })
}

/// A transaction for a name that makes sense on this chain: claimed by its first owner, then
/// rotated from key to key, sometimes revoked.
fn operation(host: &Host, number: u8, revoke: bool) -> Tx {
    let params = host.ledger.params();
    let name = format!("handle-{number}");
    let record = host.ledger.directory().get(&name.parse().unwrap()).copied();
    let key = |seq: u32| identity(number.wrapping_mul(31).wrapping_add(seq as u8 + 100));
    let next = |seq: u32| NextKey::commit(&key(seq + 1).public_key());
    let expiry = host.time() + 3_000;
    match record {
        None => register(params, &key(0), expiry, (Operation::Claim, 0, next(0), &name)),
        Some(record) => {
            let seq = record.seq + 1;
            // The key that was committed to last, however many revocations came between.
            let turn = (0..=seq).find(|turn| record.next == next(*turn)).unwrap_or(0);
            if revoke && record.active {
                let step = (Operation::Revoke, seq, NextKey::NONE, name.as_str());
                register(params, &key(turn), expiry, step)
            } else {
                let step = (Operation::Rotate, seq, next(turn + 1), name.as_str());
                register(params, &key(turn + 1), expiry, step)
            }
        }
    }
}

/// What a block of the tree does: where it stands, how long it took, and whom it serves.
type Step = (prop::sample::Index, u32, u8, u8, bool);

/// All blocks of a random tree, parents first.
fn tree(steps: &[Step]) -> Vec<Block<Unchecked>> {
    let mut hosts = vec![Host::regtest()];
    let mut all = Vec::new();
    for (number, (parent, after, name, text, revoke)) in steps.iter().enumerate() {
        let mut host = hosts[parent.index(hosts.len())].clone();
        let params = host.ledger.params().clone();
        let mut txs = Vec::new();
        if *text < 6 {
            // Few texts and few moments: branches hold the same transactions now and then.
            let expiry = (host.time() + after).next_multiple_of(1_800) + 1_800;
            let text = format!("text {text}");
            let tx = post(&params, &identity(*name % 3), expiry, &text);
            txs.extend(Some(tx).filter(|tx| !host.ledger.contains(tx)));
        }
        if *name < 4 {
            txs.push(operation(&host, *name, *revoke));
        }
        let mut forge = host.next(*after, &txs);
        // No two blocks are the same, however alike they are.
        if all.iter().any(|block: &Block<Unchecked>| block.id() == forge.id()) {
            forge = host.next(*after + number as u32 + 1, &txs);
        }
        if host.accept(NOW, forge.clone()).is_ok() {
            all.push(forge);
            hosts.push(host);
        }
    }
    all
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = (any::<prop::sample::Index>(), 1u32..900, 0u8..8, 0u8..12, any::<bool>());
    vec(step, 1..25)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Random trees of blocks in random order: the state is a replay of the chain with the most
    /// work, before and after a restart, and what was taken back was never there.
    #[test]
    fn a_reorganised_ledger_equals_its_replay(steps in steps(), seed: u64) {
        let all = tree(&steps);
        let mut waiting = all.clone();
        let mut random = seed;
        let mut host = Host::regtest();
        let mut best = 0;
        while !waiting.is_empty() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let block = waiting.remove((random >> 33) as usize % waiting.len());
            match host.accept(NOW, block.clone()) {
                Ok(update) => check_update(&host, &update),
                Err(error) => {
                    prop_assert_eq!(error.fault(), Fault::Orphan);
                    waiting.push(block);
                }
            }
            let fresh = replay(&host);
            prop_assert_eq!(fresh.state(), host.state());
            prop_assert!(host.ledger.tip().height >= best);
            best = host.ledger.tip().height;
        }
        let deepest = all.iter().filter_map(|block| host.ledger.headers().get(&block.id()));
        prop_assert_eq!(Some(best), deepest.map(|entry| entry.height).max().or(Some(0)));
        for recheck in [0, 3, u32::MAX] {
            let again = restored(&host.disk, backup(&host, recheck)).unwrap();
            prop_assert_eq!(again.state(), host.state());
        }
        prop_assert_eq!(host.disk.records.len(), host.ledger.directory().len());
    }
}

fn check_update(host: &Host, update: &ChainUpdate) {
    let tip = host.ledger.tip().id;
    assert_eq!(update.connected.last().copied().unwrap_or(update.fork), tip);
    assert!(host.ledger.is_on_chain(&update.fork));
    assert!(update.disconnected.iter().all(|id| !host.ledger.is_on_chain(id)));
    assert!(update.returned.iter().all(|tx| !host.ledger.contains(tx)));
    assert_eq!(host.disk.chain.last().copied().unwrap_or(update.fork), tip);
}

/// A chain of `count` blocks on top of a host's, each with an operation or a post now and then.
fn extend(host: &Host, count: u32, after: u32, author: u8) -> Host {
    let mut host = host.clone();
    for number in 0..count {
        let txs = match number % 10 {
            0 => vec![operation(&host, author, number % 30 == 0)],
            5 => {
                let expiry = host.time() + 2_000;
                vec![post(host.ledger.params(), &identity(author), expiry, &format!("{number}"))]
            }
            _ => Vec::new(),
        };
        host.grow(after, &txs);
    }
    host
}

/// CH10: a thousand blocks back, and back again.
#[test]
fn ch10_a_deep_change_of_chains_and_back_is_exact() {
    let start = extend(&Host::regtest(), 20, 60, 1);
    let first = extend(&start, 1_000, 60, 2);
    let second = extend(&start, 1_001, 61, 3);
    let third = extend(&first, 2, 60, 4);
    let mut host = first.clone();
    let began = Instant::now();
    let mut deepest = 0;
    for block in blocks(&second).into_iter().skip(20) {
        let update = host.accept(NOW, block).unwrap();
        deepest = deepest.max(update.deep().unwrap_or(0));
    }
    assert_eq!(deepest, 1_000);
    assert_eq!(host.state(), second.state());
    for block in blocks(&third).into_iter().skip(1_020) {
        let update = host.accept(NOW, block).unwrap();
        assert!(update.connected.is_empty() || update.deep() == Some(1_001));
    }
    assert_eq!(host.state(), third.state());
    println!("1,000 blocks there and back: {:?}", began.elapsed());
    assert_eq!(host.disk.records, third.disk.records);
}

/// CH10: whenever the power goes, what is stored is the chain before an update or after it.
#[test]
fn ch10_a_crash_before_or_after_any_update_loses_nothing() {
    let start = extend(&Host::regtest(), 5, 60, 1);
    let first = extend(&start, 12, 60, 2);
    let second = extend(&start, 14, 61, 3);
    let mut host = first;
    for block in blocks(&second).into_iter().skip(5) {
        let before = (host.disk.clone(), backup(&host, 6), host.state());
        drop(host.accept(NOW, block.clone()).unwrap());
        // The crash came first: the block is not stored. It comes again and all is well.
        let mut again = restored(&before.0, before.1).unwrap();
        assert_eq!(again.state(), before.2);
        match again.accept(NOW, block) {
            Ok(_) => assert_eq!(again.state(), host.state()),
            // Bodies of a side branch are fetched anew.
            Err(error) => assert_eq!(error.fault(), Fault::Orphan),
        }
        let after = restored(&host.disk, backup(&host, 6)).unwrap();
        assert_eq!(after.state(), host.state());
    }
    assert_eq!(host.state(), second.state());
}

/// CH12: a private chain with more work is the chain; the update says what it cost.
#[test]
fn ch12_a_heavier_private_chain_is_adopted_and_named() {
    let start = extend(&Host::regtest(), 3, 60, 1);
    let mut public = start.clone();
    let params = public.ledger.params().clone();
    let post = post(&params, &identity(9), public.time() + 7_000, "undo me");
    public.grow(60, std::slice::from_ref(&post));
    let public = extend(&public, 6, 60, 2);
    let private = extend(&start, 8, 50, 3);
    let mut host = public.clone();
    let mut updates = Vec::new();
    for block in blocks(&private).into_iter().skip(3) {
        updates.push(host.accept(at(private.time()), block).unwrap());
    }
    let (last, before) = updates.split_last().unwrap();
    assert!(before.iter().all(|update| !update.is_change()));
    assert_eq!(last.fork, start.ledger.tip().id);
    let left: Vec<BlockId> = public.disk.chain[3..].iter().rev().copied().collect();
    assert_eq!(last.disconnected, left);
    assert_eq!(last.connected, private.disk.chain[3..]);
    assert!(last.returned.contains(&post), "what can still come into a block comes back");
    assert_eq!(last.deep(), None);
}

/// A branch whose third block is bad never becomes the chain, and its good blocks do not help it.
#[test]
fn a_heavier_branch_with_a_bad_block_changes_nothing() {
    let start = extend(&Host::regtest(), 3, 60, 1);
    let mut host = extend(&start, 3, 60, 2);
    let before = host.state();
    let mut side = extend(&start, 2, 61, 3);
    let mut bad = Forge::new(&side.ledger, side.time() + 61, Vec::new());
    bad.seal.directory_root = [9; 32];
    let bad = bad.block(side.ledger.params());
    let header = *bad.header();
    let mut all: Vec<_> = blocks(&side).into_iter().skip(3).collect();
    all.push(bad.clone());
    for block in &all {
        let update = host.accept(NOW, block.clone()).unwrap();
        assert!(!update.is_change(), "not more work yet, so not judged yet");
    }
    // The next one makes the branch the heaviest, and the bad block is looked at.
    side.ledger.accept_headers(NOW, &[header]).unwrap();
    let mut top = Forge::new(&side.ledger, header.time + 61, Vec::new());
    (top.header.parent, top.seal.height) = (bad.id(), 7);
    let top = top.block(side.ledger.params());
    let error = host.accept(NOW, top.clone()).unwrap_err();
    assert_eq!(error, BlockError::Ancestor { id: bad.id(), rule: "seal-directory" });
    assert_eq!(error.fault(), Fault::Invalid);
    assert_eq!(host.state(), before);
    assert!(host.ledger.headers().is_refused(&bad.id()));
    assert!(host.ledger.headers().get(&top.id()).is_none());
    assert_eq!(host.accept(NOW, top).unwrap_err().rule(), "header-refused");
    // The good part of the branch is still there to be built on.
    let better = extend(&extend(&start, 2, 61, 3), 3, 62, 4);
    for block in blocks(&better).into_iter().skip(3) {
        drop(host.accept(NOW, block).unwrap());
    }
    assert_eq!(host.state(), better.state());
}

#[test]
fn blocks_that_memory_has_dropped_come_from_the_archive_or_the_change_waits() {
    let start = extend(&Host::regtest(), 2, 60, 1);
    let long = extend(&start, 3, 60, 2);
    let other = extend(&start, 4, 61, 3);
    // A ledger that was restarted has nothing in memory.
    let mut again = restored(&long.disk, backup(&long, 0)).unwrap();
    let side: Vec<_> = blocks(&other).into_iter().skip(2).collect();
    let (last, first) = side.split_last().unwrap();
    for block in first {
        assert!(!again.accept(NOW, block.clone()).unwrap().is_change());
    }
    let before = again.state();
    let error = again.ledger.accept_block(NOW, last.clone()).unwrap_err();
    assert!(matches!(error, BlockError::Unavailable(_)) && error.fault() == Fault::Orphan);
    assert_eq!(again.state(), before);
    assert!(again.accept(NOW, last.clone()).unwrap().is_change());
    assert_eq!(again.state(), other.state());
}

/// CH8: with more work, a branch may go around more blocks than undos are kept.
#[test]
fn ch8_a_change_of_chains_beyond_the_undos_does_all_blocks_again() {
    let start = extend(&Host::regtest(), 12, 60, 1);
    let branch = |count, after, author| {
        let mut host = extend(&start, 500, after, author);
        host.grow_empty(count - 500, after);
        host
    };
    let long = branch(Ledger::UNDOS + 8, 60, 2);
    let other = branch(Ledger::UNDOS + 9, 61, 3);
    assert_eq!(long.disk.undo.len(), Ledger::UNDOS as usize, "the older are settled");
    // A ledger that was restarted has nothing in memory.
    let mut again = restored(&long.disk, backup(&long, 0)).unwrap();
    let branch: Vec<_> = blocks(&other).into_iter().skip(12).collect();
    let headers: Vec<Header> = branch.iter().map(|block| *block.header()).collect();
    again.ledger.accept_headers(NOW, &headers).unwrap();
    let mut deepest = 0;
    for block in branch {
        let update = again.accept(NOW, block).unwrap();
        deepest = deepest.max(update.disconnected.len());
    }
    assert_eq!(deepest, Ledger::UNDOS as usize + 8);
    assert_eq!(again.state(), other.state());
    assert_eq!(again.disk.records, other.disk.records);
    // So does one that is to check more than it can take back.
    let again = restored(&long.disk, backup(&long, Ledger::UNDOS + 5)).unwrap();
    assert_eq!(again.state(), long.state());
    let mut bent = backup(&long, Ledger::UNDOS + 5);
    bent.records[0].seq += 1;
    let height = long.ledger.tip().height;
    let error = restored(&long.disk, bent).map(drop).unwrap_err();
    assert_eq!(error, RestoreError::Directory { height });
}

#[test]
fn branches_that_have_become_deep_are_given_up_with_their_blocks() {
    let start = extend(&Host::regtest(), 3, 60, 1);
    let (mut host, side) = (start.clone(), extend(&start, 2, 61, 2));
    host.grow_empty(3, 60);
    for block in blocks(&side).into_iter().skip(3) {
        assert!(!host.accept(NOW, block).unwrap().is_change());
    }
    let stale = side.ledger.tip().id;
    host.grow_empty(Ledger::UNDOS - 100, 60);
    assert!(host.disk.blocks.contains_key(&stale) && host.ledger.has_block(&stale));
    host.grow_empty(200, 60);
    assert!(!host.disk.blocks.contains_key(&stale) && !host.ledger.has_block(&stale));
    // The first block, and the chain.
    assert_eq!(host.disk.blocks.len(), host.disk.chain.len() + 1);
    assert_eq!(host.ledger.headers().side_len(), 0);
}

#[test]
fn a_backup_that_does_not_fit_is_refused() {
    let host = extend(&Host::regtest(), 30, 60, 1);
    let error = |change: &dyn Fn(&mut Backup)| {
        let mut backup = backup(&host, 10);
        change(&mut backup);
        restored(&host.disk, backup).map(drop).unwrap_err()
    };
    assert_eq!(error(&|backup| backup.tip = BlockId::new([7; 32])), RestoreError::Tip);
    let directory = error(&|backup| backup.records[0].seq += 1);
    assert!(matches!(directory, RestoreError::Directory { .. }), "{directory}");
    let header = error(&|backup| backup.headers[3].nonce ^= 1);
    assert!(matches!(header, RestoreError::Header(_)), "{header}");
    let lost = |id: BlockId, recheck| {
        let mut disk = host.disk.clone();
        disk.blocks.remove(&id);
        restored(&disk, backup(&host, recheck)).map(drop)
    };
    let old = host.disk.chain[25];
    let missing = RestoreError::Block(BlockError::Unavailable(old));
    assert_eq!(lost(old, 10), Err(missing));
    // An older one is not looked at: with no transaction that still counts, it need not be there.
    let swapped = {
        let mut disk = host.disk.clone();
        let other = disk.blocks[&host.disk.chain[24]].clone();
        disk.blocks.insert(old, other);
        restored(&disk, backup(&host, 10)).map(drop)
    };
    assert_eq!(swapped, Err(missing), "another block under its name");
}

#[test]
fn an_audit_looks_at_every_block_and_names_the_one_that_was_changed() {
    let host = extend(&Host::regtest(), 30, 60, 1);
    let audit = host.ledger.audit(0..=30, &host.disk).unwrap();
    assert_eq!((audit.blocks, audit.txs), (31, 6));
    let mut again = restored(&host.disk, backup(&host, 0)).unwrap();
    let id = host.disk.chain[9];
    let mut bytes = again.disk.blocks[&id].to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    again.disk.blocks.insert(id, bytes.into());
    let error = again.ledger.audit(0..=30, &again.disk).unwrap_err();
    assert_eq!((error.height, error.source), (10, BlockError::Unavailable(id)));
    assert!(again.ledger.audit(11..=30, &again.disk).is_ok());
}

#[test]
fn a_known_block_changes_nothing() {
    let host = extend(&Host::regtest(), 3, 60, 1);
    let mut again = host.clone();
    for block in blocks(&host) {
        let update = again.accept(NOW, block).unwrap();
        assert!(!update.is_change() && update.store.is_empty());
    }
    let genesis = Block::decode(host.ledger.params().genesis().clone()).unwrap();
    assert!(!again.accept(NOW, genesis).unwrap().is_change());
    assert_eq!(again.state(), host.state());
}

#[test]
fn a_block_whose_parent_has_only_a_header_waits() {
    let host = extend(&Host::regtest(), 3, 60, 1);
    let all = blocks(&host);
    let mut late = Host::regtest();
    let headers: Vec<_> = all.iter().map(|block| *block.header()).collect();
    late.ledger.accept_headers(NOW, &headers).unwrap();
    assert_eq!(late.accept(NOW, all[1].clone()).unwrap_err().rule(), "header-parent");
    for block in all {
        assert!(late.accept(NOW, block).unwrap().is_change());
    }
    assert_eq!(late.state(), host.state());
}

/// Signatures are looked at once per transaction, whoever brought it.
#[test]
fn known_signatures_cost_hashes_only() {
    let mut host = Host::regtest();
    let params = host.ledger.params().clone();
    let expiry = host.time() + 1_000;
    let txs: Vec<Tx> = (0..10).map(|at| post(&params, &identity(at), expiry, "hi")).collect();
    let block = host.next(60, &txs);
    let checks = host.ledger.sig_checks(NOW, &block);
    assert_eq!(checks.len(), 10);
    host.ledger.trust(whisper_core::ledger::verify_all(&checks[..7]));
    assert_eq!(host.ledger.sig_checks(NOW, &block).len(), 3);
    drop(host.accept(NOW, block.clone()).unwrap());
    assert!(host.ledger.sig_checks(NOW, &block).is_empty());
    let index: BTreeMap<_, _> = host.disk.chain.iter().zip(1u32..).collect();
    assert_eq!(index[&block.id()], host.ledger.tip().height);
}
