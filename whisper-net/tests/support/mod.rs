//! What the integration tests share: vectors and hex as the core's tests read them, randomness from a
//! script.
#![allow(dead_code, unused_imports, reason = "each test program uses its own part of this")]

#[path = "../../../whisper-core/tests/support/mod.rs"]
mod vectors;

use std::collections::VecDeque;
use std::convert::Infallible;

use rand_core::TryCryptoRng;
use rand_core::TryRng;
use serde_json::Value;
use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity::Identity;

pub(crate) use vectors::*;

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
