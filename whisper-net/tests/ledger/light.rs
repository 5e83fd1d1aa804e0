//! Light ledgers on nodes that run: they follow headers, and believe no peer without a proof.

use std::sync::atomic::Ordering;
use std::time::Duration;

use whisper_core::ledger::BlockId;
use whisper_core::ledger::Message;
use whisper_core::ledger::Name;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_net::ledger::LightError;
use whisper_net::ledger::LightEvent;
use whisper_net::ledger::QuestionError;
use whisper_net::memory::Faults;
use whisper_net::memory::MemoryNetwork;

use crate::member::Member;
use crate::member::claim;
use crate::member::eventually;
use crate::member::identity;
use crate::phone::Phone;
use crate::phone::answer_all;

/// What a phone learns from a member, over whatever wire.
async fn a_phone_verifies(member: Member, phone: Phone) {
    let [alice, nobody]: [Name; 2] = ["alice", "nobody"].map(|name| name.parse().unwrap());
    let owner = claim(&member, alice).await;
    let post = member.post("to be proven").await;
    let block = member.mine().await;
    let mut events = phone.ledger.events().await.unwrap();
    phone.follow(&member).await;
    let ready = events.next().await.unwrap().unwrap();
    assert!(matches!(&ready, LightEvent::Ready { status, .. } if status.height == 2), "{ready:?}");
    let tip = events.next().await.unwrap().unwrap();
    assert!(matches!(tip, LightEvent::Tip { id, height: 2 } if id == block), "{tip:?}");

    let found = phone.ledger.look_up(alice).await.unwrap();
    assert_eq!(found.record.unwrap().owner, owner);
    assert_eq!((found.proven.height, found.proven.confirmations), (1, 2));
    assert_eq!(found.header, phone.ledger.tip().await.unwrap().header);
    assert_eq!(found.proof.verify(&found.header, &alice), Ok(()));
    let same = member.ledger.look_up(alice).await.unwrap().unwrap();
    assert_eq!((same.record, same.proven, same.header), (found.record, found.proven, found.header));

    let none = phone.ledger.look_up(nobody).await.unwrap();
    assert_eq!(none.record, None);
    assert_eq!((none.proven.height, none.proven.confirmations), (2, 1));
    assert_eq!(none.proof.verify(&none.header, &nobody), Ok(()));

    member.mine().await;
    eventually(|| async { phone.ledger.tip().await.unwrap().height == 3 }).await;
    let (proof, proven) = phone.ledger.prove(block, post.id()).await.unwrap();
    assert_eq!((proof.tx.id(), proven.height, proven.confirmations), (post.id(), 2, 2));
    let elsewhere = phone.ledger.at(1).await.unwrap().unwrap().id;
    let unproven = phone.ledger.prove(elsewhere, post.id()).await.unwrap_err();
    assert_eq!(unproven, QuestionError::Unanswered);
    let peers = phone.ledger.peers().await.unwrap();
    assert_eq!(peers.len(), 1, "a peer that cannot prove what is not so is not to blame");
    phone.node.shutdown().await;
    let closed = phone.ledger.look_up(alice).await.unwrap_err();
    assert!(matches!(closed, QuestionError::Closed(_)), "{closed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_verifies_handles_and_posts_without_blocks() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let member = Member::memory(&network, "member", &params).await;
    a_phone_verifies(member, Phone::memory(&network, &params).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_verifies_handles_and_posts_over_rlpx() {
    let params = Params::regtest();
    a_phone_verifies(Member::rlpx(&params).await, Phone::rlpx(&params).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_forges_a_proof_is_disconnected_and_the_next_is_asked() {
    // A disconnected peer does not come back.
    let faults = Faults { redial: Duration::from_secs(3_600), ..Faults::default() };
    let (params, network) = (Params::regtest(), MemoryNetwork::with_faults(0, faults));
    let member = Member::memory(&network, "member", &params).await;
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&member, alice).await;
    let mut forged = member.ledger.look_up(alice).await.unwrap().unwrap().proof;
    forged.record.as_mut().unwrap().owner = identity().public_key().to_compressed();
    let forged = Message::Proof(Proof::Name(forged).encode());
    let lies = answer_all(&network, "adversary", &params, Some(forged));

    let phone = Phone::memory(&network, &params).await;
    // Peers are asked in the order in which they came.
    phone.node.dial("memory:adversary").await.unwrap();
    eventually(|| async { phone.ledger.peers().await.unwrap().iter().any(|p| p.work.is_some()) })
        .await;
    phone.follow(&member).await;
    let mut late = phone.ledger.events().await.unwrap();
    for _ in 0..2 {
        let first = late.next().await.unwrap();
        assert!(
            matches!(first, Ok(LightEvent::Ready { .. })),
            "those that are there, first: {first:?}"
        );
    }
    assert_eq!(phone.ledger.peers().await.unwrap().len(), 2);
    let found = phone.ledger.look_up(alice).await.unwrap();
    assert_eq!(found.record.unwrap().owner, owner);
    assert_eq!(lies.load(Ordering::Relaxed), 1);
    assert_eq!(phone.ledger.peers().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_nobody_can_answer_ends() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let phone = Phone::memory(&network, &params).await;
    let alice: Name = "alice".parse().unwrap();
    let begin = std::time::Instant::now();
    let alone = phone.ledger.look_up(alice).await.unwrap_err();
    assert_eq!(alone, QuestionError::Unanswered);
    assert!(begin.elapsed() < Duration::from_secs(5), "without peers there is nothing to wait for");

    // A peer that is silent is waited for; if it goes, no peer can answer.
    let asked = answer_all(&network, "silent", &params, None);
    phone.node.dial("memory:silent").await.unwrap();
    eventually(|| async { phone.ledger.peers().await.unwrap().iter().any(|p| p.work.is_some()) })
        .await;
    let leave = async {
        eventually(|| async { asked.load(Ordering::Relaxed) == 1 }).await;
        for peer in phone.node.peers().await.unwrap() {
            phone.node.disconnect(peer.info.peer).await.unwrap();
        }
    };
    let (unanswered, ()) = tokio::join!(phone.ledger.look_up(alice), leave);
    assert_eq!(unanswered.unwrap_err(), QuestionError::Unanswered);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_end_well_while_the_chain_moves_and_a_caller_that_stops_waiting_costs_nothing() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let member = Member::memory(&network, "member", &params).await;
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&member, alice).await;
    let phone = Phone::memory(&network, &params).await;
    phone.follow(&member).await;
    for _ in 0..200 {
        // Begun, and left.
        let left = phone.ledger.look_up(alice);
        let _ = tokio::time::timeout(Duration::from_micros(200), left).await;
    }
    let mut all = Vec::new();
    for _ in 0..100 {
        let ledger = phone.ledger.clone();
        all.push(tokio::spawn(async move { ledger.look_up(alice).await }));
    }
    for found in all {
        assert_eq!(found.await.unwrap().unwrap().record.unwrap().owner, owner);
    }
    let begin = phone.ledger.tip().await.unwrap().height;
    let height = async || phone.ledger.tip().await.unwrap().height;
    // As fast as it goes, since blocks cost nothing here, but no further than peers can prove from.
    let end = begin + 60;
    let mine = async {
        for _ in begin..end {
            member.ledger.mine().await.unwrap().found().await.unwrap();
        }
    };
    let ask = async {
        while height().await < end {
            let found = phone.ledger.look_up(alice).await.unwrap();
            assert_eq!(found.record.unwrap().owner, owner);
        }
    };
    tokio::join!(mine, ask);
    let late = phone.ledger.look_up(alice).await.unwrap();
    assert!(late.proven.confirmations > 10);
    assert_eq!(phone.ledger.peers().await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_phone_begins_at_an_anchor_and_gives_one_to_begin_at_again() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let member = Member::memory(&network, "member", &params).await;
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&member, alice).await;
    let begin = Phone::memory(&network, &params).await;
    assert_eq!(begin.ledger.anchor().await.unwrap(), None, "the first block serves as well");
    let height = member.mine_until(2_950).await;
    begin.follow(&member).await;
    let anchor = begin.ledger.anchor().await.unwrap().expect("the chain is long");
    assert_eq!(anchor.height, height - 2_880);
    begin.node.shutdown().await;

    let mut foreign = anchor.clone();
    foreign.headers[3].parent = BlockId::NONE;
    let refused = Phone::from(&network, &params, Some(foreign)).await.err();
    assert!(matches!(refused, Some(LightError::Anchor(_))), "{refused:?}");
    let phone = Phone::from(&network, &params, Some(anchor.clone())).await.unwrap();
    assert_eq!(phone.ledger.tip().await.unwrap().height, anchor.height);
    phone.follow(&member).await;
    assert_eq!(phone.ledger.look_up(alice).await.unwrap().record.unwrap().owner, owner);
    assert_eq!(phone.ledger.at(0).await.unwrap(), None);
    assert_eq!(phone.ledger.anchor().await.unwrap(), Some(anchor), "until a newer one is deep");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newest_block_that_no_peer_has_does_not_stand_in_the_way_of_a_proof() {
    let (params, network) = (Params::regtest(), MemoryNetwork::new());
    let member = Member::memory(&network, "member", &params).await;
    let rival = Member::memory(&network, "rival", &params).await;
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&member, alice).await;
    rival.dial(&member).await;
    eventually(|| async { rival.ledger.overview().await.unwrap().tip.height == 1 }).await;
    rival.leave_all().await;
    let withheld = rival.mine().await;
    let phone = Phone::memory(&network, &params).await;
    phone.follow(&rival).await;
    phone.node.dial("memory:member").await.unwrap();
    rival.end().await;
    eventually(|| async {
        let peers = phone.ledger.peers().await.unwrap();
        peers.len() == 1 && peers[0].height == 1
    })
    .await;
    assert_eq!(phone.ledger.tip().await.unwrap().id, withheld);
    let found = phone.ledger.look_up(alice).await.unwrap();
    assert_eq!(found.record.unwrap().owner, owner);
    assert_eq!(found.header, phone.ledger.at(1).await.unwrap().unwrap().header);
    assert_eq!((found.proven.height, found.proven.confirmations), (1, 2));
}

/// From the first block every peer proves that nobody has a name.
#[tokio::test(flavor = "multi_thread")]
async fn a_question_waits_for_headers_that_are_under_way() {
    let latency = Duration::from_millis(100);
    let faults = Faults { latency: latency..=latency, ..Faults::default() };
    let (params, network) = (Params::regtest(), MemoryNetwork::with_faults(0, faults));
    let member = Member::memory(&network, "member", &params).await;
    let alice: Name = "alice".parse().unwrap();
    let owner = claim(&member, alice).await;
    let phone = Phone::memory(&network, &params).await;
    let mut events = phone.ledger.events().await.unwrap();
    phone.node.dial("memory:member").await.unwrap();
    while !matches!(events.next().await.unwrap(), Ok(LightEvent::Ready { .. })) {}
    let found = phone.ledger.look_up(alice).await.unwrap();
    assert_eq!(found.record.map(|record| record.owner), Some(owner));
}
