//! What is stored, and what comes of it.

use alloc::format;

use super::*;

/// The batch that a step waits for.
fn batch(step: &[SessionOutput]) -> BatchId {
    let [SessionOutput::Persist(batch)] = step else { panic!("{step:?}") };
    batch.id()
}

#[test]
fn what_is_refused_while_a_step_waits_for_the_disk_is_looked_back_for() {
    for good in [true, false] {
        let [mut alice, mut bob] = talking();
        let envelope = alice.say(NOW, bob.key(), "meanwhile");
        let step = bob.sessions.send(NOW, &alice.key(), b"hm", &mut bob.rng).unwrap();
        assert_eq!(bob.open(NOW, &envelope), Err(OpenError::Busy));
        assert!(OpenError::Busy.is_temporary());
        let outputs = match good {
            true => bob.sessions.stored(NOW, batch(&step)),
            false => bob.sessions.not_stored(batch(&step)),
        };
        let expected = SessionOutput::LookBack(vec![envelope.topic()]);
        assert_eq!(outputs.last(), Some(&expected));
        assert_eq!(texts(&bob.open(NOW, &envelope).unwrap()), ["meanwhile"]);
    }
}

#[test]
fn an_invitation_waits_while_another_is_stored_and_takes_no_token_before() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(Party::new);
    let invitations =
        [&mut alice, &mut carol].map(|party| party.invite_strictly(NOW, bob.key(), "hello"));
    let messages =
        invitations.each_ref().map(|sent| Message::open_as(sent.data(), &bob.identity).unwrap());
    let before = bob.sessions.account.settings;
    let step = bob.sessions.receive(NOW, &messages[0], Rating::ZERO).unwrap();
    let second = bob.sessions.receive(NOW, &messages[1], Rating::ZERO);
    assert_eq!(second, Err(InvitationError::Busy));
    assert!(InvitationError::Busy.is_temporary());
    bob.sessions.not_stored(batch(&step));
    assert_eq!(bob.sessions.account.settings, before);
    assert_eq!(names(&bob.hear(NOW, &invitations[1])), ["invited"]);
    assert_eq!(names(&bob.hear(NOW, &invitations[0])), ["invited"]);
}

#[test]
fn restored_sessions_know_all_that_the_others_knew() {
    let [mut alice, mut bob] = talking();
    let mut carol = Party::new(3);
    let [invitation, first] = carol.invite(NOW, bob.key(), "from Carol");
    bob.hear(NOW, &invitation);
    bob.hear(NOW, &first);
    let step = bob.sessions.set_ttl(SessionTtl::Hour).unwrap();
    bob.run(NOW, step);
    let missed = alice.say(NOW, bob.key(), "while you were away");

    let now = after(1_200);
    let restored = bob.restored(now);
    assert_eq!(restored, bob.sessions);
    bob.sessions = restored;
    assert_eq!(texts(&bob.hear(now, &missed)), ["while you were away"]);
    assert_eq!(bob.take_invitation(now, &invitation), Err(InvitationError::Replayed));
    assert_eq!(bob.open(now, &first), Err(OpenError::Duplicate));
    assert_eq!(texts(&bob.accept(now, carol.key())), ["from Carol"]);
    let answer = bob.say(now, alice.key(), "back again");
    assert_eq!((answer.ttl(), texts(&alice.hear(now, &answer))), (3_600, vec!["back again"]));
    // It was off for long, and still knows what came before.
    let mut dora = Party::new(4);
    let [old, _] = dora.invite(NOW, bob.key(), "hello?");
    bob.sessions = bob.restored(after(7_200));
    assert_eq!(bob.take_invitation(after(7_200), &old), Ok(vec![]));
}

#[test]
fn a_record_that_is_cut_changed_unknown_or_repeated_is_refused() {
    let [mut alice, mut bob] = talking();
    for envelope in Party::new(3).invite(NOW, bob.key(), "hello") {
        bob.hear(NOW, &envelope);
    }
    alice.say(NOW, bob.key(), "x");
    let restore = |state: &[u8]| Sessions::restore(bob.identity.clone(), NOW, [state]).map(|_| ());
    let corrupt = Err(RestoreError::Corrupt);
    let mut kinds = vec![];
    for state in bob.store.values() {
        kinds.push(state[1]);
        assert_eq!(restore(state), Ok(()));
        assert!((0..state.len()).all(|length| restore(&state[..length]).is_err()));
        assert_eq!(restore(&[&state[..], &[0]].concat()), corrupt);
        let unknown = [&state[..], &[200, 0, 0, 0, 1, 7]].concat();
        assert_eq!(restore(&unknown), corrupt);
        let version = RestoreError::Version { found: 2, known: 1 };
        assert_eq!(restore(&[&[2], &state[1..]].concat()), Err(version));
        assert_eq!(restore(&[&[1, 9], &state[2..]].concat()), corrupt);
        let twice = Sessions::restore(bob.identity.clone(), NOW, [state, state]).map(|_| ());
        assert_eq!(twice, Err(RestoreError::Repeated), "{}", state[1]);
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, [2, 3, 4, 5], "the kinds of spec/session.md, 3.10");
}

#[test]
fn a_record_prints_how_long_it_is_and_nothing_else() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    let options = InviteOptions::default();
    let step = alice.sessions.invite(NOW, bob.key(), options, Some("AAAA"), &mut alice.rng);
    let text = format!("{step:?}");
    assert!(text.contains(" bytes }") && !text.contains("65, 65") && !text.contains("AAAA"));
}

#[test]
fn what_has_ended_is_removed_from_the_store() {
    let [mut alice, mut bob] = talking();
    let sessions = |party: &Party| party.store.values().filter(|state| state[1] == 4).count();
    assert_eq!((sessions(&alice), sessions(&bob)), (1, 1));
    let sent = alice.close(NOW, bob.key());
    bob.hear(NOW, &sent[0]);
    assert_eq!((sessions(&alice), sessions(&bob)), (0, 0));
}

#[test]
fn when_all_is_burned_nothing_remains_of_a_step_that_was_still_being_stored() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    let options = InviteOptions::default();
    let step = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng).unwrap();
    let burned = alice.sessions.burn();
    for output in step.iter().chain(&burned) {
        let SessionOutput::Persist(batch) = output else { panic!("{output:?}") };
        alice.write(batch);
    }
    assert!(alice.restored(NOW).live.is_empty());
}

#[test]
fn a_setting_outlives_a_restart_if_another_step_was_taken_before_it_was_stored() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    let options = InviteOptions::default();
    let set = alice.sessions.set_ttl(SessionTtl::Hour).unwrap();
    let next = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng).unwrap();
    alice.run(NOW, set);
    alice.run(NOW, next);
    assert_eq!(alice.restored(NOW), alice.sessions);
}

#[test]
fn settings_are_stored_with_the_next_step_where_the_first_could_not_be_stored() {
    let [mut alice, bob, carol] = [1, 2, 3].map(Party::new);
    let first = alice.sessions.add_contact(NOW, bob.key(), &mut alice.rng).unwrap();
    alice.befriend(carol.key());
    alice.sessions.not_stored(batch(&first));
    assert!(!alice.store.values().any(|state| state[1] == 2));
    alice.befriend(bob.key());
    assert!(alice.store.values().any(|state| state[1] == 2));
}
