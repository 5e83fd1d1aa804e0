//! XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha) for what is stored: its nonce is long enough to be
//! drawn for as many records as there will ever be.

use alloc::vec::Vec;
use core::fmt;

use chacha20poly1305::AeadInOut;
use chacha20poly1305::KeyInit;
use chacha20poly1305::XChaCha20Poly1305;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::DecryptError;
use super::Secret;
use super::stack;
use super::wiping_stack;

/// A key for many records.
pub struct XChaCha(Secret<32>);

impl XChaCha {
    /// Bytes that sealing adds: a nonce of 24 and a tag of 16.
    pub const OVERHEAD: usize = NONCE + TAG;

    /// Takes over a key.
    pub const fn new(key: Secret<32>) -> Self {
        Self(key)
    }

    /// Encrypts under a nonce that is drawn here, and authenticates `associated` with it: nonce,
    /// ciphertext, tag.
    pub fn seal(&self, associated: &[u8], plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(Self::OVERHEAD));
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(plaintext);
        let buffer = sealed.get_mut(NONCE..).unwrap_or_default();
        let tag = self.encrypt(&nonce, associated, buffer);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Decrypts what [`XChaCha::seal`] made.
    ///
    /// # Errors
    /// [`DecryptError`] if it was sealed under another key or with other `associated` bytes, or was
    /// changed since.
    pub fn open(&self, associated: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let (nonce, rest) = data.split_first_chunk::<NONCE>().ok_or(DecryptError)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(DecryptError)?;
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let buffer = plaintext.as_mut_slice().into();
        wiping_stack::<{ stack::STREAM }, _>(|| {
            let cipher = XChaCha20Poly1305::new(self.0.expose().into());
            cipher.decrypt_inout_detached(nonce.into(), associated, buffer, tag.into())
        })
        .map_err(|_| DecryptError)?;
        Ok(plaintext)
    }

    #[expect(clippy::expect_used, reason = "the cipher refuses only what is longer than 256 GiB")]
    fn encrypt(&self, nonce: &[u8; NONCE], associated: &[u8], buffer: &mut [u8]) -> [u8; TAG] {
        wiping_stack::<{ stack::STREAM }, _>(|| {
            let cipher = XChaCha20Poly1305::new(self.0.expose().into());
            cipher.encrypt_inout_detached(nonce.into(), associated, buffer.into())
        })
        .expect("a record is shorter than 256 GiB")
        .into()
    }
}

impl fmt::Debug for XChaCha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("XChaCha(..)")
    }
}

const NONCE: usize = 24;
const TAG: usize = 16;

#[cfg(test)]
mod tests {
    use alloc::format;

    use chacha20::ChaCha20Rng;
    use chacha20::rand_core::SeedableRng;

    use super::*;

    fn key(byte: u8) -> XChaCha {
        XChaCha::new(Secret::fill_with(|own| own.fill(byte)))
    }

    #[test]
    fn a_record_opens_under_its_key_and_name_only() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let sealed = key(1).seal(b"name", b"state", &mut rng);
        assert_eq!(sealed.len(), 5 + XChaCha::OVERHEAD);
        assert_eq!(key(1).open(b"name", &sealed).unwrap()[..], b"state"[..]);
        assert_eq!(key(2).open(b"name", &sealed), Err(DecryptError));
        assert_eq!(key(1).open(b"Name", &sealed), Err(DecryptError));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key(1).open(b"name", &changed), Err(DecryptError), "{at}");
            assert_eq!(key(1).open(b"name", &sealed[..at]), Err(DecryptError), "{at}");
        }
    }

    #[test]
    fn each_sealing_draws_a_nonce_of_its_own() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let (one, other) = (key(1).seal(b"", b"", &mut rng), key(1).seal(b"", b"", &mut rng));
        assert_ne!(one[..NONCE], other[..NONCE]);
    }

    #[test]
    fn a_key_prints_nothing() {
        assert_eq!(format!("{:?}", key(0x41)), "XChaCha(..)");
    }
}
