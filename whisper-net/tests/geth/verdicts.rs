//! What is an envelope and what is not: the reference and we must say the same, byte for byte.

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use chacha20::rand_core::SeedableRng;
use serde_json::Value;
use serde_json::json;
use whisper_core::envelope::Envelope;
use whisper_core::rlp::Writer;

use crate::peer::Geth;
use crate::peer::Options;

const BATCHES: usize = 100;
const BATCH: usize = 1_000;
/// The bytes at which the meaning of an RLP header changes.
const EDGES: [u8; 11] = [0x00, 0x7f, 0x80, 0x81, 0xb7, 0xb8, 0xbf, 0xc0, 0xf7, 0xf8, 0xff];

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn a3_a4_a5_the_same_byte_strings_are_envelopes() {
    let mut geth = Geth::start(Options::default()).await;
    let mut rng = ChaCha20Rng::seed_from_u64(3);
    let mut accepted = 0;
    for _ in 0..BATCHES {
        let inputs: Vec<Vec<u8>> = (0..BATCH).map(|_| candidate(&mut rng)).collect();
        let texts: Vec<String> = inputs.iter().map(hex::encode).collect();
        let answer = geth.must("decode-batch", json!({ "envelopes": texts })).await;
        let verdicts = answer["verdicts"].as_array().expect("a list");
        assert_eq!(verdicts.len(), BATCH);
        for (input, verdict) in inputs.iter().zip(verdicts) {
            accepted += usize::from(agreed(input, verdict));
        }
    }
    let refused = BATCHES * BATCH - accepted;
    println!("{accepted} accepted and {refused} refused by both");
    assert!(accepted.min(refused) > BATCHES * BATCH / 10, "both kinds must be seen");
}

/// Holds our verdict against the reference's; true if it is an envelope.
fn agreed(input: &[u8], verdict: &Value) -> bool {
    let shown = hex::encode(input);
    match Envelope::decode(input) {
        Ok(envelope) => {
            assert_eq!(
                verdict["hash"],
                format!("0x{}", hex::encode(envelope.hash().as_bytes())),
                "{shown}"
            );
            // The reference divides by a ttl of zero; we refuse such an envelope before it is rated.
            if envelope.ttl() > 0 {
                let bits = format!("{:016x}", envelope.rating().to_bits());
                assert_eq!(verdict["pow_bits"], bits, "{shown}");
            }
            true
        }
        Err(error) => {
            assert!(verdict["refused"].is_string(), "only we refuse {shown}: {error}");
            false
        }
    }
}

/// An envelope of any shape, in most cases with something wrong.
fn candidate(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let mut bytes = envelope(rng);
    for _ in 0..below(rng, 3) {
        mutate(&mut bytes, rng);
    }
    bytes
}

/// A list that is an envelope, unless one of its items came out too wide.
fn envelope(rng: &mut ChaCha20Rng) -> Vec<u8> {
    let topic_length = if below(rng, 16) == 0 { below(rng, 7) } else { 4 };
    let data_length = [0, 1, 2, 3, 54, 55, 56, 57, 255, 256, 300][below(rng, 11)];
    let topic = random(rng, topic_length);
    let data = random(rng, data_length);
    let (expiry, ttl, nonce) = (integer(rng, 33), integer(rng, 33), integer(rng, 64));
    let mut writer = Writer::new();
    writer.list(|w| {
        w.uint(expiry).uint(ttl).bytes(&topic).bytes(&data).uint(nonce);
    });
    writer.into_bytes()
}

/// One change of the kinds that a strict reader is for.
fn mutate(bytes: &mut Vec<u8>, rng: &mut ChaCha20Rng) {
    if bytes.is_empty() {
        return;
    }
    // Headers stand near the front; what comes later is mostly data, where a change is harmless.
    let reach = if below(rng, 4) == 0 { bytes.len() } else { bytes.len().min(24) };
    let at = below(rng, reach);
    match below(rng, 8) {
        0 => bytes[at] ^= 1 << below(rng, 8),
        1 => bytes[at] = EDGES[below(rng, EDGES.len())],
        2 => bytes.truncate(at),
        3 => bytes.insert(at, rng.next_u32() as u8),
        4 => {
            bytes.remove(at);
        }
        5 => bytes.push(rng.next_u32() as u8),
        6 => bytes[0] = bytes[0].wrapping_add(1),
        _ => widen(bytes, at),
    }
}

/// Writes a small byte in two, as only a careless encoder does, and lets the list's header follow.
fn widen(bytes: &mut Vec<u8>, at: usize) {
    bytes.insert(at, 0x81);
    bytes[0] = bytes[0].wrapping_add(1);
}

/// A number of up to `bits` bits, each width as likely.
fn integer(rng: &mut ChaCha20Rng, bits: usize) -> u64 {
    let width = below(rng, bits + 1) as u32;
    rng.next_u64().checked_shr(64 - width).unwrap_or(0)
}

fn random(rng: &mut ChaCha20Rng, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    rng.next_u32() as usize % bound
}
