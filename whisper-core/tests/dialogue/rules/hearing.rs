//! What comes in: shown once, acknowledged late, to strangers not at all.

use super::*;

#[test]
fn a_contacts_invitation_is_shown_and_confirmed_by_what_opens_later() {
    let mut side = Side::new();
    side.dialogue.greet(START, 300 * DAY, &mut side.rng);
    let events = side.hears_invitation(START, 1, START, "hello");
    assert_eq!(events[0], DialogueEvent::Established(session(1)));
    assert_eq!(shown(&events), ["hello"]);
    let stage = |side: &Side| side.dialogue.sessions(START).next().unwrap().stage;
    assert_eq!(stage(&side), Stage::Unconfirmed);
    let events = side.hears(START, session(1), 1, Some(Content::Part(part("more"))));
    assert_eq!(events[0], DialogueEvent::Confirmed(session(1)));
    assert_eq!(shown(&events), ["more"]);
    assert_eq!(stage(&side), Stage::Confirmed);
}

#[test]
fn a_stranger_is_shown_and_answered_only_once_the_user_accepts() {
    let mut side = Side::new();
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    let events = side.hears_invitation(START, 1, START, "hello");
    assert_eq!(events, [DialogueEvent::Invited(session(1))]);
    side.hears_invitation(at(secs(1)), 2, at(secs(1)), "hello?");
    side.wait(at(3 * DAY));
    assert!(side.desk.sealed.is_empty() && side.dialogue.current().is_none());
    let Side { dialogue, desk, rng, .. } = &mut side;
    let events = dialogue.accept(at(3 * DAY), desk, rng).unwrap();
    assert_eq!(shown(&events), ["hello", "hello?"]);
    assert_eq!(dialogue.current(), Some(session(2)));
    let again = dialogue.accept(at(3 * DAY), desk, rng);
    assert_eq!(again, Err(DialogueError::NothingToAccept));
    side.wait(at(3 * DAY + HOUR));
    assert_eq!(side.acks(), [[name(1_000_001), name(1_000_002)]]);
}

#[test]
fn e29_what_was_refused_is_neither_acknowledged_nor_taken_for_shown() {
    let mut side = Side::new();
    side.hears_invitation(START, 1, START, "hello");
    side.dialogue.refuse(&mut side.desk);
    assert_eq!(side.desk.wiped, BTreeSet::from([session(1)]));
    // The same text again, as one that was not acknowledged.
    let again = Content::Resend { name: name(1_000_001), sent_at: START, part: part("hello") };
    side.arrives(at(DAY), 2, at(DAY), Some(again), false);
    let Side { dialogue, desk, rng, .. } = &mut side;
    assert_eq!(shown(&dialogue.accept(at(DAY), desk, rng).unwrap()), ["hello"]);
}

#[test]
fn a_message_under_a_name_that_came_is_not_shown_but_acknowledged_again() {
    let mut side = Side::invited();
    side.wait(at(HOUR));
    assert_eq!(side.acks(), [[name(1_000_001)]]);
    let again = Content::Resend { name: name(1_000_001), sent_at: START, part: part("hello") };
    let events = side.hears(at(DAY), session(1), 1, Some(again));
    assert_eq!(shown(&events), Vec::<String>::new());
    side.wait(at(DAY + HOUR));
    assert_eq!(side.acks(), [[name(1_000_001)], [name(1_000_001)]]);
}

#[test]
fn what_goes_again_is_shown_by_the_time_of_its_first_sending() {
    let mut side = Side::invited();
    let again = Content::Resend { name: name(7), sent_at: START, part: part("late") };
    let events = side.opens(at(DAY), START, session(1), 9, Some(again), false);
    let DialogueEvent::Message { name: named, place, sent_at, .. } = &events[1] else {
        panic!("{events:?}")
    };
    assert_eq!((*named, *place, *sent_at), (name(7), None, START));
    let events = side.hears(at(DAY), session(1), 10, Some(Content::Part(part("new"))));
    let DialogueEvent::Message { place, .. } = &events[0] else { panic!("{events:?}") };
    assert_eq!(*place, Some(Place { chain: 0, number: 10 }));
}

#[test]
fn messages_resent_ones_chunks_and_cards_are_acknowledged_and_nothing_else() {
    let mut side = Side::invited();
    let chunk = Chunk { id: [1; 8], index: 0, total: 2, data: b"x"[..].into() };
    let contents = [
        Some(Content::Part(part("a"))),
        Some(Content::Part(Part::Chunk(chunk))),
        Some(Content::Card),
        Some(Content::Resend { name: name(77), sent_at: START, part: part("b") }),
        Some(Content::Cover),
        Some(Content::Ack(vec![name(5)])),
        None,
    ];
    for (number, content) in (1..).zip(contents) {
        side.hears(START, session(1), number, content);
    }
    side.wait(at(HOUR));
    assert_eq!(side.acks(), [[name(1_000_001), name(1), name(2), name(3), name(77)]]);
}

#[test]
fn e18_what_makes_no_sense_is_told_and_never_acknowledged() {
    let mut side = Side::invited();
    side.wait(at(HOUR));
    let malformed = [DialogueEvent::Malformed(session(1))];
    assert_eq!(side.hears(at(DAY), session(1), 1, None)[1..], malformed);
    let wrong = Chunk { id: [1; 8], index: 3, total: 3, data: b"x"[..].into() };
    let wrong = Some(Content::Part(Part::Chunk(wrong)));
    assert_eq!(side.hears(at(DAY), session(1), 2, wrong), malformed);
    side.wait(at(3 * DAY));
    assert_eq!(side.acks().len(), 1);
}

#[test]
fn chunks_make_one_message_with_the_name_of_the_last_that_came() {
    let mut side = Side::invited();
    let chunk = |index: u16| Chunk {
        id: [1; 8],
        index,
        total: 2,
        data: [b'a' + u8::try_from(index).unwrap()][..].into(),
    };
    let [first, last] = [1, 0].map(|index| Some(Content::Part(Part::Chunk(chunk(index)))));
    assert_eq!(shown(&side.hears(START, session(1), 1, first)), Vec::<String>::new());
    assert_eq!(shown(&side.hears(START, session(1), 2, last)), ["ab"]);
}

#[test]
fn of_nine_sessions_that_a_peer_began_the_oldest_goes_after_its_text_was_read() {
    let mut side = Side::invited();
    for number in 2..9 {
        side.hears_invitation(START, number, at(secs(number)), "more");
    }
    let created = START.saturating_sub(secs(9));
    let events = side.hears_invitation(START, 9, created, "ninth");
    assert_eq!(shown(&events), ["ninth"]);
    assert_eq!(side.desk.wiped, BTreeSet::from([session(9)]));
    side.hears_invitation(START, 10, at(secs(10)), "tenth");
    assert_eq!(side.desk.wiped, BTreeSet::from([session(9), session(1)]));
    assert_eq!(side.dialogue.current(), Some(session(10)));
}

#[test]
fn e13_a_new_key_of_a_verified_peer_holds_messages_until_the_user_accepts() {
    let mut side = Side::invited();
    side.dialogue.set_verified(true);
    let events = side.arrives(at(DAY), 2, at(DAY), Some(Content::Part(part("me"))), true);
    let expected = [DialogueEvent::IdentityKeyChanged, DialogueEvent::Invited(session(2))];
    assert_eq!(events, expected);
    let (_, events) = side.say(at(DAY), "who are you?");
    assert_eq!(events, [DialogueEvent::Waiting(Obstacle::NewKey)]);
    side.hears(at(DAY), session(1), 1, Some(Content::Part(part("wait"))));
    side.wait(at(3 * DAY));
    assert!(side.desk.sealed.is_empty() && side.desk.invited.is_empty());
    let Side { dialogue, desk, rng, .. } = &mut side;
    let events = dialogue.accept(at(3 * DAY), desk, rng).unwrap();
    assert_eq!(shown(&events), ["me"]);
    assert_eq!(side.texts(session(2)), ["who are you?"]);
}

#[test]
fn e13_a_new_key_of_another_peer_is_told_and_messages_go_on() {
    let mut side = Side::invited();
    let events = side.arrives(at(DAY), 2, at(DAY), Some(Content::Part(part("me"))), true);
    assert_eq!(events[0], DialogueEvent::IdentityKeyChanged);
    side.say(at(DAY), "hi");
    assert_eq!(side.texts(session(2)), ["hi"]);
}

#[test]
fn e31_a_fork_of_the_peer_is_told_once_a_day() {
    let mut side = Side::invited();
    let told = [0, 1, 23, 24, 25].map(|hours| side.dialogue.forked(at(HOUR * hours)).is_some());
    assert_eq!(told, [true, false, false, true, false]);
    assert!(side.dialogue.knows(&name(1_000_001)) && !side.dialogue.knows(&name(1)));
}

#[test]
fn e16_a_suspect_session_receives_and_never_sends_and_the_peer_is_invited_within_a_day() {
    let mut side = Side::invited();
    side.dialogue.suspect(at(HOUR), &mut side.rng);
    assert_eq!(side.dialogue.current(), None);
    let events = side.hears(at(HOUR), session(1), 1, Some(Content::Part(part("still here"))));
    assert_eq!(shown(&events), ["still here"]);
    side.wait(at(HOUR + DAY));
    assert!(side.desk.sealed.is_empty());
    assert_eq!(side.invitations(), ["nothing"]);
    let on = side.desk.invited[0].0;
    side.hears(at(2 * DAY), on, 2, Some(Content::Cover));
    side.wait(at(2 * DAY + HOUR));
    assert_eq!(side.acks(), [[name(1_000_001), name(1)]]);
    // It ends as one that another has taken the place of.
    side.wait(at(9 * DAY));
    assert!(side.desk.wiped.contains(&session(1)));
}
