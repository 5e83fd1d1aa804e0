//! ECIES with go-ethereum's parameters: secp256k1, the concatenation KDF with SHA-256, AES-128-CTR,
//! HMAC-SHA-256 under a hashed key.
//!
//! ```text
//! ephemeral public key (65) ‖ iv (16) ‖ ciphertext ‖ mac (32)
//! ```

use alloc::vec::Vec;

use aes::Aes128;
use aes::cipher::KeyIvInit;
use aes::cipher::StreamCipher;
use rand_core::CryptoRng;
use sha2::Digest;
use sha2::Sha256;

use super::DecryptError;
use super::Secret;
use super::curve::PublicKey;
use super::curve::SecretKey;
use super::kdf;
use super::stack;
use super::wiping_stack;

/// Bytes that encryption adds.
pub const OVERHEAD: usize = POINT + IV + MAC;

/// Encrypts `plaintext` for the holder of `recipient`'s private half. `mac_data` is authenticated
/// and not sent: the size prefix in RLPx, nothing in Whisper.
pub fn encrypt(
    recipient: &PublicKey,
    plaintext: &[u8],
    mac_data: &[u8],
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let ephemeral = SecretKey::generate(rng);
    let mut iv = [0; IV];
    rng.fill_bytes(&mut iv);
    let keys = Keys::derive(&ephemeral.agree(recipient));

    let mut sealed = Vec::with_capacity(plaintext.len().saturating_add(OVERHEAD));
    sealed.extend_from_slice(&ephemeral.public_key().to_uncompressed());
    sealed.extend_from_slice(&iv);
    let start = sealed.len();
    sealed.extend_from_slice(plaintext);
    if let Some(body) = sealed.get_mut(start..) {
        keys.apply(&iv, body);
    }
    let mac = kdf::hmac_sha256(
        keys.mac.expose(),
        &[&iv, sealed.get(start..).unwrap_or_default(), mac_data],
    );
    sealed.extend_from_slice(&mac);
    sealed
}

/// Decrypts what [`encrypt`] made with the same `mac_data`.
///
/// # Errors
/// [`DecryptError`], whatever is wrong.
pub fn decrypt(key: &SecretKey, data: &[u8], mac_data: &[u8]) -> Result<Vec<u8>, DecryptError> {
    // All three parts are cut off before anything is computed: the reference took the IV from what
    // a valid MAC covered and crashed on 1 to 15 bytes of it (CVE-2026-22862).
    let (point, rest) = data.split_first_chunk::<POINT>().ok_or(DecryptError)?;
    let (iv, rest) = rest.split_first_chunk::<IV>().ok_or(DecryptError)?;
    let (body, mac) = rest.split_last_chunk::<MAC>().ok_or(DecryptError)?;
    let ephemeral = PublicKey::from_uncompressed(point).map_err(|_| DecryptError)?;

    let keys = Keys::derive(&key.agree(&ephemeral));
    if !kdf::hmac_sha256_verifies(keys.mac.expose(), &[iv, body, mac_data], mac) {
        return Err(DecryptError);
    }
    let mut plaintext = body.to_vec();
    keys.apply(iv, &mut plaintext);
    Ok(plaintext)
}

struct Keys {
    cipher: Secret<16>,
    mac: Secret<32>,
}

impl Keys {
    /// NIST SP 800-56's concatenation KDF for 32 bytes: one hash. The second half is hashed again
    /// before it keys the MAC.
    fn derive(shared: &Secret<32>) -> Self {
        wiping_stack::<{ stack::HASH }, _>(|| Self::hash(shared))
    }

    fn hash(shared: &Secret<32>) -> Self {
        let both = Secret::<32>::fill_with(|both| {
            let mut hash = Sha256::new_with_prefix(1_u32.to_be_bytes());
            hash.update(shared.expose());
            hash.finalize_into(both.into());
        });
        let (cipher, mac) = both.expose().split_at(16);
        Self {
            cipher: Secret::fill_with(|own| own.copy_from_slice(cipher)),
            mac: Secret::fill_with(|own| Sha256::new_with_prefix(mac).finalize_into(own.into())),
        }
    }

    fn apply(&self, iv: &[u8; IV], buffer: &mut [u8]) {
        wiping_stack::<{ stack::CIPHER }, _>(|| {
            ctr::Ctr128BE::<Aes128>::new(self.cipher.expose().into(), iv.into())
                .apply_keystream(buffer);
        });
    }
}

const POINT: usize = 65;
const IV: usize = 16;
const MAC: usize = 32;
