use alloc::format;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;

fn key(seed: u8) -> DecapsulationKey {
    DecapsulationKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
}

fn coin(byte: u8) -> Secret<32> {
    Secret::fill_with(|own| own.fill(byte))
}

#[test]
fn both_sides_have_the_same_secret() {
    let own = key(1);
    let (ciphertext, shared) = own.encapsulation_key().encapsulate(&coin(2));
    assert_eq!(own.decapsulate(ciphertext.expose()), shared);
}

#[test]
fn the_coin_decides_and_another_coin_gives_another_secret() {
    let public = key(1).encapsulation_key();
    assert_eq!(public.encapsulate(&coin(2)), public.encapsulate(&coin(2)));
    let ((one, first), (other, second)) =
        (public.encapsulate(&coin(2)), public.encapsulate(&coin(3)));
    assert_ne!(one, other);
    assert_ne!(first, second);
}

#[test]
fn c21_a_ciphertext_that_was_changed_or_is_for_another_gives_another_secret() {
    let own = key(1);
    let (ciphertext, shared) = own.encapsulation_key().encapsulate(&coin(2));
    for at in [0, 543, 1_087] {
        let mut changed = *ciphertext.expose();
        changed[at] ^= 1;
        let rejected = own.decapsulate(&changed);
        assert_ne!(rejected, shared, "{at}");
        assert_eq!(rejected, own.decapsulate(&changed), "implicit rejection has no chance in it");
    }
    assert_ne!(key(4).decapsulate(ciphertext.expose()), shared);
}

#[test]
fn c21_only_1_184_bytes_with_coefficients_below_3_329_are_a_key() {
    let good = *key(1).encapsulation_key().as_bytes();
    assert_eq!(EncapsulationKey::from_bytes(&good), Ok(key(1).encapsulation_key()));
    assert_eq!(EncapsulationKey::from_bytes(&good[1..]), Err(InvalidKey));
    assert_eq!(EncapsulationKey::from_bytes(&[&good[..], &[0]].concat()), Err(InvalidKey));
    assert_eq!(EncapsulationKey::from_bytes(&[0xff; ENCAPSULATION_KEY]), Err(InvalidKey));
    // Coefficients are 12 bits each, the least significant first; 3,329 is 0xd01.
    for pair in 0..384 {
        let mut first = good;
        first[3 * pair] = 0x01;
        first[3 * pair + 1] = first[3 * pair + 1] & 0xf0 | 0x0d;
        assert_eq!(EncapsulationKey::from_bytes(&first), Err(InvalidKey), "{pair}");
        first[3 * pair] = 0x00;
        assert!(EncapsulationKey::from_bytes(&first).is_ok(), "{pair}");
        let mut second = good;
        second[3 * pair + 1] = second[3 * pair + 1] & 0x0f | 0x10;
        second[3 * pair + 2] = 0xd0;
        assert_eq!(EncapsulationKey::from_bytes(&second), Err(InvalidKey), "{pair}");
    }
}

#[test]
fn a_key_is_what_its_seed_says() {
    let seed = *key(1).expose();
    let again = DecapsulationKey::from_secret(Secret::fill_with(|own| *own = seed));
    assert_eq!(again, key(1));
    assert_eq!(again.encapsulation_key(), key(1).encapsulation_key());
    assert_ne!(again.encapsulation_key(), key(2).encapsulation_key());
}

#[test]
fn a_private_key_prints_nothing() {
    assert_eq!(format!("{:?}", key(1)), "DecapsulationKey(Secret(..))");
}
