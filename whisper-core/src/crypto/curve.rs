//! secp256k1: key pairs, agreement, recoverable signatures.

use core::fmt;
use core::hash::Hash;
use core::hash::Hasher;
use core::ops::Neg;
use core::str::FromStr;

use k256::ecdsa::RecoveryId;
use k256::ecdsa::SigningKey;
use k256::ecdsa::VerifyingKey;
use k256::ecdsa::signature::hazmat::PrehashVerifier;
use k256::elliptic_curve::point::AffineCoordinates;
use k256::elliptic_curve::sec1::FromSec1Point;
use k256::elliptic_curve::sec1::ToSec1Point;
use rand_core::CryptoRng;

use super::Secret;
use super::stack;
use super::wiping_stack;
use crate::hex::parse_hex;

/// A private key: 32 bytes, big-endian, at least 1 and below the order of the curve.
#[derive(Debug, Eq, PartialEq)]
pub struct SecretKey(Secret<32>);

impl SecretKey {
    /// Draws a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        loop {
            // A draw is out of range once in 2^128.
            if let Ok(key) = Self::from_secret(Secret::generate(rng)) {
                return key;
            }
        }
    }

    /// Takes a key that is already in its box.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is zero or not below the order of the curve.
    pub fn from_secret(secret: Secret<32>) -> Result<Self, InvalidKey> {
        let valid = alone(|| parse(&secret).is_some());
        if valid { Ok(Self(secret)) } else { Err(InvalidKey) }
    }

    /// Copies a key. Whoever holds the original wipes it.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is zero or not below the order of the curve.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        Self::from_secret(Secret::fill_with(|own| *own = *bytes))
    }

    /// The public half.
    pub fn public_key(&self) -> PublicKey {
        alone(|| PublicKey(self.parsed().public_key()))
    }

    /// The x coordinate of the point that both parties can compute, 32 bytes big-endian.
    pub fn agree(&self, other: &PublicKey) -> Secret<32> {
        // Through `x()`, never through a SEC1 encoding: that one branches on secret bytes.
        Secret::fill_with(|shared| {
            alone(|| {
                let agreed = self.parsed().diffie_hellman(&other.0);
                shared.copy_from_slice(agreed.raw_secret_bytes());
            });
        })
    }

    /// Signs a digest: RFC 6979 nonce, low s, recovery id 0 or 1.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        let (signature, id) =
            alone(|| SigningKey::from(self.parsed()).sign_prehash_recoverable(digest));
        let mut bytes = [0; 65];
        let (scalars, v) = bytes.split_at_mut(64);
        scalars.copy_from_slice(&signature.to_bytes());
        v.copy_from_slice(&[id.to_byte()]);
        Signature(bytes)
    }

    /// The bytes, for a key file.
    pub fn expose(&self) -> &[u8; 32] {
        self.0.expose()
    }

    #[expect(
        clippy::expect_used,
        reason = "every constructor parses the bytes, and nothing changes them"
    )]
    fn parsed(&self) -> k256::SecretKey {
        parse(&self.0).expect("the key was valid when it was made")
    }
}

fn parse(bytes: &Secret<32>) -> Option<k256::SecretKey> {
    k256::SecretKey::from_slice(bytes.expose()).ok()
}

/// Runs `work`, then overwrites the stack it used: k256 leaves limbs of the scalar there.
fn alone<T>(work: impl FnOnce() -> T) -> T {
    wiping_stack::<{ stack::CURVE }, T>(work)
}

/// A point of the curve, not infinity. Prints and parses as 130 hex digits.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
pub struct PublicKey(k256::PublicKey);

impl PublicKey {
    /// The point with these coordinates: x, then y, 32 bytes each.
    ///
    /// # Errors
    /// [`InvalidKey`] if it does not lie on the curve.
    pub fn from_bytes(bytes: &[u8; 64]) -> Result<Self, InvalidKey> {
        let point = k256::Sec1Point::from_untagged_bytes(&(*bytes).into());
        Self::from_point(&point)
    }

    /// The point in SEC1's uncompressed form: 65 bytes, the first 0x04. No other form passes.
    ///
    /// # Errors
    /// [`InvalidKey`] if the form is another or the point does not lie on the curve.
    pub fn from_uncompressed(bytes: &[u8]) -> Result<Self, InvalidKey> {
        match bytes.split_first() {
            Some((4, coordinates)) => {
                Self::from_bytes(coordinates.try_into().map_err(|_| InvalidKey)?)
            }
            _ => Err(InvalidKey),
        }
    }

    /// The point in SEC1's compressed form: 33 bytes, the first 0x02 or 0x03.
    ///
    /// # Errors
    /// [`InvalidKey`] if the form is another or there is no such point.
    pub fn from_compressed(bytes: &[u8; 33]) -> Result<Self, InvalidKey> {
        if !matches!(bytes.first(), Some(2 | 3)) {
            return Err(InvalidKey);
        }
        let point = k256::Sec1Point::from_bytes(bytes).map_err(|_| InvalidKey)?;
        Self::from_point(&point)
    }

    /// The point with this x coordinate and an even y (BIP 340).
    ///
    /// # Errors
    /// [`InvalidKey`] if no point has it, as is so for half of all numbers.
    pub fn lift_x(x: &[u8; 32]) -> Result<Self, InvalidKey> {
        let mut compressed = [2; 33];
        if let Some(own) = compressed.get_mut(1..) {
            own.copy_from_slice(x);
        }
        Self::from_compressed(&compressed)
    }

    /// The coordinates: x, then y, 32 bytes each.
    pub fn to_bytes(&self) -> [u8; 64] {
        let mut bytes = [0; 64];
        let (x, y) = bytes.split_at_mut(32);
        x.copy_from_slice(&self.0.as_affine().x());
        y.copy_from_slice(&self.0.as_affine().y());
        bytes
    }

    /// SEC1's uncompressed form: 0x04, then the coordinates.
    pub fn to_uncompressed(&self) -> [u8; 65] {
        let mut bytes = [4; 65];
        if let Some(coordinates) = bytes.get_mut(1..) {
            coordinates.copy_from_slice(&self.to_bytes());
        }
        bytes
    }

    /// SEC1's compressed form: 0x02 or 0x03, then x.
    pub fn to_compressed(&self) -> [u8; 33] {
        let mut bytes = [0; 33];
        bytes.copy_from_slice(self.0.to_sec1_point(true).as_bytes());
        bytes
    }

    /// The x coordinate, 32 bytes big-endian.
    pub fn x(&self) -> [u8; 32] {
        self.0.as_affine().x().into()
    }

    /// Of the two points with this x, the one with an even y.
    pub(super) fn with_even_y(self) -> Self {
        let point = self.0.as_affine();
        let even = if point.y_is_odd().into() { point.neg() } else { *point };
        // Never infinity, since the point is not.
        Self(k256::PublicKey::from_affine(even).unwrap_or(self.0))
    }

    fn from_point(point: &k256::Sec1Point) -> Result<Self, InvalidKey> {
        k256::PublicKey::from_sec1_point(point).into_option().map(Self).ok_or(InvalidKey)
    }
}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.to_compressed().hash(state);
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_uncompressed().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    /// Reads 130 hex digits, or the 128 of the coordinates alone, with or without 0x.
    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let digits = match digits.len() {
            130 => digits.strip_prefix("04").ok_or(InvalidKey)?,
            _ => digits,
        };
        let mut bytes = [0; 64];
        parse_hex(digits, &mut bytes).ok_or(InvalidKey)?;
        Self::from_bytes(&bytes)
    }
}

/// A recoverable signature: r, s (32 bytes each, big-endian), then the recovery id.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Signature([u8; 65]);

impl Signature {
    /// Takes a signature as it is: what it is worth, [`Signature::recover`] tells.
    pub const fn from_bytes(bytes: [u8; 65]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// r and s, without the recovery id.
    #[expect(clippy::expect_used, reason = "the length is that of the type")]
    pub fn scalars(&self) -> &[u8; 64] {
        self.0.first_chunk().expect("65 bytes hold 64")
    }

    /// The key that made this signature of `digest`. Some key nearly always comes out: compare it.
    ///
    /// # Errors
    /// [`InvalidSignature`] if r or s is zero or not below the order, the recovery id is above 3
    /// (27 and 28 too, as in go-ethereum), or there is no such point.
    pub fn recover(&self, digest: &[u8; 32]) -> Result<PublicKey, InvalidSignature> {
        let (scalars, v) = self.0.split_first_chunk::<64>().ok_or(InvalidSignature)?;
        let id = v.first().and_then(|v| RecoveryId::from_byte(*v)).ok_or(InvalidSignature)?;
        let signature =
            k256::ecdsa::Signature::from_slice(scalars).map_err(|_| InvalidSignature)?;
        let key = VerifyingKey::recover_from_prehash(digest, &signature, id)
            .map_err(|_| InvalidSignature)?;
        Ok(PublicKey(key.into()))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(..)")
    }
}

/// Checks a signature of r and s (32 bytes each) against a key. A high s does not pass.
///
/// # Errors
/// [`InvalidSignature`] if `key` did not make it, or s is high.
pub fn verify(
    key: &PublicKey,
    digest: &[u8; 32],
    signature: &[u8; 64],
) -> Result<(), InvalidSignature> {
    let signature = k256::ecdsa::Signature::from_slice(signature).map_err(|_| InvalidSignature)?;
    VerifyingKey::from(&key.0).verify_prehash(digest, &signature).map_err(|_| InvalidSignature)
}

/// Bytes that are no key: out of range, or not a point of the curve.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid key")]
pub struct InvalidKey;

/// A signature that nobody made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid signature")]
pub struct InvalidSignature;

#[cfg(test)]
mod tests;
