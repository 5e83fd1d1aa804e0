//! What must change nothing: forged, cut, repeated, passed on, out of time.

use alloc::format;

use super::super::channel::Content;
use super::super::seed::Invitation;
use super::stuck::Stuck;
use super::*;
use crate::crypto::Secret;
use crate::crypto::ecies;
use crate::envelope::Draft;
use crate::message;
use crate::message::Kind;
use crate::message::Padding;
use crate::message::Recipient;
use crate::topic::Topic;

/// The payload of a first message at `NOW`.
fn laid_out(text: &[u8]) -> Vec<u8> {
    let numbers = [1_750_000_000_u32, 1, text.len() as u32].map(u32::to_be_bytes);
    let mut payload = [&[0][..], numbers.as_flattened(), text].concat();
    payload.resize(1_024 - 3, 0);
    payload
}

/// The same data in another envelope, as anybody can make it.
fn rewrapped(envelope: &Envelope, now: Timestamp) -> Envelope {
    let ttl = Duration::from_secs(3_600);
    Draft::new(now, ttl, envelope.topic(), envelope.data().to_vec()).unwrap().seal(1)
}

/// What `from` would pass on to `to` as if its signer had sent it there.
fn forwarded(envelope: &Envelope, from: &mut Party, to: &Party) -> Envelope {
    let plaintext = ecies::decrypt(from.identity.secret(), envelope.data(), &[]).unwrap();
    let data = ecies::encrypt(&to.key(), &plaintext, &[], &mut from.rng);
    Draft::new(NOW, Duration::from_secs(600), Topic::default(), data).unwrap().seal(0)
}

#[test]
fn f6_c11_what_is_passed_on_stays_invisible_and_opens_nothing() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(Party::new);
    carol.befriend(alice.key());
    let [invitation, first] = alice.invite(NOW, bob.key(), "for Bob");
    let passed_on = forwarded(&invitation, &mut bob, &carol);
    assert_eq!(carol.take_invitation(NOW, &passed_on), Ok(vec![]));
    bob.befriend(alice.key());
    bob.hear(NOW, &invitation);
    // Neither Alice's message nor anything that Bob can make opens with the keys Carol derived.
    let session = bob.sessions.live.values_mut().next().unwrap();
    let content = Content::App(b"forged".into());
    let (forged, _) = session.seal(NOW, SessionTtl::default(), &content, &mut bob.rng).unwrap();
    let forged = forged.draft(NOW).unwrap().seal(0);
    for envelope in [&first, &forged] {
        assert_eq!(carol.open(NOW, envelope), Err(OpenError::NotOurs));
    }
    assert_eq!(carol.sessions.sessions().count(), 0);
}

#[test]
fn c11_forwarded_invitations_evict_no_visible_session() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(Party::new);
    carol.befriend(alice.key());
    for envelope in alice.invite(NOW, carol.key(), "for Carol") {
        carol.hear(NOW, &envelope);
    }
    for second in 1..=9 {
        let [invitation, _] = alice.invite(after(second), bob.key(), "for Bob");
        let passed_on = forwarded(&invitation, &mut bob, &carol);
        assert_eq!(carol.take_invitation(after(second), &passed_on), Ok(vec![]));
    }
    assert_eq!(carol.sessions.live.len(), 1 + 8);
    let envelope = carol.say(after(10), alice.key(), "still here");
    assert_eq!(texts(&alice.hear(after(10), &envelope)), ["still here"]);
}

#[test]
fn f7_b12_the_same_message_in_another_envelope_is_not_shown_twice() {
    let [mut alice, mut bob] = talking();
    let envelope = alice.say(NOW, bob.key(), "once");
    assert_eq!(texts(&bob.hear(NOW, &envelope)), ["once"]);
    let again = rewrapped(&envelope, after(500));
    assert_ne!(again.hash(), envelope.hash());
    assert_eq!(bob.open(after(500), &again), Err(OpenError::Duplicate));

    let mut carol = Party::new(3);
    let [invitation, first] = alice.invite(NOW, carol.key(), "once");
    carol.hear(NOW, &invitation);
    carol.hear(NOW, &first);
    let again = rewrapped(&invitation, after(500));
    assert_eq!(carol.take_invitation(after(500), &again), Err(InvitationError::Replayed));
}

#[test]
fn what_is_forged_cut_or_repeated_leaves_the_state_equal() {
    // The same seeds make the same parties: one hears the forgeries, one does not.
    let [mut alice, mut bob] = talking();
    let [_, untouched] = talking();
    let old = alice.say(NOW, bob.key(), "old");
    let new = alice.say(NOW, bob.key(), "new");
    let mut untouched = untouched;
    for party in [&mut bob, &mut untouched] {
        assert_eq!(texts(&party.hear(NOW, &old)), ["old"]);
    }
    let data = new.data().to_vec();
    let wrap = |data| Draft::new(NOW, Duration::from_secs(600), new.topic(), data).unwrap().seal(0);
    for at in (0..data.len()).step_by(7) {
        let mut changed = data.clone();
        changed[at] ^= 1;
        assert_eq!(bob.open(NOW, &wrap(changed)), Err(OpenError::NotOurs));
        assert_eq!(bob.open(NOW, &wrap(data[..at].to_vec())), Err(OpenError::NotOurs));
    }
    let longer = [&data[..], &[0]].concat();
    assert_eq!(bob.open(NOW, &wrap(longer)), Err(OpenError::NotOurs));
    assert_eq!(bob.open(NOW, &old), Err(OpenError::Duplicate));
    assert!(bob.sessions == untouched.sessions);
    assert_eq!(texts(&bob.hear(NOW, &new)), ["new"]);
    assert!(bob.sessions != untouched.sessions);
}

#[test]
fn c12_ones_own_message_comes_back_as_nobodys() {
    for fixed_topic in [false, true] {
        let [mut alice, bob] = [1, 2].map(Party::new);
        let options = InviteOptions { fixed_topic, ..InviteOptions::default() };
        let step =
            alice.sessions.invite(NOW, bob.key(), options, Some("hi"), &mut alice.rng).unwrap();
        let (sent, _) = alice.run(NOW, step);
        assert_eq!(alice.open(NOW, &sent[1]), Err(OpenError::NotOurs));
    }
}

fn good() -> Invitation {
    Invitation {
        id: [7; 16],
        bound: true,
        fixed_topic: false,
        created_at: 1_750_000_000,
        lifetime: 3_600,
        forth: Secret::fill_with(|key| *key = [1; 32]),
        back: Secret::fill_with(|key| *key = [2; 32]),
        text: "".into(),
    }
}

fn signed(payload: &[u8], signer: Option<&Identity>, to: &Party) -> Message {
    let mut rng = ChaCha20Rng::from_seed([9; 32]);
    let recipient = Recipient::PublicKey(to.key());
    let data = message::encrypt(payload, Padding::Aligned, signer, recipient, &mut rng).unwrap();
    Message::open_as(&data, &to.identity).unwrap()
}

#[test]
fn every_rule_for_an_invitation_refuses_what_breaks_it_and_nothing_changes() {
    let [alice, mut bob] = [1, 2].map(Party::new);
    let fresh = Party::new(2);
    let payload = good().encode().to_vec();
    let with = |at: usize, bytes: &[u8]| {
        let mut payload = payload.clone();
        payload[at..at + bytes.len()].copy_from_slice(bytes);
        payload
    };
    let twin = payload[30..62].to_vec();
    use InvitationError::*;
    let cases = [
        ("another magic", with(0, b"WSS2"), NotAnInvitation),
        ("version 0", with(4, &[0]), Malformed),
        ("version 2", with(4, &[2]), Malformed),
        ("a reserved flag", with(5, &[5]), Malformed),
        ("a lifetime of 59", with(26, &59_u32.to_be_bytes()), Malformed),
        ("a lifetime above 30 days", with(26, &2_592_001_u32.to_be_bytes()), Malformed),
        ("both keys equal", with(62, &twin), Malformed),
        ("a key of zeros", with(30, &[0; 32]), Malformed),
        ("bound, and a text", [with(94, &[0, 1]), b"x".to_vec()].concat(), Malformed),
        ("a length that is not the text's", with(94, &[0, 1]), Malformed),
        ("a byte behind", [&payload[..], &[0]].concat(), Malformed),
        ("a strict text that is not UTF-8", [with(5, &[0]), vec![]].concat(), Malformed),
        ("over", with(22, &1_749_996_400_u32.to_be_bytes()), OutOfTime),
        ("601 seconds ahead", with(22, &1_750_000_601_u32.to_be_bytes()), OutOfTime),
    ];
    for (what, mut payload, error) in cases {
        if what.contains("UTF-8") {
            payload[94..96].copy_from_slice(&[0, 1]);
            payload.push(0xff);
        }
        let message = signed(&payload, Some(&alice.identity), &bob);
        assert_eq!(bob.sessions.receive(NOW, &message, Rating::ZERO), Err(error), "{what}");
    }
    for length in 0..payload.len() {
        let message = signed(&payload[..length], Some(&alice.identity), &bob);
        assert!(bob.sessions.receive(NOW, &message, Rating::ZERO).is_err(), "cut at {length}");
    }
    for signer in [None, Some(&*bob.identity.clone())] {
        let message = signed(&payload, signer, &bob);
        assert_eq!(bob.sessions.receive(NOW, &message, Rating::ZERO), Err(Signer));
    }
    assert!(bob.sessions == fresh.sessions);
    let message = signed(&payload, Some(&alice.identity), &bob);
    assert!(bob.sessions.receive(NOW, &message, Rating::ZERO).is_ok());
}

#[test]
fn the_longest_strict_text_is_16000_bytes() {
    let [alice, mut bob] = [1, 2].map(Party::new);
    for (length, fits) in [(16_000, true), (16_001, false)] {
        let invitation = Invitation { bound: false, text: "x".repeat(length), ..good() };
        let message = signed(&invitation.encode(), Some(&alice.identity), &bob);
        assert_eq!(bob.sessions.receive(NOW, &message, Rating::ZERO).is_ok(), fits);
        let options = InviteOptions { bind: false, ..InviteOptions::default() };
        let text = "x".repeat(length);
        let mut dora = Party::new(4);
        let step = dora.sessions.invite(NOW, bob.key(), options, Some(&text), &mut dora.rng);
        assert_eq!(step.is_ok(), fits);
    }
}

#[test]
fn what_makes_no_sense_is_dropped_once_and_the_session_lives() {
    let [mut alice, mut bob] = talking();
    let session = alice.sessions.live.values_mut().next().unwrap();
    let template = laid_out(b"x");
    let broken: [(usize, u8); 5] = [(0, 4), (0, 2), (9, 1), (14, 1), (1, 0)];
    for (number, (at, byte)) in (1..).zip(broken) {
        let mut payload = template.clone();
        payload[at] = byte;
        payload[5..9].copy_from_slice(&u32::to_be_bytes(number));
        let key = Recipient::Symmetric(&keys(session).sending.key);
        let data = message::encrypt(&payload, Padding::Absent, None, key, &mut alice.rng).unwrap();
        let topic = keys(session).sending.topic(1_750_000_000 / 3_600, number);
        let envelope = Draft::new(NOW, Duration::from_secs(600), topic, data).unwrap().seal(0);
        assert_eq!(names(&bob.open(NOW, &envelope).unwrap()), ["malformed"], "{number}");
        assert_eq!(bob.open(NOW, &envelope), Err(OpenError::Duplicate));
    }
    let answer = bob.say(NOW, alice.key(), "I live");
    assert_eq!(texts(&alice.hear(NOW, &answer)), ["I live"]);
}

#[test]
fn a_signed_or_padded_message_is_no_session_message() {
    let [mut alice, mut bob] = talking();
    let session = alice.sessions.live.values().next().unwrap();
    let key = Recipient::Symmetric(&keys(session).sending.key);
    let topic = keys(session).sending.topic(1_750_000_000 / 3_600, 1);
    let signer = Some(&*alice.identity);
    for (payload, padding, signer) in [
        (vec![0; 1_024 - 3 - 65], Padding::Absent, signer),
        (vec![0; 500], Padding::Given(&[0; 1_024 - 3 - 500]), None),
        (vec![], Padding::Given(&[0; 1_024 - 2]), None),
    ] {
        let data = message::encrypt(&payload, padding, signer, key, &mut alice.rng).unwrap();
        assert!(is_class_length(data.len()));
        let envelope = Draft::new(NOW, Duration::from_secs(600), topic, data).unwrap().seal(0);
        assert_eq!(bob.open(NOW, &envelope), Err(OpenError::Malformed));
    }
}

#[test]
fn c7_a_stuck_random_source_is_an_error_and_moves_nothing() {
    let [mut alice, bob] = talking();
    let [untouched, _] = talking();
    let options = InviteOptions::default();
    let invited = alice.sessions.invite(NOW, bob.key(), options, None, &mut Stuck(1));
    assert_eq!(invited, Err(SessionError::Entropy));
    // Every nonce is the same: half of all messages cannot find one that looks as it must.
    let mut failed = 0;
    for text in 0..16_u8 {
        match alice.sessions.send(NOW, &bob.key(), &[text], &mut Stuck(1)) {
            Err(error) => {
                assert_eq!(error, SessionError::Entropy);
                failed += 1;
            }
            Ok(step) => {
                let [SessionOutput::Persist(record)] = &step[..] else { panic!("{step:?}") };
                alice.sessions.not_stored(record.id());
            }
        }
    }
    assert!((1..16).contains(&failed), "{failed}");
    assert_eq!(alice.sessions.live, untouched.sessions.live);
}

#[test]
fn what_was_not_stored_was_not_done() {
    let [mut alice, bob] = talking();
    let before = alice.sessions.live.clone();
    let step = alice.sessions.send(NOW, &bob.key(), b"lost", &mut alice.rng).unwrap();
    let [SessionOutput::Persist(record)] = &step[..] else { panic!("{step:?}") };
    assert_eq!(*alice.sessions.live, before);
    let next = alice.sessions.send(NOW, &bob.key(), b"too soon", &mut alice.rng);
    assert_eq!(next, Err(SessionError::Busy));
    alice.sessions.not_stored(record.id());
    assert_eq!(*alice.sessions.live, before);
    assert_eq!(alice.sessions.stored(NOW, record.id()), []);
    assert!(alice.sessions.send(NOW, &bob.key(), b"now", &mut alice.rng).is_ok());
}

#[test]
fn nothing_that_is_said_and_no_key_is_printed() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    for envelope in alice.invite(NOW, bob.key(), "AAAAAAAA") {
        bob.hear(NOW, &envelope);
    }
    for text in [format!("{:?}", alice.sessions), format!("{:#?}", bob.sessions)] {
        assert!(!text.contains("AAAA") && !text.contains("65, 65"), "{text}");
        assert!(text.contains("SymmetricKey(..)") && text.contains("Secret(..)"));
    }
    let message = Message::parse(good().encode().to_vec(), Kind::Asymmetric);
    assert!(!format!("{message:?}").contains("1, 1"));
}
