//! The rows C of the catalogue of attacks that concern the ground: points, signatures, ciphers.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::KeyInit;
use bitcoin::secp256k1::XOnlyPublicKey;
use proptest::prelude::*;
use rand_core::Rng;
use whisper_core::crypto::DecryptError;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::curve::InvalidKey;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::curve::verify;
use whisper_core::crypto::ecies;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::message::Kind;
use whisper_core::message::Message;
use whisper_core::message::MessageError;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::pow::Rating;
use whisper_core::session::InviteOptions;
use whisper_core::session::SessionError;
use whisper_core::session::Sessions;
use whisper_core::session::is_class_length;
use whisper_core::time::Timestamp;

mod support;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

/// SEC 2: the field's prime and the order of the curve, less one.
const PRIME_LESS_1: [&str; 2] =
    ["fffffffffffffffffffffffffffffffffffffffffffffffffffffffe", "fffffc2e"];
const ORDER_LESS_1: [&str; 2] =
    ["fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8c", "d0364140"];

/// The number `more` above one of these.
fn above([high, low]: [&str; 2], more: u32) -> [u8; 32] {
    let low = u32::from_str_radix(low, 16).expect("hex digits") + more;
    let digits = format!("{high}{low:08x}");
    hex::decode(digits).expect("hex digits").try_into().expect("32 bytes")
}

#[test]
fn c1_points_in_any_wrong_form_are_refused_wherever_one_is_read() {
    let mut rng = support::rng(1);
    let bob = Identity::generate(&mut rng);
    let good = bob.public_key().to_uncompressed();
    let [mut off, mut beyond, mut mirrored] = [good; 3];
    off[64] ^= 1;
    // x = p stands for 0, which no point has; x = p + 1 for 1, which one has.
    beyond[1..33].copy_from_slice(&above(PRIME_LESS_1, 2));
    mirrored[33..].copy_from_slice(&good[1..33]);
    let tagged = |tag: u8| [&[tag], &good[1..]].concat();
    let hybrid = [tagged(6), tagged(7)];
    let other = [0, 1, 2, 3, 5, 8, 0x84].map(tagged);
    let lengths = [&good[..64], &good[1..], &[], &[0], &[4], &[0; 65], &[&good[..], &[0]].concat()]
        .map(<[u8]>::to_vec);
    let infinity = [&[4][..], &[0; 64]].concat();
    let wrong = [off, beyond, mirrored].map(Vec::from).into_iter().chain(hybrid).chain(other);
    let data = ecies::encrypt(&bob.public_key(), b"text", &[], &mut rng);
    assert!(ecies::decrypt(bob.secret(), &data, &[]).is_ok());
    for point in wrong.chain(lengths).chain([infinity]) {
        assert_eq!(PublicKey::from_uncompressed(&point), Err(InvalidKey), "{point:02x?}");
        let text = hex::encode(&point);
        // The coordinates alone are a form that text may have.
        assert!(text.parse::<PublicKey>().is_err() || point[..] == good[1..], "{text}");
        let forged = [&point[..], &data[65..]].concat();
        assert_eq!(ecies::decrypt(bob.secret(), &forged, &[]), Err(DecryptError));
    }
    for compressed in [above(PRIME_LESS_1, 1), above(PRIME_LESS_1, 2), [0xff; 32], [0; 32]] {
        for tag in [2, 3] {
            let point = [&[tag], &compressed[..]].concat().try_into().expect("33 bytes");
            assert_eq!(PublicKey::from_compressed(&point), Err(InvalidKey), "{compressed:02x?}");
        }
        assert_eq!(PublicKey::lift_x(&compressed), Err(InvalidKey));
    }
    let one = std::array::from_fn(|at| u8::from(at == 31));
    assert!(PublicKey::lift_x(&one).is_ok(), "which p + 1 must not stand for");
}

/// An independent library, in C, says which numbers no point has.
#[test]
fn c2_ten_thousand_numbers_that_lie_on_the_twist_are_no_points() {
    let mut rng = support::rng(2);
    let (mut twist, mut curve) = (0, 0);
    while twist < 10_000 {
        let mut x = [0; 32];
        rng.fill_bytes(&mut x);
        let lifted = PublicKey::lift_x(&x);
        assert_eq!(lifted.is_ok(), XOnlyPublicKey::from_slice(&x).is_ok(), "{x:02x?}");
        match lifted {
            Ok(point) => {
                assert_eq!((point.x(), point.to_compressed()[0]), (x, 2));
                curve += 1;
            }
            Err(InvalidKey) => {
                let odd = [&[3], &x[..]].concat().try_into().expect("33 bytes");
                assert_eq!(PublicKey::from_compressed(&odd), Err(InvalidKey));
                twist += 1;
            }
        }
    }
    assert!((9_000..11_000).contains(&curve), "half of all numbers: {curve}");
}

#[test]
fn c3_scalars_out_of_range_and_odd_recovery_ids_are_refused() {
    let identity = Identity::generate(&mut support::rng(3));
    let (digest, key) = ([7; 32], identity.public_key());
    let good = *identity.sign(&digest).as_bytes();
    let scalars = |bytes: &[u8; 65]| bytes[..64].try_into().expect("64 bytes");
    assert_eq!(verify(&key, &digest, &scalars(&good)), Ok(()));
    for bad in [[0; 32], above(ORDER_LESS_1, 1), above(ORDER_LESS_1, 2), [0xff; 32]] {
        for at in [0, 32] {
            let mut changed = good;
            changed[at..at + 32].copy_from_slice(&bad);
            assert!(verify(&key, &digest, &scalars(&changed)).is_err(), "{bad:02x?} at {at}");
            let recovers = |v| {
                changed[64] = v;
                Signature::from_bytes(changed).recover(&digest).is_ok()
            };
            assert_eq!((0..=255).map(recovers).filter(|ok| *ok).count(), 0);
        }
    }
    for v in 2..=255 {
        let mut changed = good;
        changed[64] = v;
        // 2 and 3 mean that x was above the order: hardly any point has such an x.
        assert!(Signature::from_bytes(changed).recover(&digest).is_err(), "{v}");
    }
}

#[test]
fn c3_a_high_s_recovers_the_key_and_does_not_verify_and_we_never_make_one() {
    let mut rng = support::rng(4);
    for number in 0..200 {
        let identity = Identity::generate(&mut rng);
        let digest = [number; 32];
        let ours = identity.sign(&digest);
        let scalars: [u8; 64] = ours.as_bytes()[..64].try_into().expect("64 bytes");
        assert_eq!(verify(&identity.public_key(), &digest, &scalars), Ok(()), "low");
        let low = k256::ecdsa::Signature::from_slice(&scalars).expect("a signature");
        let high: [u8; 64] =
            k256::ecdsa::Signature::from_scalars(low.r().to_bytes(), (-*low.s()).to_bytes())
                .expect("a signature")
                .to_bytes()
                .into();
        assert!(verify(&identity.public_key(), &digest, &high).is_err());
        let other = [&high[..], &[ours.as_bytes()[64] ^ 1]].concat();
        let other = Signature::from_bytes(other.try_into().expect("65 bytes"));
        assert_eq!(other.recover(&digest), Ok(identity.public_key()));
    }
}

#[test]
fn c4_no_flipped_bit_opens_and_no_output_appears() {
    let mut rng = support::rng(5);
    let secret = Secret::generate(&mut rng);
    let (key, bob) = (AesGcm::new(&secret), Identity::generate(&mut rng));
    for length in [0, 1, 16, 100] {
        let plaintext = vec![7; length];
        let sealed = key.seal(&plaintext, &mut rng);
        assert_eq!(key.open(&sealed), Ok(plaintext.clone()));
        flip_all(&sealed, |changed| key.open(changed));
        let sealed = ecies::encrypt(&bob.public_key(), &plaintext, b"size", &mut rng);
        assert_eq!(ecies::decrypt(bob.secret(), &sealed, b"size"), Ok(plaintext));
        flip_all(&sealed, |changed| ecies::decrypt(bob.secret(), changed, b"size"));
        assert_eq!(ecies::decrypt(bob.secret(), &sealed, b"sizf"), Err(DecryptError));
    }
    // `Err` has no room for output. Beneath, the buffer that was given keeps the ciphertext.
    let sealed = key.seal(&[7; 40], &mut rng);
    let cipher = Aes256Gcm::new(secret.expose().into());
    let (rest, nonce) = sealed.split_last_chunk::<12>().expect("a nonce");
    let (ciphertext, tag) = rest.split_last_chunk::<16>().expect("a tag");
    for bit in 0..128 {
        let (mut tag, mut buffer) = (*tag, ciphertext.to_vec());
        tag[bit / 8] ^= 1 << (bit % 8);
        let buffer_in = buffer.as_mut_slice().into();
        let result = cipher.decrypt_inout_detached(nonce.into(), &[], buffer_in, (&tag).into());
        assert!(result.is_err());
        assert_eq!(buffer, ciphertext, "bit {bit}");
    }
}

fn flip_all(sealed: &[u8], open: impl Fn(&[u8]) -> Result<Vec<u8>, DecryptError>) {
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.to_vec();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&changed), Err(DecryptError), "bit {bit} of {} bytes", sealed.len());
    }
}

#[test]
fn c4_nothing_that_is_cut_short_or_made_longer_opens() {
    let mut rng = support::rng(6);
    let key = AesGcm::new(&Secret::generate(&mut rng));
    let bob = Identity::generate(&mut rng);
    let symmetric = key.seal(b"forty characters, more or less, that is", &mut rng);
    let asymmetric = ecies::encrypt(&bob.public_key(), b"some text", &[], &mut rng);
    for length in 0..symmetric.len() {
        assert_eq!(key.open(&symmetric[..length]), Err(DecryptError), "{length}");
        assert_eq!(key.open(&symmetric[symmetric.len() - length..]), Err(DecryptError));
    }
    for length in 0..asymmetric.len() {
        let cut = &asymmetric[..length];
        assert_eq!(ecies::decrypt(bob.secret(), cut, &[]), Err(DecryptError), "{length}");
    }
    assert_eq!(key.open(&[&symmetric[..], &[0]].concat()), Err(DecryptError));
    let longer = [&asymmetric[..], &[0]].concat();
    assert_eq!(ecies::decrypt(bob.secret(), &longer, &[]), Err(DecryptError));
}

/// Labels under one function with one kind of key: none may begin another. `WSS1/topic` and
/// `WSS1/topickey` go to different functions under different keys, and of `WS1/topic` one is under a
/// header key and one under the key of public cards.
const LABELS: [(&str, &[&str]); 8] = [
    ("hkdf_sha256 of the seed mode", &["WSS1/key", "WSS1/topickey"]),
    ("hkdf_sha256", &["WS1/eph", "WS1/session", "WS1/ratchet", "WS1/head", "WS1/body", "WS1/pub"]),
    ("hmac_sha256 of the seed mode", &["WSS1/topic"]),
    ("hmac_sha256 under a header key", &["WS1/topic", "WS1/env", "WS1/mid"]),
    ("hmac_sha256 under the key of public cards", &["WS1/topic"]),
    ("sha256 of the seed mode", &["WSS1/fixed", "WSS1/record"]),
    ("sha256", &["WS1/cert/v1", "WS1/card/v1", "WS1/kem", "WS1/rv"]),
    ("sha512", &["WS1/fp"]),
];

#[test]
fn c17_labels_are_unique_and_no_label_begins_another_of_its_function() {
    let mut all = Vec::new();
    for (function, labels) in LABELS {
        for (at, label) in labels.iter().enumerate() {
            let others = labels.iter().enumerate().filter(|(other, _)| *other != at);
            for (_, other) in others {
                assert!(!other.starts_with(label), "{function}: {label} begins {other}");
            }
            all.push((*label).to_owned());
        }
    }
    all.sort();
    let mut used = labels_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    used.sort();
    assert_eq!(used, all, "each label of the sources stands once, and in the table above");
}

/// The byte strings of all sources that name their purpose, as `b"WSS1/key"` does; tests left out.
fn labels_in(folder: &Path) -> Vec<String> {
    let mut labels = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.file_stem().is_some_and(|name| name == "tests") {
            continue;
        }
        if path.is_dir() {
            labels.extend(labels_in(&path));
            continue;
        }
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let parts: Vec<_> = code.split('"').collect();
        let strings = parts.windows(2).filter(|pair| pair[0].ends_with('b')).map(|pair| pair[1]);
        let is_label = |string: &&str| {
            string.contains('/') && string.chars().all(|c| c.is_ascii_alphanumeric() || c == '/')
        };
        labels.extend(strings.filter(is_label).map(str::to_owned));
    }
    labels
}

#[test]
fn c18_no_message_comes_near_the_end_of_a_counter() {
    // GCM counts 2^32 blocks of 16 bytes: 64 GiB. A message has 16 MiB at most, a session's 64 KiB.
    let mut rng = support::rng(7);
    let key = SymmetricKey::generate(&mut rng);
    let recipient = Recipient::Symmetric(&key);
    let longest = encrypt(&vec![0; 0xff_ffff], Padding::Absent, None, recipient, &mut rng);
    assert!(longest.expect("three bytes say it").len() < 1 << 25);
    let refused = encrypt(&vec![0; 0x100_0000], Padding::Absent, None, recipient, &mut rng);
    assert_eq!(refused, Err(MessageError::TooLarge { max: 0xff_ffff }));

    let longest = (0..1 << 20).filter(|data| is_class_length(*data)).max();
    assert_eq!(longest, Some(65_536 + AesGcm::OVERHEAD));
    assert!(![1 << 32, usize::MAX].into_iter().any(is_class_length));
    let bob = Identity::generate(&mut rng).public_key();
    let mut alice = Sessions::new(Arc::new(Identity::generate(&mut rng)), NOW);
    let step = alice.invite(NOW, bob, InviteOptions::default(), None, &mut rng);
    alice.stored_at_once(NOW, step.expect("a first"));
    let too_large = SessionError::TooLarge { max: 65_520 };
    assert_eq!(alice.send(NOW, &bob, &[0; 65_521], &mut rng), Err(too_large));
    assert!(alice.send(NOW, &bob, &[0; 65_520], &mut rng).is_ok());
}

/// What a forger puts inside: garbage, or the layout of a message with lies in it.
fn plaintext() -> impl Strategy<Value = Vec<u8>> {
    let garbage = prop::collection::vec(any::<u8>(), 0..400);
    let size = prop_oneof![0_u32..300, Just(0xff_ffff), any::<u32>()];
    let layout = (any::<u8>(), 0_u8..8, size, prop::collection::vec(any::<u8>(), 0..300)).prop_map(
        |(noise, flags, size, body)| {
            let length = &size.to_le_bytes()[..usize::from(flags & 3)];
            [&[noise & !7 | flags][..], length, &body].concat()
        },
    );
    prop_oneof![garbage, layout]
}

/// A payload that begins as an invitation does.
fn invitation() -> impl Strategy<Value = Vec<u8>> {
    let fixed = prop::collection::vec(any::<u8>(), 88);
    let times =
        (prop_oneof![Just(1_750_000_000), any::<u32>()], prop_oneof![Just(3_600), any::<u32>()]);
    let parts = (0_u8..3, 0_u8..5, times, fixed, any::<u16>(), 0_usize..40, 0_usize..140);
    parts.prop_map(|(version, flags, (created, lifetime), fixed, claimed, text, cut)| {
        let claimed = if claimed % 2 == 0 { text as u16 } else { claimed };
        let (id, keys) = (&fixed[..16], &fixed[16..80]);
        let head = [b"WSS1", &[version, flags][..], id, &created.to_be_bytes()];
        let rest = [&lifetime.to_be_bytes()[..], keys, &claimed.to_be_bytes(), &vec![b'a'; text]];
        let mut payload = [head.concat(), rest.concat()].concat();
        if cut < 100 {
            payload.truncate(payload.len().saturating_sub(cut / 3));
        }
        payload
    })
}

proptest! {
    #[test]
    fn c20_garbage_in_a_ciphertext_that_opens_gives_parse_errors_only(plaintext in plaintext()) {
        let bob = Identity::from_secret(SecretKey::from_bytes(&[5; 32]).expect("a key"));
        let data = ecies::encrypt(&bob.public_key(), &plaintext, &[], &mut support::rng(8));
        let opened = Message::open_as(&data, &bob);
        match Message::parse(plaintext.clone(), Kind::Asymmetric) {
            Ok(message) => {
                let whole = message.payload().len() + message.padding().len();
                prop_assert!(whole < plaintext.len());
                prop_assert_eq!(opened, Ok(message));
            }
            Err(_) => prop_assert_eq!(opened, Err(DecryptError)),
        }
    }

    #[test]
    fn c20_garbage_in_an_invitation_gives_refusals_only(payload in invitation(), signed: bool) {
        let mut rng = support::rng(9);
        let bob = Arc::new(Identity::generate(&mut rng));
        let alice = Identity::generate(&mut rng);
        let recipient = Recipient::PublicKey(bob.public_key());
        let signer = signed.then_some(&alice);
        let data = encrypt(&payload, Padding::Aligned, signer, recipient, &mut rng).expect("short");
        let message = Message::open_as(&data, &bob).expect("it is well-formed");
        let mut sessions = Sessions::new(Arc::clone(&bob), NOW);
        let result = sessions.receive(NOW, &message, Rating::ZERO);
        let good = payload.len() >= 96 && payload[4] == 1 && signed;
        prop_assert!(result.is_err() || good);
        prop_assert_eq!(sessions.sessions().count(), 0, "nothing is told of before it is stored");
    }
}
