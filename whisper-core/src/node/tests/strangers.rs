//! What a peer may do again and again, and what a peer cannot know.

use super::*;
use crate::envelope::Draft;

/// A node that holds so many envelopes, brought by peers.
fn node_that_holds(count: u32) -> Node {
    let mut node = node_with(Config { budgets: None, ..config() }, &[ALICE]);
    for thousand in 0..count / 1_000 {
        let envelopes: Vec<Envelope> = (0..1_000)
            .map(|number| numbered(thousand * 1_000 + number, NOW, Duration::from_secs(3_600)))
            .collect();
        let _ = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet_of(&envelopes)).len();
    }
    node
}

fn numbered(number: u32, now: Timestamp, ttl: Duration) -> Envelope {
    let draft = Draft::new(now, ttl, Topic::new(number.to_be_bytes()), vec![7; 100]).unwrap();
    draft.seal_rated(config().min_rating).unwrap()
}

#[test]
fn a_peer_that_does_not_read_and_changes_its_bloom_again_and_again_is_lined_up_each_envelope_once()
{
    // So few that each change begins another scan.
    let mut node = node_that_holds(3_000);
    let held = node.pool().len();
    let connected = inbound(BOB);
    step(&mut node, connected);
    let _ = receive(&mut node, NOW, BOB, code::STATUS, &status(0.0, false)).len();
    assert_eq!(held, 3_000);
    for change in 1..5_u64 {
        let bloom = packet::encode_bloom(&Bloom::FULL);
        let _ = node.handle(after(change * 5_000), Input::Written { peer: BOB, bytes: 1 }).len();
        let _ = receive(&mut node, after(change * 5_000), BOB, code::BLOOM, &bloom).len();
        let line = node.connections.peers[&BOB].window.line.len();
        assert!(line <= held, "{line} are lined up of {held}");
    }
}

#[test]
fn a_line_is_bounded_and_what_found_no_place_in_it_goes_out_later() {
    let config = Config { min_rating: Rating::ZERO, budgets: None, ..config() };
    let mut node = node_with(config, &[ALICE]);
    for thousand in 0..20 {
        let draft = |number: u32| {
            let topic = Topic::new((thousand * 1_000 + number).to_be_bytes());
            Draft::new(NOW, Duration::from_secs(3_600), topic, vec![7; 100])
        };
        let envelopes: Vec<_> = (0..1_000).map(|number| draft(number).unwrap().seal(0)).collect();
        let _ = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet_of(&envelopes)).len();
    }
    step(&mut node, inbound(BOB));
    let mut outputs = receive(&mut node, NOW, BOB, code::STATUS, &status(0.0, false));
    let is_scanning = |node: &Node| node.connections.peers[&BOB].window.line.is_scanning();
    assert!(is_scanning(&node), "one step does not look at all of the pool");
    while is_scanning(&node) {
        outputs.extend(step(&mut node, Input::Timeout));
    }
    assert!(node.connections.peers[&BOB].window.line.len() <= line::LENGTH);
    let mut steps = 0;
    while is_scanning(&node) || node.connections.peers[&BOB].window.line.len() > 0 {
        outputs.extend(step(&mut node, Input::Written { peer: BOB, bytes: usize::MAX }));
        steps += 1;
        assert!(steps < 10_000, "it comes to an end");
    }
    let mut count = 0;
    let mut topics = alloc::collections::BTreeSet::new();
    for packet in sent_to(&outputs, BOB, code::MESSAGES) {
        for envelope in packet::decode_direct(&packet).unwrap() {
            topics.insert(envelope.topic());
            count += 1;
        }
    }
    assert_eq!((count, topics.len()), (20_000, 20_000));
}

#[test]
fn a_peer_whose_clock_is_ahead_of_ours_is_never_cut_for_the_envelopes_it_relays() {
    for ahead in [40, 1_000, 3_000, 9_000, 10_000] {
        let mut node = node_with(config(), &[ALICE]);
        for second in 0..120_u64 {
            // Made at the start of a second of theirs, with the rating that we demand.
            let made = after(second * 1_000);
            let envelope = short_lived(made, u32::try_from(second).unwrap());
            let ours = made.saturating_sub(Duration::from_millis(ahead));
            let outputs = receive(&mut node, ours, ALICE, code::MESSAGES, &packet_of(&[envelope]));
            let _ = node.handle(ours, Input::Written { peer: ALICE, bytes: usize::MAX }).len();
            let cut = outputs.iter().any(|output| matches!(output, Output::Disconnect(..)));
            assert!(!cut, "cut after {second} envelopes, {ahead} ms ahead: {outputs:?}");
        }
    }
}

/// One that lives for a second and is worth what is demanded, and not twice that.
fn short_lived(made: Timestamp, number: u32) -> Envelope {
    let min = config().min_rating;
    let envelope = |nonce: u64| {
        let mut writer = crate::rlp::Writer::new();
        writer.list(|items| {
            items.uint(made.as_secs() + 1).uint(1).bytes(&number.to_be_bytes());
            items.bytes(&[7; 900]).uint(nonce);
        });
        Envelope::decode(writer.as_bytes()).unwrap()
    };
    let worth = |rating: Rating| rating >= min && rating.as_f64() < 2.0 * min.as_f64();
    (0..).map(envelope).find(|envelope| worth(envelope.rating())).unwrap()
}

#[test]
fn a_peer_whose_envelopes_wait_here_while_the_demand_rises_is_not_cut_for_them() {
    let peers: Vec<_> = (1..6).map(PeerId::new).collect();
    let mut node = node_with(Config { pool_bytes: 30 * 700, ..config() }, &peers);
    for number in 0..60 {
        let from = peers[usize::from(number) % peers.len()];
        let packet = packet_of(&[large_letter(number)]);
        let _ = receive(&mut node, NOW, from, code::MESSAGES, &packet).len();
    }
    let raised = node.min_rating();
    assert!(raised > config().min_rating);
    let between: Vec<_> = (60..=255)
        .map(|number| envelope(number, 400, 0.001))
        .filter(|letter| letter.rating() < raised)
        .take(60)
        .collect();
    assert_eq!(between.len(), 60);
    let outputs = receive(&mut node, after(15_000), ALICE, code::MESSAGES, &packet_of(&between));
    assert!(!outputs.contains(&Output::Disconnect(ALICE, Violation::Unwanted)));
}
