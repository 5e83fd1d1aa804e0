//! Diffie-Hellman on secp256k1 with keys of which only the x coordinate is sent.
//!
//! A number x stands for the point with an even y (BIP 340). The result is an x coordinate too, and
//! that does not depend on the signs of either y.

use core::fmt;

use rand_core::CryptoRng;

use super::Secret;
use super::curve::InvalidKey;
use super::curve::PublicKey;
use super::curve::SecretKey;

/// A private key: 32 bytes, big-endian, at least 1 and below the order of the curve.
#[derive(Debug, Eq, PartialEq)]
pub struct XOnlySecretKey(SecretKey);

impl XOnlySecretKey {
    /// Draws a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self(SecretKey::generate(rng))
    }

    /// Takes a key that is already in its box.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is zero or not below the order of the curve.
    pub fn from_secret(secret: Secret<32>) -> Result<Self, InvalidKey> {
        SecretKey::from_secret(secret).map(Self)
    }

    /// Copies a key. Whoever holds the original wipes it.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is zero or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        SecretKey::from_bytes(bytes).map(Self)
    }

    /// The public half.
    pub fn public_key(&self) -> XOnlyPublicKey {
        XOnlyPublicKey(self.0.public_key().with_even_y())
    }

    /// What only this key and the other one can compute, 32 bytes. Never infinity: the order is
    /// prime, and neither key is zero.
    pub fn agree(&self, other: &XOnlyPublicKey) -> Secret<32> {
        self.0.agree(&other.0)
    }

    /// The bytes, for a record.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }
}

/// A point of the curve with an even y, not infinity: sent as its x coordinate.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct XOnlyPublicKey(PublicKey);

impl XOnlyPublicKey {
    /// The point with this x coordinate.
    ///
    /// # Errors
    /// [`InvalidKey`] if no point has it, as is so for half of all numbers.
    pub fn from_bytes(x: &[u8; 32]) -> Result<Self, InvalidKey> {
        PublicKey::lift_x(x).map(Self)
    }

    /// The x coordinate, 32 bytes big-endian.
    pub fn to_bytes(&self) -> [u8; 32] {
        self.0.x()
    }
}

impl fmt::Debug for XOnlyPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("XOnlyPublicKey(")?;
        self.to_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;

    fn key(seed: u8) -> XOnlySecretKey {
        XOnlySecretKey::generate(&mut ChaCha20Rng::from_seed([seed; 32]))
    }

    #[test]
    fn both_sides_agree_whatever_the_signs() {
        let mut odd = 0;
        for seed in 0..16 {
            let (alice, bob) = (key(seed), key(seed + 100));
            odd += usize::from(alice.0.public_key().to_compressed()[0] == 3);
            assert_eq!(alice.agree(&bob.public_key()), bob.agree(&alice.public_key()));
            assert_eq!(alice.agree(&bob.public_key()), alice.0.agree(&bob.0.public_key()));
        }
        assert!((1..16).contains(&odd), "both signs occur: {odd}");
    }

    #[test]
    fn a_public_key_is_its_x() {
        for seed in 0..16 {
            let public = key(seed).public_key();
            assert_eq!(XOnlyPublicKey::from_bytes(&public.to_bytes()), Ok(public));
        }
    }

    #[test]
    fn c2_numbers_that_are_no_x_of_the_curve_are_refused() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let mut refused = 0;
        for _ in 0..10_000 {
            let mut x = [0; 32];
            rng.fill_bytes(&mut x);
            let mut compressed = [2; 33];
            compressed[1..].copy_from_slice(&x);
            let exists = k256::PublicKey::from_sec1_bytes(&compressed).is_ok();
            assert_eq!(XOnlyPublicKey::from_bytes(&x).is_ok(), exists);
            refused += usize::from(!exists);
        }
        assert!((4_800..5_200).contains(&refused), "{refused}");
        assert_eq!(XOnlyPublicKey::from_bytes(&[0xff; 32]), Err(InvalidKey), "not below p");
        assert_eq!(XOnlyPublicKey::from_bytes(&[0; 32]), Err(InvalidKey), "7 is no square");
    }

    #[test]
    fn zero_and_what_is_above_the_order_are_no_private_keys() {
        assert_eq!(XOnlySecretKey::from_bytes(&[0; 32]), Err(InvalidKey));
        assert_eq!(XOnlySecretKey::from_bytes(&[0xff; 32]), Err(InvalidKey));
    }

    #[test]
    fn a_private_key_prints_nothing() {
        assert_eq!(format!("{:?}", key(1)), "XOnlySecretKey(SecretKey(Secret(..)))");
    }
}
