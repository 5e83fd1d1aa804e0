//! One side has lost a session, or somebody else goes on with it.

use super::*;

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

/// A party that has lost all but its identity and its contacts.
fn forgetful(party: &mut Party, now: Timestamp) {
    let contacts: Vec<_> = party.sessions.contacts().collect();
    party.sessions = Sessions::new(party.identity.clone(), now);
    contacts.into_iter().for_each(|contact| party.befriend(contact));
}

/// Another program with the same identity and the same sessions.
fn copy(party: &Party, now: Timestamp) -> Party {
    Party {
        sessions: party.restored(now),
        store: party.store.clone(),
        identity: party.identity.clone(),
        rng: ChaCha20Rng::from_seed([99; 32]),
    }
}

fn hear_all(party: &mut Party, now: Timestamp, sent: &[Envelope]) -> Vec<&'static str> {
    let events: Vec<_> = sent.iter().flat_map(|envelope| party.hear(now, envelope)).collect();
    names(&events)
}

/// Two who have acknowledged all that was said, an hour and ten seconds later.
fn at_rest() -> ([Party; 2], u64) {
    let [mut alice, mut bob] = talking();
    let acknowledged = alice.tick(after(HOUR)).0;
    hear_all(&mut bob, after(HOUR), &acknowledged);
    let acknowledged = bob.tick(after(HOUR)).0;
    assert_eq!(hear_all(&mut alice, after(HOUR), &acknowledged), ["acknowledged"]);
    ([alice, bob], HOUR + 10)
}

#[test]
fn a_peer_that_has_lost_its_sessions_is_invited_again_after_a_day_and_both_talk_on() {
    for goes_on_writing in [true, false] {
        let ([mut alice, mut bob], start) = at_rest();
        let later = |secs| after(start + secs);
        forgetful(&mut bob, later(0));
        alice.say(later(0), bob.key(), "lost");
        if goes_on_writing {
            alice.say(later(DAY - 5), bob.key(), "lost too");
        }
        assert_eq!(alice.tick(later(DAY - 1)), (vec![], vec![]));
        let (sent, events) = alice.tick(later(DAY));
        let told = if goes_on_writing { vec!["stale"] } else { vec!["ended", "stale"] };
        assert_eq!((sent.len(), names(&events)), (2, told));
        assert_eq!(alice.tick(later(DAY + 1)), (vec![], vec![]), "once");
        assert!(alice.sessions.poll_timeout().unwrap() > later(DAY + 1));

        assert_eq!(hear_all(&mut bob, later(DAY), &sent), ["established"]);
        let (answer, _) = bob.tick(later(DAY + HOUR));
        assert_eq!(answer.len(), 1, "within the hour");
        let heard = hear_all(&mut alice, later(DAY + HOUR), &answer);
        assert_eq!(heard[0], "established");
        assert_eq!(heard.contains(&"replaced"), goes_on_writing);
        let envelope = alice.say(later(DAY + HOUR), bob.key(), "at last");
        assert_eq!(texts(&bob.hear(later(DAY + HOUR), &envelope)), ["at last"]);
    }
}

#[test]
fn a_peer_that_stays_away_is_invited_once_a_day_as_long_as_it_is_written_to() {
    let [mut alice, bob] = talking();
    let mut told = 0;
    for hour in 1..24 * 8 {
        if hour < 24 * 4 {
            alice.say(after(hour * HOUR), bob.key(), "are you there?");
        }
        let (_, events) = alice.tick(after(hour * HOUR + 1));
        told += names(&events).iter().filter(|name| **name == "stale").count();
    }
    assert_eq!(told, 4);
    assert_eq!(alice.sessions.sessions().count(), 0, "and given up in the end");
}

#[test]
fn a_stranger_who_never_answered_is_not_invited_again() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    alice.invite(NOW, bob.key(), "hello");
    for hour in 1..24 * 3 {
        alice.say(after(hour * HOUR), bob.key(), "are you there?");
        assert_eq!(alice.tick(after(hour * HOUR + 1)), (vec![], vec![]));
    }
}

#[test]
fn a_peer_that_acknowledges_is_not_stale() {
    let ([mut alice, mut bob], start) = at_rest();
    let envelope = alice.say(after(start), bob.key(), "hello");
    bob.hear(after(start), &envelope);
    let (acknowledged, _) = bob.tick(after(start + HOUR));
    assert_eq!(hear_all(&mut alice, after(start + HOUR), &acknowledged), ["acknowledged"]);
    alice.say(after(DAY), bob.key(), "another");
    assert_eq!(alice.tick(after(2 * DAY - 1)), (vec![], vec![]));
    assert_eq!(names(&alice.tick(after(2 * DAY)).1), ["ended", "stale"]);
}

#[test]
fn what_is_unanswered_on_a_session_that_was_replaced_makes_nobody_stale() {
    let [mut alice, mut bob] = talking();
    alice.say(after(10), bob.key(), "lost");
    let again = alice.invite(after(20), bob.key(), "again");
    again.iter().for_each(|envelope| _ = bob.hear(after(20), envelope));
    let late = bob.say(after(DAY), alice.key(), "here");
    assert_eq!(hear_all(&mut alice, after(DAY), &[late]), ["established", "message", "replaced"]);
    let (_, events) = alice.tick(after(DAY + 10));
    assert_eq!(names(&events), ["ended"]);
    assert!(alice.sessions.poll_timeout().unwrap() > after(DAY + 10));
}

#[test]
fn a_stranger_who_invites_without_a_word_learns_within_the_hour_that_it_was_accepted() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let invite = InviteOptions::default();
    let step = alice.sessions.invite(NOW, bob.key(), invite, None, &mut alice.rng).unwrap();
    let (sent, _) = alice.run(NOW, step);
    assert_eq!(hear_all(&mut bob, NOW, &sent), ["invited"]);
    assert_eq!(bob.tick(after(2 * HOUR)).0, [], "not before");
    let mut restored = copy(&bob, after(2 * HOUR));
    for bob in [&mut bob, &mut restored] {
        bob.accept(after(2 * HOUR), alice.key());
        let (answer, _) = bob.tick(after(3 * HOUR));
        assert_eq!(answer.len(), 1);
        assert_eq!(bob.tick(after(4 * HOUR)).0, [], "once");
    }
}

#[test]
fn who_has_said_something_meanwhile_sends_no_empty_message_after_it() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let invite = InviteOptions::default();
    let step = alice.sessions.invite(NOW, bob.key(), invite, None, &mut alice.rng).unwrap();
    let (sent, _) = alice.run(NOW, step);
    assert_eq!(hear_all(&mut bob, NOW, &sent), ["established"]);
    bob.say(after(1), alice.key(), "hi");
    assert_eq!(bob.tick(after(HOUR)).0, []);
}

#[test]
fn e31_two_programs_with_one_identity_are_found_by_the_peer() {
    let [mut alice, mut bob] = talking();
    let mut twin = copy(&alice, after(5));
    let first = alice.say(after(10), bob.key(), "one");
    let [second, third] = [20, 30].map(|secs| twin.say(after(secs), bob.key(), "other"));
    assert_eq!(names(&bob.hear(after(10), &first)), ["message"]);
    let before = bob.sessions.live.values().next().unwrap().channel.clone();
    assert_eq!(bob.open(after(20), &second).map(|events| names(&events)), Ok(vec!["peer forked"]));
    assert_eq!(bob.sessions.live.values().next().unwrap().channel, before, "the copy is dropped");
    assert_eq!(names(&bob.hear(after(30), &third)), ["message"]);
    let fourth = alice.say(after(40), bob.key(), "two");
    assert_eq!(bob.open(after(40), &fourth), Err(OpenError::Duplicate), "once a day");
    // Both go on.
    let noon = after(12 * HOUR);
    let fifth = [&mut alice, &mut twin].map(|party| party.say(noon, bob.key(), "three"));
    assert_eq!(names(&bob.hear(noon, &fifth[0])), ["message"]);
    let sixth = alice.say(after(DAY + 100), bob.key(), "four");
    assert_eq!(names(&bob.hear(after(DAY + 100), &sixth)), ["message"]);
    let seventh = twin.say(after(DAY + 200), bob.key(), "four");
    assert_eq!(names(&bob.hear(after(DAY + 200), &seventh)), ["peer forked"], "told again");
}

#[test]
fn e31_a_message_that_comes_again_in_whatever_envelope_is_no_fork() {
    let [mut alice, mut bob] = talking();
    let step = alice.sessions.send(after(10), &bob.key(), b"once", &mut alice.rng).unwrap();
    let outputs = alice.sessions.stored_at_once(after(10), step);
    let [SessionOutput::Transmit(outgoing)] = &outputs[..] else { panic!("{outputs:?}") };
    let envelope = outgoing.draft(after(10)).unwrap().seal(0);
    assert_eq!(texts(&bob.hear(after(10), &envelope)), ["once"]);
    let wrapped = outgoing.draft(after(500)).unwrap().seal(1);
    assert_eq!(bob.open(after(500), &wrapped), Err(OpenError::Duplicate));
    // Sealed again in the next hour, with the number and the time of the first.
    let next = after(2 * HOUR);
    let step = alice.sessions.seal_again(next, outgoing.clone(), &mut alice.rng).unwrap();
    let (again, _) = alice.run(next, step);
    assert_eq!(bob.open(next, &again[0]), Err(OpenError::Duplicate));
}

#[test]
fn e31_an_old_copy_learns_that_the_peer_has_read_what_it_never_said() {
    let [mut alice, mut bob] = talking();
    let mut old = copy(&alice, after(5));
    for text in ["one", "two"] {
        let envelope = alice.say(after(10), bob.key(), text);
        bob.hear(after(10), &envelope);
    }
    let (acknowledged, _) = bob.tick(after(HOUR + 10));
    let now = after(HOUR + 10);
    assert_eq!(hear_all(&mut alice, now, &acknowledged), ["acknowledged"]);
    // The text of the invitation is in both.
    assert_eq!(hear_all(&mut old, now, &acknowledged), ["suspect", "acknowledged"]);
}
