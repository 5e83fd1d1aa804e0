//! Invitations that are not what they should be: rows of the attack catalogue.

use super::cast::DRAWN;
use super::cast::Party;
use super::cast::alice;
use super::cast::bob;
use super::cast::kem;
use super::cast::scalar;
use super::side::Packet;
use super::side::talking;
use super::*;
use crate::crypto::Secret;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::session::card::Cert;
use crate::session::card::PrekeyId;
use crate::session::full::layout::Address;
use crate::session::full::layout::Inner;
use crate::session::full::layout::Parts;
use crate::session::full::transcript::Transcript;
use crate::session::prekeys::Prekey;
use crate::session::tests::stuck::Stuck;

fn invite(from: &Party, to: &Party, text: &[u8], rng: &mut impl CryptoRng) -> Invited {
    from.inviter(true).invite(NOW, &to.card(false), false, &app(NOW, text), rng).unwrap()
}

#[test]
fn an_invitation_makes_one_session_on_both_sides_and_both_talk_on_it() {
    let [alice, bob] = [alice(), bob()];
    let invited = invite(&alice, &bob, b"hello", &mut rng(1));
    let accepted = bob.accept(NOW, &invited.data).unwrap();
    assert_eq!(accepted.body, Some(app(NOW, b"hello")));
    assert_eq!(accepted.name, invited.name);
    assert_eq!(accepted.session.id(), invited.session.id());
    assert_eq!(accepted.session.created_at(), NOW);
    assert_eq!(accepted.cert, alice.cert);
    assert_eq!(accepted.card.as_ref(), Some(&alice.card(false).to_short()));
    let [mut ours, mut theirs] =
        [invited.session, accepted.session].map(|session| Side::new(session, 1));
    for turn in 0..4 {
        let packet = theirs.say(after(turn), b"ask");
        assert_eq!(ours.hear(after(turn), &packet).unwrap(), b"ask");
        let packet = ours.say(after(turn), b"answer");
        assert_eq!(theirs.hear(after(turn), &packet).unwrap(), b"answer");
    }
}

#[test]
fn every_length_of_text_is_invited_with_in_its_class() {
    let [alice, bob] = [alice(), bob()];
    for (length, data) in
        [(0, 2_076), (544, 2_076), (545, 4_124), (31_265, 65_564), (64_000, 65_564)]
    {
        let invited =
            invite(&alice, &bob, &Vec::from_iter((0..length).map(|n| n as u8)), &mut rng(2));
        assert_eq!(invited.data.len(), data);
        let accepted = bob.accept(NOW, &invited.data).unwrap();
        assert_eq!(
            accepted.body.unwrap().content,
            app(NOW, &Vec::from_iter((0..length).map(|n| n as u8))).content
        );
    }
    let too_large = alice.inviter(true).invite(
        NOW,
        &bob.card(false),
        false,
        &app(NOW, &[0; 64_001]),
        &mut rng(2),
    );
    assert_eq!(too_large.unwrap_err(), InviteError::TooLarge { max: MAX_DATA });
}

#[test]
fn what_needs_a_session_is_no_invitation() {
    let [alice, bob] = [alice(), bob()];
    let names = Vec::from([MessageName::new([1; 8])]);
    for content in [Content::Close, Content::Ack(names), Content::Card(bob.card(false).into())] {
        let body = Body { sent_at: NOW, content };
        let refused = alice.inviter(true).invite(NOW, &bob.card(false), false, &body, &mut rng(3));
        assert_eq!(refused.unwrap_err(), InviteError::Kind);
    }
    let own =
        alice.inviter(true).invite(NOW, &alice.card(false), false, &app(NOW, b""), &mut rng(3));
    assert_eq!(own.unwrap_err(), InviteError::OwnCard);
}

/// V7 of spec/session.md, 3.16.
#[test]
fn no_invitation_with_a_flipped_bit_is_accepted() {
    let [alice, bob] = [alice(), bob()];
    let invited = invite(&alice, &bob, b"hello", &mut rng(4));
    let mut data = invited.data;
    // Each bit of what decides how to go on; of the rest, one bit of each byte, all in turn.
    for byte in 0..data.len() {
        let bits = if byte < 58 { 0..8 } else { byte % 8..byte % 8 + 1 };
        for bit in bits {
            data[byte] ^= 1 << bit;
            assert!(bob.accept(NOW, &data).is_none(), "bit {bit} of byte {byte}");
            data[byte] ^= 1 << bit;
        }
    }
    assert!(bob.accept(NOW, &data).is_some());
}

#[test]
#[ignore = "takes a minute"]
fn no_invitation_with_any_bit_flipped_is_accepted() {
    let [alice, bob] = [alice(), bob()];
    let mut data = invite(&alice, &bob, b"hello", &mut rng(4)).data;
    for bit in 0..data.len() * 8 {
        data[bit / 8] ^= 1 << (bit % 8);
        assert!(bob.accept(NOW, &data).is_none(), "bit {bit}");
        data[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn no_packet_with_a_flipped_bit_opens_or_moves_the_session() {
    let [mut alice, mut bob] = talking(5);
    let packet = alice.say(NOW, b"hello");
    let before = bob.session.clone();
    for bit in 0..packet.data.len() * 8 {
        let mut data = packet.data.clone();
        data[bit / 8] ^= 1 << (bit % 8);
        let bent = Packet { data, ..packet.clone() };
        assert_eq!(bob.open(NOW, &bent).unwrap_err(), OpenFailure::NotOurs, "bit {bit}");
    }
    assert!(bob.session == before);
    for length in [0, 1_052, 2_075, 2_077] {
        let mut data = packet.data.clone();
        data.resize(length, 0);
        let cut = Packet { data, ..packet.clone() };
        assert_eq!(bob.open(NOW, &cut).unwrap_err(), OpenFailure::NotOurs);
    }
    assert_eq!(bob.hear(NOW, &packet).unwrap(), b"hello");
}

#[test]
fn c7_with_a_stuck_random_source_no_two_invitations_share_a_key_unless_they_are_equal() {
    let [alice, bob] = [alice(), bob()];
    let other = Party::new('C', 7);
    let invite = |to: &Party, one_time: bool, now: Timestamp, text: &[u8]| {
        let card = to.card(one_time);
        let body = app(now, text);
        alice.inviter(true).invite(now, &card, one_time, &body, &mut Stuck(7)).unwrap()
    };
    let all = [
        invite(&bob, false, NOW, b"hello"),
        invite(&bob, false, NOW, b"other"),
        invite(&bob, false, after(1), b"hello"),
        invite(&bob, true, NOW, b"hello"),
        invite(&other, false, NOW, b"hello"),
    ];
    for (n, one) in all.iter().enumerate() {
        for another in &all[n + 1..] {
            assert_ne!(one.data[..32], another.data[..32]);
            assert_ne!(one.session.id(), another.session.id());
        }
    }
    assert_eq!(all[0].data, invite(&bob, false, NOW, b"hello").data);
}

#[test]
fn c7_with_a_stuck_random_source_a_session_seals_nothing_or_what_is_no_copy() {
    let [mut alice, _] = talking(6);
    let mut sealed = 0;
    for byte in 0..32 {
        let before = alice.session.clone();
        match alice.session.seal(NOW, &app(NOW, b"hello"), &mut Stuck(byte)) {
            Ok(_) => sealed += 1,
            Err(why) => {
                assert_eq!(why, SealError::Entropy);
                assert!(alice.session == before);
            }
        }
    }
    // Half of all first nonces do.
    assert!((4..28).contains(&sealed), "{sealed}");
    let [first, second] = [(); 2].map(|()| {
        (0..64)
            .find_map(|byte| alice.session.seal(NOW, &app(NOW, b"same"), &mut Stuck(byte)).ok())
            .unwrap()
    });
    assert_ne!(first.topic, second.topic);
    let same = first.data.iter().zip(&second.data).filter(|(a, b)| a == b).count();
    assert!(same < first.data.len() / 50, "{same}");
}

#[test]
fn c9_a_first_part_for_two_recipients_makes_no_session_with_the_second() {
    let [alice, bob] = [alice(), bob()];
    let other = Party::new('C', 0x0102_0304);
    let data = invite(&alice, &bob, b"hello", &mut rng(7)).data;
    assert_eq!(other.host().look(&data).unwrap_err(), KnockError::NotOurs);
    // Whoever breaks the commitment of one part meets the next one.
    let knock = bob.host().look(&data).unwrap();
    assert_eq!(knock.identify(NOW, &other.prekey, None).unwrap_err(), Refused);
}

#[test]
fn c12_an_invitation_or_a_message_that_comes_back_to_its_sender_opens_nothing() {
    let [alice, bob] = [alice(), bob()];
    let invited = invite(&alice, &bob, b"hello", &mut rng(8));
    assert_eq!(alice.host().look(&invited.data).unwrap_err(), KnockError::NotOurs);
    let [mut alice, mut bob] = talking(8);
    for side in [&mut alice, &mut bob] {
        let packet = side.say(NOW, b"hello");
        assert_eq!(side.open(NOW, &packet).unwrap_err(), OpenFailure::NotOurs);
    }
}

/// An invitation from `from` to Bob whose parts are as `bend` leaves them.
struct Forgery {
    address: [u8; 10],
    ciphertext: Option<[u8; 1_088]>,
    cert: Vec<u8>,
    inner: Vec<u8>,
}

fn forge(from: &Party, to: &Party, bend: impl FnOnce(&mut Forgery)) -> Vec<u8> {
    let own = scalar("a key of nobody");
    let [dh, prekey] = [to.dh.public_key(), to.prekey.dh_key()];
    let body = app(NOW, b"hello").encode().unwrap();
    let key = scalar("another key").public_key().to_bytes();
    let tail = from.inviter(true).tail;
    let inner = Inner { key: &key, created_at: 1_750_000_000, body: &body, tail: tail.as_ref() };
    let address = Address { prekey: to.prekey.id().get(), one_time: 0 };
    let mut parts = Forgery {
        address: address.encode(),
        ciphertext: None,
        cert: from.cert.to_bytes().to_vec(),
        inner: inner.encode(2_048).unwrap().to_vec(),
    };
    bend(&mut parts);
    let mut transcript = Transcript::new(&to.identity.public_key(), &dh, &own.public_key());
    let [first, second] = transcript.mix_for_two(&own.agree(&dh));
    let address = transcript.seal(&first, &parts.address);
    transcript.absorb(&[&prekey.to_bytes(), to.prekey.kem_hash()]);
    let (right, shared) = to.prekey.kem_key().encapsulate(&Secret::generate(&mut rng(9)));
    let ciphertext = parts.ciphertext.unwrap_or(*right.expose());
    let ciphertext = transcript.seal(&second, &ciphertext);
    transcript.mix(&own.agree(&prekey));
    let third = transcript.mix(&shared);
    let cert = transcript.seal(&third, &parts.cert);
    transcript.mix(&from.dh.agree(&dh));
    let fourth = transcript.mix(&from.dh.agree(&prekey));
    let inner = transcript.seal(&fourth, &parts.inner);
    [&own.public_key().to_bytes()[..], &address, &ciphertext, &cert, &inner].concat()
}

fn is_taken(bend: impl FnOnce(&mut Forgery)) -> bool {
    let [alice, bob] = [alice(), bob()];
    bob.accept(NOW, &forge(&alice, &bob, bend)).is_some()
}

#[test]
fn e14_another_version_or_suite_is_too_new_and_nothing_else_is_tried() {
    assert!(is_taken(|_| ()));
    let [alice, bob] = [alice(), bob()];
    for suite in [[1, 0], [1, 1], [1, 3], [0, 2], [2, 2], [255, 255]] {
        let data = forge(&alice, &bob, |parts| parts.address[..2].copy_from_slice(&suite));
        assert_eq!(bob.host().look(&data).unwrap_err(), KnockError::PeerTooNew);
    }
}

#[test]
fn e3_an_invitation_to_a_prekey_that_is_gone_names_it_and_opens_under_no_other() {
    let [alice, bob] = [alice(), bob()];
    let data = forge(&alice, &bob, |parts| parts.address[5] ^= 1);
    let knock = bob.host().look(&data).unwrap();
    assert_eq!(knock.prekey_id(), 0x0102_0305);
    assert_eq!(knock.identify(NOW, &bob.prekey, None).unwrap_err(), Refused);
}

#[test]
fn an_invitation_to_a_one_time_key_opens_with_that_key_alone() {
    let [alice, bob] = [alice(), bob()];
    let card = bob.card(true);
    let invited = alice.inviter(true).invite(NOW, &card, true, &app(NOW, b"hello"), &mut rng(10));
    let data = invited.unwrap().data;
    let knock = || bob.host().look(&data).unwrap();
    assert_eq!(knock().one_time_id(), Some(0x090a_0b0c));
    assert!(knock().identify(NOW, &bob.prekey, None).is_err());
    assert!(knock().identify(NOW, &bob.prekey, Some(&scalar("another"))).is_err());
    assert!(bob.accept(NOW, &data).is_some());
    // The same card serves others without its one-time key.
    let invited = alice.inviter(true).invite(NOW, &card, false, &app(NOW, b"hello"), &mut rng(10));
    let data = invited.unwrap().data;
    assert_eq!(bob.host().look(&data).unwrap().one_time_id(), None);
    assert!(bob.accept(NOW, &data).is_some());
}

#[test]
fn e12_a_certificate_with_the_key_of_somebody_else_makes_no_session() {
    let [alice, bob] = [alice(), bob()];
    // Mallory certifies nothing of her own: she shows Alice's certificate.
    let mallory = Party::new('M', 5);
    let data = forge(&mallory, &bob, |parts| parts.cert = alice.cert.to_bytes().to_vec());
    let knock = bob.host().look(&data).unwrap();
    let caller = knock.identify(NOW, &bob.prekey, None).unwrap();
    assert_eq!(caller.cert().identity(), alice.identity.public_key());
    assert_eq!(caller.open(NOW).unwrap_err(), Refused);
    // Bob's own certificate is refused before anything of it is used.
    assert!(!is_taken(|parts| parts.cert = bob.cert.to_bytes().to_vec()));
    assert!(!is_taken(|parts| parts.cert[137] ^= 1));
    // Nor does Bob invite himself, although all keys would fit.
    assert!(bob.accept(NOW, &forge(&bob, &bob, |_| ())).is_none());
}

#[test]
fn e13_a_certificate_out_of_its_dates_is_refused_and_so_is_a_card() {
    let [alice, bob] = [alice(), bob()];
    let data = forge(&alice, &bob, |_| ());
    for now in [1_699_999_399, 1_800_000_001].map(Timestamp::from_secs) {
        let knock = bob.host().look(&data).unwrap();
        assert!(knock.identify(now, &bob.prekey, None).is_err());
        let invited =
            alice.inviter(true).invite(now, &bob.card(false), false, &app(NOW, b""), &mut rng(1));
        assert_eq!(invited.unwrap_err(), InviteError::CardExpired);
    }
    for (seconds, opens) in
        [(-87_001_i64, false), (-87_000, true), (1_123_200, true), (1_123_201, false)]
    {
        let now = Timestamp::from_secs(1_750_000_000_u64.wrapping_add_signed(seconds));
        let invited =
            alice.inviter(true).invite(now, &bob.card(false), false, &app(now, b""), &mut rng(1));
        assert_eq!(invited.is_ok(), opens, "{seconds}");
    }
}

#[test]
fn e13_nobody_invites_with_a_certificate_that_is_out_of_its_dates() {
    let [alice, bob] = [alice(), bob()];
    let drawn = Timestamp::from_secs(1_700_000_000);
    let old = Cert::sign(drawn, &alice.identity, &alice.dh.public_key());
    let inviter = Inviter { cert: &old, ..alice.inviter(false) };
    let invited = inviter.invite(NOW, &bob.card(false), false, &app(NOW, b""), &mut rng(1));
    assert_eq!(invited.unwrap_err(), InviteError::CardExpired);
}

#[test]
fn what_is_not_laid_out_as_it_should_be_is_refused_whole() {
    let inner = |bend: fn(&mut Vec<u8>)| is_taken(|parts| bend(&mut parts.inner));
    assert!(inner(|_| ()));
    // No point of the curve has this x coordinate.
    assert!(!inner(|inner| inner[..32].fill(0xff)));
    assert!(!inner(|inner| inner[36] |= 2));
    assert!(!inner(|inner| inner[36] |= 0x80));
    // Without a tail its bytes are no zeros.
    assert!(!inner(|inner| inner[36] = 0));
    assert!(!inner(|inner| *inner.last_mut().unwrap() = 1));
    assert!(!inner(|inner| inner[37..41].fill(0xff)));
    assert!(!inner(|inner| inner[40] += 1));
    // A tail that is not Alice's, by one bit of each field.
    for byte in [0, 32, 36, 40, 44, 45, 77, 140] {
        assert!(!is_taken(|parts| parts.inner[41 + 14 + byte] ^= 1), "{byte}");
    }
}

#[test]
fn e18_a_text_that_makes_no_sense_makes_a_session_and_shows_nothing() {
    let [alice, bob] = [alice(), bob()];
    for kind in [1, 2, 4, 7, 255] {
        let data = forge(&alice, &bob, |parts| parts.inner[41] = kind);
        let accepted = bob.accept(NOW, &data).unwrap();
        assert_eq!(accepted.body, None, "{kind}");
    }
    // Its own length says another thing than the length around it.
    let data = forge(&alice, &bob, |parts| parts.inner[41 + 8] -= 1);
    assert_eq!(bob.accept(NOW, &data).unwrap().body, None);
}

#[test]
fn an_invitation_is_taken_from_21_days_old_to_ten_minutes_ahead() {
    let [alice, bob] = [alice(), bob()];
    let day = 86_400_i64;
    for (age, taken) in
        [(-601, false), (-600, true), (0, true), (21 * day, true), (21 * day + 1, false)]
    {
        let created_at = u32::try_from(1_750_000_000_i64 - age).unwrap();
        let data = forge(&alice, &bob, |parts| {
            parts.inner[32..36].copy_from_slice(&created_at.to_be_bytes());
        });
        assert_eq!(bob.accept(NOW, &data).is_some(), taken, "{age}");
    }
}

#[test]
fn c21_a_wrong_ciphertext_under_its_right_key_ends_at_the_certificate() {
    let [alice, bob] = [alice(), bob()];
    let data = forge(&alice, &bob, |parts| parts.ciphertext = Some([7; 1_088]));
    let knock = bob.host().look(&data).unwrap();
    assert_eq!(knock.identify(NOW, &bob.prekey, None).unwrap_err(), Refused);
}

#[test]
fn c22_whoever_breaks_every_agreement_opens_the_address_and_no_name_or_text() {
    let [alice, bob] = [alice(), bob()];
    let invited = invite(&alice, &bob, b"hello", &mut rng(11));
    let data = invited.data;
    // All private halves of Diffie-Hellman, and a KEM key of the thief's own.
    let id = PrekeyId::new(0x0102_0304).unwrap();
    let thief = Prekey::from_parts(id, DRAWN, scalar("pB"), kem("thief"));
    let knock = bob.host().look(&data).unwrap();
    assert_eq!(knock.prekey_id(), 0x0102_0304);
    assert!(knock.identify(NOW, &thief, None).is_err());
    // By hand: even the ciphertext can be read, and what it hides is all that is missing.
    let parts = Parts::of(&data).unwrap();
    let key = XOnlyPublicKey::from_bytes(parts.key).unwrap();
    let unrelated = |_: &[u8; 1_088]| Secret::generate(&mut rng(1));
    let right = |ciphertext: &[u8; 1_088]| bob.prekey.kem().decapsulate(ciphertext);
    let open = |secret: &dyn Fn(&[u8; 1_088]) -> Secret<32>| {
        let mut transcript =
            Transcript::new(&bob.identity.public_key(), &bob.dh.public_key(), &key);
        let [first, second] = transcript.mix_for_two(&bob.dh.agree(&key));
        transcript.open(&first, parts.address).unwrap();
        transcript.absorb(&[&bob.prekey.dh_key().to_bytes(), bob.prekey.kem_hash()]);
        let ciphertext = transcript.open(&second, parts.ciphertext).unwrap();
        transcript.mix(&bob.prekey.dh().agree(&key));
        let third = transcript.mix(&secret(ciphertext.as_slice().try_into().unwrap()));
        transcript.open(&third, parts.cert).is_ok()
    };
    assert!(!open(&unrelated));
    assert!(open(&right));
}

#[test]
fn a_light_node_is_invited_under_one_of_32_topics_and_a_full_one_under_any() {
    let [alice, bob] = [alice(), bob()];
    let [dh, prekey] = [bob.dh.public_key(), bob.prekey.dh_key()];
    let watched: Vec<_> = rendezvous_topics(NOW, &dh, &prekey).collect();
    assert_eq!(watched.len(), 32);
    let tomorrow: Vec<_> = rendezvous_topics(after(86_400), &dh, &prekey).collect();
    assert_eq!(watched[16..], tomorrow[..16]);
    for seed in 0..40 {
        let body = app(NOW, b"");
        let light = bob.card_with(false, false);
        let invited =
            alice.inviter(true).invite(NOW, &light, false, &body, &mut rng(seed)).unwrap();
        assert!(watched[16..].contains(&invited.topic));
        let invited = alice
            .inviter(true)
            .invite(NOW, &bob.card(false), false, &body, &mut rng(seed))
            .unwrap();
        assert!(!watched.contains(&invited.topic));
    }
    let key = sha256(&[&b"WS1/rv"[..], &dh.to_bytes(), &prekey.to_bytes()].concat());
    let day = NOW.as_secs() / 86_400;
    let hash = crate::crypto::kdf::hmac_sha256(&key, &[&day.to_be_bytes(), &[5]]);
    assert_eq!(watched[16 + 5].as_bytes()[..], hash[..4]);
}
