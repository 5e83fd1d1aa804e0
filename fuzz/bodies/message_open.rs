//! Messages that are opened. The first byte chooses what the rest is: data as it comes, or what
//! stands behind the cipher, which is then put on here with the right key, so that every rule behind
//! authentication is reached.

use std::sync::LazyLock;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::DecryptError;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::ecies;
use whisper_core::crypto::kdf;
use whisper_core::hash::keccak256;
use whisper_core::hash::sha256;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::message::Kind;
use whisper_core::message::Message;

pub(crate) fn run(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 8 {
        0 => received(Message::open(rest, &KEYS.shared), KEYS.shared.aead().open(rest)),
        1 => received(open(rest), ecies::decrypt(KEYS.reader.secret(), rest, &[])),
        2 => sealed(rest),
        3 => encrypted(rest),
        4 => body_with_valid_mac(rest),
        5 => signed(rest),
        6 => parsed(rest),
        _ => changed(rest),
    }
}

/// Keys that never change, so that an input means the same in every run.
struct Keys {
    shared: SymmetricKey,
    reader: Identity,
    writer: Identity,
    /// The initiator's half of an ECIES encryption to `reader`, and the key of its MAC.
    point: [u8; 65],
    mac: [u8; 32],
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let secret = |byte| SecretKey::from_bytes(&[byte; 32]).expect("a valid key");
    let reader = Identity::from_secret(secret(2));
    let ephemeral = secret(5);
    let agreed = ephemeral.agree(&reader.public_key());
    let keys = sha256(&[&[0, 0, 0, 1], agreed.expose().as_slice()].concat());
    Keys {
        shared: SymmetricKey::from_bytes(&[1; 32]).expect("not zero"),
        reader,
        writer: Identity::from_secret(secret(3)),
        point: ephemeral.public_key().to_uncompressed(),
        mac: sha256(&keys[16..]),
    }
});

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([4; 32])
}

fn open(data: &[u8]) -> Result<Message, DecryptError> {
    Message::open_as(data, &KEYS.reader)
}

/// Data as it comes: what opened it gives the plaintext.
fn received(message: Result<Message, DecryptError>, plaintext: Result<Vec<u8>, DecryptError>) {
    match plaintext {
        Ok(plaintext) => agrees(message, Ok(&plaintext)),
        Err(error) => agrees(message, Err(error)),
    }
}

fn sealed(plaintext: &[u8]) {
    let data = KEYS.shared.aead().seal(plaintext, &mut rng());
    agrees(Message::open(&data, &KEYS.shared), Ok(plaintext));
    assert_eq!(open(&data), Err(DecryptError));
}

fn encrypted(plaintext: &[u8]) {
    let data = ecies::encrypt(&KEYS.reader.public_key(), plaintext, &[], &mut rng());
    agrees(open(&data), Ok(plaintext));
    assert_eq!(Message::open(&data, &KEYS.shared), Err(DecryptError));
}

/// IV and ciphertext as they come, and too short if they are: the reference crashed there.
fn body_with_valid_mac(body: &[u8]) {
    let mac = kdf::hmac_sha256(&KEYS.mac, &[body]);
    let data = [&KEYS.point, body, &mac].concat();
    let plaintext = ecies::decrypt(KEYS.reader.secret(), &data, &[]);
    assert_eq!(plaintext.as_ref().map(Vec::len).ok(), body.len().checked_sub(16));
    received(open(&data), plaintext);
}

/// What a genuine signer may have signed.
fn signed(body: &[u8]) {
    let mut plaintext = body.to_vec();
    if let Some(flags) = plaintext.first_mut() {
        *flags |= SIGNED;
    }
    let signature = KEYS.writer.sign(&keccak256(&plaintext));
    plaintext.extend_from_slice(signature.as_bytes());
    let message = Message::parse(plaintext.clone(), Kind::Asymmetric);
    if let Ok(message) = &message {
        let signer = (!body.is_empty()).then(|| KEYS.writer.public_key());
        assert!(signer.is_none() || message.signer() == signer);
    }
    agrees(message.map_err(|_| DecryptError), Ok(&plaintext));
}

fn parsed(plaintext: &[u8]) {
    for kind in [Kind::Symmetric, Kind::Asymmetric] {
        let message = Message::parse(plaintext.to_vec(), kind);
        assert!(message.as_ref().is_ok_and(|message| message.kind() == kind) || message.is_err());
        agrees(message.map_err(|_| DecryptError), Ok(plaintext));
    }
}

/// The first two bytes name the bit that is flipped: nothing opens then.
fn changed(rest: &[u8]) {
    let Some((at, plaintext)) = rest.split_first_chunk() else { return };
    let at = usize::from(u16::from_be_bytes(*at));
    let mut symmetric = KEYS.shared.aead().seal(plaintext, &mut rng());
    flip(&mut symmetric, at);
    assert_eq!(Message::open(&symmetric, &KEYS.shared), Err(DecryptError));
    let mut asymmetric = ecies::encrypt(&KEYS.reader.public_key(), plaintext, &[], &mut rng());
    flip(&mut asymmetric, at);
    assert_eq!(open(&asymmetric), Err(DecryptError));
}

fn flip(bytes: &mut [u8], at: usize) {
    let at = at % (8 * bytes.len());
    bytes[at / 8] ^= 1 << (at % 8);
}

/// Holds what was opened against the rules, written down once more.
fn agrees(message: Result<Message, DecryptError>, plaintext: Result<&[u8], DecryptError>) {
    let expected = plaintext.ok().and_then(expected);
    let Ok(message) = message else {
        assert!(expected.is_none(), "refused");
        return;
    };
    let (payload, padding, signed) = expected.expect("it should be refused");
    assert_eq!(message.payload(), payload);
    assert_eq!(message.padding(), padding);
    assert_eq!(message.signer().is_some(), signed);
}

/// Payload, padding, and whether there is a signature.
fn expected(plaintext: &[u8]) -> Option<(&[u8], &[u8], bool)> {
    let signed = plaintext.first()? & SIGNED != 0;
    let end = if signed { plaintext.len().checked_sub(65)? } else { plaintext.len() };
    let (body, signature) = plaintext.split_at(end);
    if signed {
        let signature = Signature::from_bytes(signature.try_into().ok()?);
        if body.len() < 2 || signature.recover(&keccak256(body)).is_err() {
            return None;
        }
    }
    let (flags, rest) = body.split_first()?;
    let (length, rest) = rest.split_at_checked(usize::from(flags & 3))?;
    let length = length.iter().rev().fold(0, |length, byte| length * 256 + usize::from(*byte));
    let (payload, padding) = rest.split_at_checked(length)?;
    Some((payload, padding, signed))
}

const SIGNED: u8 = 4;
