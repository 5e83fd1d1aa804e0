//! Which peers pay for what is wrong, and which do not.

use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::Item;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Status;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;
use whisper_core::peer::PeerId;

use crate::forge::Forge;
use crate::forge::Host;
use crate::forge::identity;
use crate::forge::post;
use crate::single::OTHER;
use crate::single::PEER;
use crate::single::Single;
use crate::single::asked;
use crate::single::cut;
use crate::single::invalid;
use crate::single::longer;
use crate::single::sent;

#[test]
fn greetings_are_kept_in_order_and_may_come_late() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    let hello = single.step(Input::Connected(PEER));
    let status = Message::Status(Status {
        genesis: host.ledger.params().genesis_id(),
        tip: host.ledger.tip().id,
        height: 0,
        work: ChainWork::from(2),
    });
    assert_eq!(sent(&hello, PEER), std::slice::from_ref(&status));
    assert_eq!(single.step(Input::Connected(PEER)), [], "once is enough");
    assert_eq!(cut(&single.say(PEER, Message::Inv(Vec::new()))), Some(Violation::StatusOrder));
    assert_eq!(single.say(PEER, Message::Inv(Vec::new())), [], "forgotten");
    single.step(Input::Connected(OTHER));
    assert_eq!(single.wait(3_600), [], "a silent peer may have no ledger yet");
    assert_eq!(cut(&single.greet(OTHER, 2, 0)), None);
    let third = PeerId::new(3);
    single.step(Input::Connected(third));
    assert_eq!(cut(&single.say(third, status.clone())), None);
    assert_eq!(cut(&single.say(third, status)), Some(Violation::StatusOrder));
    let foreign = PeerId::new(4);
    single.step(Input::Connected(foreign));
    let genesis = Params::test().genesis_id();
    let other = Status { genesis, tip: genesis, height: 0, work: ChainWork::ZERO };
    assert_eq!(cut(&single.say(foreign, Message::Status(other))), Some(Violation::ForeignGenesis));
    single.greet(PeerId::new(5), 2, 0);
    let input = Input::Received { peer: PeerId::new(5), code: 31, payload: &[] };
    assert_eq!(cut(&single.step(input)), Some(Violation::Malformed));
}

#[test]
fn a_wrong_body_costs_the_peer_and_not_the_block() {
    let (host, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    let mut wrong = blocks[0].bytes().to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let outputs = single.say(PEER, Message::Block(wrong));
    assert!(matches!(cut(&outputs), Some(Violation::Body(_))));
    let outputs = single.greet(OTHER, 82, 40);
    let ids = asked(&sent(&outputs, OTHER));
    assert_eq!(ids, [host.disk.chain[0]], "the block is asked for again");
    let outputs = single.say(OTHER, Message::Block(blocks[0].bytes().to_vec()));
    assert!(outputs.iter().any(|output| matches!(output, Output::Event(Event::Chain(_)))));
}

#[test]
fn invalid_headers_blocks_and_transactions_cost_the_peer() {
    let (_, headers, _) = longer();
    let wrong = Header { time: 0, ..headers[0] };
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(vec![headers[0], wrong]));
    assert!(matches!(cut(&outputs), Some(Violation::Header(_))), "{outputs:?}");
    assert_eq!(single.node.ledger().headers().tip().height, 1, "what was good stays");

    let fresh = Host::regtest();
    let bad = invalid(&fresh);
    let mut single = Single::new(&fresh);
    single.greet(PEER, 82, 40);
    single.say(PEER, Message::Headers(vec![*bad.header()]));
    let outputs = single.say(PEER, Message::Block(bad.bytes().to_vec()));
    assert!(matches!(cut(&outputs), Some(Violation::Block(_))));
    single.greet(OTHER, 82, 40);
    let outputs = single.say(OTHER, Message::Headers(vec![*bad.header()]));
    assert_eq!(asked(&sent(&outputs, OTHER)), [], "it is not fetched again");

    let mut single = Single::new(&fresh);
    let time = single.now.as_secs() as u32;
    let good = post(fresh.ledger.params(), &identity(1), time + 600, "hello");
    single.greet(PEER, 2, 0);
    let outputs = single.say(PEER, Message::Inv(vec![Item::Tx(good.id())]));
    assert_eq!(sent(&outputs, PEER), [Message::GetTxs(vec![good.id()])]);
    single.greet(OTHER, 2, 0);
    let outputs = single.say(OTHER, Message::Inv(vec![Item::Tx(good.id())]));
    assert_eq!(sent(&outputs, OTHER), [], "one is asked at a time");
    let mut forged = good.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let outputs = single.say(PEER, Message::Tx(forged));
    assert!(matches!(cut(&outputs), Some(Violation::Tx(_))));
    assert_eq!(sent(&outputs, OTHER), [Message::GetTxs(vec![good.id()])], "now the next one is");
    let outputs = single.say(OTHER, Message::Tx(good.as_bytes().to_vec()));
    assert!(outputs.contains(&Output::Event(Event::Pending(good.id()))));
}

/// It may have been kept without a look at it, as every block is that lies beside the chain.
#[test]
fn who_gives_the_last_block_does_not_pay_for_an_invalid_one_before_it() {
    let mut host = Host::regtest();
    let params = host.ledger.params().clone();
    let mut bad = Forge::new(&host.ledger, host.time() + 61, Vec::new());
    bad.seal.directory_root = [1; 32];
    let mut next = bad.clone();
    let bad = bad.block(&params);
    (next.header.parent, next.header.time) = (bad.id(), host.time() + 122);
    next.seal.height = 2;
    let next = next.block(&params);
    let tip = host.grow(60, &[]);
    let mut single = Single::new(&host);
    single.greet(PEER, 6, 2);
    single.greet(OTHER, 6, 2);
    let outputs = single.say(PEER, Message::Headers(vec![*bad.header(), *next.header()]));
    assert_eq!(asked(&sent(&outputs, PEER)), [bad.id()]);
    assert_eq!(asked(&sent(&outputs, OTHER)), [next.id()]);
    assert_eq!(cut(&single.say(PEER, Message::Block(bad.bytes().to_vec()))), None);
    assert_eq!(cut(&single.say(OTHER, Message::Block(next.bytes().to_vec()))), None);
    let ledger = single.node.ledger();
    assert!(ledger.headers().is_refused(&bad.id()) && ledger.headers().tip().id == tip);
    assert_eq!(ledger.tip().id, tip);
}

/// Headers do not show that a block is invalid: a peer that has not seen the block may hand them on.
#[test]
fn headers_of_a_refused_branch_count_against_a_peer_that_goes_on_with_them() {
    let host = Host::regtest();
    let bad = invalid(&host);
    let mut single = Single::new(&host);
    single.greet(PEER, 4, 1);
    single.say(PEER, Message::Headers(vec![*bad.header()]));
    let outputs = single.say(PEER, Message::Block(bad.bytes().to_vec()));
    assert!(matches!(cut(&outputs), Some(Violation::Block(_))));
    single.greet(OTHER, 4, 1);
    for round in 0..3 {
        let outputs = single.say(OTHER, Message::Headers(vec![*bad.header()]));
        let refused = Violation::Header(HeaderError::Refused);
        assert_eq!(cut(&outputs), (round == 2).then_some(refused));
        assert_eq!(asked(&sent(&outputs, OTHER)), [], "it is not fetched again");
        single.say(OTHER, Message::Inv(vec![Item::Block(BlockId::new([round; 32]))]));
    }
}

#[test]
fn what_nobody_asked_for_counts_against_a_peer() {
    let (host, headers, blocks) = longer();
    let tx = post(host.ledger.params(), &identity(1), host.time() + 7_000, "hello");
    let unasked = [
        Message::Headers(headers),
        Message::Block(blocks[0].bytes().to_vec()),
        Message::Tx(tx.as_bytes().to_vec()),
        Message::Proof(vec![1, 2, 3]),
        Message::NotFound(Item::Block(blocks[0].id())),
        Message::NotFound(Item::Proof(blocks[0].id())),
    ];
    for (number, message) in (10..).zip(unasked) {
        let mut single = Single::new(&Host::regtest());
        let peer = PeerId::new(number);
        single.greet(peer, 1, 0);
        assert_eq!(cut(&single.say(peer, message.clone())), None);
        assert_eq!(cut(&single.say(peer, message.clone())), None);
        assert_eq!(cut(&single.say(peer, message.clone())), Some(Violation::Unsolicited));
        assert_eq!(single.node.ledger().tip().height, 0);
    }
}

/// Otherwise three strikes would bind no peer: to show what all have costs nothing.
#[test]
fn only_headers_that_are_new_make_good_what_a_peer_did_before() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let unknown = BlockId::new([7; 32]);
    let unasked =
        |single: &mut Single| cut(&single.say(PEER, Message::NotFound(Item::Block(unknown))));
    assert_eq!((unasked(&mut single), unasked(&mut single)), (None, None));
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    assert_eq!((unasked(&mut single), unasked(&mut single)), (None, None), "it gave something");
    let outputs = single.say(PEER, Message::Inv(vec![Item::Block(unknown)]));
    assert!(matches!(sent(&outputs, PEER)[..], [Message::GetHeaders { .. }]));
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    assert_eq!(unasked(&mut single), Some(Violation::Unsolicited));
}

/// CH9: headers that do not connect are not kept; a peer that goes on with them is cut.
#[test]
fn ch9_headers_without_parents_count_against_the_peer() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    for round in 0..3 {
        let outputs = single.say(PEER, Message::Headers(headers[5..].to_vec()));
        let expected = (round == 2).then_some(Violation::Unconnected);
        assert_eq!(cut(&outputs), expected);
        if round < 2 {
            single.say(PEER, Message::Inv(vec![Item::Block(headers[7].parent)]));
        }
    }
    assert_eq!(single.node.ledger().headers().side_len(), 0);
}
