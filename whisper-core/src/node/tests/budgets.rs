//! What the peers of a network may send, and what it costs them.

use super::*;
use crate::envelope::Draft;

const MALLORY: PeerId = PeerId::new(66);

/// A node that lets a network send so many envelopes, with strangers of one network who are ready.
fn node_for(envelopes: Budget, strangers: &[PeerId]) -> Node {
    let budgets = Budgets { envelopes, ..Budgets::default() };
    let mut node = Node::new(Config { budgets: Some(budgets), ..config() }, [7; 32]);
    strangers.iter().for_each(|peer| connect(&mut node, *peer));
    node
}

fn connect(node: &mut Node, peer: PeerId) {
    let network = Network::Shared(9);
    step(node, Input::Connected { peer, direction: Direction::Inbound, network });
    receive(node, NOW, peer, code::STATUS, &status(0.0, false));
    step(node, Input::Written { peer, bytes: usize::MAX });
}

/// Different envelopes that were made so long ago and live for ten seconds.
fn made_before(age: Duration, count: u32) -> Vec<Envelope> {
    let (made, ttl) = (NOW.saturating_sub(age), Duration::from_secs(10));
    let draft = |number: u32| Draft::new(made, ttl, Topic::new(number.to_be_bytes()), vec![]);
    (0..count).map(|number| draft(number).unwrap().seal(0)).collect()
}

/// Until when the last of these steps has a peer left unread.
fn unread_until(outputs: &[Output]) -> Option<Timestamp> {
    outputs.iter().rev().find_map(|output| match output {
        Output::Throttle(_, until) => Some(*until),
        _ => None,
    })
}

fn admitted(outputs: &[Output]) -> usize {
    let is = |output: &&Output| matches!(output, Output::Event(Event::Admitted { .. }));
    outputs.iter().filter(is).count()
}

/// Lets time pass while all peers read, and returns what was asked for.
fn run_until(node: &mut Node, end: Timestamp) -> Vec<Output> {
    let mut outputs = Vec::new();
    while let Some(due) = node.poll_timeout().filter(|due| *due <= end) {
        outputs.extend(node.handle(due, Input::Timeout));
        for peer in node.peers().map(|peer| peer.peer).collect::<Vec<_>>() {
            outputs.extend(node.handle(due, Input::Written { peer, bytes: usize::MAX }));
        }
    }
    outputs
}

#[test]
fn a_stranger_gets_no_more_envelopes_through_than_burst_and_rate_allow() {
    let mut node = node_for(Budget { per_second: 20, burst: 100 }, &[MALLORY]);
    let envelopes = made_before(Duration::ZERO, 1_000);
    let outputs = receive(&mut node, NOW, MALLORY, code::MESSAGES, &packet_of(&envelopes));
    let at_once = admitted(&outputs);
    assert!((95..=100).contains(&at_once), "{at_once} at once");
    assert!(unread_until(&outputs).is_some());
    let later = admitted(&run_until(&mut node, after(9_000)));
    assert!((170..=181).contains(&later), "{later} in nine seconds");
}

#[test]
fn envelopes_that_have_expired_cost_as_much_as_others() {
    let mut node = node_for(Budget { per_second: 20, burst: 100 }, &[MALLORY]);
    let expired = packet_of(&made_before(Duration::from_secs(12), 1_000));
    let outputs = receive(&mut node, NOW, MALLORY, code::MESSAGES, &expired);
    assert!(unread_until(&outputs).is_some());
    let _ = run_until(&mut node, after(44_000)).len();
    assert_eq!(node.connections.peers[&MALLORY].backlog.len(), 1);
    let _ = run_until(&mut node, after(46_500)).len();
    assert_eq!(node.connections.peers[&MALLORY].backlog.len(), 0);
}

#[test]
fn a_first_copy_costs_a_quarter_and_a_repeat_as_much_as_a_new_one() {
    let mut node = node_for(Budget { per_second: 1, burst: 100 }, &[MALLORY]);
    step(&mut node, outbound(ALICE));
    receive(&mut node, NOW, ALICE, code::STATUS, &status(0.0, false));
    let packet = packet_of(&made_before(Duration::ZERO, 200));
    assert_eq!(admitted(&receive(&mut node, NOW, ALICE, code::MESSAGES, &packet)), 200);
    // 200 quarters and one for the packet.
    let copies = receive(&mut node, NOW, MALLORY, code::MESSAGES, &packet);
    let waits = |node: &Node| node.connections.peers[&MALLORY].backlog.len();
    let soon = [copies, run_until(&mut node, after(10))].concat();
    assert_eq!(waits(&node), 0, "{soon:?}");
    // 49 are left.
    let repeats = receive(&mut node, after(10), MALLORY, code::MESSAGES, &packet);
    let _ = [repeats, run_until(&mut node, after(140_000))].concat();
    assert_eq!(waits(&node), 1);
}

#[test]
fn a_packet_of_nothing_is_not_free() {
    let mut node = node_for(Budget { per_second: 1, burst: 5 }, &[MALLORY]);
    let packet = packet_of(&[]);
    let mut unread = || unread_until(&receive(&mut node, NOW, MALLORY, code::MESSAGES, &packet));
    assert!((0..20).all(|_| unread().is_none()));
    assert!(unread().is_some());
}

#[test]
fn a_new_connection_begins_with_what_its_network_has_left() {
    let mut node = node_for(Budget { per_second: 1, burst: 100 }, &[MALLORY]);
    let packet = packet_of(&made_before(Duration::ZERO, 99));
    let _ = receive(&mut node, NOW, MALLORY, code::MESSAGES, &packet).len();
    step(&mut node, Input::Disconnected(MALLORY));
    connect(&mut node, BOB);
    let more = packet_of(&made_before(Duration::from_secs(1), 99));
    let outputs = receive(&mut node, NOW, BOB, code::MESSAGES, &more);
    assert!(admitted(&outputs) <= 1 && unread_until(&outputs).is_some(), "{outputs:?}");
    // Now there is a debt: nothing is judged on credit.
    connect(&mut node, ALICE);
    let more = packet_of(&made_before(Duration::from_secs(2), 99));
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &more);
    assert!(admitted(&outputs) == 0 && unread_until(&outputs).is_some(), "{outputs:?}");
}

#[test]
fn a_network_pushes_out_nothing_of_others_however_many_connections_it_opens() {
    let config = Config { pool_bytes: 400 * 1024, budgets: None, ..config() };
    let mut node = Node::new(config, [7; 32]);
    step(&mut node, outbound(ALICE));
    receive(&mut node, NOW, ALICE, code::STATUS, &status(0.0, false));
    let honest: Vec<_> = (0..15).map(|number| envelope(number, 4_000, 0.001)).collect();
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet_of(&honest));
    assert_eq!(admitted(&outputs), 15);
    for (number, peer) in (0..8_u8).zip((10..).map(PeerId::new)) {
        connect(&mut node, peer);
        // Four times as much work.
        let better = |letter| envelope(20 + number * 24 + letter, 4_000, 0.004);
        let packet = packet_of(&(0..24).map(better).collect::<Vec<_>>());
        let _ = receive(&mut node, NOW, peer, code::MESSAGES, &packet).len();
        step(&mut node, Input::Disconnected(peer));
    }
    let kept = honest.iter().filter(|honest| node.pool().find(&honest.hash()).is_some());
    assert_eq!(kept.count(), 15);
}

#[test]
fn connections_of_one_network_hold_no_more_than_a_quarter_of_a_full_pool() {
    let config = Config { pool_bytes: 400 * 1024, budgets: None, ..config() };
    let mut node = Node::new(config, [7; 32]);
    for (number, peer) in (0..8_u8).zip((1..).map(PeerId::new)) {
        connect(&mut node, peer);
        let large = |letter| envelope(number * 32 + letter, 4_000, 0.001);
        let packet = packet_of(&(0..32).map(large).collect::<Vec<_>>());
        let _ = receive(&mut node, NOW, peer, code::MESSAGES, &packet).len();
        step(&mut node, Input::Disconnected(peer));
    }
    // What came while there was room stays until others need it.
    let honest = packet_of(&(0..40).map(other).collect::<Vec<_>>());
    step(&mut node, outbound(ALICE));
    receive(&mut node, NOW, ALICE, code::STATUS, &status(0.0, false));
    assert_eq!(admitted(&receive(&mut node, NOW, ALICE, code::MESSAGES, &honest)), 40);
}

/// One that is worth a little more than what the strangers sent.
fn other(number: u8) -> Envelope {
    envelope(number, 1_000, 0.004)
}

#[test]
fn a_host_that_goes_on_after_a_throttle_makes_no_backlog_grow() {
    let mut node = node_for(Budget { per_second: 1, burst: 10 }, &[MALLORY]);
    let envelopes = made_before(Duration::ZERO, 800);
    for part in envelopes.chunks(100) {
        let _ = receive(&mut node, NOW, MALLORY, code::MESSAGES, &packet_of(part)).len();
        assert!(node.connections.peers[&MALLORY].backlog.len() <= 2);
    }
    assert!(node.pool().len() >= 600);
}

#[test]
fn an_answer_of_an_unknown_version_answers_one_packet_and_no_more() {
    let mut node = node_with(config(), &[BOB]);
    let _ = node.publish(NOW, letter(1)).unwrap().count();
    let mut unknown = crate::rlp::Writer::new();
    unknown.list(|items| _ = items.uint(2));
    let mut answer = || receive(&mut node, NOW, BOB, code::MESSAGES_RESPONSE, unknown.as_bytes());
    let outputs: Vec<_> = (0..101).flat_map(|_| answer()).collect();
    assert_eq!(outputs, [Output::Disconnect(BOB, Violation::Unwanted)]);
}

#[test]
fn after_its_clock_was_set_back_a_node_leaves_nobody_unread_for_longer_than_the_debt_lasts() {
    let control = Budget { per_second: 1, burst: 1 };
    let budgets = Budgets { control, ..Budgets::default() };
    let mut node = Node::new(Config { budgets: Some(budgets), ..config() }, [7; 32]);
    connect(&mut node, MALLORY);
    let _ = receive(&mut node, NOW, MALLORY, 99, &[0xc0]).len();
    let outputs = receive(&mut node, NOW, MALLORY, 99, &[0xc0]);
    assert_eq!(unread_until(&outputs), Some(after(1_000)));
    let earlier = NOW.saturating_sub(Duration::from_secs(3_600));
    let outputs = receive(&mut node, earlier, MALLORY, code::MESSAGES, &packet_of(&[]));
    let until = earlier.saturating_add(Duration::from_secs(1));
    assert_eq!(unread_until(&outputs), Some(until));
}
