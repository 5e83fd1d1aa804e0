//! Key derivation: HKDF, HMAC and PBKDF2, all with SHA-256.

use hkdf::HkdfExtract;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use sha2::Sha256;
use zeroize::Zeroize;

use super::Secret;
use super::stack;
use super::wiping_stack;

/// HKDF (RFC 5869), extract and expand: `N` bytes from the concatenation of `ikm`, bound to the
/// concatenation of `info`. `N` is at most 8,160, checked when the program is compiled.
pub fn hkdf_sha256<const N: usize>(salt: &[u8], ikm: &[&[u8]], info: &[&[u8]]) -> Secret<N> {
    const { assert!(N <= 255 * 32, "HKDF-SHA-256 gives at most 8,160 bytes") };
    wiping_stack::<{ stack::HASH }, _>(|| {
        let mut extract = HkdfExtract::<Sha256>::new(Some(salt));
        ikm.iter().for_each(|part| extract.input_ikm(part));
        let (mut key, hkdf) = extract.finalize();
        key.as_mut_slice().zeroize();
        Secret::fill_with(|okm| expand(&hkdf, info, okm))
    })
}

#[expect(clippy::expect_used, reason = "the length is checked when the program is compiled")]
fn expand(hkdf: &hkdf::Hkdf<Sha256>, info: &[&[u8]], okm: &mut [u8]) {
    hkdf.expand_multi_info(info, okm).expect("the length is allowed");
}

/// HMAC-SHA-256 of the concatenation of `parts`.
pub fn hmac_sha256(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    wiping_stack::<{ stack::HASH }, _>(|| mac(key, parts).finalize().into_bytes().into())
}

/// HMAC-SHA-256 of the concatenation of `parts`, where the result is a key.
pub fn hmac_sha256_secret(key: &[u8], parts: &[&[u8]]) -> Secret<32> {
    Secret::fill_with(|own| {
        wiping_stack::<{ stack::HASH }, _>(|| {
            own.copy_from_slice(&mac(key, parts).finalize().into_bytes());
        });
    })
}

/// Whether `tag` is the HMAC-SHA-256 of the concatenation of `parts`, in constant time.
pub(crate) fn hmac_sha256_verifies(key: &[u8], parts: &[&[u8]], tag: &[u8; 32]) -> bool {
    wiping_stack::<{ stack::HASH }, _>(|| mac(key, parts).verify(tag.into()).is_ok())
}

#[expect(clippy::expect_used, reason = "HMAC hashes a key that is too long for it")]
fn mac(key: &[u8], parts: &[&[u8]]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    parts.iter().for_each(|part| mac.update(part));
    mac
}

/// PBKDF2 (RFC 8018) with HMAC-SHA-256.
pub fn pbkdf2_sha256(password: &[u8], salt: &[u8], rounds: u32) -> Secret<32> {
    wiping_stack::<{ stack::HASH }, _>(|| {
        Secret::fill_with(|key| pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, rounds, key))
    })
}
