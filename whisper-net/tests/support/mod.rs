//! What the integration tests share: vectors, hex, randomness from a script.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::env;
use std::fs;
use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use rand_core::TryCryptoRng;
use rand_core::TryRng;
use serde_json::Value;
use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;

/// Reads `file` of the set `set`. Nothing, if the folder that `WHISPER_VECTORS` names does not have
/// it; our own copies are always there.
pub(crate) fn load(set: &str, file: &str) -> Option<Value> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let path = foreign().unwrap_or(own).join(set).join(file);
    match fs::read(&path) {
        Ok(bytes) => Some(serde_json::from_slice(&bytes).expect("vectors are JSON")),
        Err(_) if foreign().is_some() => {
            println!("absent: {}", path.display());
            None
        }
        Err(error) => panic!("{}: {error}", path.display()),
    }
}

/// Asserts that all cases of our own copy were looked at, or at least one of another set.
pub(crate) fn expect_count(what: &str, actual: usize, own: usize) {
    match foreign() {
        Some(_) => assert!(actual > 0, "no cases of {what}"),
        None => assert_eq!(actual, own, "cases of {what}"),
    }
}

/// The list `key` of `value`, its length checked by [`expect_count`].
pub(crate) fn cases<'a>(value: &'a Value, key: &str, own: usize) -> &'a [Value] {
    let cases = value[key].as_array().expect("a list of cases");
    expect_count(key, cases.len(), own);
    cases
}

/// The bytes of a JSON string of hex digits.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().unwrap_or_else(|| panic!("no hex: {value}"))).expect("hex digits")
}

/// As [`bytes`], of known length.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("the length is fixed")
}

/// A number.
pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// The name of a case, for messages.
pub(crate) fn name(case: &Value) -> &str {
    case["id"].as_str().unwrap_or("(without a name)")
}

/// Whether the reference accepts a case.
pub(crate) fn accepted(case: &Value) -> bool {
    match case["expect"].as_str() {
        Some("accept") => true,
        Some("reject") => false,
        other => panic!("{other:?}"),
    }
}

/// The bytes of `key`, or those that `key_gen` describes.
pub(crate) fn given_or_generated(case: &Value, key: &str) -> Vec<u8> {
    if case[key].is_string() {
        return bytes(&case[key]);
    }
    let recipe = &case[format!("{key}_gen")];
    let length = usize::try_from(number(&recipe["len"])).expect("it fits");
    match recipe["kind"].as_str() {
        Some("repeat") => vec![u8::try_from(number(&recipe["byte"])).expect("a byte"); length],
        Some("sha256-ctr") => {
            let seed = recipe["seed"].as_str().expect("a seed").as_bytes();
            let block = |n: u64| whisper_core::hash::sha256(&[seed, &n.to_be_bytes()].concat());
            (0..).flat_map(block).take(length).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// A secret of 32 bytes.
pub(crate) fn secret(value: &Value) -> Secret<32> {
    Secret::from_slice(&bytes(value)).expect("32 bytes")
}

/// A private key.
pub(crate) fn secret_key(value: &Value) -> SecretKey {
    SecretKey::from_bytes(&array(value)).expect("a private key")
}

/// A key pair, by its private key.
pub(crate) fn identity(value: &Value) -> Identity {
    Identity::from_secret(secret_key(value))
}

/// A public key, by its coordinates.
pub(crate) fn public_key(value: &Value) -> PublicKey {
    PublicKey::from_bytes(&array(value)).expect("a public key")
}

/// Randomness from a seed.
pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

/// "Randomness" that gives exactly these bytes, one after the other.
pub(crate) struct Script(VecDeque<u8>);

impl Script {
    pub(crate) fn new(draws: &[&[u8]]) -> Self {
        Self(draws.concat().into())
    }

    /// Asserts that everything was drawn.
    pub(crate) fn finish(self) {
        assert!(self.0.is_empty(), "{} bytes were not drawn", self.0.len());
    }
}

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.0.pop_front().expect("the script has more"));
        Ok(())
    }
}

impl TryCryptoRng for Script {}

fn foreign() -> Option<PathBuf> {
    env::var_os("WHISPER_VECTORS").map(PathBuf::from)
}
