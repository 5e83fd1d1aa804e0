//! AES-256-GCM as Whisper envelopes carry it: ciphertext, tag, nonce.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use aes_gcm::Aes256Gcm;
use aes_gcm::KeyInit;
use aes_gcm::aead::AeadInOut;
use rand_core::CryptoRng;

use super::DecryptError;
use super::Secret;
use super::stack;
use super::wiping_stack;

/// A key with its schedule worked out: making one costs as much as sealing a short message.
///
/// Boxed as a [`Secret`] is: the schedule begins with the key, and a move would leave a copy of it.
pub struct AesGcm(Box<Aes256Gcm>);

impl AesGcm {
    /// Bytes that sealing adds: a tag of 16 and a nonce of 12.
    pub const OVERHEAD: usize = TAG + NONCE;

    /// Works out the schedule of `key`.
    pub fn new(key: &Secret<32>) -> Self {
        wiping_stack::<{ stack::CIPHER }, _>(|| Self(Box::new(Aes256Gcm::new(key.expose().into()))))
    }

    /// Encrypts under a nonce that is drawn here: nobody can give the same twice.
    pub fn seal(&self, plaintext: &[u8], rng: &mut impl CryptoRng) -> Vec<u8> {
        let mut nonce = [0; NONCE];
        rng.fill_bytes(&mut nonce);
        let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(Self::OVERHEAD));
        sealed.extend_from_slice(plaintext);
        let tag = self.encrypt(&nonce, &mut sealed);
        sealed.extend_from_slice(&tag);
        sealed.extend_from_slice(&nonce);
        sealed
    }

    /// Decrypts what [`AesGcm::seal`] made.
    ///
    /// # Errors
    /// [`DecryptError`] if it was not sealed under this key, or was changed since.
    pub fn open(&self, data: &[u8]) -> Result<Vec<u8>, DecryptError> {
        let (rest, nonce) = data.split_last_chunk::<NONCE>().ok_or(DecryptError)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or(DecryptError)?;
        let mut plaintext = ciphertext.to_vec();
        let buffer = plaintext.as_mut_slice().into();
        wiping_stack::<{ stack::CIPHER }, _>(|| {
            self.0.decrypt_inout_detached(nonce.into(), &[], buffer, tag.into())
        })
        .map_err(|_| DecryptError)?;
        Ok(plaintext)
    }

    #[expect(clippy::expect_used, reason = "GCM refuses only what is longer than 64 GiB")]
    fn encrypt(&self, nonce: &[u8; NONCE], buffer: &mut [u8]) -> [u8; TAG] {
        wiping_stack::<{ stack::CIPHER }, _>(|| {
            self.0.encrypt_inout_detached(nonce.into(), &[], buffer.into())
        })
        .expect("a message is shorter than 64 GiB")
        .into()
    }
}

impl fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AesGcm(..)")
    }
}

const TAG: usize = 16;
const NONCE: usize = 12;
