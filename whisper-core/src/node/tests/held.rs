//! Envelopes that wait outside the pool.

use super::*;

#[test]
fn an_envelope_that_is_held_is_unknown_to_peers_until_it_is_due() {
    let mut node = node_with(config(), &[ALICE, BOB]);
    let span = Duration::from_secs(4);
    let outputs: Vec<_> = node.publish_within(NOW, letter(1), span).unwrap().collect();
    assert_eq!((outputs, node.pool().len()), (vec![], 0));
    let again = node.publish_within(NOW, letter(1), span).map(|_| ());
    assert_eq!(again, Err(Rejection::Duplicate));
    let due = node.poll_timeout().unwrap();
    assert!(due > NOW && due < after(4_000), "{due:?}");
    let early: Vec<_> = node.handle(due.saturating_sub(TICK), Input::Timeout).collect();
    assert_eq!(early, []);
    let outputs: Vec<_> = node.handle(due, Input::Timeout).collect();
    for peer in [ALICE, BOB] {
        assert_eq!(sent_to(&outputs, peer, code::MESSAGES), [packet_of(&[letter(1)])]);
    }
}

#[test]
fn what_others_bring_while_it_is_held_is_relayed_as_theirs() {
    let mut node = node_with(config(), &[ALICE, BOB]);
    let _ = node.publish_within(NOW, letter(1), Duration::from_secs(4)).unwrap().count();
    let packet = packet_of(&[letter(1)]);
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
    let admitted = Event::Admitted { envelope: Arc::new(letter(1)), from: Some(ALICE) };
    assert!(outputs.contains(&Output::Event(admitted)));
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), [packet]);
    let later: Vec<_> = node.handle(after(4_000), Input::Timeout).collect();
    assert_eq!(later, []);
}

#[test]
fn what_is_held_is_bounded_and_released_in_no_foreseeable_order() {
    let mut node = node_with(Config { pool_bytes: 8 * 4_000, ..config() }, &[]);
    let span = Duration::from_secs(20);
    let mut taken = 0;
    while let Ok(outputs) = node.publish_within(NOW, letter(taken), span) {
        assert_eq!(outputs.len(), 0);
        taken += 1;
    }
    assert!((5..12).contains(&taken), "{taken}");
    let (mut order, mut moments) = (Vec::new(), Vec::new());
    while let Some(due) = node.poll_timeout().filter(|due| *due <= after(20_000)) {
        moments.push(due);
        order.extend(node.handle(due, Input::Timeout).filter_map(|output| match output {
            Output::Event(Event::Admitted { envelope, .. }) => Some(envelope.hash()),
            _ => None,
        }));
    }
    let handed_in: Vec<_> = (0..taken).map(|number| letter(number).hash()).collect();
    assert_eq!(order.len(), handed_in.len());
    assert_ne!(order, handed_in);
    assert!(moments.len() >= 4, "{moments:?}");
    assert!(node.publish_within(after(20_000), letter(taken), span).is_ok(), "there is room again");
}

#[test]
fn a_clock_that_is_set_back_holds_nothing_longer() {
    let mut node = node_with(config(), &[]);
    let _ = node.publish_within(NOW, letter(1), Duration::from_secs(4)).unwrap().count();
    let earlier = NOW.saturating_sub(Duration::from_secs(5));
    let _ = node.handle(earlier, Input::Timeout).count();
    let due = node.poll_timeout().unwrap();
    assert!(due < earlier.saturating_add(Duration::from_secs(4)), "{due:?}");
}

#[test]
fn an_envelope_that_expires_while_it_is_held_is_told_to_be_gone() {
    let mut node = node_with(config(), &[]);
    let hash = letter(1).hash();
    let _ = node.publish_within(NOW, letter(1), Duration::from_secs(1)).unwrap().count();
    let outputs: Vec<_> = node.handle(after(60_000), Input::Timeout).collect();
    assert_eq!(outputs, [Output::Event(Event::Gone { hash, why: Departure::Expired })]);
}
