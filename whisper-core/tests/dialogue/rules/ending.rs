//! How sessions end.

use whisper_core::session::Ended;

use super::*;

#[test]
fn close_is_said_twice_and_ends_all_that_would_go_by_itself() {
    let mut side = Side::invited();
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    side.hears_invitation(START, 2, at(secs(1)), "more");
    let (text, _) = side.say(at(secs(2)), "unheard");
    let Side { dialogue, desk, rng, .. } = &mut side;
    let events = dialogue.close(at(secs(3)), desk, rng).unwrap();
    let said = side.desk.sealed.iter().filter(|(_, content, _)| *content == Content::Close);
    assert_eq!(said.map(|(on, ..)| *on).collect::<Vec<_>>(), [session(2); 2]);
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1), session(2)]));
    assert!(events.contains(&DialogueEvent::Lost(vec![text], Lost::Closed)));
    assert!(events.contains(&DialogueEvent::Ended(session(1), Ended::Closed)));
    let sealed = side.desk.sealed.len();
    side.wait(at(40 * DAY));
    assert_eq!((side.desk.sealed.len(), side.desk.invited.len()), (sealed, 0));
}

#[test]
fn without_a_current_session_close_is_silent() {
    let mut side = Side::new();
    side.say(START, "one");
    let Side { dialogue, desk, rng, .. } = &mut side;
    dialogue.close(START, desk, rng).unwrap();
    assert!(side.desk.sealed.is_empty());
    side.wait(at(40 * DAY));
    assert_eq!(side.invitations(), ["one"]);
}

#[test]
fn e15_a_close_ends_what_was_begun_before_it_and_a_newer_session_survives() {
    let mut side = Side::invited();
    side.hears_invitation(START, 2, at(secs(10)), "more");
    side.hears_invitation(at(DAY), 3, at(DAY), "newer");
    let close = Some(Content::Close);
    let events = side.opens(at(DAY), at(secs(20)), session(2), 5, close.clone(), false);
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1)]));
    assert_eq!(side.desk.retired, [session(2)]);
    assert_eq!(events.iter().filter(|event| **event == DialogueEvent::Closed).count(), 1);
    assert_eq!(side.dialogue.current(), Some(session(3)));
    // The second envelope says nothing new.
    let events = side.opens(at(DAY), at(secs(20)), session(2), 6, close, false);
    assert_eq!((events, side.desk.retired.len()), (vec![], 1));
    // What was sent before it is shown for a day.
    let late = Some(Content::Part(part("late")));
    let events = side.opens(at(DAY + HOUR), at(secs(15)), session(2), 3, late, false);
    assert_eq!(shown(&events), ["late"]);
    side.wait(at(2 * DAY - secs(1)));
    assert!(!side.desk.wiped.contains(&session(2)));
    side.wait(at(2 * DAY));
    assert!(side.desk.wiped.contains(&session(2)) && !side.desk.wiped.contains(&session(3)));
}

#[test]
fn after_a_close_of_the_peer_nothing_goes_by_itself() {
    let mut side = Side::invited();
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    let (text, _) = side.say(START, "unheard");
    let events = side.hears(at(secs(5)), session(1), 1, Some(Content::Close));
    assert!(events.contains(&DialogueEvent::Lost(vec![text], Lost::Closed)), "{events:?}");
    side.wait(at(40 * DAY));
    assert_eq!((side.desk.sealed.len(), side.desk.invited.len()), (1, 0));
    assert_eq!(side.dialogue.sessions(START).count(), 0);
}

#[test]
fn burn_wipes_all_at_once_without_a_word() {
    let mut side = Side::invited();
    side.say(START, "unheard");
    side.hears_invitation(START, 2, at(secs(1)), "more");
    let sealed = side.desk.sealed.len();
    side.dialogue.burn(&mut side.desk);
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1), session(2)]));
    // A text that came before is not shown again.
    assert!(side.dialogue.knows(&name(1_000_001)));
    side.wait(at(40 * DAY));
    assert_eq!((side.desk.sealed.len(), side.desk.invited.len()), (sealed, 0));
}

#[test]
fn a_session_that_is_not_current_ends_7_days_after_the_peer_answers_on_the_current_one() {
    let mut side = Side::invited();
    side.hears_invitation(START, 2, at(secs(1)), "more");
    side.opens(at(DAY), at(DAY), session(2), 1, Some(Content::Cover), false);
    side.wait(at(9 * DAY));
    assert!(side.desk.wiped.is_empty());
    side.opens(at(9 * DAY), at(9 * DAY), session(2), 2, Some(Content::Cover), true);
    side.opens(at(12 * DAY), at(12 * DAY), session(2), 3, Some(Content::Cover), true);
    side.wait(at(16 * DAY - secs(1)));
    assert!(side.desk.wiped.is_empty());
    side.wait(at(16 * DAY));
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1)]));
}

#[test]
fn an_invitation_that_is_answered_late_does_not_end_as_one_that_another_outlived() {
    let mut side = Side::invited();
    side.desk.no_seal = Some(SealFailure::Exhausted);
    side.say(at(HOUR), "in an invitation");
    side.desk.no_seal = None;
    let on = side.desk.invited[0].0;
    side.hears(at(DAY), session(1), 1, Some(Content::Cover));
    side.hears(at(3 * DAY), on, 1, Some(Content::Cover));
    side.wait(at(20 * DAY));
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1)]));
    assert_eq!(side.dialogue.current(), Some(on));
}

#[test]
fn an_invitation_that_waits_for_the_user_ends_after_21_days() {
    let mut side = Side::new();
    side.hears_invitation(START, 1, START, "hello");
    side.wait(at(21 * DAY - secs(1)));
    assert!(side.desk.wiped.is_empty());
    let events = side.wait(at(21 * DAY));
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1)]));
    assert_eq!(events, [DialogueEvent::Ended(session(1), Ended::Idle)]);
}

#[test]
fn a_session_ends_after_30_days_without_a_message_and_after_180_in_any_case() {
    let mut side = Side::invited();
    side.wait(at(HOUR));
    let mut day = 0;
    while day < 175 {
        day += 25;
        side.hears(at(DAY * day), session(1), u64::from(day), Some(Content::Cover));
        side.wait(at(DAY * day + HOUR));
        assert!(side.desk.wiped.is_empty(), "{day}");
    }
    let ended = |why| [DialogueEvent::Ended(session(1), why)];
    assert_eq!(side.wait(at(180 * DAY)), ended(Ended::Expired));
    let mut side = Side::invited();
    side.wait(at(HOUR));
    let idle = side.wait(at(31 * DAY));
    assert_eq!(idle, ended(Ended::Idle));
}
