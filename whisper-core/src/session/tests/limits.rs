//! How much there may be of everything, and how long.

use super::super::engine::MAX_SESSIONS;
use super::super::seed::Invitation;
use super::*;
use crate::crypto::Secret;
use crate::message;
use crate::message::Padding;
use crate::message::Recipient;

const DAY: u64 = 86_400;

/// A strict invitation, so that it is visible, under a name of its own.
fn strict(number: u32, created_at: u64, from: &Identity, to: &Party) -> Message {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    let invitation = Invitation {
        id,
        bound: false,
        fixed_topic: true,
        created_at: created_at as u32,
        lifetime: 2_592_000,
        forth: Secret::fill_with(|key| *key = [1; 32]),
        back: Secret::fill_with(|key| *key = [2; 32]),
        text: "x".into(),
    };
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let recipient = Recipient::PublicKey(to.key());
    let payload = invitation.encode();
    let data =
        message::encrypt(&payload, Padding::Absent, Some(from), recipient, &mut rng).unwrap();
    Message::open_as(&data, &to.identity).unwrap()
}

#[test]
fn a_session_ends_with_its_lifetime() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    let lifetime = Duration::from_secs(3_600);
    let options = InviteOptions { lifetime, ..InviteOptions::default() };
    let step = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng).unwrap();
    alice.run(NOW, step);
    assert!(alice.sessions.poll_timeout().unwrap() <= after(3_600));
    assert_eq!(alice.tick(after(3_599)).1, []);
    // Late ticks do not make it live longer.
    let sent = alice.sessions.send(after(3_600), &bob.key(), b"", &mut alice.rng);
    assert_eq!(sent, Err(SessionError::NoSession));
    let (_, events) = alice.tick(after(3_600));
    assert!(matches!(events[..], [SessionEvent::Ended { why: Ended::Expired, .. }]));
    assert!(alice.sessions.live.is_empty());
    assert_eq!(alice.sessions.poll_timeout(), None);
}

#[test]
fn a_session_ends_after_a_day_without_a_message() {
    let [mut alice, mut bob] = talking();
    for acknowledgement in alice.tick(after(3_600)).0 {
        bob.hear(after(3_600), &acknowledgement);
    }
    // The acknowledgement is the last message.
    assert_eq!(bob.tick(after(3_600)).0.len(), 1);
    assert_eq!(bob.tick(after(3_600 + DAY - 1)).1, []);
    let (_, events) = bob.tick(after(3_600 + DAY));
    assert!(matches!(events[..], [SessionEvent::Ended { why: Ended::Idle, .. }]));
}

#[test]
fn what_waits_for_the_user_waits_21_days() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    for envelope in alice.invite(NOW, bob.key(), "hello") {
        bob.hear(NOW, &envelope);
    }
    assert_eq!(bob.tick(after(21 * DAY - 1)).1, []);
    assert_eq!(names(&bob.tick(after(21 * DAY)).1), ["ended"]);
}

#[test]
fn an_invisible_session_goes_after_a_day_without_a_word() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, _] = alice.invite(NOW, bob.key(), "hello");
    bob.hear(NOW, &invitation);
    assert_eq!(bob.tick(after(DAY)), (vec![], vec![]));
    assert!(bob.sessions.live.is_empty());
    assert_eq!(bob.take_invitation(after(DAY), &invitation), Err(InvitationError::Replayed));
}

#[test]
fn an_invitation_is_remembered_as_long_as_it_could_come_again() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, _] = alice.invite(NOW, bob.key(), "hello");
    bob.hear(NOW, &invitation);
    bob.tick(after(30 * DAY - 1));
    let again = bob.take_invitation(after(30 * DAY - 1), &invitation);
    assert_eq!(again, Err(InvitationError::Replayed));
    let seen = |bob: &Party| bob.store.values().filter(|state| state[1] == 5).count();
    assert_eq!(seen(&bob), 1);
    bob.tick(after(30 * DAY + 3_600));
    assert_eq!(seen(&bob), 0);
    let again = bob.take_invitation(after(30 * DAY), &invitation);
    assert_eq!(again, Err(InvitationError::OutOfTime));
}

#[test]
fn a_ninth_session_is_read_and_the_oldest_goes() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    for second in 0..9 {
        let sent = alice.invite(after(second), bob.key(), "hello");
        let events: Vec<_> = sent.iter().flat_map(|sent| bob.hear(after(second), sent)).collect();
        assert_eq!(texts(&events), ["hello"], "{second}");
        assert_eq!(names(&events).contains(&"ended"), second == 8);
    }
    let created = bob.sessions.sessions().map(|session| session.created_at);
    assert_eq!((bob.sessions.live.len(), created.min()), (8, Some(after(1))));
}

#[test]
fn of_our_own_sessions_with_a_peer_the_33rd_drives_out_the_oldest() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    for second in 0..33 {
        alice.invite(after(second), bob.key(), "hello?");
    }
    let created = alice.sessions.sessions().map(|session| session.created_at);
    assert_eq!((alice.sessions.live.len(), created.min()), (32, Some(after(1))));
}

#[test]
fn strangers_get_ten_invitations_a_minute_and_contacts_twenty_a_second() {
    let mut bob = Party::new(2);
    let stranger = |number: u8| Identity::generate(&mut ChaCha20Rng::from_seed([number; 32]));
    let mut taken = 0;
    for number in 0..15 {
        let message = strict(number.into(), NOW.as_secs(), &stranger(number + 10), &bob);
        taken += usize::from(bob.receives(NOW, &message));
    }
    assert_eq!(taken, 10);
    let message = strict(99, NOW.as_secs(), &stranger(99), &bob);
    assert_eq!(
        bob.sessions.receive(after(5), &message, Rating::ZERO),
        Err(InvitationError::Crowded)
    );
    assert!(InvitationError::Crowded.is_temporary());
    assert_eq!(bob.sessions.strangers_at(after(5)), after(6));
    assert!(bob.receives(after(6), &message));

    let mut taken = 0;
    for number in 100..130 {
        let friend = stranger(number);
        bob.befriend(friend.public_key());
        let message = strict(number.into(), NOW.as_secs(), &friend, &bob);
        taken += usize::from(bob.receives(after(600), &message));
    }
    assert_eq!(taken, 20);
}

#[test]
fn strangers_who_are_too_many_do_not_shut_out_contacts() {
    let mut bob = Party::new(2);
    let stranger = |number: u8| Identity::generate(&mut ChaCha20Rng::from_seed([number; 32]));
    let mut taken = 0;
    for number in 0..40 {
        let message = strict(number.into(), NOW.as_secs(), &stranger(number + 10), &bob);
        taken += usize::from(bob.receives(NOW, &message));
    }
    assert_eq!(taken, 10);
    let friend = stranger(99);
    bob.befriend(friend.public_key());
    let message = strict(99, NOW.as_secs(), &friend, &bob);
    assert!(bob.sessions.receive(NOW, &message, Rating::ZERO).is_ok());
}

#[test]
fn there_are_at_most_10000_sessions() {
    let [mut alice, bob] = talking();
    let session = alice.sessions.live.values().next().unwrap().clone();
    for number in 0..10_000_u32 {
        let mut session = session.clone();
        session.facts.id.0[..4].copy_from_slice(&number.to_be_bytes());
        alice.sessions.live.insert(session.facts.id, session);
    }
    let options = InviteOptions::default();
    let invited = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng);
    assert_eq!(invited, Err(SessionError::TooMany { max: MAX_SESSIONS }));
}

#[test]
fn a_lifetime_out_of_bounds_and_ones_own_key_are_refused() {
    let [mut alice, bob] = [1, 2].map(Party::new);
    for seconds in [0, 59, 2_592_001, u64::MAX] {
        let lifetime = Duration::from_secs(seconds);
        let options = InviteOptions { lifetime, ..InviteOptions::default() };
        let invited = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng);
        assert_eq!(invited, Err(SessionError::Lifetime));
    }
    let own = alice.key();
    let invited = alice.sessions.invite(NOW, own, InviteOptions::default(), None, &mut alice.rng);
    assert_eq!(invited, Err(SessionError::OwnKey));
    assert!(alice.sessions == Party::new(1).sessions);
}
