//! What the integration tests share: vectors, hex, randomness.
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::env;
use std::fs;
use std::path::PathBuf;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use serde_json::Value;

/// Reads `file` of the set `set` (`whisper-v6`, `rlpx`, `ledger`). Nothing, if the folder that
/// `WHISPER_VECTORS` names does not have it; our own copies are always there.
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

/// Whether our own copies are read.
pub(crate) fn is_own() -> bool {
    foreign().is_none()
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

/// The bytes of a JSON string of hex digits, 0x or not.
pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap_or_else(|| panic!("no hex: {value}"));
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).expect("hex digits")
}

/// As [`bytes`], of known length.
pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("the length is fixed")
}

/// A number, written as one or as a decimal string.
pub(crate) fn number(value: &Value) -> u64 {
    value
        .as_u64()
        .or_else(|| value.as_str()?.parse().ok())
        .unwrap_or_else(|| panic!("no number: {value}"))
}

/// A double, given by its bits.
pub(crate) fn double(value: &Value) -> f64 {
    f64::from_bits(u64::from_be_bytes(array(value)))
}

/// The name of a case, for messages.
pub(crate) fn name(case: &Value) -> &str {
    case["id"].as_str().unwrap_or("(without a name)")
}

/// Randomness from a seed.
pub(crate) fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn foreign() -> Option<PathBuf> {
    env::var_os("WHISPER_VECTORS").map(PathBuf::from)
}
