//! A program that stored nothing, after a restart within the life of an invitation.

use super::*;

/// Bob, begun anew, with the envelopes that his peers still hold.
fn begun_anew(bob: &mut Party, now: Timestamp, contact: PublicKey, held: &[Envelope]) {
    bob.sessions = Sessions::new(bob.identity.clone(), now);
    bob.befriend(contact);
    for envelope in held {
        bob.hear(now, envelope);
    }
}

#[test]
fn what_is_said_after_a_restart_is_no_repeat_of_what_was_said_before() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let held = alice.invite(NOW, bob.key(), "hello");
    held.iter().for_each(|envelope| drop(bob.hear(NOW, envelope)));
    for text in ["one", "two"] {
        let envelope = bob.say(NOW, alice.key(), text);
        assert_eq!(texts(&alice.hear(NOW, &envelope)), [text]);
    }

    begun_anew(&mut bob, after(60), alice.key(), &held);
    for (text, envelopes) in [("three", 2), ("four", 1)] {
        let step = bob.sessions.send(after(61), &alice.key(), text.as_bytes(), &mut bob.rng);
        let (sent, _) = bob.run(after(61), step.unwrap());
        assert_eq!(sent.len(), envelopes, "only the first brings an invitation");
        let events: Vec<_> = sent.iter().flat_map(|sent| alice.hear(after(61), sent)).collect();
        assert_eq!(texts(&events), [text]);
    }
    let answer = alice.say(after(62), bob.key(), "welcome back");
    assert_eq!(texts(&bob.hear(after(62), &answer)), ["welcome back"]);
}

#[test]
fn after_a_restart_both_of_two_restarts_are_heard() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let mut held = alice.invite(NOW, bob.key(), "hello").to_vec();
    for seconds in [60, 120] {
        begun_anew(&mut bob, after(seconds), alice.key(), &held);
        let step = bob.sessions.send(after(seconds), &alice.key(), b"again", &mut bob.rng);
        let (sent, _) = bob.run(after(seconds), step.unwrap());
        let heard = sent.iter().flat_map(|sent| alice.hear(after(seconds), sent));
        assert_eq!(texts(&heard.collect::<Vec<_>>()), ["again"], "{seconds}");
        held.push(alice.say(after(seconds), bob.key(), "yes?"));
    }
}
