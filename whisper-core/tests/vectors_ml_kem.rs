//! V15 of `spec/session.md`, 3.16: ML-KEM-768 against NIST's cases and another implementation.

mod support;

use whisper_core::crypto::Secret;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::ml_kem::EncapsulationKey;
use whisper_core::crypto::ml_kem::InvalidKey;
use whisper_core::hash::sha256;

use support::array;
use support::bytes;
use support::cases;
use support::load;
use support::name;

#[test]
fn c21_keys_follow_from_their_seeds() {
    let Some(file) = load("session", "ml-kem-768.json") else { return };
    for case in cases(&file, "keyGen", 25) {
        let key = seeded(case).encapsulation_key();
        assert_eq!(sha256(key.as_bytes()), array(&case["ek_sha256"]), "{}", name(case));
    }
}

#[test]
fn c21_what_is_encapsulated_follows_from_key_and_coin() {
    let Some(file) = load("session", "ml-kem-768.json") else { return };
    for case in cases(&file, "encapsulation", 25) {
        let key = EncapsulationKey::from_bytes(&bytes(&case["ek"])).expect("a key");
        let coin = Secret::from_slice(&bytes(&case["m"])).expect("32 bytes");
        let (ciphertext, secret) = key.encapsulate(&coin);
        assert_eq!(sha256(ciphertext.expose()), array(&case["ct_sha256"]), "{}", name(case));
        assert_eq!(*secret.expose(), array(&case["secret"]), "{}", name(case));
    }
}

#[test]
fn c21_each_ciphertext_gives_the_secret_that_it_must() {
    let Some(file) = load("session", "ml-kem-768.json") else { return };
    for case in cases(&file, "decapsulation", 12) {
        let secret = seeded(case).decapsulate(&array(&case["ct"]));
        assert_eq!(*secret.expose(), array(&case["secret"]), "{}", name(case));
    }
}

#[test]
fn c21_a_key_is_judged_by_each_of_its_coefficients() {
    let Some(file) = load("session", "ml-kem-768.json") else { return };
    let key = bytes(&file["key"]);
    let changed = |case: &serde_json::Value| {
        let (mut key, at) = (key.clone(), case["at"].as_u64().expect("a place"));
        let at = usize::try_from(at).expect("short");
        let change = bytes(&case["bytes"]);
        key[at..at + change.len()].copy_from_slice(&change);
        EncapsulationKey::from_bytes(&key)
    };
    for case in cases(&file, "bad_keys", 5) {
        assert_eq!(changed(case), Err(InvalidKey), "{}", name(case));
    }
    for case in cases(&file, "good_keys", 2) {
        assert!(changed(case).is_ok(), "{}", name(case));
    }
}

fn seeded(case: &serde_json::Value) -> DecapsulationKey {
    let seed = Secret::from_slice(&bytes(&case["seed"])).expect("64 bytes");
    DecapsulationKey::from_secret(seed)
}
