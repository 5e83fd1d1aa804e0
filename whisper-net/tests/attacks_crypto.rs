//! C10: a signature that was made for one purpose serves no other.
#![cfg(feature = "rlpx")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::curve::verify;
use whisper_core::crypto::ecies;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::ledger::BoardPost;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::TxDraft;
use whisper_core::message::Kind;
use whisper_core::message::Message;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::rlp::Reader;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::rlpx::handshake::initiate;

/// A signature, all of it or without its recovery id, and the digest that it is for.
struct Signed {
    signature: Vec<u8>,
    digest: [u8; 32],
}

impl Signed {
    fn is_good_for(&self, digest: &[u8; 32], key: &PublicKey) -> bool {
        let scalars = *self.signature.first_chunk::<64>().unwrap();
        let recovers = |v| {
            let whole = [&scalars[..], &[v]].concat().try_into().unwrap();
            Signature::from_bytes(whole).recover(digest) == Ok(*key)
        };
        verify(key, digest, &scalars).is_ok() || (0..4).any(recovers)
    }
}

/// The message of a Whisper envelope that says `text`.
fn message(signer: &Identity, text: &str, rng: &mut ChaCha20Rng) -> (Signed, Vec<u8>) {
    let key = SymmetricKey::generate(rng);
    let recipient = Recipient::Symmetric(&key);
    let data = encrypt(text.as_bytes(), Padding::Aligned, Some(signer), recipient, rng).unwrap();
    let plaintext = key.aead().open(&data).unwrap();
    let (body, signature) = plaintext.split_last_chunk::<65>().unwrap();
    (Signed { signature: signature.to_vec(), digest: keccak256(body) }, body.to_vec())
}

/// A transaction that says the same.
fn transaction(signer: &Identity, text: &str) -> Signed {
    let payload = Payload::Post(BoardPost { topic: Topic::default(), parent: None, text });
    let expiry = Timestamp::from_secs(1_750_000_000);
    let draft = TxDraft::new(&Params::regtest(), &signer.public_key(), expiry, &payload).unwrap();
    let tx = draft.sign(draft.find(0..u64::MAX).unwrap(), signer).unwrap();
    Signed { signature: tx.signature().to_vec(), digest: *tx.id().as_bytes() }
}

/// The opening of a connection to `remote` by somebody whose ephemeral key is the one that
/// `ephemeral` draws second.
fn opening(local: &Identity, remote: &Identity, mut ephemeral: ChaCha20Rng) -> Signed {
    let waiting = initiate(local, &remote.public_key(), &mut ephemeral);
    let (size, sealed) = waiting.auth().split_first_chunk::<2>().unwrap();
    let body = ecies::decrypt(remote.secret(), sealed, size).unwrap();
    let mut fields = Reader::new(&body).list().unwrap();
    let signature = fields.array::<65>().unwrap().to_vec();
    fields.array::<64>().unwrap();
    let nonce: [u8; 32] = fields.array().unwrap();
    let mut digest = *local.agree(&remote.public_key()).expose();
    digest.iter_mut().zip(nonce).for_each(|(byte, other)| *byte ^= other);
    Signed { signature, digest }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The worst case: one key for everything, even as the ephemeral one.
    #[test]
    fn c10_no_signature_serves_another_purpose(seed: u64, text in "[ -~]{1,200}") {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        let mut same = ChaCha20Rng::seed_from_u64(seed);
        // A handshake draws its nonce first.
        same.fill_bytes(&mut [0; 32]);
        let identity = Identity::generate(&mut same);
        let remote = Identity::generate(&mut same);
        let key = identity.public_key();
        let (message, body) = message(&identity, &text, &mut same);
        let transaction = transaction(&identity, &text);
        let opening = opening(&identity, &remote, rng);
        let all = [&message, &transaction, &opening];
        for (purpose, signed) in all.iter().enumerate() {
            for (other, target) in all.iter().enumerate() {
                let good = signed.is_good_for(&target.digest, &key);
                prop_assert_eq!(good, purpose == other, "{} for {}", purpose, other);
            }
        }
        // And by the road that it would take.
        for (foreign, v) in [&transaction, &opening].iter().flat_map(|s| (0..4).map(move |v| (s, v))) {
            let plaintext = [&body[..], &foreign.signature[..64], &[v]].concat();
            let signer = Message::parse(plaintext, Kind::Symmetric).ok().and_then(|m| m.signer());
            prop_assert_ne!(signer, Some(key));
        }
    }
}
