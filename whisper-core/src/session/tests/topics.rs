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
        assert!((NOW.as_secs() - 59..=NOW.as_secs()).contains(&issued));
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
    let kind = bob.sessions.sessions().next().unwrap().kind;
    assert_eq!(kind, SessionKind::Seed { bound: true, fixed_topic: true });
}

#[test]
fn the_first_message_after_an_absence_arrives_by_itself() {
    // B3: 40 lost, and the next ones were held up until one came that lay at a multiple of 32.
    for lost in [0, 1, 31, 32, 40, 100, 150] {
        let [mut alice, mut bob] = talking();
        (0..lost).for_each(|_| _ = alice.say(NOW, bob.key(), "lost"));
        let envelope = alice.say(NOW, bob.key(), "here");
        assert_eq!(texts(&bob.open(NOW, &envelope).unwrap()), ["here"], "{lost}");
    }
}

#[test]
fn what_was_not_lost_is_found_once_a_later_message_opens() {
    let [mut alice, mut bob] = talking();
    let sent: Vec<_> = (0..400).map(|_| alice.say(NOW, bob.key(), "x")).collect();
    assert_eq!(bob.open(NOW, &sent[399]), Err(OpenError::NotOurs));
    assert!(bob.open(NOW, &sent[150]).is_ok());
    assert!(sent[..150].iter().rev().all(|envelope| bob.open(NOW, envelope).is_ok()));
    assert!(sent[151..].iter().all(|envelope| bob.open(NOW, envelope).is_ok()));
}

/// How many topics are watched for a session.
fn watched(party: &Party, id: SessionId) -> usize {
    let lanes = party.sessions.live[&id].channel.lanes();
    lanes.map(|(n, lane)| party.sessions.watch.topics_of((id, n), lane).len()).sum()
}

#[test]
fn an_idle_session_watches_541_topics_and_a_late_hour_159() {
    let [_, mut bob] = talking();
    let id = *bob.sessions.live.keys().next().unwrap();
    bob.tick(after(30 * HOUR / 2));
    assert_eq!(watched(&bob, id), 541);
    let hour = after(5 * HOUR).as_secs() / HOUR;
    assert_eq!(bob.sessions.look_late(after(15 * HOUR), hour).len(), 159);
    assert_eq!(bob.sessions.look_late(after(15 * HOUR + 59), hour), []);
    assert_eq!(bob.sessions.look_late(after(15 * HOUR + 60), hour), [], "it is watched still");
    bob.tick(after(15 * HOUR + 61));
    assert_eq!(watched(&bob, id), 541);
}

#[test]
fn what_was_made_hours_ago_is_found_by_looking_late() {
    let [mut alice, mut bob] = talking();
    let step = alice.sessions.set_ttl(SessionTtl::Day).unwrap();
    alice.run(NOW, step);
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
    assert_eq!(late_epochs(NOW, issued(4) - 59).collect::<Vec<_>>(), [hour - 5, hour - 4]);
    assert_eq!(late_epochs(NOW, issued(4) - 60).collect::<Vec<_>>(), [hour - 5]);
    assert_eq!(late_epochs(NOW, issued(27) - 2).collect::<Vec<_>>(), [0_u64; 0]);
    assert_eq!(late_epochs(NOW, u64::MAX).collect::<Vec<_>>(), [0_u64; 0]);
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
