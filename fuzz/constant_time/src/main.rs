//! Whether what computes with keys branches or indexes on them (row C13): run it under valgrind, as
//! the script `run` beside it does.

mod memcheck;

use std::hint::black_box;
use std::process::ExitCode;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use memcheck::findings;
use memcheck::hide;
use memcheck::show;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::chacha20_poly1305::SingleUseKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::ecies;
use whisper_core::crypto::kdf;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::x_only::XOnlySecretKey;

/// Something that computes with a secret, and how many places memcheck may find in it.
struct Path {
    name: &'static str,
    allowed: u32,
    why: &'static str,
    run: fn(&mut ChaCha20Rng),
}

const PATHS: [Path; 16] = [
    Path { name: "agree on a secret", allowed: 2, why: RANGE, run: agree },
    Path { name: "derive a public key", allowed: 2, why: RANGE, run: public_key },
    Path { name: "sign", allowed: 11, why: RETRY, run: sign },
    Path { name: "encrypt for a public key", allowed: 0, why: "", run: encrypt_for },
    Path { name: "decrypt with a secret key", allowed: 3, why: VERDICT, run: decrypt_as },
    Path { name: "AES-256-GCM, seal", allowed: 0, why: "", run: seal },
    Path { name: "AES-256-GCM, open", allowed: 2, why: TAG, run: open },
    Path { name: "agree by x", allowed: 2, why: RANGE, run: agree_by_x },
    Path { name: "ML-KEM-768, a key's halves", allowed: 0, why: "", run: kem_key },
    Path { name: "ML-KEM-768, encapsulate", allowed: 0, why: "", run: encapsulate },
    Path { name: "ML-KEM-768, decapsulate", allowed: 0, why: "", run: decapsulate },
    Path { name: "ML-KEM-768, reject", allowed: 0, why: "", run: reject },
    Path { name: "ChaCha20-Poly1305, seal", allowed: 0, why: "", run: chacha_seal },
    Path { name: "ChaCha20-Poly1305, open", allowed: 1, why: TAG, run: chacha_open },
    Path { name: "HKDF-SHA-256", allowed: 0, why: "", run: hkdf },
    Path { name: "HMAC-SHA-256", allowed: 0, why: "", run: hmac },
];
/// Answered once for each key and always with yes, in two branches: nothing is learnt.
const RANGE: &str = "whether the key is in range";
/// RFC 6979 draws again with a probability of 2^-128, and each part of a signature is checked.
const RETRY: &str = "the same, and whether a number drawn is in range";
const VERDICT: &str = "the same, and whether the tag is right";
/// In the cipher, and where its error becomes ours.
const TAG: &str = "whether the tag is right";

fn main() -> ExitCode {
    if !memcheck::is_there() {
        eprintln!("constant_time: this tells nothing but under valgrind: start `run` instead");
        return ExitCode::FAILURE;
    }
    let mut rng = ChaCha20Rng::seed_from_u64(13);
    let mut failed = found(|| leak(&mut rng)) == 0;
    println!("{:<28} {}", "a leak on purpose", if failed { "NOT FOUND" } else { "found" });
    for Path { name, allowed, why, run } in PATHS {
        let places = found(|| run(&mut rng));
        let verdict = if places > allowed { "TOO MANY" } else { "ok" };
        println!("{name:<28} {places:>2} of {allowed:>2} allowed  {verdict}  {why}");
        failed |= places > allowed;
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn found(work: impl FnOnce()) -> u32 {
    let before = findings();
    work();
    findings() - before
}

fn leak(rng: &mut ChaCha20Rng) {
    let secret = Secret::<32>::generate(rng);
    hide(secret.expose());
    if black_box(secret.expose()[0]) > 127 {
        black_box(());
    }
}

fn hidden_key(rng: &mut ChaCha20Rng) -> SecretKey {
    let key = SecretKey::generate(rng);
    hide(key.expose());
    key
}

fn agree(rng: &mut ChaCha20Rng) {
    let other = SecretKey::generate(rng).public_key();
    black_box(hidden_key(rng).agree(&other));
}

fn public_key(rng: &mut ChaCha20Rng) {
    black_box(hidden_key(rng).public_key());
}

fn sign(rng: &mut ChaCha20Rng) {
    black_box(hidden_key(rng).sign(&[7; 32]));
}

fn encrypt_for(rng: &mut ChaCha20Rng) {
    let reader = SecretKey::generate(rng).public_key();
    let text = [5; 100];
    hide(&text);
    black_box(ecies::encrypt(&reader, &text, &[], rng));
}

fn decrypt_as(rng: &mut ChaCha20Rng) {
    let key = SecretKey::generate(rng);
    let data = ecies::encrypt(&key.public_key(), &[5; 100], &[], rng);
    hide(key.expose());
    let _ = black_box(ecies::decrypt(&key, &data, &[]));
}

fn seal(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    let text = [5; 100];
    hide(key.expose());
    hide(&text);
    black_box(AesGcm::new(&key).seal(&text, rng));
}

fn open(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    let data = AesGcm::new(&key).seal(&[5; 100], rng);
    hide(key.expose());
    let _ = black_box(AesGcm::new(&key).open(&data));
}

fn agree_by_x(rng: &mut ChaCha20Rng) {
    let other = XOnlySecretKey::generate(rng).public_key();
    let key = XOnlySecretKey::generate(rng);
    hide(key.expose());
    black_box(key.agree(&other));
}

fn kem_key(rng: &mut ChaCha20Rng) {
    let key = DecapsulationKey::generate(rng);
    hide(key.expose());
    black_box(key.encapsulation_key());
}

fn encapsulate(rng: &mut ChaCha20Rng) {
    let key = DecapsulationKey::generate(rng).encapsulation_key();
    let coin = Secret::<32>::generate(rng);
    hide(coin.expose());
    black_box(key.encapsulate(&coin));
}

fn decapsulate(rng: &mut ChaCha20Rng) {
    let key = DecapsulationKey::generate(rng);
    let (ciphertext, _) = key.encapsulation_key().encapsulate(&Secret::generate(rng));
    hide(key.expose());
    black_box(key.decapsulate(ciphertext.expose()));
}

fn reject(rng: &mut ChaCha20Rng) {
    let key = DecapsulationKey::generate(rng);
    hide(key.expose());
    black_box(key.decapsulate(&[7; 1_088]));
}

fn chacha_seal(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    let text = [5; 100];
    hide(key.expose());
    hide(&text);
    black_box(SingleUseKey::new(key.expose()).seal(b"header", &text));
}

fn chacha_open(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    let data = SingleUseKey::new(key.expose()).seal(b"header", &[5; 100]);
    hide(key.expose());
    let _ = black_box(SingleUseKey::new(key.expose()).open(b"header", &data));
}

fn hkdf(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    hide(key.expose());
    black_box(kdf::hkdf_sha256::<32>(b"salt", &[key.expose()], &[b"info"]));
    show(key.expose());
}

fn hmac(rng: &mut ChaCha20Rng) {
    let key = Secret::<32>::generate(rng);
    hide(key.expose());
    black_box(kdf::hmac_sha256(key.expose(), &[b"message"]));
}
