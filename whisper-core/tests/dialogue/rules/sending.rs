//! What goes on sessions, and again.

use super::*;

#[test]
fn what_is_said_goes_on_the_current_session() {
    let mut side = Side::invited();
    side.hears_invitation(at(secs(9)), 2, at(secs(9)), "again");
    side.hears_invitation(at(secs(10)), 3, at(secs(5)), "earlier");
    assert_eq!(side.dialogue.current(), Some(session(2)));
    let (_, events) = side.say(at(secs(11)), "hi");
    assert_eq!(side.texts(session(2)), ["hi"]);
    assert!(side.desk.invited.is_empty() && events.is_empty());
}

#[test]
fn of_sessions_of_one_second_the_lowest_name_is_current() {
    let mut side = Side::invited();
    for number in [7, 3, 5] {
        side.hears_invitation(at(secs(9)), number, at(secs(9)), "again");
    }
    assert_eq!(side.dialogue.current(), Some(session(3)));
}

#[test]
fn a_session_that_becomes_current_carries_again_in_order_what_is_not_acknowledged() {
    let mut side = Side::invited();
    for text in ["one", "two", "three"] {
        side.say(at(secs(1)), text);
    }
    let second = side.desk.sealed[1].2;
    side.hears(at(secs(2)), session(1), 1, Some(Content::Ack(vec![second])));
    let events = side.hears_invitation(at(secs(9)), 2, at(secs(9)), "lost all");
    assert_eq!(side.texts(session(2)), ["again one", "again three"]);
    let replaced = DialogueEvent::Replaced { from: session(1), to: session(2) };
    assert!(events.contains(&replaced), "{events:?}");
    // Under the names and with the times of the first sending.
    let Content::Resend { name, sent_at, .. } = &side.desk.sealed[3].1 else { panic!() };
    assert_eq!((*name, *sent_at), (side.desk.sealed[0].2, at(secs(1))));
}

#[test]
fn a_text_is_acknowledged_once_all_its_parts_are() {
    let mut side = Side::invited();
    let long = "x".repeat(150_000);
    let (text, _) = side.say(START, &long);
    assert_eq!(side.texts(session(1)), ["chunk 0", "chunk 1", "chunk 2"]);
    let names: Vec<_> = side.desk.sealed.iter().map(|(_, _, name)| *name).collect();
    let ack = |names: &[MessageName]| Some(Content::Ack(names.to_vec()));
    assert_eq!(side.hears(START, session(1), 1, ack(&names[..2]))[1..], []);
    let events = side.hears(START, session(1), 2, ack(&names[1..]));
    assert_eq!(events, [DialogueEvent::Acknowledged(vec![text])]);
    assert_eq!(side.hears(START, session(1), 3, ack(&names)), []);
}

#[test]
fn a_text_that_needs_more_than_256_parts_is_refused() {
    let mut side = Side::invited();
    let longest = vec![0; 256 * 63_988 + 1];
    let Side { dialogue, desk, rng, .. } = &mut side;
    let refused = dialogue.clone().send(START, &longest, desk, rng);
    assert_eq!(refused.unwrap_err(), DialogueError::TooLarge { max: 256 * 63_988 });
    dialogue.send(START, &longest[1..], desk, rng).unwrap();
    assert_eq!(side.desk.sealed.len(), 256);
}

#[test]
fn a_day_after_it_went_a_text_that_was_passed_goes_again_within_an_hour_and_so_daily() {
    let mut side = Side::invited();
    side.say(START, "lost");
    // The peer speaks, so that the session is not stale; what it sent before says nothing.
    side.opens(at(HOUR), at(secs(0)), session(1), 1, None, false);
    side.wait(at(2 * DAY));
    assert_eq!(side.texts(session(1)), ["lost"]);
    side.opens(at(2 * DAY), at(2 * DAY), session(1), 2, None, false);
    side.wait(at(2 * DAY + 2 * HOUR - secs(1)));
    assert_eq!(side.texts(session(1)), ["lost"]);
    side.wait(at(2 * DAY + 3 * HOUR));
    assert_eq!(side.texts(session(1)), ["lost", "again lost"]);
    side.opens(at(2 * DAY + 4 * HOUR), at(2 * DAY + 4 * HOUR), session(1), 3, None, false);
    side.wait(at(3 * DAY + HOUR));
    assert_eq!(side.texts(session(1)).len(), 2);
    side.wait(at(3 * DAY + 5 * HOUR));
    assert_eq!(side.texts(session(1)).len(), 3);
}

#[test]
fn no_more_than_64_lost_texts_go_again_in_an_hour_and_the_oldest_first() {
    let mut side = Side::invited();
    for number in 0..150 {
        side.say(START, &number.to_string());
    }
    side.opens(at(HOUR), at(HOUR), session(1), 1, None, false);
    for hour in 1..=3 {
        side.wait(at(DAY + HOUR * hour - secs(1)));
        let again: BTreeSet<_> = side.texts(session(1)).into_iter().skip(150).collect();
        let most = (64 * hour).min(150);
        let expected: BTreeSet<_> = (0..most).map(|number| format!("again {number}")).collect();
        assert_eq!(again, expected, "{hour}");
    }
}

#[test]
fn what_the_host_had_not_published_goes_again_when_the_program_starts() {
    let mut side = Side::invited();
    side.say(START, "out");
    side.say(START, "in");
    let out = side.desk.sealed[0].2;
    side.dialogue.published(out);
    side.dialogue.reopened(at(HOUR));
    side.wait(at(2 * HOUR));
    assert_eq!(side.texts(session(1)), ["out", "in", "again in"]);
}

#[test]
fn what_does_not_fit_into_an_hour_goes_in_the_next() {
    let mut side = Side::invited();
    let until = at(HOUR);
    side.desk.no_seal = Some(SealFailure::HourFull { until });
    let (_, events) = side.say(START, "one");
    assert_eq!(events, [DialogueEvent::Waiting(Obstacle::Hour { until })]);
    assert_eq!(side.say(START, "two").1, []);
    side.desk.no_seal = None;
    side.wait(until);
    assert_eq!(side.texts(session(1)), ["one", "two"]);
    assert_eq!(side.dialogue.obstacle(), None);
}

#[test]
fn a_chain_without_an_answer_is_followed_by_invitations() {
    let mut side = Side::invited();
    side.desk.no_seal = Some(SealFailure::Exhausted);
    side.say(START, "one");
    assert_eq!(side.invitations(), ["one"]);
    assert_eq!(side.dialogue.current(), Some(session(1)));
}

#[test]
fn without_randomness_a_step_fails() {
    let mut side = Side::invited();
    side.desk.no_seal = Some(SealFailure::Entropy);
    let Side { dialogue, desk, rng, .. } = &mut side;
    assert_eq!(dialogue.clone().send(START, b"x", desk, rng), Err(DialogueError::Entropy));
    let mut side = Side::new();
    side.desk.no_invite = Some(InviteFailure::Entropy);
    let Side { dialogue, desk, rng, .. } = &mut side;
    assert_eq!(dialogue.send(START, b"x", desk, rng), Err(DialogueError::Entropy));
}

#[test]
fn the_newest_1024_texts_are_kept_and_none_longer_than_21_days() {
    let mut side = Side::invited();
    let first = side.say(START, "first").0;
    let mut lost = Vec::new();
    for _ in 0..1_024 {
        lost.extend(side.say(at(secs(60)), "more").1);
    }
    assert_eq!(lost, [DialogueEvent::Lost(vec![first], Lost::Crowded)]);
    side.tick(at(21 * DAY));
    assert_eq!(side.tick(at(21 * DAY + secs(59))), []);
    let events = side.tick(at(21 * DAY + secs(60)));
    let [DialogueEvent::Lost(texts, Lost::Old)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(texts.len(), 1_024);
}
