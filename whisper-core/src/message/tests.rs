use alloc::format;
use alloc::vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use proptest::prelude::*;

use super::*;
use crate::crypto::Secret;
use crate::crypto::curve::SecretKey;
use crate::crypto::kdf;
use crate::hash::sha256;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([1; 32])
}

/// ECIES with nothing but a MAC that holds: `body` stands where IV and ciphertext belong.
fn ecies_with_valid_mac(recipient: &PublicKey, body: &[u8]) -> Vec<u8> {
    let ephemeral = SecretKey::from_bytes(&[5; 32]).unwrap();
    let shared: Secret<32> = ephemeral.agree(recipient);
    let keys = sha256(&[&[0, 0, 0, 1], shared.expose().as_slice()].concat());
    let mac = kdf::hmac_sha256(&sha256(&keys[16..]), &[body]);
    [&ephemeral.public_key().to_uncompressed(), body, &mac].concat()
}

#[test]
fn f1_ecies_bodies_of_0_to_15_bytes_with_a_valid_mac_are_refused() {
    let bob = Identity::generate(&mut rng());
    for length in 0..=15 {
        let data = ecies_with_valid_mac(&bob.public_key(), &vec![9; length]);
        assert_eq!(Message::open_as(&data, &bob), Err(DecryptError), "{length}");
    }
    // One more is an IV: the MAC is seen to hold, and nothing was encrypted.
    let data = ecies_with_valid_mac(&bob.public_key(), &[9; 16]);
    assert_eq!(ecies::decrypt(bob.secret(), &data, &[]), Ok(vec![]));
    assert_eq!(Message::open_as(&data, &bob), Err(DecryptError));
}

#[test]
fn a10_any_body_up_to_130_bytes_with_a_valid_mac_opens_or_is_refused() {
    let bob = Identity::generate(&mut rng());
    for length in 0..=130 {
        let data = ecies_with_valid_mac(&bob.public_key(), &vec![length; length.into()]);
        let _ = Message::open_as(&data, &bob);
    }
}

#[test]
fn f6_who_opens_a_signed_message_can_pass_it_on_as_the_signers() {
    let mut rng = rng();
    let [alice, bob, carol] = [(); 3].map(|()| Identity::generate(&mut rng));
    let recipient = Recipient::PublicKey(bob.public_key());
    let data = encrypt(b"to Bob", Padding::Aligned, Some(&alice), recipient, &mut rng).unwrap();
    let opened = ecies::decrypt(bob.secret(), &data, &[]).unwrap();

    let forwarded = ecies::encrypt(&carol.public_key(), &opened, &[], &mut rng);
    let message = Message::open_as(&forwarded, &carol).unwrap();
    assert_eq!(message.signer(), Some(alice.public_key()));
}

#[test]
fn f12_signatures_say_0_or_1_and_27_is_refused() {
    let alice = Identity::generate(&mut rng());
    let plaintext = lay_out(b"hi", Padding::Absent, Some(&alice), &mut rng()).unwrap();
    let (v, body) = plaintext.split_last().unwrap();
    assert!(*v < 2);
    let signed = |v: u8| Message::parse([body, &[v]].concat(), Kind::Symmetric);
    assert_eq!(signed(*v).unwrap().signer(), Some(alice.public_key()));
    for v in [4, 27, 28, 255] {
        assert_eq!(signed(v), Err(Malformed::Signature(InvalidSignature)), "{v}");
    }
}

#[test]
fn every_parse_rule_is_told_to_who_has_the_plaintext() {
    let parse = |bytes: &[u8]| Message::parse(bytes.to_vec(), Kind::Symmetric).unwrap_err();
    assert_eq!(parse(&[]), Malformed::Empty);
    assert_eq!(parse(&[4; 65]), Malformed::SignatureMissing);
    assert_eq!(parse(&[4; 66]), Malformed::SignatureMissing);
    assert_eq!(parse(&[1]), Malformed::LengthCut);
    assert_eq!(parse(&[3, 0, 0]), Malformed::LengthCut);
    assert_eq!(parse(&[1, 1]), Malformed::PayloadCut);
    assert_eq!(parse(&[2, 2, 1, 7]), Malformed::PayloadCut);
    assert_eq!(parse(&[3, 255, 255, 255]), Malformed::PayloadCut);
}

#[test]
fn a_payload_that_its_length_field_cannot_tell_is_refused() {
    let payload = vec![0; MAX_PAYLOAD + 1];
    let laid_out = lay_out(&payload, Padding::Absent, None, &mut rng());
    assert_eq!(laid_out, Err(MessageError::TooLarge { max: MAX_PAYLOAD }));
    let largest = lay_out(&payload[1..], Padding::Absent, None, &mut rng()).unwrap();
    assert_eq!(largest[..4], [3, 255, 255, 255]);
}

#[test]
fn empty_padding_counts_as_none_given() {
    let laid_out = |padding| lay_out(b"hi", padding, None, &mut rng()).unwrap();
    assert_eq!(laid_out(Padding::Given(&[])), laid_out(Padding::Aligned));
    assert_eq!(laid_out(Padding::Given(b"x")), b"\x01\x02hix");
    assert_eq!(laid_out(Padding::Absent), b"\x01\x02hi");
}

#[test]
fn a_message_prints_neither_payload_nor_padding() {
    let message = Message::parse(b"\x01\x02hi and more".to_vec(), Kind::Symmetric).unwrap();
    assert_eq!(
        format!("{message:?}"),
        "Message { payload: 2 bytes, padding: 9 bytes, signer: None, kind: Symmetric, .. }"
    );
}

#[test]
fn what_is_truncated_extended_or_changed_does_not_open() {
    let mut rng = rng();
    let bob = Identity::generate(&mut rng);
    let key = SymmetricKey::generate(&mut rng);
    let given = Padding::Given(b"padding");
    for recipient in [Recipient::Symmetric(&key), Recipient::PublicKey(bob.public_key())] {
        let data = encrypt(b"hello", given, None, recipient, &mut rng).unwrap();
        let opens =
            |data: &[u8]| Message::open(data, &key).is_ok() || Message::open_as(data, &bob).is_ok();
        assert!(opens(&data));
        assert!(!opens(&[&data[..], &[0]].concat()));
        for at in 0..data.len() {
            assert!(!opens(&data[..at]), "cut at {at}");
            let mut changed = data.clone();
            changed[at] ^= 1;
            assert!(!opens(&changed), "changed at {at}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_message_opens_as_it_was_made(
        payload in proptest::collection::vec(any::<u8>(), 0..700),
        padding in proptest::collection::vec(any::<u8>(), 0..40),
        signed: bool, asymmetric: bool, seed: [u8; 32],
    ) {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let alice = Identity::generate(&mut rng);
        let bob = Identity::generate(&mut rng);
        let key = SymmetricKey::generate(&mut rng);
        let signer = signed.then_some(&alice);
        let recipient = match asymmetric {
            true => Recipient::PublicKey(bob.public_key()),
            false => Recipient::Symmetric(&key),
        };
        let data = encrypt(&payload, Padding::Given(&padding), signer, recipient, &mut rng);
        let data = data.unwrap();
        let message = match asymmetric {
            true => Message::open_as(&data, &bob),
            false => Message::open(&data, &key),
        };
        let message = message.unwrap();
        prop_assert_eq!(message.payload(), payload);
        prop_assert_eq!(message.signer(), signer.map(Identity::public_key));
        if padding.is_empty() {
            let overhead = if asymmetric { ecies::OVERHEAD } else { 28 };
            prop_assert_eq!((data.len() - overhead) % 256, 0);
            prop_assert!((1..=256).contains(&message.padding().len()));
        } else {
            prop_assert_eq!(message.padding(), padding);
        }
    }

    #[test]
    fn no_plaintext_makes_the_parser_panic(
        flags: u8, rest in proptest::collection::vec(any::<u8>(), 0..90),
    ) {
        let _ = Message::parse([&[flags][..], &rest].concat(), Kind::Asymmetric);
    }
}
