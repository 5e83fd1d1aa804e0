//! ChaCha20-Poly1305 (RFC 8439) under keys that seal one message each.

use alloc::vec::Vec;
use core::fmt;

use chacha20poly1305::AeadInOut;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::KeyInit;
use zeroize::Zeroizing;

use super::DecryptError;
use super::Secret;
use super::kdf;
use super::stack;
use super::wiping_stack;

/// A key and its nonce, for one message: sealing takes it away, so no nonce comes twice, and nobody
/// can choose one.
pub struct SingleUseKey {
    /// The key, then the nonce.
    both: Secret<{ KEY + NONCE }>,
}

impl SingleUseKey {
    /// Bytes that sealing adds.
    pub const TAG: usize = 16;

    /// A key that is used for one message only, with a nonce of zeros.
    pub fn new(key: &[u8; KEY]) -> Self {
        Self {
            both: Secret::fill_with(|both| {
                both.iter_mut().zip(key).for_each(|(own, byte)| *own = *byte);
            }),
        }
    }

    /// Derives key and nonce together: HKDF-SHA-256 to 44 bytes.
    pub fn derive(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Self {
        Self { both: kdf::hkdf_sha256(salt, ikm, info) }
    }

    /// Encrypts the one message, and authenticates `associated` with it: ciphertext, then tag.
    pub fn seal(self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(Self::TAG));
        sealed.extend_from_slice(plaintext);
        let tag = self.encrypt(associated, &mut sealed);
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// Decrypts what [`SingleUseKey::seal`] made.
    ///
    /// # Errors
    /// [`DecryptError`] if it was sealed under another key or with other `associated` bytes, or was
    /// changed since.
    pub fn open(&self, associated: &[u8], data: &[u8]) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
        let (ciphertext, tag) = data.split_last_chunk::<{ Self::TAG }>().ok_or(DecryptError)?;
        let (key, nonce) = self.split();
        let mut plaintext = Zeroizing::new(ciphertext.to_vec());
        let buffer = plaintext.as_mut_slice().into();
        wiping_stack::<{ stack::STREAM }, _>(|| {
            let cipher = ChaCha20Poly1305::new(key.into());
            cipher.decrypt_inout_detached(nonce.into(), associated, buffer, tag.into())
        })
        .map_err(|_| DecryptError)?;
        Ok(plaintext)
    }

    #[expect(clippy::expect_used, reason = "the cipher refuses only what is longer than 256 GiB")]
    fn encrypt(&self, associated: &[u8], buffer: &mut [u8]) -> [u8; Self::TAG] {
        let (key, nonce) = self.split();
        wiping_stack::<{ stack::STREAM }, _>(|| {
            let cipher = ChaCha20Poly1305::new(key.into());
            cipher.encrypt_inout_detached(nonce.into(), associated, buffer.into())
        })
        .expect("a message is shorter than 256 GiB")
        .into()
    }

    #[expect(clippy::expect_used, reason = "the lengths are those of the type")]
    fn split(&self) -> (&[u8; KEY], &[u8; NONCE]) {
        let (key, nonce) = self.both.expose().split_first_chunk().expect("44 bytes hold 32");
        (key, nonce.try_into().expect("44 bytes hold 32 and 12"))
    }
}

impl fmt::Debug for SingleUseKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SingleUseKey(..)")
    }
}

const KEY: usize = 32;
const NONCE: usize = 12;

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn what_was_sealed_opens_under_the_same_key_and_associated_bytes_only() {
        let key = || SingleUseKey::new(&[1; 32]);
        let sealed = key().seal(b"header", b"text");
        assert_eq!(sealed.len(), 4 + SingleUseKey::TAG);
        assert_eq!(key().open(b"header", &sealed).unwrap()[..], b"text"[..]);
        assert_eq!(key().open(b"Header", &sealed), Err(DecryptError));
        assert_eq!(SingleUseKey::new(&[2; 32]).open(b"header", &sealed), Err(DecryptError));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key().open(b"header", &changed), Err(DecryptError), "{at}");
        }
        for length in 0..sealed.len() {
            assert_eq!(key().open(b"header", &sealed[..length]), Err(DecryptError), "{length}");
        }
    }

    #[test]
    fn key_and_nonce_are_derived_together_in_this_order() {
        let both = kdf::hkdf_sha256::<44>(b"salt", &[b"key"], &[b"info"]);
        let cipher = ChaCha20Poly1305::new(both.expose().first_chunk::<32>().unwrap().into());
        let mut expected = b"text".to_vec();
        let nonce = both.expose().last_chunk::<12>().unwrap().into();
        let tag = cipher.encrypt_inout_detached(nonce, b"", expected.as_mut_slice().into());
        expected.extend_from_slice(&tag.unwrap());
        let sealed = SingleUseKey::derive(b"salt", &[b"key"], &[b"info"]).seal(b"", b"text");
        assert_eq!(sealed, expected);
    }

    #[test]
    fn a_key_prints_nothing() {
        assert_eq!(format!("{:?}", SingleUseKey::new(&[0x41; 32])), "SingleUseKey(..)");
    }
}
