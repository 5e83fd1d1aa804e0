use alloc::format;
use alloc::string::ToString;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;
use crate::identity::Identity;

fn key(seed: u8) -> PublicKey {
    Identity::generate(&mut ChaCha20Rng::from_seed([seed; 32])).public_key()
}

#[test]
fn both_see_the_same_number_and_no_third() {
    let number = SafetyNumber::of(&key(1), &key(2));
    assert_eq!(SafetyNumber::of(&key(2), &key(1)), number);
    let with_mallory = SafetyNumber::of(&key(1), &key(3));
    assert_ne!(with_mallory.digits(), number.digits());
    assert!(number.matches(number.code()));
    assert!(!number.matches(with_mallory.code()));
    assert!(!number.matches(&number.code()[1..]));
    assert!(!number.matches(&[]));
}

#[test]
fn a_number_is_twelve_groups_of_five_digits() {
    let number = SafetyNumber::of(&key(1), &key(2));
    let text = number.to_string();
    let groups: Vec<_> = text.split(' ').collect();
    assert_eq!(groups.len(), 12);
    assert!(groups.iter().all(|group| group.len() == 5 && group.parse::<u32>().is_ok()));
    assert_eq!(groups.concat(), number.digits());
    assert_eq!(format!("{number:?}"), format!("SafetyNumber({text})"));
}
