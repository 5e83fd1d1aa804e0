//! Peers that are silent or late, and clocks.

use std::collections::BTreeMap;
use std::time::Duration;

use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Item;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Message;
use whisper_core::ledger::TxId;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;

use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;
use crate::single::OTHER;
use crate::single::PEER;
use crate::single::Single;
use crate::single::asked;
use crate::single::cut;
use crate::single::longer;
use crate::single::sent;
use crate::single::wanted;
use crate::world::MINUTE;

/// CH18: each block is waited for ten seconds; then it goes to another peer, and a peer that lets
/// blocks wait again and again is cut.
#[test]
fn ch18_blocks_of_a_silent_peer_go_to_the_other() {
    let (host, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(headers));
    let mut silent = asked(&sent(&outputs, PEER));
    let known: BTreeMap<BlockId, _> = blocks.iter().map(|block| (block.id(), block)).collect();
    let mut answers: Vec<BlockId> = asked(&sent(&single.greet(OTHER, 82, 40), OTHER));
    let mut cut_at = None;
    for second in 0..60 {
        let mut outputs = Vec::new();
        for id in std::mem::take(&mut answers) {
            outputs.extend(single.say(OTHER, Message::Block(known[&id].bytes().to_vec())));
        }
        outputs.extend(single.wait(1));
        answers = asked(&sent(&outputs, OTHER));
        silent.extend(asked(&sent(&outputs, PEER)));
        if let Some(violation) = cut(&outputs) {
            assert_eq!(violation, Violation::Stalled);
            cut_at.get_or_insert(second);
        }
    }
    assert!(cut_at.is_some_and(|second| (20..40).contains(&second)), "{cut_at:?}");
    assert_eq!(single.node.ledger().tip().id, host.ledger.tip().id);
}

/// A peer that announces transactions and does not give them delays them, and is cut; it cannot keep
/// others from telling.
#[test]
fn a_transaction_that_one_peer_withholds_comes_from_the_next() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    let time = single.now.as_secs() as u32;
    let tx = post(host.ledger.params(), &identity(1), time + 600, "hello");
    single.greet(PEER, 2, 0);
    single.greet(OTHER, 2, 0);
    let junk =
        |round: u8| (0..999u16).map(move |at| [[round; 30].as_slice(), &at.to_le_bytes()].concat());
    let junk = |round| junk(round).map(|id| Item::Tx(TxId::new(id.try_into().unwrap())));
    let offer = [Item::Tx(tx.id())].into_iter().chain(junk(0xff)).collect();
    let asked: usize = sent(&single.say(PEER, Message::Inv(offer)), PEER).iter().map(wanted).sum();
    assert_eq!(asked, 128, "no more than that at a time");
    assert_eq!(sent(&single.say(OTHER, Message::Inv(vec![Item::Tx(tx.id())])), OTHER), []);
    let outputs = single.wait(10);
    assert_eq!(sent(&outputs, OTHER), [Message::GetTxs(vec![tx.id()])]);
    // What comes late is taken all the same.
    let outputs = single.say(PEER, Message::Tx(tx.as_bytes().to_vec()));
    assert!(outputs.contains(&Output::Event(Event::Pending(tx.id()))));
    assert_eq!(cut(&single.say(OTHER, Message::NotFound(Item::Tx(tx.id())))), None);
    let stalled = (0..3).find_map(|_| cut(&single.wait(10)));
    assert_eq!(stalled, Some(Violation::Stalled));
    assert_eq!(single.node.peers().count(), 1);
}

/// Otherwise a peer that was asked a moment too early is never asked again.
#[test]
fn a_peer_whose_chain_has_grown_is_asked_again_for_what_it_did_not_have() {
    let (_, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 4, 1);
    let outputs = single.say(PEER, Message::Headers(headers[..1].to_vec()));
    assert_eq!(asked(&sent(&outputs, PEER)), [blocks[0].id()]);
    let outputs = single.say(PEER, Message::NotFound(Item::Block(blocks[0].id())));
    assert_eq!(asked(&sent(&outputs, PEER)), [], "not at once");
    single.say(PEER, Message::Inv(vec![Item::Block(blocks[1].id())]));
    let outputs = single.say(PEER, Message::Headers(headers[1..2].to_vec()));
    assert_eq!(asked(&sent(&outputs, PEER)), [blocks[0].id(), blocks[1].id()]);
}

/// CH4: a header from the future is asked for again when its time has come.
#[test]
fn ch4_a_header_from_the_future_comes_in_later() {
    let (mut ahead, host) = (Host::regtest(), Host::regtest());
    ahead.grow(60, &[]);
    let block = ahead.disk.blocks[&ahead.disk.chain[0]].clone();
    let header = *Block::decode(block).unwrap().header();
    let mut single = Single::new(&host);
    single.now = at(header.time - 700);
    single.greet(PEER, 4, 1);
    let outputs = single.say(PEER, Message::Headers(vec![header]));
    assert_eq!(outputs, []);
    assert_eq!(single.wait(99), []);
    assert!(matches!(sent(&single.wait(1), PEER)[..], [Message::GetHeaders { .. }]));
    let outputs = single.say(PEER, Message::Headers(vec![header]));
    assert_eq!(asked(&sent(&outputs, PEER)), [header.id::<Keccak256>()]);
}

/// Answers come in order.
#[test]
fn headers_are_waited_for_behind_the_blocks_that_were_asked_for_before() {
    let (_, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(headers[..10].to_vec()));
    assert_eq!(asked(&sent(&outputs, PEER)).len(), 10);
    let outputs = single.say(PEER, Message::Inv(vec![Item::Block(blocks[39].id())]));
    assert!(matches!(sent(&outputs, PEER)[..], [Message::GetHeaders { .. }]));
    for block in &blocks[..10] {
        assert_eq!(single.wait(9), []);
        single.say(PEER, Message::Block(block.bytes().to_vec()));
    }
    single.say(PEER, Message::Headers(headers[10..].to_vec()));
    assert_eq!(single.node.ledger().headers().tip().height, 40);
}

#[test]
fn headers_that_come_late_are_taken_and_meanwhile_asked_for_again() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    assert_eq!(single.wait(10), []);
    assert!(matches!(sent(&single.wait(10), PEER)[..], [Message::GetHeaders { .. }]));
    for part in [&headers[..20], &headers[..]] {
        assert_eq!(cut(&single.say(PEER, Message::Headers(part.to_vec()))), None);
        assert_eq!(single.node.ledger().headers().tip().id, part[part.len() - 1].id::<Keccak256>());
    }
    let third = (0..3).find_map(|_| cut(&single.say(PEER, Message::Headers(Vec::new()))));
    assert_eq!(third, Some(Violation::Unsolicited));
}

#[test]
fn a_peer_that_never_gives_headers_is_asked_three_times_and_cut() {
    let mut single = Single::new(&Host::regtest());
    let mut messages = sent(&single.greet(PEER, 82, 40), PEER);
    let stalled = (0..10).find_map(|_| {
        let outputs = single.wait(10);
        messages.extend(sent(&outputs, PEER));
        cut(&outputs)
    });
    assert_eq!(stalled, Some(Violation::Stalled));
    let requests = messages.iter().filter(|it| matches!(it, Message::GetHeaders { .. }));
    assert_eq!(requests.count(), 3);
}

#[test]
fn a_peer_that_has_answered_in_time_is_not_late_because_we_are() {
    let (_, headers, blocks) = longer();
    let mut single = Single { taken: false, ..Single::new(&Host::regtest()) };
    single.greet(PEER, 82, 40);
    single.greet(OTHER, 1, 0);
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    // A long step of our own: what has come meanwhile is read now, one after the other.
    single.now = single.now.saturating_add(MINUTE);
    assert_eq!(cut(&single.say(OTHER, Message::Inv(Vec::new()))), None);
    for peer in [PEER, OTHER] {
        assert_eq!(cut(&single.step(Input::Written { peer, bytes: 10_000 })), None);
    }
    single.say(PEER, Message::Block(blocks[0].bytes().to_vec()));
    assert_eq!(single.node.ledger().tip().height, 1);
    assert_eq!(cut(&single.step(Input::Timeout)), None);
    assert_eq!(
        cut(&single.wait(20)),
        Some(Violation::Deaf),
        "but a peer that takes nothing then is"
    );
}

/// A clock that is set back by a day shifts all deadlines, so that no peer is cut and nothing hangs.
#[test]
fn a_clock_set_back_moves_deadlines_once() {
    let mut single = Single::new(&Host::regtest());
    single.taken = false;
    single.step(Input::Connected(OTHER));
    single.wait(3);
    single.now = single.now.saturating_sub(Duration::from_secs(86_400));
    assert_eq!(single.step(Input::Timeout), []);
    assert_eq!(single.wait(16), []);
    let outputs = single.wait(1);
    assert_eq!(
        cut(&outputs),
        Some(Violation::Deaf),
        "seventeen seconds later, as it would have been"
    );
}
