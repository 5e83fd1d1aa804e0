//! More strangers than there is time for.

use super::*;
use crate::pow::Rating;

/// An invitation of somebody new, in envelopes that somebody has worked for if a rating is given.
fn invitation(seed: u8, peer: PublicKey, rating: Option<f64>) -> (PublicKey, Vec<Envelope>) {
    let mut stranger = Party::new(seed, false);
    let mut sent = stranger.invite(NOW, peer, "hello").sent;
    if let Some(rating) = rating {
        let rating = Rating::new(rating).unwrap();
        for envelope in &mut sent {
            let ttl = Duration::from_secs(envelope.ttl());
            let draft = Draft::new(NOW, ttl, envelope.topic(), envelope.data().to_vec());
            *envelope = draft.unwrap().seal_rated(rating).unwrap();
        }
    }
    (stranger.key, sent)
}

fn hear_all(party: &mut Party, now: Timestamp, envelopes: &[Envelope]) -> Vec<PublicKey> {
    envelopes.iter().flat_map(|envelope| invited(&party.hear(now, envelope))).collect()
}

/// Who is told to have invited.
fn invited(said: &Said) -> Vec<PublicKey> {
    let invited = said.events.iter().filter_map(|event| match event {
        SessionEvent::Invited { peer, .. } => Some(*peer),
        _ => None,
    });
    invited.collect()
}

/// As many as are looked at within a minute, and five more, all without work.
fn crowded() -> Party {
    let mut bob = Party::new(2, false);
    let mut heard = 0;
    for seed in 10..25 {
        let (_, sent) = invitation(seed, bob.key, None);
        heard += hear_all(&mut bob, NOW, &sent).len();
    }
    assert_eq!(heard, 10);
    bob
}

#[test]
fn e11_an_invitation_that_there_is_no_time_for_comes_when_there_is_and_work_comes_first() {
    let mut bob = crowded();
    let (carol, sent) = invitation(3, bob.key, Some(1e-4));
    assert_eq!(hear_all(&mut bob, NOW, &sent), []);
    assert_eq!(invited(&bob.wait(NOW, after(5))), []);
    assert_eq!(invited(&bob.wait(after(5), after(6))), [carol]);
    let rest = invited(&bob.wait(after(6), after(36)));
    assert_eq!(rest.len(), 5, "nobody is lost");
}

#[test]
fn e11_who_comes_just_when_there_is_time_again_takes_no_turn_of_those_who_wait() {
    let mut bob = crowded();
    let (carol, sent) = invitation(3, bob.key, Some(1e-4));
    hear_all(&mut bob, NOW, &sent);
    let (_, late) = invitation(4, bob.key, None);
    assert_eq!(hear_all(&mut bob, after(6), &late), [carol]);
}

#[test]
fn a_contact_does_not_wait_for_strangers() {
    let mut bob = crowded();
    let mut alice = Party::new(1, false);
    bob.befriend(NOW, alice.key);
    let sent = alice.invite(NOW, bob.key, "hello").sent;
    let texts: Vec<_> = sent.iter().flat_map(|sent| bob.hear(NOW, sent).texts()).collect();
    assert_eq!(texts, ["hello"]);
}

#[test]
fn what_came_when_there_was_no_time_is_worked_off_once_a_pause_is_over() {
    let mut bob = crowded();
    bob.mailbox.pause(&bob.key);
    assert_eq!(invited(&bob.wait(NOW, after(600))), []);
    let mut heard = invited(&bob.resume(after(600)));
    heard.extend(invited(&bob.wait(after(600), after(601))));
    assert_eq!(heard.len(), 5);
}
