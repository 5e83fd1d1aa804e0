//! Ledgers on nodes that run: they mine against each other, part, and agree again.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod light;
mod member;
mod phone;

use std::time::Duration;
use std::time::Instant;

use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Name;
use whisper_core::ledger::Params;
use whisper_core::time::Timestamp;
use whisper_net::Clock;
use whisper_net::Config;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::ledger;
use whisper_net::ledger::LedgerConfig;
use whisper_net::ledger::LedgerEvent;
use whisper_net::ledger::SubmitError;
use whisper_net::memory::MemoryNetwork;
use whisper_net::transport::DisconnectReason;

use self::member::BOTH;
use self::member::Member;
use self::member::agree;
use self::member::claim;
use self::member::clock;
use self::member::eventually;
use self::phone::Phone;

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_part_and_heal_a_fourth_fetches_two_thousand_blocks_and_a_phone_needs_none() {
    let params = Params::regtest();
    let mut members = Vec::new();
    for _ in 0..3 {
        members.push(Member::rlpx(&params).await);
    }
    let [one, two, three] = &members[..] else { panic!("three members") };
    two.dial(one).await;
    three.dial(one).await;
    three.dial(two).await;
    eventually(|| async { one.ledger.peers().await.unwrap().len() == 2 }).await;
    let first = one.post("before the split").await;
    for turn in 0..3 {
        // All search at once; a late one goes on from the others' block.
        let found = tokio::join!(one.mine(), two.mine(), three.mine());
        assert_ne!(found.0, found.1, "turn {turn}");
        let highest = highest(&members).await;
        eventually(|| async {
            members[turn].ledger.overview().await.unwrap().tip.height == highest
        })
        .await;
        members[turn].mine().await;
        agree(&members).await;
    }
    let proof = three.ledger.prove(first.id()).await.unwrap().expect("it stands in a block");
    let block = three.ledger.at(proof.seal.seal.height).await.unwrap().unwrap();
    assert_eq!(proof.verify(&block.header), Ok(()));

    three.leave_all().await;
    let mut events = three.ledger.events().await.unwrap();
    let lonely = three.post("on the weaker side").await;
    three.mine().await;
    assert!(three.ledger.prove(lonely.id()).await.unwrap().is_some());
    for _ in 0..3 {
        one.mine().await;
    }
    agree(&members[..2]).await;
    three.dial(one).await;
    agree(&members).await;
    let change = loop {
        match events.next().await.unwrap().unwrap() {
            LedgerEvent::Changed(change) if !change.disconnected.is_empty() => break change,
            _ => {}
        }
    };
    assert_eq!((change.disconnected.len(), &change.returned[..]), (1, &[lonely.id()][..]));
    assert!(three.ledger.prove(lonely.id()).await.unwrap().is_none());
    assert_eq!(three.ledger.pending().await.unwrap().len(), 1, "what left the chain waits again");
    three.mine().await;
    agree(&members).await;
    assert!(one.ledger.prove(lonely.id()).await.unwrap().is_some());
    let tip = one.ledger.overview().await.unwrap().tip;
    let peers = one.ledger.peers().await.unwrap();
    assert!(peers.iter().all(|peer| peer.height <= tip.height));
    let audit = two.ledger.audit(1..=u32::MAX).await.unwrap();
    assert_eq!((audit.blocks, audit.txs), (tip.height, 2));
    grown_up(members, &params).await;
}

/// The height of the highest chain, which some may not have heard of yet.
async fn highest(members: &[Member]) -> u32 {
    let mut highest = 0;
    for member in members {
        highest = highest.max(member.ledger.overview().await.unwrap().tip.height);
    }
    highest
}

/// Members whose chain has grown long take in one more, and prove a name to a phone.
async fn grown_up(mut members: Vec<Member>, params: &Params) {
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&members[0], alice).await;
    agree(&members).await;
    members[0].mine_until(2_000).await;
    agree(&members).await;

    let fourth = Member::rlpx(params).await;
    let begin = Instant::now();
    fourth.dial(&members[0]).await;
    fourth.dial(&members[1]).await;
    members.push(fourth);
    agree(&members).await;
    println!("2,000 blocks in {:?}", begin.elapsed());

    let phone = Phone::rlpx(params).await;
    phone.follow(&members[3]).await;
    let found = phone.ledger.look_up(alice).await.unwrap();
    assert_eq!(found.record.unwrap().owner, owner);
    assert!(found.proven.confirmations > 1_900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ledger_goes_on_where_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = Some(folder.path().join("ledger"));
    let config = LedgerConfig { path, clock: clock(), ..LedgerConfig::new(Params::regtest()) };
    let network = MemoryNetwork::new();
    let member = Member::with(&network, "one", config.clone()).await;
    let post = member.post("to stay").await;
    member.mine().await;
    let tip = member.ledger.overview().await.unwrap().tip;
    let busy = ledger::open(config.clone()).await.unwrap_err();
    assert_eq!(busy, ledger::OpenError::Busy);
    member.end().await;
    let mut again = ledger::open(config.clone()).await;
    // The last step may not have ended.
    while matches!(again, Err(ledger::OpenError::Busy)) {
        tokio::time::sleep(Duration::from_millis(10)).await;
        again = ledger::open(config.clone()).await;
    }
    assert_eq!(again.unwrap().ledger().tip(), tip);
    let member = Member::with(&network, "one", config).await;
    assert!(member.ledger.prove(post.id()).await.unwrap().is_some());
    let refused = member.ledger.submit(post).await.unwrap_err();
    assert!(matches!(refused, SubmitError::Refused(_)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_another_chain_is_of_no_use() {
    let network = MemoryNetwork::new();
    let one = Member::memory(&network, "one", &Params::regtest()).await;
    let other = Member::memory(&network, "other", &Params::test()).await;
    let mut events = one.node.events().await.unwrap();
    one.dial(&other).await;
    let how = loop {
        if let Ok(Event::Disconnected { how, .. }) = events.next().await.unwrap() {
            break how;
        }
    };
    assert!(matches!(how, DisconnectReason::Local | DisconnectReason::Remote), "{how:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_outlive_a_ledger_that_has_not_begun_or_has_ended() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let clock = Clock::paused_from(Timestamp::from_secs(1_800_000_000));
    let start = |name| {
        let transport = network.transport_with(name, &BOTH);
        whisper_net::start(Config { clock: clock.clone(), ..Config::new(transport) }).unwrap()
    };
    let serve = async |node: &Handle| {
        let config = LedgerConfig { clock: clock.clone(), ..LedgerConfig::new(params.clone()) };
        ledger::open(config).await.unwrap().serve(node).await.unwrap()
    };
    let connections = async |node: &Handle| {
        let peers = node.peers().await.unwrap();
        peers.iter().map(|peer| peer.info.peer).collect::<Vec<_>>()
    };
    let while_ago = || tokio::time::sleep(Duration::from_secs(120));

    let (one, bare) = (start("one"), start("bare"));
    let ledger = serve(&one).await;
    one.dial("memory:bare").await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let first = connections(&one).await;
    while_ago().await;
    assert_eq!((first.len(), connections(&one).await), (1, first.clone()));
    assert_eq!(ledger.peers().await.unwrap()[0].work, None);
    let late = serve(&bare).await;
    while_ago().await;
    assert!(ledger.peers().await.unwrap()[0].work.is_some(), "it may begin at any time");

    drop(late);
    let third = start("third");
    let newer = serve(&third).await;
    third.dial("memory:bare").await.unwrap();
    while_ago().await;
    let peers = newer.peers().await.unwrap();
    assert_eq!(
        (peers.len(), peers[0].work),
        (1, Some(ChainWork::ZERO)),
        "it has nothing, and says so"
    );
    assert_eq!(connections(&one).await, first);

    // One that takes the place of another meets the peers that were there.
    let again = serve(&bare).await;
    while_ago().await;
    assert!(again.peers().await.unwrap().iter().all(|peer| peer.work.is_some()));
    assert_eq!(again.peers().await.unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_tells_how_far_it_is_and_ends_when_nobody_waits() {
    let member = Member::memory(&MemoryNetwork::new(), "one", &Params::main()).await;
    let mut mining = member.ledger.mine().await.unwrap();
    let progress = loop {
        mining.changed().await;
        // Luck may bring a block of 2^24 hashes within a blink.
        let Some(progress) = mining.progress() else { return };
        if progress.hashes > 0 {
            break progress;
        }
    };
    assert!(progress.per_second > 0.0);
    assert!((progress.expected / f64::from(1 << 24) - 1.0).abs() < 0.01);
    drop(mining);
    let mut second = member.ledger.mine().await.unwrap();
    second.changed().await;
    let begun_anew = second.progress().is_none_or(|now| now.hashes <= progress.hashes * 8);
    assert!(begun_anew, "progress is that of the request");
}
