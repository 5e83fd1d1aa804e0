//! C15: what is left in memory of the keys that the full mode of sessions adds, once their owner is
//! gone. `residues` shows that the search finds what is there.
#![cfg(target_os = "linux")]

mod memory;

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::Secret;
use whisper_core::crypto::chacha20_poly1305::SingleUseKey;
use whisper_core::crypto::kdf;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::crypto::xchacha20_poly1305::XChaCha;
use whisper_core::session::prekeys::Prekeys;
use whisper_core::time::Timestamp;

use memory::Dealer;
use memory::Needle;
use memory::alone;
use memory::assert_gone;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

#[test]
fn c15_the_kem_leaves_neither_seed_nor_coin_nor_secret() {
    let _alone = alone();
    let [d, z, coin] = [31, 32, 33].map(Needle::drawn);
    let key = DecapsulationKey::from_secret(seed(&d, &z));
    assert_eq!([d.count(), z.count()], [1, 1], "alive, in its box only");
    let public = key.encapsulation_key();
    let (ciphertext, shared) = {
        let coin = Secret::<32>::fill_with(|own| coin.reveal(own));
        public.encapsulate(&coin)
    };
    assert_gone(&[("coin", &coin)]);
    let needle = Needle::of(shared.expose());
    assert_eq!(needle.count(), 1, "alive, in its box only");
    let again = key.decapsulate(ciphertext.expose());
    assert_eq!(needle.count(), 2, "in two boxes");
    let mut wrong = *ciphertext.expose();
    wrong[7] ^= 1;
    let rejected = Needle::of(key.decapsulate(&wrong).expose());
    assert_gone(&[("rejected", &rejected)]);
    drop((shared, again));
    assert_eq!([d.count(), z.count()], [1, 1], "alive, in its box only");
    drop(key);
    assert_gone(&[("d", &d), ("z", &z), ("secret", &needle), ("coin", &coin)]);
}

/// Both halves, written in place.
fn seed(d: &Needle, z: &Needle) -> Secret<64> {
    Secret::fill_with(|own| {
        let (first, second) = own.split_at_mut(32);
        d.reveal(first);
        z.reveal(second);
    })
}

#[test]
fn c15_the_ciphertext_of_the_kem_is_wiped_too() {
    let _alone = alone();
    let public = DecapsulationKey::generate(&mut Dealer::of(&[])).encapsulation_key();
    let (ciphertext, _) = public.encapsulate(&Secret::generate(&mut Dealer::of(&[])));
    let needle = Needle::of(&ciphertext.expose()[500..540]);
    assert_eq!(needle.count(), 1, "alive, in its box only");
    drop(ciphertext);
    assert_gone(&[("ciphertext", &needle)]);
}

#[test]
fn c15_agreeing_by_x_leaves_neither_key_nor_what_was_agreed_on() {
    let _alone = alone();
    let own = Needle::drawn(34);
    let key = XOnlySecretKey::generate(&mut Dealer::of(&[&own]));
    let other = XOnlySecretKey::generate(&mut Dealer::of(&[])).public_key();
    let agreed = Needle::of(key.agree(&other).expose());
    assert_eq!(own.count(), 1, "alive, in its box only");
    drop(key);
    assert_gone(&[("key", &own), ("agreed", &agreed)]);
}

#[test]
fn c15_keys_of_one_message_leave_nothing_once_it_is_sealed_or_opened() {
    let _alone = alone();
    let (given, source) = (Needle::drawn(35), Needle::drawn(36));
    let secret = Secret::<32>::fill_with(|own| given.reveal(own));
    let key = || SingleUseKey::new(secret.expose());
    let sealed = key().seal(b"header", &[7; 300]);
    assert_eq!(key().open(b"header", &sealed).map(|opened| opened.len()), Ok(300));
    assert_eq!(given.count(), 1, "alive, in its own box only");
    drop(secret);
    let secret = Secret::<32>::fill_with(|own| source.reveal(own));
    let derive = || SingleUseKey::derive(b"salt", &[secret.expose()], &[b"info"]);
    let both = kdf::hkdf_sha256::<44>(b"salt", &[secret.expose()], &[b"info"]);
    let derived = Needle::of(both.expose());
    drop(both);
    let sealed = derive().seal(b"header", &[7; 300]);
    assert!(derive().open(b"Header", &sealed).is_err());
    drop(secret);
    assert_gone(&[("given", &given), ("source", &source), ("derived", &derived)]);
}

#[test]
fn c15_a_key_of_records_leaves_nothing() {
    let _alone = alone();
    let (needle, text) = (Needle::drawn(37), Needle::drawn(38));
    let key = XChaCha::new(Secret::fill_with(|own| needle.reveal(own)));
    let state = Secret::<32>::fill_with(|own| text.reveal(own));
    let sealed = key.seal(b"name", state.expose(), &mut Dealer::of(&[]));
    drop(state);
    let opened = key.open(b"name", &sealed).expect("it opens");
    assert_eq!(text.count(), 1, "what was opened, in one place");
    drop(opened);
    drop(key);
    assert_gone(&[("key", &needle), ("state", &text)]);
}

#[test]
fn c15_prekeys_leave_nothing_once_they_have_gone() {
    let _alone = alone();
    let needles = [39, 40].map(Needle::drawn);
    let [dh, seed] = &needles;
    // The number of a prekey takes no needle.
    let mut prekeys = Prekeys::new(NOW, &mut Dealer::of(&[dh, seed]));
    let stored = prekeys.to_bytes();
    let copy = prekeys.clone();
    assert!(dh.count() >= 2 && seed.count() >= 2, "alive, and stored");
    drop(stored);
    let mut rng = ChaCha20Rng::from_seed([41; 32]);
    for _ in 0..3 {
        prekeys.rotate(NOW, &mut rng);
    }
    assert_eq!([dh.count(), seed.count()], [1, 1], "the copy has them");
    drop(copy);
    black_box(&prekeys);
    assert_gone(&[("p", dh), ("seed of K", seed)]);
}
