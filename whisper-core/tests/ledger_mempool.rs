//! What waits for a block, and what gets into one.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use std::collections::BTreeMap;

use whisper_core::identity::Identity;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::Mempool;
use whisper_core::ledger::MempoolError;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::RegisterError;
use whisper_core::ledger::Template;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxError;
use whisper_core::ledger::TxRating;
use whisper_core::ledger::Verified;
use whisper_core::time::Timestamp;

use crate::forge::Forge;
use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;
use crate::forge::register;

fn now(host: &Host) -> Timestamp {
    at(host.time())
}

fn claim(host: &Host, author: &Identity, name: &str) -> Tx {
    let claim = (Operation::Claim, 0, NextKey::NONE, name);
    register(host.ledger.params(), author, host.time() + 7_000, claim)
}

#[test]
fn what_could_not_stand_in_the_next_block_does_not_wait() {
    let mut host = Host::regtest();
    let mut pool = Mempool::new();
    let params = Params::regtest();
    let (time, author) = (host.time(), identity(1));
    let mut submit = |tx: Tx| pool.submit(at(time), tx, &mut host.ledger);
    let fine = post(&params, &author, time + 600, "hello");
    assert_eq!(submit(fine.clone()), Ok(()));
    assert_eq!(submit(fine.clone()), Err(TxError::Duplicate.into()));
    let late = post(&params, &author, time, "late");
    assert_eq!(submit(late), Err(TxError::Expiry.into()));
    let early = post(&params, &author, time + 7_201, "early");
    assert_eq!(submit(early), Err(TxError::Expiry.into()));
    let mut forged = post(&params, &author, time + 600, "forged").as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let forged = Tx::decode(&forged, params.chain_tag()).unwrap();
    assert_eq!(submit(forged), Err(TxError::Signature.into()));
    // Another topic after the search: the id is as good as drawn, and shows less than it must.
    let lazy = (0..50).map(|text| post(&params, &author, time + 600, &text.to_string()));
    let lazy = lazy.filter_map(|tx| {
        Tx::decode(&[&tx.as_bytes()[..39], &[7], &tx.as_bytes()[40..]].concat(), params.chain_tag())
            .ok()
    });
    let refused = lazy.map(submit).filter(|result| *result == Err(TxError::Work.into())).count();
    assert!(refused > 40);
}

#[test]
fn one_operation_waits_for_each_name() {
    let mut host = Host::regtest();
    let mut pool = Mempool::new();
    let time = now(&host);
    let (first, second) =
        (claim(&host, &identity(1), "alice"), claim(&host, &identity(2), "alice"));
    assert_eq!(pool.submit(time, first.clone(), &mut host.ledger), Ok(()));
    assert_eq!(pool.submit(time, second.clone(), &mut host.ledger), Err(MempoolError::Busy));
    host.grow(60, &[first]);
    let taken = TxError::from(RegisterError::Taken);
    assert_eq!(pool.submit(time, second, &mut host.ledger), Err(taken.into()));
}

#[test]
fn the_pool_follows_the_chain() {
    let mut host = Host::regtest();
    let mut pool = Mempool::new();
    let params = Params::regtest();
    let time = now(&host);
    let (ours, theirs) = (claim(&host, &identity(1), "alice"), claim(&host, &identity(2), "alice"));
    let (kept, mined) = (
        post(&params, &identity(3), host.time() + 7_000, "kept"),
        post(&params, &identity(3), host.time() + 7_000, "mined"),
    );
    let brief = post(&params, &identity(3), host.time() + 30, "brief");
    for tx in [&ours, &kept, &mined, &brief] {
        pool.submit(time, tx.clone(), &mut host.ledger).unwrap();
    }
    let mut other = host.clone();
    let block = host.next(60, &[theirs, mined.clone()]);
    let update = host.accept(at(host.time() + 60), block).unwrap();
    pool.follow(now(&host), &mut host.ledger, &update);
    // Mined, made void and expired: all but one are gone.
    assert_eq!(pool.iter().map(|(tx, _)| tx.id()).collect::<Vec<_>>(), [kept.id()]);
    // Another branch takes the block back, and what it held comes back with it.
    for _ in 0..2 {
        other.grow(61, &[]);
    }
    for id in &other.disk.chain {
        let block = whisper_core::ledger::Block::decode(other.disk.blocks[id].clone()).unwrap();
        let update = host.accept(now(&other), block).unwrap();
        pool.follow(now(&other), &mut host.ledger, &update);
    }
    assert_eq!(host.state(), other.state());
    assert!(pool.get(&mined.id()).is_some() && pool.get(&kept.id()).is_some());
    assert!(pool.bytes() >= mined.as_bytes().len());
    pool.expire(at(u32::MAX));
    assert_eq!((pool.len(), pool.bytes(), pool.is_empty()), (0, 0, true));
}

/// CH16: a flood leaves the best rated within 8 MiB, the floor rises, and falls again.
#[test]
fn ch16_a_flood_leaves_the_best_and_raises_the_floor() {
    let mut host = Host::regtest();
    let mut pool = Mempool::new();
    let params = Params::regtest();
    let time = now(&host);
    // The longest posts, so that few fill the pool; one author's signatures, made beforehand.
    let text = "x".repeat(1_024);
    let author = identity(1);
    let mut ratings = BTreeMap::new();
    let mut refused = 0;
    for number in 0..7_800u32 {
        let text = format!("{number:04}{}", &text[4..]);
        let tx = post(&params, &author, host.time() + 7_000, &text);
        ratings.insert((TxRating::of(&tx), tx.id()), ());
        match pool.submit(time, tx, &mut host.ledger) {
            Ok(()) => {}
            Err(error) => {
                assert_eq!(error, MempoolError::Underrated);
                refused += 1;
            }
        }
        assert!(pool.bytes() <= Mempool::BYTES_MAX);
    }
    assert!(refused > 0 && pool.floor(time) > TxRating::default());
    let held: Vec<_> = pool.iter().map(|(tx, rating)| (rating, tx.id())).collect();
    assert!(held.is_sorted_by(|a, b| a.0 >= b.0));
    let best: Vec<_> = ratings.keys().rev().take(held.len()).copied().collect();
    let common = held.iter().filter(|one| best.contains(one)).count();
    assert_eq!(common, held.len(), "those that stay are the best that ever came");
    let floor = pool.floor(time).as_u128();
    let after = |secs: u64| {
        let later = time.saturating_add(core::time::Duration::from_secs(secs));
        pool.floor(later).as_u128()
    };
    assert_eq!((after(599), after(600), after(1_800)), (floor, floor / 2, floor / 8));
    assert_eq!(after(1_000_000), 0);
}

/// CH16: no author has more than four transactions in a block.
#[test]
fn ch16_one_author_fills_no_block() {
    let mut host = Host::regtest();
    let mut pool = Mempool::new();
    let params = Params::regtest();
    let time = now(&host);
    for number in 0..20 {
        for author in [1, 2] {
            let tx = post(&params, &identity(author), host.time() + 7_000, &format!("{number}"));
            pool.submit(time, tx, &mut host.ledger).unwrap();
        }
    }
    let selected = pool.select(&host.ledger);
    assert_eq!(selected.len(), 8);
    let ratings: Vec<TxRating> = selected.iter().map(TxRating::of).collect();
    assert!(ratings.is_sorted_by(|a, b| a >= b));
    let template = Template::new(at(host.time() + 60), &host.ledger, selected, b"me").unwrap();
    assert_eq!(template.txs().len(), 8);
    let mut miner = BlockMiner::new(template);
    let block = miner.search(10_000).expect("every other hash fits");
    let update = host.accept(at(host.time() + 60), block).unwrap();
    pool.follow(now(&host), &mut host.ledger, &update);
    assert_eq!(pool.len(), 32);
}

/// CH16: half of a block is for those who have had a name for a day, whatever others spend.
#[test]
fn ch16_half_of_a_block_is_for_owners_of_old_names() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let claims: Vec<Tx> =
        (0..60).map(|at| claim(&host, &identity(at), &format!("owner-{at}"))).collect();
    host.grow(60, &claims);
    for _ in 0..720 {
        host.grow(1, &[]);
    }
    let mut pool = Mempool::new();
    let time = now(&host);
    let long = "x".repeat(1_000);
    let mut submit = |author: &Identity, number: u8| {
        let tx = post(&params, author, host.time() + 7_000, &format!("{long}{number}"));
        pool.submit(time, tx, &mut host.ledger).unwrap();
    };
    for number in 0..4 {
        (0..60).for_each(|author| submit(&identity(author), number));
        (100..180).for_each(|author| submit(&identity(author), number));
    }
    let selected = pool.select(&host.ledger);
    let owners: Vec<[u8; 33]> =
        (0..60).map(|author| identity(author).public_key().to_compressed()).collect();
    let own = selected.iter().filter(|tx| owners.contains(&tx.author())).count();
    let bytes = |tx: &Tx| tx.as_bytes().len() + 2;
    let all: usize = selected.iter().map(bytes).sum();
    let theirs: usize = selected.iter().filter(|tx| owners.contains(&tx.author())).map(bytes).sum();
    assert!(all > 255_000 && all <= 262_144, "{all}");
    assert!(theirs > 125_000, "{theirs}");
    assert!(own < selected.len(), "others have the rest");
    let template = Template::new(time, &host.ledger, selected, b"").unwrap();
    let block = BlockMiner::new(template).search(10_000).unwrap();
    assert!(block.bytes().len() <= 262_144);
    assert!(host.accept(at(host.time() + 1), block).unwrap().is_change());
}

#[test]
fn a_template_leaves_out_what_cannot_stand_in_it() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let time = host.time();
    let done = post(&params, &identity(1), time + 7_000, "done");
    host.grow(60, std::slice::from_ref(&done));
    let late = post(&params, &identity(1), host.time() + 60, "late");
    let fine = post(&params, &identity(1), host.time() + 600, "fine");
    let (first, second) =
        (claim(&host, &identity(1), "alice"), claim(&host, &identity(2), "alice"));
    let txs = [done, late, fine.clone(), first.clone(), second];
    let template = Template::new(at(host.time() + 60), &host.ledger, txs, b"").unwrap();
    assert_eq!(template.txs(), [fine, first]);
    assert_eq!(template.parent(), host.ledger.tip().id);
    let block = BlockMiner::new(template).search(1_000).unwrap();
    drop(host.accept(at(host.time() + 60), block).unwrap());
    assert_eq!(host.ledger.directory().len(), 1);
}

#[test]
fn a_block_mined_when_the_clock_stands_still_is_later_than_the_median() {
    let mut host = Host::regtest();
    let time = now(&host);
    for height in 1..=30 {
        let template = Template::new(time, &host.ledger, [], b"").unwrap();
        let block = BlockMiner::new(template).search(1_000).unwrap();
        assert!(host.accept(time, block).unwrap().is_change(), "{height}");
    }
}

#[test]
fn ratings_are_work_for_length() {
    let host = Host::regtest();
    let params = host.ledger.params();
    let (short, long) = (
        post(params, &identity(1), host.time() + 600, "short"),
        post(params, &identity(1), host.time() + 600, &"long".repeat(200)),
    );
    for tx in [&short, &long] {
        let id = tx.id();
        let top = u64::from_le_bytes(id.as_bytes()[24..].try_into().unwrap());
        let rating =
            u128::from(u64::MAX) / (u128::from(top) + 1) * 256 / tx.as_bytes().len() as u128;
        assert_eq!(TxRating::of(tx).as_u128(), rating);
    }
    // No token can be made but by checking.
    let token: fn(&whisper_core::ledger::SigCheck) -> Result<Verified, TxError> =
        whisper_core::ledger::SigCheck::verify;
    assert!(token(&whisper_core::ledger::SigCheck::of(&short)).is_ok());
    assert!(matches!(short.payload(), Ok(Payload::Post(_))));
    let forge = Forge::new(&host.ledger, host.time() + 1, Vec::new());
    assert_eq!(forge.seal.height, 1);
}
