//! How a peer is invited, and what waits meanwhile.

use super::*;

#[test]
fn without_a_session_each_message_is_an_invitation_of_its_own() {
    let mut side = Side::new();
    for text in ["one", "two", "three"] {
        side.say(START, text);
    }
    assert_eq!(side.invitations(), ["one", "two", "three"]);
    let one_time: Vec<_> = side.desk.invited.iter().map(|(_, _, one_time)| *one_time).collect();
    assert_eq!(one_time, [true, false, false]);
    assert!(side.dialogue.is_accepted() && side.desk.sealed.is_empty());
}

#[test]
fn what_opens_on_a_session_acknowledges_its_invitation_and_the_others_go_again_on_it() {
    let mut side = Side::new();
    let texts: Vec<_> = ["one", "two", "three"].map(|text| side.say(START, text).0).into();
    let second = side.desk.invited[1].0;
    let events = side.hears(at(secs(9)), second, 1, Some(Content::Cover));
    let expected =
        [DialogueEvent::Established(second), DialogueEvent::Acknowledged(vec![texts[1]])];
    assert_eq!(events, expected);
    assert_eq!(side.dialogue.current(), Some(second));
    assert_eq!(side.texts(second), ["again one", "again three"]);
}

#[test]
fn after_32_invitations_without_an_answer_messages_wait_and_one_a_day_takes_the_oldests_place() {
    let mut side = Side::new();
    for number in 0..32 {
        assert_eq!(side.say(at(secs(number)), &number.to_string()).1, []);
    }
    let (_, events) = side.say(at(secs(32)), "32");
    assert_eq!(events, [DialogueEvent::Waiting(Obstacle::Peer)]);
    assert_eq!(side.say(at(secs(33)), "33").1, []);
    assert_eq!((side.desk.invited.len(), side.dialogue.sessions(START).count()), (32, 32));
    side.wait(at(DAY - secs(1)));
    assert_eq!(side.desk.invited.len(), 32);
    side.wait(at(DAY));
    let (newest, content, one_time) = &side.desk.invited[32];
    assert_eq!((text(content).unwrap(), *one_time), ("again 0".into(), false));
    assert_eq!(side.dialogue.sessions(START).count(), 32);
    assert_eq!(side.desk.wiped, BTreeSet::from([side.desk.invited[0].0]));
    // An answer to it: all goes on it, what was said first first.
    let newest = *newest;
    side.hears(at(DAY + HOUR), newest, 1, Some(Content::Cover));
    let mut expected: Vec<_> = (1..32).map(|number| format!("again {number}")).collect();
    expected.extend(["32".into(), "33".into()]);
    assert_eq!(side.texts(newest), expected);
    assert_eq!(side.dialogue.obstacle(), None);
}

#[test]
fn the_oldest_text_goes_again_once_a_day_while_no_session_is_usable() {
    let mut side = Side::new();
    side.say(START, "one");
    side.say(at(HOUR), "two");
    side.wait(at(3 * DAY + HOUR));
    assert_eq!(side.invitations(), ["one", "two", "again one", "again one", "again one"]);
}

#[test]
fn e27_without_a_card_nothing_goes_out_until_one_comes() {
    for (failure, expired) in [(InviteFailure::NoCard, false), (InviteFailure::CardExpired, true)] {
        let mut side = Side::new();
        side.desk.no_invite = Some(failure);
        let waits = DialogueEvent::Waiting(Obstacle::Card { expired });
        assert_eq!(side.say(START, "one").1, [waits]);
        assert_eq!(side.say(START, "two").1, []);
        side.wait(at(DAY));
        assert_eq!(side.dialogue.obstacle(), Some(Obstacle::Card { expired }));
        side.desk.no_invite = None;
        let Side { dialogue, desk, rng, .. } = &mut side;
        dialogue.card_came(at(DAY), desk, rng).unwrap();
        assert_eq!(side.invitations(), ["one", "two"]);
        assert_eq!(side.dialogue.obstacle(), None);
    }
}

#[test]
fn a_session_that_becomes_usable_needs_no_card() {
    let mut side = Side::new();
    side.desk.no_invite = Some(InviteFailure::NoCard);
    side.say(START, "one");
    side.hears_invitation(at(secs(5)), 1, START, "hello");
    assert_eq!(side.texts(session(1)), ["one"]);
    assert_eq!(side.dialogue.obstacle(), None);
}

#[test]
fn no_more_than_1024_texts_and_16_mebibytes_wait() {
    let mut side = Side::new();
    side.desk.no_invite = Some(InviteFailure::NoCard);
    for _ in 0..1_024 {
        side.say(START, "x");
    }
    let obstacle = Obstacle::Card { expired: false };
    let Side { dialogue, desk, rng, .. } = &mut side;
    let refused = dialogue.send(START, b"x", desk, rng);
    assert_eq!(refused, Err(DialogueError::Waiting(obstacle)));
    let mut side = Side::new();
    side.desk.no_invite = Some(InviteFailure::NoCard);
    let Side { dialogue, desk, rng, .. } = &mut side;
    dialogue.send(START, &vec![0; 256 * 63_988], desk, rng).unwrap();
    dialogue.send(START, &vec![0; (16 << 20) - 256 * 63_988], desk, rng).unwrap();
    let refused = dialogue.send(START, b"x", desk, rng);
    assert_eq!(refused, Err(DialogueError::Waiting(obstacle)));
}

#[test]
fn on_a_stale_session_a_message_goes_in_an_invitation_too_once_a_day() {
    let mut side = Side::invited();
    side.say(START, "one");
    side.say(at(DAY - secs(1)), "two");
    assert_eq!(side.invitations(), Vec::<String>::new());
    for text in ["three", "four"] {
        side.say(at(DAY), text);
    }
    side.say(at(2 * DAY), "five");
    assert_eq!(side.texts(session(1)), ["one", "two", "three", "four", "five"]);
    assert_eq!(side.invitations(), ["again three", "again five"]);
    let stage = side.dialogue.sessions(at(2 * DAY)).next().unwrap().stage;
    assert_eq!(stage, Stage::Stale);
    // The same name both times.
    let (_, Content::Resend { name, .. }, _) = &side.desk.invited[0] else { panic!() };
    assert_eq!(*name, side.desk.sealed[2].2);
    // Something that opens makes it good.
    side.hears(at(2 * DAY), session(1), 1, Some(Content::Cover));
    side.say(at(3 * DAY), "six");
    assert_eq!(side.invitations().len(), 2);
}

#[test]
fn acknowledgements_await_no_answer_and_make_no_session_stale() {
    let mut side = Side::invited();
    side.wait(at(DAY));
    assert_eq!(side.acks().len(), 1);
    side.say(at(3 * DAY), "one");
    assert_eq!(side.invitations(), Vec::<String>::new());
}

#[test]
fn of_33_sessions_that_we_began_the_oldest_that_is_not_current_goes() {
    let mut side = Side::new();
    side.say(START, "one");
    let first = side.desk.invited[0].0;
    side.hears(START, first, 1, Some(Content::Cover));
    side.desk.no_seal = Some(SealFailure::Exhausted);
    for number in 0..32 {
        side.say(at(secs(number)), "more");
    }
    assert_eq!(side.dialogue.current(), Some(first));
    assert_eq!(side.desk.wiped, BTreeSet::from([side.desk.invited[1].0]));
}

#[test]
fn an_invitation_without_a_word_goes_within_its_time_unless_a_session_is_usable() {
    let mut side = Side::new();
    side.dialogue.greet(START, DAY, &mut side.rng);
    side.wait(at(DAY));
    assert_eq!(side.invitations(), ["nothing"]);
    let mut side = Side::new();
    side.dialogue.greet(START, DAY, &mut side.rng);
    side.hears_invitation(START, 1, START, "hello");
    side.wait(at(DAY));
    assert_eq!(side.invitations(), Vec::<String>::new());
    // Without a card it waits for one.
    let mut side = Side::new();
    side.dialogue.greet(START, DAY, &mut side.rng);
    side.desk.no_invite = Some(InviteFailure::NoCard);
    let waits = DialogueEvent::Waiting(Obstacle::Card { expired: false });
    assert_eq!(side.wait(at(DAY)), [waits]);
    side.desk.no_invite = None;
    let Side { dialogue, desk, rng, .. } = &mut side;
    dialogue.card_came(at(2 * DAY), desk, rng).unwrap();
    assert_eq!(side.invitations(), ["nothing"]);
}

#[test]
fn who_was_invited_owes_the_card_within_an_hour_and_at_a_renewal_within_a_day() {
    let mut side = Side::new();
    side.dialogue.card_renewed(START, 7, &mut side.rng);
    side.say(START, "one");
    let on = side.desk.invited[0].0;
    side.wait(at(2 * DAY - secs(1)));
    assert_eq!(side.cards(), 0);
    side.hears(at(2 * DAY), on, 1, Some(Content::Cover));
    side.wait(at(2 * DAY + HOUR));
    assert_eq!(side.cards(), 1);
    // Once a day until the peer has it.
    side.wait(at(4 * DAY + HOUR));
    assert_eq!(side.cards(), 3);
    let name = side.desk.sealed.last().unwrap().2;
    side.hears(at(4 * DAY + HOUR), on, 2, Some(Content::Ack(vec![name])));
    side.wait(at(6 * DAY));
    assert_eq!(side.cards(), 3);
    side.dialogue.card_renewed(at(6 * DAY), 8, &mut side.rng);
    side.wait(at(7 * DAY));
    assert_eq!(side.cards(), 4);
}

#[test]
fn a_card_that_was_due_within_a_day_goes_within_an_hour_once_a_session_is_usable() {
    for seed in 0..20 {
        let mut side = Side::new();
        side.rng = ChaCha20Rng::seed_from_u64(seed);
        side.dialogue.card_renewed(START, 7, &mut side.rng);
        side.say(START, "one");
        let on = side.desk.invited[0].0;
        side.hears(at(secs(5)), on, 1, Some(Content::Cover));
        side.wait(at(HOUR + secs(5)));
        assert_eq!(side.cards(), 1, "{seed}");
    }
}

#[test]
fn an_invitation_that_names_our_newest_card_shows_that_the_peer_has_it() {
    let mut side = Side::new();
    side.dialogue.card_renewed(START, 5, &mut side.rng);
    side.dialogue.greet(START, 300 * DAY, &mut side.rng);
    side.hears_invitation(START, 1, START, "hello");
    side.wait(at(3 * DAY));
    assert_eq!(side.cards(), 0);
    let mut side = Side::new();
    side.dialogue.card_renewed(START, 6, &mut side.rng);
    side.dialogue.greet(START, 300 * DAY, &mut side.rng);
    side.hears_invitation(START, 1, START, "hello");
    side.wait(at(DAY));
    assert_eq!(side.cards(), 1);
}
