use alloc::format;
use alloc::string::ToString;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;

/// The order of the curve, from SEC 2.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

fn key(seed: u8) -> SecretKey {
    SecretKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

#[test]
fn zero_and_the_order_are_no_keys() {
    assert_eq!(SecretKey::from_bytes(&[0; 32]), Err(InvalidKey));
    assert_eq!(SecretKey::from_bytes(&ORDER), Err(InvalidKey));
}

#[test]
fn both_sides_agree() {
    let (alice, bob) = (key(1), key(2));
    assert_eq!(alice.agree(&bob.public_key()), bob.agree(&alice.public_key()));
}

#[test]
fn the_signer_is_recovered_and_a_changed_digest_gives_somebody_else() {
    let alice = key(1);
    let signature = alice.sign(&[3; 32]);
    assert!(signature.as_bytes()[64] <= 1);
    assert_eq!(signature.recover(&[3; 32]), Ok(alice.public_key()));
    assert_ne!(signature.recover(&[4; 32]), Ok(alice.public_key()));
    let scalars: &[u8; 64] = signature.as_bytes().first_chunk().unwrap();
    assert_eq!(verify(&alice.public_key(), &[3; 32], scalars), Ok(()));
    assert_eq!(verify(&alice.public_key(), &[4; 32], scalars), Err(InvalidSignature));
}

#[test]
fn f12_a_recovery_id_of_27_is_refused_as_in_the_reference() {
    let mut bytes = *key(1).sign(&[3; 32]).as_bytes();
    for v in [4, 27, 28, 255] {
        bytes[64] = v;
        assert_eq!(Signature::from_bytes(bytes).recover(&[3; 32]), Err(InvalidSignature), "{v}");
    }
}

#[test]
fn f2_points_that_are_not_on_the_curve_are_refused() {
    let good = key(1).public_key().to_uncompressed();
    assert!(PublicKey::from_uncompressed(&good).is_ok());
    let mut off = good;
    off[64] ^= 1;
    assert_eq!(PublicKey::from_uncompressed(&off), Err(InvalidKey));
    for first in [0, 2, 3, 5, 6, 7] {
        let mut other = good;
        other[0] = first;
        assert_eq!(PublicKey::from_uncompressed(&other), Err(InvalidKey), "{first}");
    }
    let mut beyond = good;
    beyond[1..33].fill(0xff);
    assert_eq!(PublicKey::from_uncompressed(&beyond), Err(InvalidKey));
    assert_eq!(PublicKey::from_bytes(&[0; 64]), Err(InvalidKey));
    assert_eq!(PublicKey::from_uncompressed(&good[..64]), Err(InvalidKey));
    assert_eq!(PublicKey::from_uncompressed(&[]), Err(InvalidKey));
}

#[test]
fn a_public_key_is_read_as_it_is_printed() {
    let public = key(1).public_key();
    let text = public.to_string();
    assert_eq!(text.parse(), Ok(public));
    assert_eq!(text[2..].parse(), Ok(public));
    assert_eq!(format!("0x{text}").parse(), Ok(public));
    assert_eq!(text[1..].parse::<PublicKey>(), Err(InvalidKey));
    assert_eq!(PublicKey::from_compressed(&public.to_compressed()), Ok(public));
    assert_eq!(PublicKey::lift_x(&public.x()).map(|lifted| lifted.x()), Ok(public.x()));
}

#[test]
fn a_key_prints_nothing() {
    assert_eq!(format!("{:?}", key(1)), "SecretKey(Secret(..))");
    assert_eq!(format!("{:?}", key(1).sign(&[0; 32])), "Signature(..)");
}
