//! What a wrong clock does, and what the bounds are.

use super::*;

#[test]
fn e32_a_clock_that_is_a_year_ahead_for_a_moment_ends_and_silences_nothing() {
    let mut side = Side::invited();
    side.say(START, "before");
    side.opens(at(secs(1)), at(secs(1)), session(1), 1, Some(Content::Part(part("x"))), false);
    side.wait(at(2 * HOUR));
    let wrong = at(365 * DAY);
    let Side { dialogue, desk, rng, .. } = &mut side;
    dialogue.tick(wrong, false, desk, rng).unwrap();
    side.say(wrong, "from the future");
    side.tick(at(3 * HOUR));
    assert!(side.desk.wiped.is_empty());
    assert_eq!(side.dialogue.current(), Some(session(1)));
    side.say(at(3 * HOUR), "after");
    assert_eq!(side.texts(session(1)), ["before", "from the future", "after"]);
    // What went under the wrong hour is lost, and goes again as what is lost does.
    side.opens(at(DAY), at(DAY), session(1), 2, Some(Content::Cover), false);
    side.wait(at(DAY + 5 * HOUR));
    let again = side.texts(session(1)).split_off(3);
    let again: BTreeSet<_> = again.iter().map(String::as_str).collect();
    assert_eq!(again, BTreeSet::from(["again before", "again from the future", "again after"]));
    // And idleness counts from the time that was right.
    side.wait(at(40 * DAY));
    assert!(side.desk.wiped.contains(&session(1)));
}

#[test]
fn an_acknowledgement_that_a_wrong_clock_put_off_is_not_put_off_for_ever() {
    let mut side = Side::new();
    side.dialogue.greet(START, 300 * DAY, &mut side.rng);
    side.hears_invitation(at(365 * DAY), 1, START, "hello");
    side.tick(START);
    assert_eq!(side.acks().len(), 1);
}

#[test]
fn nothing_that_cannot_be_undone_happens_while_the_clock_is_not_trusted() {
    let mut side = Side::invited();
    side.hears_invitation(START, 2, at(secs(1)), "more");
    side.hears(at(DAY), session(2), 1, Some(Content::Cover));
    side.say(at(DAY), "one");
    let Side { dialogue, desk, rng, .. } = &mut side;
    let events = dialogue.tick(at(300 * DAY), false, desk, rng).unwrap();
    assert_eq!((events, side.desk.wiped.len()), (vec![], 0));
    side.tick(at(300 * DAY));
    assert_eq!(side.desk.wiped.len(), 2);
}

#[test]
fn what_is_due_is_told_and_after_a_tick_nothing_that_has_passed_is() {
    let mut side = Side::invited();
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    for number in 0..100_u32 {
        side.say(at(HOUR * number), "more");
        let opened = Some(Content::Part(part(&number.to_string())));
        let on = session(1);
        let now = at(HOUR * number + secs(5));
        side.opens(now, now, on, u64::from(number) + 1, opened, number % 7 == 0);
        // `wait` asserts it.
        side.wait(at(HOUR * (number + 1)));
    }
    side.wait(at(200 * DAY));
    assert_eq!(side.next(), None);
}
