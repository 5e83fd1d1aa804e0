//! How envelopes look from outside, and how they are found all the same.

use alloc::collections::BTreeSet;

use super::*;

const HOUR: u64 = 3_600;

#[test]
fn an_envelope_has_one_of_seven_lengths_and_begins_with_an_x_coordinate() {
    let [mut alice, bob] = talking();
    let sizes = [(0, 1_024), (1_008, 1_024), (1_009, 2_048), (65_520, 65_536), (3_000, 4_096)];
    for (length, class) in sizes {
        let envelope = alice.say(NOW, bob.key(), &"x".repeat(length));
        assert_eq!(envelope.data().len(), class + 28, "{length}");
        assert!(is_class_length(envelope.data().len()));
        let x = envelope.data().first_chunk().unwrap();
        assert!(PublicKey::lift_x(x).is_ok());
        assert_eq!(envelope.ttl(), 600);
        let issued = envelope.issued().unwrap();
        assert!((NOW.as_secs() - 4..=NOW.as_secs()).contains(&issued));
    }
    let sent = alice.sessions.send(NOW, &bob.key(), &[0; 65_521], &mut alice.rng);
    assert_eq!(sent, Err(SessionError::TooLarge { max: 65_520 }));
    for length in [0, 27, 28, 512 + 28, 1_023 + 28, 1_536 + 28, 131_072 + 28] {
        assert!(!is_class_length(length), "{length}");
    }
}

#[test]
fn no_two_messages_of_a_session_share_a_topic() {
    let [mut alice, bob] = talking();
    let mut topics = BTreeSet::new();
    for number in 0..100 {
        let envelope = alice.say(after(number * 60), bob.key(), "x");
        assert!(topics.insert(envelope.topic()));
    }
}

#[test]
fn a_fixed_topic_serves_both_directions() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let options = InviteOptions { fixed_topic: true, ..InviteOptions::default() };
    let step = alice.sessions.invite(NOW, bob.key(), options, Some("hi"), &mut alice.rng).unwrap();
    let (sent, _) = alice.run(NOW, step);
    bob.hear(NOW, &sent[0]);
    assert_eq!(texts(&bob.hear(NOW, &sent[1])), ["hi"]);
    let answer = bob.say(after(40 * HOUR / 2), alice.key(), "ho");
    assert_eq!(answer.topic(), sent[1].topic());
    assert_eq!(texts(&alice.hear(after(20 * HOUR), &answer)), ["ho"]);
    assert!(bob.sessions.sessions().next().unwrap().fixed_topic);
}

#[test]
fn a_session_is_found_after_31_lost_messages_and_at_every_32nd_beyond() {
    let [mut alice, mut bob] = talking();
    // 0 is the first message; the next that is opened may be 32 further.
    let sent: Vec<_> = (1..=100).map(|_| alice.say(NOW, bob.key(), "x")).collect();
    let opens = |bob: &mut Party, number: usize| bob.open(NOW, &sent[number - 1]).is_ok();
    assert!(!opens(&mut bob, 33));
    assert!(opens(&mut bob, 32));
    assert!(opens(&mut bob, 64) && opens(&mut bob, 96));
    assert!(opens(&mut bob, 33));
}

#[test]
fn an_idle_session_watches_541_topics_and_a_late_hour_159() {
    let [_, mut bob] = talking();
    let id = *bob.sessions.live.keys().next().unwrap();
    bob.tick(after(30 * HOUR / 2));
    let session = &bob.sessions.live[&id];
    let watched = bob.sessions.watch.topics_of(id, &session.keys.receiving);
    assert_eq!(watched.len(), 541);
    let hour = after(5 * HOUR).as_secs() / HOUR;
    assert_eq!(bob.sessions.look_late(after(15 * HOUR), hour).len(), 159);
    assert_eq!(bob.sessions.look_late(after(15 * HOUR + 59), hour), []);
    assert_eq!(bob.sessions.look_late(after(15 * HOUR + 60), hour), [], "it is watched still");
    bob.tick(after(15 * HOUR + 61));
    let session = &bob.sessions.live[&id];
    assert_eq!(bob.sessions.watch.topics_of(id, &session.keys.receiving).len(), 541);
}

#[test]
fn what_was_made_hours_ago_is_found_by_looking_late() {
    let [mut alice, mut bob] = talking();
    alice.sessions.set_ttl(SessionTtl::Day);
    let sent: Vec<_> = (0..40).map(|_| alice.say(NOW, bob.key(), "late")).collect();
    let now = after(10 * HOUR);
    bob.tick(now);
    assert_eq!(bob.open(now, &sent[0]), Err(OpenError::NotOurs));
    let hours: BTreeSet<_> =
        sent.iter().flat_map(|sent| late_epochs(now, sent.issued().unwrap())).collect();
    let found: BTreeSet<_> =
        hours.iter().flat_map(|hour| bob.sessions.look_late(now, *hour)).collect();
    assert!(found.contains(&sent[0].topic()));
    // Each success lets further topics be watched: in the end all are found.
    let mut opened = 0;
    for _ in 0..2 {
        opened += sent.iter().filter(|sent| bob.open(now, sent).is_ok()).count();
    }
    assert_eq!(opened, 40);
}

#[test]
fn hours_are_late_from_the_fourth_to_the_26th() {
    let hour = NOW.as_secs() / HOUR;
    let issued = |ago: u64| (hour - ago) * HOUR;
    for (ago, late) in [(0, false), (3, false), (4, true), (26, true), (27, false)] {
        assert_eq!(late_epochs(NOW, issued(ago)).next().is_some(), late, "{ago}");
    }
    // The sender dated it back across the hour.
    assert_eq!(late_epochs(NOW, issued(4) - 2).collect::<Vec<_>>(), [hour - 5, hour - 4]);
    assert_eq!(late_epochs(NOW, issued(27) - 2).collect::<Vec<_>>(), []);
    assert_eq!(late_epochs(NOW, u64::MAX).collect::<Vec<_>>(), []);
}

#[test]
fn a_new_hour_brings_new_topics_to_look_back_for() {
    let [_, mut bob] = talking();
    let turn = bob.sessions.poll_timeout().unwrap().max(after(0));
    assert!(turn <= after(HOUR));
    let outputs = bob.sessions.tick(after(HOUR), &mut bob.rng);
    let Some(SessionOutput::LookBack(topics)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(topics.len(), 159);
}

#[test]
fn the_watch_holds_nothing_of_what_is_gone() {
    let [mut alice, bob] = talking();
    alice.tick(after(3 * HOUR));
    alice.sessions.look_late(after(3 * HOUR), after(0).as_secs() / HOUR - 2);
    alice.close(after(3 * HOUR), bob.key());
    alice.tick(after(3 * HOUR));
    let sessions = &mut alice.sessions;
    sessions.look_late(after(5 * HOUR), 0);
    sessions.tick(after(9 * HOUR), &mut alice.rng);
    assert!(sessions.watch.topics.is_empty());
}
