//! What strangers can do before they are accepted.

use super::super::account::Times;
use super::super::channel::Content;
use super::*;

/// What a party sends on its only session.
fn sealed(party: &mut Party, content: &Content) -> Envelope {
    let session = party.sessions.live.values_mut().next().unwrap();
    let (outgoing, _) = session.seal(NOW, SessionTtl::default(), content, &mut party.rng).unwrap();
    outgoing.draft(NOW).unwrap().seal(0)
}

fn acknowledgement(numbers: core::ops::Range<u32>) -> Content {
    let name = |number: u32| [[0; 4], number.to_be_bytes()].as_flattened().try_into().unwrap();
    Content::Ack(numbers.map(|number| MessageName::new(name(number))).collect())
}

#[test]
fn before_a_stranger_is_accepted_nothing_but_the_invitation_and_its_end_is_told() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, first] = alice.invite(NOW, bob.key(), "hello");
    bob.hear(NOW, &invitation);
    assert_eq!(names(&bob.hear(NOW, &first)), ["invited"]);
    for numbers in [0..1, 0..250, 0..16_000] {
        let envelope = sealed(&mut alice, &acknowledgement(numbers));
        assert_eq!(bob.open(NOW, &envelope), Ok(vec![]));
    }
    // A message from a time far off makes no sense.
    let far = NOW.saturating_sub(Duration::from_secs(31 * 86_400));
    let session = alice.sessions.live.values_mut().next().unwrap();
    let content = Content::App(b"old".into());
    let (old, _) = session.seal(far, SessionTtl::default(), &content, &mut alice.rng).unwrap();
    let topic = keys(session).sending.topic(NOW.as_secs() / 3_600, 7);
    let old = Outgoing { topic, ..old }.draft(NOW).unwrap().seal(0);
    assert_eq!(bob.open(NOW, &old), Ok(vec![]));
    let end = sealed(&mut alice, &Content::Close);
    assert_eq!(names(&bob.open(NOW, &end).unwrap()), ["ended"]);
}

#[test]
fn messages_that_were_never_sent_are_acknowledged_by_nobody() {
    let [mut alice, mut bob] = talking();
    bob.say(NOW, alice.key(), "one more");
    let envelope = sealed(&mut alice, &acknowledgement(2..300));
    assert_eq!(names(&bob.open(NOW, &envelope).unwrap()), ["suspect"]);
    let envelope = sealed(&mut alice, &acknowledgement(1..300));
    let events = bob.open(NOW, &envelope).unwrap();
    let [SessionEvent::Acknowledged { names, .. }] = &events[..] else { panic!("{events:?}") };
    assert_eq!(names.len(), 1);
}

/// Bob, with as many strangers waiting as may be, all of rating 1.
fn crowded() -> Party {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let invitation = alice.invite_strictly(NOW, bob.key(), "hello");
    bob.hear(NOW, &invitation);
    let mut session = bob.sessions.live.pop_first().unwrap().1;
    for number in 0..256_u32 {
        session.facts.id.0[..4].copy_from_slice(&number.to_be_bytes());
        session.facts.peer = PublicKey::clone(&session.facts.peer);
        session.facts.rating = Rating::new(1.0).unwrap();
        session.facts.arrived_at = after(number.into());
        bob.sessions.live.insert(session.facts.id, session.clone());
    }
    bob
}

fn ids(party: &Party) -> Vec<u32> {
    let first = |id: &SessionId| u32::from_be_bytes(*id.as_bytes().first_chunk().unwrap());
    party.sessions.live.keys().map(first).collect()
}

#[test]
fn of_strangers_who_wait_the_lowest_rated_oldest_gives_way() {
    for (rating, taken) in [(0.5, false), (1.0, true), (2.0, true)] {
        let [mut bob, mut carol] = [crowded(), Party::new(3)];
        let invitation = carol.invite_strictly(after(600), bob.key(), "let me in");
        let message = Message::open_as(invitation.data(), &bob.identity).unwrap();
        let rating = Rating::new(rating).unwrap();
        let step = bob.sessions.receive(after(600), &message, rating);
        if !taken {
            assert_eq!(step, Err(InvitationError::TooMany));
            assert_eq!(bob.sessions.live.len(), 256);
            continue;
        }
        let (_, events) = bob.run(after(600), step.unwrap());
        assert!(
            names(&events).contains(&"invited") && names(&events).contains(&"ended"),
            "{events:?}"
        );
        assert!(matches!(&events[1..], [SessionEvent::Ended { why: Ended::Evicted, .. }]));
        assert_eq!(bob.sessions.live.len(), 256);
        assert!(!ids(&bob).contains(&0), "the oldest is gone");
        assert_eq!(texts(&bob.accept(after(600), carol.key())), ["let me in"]);
    }
}

#[test]
fn what_waits_of_all_strangers_together_takes_4_mib() {
    let mut bob = Party::new(2);
    let long = "x".repeat(60_000);
    for seed in 10..110_u8 {
        let mut stranger = Party::new(seed);
        let now = after(u64::from(seed) * 6);
        for envelope in stranger.invite(now, bob.key(), &long) {
            bob.hear(now, &envelope);
        }
        let bytes: usize = bob.sessions.live.values().map(Session::withheld_bytes).sum();
        assert!(bytes <= 4 << 20);
        let last = bob.sessions.live.values().find(|live| live.facts.peer == stranger.key());
        assert!(last.unwrap().state.visible, "the newest is shown");
    }
    assert_eq!(bob.sessions.live.len(), 69);
}

#[test]
fn what_is_forgotten_of_invitations_cannot_come_again() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, _] = alice.invite(NOW, bob.key(), "hello");
    assert_eq!(bob.take_invitation(NOW, &invitation), Ok(vec![]));
    for number in 1..65_536_u32 {
        let mut id = [9; 32];
        id[..4].copy_from_slice(&number.to_be_bytes());
        let times = Times { created_at: after(number.into()), until: after(2_592_000) };
        bob.sessions.account.seen.insert(SessionId(id), times);
    }
    let [another, _] = alice.invite(after(500), bob.key(), "another");
    assert_eq!(bob.take_invitation(after(500), &another), Ok(vec![]));
    bob.sessions.burn();
    assert_eq!(bob.take_invitation(after(600), &invitation), Err(InvitationError::OutOfTime));
    assert_eq!(bob.take_invitation(after(600), &another), Err(InvitationError::Replayed));
}

#[test]
fn an_invitation_from_before_the_start_is_refused_unless_it_may_be_on_its_way() {
    let mut alice = Party::new(1);
    for (seconds, taken) in [(599, true), (600, true), (601, false), (86_400, false)] {
        let mut bob = Party::new(2);
        let [invitation, _] = alice.invite(NOW, bob.key(), "hello");
        bob.sessions = Sessions::new(bob.identity.clone(), after(seconds));
        let result = bob.take_invitation(after(seconds), &invitation);
        let expected = if taken { Ok(vec![]) } else { Err(InvitationError::OutOfTime) };
        assert_eq!(result, expected, "{seconds}");
    }
}

#[test]
fn what_a_stranger_says_is_withheld_up_to_64_kib_and_the_rest_is_looked_back_for() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    for envelope in alice.invite(NOW, bob.key(), "hello") {
        bob.hear(NOW, &envelope);
    }
    let long = "x".repeat(60_000);
    let first = alice.say(NOW, bob.key(), &long);
    let second = alice.say(NOW, bob.key(), &long);
    assert_eq!(bob.open(NOW, &first), Ok(vec![]));
    let before = bob.sessions.live.clone();
    assert_eq!(bob.open(NOW, &second), Err(OpenError::Withheld));
    assert_eq!(*bob.sessions.live, before);
    let step = bob.sessions.accept(NOW, &alice.key(), &mut bob.rng).unwrap();
    let outputs = bob.sessions.stored_at_once(NOW, step);
    let Some(SessionOutput::LookBack(topics)) = outputs.last() else { panic!("{outputs:?}") };
    assert!(topics.contains(&second.topic()));
    assert_eq!(texts(&bob.open(NOW, &second).unwrap()), [long]);
}
