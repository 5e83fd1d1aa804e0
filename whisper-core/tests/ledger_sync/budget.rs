//! What a peer may cost: sockets that take nothing, requests, proofs, signatures.

use std::time::Duration;

use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Question;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;

use crate::forge::Host;
use crate::forge::identity;
use crate::forge::post;
use crate::single::OTHER;
use crate::single::PEER;
use crate::single::Single;
use crate::single::cut;
use crate::single::sent;
use crate::single::transmitted;

/// A chain of eight blocks that are nearly full.
fn full_blocks() -> Host {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let long = "x".repeat(1_000);
    for _ in 0..8 {
        let txs: Vec<_> =
            (0..200).map(|at| post(&params, &identity(at), host.time() + 7_000, &long)).collect();
        host.grow(60, &txs);
    }
    host
}

fn bytes(outputs: &[Output]) -> usize {
    outputs.iter().filter_map(transmitted).map(|(_, bytes)| bytes).sum()
}

/// A socket that takes all at once must not make us read the chain for it without end.
#[test]
fn a_peer_that_takes_everything_is_served_at_a_rate_of_bytes_and_loses_nothing() {
    let host = full_blocks();
    let mut single = Single::new(&host);
    single.greet(PEER, 1, 0);
    let blocks = |outputs: &[Output]| {
        let sent = sent(outputs, PEER);
        sent.iter().filter(|message| matches!(message, Message::Block(_))).count()
    };
    let (mut at_once, mut served) = (0, 0);
    for _ in 0..16 {
        let outputs = single
            .say(PEER, Message::GetBlocks([&host.disk.chain[..], &host.disk.chain[..]].concat()));
        (at_once, served) = (at_once + bytes(&outputs), served + blocks(&outputs));
    }
    assert!((15 << 20..16 << 20).contains(&at_once), "{at_once}");
    let due = single.node.poll_timeout().unwrap().saturating_since(single.now);
    assert!(due <= Duration::from_millis(70), "{due:?}");
    while served < 256 {
        let outputs = single.wait(1);
        let now = bytes(&outputs);
        assert!(now <= (4 << 20) + 262_144 && now > 0, "{now}");
        served += blocks(&outputs);
    }
}

#[test]
fn a_peer_that_takes_nothing_is_served_a_window_and_cut() {
    let host = full_blocks();
    let mut single = Single { taken: false, ..Single::new(&host) };
    single.greet(PEER, 1, 0);
    let ids: Vec<BlockId> = host.disk.chain.clone();
    let outputs = single.say(PEER, Message::GetBlocks(ids));
    let window = 1_048_576;
    let bytes = bytes(&outputs);
    assert!((window..window + 262_144).contains(&bytes), "{bytes}");
    let rest = single.step(Input::Written { peer: PEER, bytes: 500_000 });
    assert!(!sent(&rest, PEER).is_empty(), "and goes on when there is room");
    assert_eq!(cut(&single.wait(19)), None);
    assert_eq!(cut(&single.wait(1)), Some(Violation::Deaf));
    // Requests that find no room wait, but not without end.
    single.greet(OTHER, 1, 0);
    let greedy = (0..100)
        .find_map(|_| cut(&single.say(OTHER, Message::GetBlocks(vec![host.disk.chain[7]; 16]))));
    assert_eq!(greedy, Some(Violation::Greedy));
}

#[test]
fn requests_beyond_the_budget_make_the_driver_wait_and_lose_nothing() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    single.greet(PEER, 1, 0);
    let mut answers = 0;
    let mut throttled = 0;
    for _ in 0..400 {
        let get = Message::GetHeaders { locator: Vec::new(), stop: BlockId::NONE };
        let outputs = single.say(PEER, get);
        answers += sent(&outputs, PEER).len();
        for output in outputs {
            if let Output::Throttle(peer, until) = output {
                assert!(peer == PEER && until > single.now);
                throttled += 1;
            }
        }
    }
    assert_eq!(answers, 400);
    assert!((150..250).contains(&throttled), "{throttled}");
}

#[test]
fn proofs_are_made_at_their_rate_and_a_flood_of_questions_is_cut() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    single.greet(PEER, 1, 0);
    let question = Question::Name(host.ledger.tip().id, "alice".parse().unwrap());
    let ask = |single: &mut Single| single.say(PEER, Message::GetProof(question));
    let proofs = |outputs: &[Output]| {
        let sent = sent(outputs, PEER);
        sent.iter().filter(|message| matches!(message, Message::Proof(_))).count()
    };
    let at_once: usize = (0..300).map(|_| proofs(&ask(&mut single))).sum();
    assert_eq!(at_once, 200);
    assert_eq!(proofs(&single.wait(1)), 20);
    let due = single.node.poll_timeout().unwrap();
    assert_eq!(due.saturating_since(single.now), Duration::from_millis(50));
    let later: usize = (0..10).map(|_| proofs(&single.wait(1))).sum();
    assert_eq!(later, 80, "nothing is lost");
    let cut_after = (0..1_000).position(|_| cut(&ask(&mut single)) == Some(Violation::Greedy));
    assert!(cut_after.is_some_and(|asked| (256..512).contains(&asked)), "{cut_after:?}");
}

#[test]
fn signatures_of_a_packet_can_be_checked_beforehand() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let tx = post(&params, &identity(1), host.time() + 600, "hello");
    host.grow(60, &[tx]);
    let block = Block::decode(host.disk.blocks[&host.disk.chain[0]].clone()).unwrap();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 4, 1);
    single.say(PEER, Message::Headers(vec![*block.header()]));
    let message = Message::Block(block.bytes().to_vec());
    let (code, payload) = (message.code(), message.encode());
    let checks = single.node.sig_checks(single.now, PEER, code, &payload);
    assert_eq!(checks.len(), 1);
    single.node.trust(whisper_core::ledger::verify_all(&checks));
    assert!(single.node.sig_checks(single.now, PEER, code, &payload).is_empty());
    single.step(Input::Received { peer: PEER, code, payload: &payload });
    assert_eq!(single.node.ledger().tip().height, 1);
    assert!(single.node.sig_checks(single.now, PEER, 14, &[1, 2]).is_empty());
}

#[test]
fn signatures_of_a_block_that_nobody_asked_for_are_not_checked() {
    let mut host = Host::regtest();
    let tx = post(&Params::regtest(), &identity(1), host.time() + 600, "hello");
    host.grow(60, &[tx]);
    let block = Block::decode(host.disk.blocks[&host.disk.chain[0]].clone()).unwrap();
    let (code, payload) = (13, block.bytes());
    let mut single = Single::new(&Host::regtest());
    let checks = |single: &Single, peer| single.node.sig_checks(single.now, peer, code, payload);
    let counts = |single: &Single| [PEER, OTHER].map(|peer| checks(single, peer).len());
    single.greet(PEER, 4, 1);
    assert_eq!(counts(&single), [0, 0], "its header has not come");
    single.say(PEER, Message::Headers(vec![*block.header()]));
    single.greet(OTHER, 4, 1);
    single.say(OTHER, Message::Headers(vec![*block.header()]));
    assert_eq!(counts(&single), [1, 0], "one is asked");
    assert_eq!(cut(&single.wait(10)), None);
    assert_eq!(counts(&single), [1, 1], "a late peer may still give it");
}
