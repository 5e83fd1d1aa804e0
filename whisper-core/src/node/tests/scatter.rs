//! What begins here leaves for each peer at a moment of its own.

use super::*;

const CAROL: PeerId = PeerId::new(3);

fn scattering() -> Config {
    Config { stem: Some(Stem { relays: 0, ..Stem::default() }), ..config() }
}

fn long_letter(number: u8) -> Envelope {
    let topic = Topic::new([number; 4]);
    let draft = crate::envelope::Draft::new(NOW, Duration::from_secs(600), topic, vec![number; 40]);
    draft.unwrap().seal_rated(Rating::new(0.001).unwrap()).unwrap()
}

/// Takes steps whenever one is due, until then, and says when a packet of this code went where.
fn run(node: &mut Node, until: Timestamp, wanted: u8) -> Vec<(u64, PeerId)> {
    let mut sent = Vec::new();
    while let Some(due) = node.poll_timeout().filter(|due| *due <= until) {
        let since = due.saturating_since(NOW).as_millis() as u64;
        for output in node.handle(due, Input::Timeout) {
            match output {
                Output::Transmit { peer, code, .. } if code == wanted => sent.push((since, peer)),
                _ => {}
            }
        }
    }
    sent
}

fn peers(count: u64) -> Vec<PeerId> {
    (1..=count).map(PeerId::new).collect()
}

#[test]
fn what_begins_here_leaves_for_each_peer_at_a_moment_of_its_own() {
    let mut delays = Vec::new();
    for seed in 0..40 {
        let mut node = Node::new(scattering(), [seed; 32]);
        for peer in peers(20) {
            step(&mut node, outbound(peer));
            receive(&mut node, NOW, peer, code::STATUS, &status(0.0, true));
        }
        let outputs: Vec<_> = node.publish(NOW, long_letter(seed)).unwrap().collect();
        // One in a thousand waits for less than a millisecond.
        let at_once =
            peers(20).iter().flat_map(|to| sent_to(&outputs, *to, code::MESSAGES)).count();
        let sent = run(&mut node, after(6_000), code::MESSAGES);
        assert_eq!(at_once + sent.len(), 20);
        delays.extend(sent.into_iter().map(|(delay, _)| delay));
    }
    delays.sort_unstable();
    // Exponential, a second on average, five at most.
    assert!((600..800).contains(&delays[delays.len() / 2]), "{}", delays[delays.len() / 2]);
    assert!((2_000..2_700).contains(&delays[delays.len() * 9 / 10]));
    assert!(delays.iter().all(|delay| *delay <= 5_000));
}

#[test]
fn nobody_waits_for_longer_than_a_tenth_of_what_is_left_of_a_life() {
    let mut node = node_with(scattering(), &peers(60));
    let short = crate::envelope::Draft::new(NOW, Duration::from_secs(10), Topic::default(), vec![]);
    let _ = node.publish(NOW, short.unwrap().seal(0)).unwrap().count();
    let sent = run(&mut node, after(1_000), code::MESSAGES);
    assert_eq!(sent.len(), 60, "{sent:?}");
}

#[test]
fn what_others_bring_is_relayed_at_once() {
    let mut node = node_with(scattering(), &[ALICE, BOB, CAROL]);
    let packet = packet_of(&[letter(1)]);
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
    for peer in [BOB, CAROL] {
        assert_eq!(sent_to(&outputs, peer, code::MESSAGES), core::slice::from_ref(&packet));
    }
}

#[test]
fn k11c_what_arrives_from_others_is_waited_for_by_nobody() {
    let mut node = node_with(scattering(), &[ALICE, BOB, CAROL]);
    let packet = packet_of(&[long_letter(1)]);
    let outputs: Vec<_> = node.publish(NOW, long_letter(1)).unwrap().collect();
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), Vec::<Vec<u8>>::new());
    let outputs = receive(&mut node, after(1), ALICE, code::MESSAGES, &packet);
    for peer in [BOB, CAROL] {
        assert_eq!(sent_to(&outputs, peer, code::MESSAGES), core::slice::from_ref(&packet));
    }
    assert_eq!(run(&mut node, after(6_000), code::MESSAGES), []);
}

#[test]
fn k11c_who_reconnects_or_wants_more_waits_by_itself() {
    let mut node = node_with(scattering(), &[ALICE, BOB]);
    let _ = node.publish(NOW, long_letter(1)).unwrap().count();
    step(&mut node, outbound(CAROL));
    let mut outputs = receive(&mut node, NOW, CAROL, code::STATUS, &status(0.0, true));
    let bloom = packet::encode_bloom(&Bloom::FULL);
    outputs.extend(receive(&mut node, NOW, BOB, code::BLOOM, &bloom));
    for peer in [BOB, CAROL] {
        assert_eq!(sent_to(&outputs, peer, code::MESSAGES), Vec::<Vec<u8>>::new());
    }
    let sent = run(&mut node, after(6_000), code::MESSAGES);
    let mut to: Vec<_> = sent.iter().map(|(_, peer)| *peer).collect();
    to.sort_unstable();
    assert_eq!(to, [ALICE, BOB, CAROL]);
    let at = |wanted| sent.iter().find(|(_, peer)| *peer == wanted).map(|(at, _)| *at);
    assert!(at(CAROL) > Some(0) && at(CAROL) != at(BOB));
}

#[test]
fn k11c_what_has_never_left_leaves_for_a_first_peer_after_a_wait() {
    let mut node = node_with(scattering(), &[]);
    let _ = node.publish(NOW, long_letter(1)).unwrap().count();
    step(&mut node, outbound(ALICE));
    let outputs = receive(&mut node, NOW, ALICE, code::STATUS, &status(0.0, true));
    assert_eq!(sent_to(&outputs, ALICE, code::MESSAGES), Vec::<Vec<u8>>::new());
    let sent = run(&mut node, after(6_000), code::MESSAGES);
    assert!(matches!(sent[..], [(1.., ALICE)]), "{sent:?}");
    // It has left: it is relayed as any other.
    step(&mut node, outbound(BOB));
    let outputs = receive(&mut node, after(6_000), BOB, code::STATUS, &status(0.0, true));
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES).len(), 1);
}

#[test]
fn waits_move_with_a_clock_that_is_set_back() {
    let (minute, earlier) = (Duration::from_secs(60), NOW.saturating_sub(Duration::from_secs(60)));
    let mut nodes = [0; 2].map(|_| node_with(scattering(), &peers(3)));
    let [first, second] = &mut nodes;
    let _ = first.publish(NOW, long_letter(1)).unwrap().count();
    let _ = second.publish(NOW, long_letter(1)).unwrap().count();
    assert_eq!(second.handle(earlier, Input::Timeout).len(), 0);
    let due = first.poll_timeout().unwrap();
    assert_eq!(second.poll_timeout(), Some(due.saturating_sub(minute)));
}

#[test]
fn what_is_gone_is_waited_for_by_nobody() {
    let mut node = node_with(scattering(), &[]);
    for number in 0..9 {
        let _ = node.publish(NOW, letter(number)).unwrap().count();
    }
    let begun = |node: &Node| node.connections.scatter.as_ref().unwrap().len();
    assert_eq!(begun(&node), 9);
    let _ = node.handle(after(60_000), Input::Timeout).count();
    assert_eq!((node.pool().len(), begun(&node)), (0, 0));
}

#[test]
fn what_only_a_peer_waited_for_that_hangs_up_has_never_left() {
    let mut node = node_with(scattering(), &[ALICE]);
    let _ = node.publish(NOW, long_letter(1)).unwrap().count();
    step(&mut node, Input::Disconnected(ALICE));
    assert_eq!(run(&mut node, after(6_000), code::MESSAGES), []);
    let _ = node.handle(after(6_000), outbound(BOB)).count();
    let outputs = receive(&mut node, after(6_000), BOB, code::STATUS, &status(0.0, true));
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), Vec::<Vec<u8>>::new());
    assert_eq!(run(&mut node, after(12_000), code::MESSAGES).len(), 1);
    // It has left, though the last that waits hangs up.
    for peer in [ALICE, CAROL].map(|peer| PeerId::new(peer.as_u64() + 10)) {
        let _ = node.handle(after(12_000), outbound(peer)).count();
        let outputs = receive(&mut node, after(12_000), peer, code::STATUS, &status(0.0, true));
        assert_eq!(sent_to(&outputs, peer, code::MESSAGES).len(), 1);
    }
}

#[test]
fn what_has_left_for_one_is_relayed_at_once_after_the_others_have_hung_up() {
    let mut node = node_with(scattering(), &peers(9));
    let _ = node.publish(NOW, long_letter(1)).unwrap().count();
    let due = node.poll_timeout().unwrap();
    let first = run(&mut node, due, code::MESSAGES);
    assert_eq!(first.len(), 1);
    for peer in peers(9) {
        let _ = node.handle(due, Input::Disconnected(peer)).count();
    }
    run(&mut node, after(6_000), code::MESSAGES);
    assert_eq!(node.connections.scatter.as_ref().unwrap().len(), 0);
    let new = PeerId::new(20);
    let _ = node.handle(after(6_000), outbound(new)).count();
    let outputs = receive(&mut node, after(6_000), new, code::STATUS, &status(0.0, true));
    assert_eq!(sent_to(&outputs, new, code::MESSAGES).len(), 1);
}
