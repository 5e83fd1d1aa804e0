//! Own envelopes and those of stems: to a relay first, and flooded when they come back or do not.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;

use super::*;
use crate::packet::code::MESSAGES;
use crate::packet::code::STEM;

mod alike;
mod relays;

const R1: PeerId = PeerId::new(11);
const R2: PeerId = PeerId::new(12);
/// When relays have been drawn.
const SETTLED: Timestamp = Timestamp::from_secs(1_600_000_031);

fn later(millis: u64) -> Timestamp {
    SETTLED.saturating_add(Duration::from_millis(millis))
}

fn stemming() -> Config {
    Config { stem: Some(Stem::default()), ..config() }
}

fn offer() -> Vec<u8> {
    let (min_rating, bloom) = (Rating::ZERO, None);
    Status { min_rating, bloom, light: false, acknowledges: true, stems: true }.encode()
}

/// A letter that lives for ten minutes.
fn note(number: u64) -> Envelope {
    lasting(number, 600, 40)
}

fn lasting(number: u64, ttl: u64, length: usize) -> Envelope {
    let mut data = vec![7; length];
    data.splice(0..8, number.to_be_bytes());
    let (topic, ttl) = (Topic::new([1; 4]), Duration::from_secs(ttl));
    let draft = crate::envelope::Draft::new(SETTLED, ttl, topic, data).unwrap();
    draft.seal_rated(Rating::new(0.001).unwrap()).unwrap()
}

fn join(node: &mut Node, now: Timestamp, peer: PeerId, direction: Direction, status: &[u8]) {
    let network = Network::Alone(peer);
    let _ = node.handle(now, Input::Connected { peer, direction, network }).count();
    receive(node, now, peer, code::STATUS, status);
    take_all(node, now);
}

/// The sockets take what there is.
fn take_all(node: &mut Node, now: Timestamp) -> Vec<Output> {
    let peers: Vec<PeerId> = node.peers().map(|peer| peer.peer).collect();
    let took = |peer| Input::Written { peer, bytes: usize::MAX };
    peers.into_iter().flat_map(|peer| node.handle(now, took(peer)).collect::<Vec<_>>()).collect()
}

/// Takes steps whenever one is due, until then.
fn run(node: &mut Node, until: Timestamp) -> Vec<(Timestamp, Output)> {
    let mut outputs = Vec::new();
    while let Some(due) = node.poll_timeout().filter(|due| *due <= until) {
        outputs.extend(node.handle(due, Input::Timeout).map(|output| (due, output)));
        outputs.extend(take_all(node, due).into_iter().map(|output| (due, output)));
    }
    outputs.extend(node.handle(until, Input::Timeout).map(|output| (until, output)));
    outputs
}

/// A node that dials these relays, and that these peers have dialled; the relays are drawn.
fn settled_as(config: Config, secret: u8, relays: &[PeerId], dialled_by: &[PeerId]) -> Node {
    let mut node = Node::new(config, [secret; 32]);
    for peer in relays {
        join(&mut node, NOW, *peer, Direction::Outbound, &offer());
    }
    for peer in dialled_by {
        join(&mut node, NOW, *peer, Direction::Inbound, &offer());
    }
    run(&mut node, SETTLED);
    node
}

fn settled(relays: &[PeerId], dialled_by: &[PeerId]) -> Node {
    settled_as(stemming(), 7, relays, dialled_by)
}

/// To whom packets of this code went.
fn went(outputs: &[Output], wanted: u8) -> Vec<PeerId> {
    let to = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, .. } if *code == wanted => Some(*peer),
        _ => None,
    });
    to.collect()
}

fn bare(outputs: Vec<(Timestamp, Output)>) -> Vec<Output> {
    outputs.into_iter().map(|(_, output)| output).collect()
}

fn publish(node: &mut Node, now: Timestamp, envelope: Envelope) -> Vec<Output> {
    node.publish(now, envelope).unwrap().collect()
}

fn held(node: &Node) -> usize {
    node.stems.as_ref().map_or(0, |stems| stems.store.len())
}

fn is_event(wanted: impl Fn(&Event) -> bool) -> impl Fn(&Output) -> bool {
    move |output| matches!(output, Output::Event(event) if wanted(event))
}

/// Peers whose stems go on here, and peers whose stems end here.
fn edges(node: &Node, ends: bool) -> impl Iterator<Item = PeerId> {
    let stems = node.stems.as_ref().unwrap();
    (100..).map(PeerId::new).filter(move |peer| stems.ends(*peer) == ends)
}

fn one(envelope: &Envelope) -> Vec<u8> {
    packet_of(core::slice::from_ref(envelope))
}

#[test]
fn an_own_envelope_goes_to_one_relay_and_into_no_pool() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    let mut to = BTreeSet::new();
    for number in 0..9 {
        let outputs = publish(&mut node, SETTLED, note(number));
        assert_eq!(sent_to(&outputs, went(&outputs, STEM)[0], STEM), [one(&note(number))]);
        assert!(!outputs.iter().any(is_event(|event| matches!(event, Event::Admitted { .. }))));
        assert_eq!(went(&outputs, MESSAGES), []);
        to.extend(went(&outputs, STEM));
        let sent = take_all(&mut node, SETTLED);
        let hash = note(number).hash();
        let is_sent =
            |event: &Event| matches!(event, Event::Sent { hash: sent, .. } if *sent == hash);
        assert!(sent.iter().any(is_event(is_sent)));
        assert!(matches!(node.publish(SETTLED, note(number)), Err(Rejection::Duplicate)));
    }
    assert_eq!((to.len(), held(&node), node.pool().len()), (1, 9, 0));
}

#[test]
fn stems_go_on_by_one_edge_as_often_as_by_the_other_and_a_fifth_ends() {
    let mut node = settled(&[R1, R2], &[]);
    let (mut ended, mut to) = (0, BTreeMap::<PeerId, u32>::new());
    for number in 0..1_000 {
        let peer = PeerId::new(100 + number);
        join(&mut node, SETTLED, peer, Direction::Inbound, &offer());
        let outputs = receive(&mut node, SETTLED, peer, STEM, &one(&note(number)));
        match went(&outputs, STEM)[..] {
            [relay] => *to.entry(relay).or_default() += 1,
            _ => ended += 1,
        }
        take_all(&mut node, SETTLED);
        let again = receive(&mut node, SETTLED, peer, STEM, &one(&note(10_000 + number)));
        assert_eq!(went(&again, STEM), went(&outputs, STEM), "the same edge, the same way");
        let _ = node.handle(SETTLED, Input::Disconnected(peer)).count();
    }
    assert!((160..240).contains(&ended), "{ended} ended");
    assert!(to.len() == 2 && to.values().all(|count| (340..460).contains(count)), "{to:?}");
}

#[test]
fn what_does_not_come_back_goes_to_the_other_relay_and_is_flooded_then() {
    let mut node = settled(&[R1, R2], &[ALICE, BOB]);
    let first = went(&publish(&mut node, SETTLED, note(1)), STEM)[0];
    let outputs = run(&mut node, later(120_000));
    let at = |output: &Output| outputs.iter().find(|(_, own)| own == output).map(|(at, _)| *at);
    let payload = one(&note(1));
    let second = Output::Transmit { peer: if first == R1 { R2 } else { R1 }, code: STEM, payload };
    let retried = at(&second).unwrap();
    assert!(retried >= later(4_000));
    let flooded: Vec<_> = outputs
        .iter()
        .filter(|(_, output)| !went(core::slice::from_ref(output), MESSAGES).is_empty())
        .collect();
    assert_eq!(flooded.len(), 4, "all four peers, the relays included");
    assert!(flooded.iter().all(|(at, _)| at.saturating_since(retried) >= Duration::from_secs(4)));
    assert_eq!((held(&node), node.pool().len()), (0, 1));
}

#[test]
fn embargoes_last_four_seconds_and_four_more_on_average() {
    let mut node = settled(&[R1], &[ALICE]);
    let mut spans = Vec::new();
    for number in 0..400 {
        let now = later(number * 100);
        let _ = publish(&mut node, now, note(number));
        let stems = node.stems.as_ref().unwrap();
        let hash = note(number).hash();
        let due = stems.embargo(now, &hash, 0, Duration::from_secs(600));
        assert!(due.saturating_since(now) >= Duration::from_secs(4));
        spans.push(due.saturating_since(now).as_secs_f64() - 4.0);
        let short = stems.embargo(now, &hash, 0, Duration::from_secs(60)).saturating_since(now);
        assert!((short.as_secs_f64() * 2.0 - 4.0 - spans[spans.len() - 1]).abs() < 0.01);
        take_all(&mut node, now);
    }
    let mean = spans.iter().sum::<f64>() / spans.len() as f64;
    assert!((3.4..4.6).contains(&mean), "{mean}");
}

#[test]
fn what_comes_back_by_the_flood_has_spread() {
    let mut node = settled(&[R1, R2], &[ALICE, BOB]);
    let _ = publish(&mut node, SETTLED, note(1));
    let outputs = receive(&mut node, later(900), ALICE, MESSAGES, &one(&note(1)));
    let hash = note(1).hash();
    let spread = Output::Event(Event::Spread { hash, from: ALICE });
    assert!(outputs.contains(&spread), "{outputs:?}");
    let admitted = |event: &Event| matches!(event, Event::Admitted { from: None, .. });
    assert!(outputs.iter().any(is_event(admitted)));
    let mut to = went(&outputs, MESSAGES);
    to.sort_unstable();
    assert_eq!(to, [BOB, R1, R2], "at once, to all but the one that brought it");
    assert_eq!((held(&node), node.pool().len()), (0, 1));
    assert_eq!(went(&bare(run(&mut node, later(60_000))), MESSAGES), []);
    let again = receive(&mut node, later(60_000), BOB, MESSAGES, &one(&note(1)));
    assert!(
        !again.contains(&Output::Event(Event::Spread { hash, from: BOB })),
        "it had it from us"
    );
}

#[test]
fn what_a_full_pool_refuses_stays_held() {
    let config = Config { pool_bytes: 16 * 1_024, ..stemming() };
    let mut node = settled_as(config, 7, &[R1, R2], &[ALICE]);
    let _ = publish(&mut node, SETTLED, note(1));
    for number in 0..60 {
        let topic = Topic::new([number; 4]);
        let ttl = Duration::from_secs(600);
        let better = crate::envelope::Draft::new(SETTLED, ttl, topic, vec![number; 300]).unwrap();
        let better = better.seal_rated(Rating::new(0.005).unwrap()).unwrap();
        let from = PeerId::new(1_000 + u64::from(number));
        join(&mut node, SETTLED, from, Direction::Inbound, &offer());
        receive(&mut node, SETTLED, from, MESSAGES, &one(&better));
    }
    receive(&mut node, SETTLED, ALICE, MESSAGES, &one(&note(1)));
    assert!(node.pool().find(&note(1).hash()).is_none() && held(&node) == 1);
    let outputs = bare(run(&mut node, later(60_000)));
    let gone = Event::Gone { hash: note(1).hash(), why: Departure::Evicted };
    assert!(outputs.contains(&Output::Event(gone)) && held(&node) == 0);
}

#[test]
fn what_lives_for_twenty_seconds_or_is_too_large_is_flooded() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    for envelope in [lasting(1, 19, 40), lasting(2, 600, 65_792)] {
        let outputs = publish(&mut node, SETTLED, envelope.clone());
        assert_eq!(went(&outputs, STEM), []);
        assert!(outputs.iter().any(is_event(|event| matches!(event, Event::Admitted { .. }))));
        let outputs = bare(run(&mut node, later(7_000)));
        assert_eq!(went(&outputs, MESSAGES).len(), 3);
        take_all(&mut node, later(7_000));
    }
    for envelope in [lasting(3, 27, 40), lasting(4, 600, 65_500)] {
        assert_eq!(went(&publish(&mut node, later(7_000), envelope), STEM).len(), 1);
        take_all(&mut node, later(7_000));
    }
}

#[test]
fn stems_that_were_not_offered_are_unknown_packets() {
    let mut off = node_with(config(), &[]);
    join(&mut off, NOW, ALICE, Direction::Inbound, &offer());
    let mut on = settled(&[R1], &[]);
    join(&mut on, SETTLED, ALICE, Direction::Inbound, &status(0.0, true));
    for (node, now) in [(&mut off, NOW), (&mut on, SETTLED)] {
        assert_eq!(receive(node, now, ALICE, STEM, &one(&note(1))), []);
        assert_eq!(receive(node, now, ALICE, STEM, b"nonsense"), []);
        assert!(node.peers().all(|peer| peer.stems == (peer.peer == R1)));
        assert_eq!((held(node), node.pool().len()), (0, 0));
    }
}

#[test]
fn a_stem_that_is_malformed_or_too_large_cuts_its_peer_and_one_that_fills_a_link_annoys() {
    let cut = |payload: &[u8]| {
        let mut node = settled(&[R1, R2], &[ALICE]);
        match &receive(&mut node, SETTLED, ALICE, STEM, payload)[..] {
            [Output::Disconnect(ALICE, why)] => Some(*why),
            _ => None,
        }
    };
    let two = packet_of(&[note(1), note(2)]);
    assert_eq!(cut(&two), Some(Violation::Malformed(crate::rlp::DecodeError::Trailing)));
    assert!(matches!(cut(&[0xc0]), Some(Violation::Malformed(_))));
    let max = 67_584;
    assert_eq!(cut(&vec![0xc1; max + 1]), Some(Violation::Oversized { size: max + 1, max }));
    assert_eq!(cut(&[&one(&note(1))[..], &vec![7; 3_000]].concat()), None);
    let mut node = settled(&[R1, R2], &[ALICE]);
    let hush = |node: &mut Node| receive(node, SETTLED, ALICE, STEM, &[0xc1, 0x80]);
    (0..19).for_each(|_| assert_eq!(hush(&mut node), []));
    assert_eq!(hush(&mut node), [Output::Disconnect(ALICE, Violation::Unwanted)]);
}

#[test]
fn what_comes_by_a_stem_and_may_not_enter_is_answered_by_nothing() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    let low =
        crate::envelope::Draft::new(SETTLED, Duration::from_secs(600), Topic::default(), vec![]);
    let low = (0..).map(|nonce| low.clone().unwrap().seal(nonce));
    let low: Vec<_> =
        low.filter(|low| low.rating() < Rating::new(0.000_5).unwrap()).take(50).collect();
    let answers = low.iter().map(|low| receive(&mut node, SETTLED, ALICE, STEM, &one(low)));
    let answers: Vec<_> = answers.collect();
    assert!(answers[..49].iter().all(Vec::is_empty));
    assert_eq!(answers[49], [Output::Disconnect(ALICE, Violation::Unwanted)]);
}

#[test]
fn a_peer_fills_its_share_and_what_is_beyond_it_is_flooded() {
    let mut node = settled(&[R1, R2], &[]);
    let [filler, other] = [0, 1].map(|at| edges(&node, false).nth(at).unwrap());
    for peer in [filler, other] {
        join(&mut node, SETTLED, peer, Direction::Inbound, &offer());
    }
    for number in 0..64 {
        let outputs = receive(&mut node, SETTLED, filler, STEM, &one(&note(number)));
        assert_eq!(went(&outputs, STEM).len(), 1, "{number}");
    }
    receive(&mut node, SETTLED, filler, STEM, &one(&note(64)));
    assert_eq!((held(&node), node.pool().len()), (64, 1));
    let outputs = receive(&mut node, SETTLED, other, STEM, &one(&note(65)));
    assert_eq!((went(&outputs, STEM).len(), held(&node)), (1, 65));
    // What is flooded, comes back or is given up gives its place back.
    run(&mut node, later(120_000));
    assert_eq!(held(&node), 0);
    let again = receive(&mut node, later(120_000), filler, STEM, &one(&note(66)));
    assert_eq!(went(&again, STEM).len(), 1);
}

#[test]
fn a_stem_that_comes_again_goes_to_the_other_relay_once() {
    let mut node = settled(&[R1, R2], &[]);
    let [first, second, third] = [0, 1, 2].map(|at| edges(&node, false).nth(at).unwrap());
    let mut to = Vec::new();
    for peer in [first, second, third] {
        join(&mut node, SETTLED, peer, Direction::Inbound, &offer());
        to.extend(went(&receive(&mut node, SETTLED, peer, STEM, &one(&note(1))), STEM));
    }
    to.sort_unstable();
    assert_eq!((&to[..], held(&node)), (&[R1, R2][..], 1));
}

#[test]
fn own_envelopes_on_stems_fill_an_eighth_of_the_pool_at_most() {
    let config = Config { pool_bytes: 64 * 1_024, ..stemming() };
    let mut node = settled_as(config, 7, &[R1, R2], &[]);
    let refused = (0..).find_map(|number| node.publish(SETTLED, note(number)).err());
    assert_eq!(refused, Some(Rejection::Waiting));
    assert!((18..24).contains(&held(&node)), "{}", held(&node));
}

#[test]
fn a_clock_that_is_set_back_makes_no_stem_wait_longer() {
    let mut nodes = [0; 2].map(|_| settled(&[R1, R2], &[ALICE]));
    for node in &mut nodes {
        let _ = publish(node, SETTLED, note(1));
        take_all(node, SETTLED);
    }
    let [still, moved] = &mut nodes;
    let back = Duration::from_secs(20);
    let _ = moved.handle(SETTLED.saturating_sub(back), Input::Timeout).count();
    let due = still.poll_timeout().unwrap();
    assert_eq!(moved.poll_timeout(), Some(due.saturating_sub(back)));
}

#[test]
fn three_that_do_not_come_back_turn_their_edge_to_the_other_relay() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    let mut to = Vec::new();
    for number in 0..5 {
        let now = later(number * 60_000);
        to.extend(went(&publish(&mut node, now, lasting(number, 3_000, 40)), STEM));
        run(&mut node, now.saturating_add(Duration::from_secs(59)));
    }
    assert!(to[0] == to[1] && to[1] == to[2] && to[2] != to[3] && to[3] == to[4], "{to:?}");
}
