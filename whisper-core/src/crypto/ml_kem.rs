//! ML-KEM-768 (FIPS 203): a key encapsulation that a quantum computer does not open.
//!
//! The private half is the seed alone, d ‖ z of FIPS 203, 7.1: shorter than the expanded key, valid
//! whatever it is, and bound to its public half.

use alloc::boxed::Box;
use core::fmt;

use ml_kem::B32;
use ml_kem::Decapsulate;
use ml_kem::KeyExport;
use ml_kem::Seed;
use ml_kem::ml_kem_768;
use rand_core::CryptoRng;

use super::Secret;
use super::stack;
use super::wiping_stack;

/// A private key: the seed from which both halves follow.
#[derive(Debug, Eq, PartialEq)]
pub struct DecapsulationKey(Secret<SEED>);

impl DecapsulationKey {
    /// Draws a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(Secret::generate(rng))
    }

    /// Takes a seed that is already in its box. Every 64 bytes are one.
    pub const fn from_secret(seed: Secret<SEED>) -> Self {
        Self(seed)
    }

    /// The public half.
    pub fn encapsulation_key(&self) -> EncapsulationKey {
        alone(|| {
            let bytes = self.expanded().encapsulation_key().to_bytes();
            EncapsulationKey(Box::new(bytes.into()))
        })
    }

    /// The secret that [`EncapsulationKey::encapsulate`] gave with this ciphertext. A ciphertext
    /// that was made for another key, or changed, gives a secret that nobody knows: nothing tells
    /// the two cases apart.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT]) -> Secret<32> {
        Secret::fill_with(|shared| {
            alone(|| {
                shared.copy_from_slice(&self.expanded().decapsulate(ciphertext.into()));
            });
        })
    }

    /// The seed, for a record.
    pub fn expose(&self) -> &[u8; SEED] {
        self.0.expose()
    }

    /// Worked out anew for each use: 0.03 ms, and no expanded key to keep and to wipe.
    fn expanded(&self) -> ml_kem_768::DecapsulationKey {
        ml_kem_768::DecapsulationKey::from_seed(Seed::from(*self.0.expose()))
    }
}

/// A public key whose coefficients are all below 3,329 (FIPS 203, 7.2).
#[derive(Clone, Eq, PartialEq)]
pub struct EncapsulationKey(Box<[u8; ENCAPSULATION_KEY]>);

impl EncapsulationKey {
    /// Checks a key.
    ///
    /// # Errors
    /// [`InvalidKey`] if it has another length, or a coefficient is 3,329 or more.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let bytes = bytes.try_into().map_err(|_| InvalidKey)?;
        parse(bytes)?;
        Ok(Self(Box::new(*bytes)))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; ENCAPSULATION_KEY] {
        &self.0
    }

    /// A ciphertext for the holder of the private half, and the secret in it: both follow from
    /// `coin`, which must be fresh for each use. The ciphertext shows which key it is for, so it is
    /// wiped as the secret is.
    pub fn encapsulate(&self, coin: &Secret<32>) -> (Secret<CIPHERTEXT>, Secret<32>) {
        alone(|| {
            let coin = B32::from(*coin.expose());
            let (ciphertext, shared) = self.parsed().encapsulate_deterministic(&coin);
            (
                Secret::fill_with(|own| own.copy_from_slice(&ciphertext)),
                Secret::fill_with(|own| own.copy_from_slice(&shared)),
            )
        })
    }

    #[expect(clippy::expect_used, reason = "both constructors have valid bytes")]
    fn parsed(&self) -> ml_kem_768::EncapsulationKey {
        parse(&self.0).expect("the key was valid when it was made")
    }
}

impl fmt::Debug for EncapsulationKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncapsulationKey(")?;
        self.0.iter().take(SHOWN).try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str("..)")
    }
}

fn parse(bytes: &[u8; ENCAPSULATION_KEY]) -> Result<ml_kem_768::EncapsulationKey, InvalidKey> {
    ml_kem_768::EncapsulationKey::new(bytes.into()).map_err(|_| InvalidKey)
}

/// Bytes that are no public key of ML-KEM-768.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid ML-KEM-768 key")]
pub struct InvalidKey;

/// Runs `work`, then overwrites the stack it used: the crate keeps polynomials, coins and the
/// shared secret there.
fn alone<T>(work: impl FnOnce() -> T) -> T {
    wiping_stack::<{ stack::LATTICE }, T>(work)
}

/// Bytes of a public key (FIPS 203, table 3, as the next one).
pub const ENCAPSULATION_KEY: usize = 1_184;
/// Bytes of a ciphertext.
pub const CIPHERTEXT: usize = 1_088;
/// Bytes of a private key: d and z.
pub const SEED: usize = 64;
/// Enough of a key to tell it from others in a log.
const SHOWN: usize = 8;

#[cfg(test)]
mod tests;
