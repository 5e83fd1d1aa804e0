//! Clocks that are wrong, and set right.

use super::*;

const HOUR: u64 = 3_600;
const DAY: u64 = 86_400;

#[test]
fn a_clock_that_was_ahead_and_is_set_right_stops_nobody() {
    let [mut alice, mut bob] = talking();
    alice.say(after(HOUR + 100), bob.key(), "into the future");
    let step = alice.sessions.send(after(1), &bob.key(), b"after it", &mut alice.rng).unwrap();
    let (sent, events) = alice.run(after(1), step);
    assert_eq!(names(&events), ["set back"]);
    assert_eq!(texts(&bob.hear(after(1), &sent[0])), ["after it"]);
    let step = alice.sessions.send(after(2), &bob.key(), b"and on", &mut alice.rng).unwrap();
    let (sent, events) = alice.run(after(2), step);
    assert_eq!((names(&events), texts(&bob.hear(after(2), &sent[0]))), (vec![], vec!["and on"]));
}

#[test]
fn a_clock_that_is_a_day_ahead_for_a_moment_ends_nothing() {
    let [mut alice, mut bob] = talking();
    let ahead = after(25 * HOUR);
    for party in [&mut alice, &mut bob] {
        for now in [after(1), ahead, ahead.saturating_add(Duration::from_secs(1)), after(2)] {
            let step = party.sessions.tick(now, &mut party.rng);
            assert_eq!(party.run(now, step).1, []);
            assert!(party.sessions.poll_timeout().is_none_or(|due| due > now));
        }
    }
    let envelope = alice.say(after(3), bob.key(), "still here");
    assert_eq!(texts(&bob.hear(after(3), &envelope)), ["still here"]);
    let envelope = bob.say(after(3), alice.key(), "so am I");
    assert_eq!(texts(&alice.hear(after(3), &envelope)), ["so am I"]);
}

#[test]
fn a_session_ends_at_the_second_look_ten_minutes_after_the_first() {
    let [mut alice, bob] = talking();
    let now = after(2 * DAY);
    for (seconds, count) in [(0, 1), (599, 1), (600, 0)] {
        let now = now.saturating_add(Duration::from_secs(seconds));
        let step = alice.sessions.tick(now, &mut alice.rng);
        alice.run(now, step);
        assert_eq!(alice.sessions.sessions().count(), count, "{seconds}");
        assert!(alice.sessions.poll_timeout().is_none_or(|due| due > now));
        // It is not used any more meanwhile.
        let sent = alice.sessions.send(now, &bob.key(), b"", &mut alice.rng);
        assert_eq!(sent, Err(SessionError::NoSession));
    }
}

#[test]
fn what_was_invited_by_a_clock_that_was_ahead_is_no_hindrance_afterwards() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let [early, _] = alice.invite(after(DAY), bob.key(), "from tomorrow");
    assert_eq!(bob.take_invitation(NOW, &early), Err(InvitationError::OutOfTime));
    for envelope in alice.invite(after(1), bob.key(), "hello") {
        bob.hear(after(1), &envelope);
    }
    let envelope = alice.say(after(2), bob.key(), "do you hear me?");
    assert_eq!(texts(&bob.hear(after(2), &envelope)), ["do you hear me?"]);
}

#[test]
fn an_acknowledgement_that_another_clock_put_off_for_days_is_given_now() {
    let [_, mut bob] = talking();
    let id = *bob.sessions.live.keys().next().unwrap();
    bob.sessions.live.get_mut(&id).unwrap().state.ack_at = Some(after(5 * DAY));
    assert_eq!(bob.tick(after(1)).0.len(), 1);
}

#[test]
fn messages_are_found_in_the_right_hour_before_the_next_tick() {
    let [mut alice, mut bob] = talking();
    bob.sessions.tick(after(25 * HOUR), &mut bob.rng);
    let envelope = alice.say(after(1), bob.key(), "x");
    assert_eq!(texts(&bob.open(after(1), &envelope).unwrap()), ["x"]);
    let at_once = Some(Timestamp::default());
    assert_eq!(bob.sessions.poll_timeout(), at_once, "there is something to look back for");
}

#[test]
fn what_could_not_be_published_in_its_hour_is_sealed_again() {
    let [mut alice, mut bob] = talking();
    let step = alice.sessions.send(NOW, &bob.key(), b"late", &mut alice.rng).unwrap();
    let outputs = alice.sessions.stored_at_once(NOW, step);
    let [SessionOutput::Transmit(outgoing)] = &outputs[..] else { panic!("{outputs:?}") };
    let ends = outgoing.seal_again_at().unwrap();
    assert!(ends > NOW && ends <= after(HOUR));
    let step = alice.sessions.seal_again(NOW, outgoing.clone(), &mut alice.rng).unwrap();
    assert_eq!(step, outputs, "in its hour it is as good as any");

    // For five hours there was no peer: a live reader does not watch that hour any more.
    let now = after(5 * HOUR);
    bob.tick(now);
    let stale = outgoing.draft(now).unwrap().seal(0);
    assert_eq!(bob.open(now, &stale), Err(OpenError::NotOurs));
    let step = alice.sessions.seal_again(now, outgoing.clone(), &mut alice.rng).unwrap();
    let outputs = alice.sessions.stored_at_once(now, step);
    let [SessionOutput::Transmit(again), ..] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(again.message, outgoing.message);
    assert_ne!(again.topic, outgoing.topic);
    let envelope = again.draft(now).unwrap().seal(0);
    assert_eq!(texts(&bob.open(now, &envelope).unwrap()), ["late"]);

    // It is the same message: in whichever envelope it comes again, it is shown once.
    let step = alice.sessions.seal_again(after(7 * HOUR), again.clone(), &mut alice.rng).unwrap();
    let (sent, _) = alice.run(after(7 * HOUR), step);
    bob.tick(after(7 * HOUR));
    assert_eq!(bob.open(after(7 * HOUR), &sent[0]), Err(OpenError::Duplicate));
    alice.close(after(7 * HOUR), bob.key());
    let ended = alice.sessions.seal_again(after(9 * HOUR), again.clone(), &mut alice.rng);
    assert_eq!(ended, Err(SessionError::NoSession));
}

#[test]
fn after_2106_nothing_is_sent_and_that_is_an_error() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    let now = Timestamp::from_secs(1 << 32);
    let options = InviteOptions::default();
    let invited = alice.sessions.invite(now, bob.key(), options, Some("hello"), &mut alice.rng);
    assert_eq!(invited, Err(SessionError::Date));
}
