use alloc::vec;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;
use crate::session::error::RestoreError;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([5; 32])
}

fn later(days: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(days * 86_400))
}

fn ids(prekeys: &Prekeys) -> Vec<u32> {
    prekeys.live().map(|prekey| prekey.id().get()).collect()
}

#[test]
fn a_prekey_is_published_for_seven_days_and_opens_for_twenty_one() {
    let mut rng = rng();
    let mut prekeys = Prekeys::new(NOW, &mut rng);
    let first = prekeys.newest().id();
    assert_eq!(prekeys.poll_timeout(), later(7));
    let before = Timestamp::from_millis(later(7).as_millis() - 1);
    assert!(!prekeys.is_due(before));
    assert!(prekeys.is_due(later(7)));
    prekeys.rotate(later(7), &mut rng);
    assert_ne!(prekeys.newest().id(), first);
    assert_eq!(prekeys.poll_timeout(), later(14));
    assert!(!prekeys.expire(later(20)));
    assert!(prekeys.find(first.get()).is_some());
    prekeys.rotate(later(14), &mut rng);
    assert_eq!(prekeys.poll_timeout(), later(21));
    assert!(!prekeys.expire(Timestamp::from_millis(later(21).as_millis() - 1)));
    assert!(prekeys.expire(later(21)));
    assert!(prekeys.find(first.get()).is_none());
    assert!(!prekeys.expire(later(21)), "the newest never goes");
}

#[test]
fn a_fourth_prekey_sends_the_oldest_away() {
    let mut rng = rng();
    let mut prekeys = Prekeys::new(NOW, &mut rng);
    let mut drawn = vec![prekeys.newest().id().get()];
    for count in 1..5 {
        prekeys.rotate(NOW, &mut rng);
        drawn.insert(0, prekeys.newest().id().get());
        drawn.truncate(3);
        assert_eq!(ids(&prekeys), drawn, "{count}");
    }
}

#[test]
fn a_prekey_that_lies_ahead_is_replaced_at_once() {
    let prekeys = Prekeys::new(later(1), &mut rng());
    assert!(prekeys.is_due(NOW) && prekeys.lies_ahead(NOW));
    let nearly = Timestamp::from_secs(later(1).as_secs() - 600);
    assert!(!prekeys.is_due(nearly));
}

#[test]
fn a_one_time_key_opens_until_it_is_burnt_or_its_prekey_goes() {
    let mut rng = rng();
    let (identity, long_term) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
    let cert = Cert::sign(NOW, &identity, &long_term.public_key());
    let mut prekeys = Prekeys::new(NOW, &mut rng);
    let mut draw = |prekeys: &mut Prekeys| {
        let settings = CardSettings::default();
        let card = prekeys.card_with_one_time_key(&identity, &cert, settings, &mut rng);
        let key = card.one_time_key().unwrap();
        assert_eq!(prekeys.one_time_key(key.id.get()).unwrap().public_key(), key.key);
        key.id.get()
    };
    let (one, other) = (draw(&mut prekeys), draw(&mut prekeys));
    prekeys.burn(one);
    assert!(prekeys.one_time_key(one).is_none() && prekeys.one_time_key(other).is_some());
    for _ in 0..ONE_TIME_KEYS {
        draw(&mut prekeys);
    }
    assert_eq!(prekeys.one_time.len(), ONE_TIME_KEYS);
    assert!(prekeys.one_time_key(other).is_none(), "of 257 the oldest goes");
    let last = draw(&mut prekeys);
    prekeys.rotate(later(7), &mut rng_of(9));
    assert!(prekeys.one_time_key(last).is_some());
    prekeys.rotate(later(14), &mut rng_of(10));
    assert!(prekeys.expire(later(21)));
    assert!(prekeys.one_time.is_empty());
}

fn rng_of(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

#[test]
fn a_card_carries_the_newest_prekey() {
    let mut rng = rng();
    let (identity, long_term) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
    let cert = Cert::sign(NOW, &identity, &long_term.public_key());
    let mut prekeys = Prekeys::new(NOW, &mut rng);
    prekeys.rotate(later(7), &mut rng);
    let card = prekeys.card(&identity, &cert, CardSettings::default());
    let newest = prekeys.newest();
    assert_eq!(card.prekey(), newest.dh().public_key());
    assert_eq!(card.kem_key(), &newest.kem().encapsulation_key());
    assert_eq!(card.kem_hash(), newest.kem_hash());
    assert_eq!(card.prekey_validity().not_before(), later(7));
    assert_eq!(card.prekey_validity().not_after(), later(21));
    assert_eq!(Card::from_bytes(&card.to_bytes()), Ok(card));
}

#[test]
fn numbers_are_drawn_again_while_they_are_zero_or_held() {
    /// Gives zero, a number, the same again, and then others.
    struct Stuck(u32);
    impl rand_core::TryRng for Stuck {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            self.0 += 1;
            Ok(self.0 / 3)
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!("ids are 32 bits")
        }

        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            unreachable!("ids are numbers")
        }
    }
    impl rand_core::TryCryptoRng for Stuck {}
    let mut rng = Stuck(0);
    let first = draw_id(&mut rng, |_| false);
    assert_eq!(first.get(), 1);
    assert_eq!(draw_id(&mut rng, |id| id == first).get(), 2);
}

#[test]
fn prekeys_come_back_from_their_bytes_and_from_no_others() {
    let mut rng = rng();
    let (identity, long_term) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
    let cert = Cert::sign(NOW, &identity, &long_term.public_key());
    let mut prekeys = Prekeys::new(NOW, &mut rng);
    for day in [7, 14] {
        let settings = CardSettings::default();
        prekeys.card_with_one_time_key(&identity, &cert, settings, &mut rng);
        prekeys.rotate(later(day), &mut rng);
    }
    let bytes = prekeys.to_bytes();
    assert_eq!(bytes.len(), bytes.capacity(), "nothing was copied on the way");
    assert_eq!(Prekeys::from_bytes(&bytes), Ok(prekeys));
    for length in (0..bytes.len()).filter(|length| !matches!(length, 326 | 366)) {
        assert_eq!(Prekeys::from_bytes(&bytes[..length]), Err(RestoreError::Corrupt), "{length}");
    }
    let changed = |at: usize, value: &[u8]| {
        let mut changed = bytes.to_vec();
        changed[at..at + value.len()].copy_from_slice(value);
        Prekeys::from_bytes(&changed)
    };
    let corrupt = Err(RestoreError::Corrupt);
    assert_eq!(changed(0, &[0, 0]), corrupt, "none");
    assert_eq!(changed(0, &[0, 4]), corrupt, "too many");
    assert_eq!(changed(2, &[0; 4]), corrupt, "number zero");
    assert_eq!(changed(14, &[0; 32]), corrupt, "no key");
    assert_eq!(changed(110, &bytes[2..6]), corrupt, "a number twice");
    assert_eq!(changed(330, &[9; 4]), corrupt, "the prekey of a one-time key is missing");
}
