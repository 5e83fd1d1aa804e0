//! The one door to the cipher crates: nothing else in this crate names them.
//!
//! | file | what |
//! |---|---|
//! | [`Secret`] | the only home of key bytes: boxed, wiped, silent |
//! | [`wiping_stack`] | what computing with keys leaves behind is overwritten |
//! | [`curve`] | secp256k1: agreement, recoverable signatures |
//! | [`x_only`] | secp256k1: agreement with keys of which only x is sent |
//! | [`ml_kem`] | ML-KEM-768: agreement that a quantum computer does not undo |
//! | [`ecies`] | encryption for a public key, with go-ethereum's parameters |
//! | [`aead`] | AES-256-GCM under a nonce that is drawn, never given |
//! | [`chacha20_poly1305`] | ChaCha20-Poly1305 under keys that seal one message each |
//! | [`xchacha20_poly1305`] | XChaCha20-Poly1305 for what is stored, under a nonce that is drawn |
//! | [`kdf`] | HKDF, HMAC and PBKDF2, all with SHA-256 |

pub mod aead;
pub mod chacha20_poly1305;
pub mod curve;
pub mod ecies;
pub mod kdf;
pub mod ml_kem;
mod secret;
mod stack;
pub mod x_only;
pub mod xchacha20_poly1305;

pub use secret::Secret;
pub(crate) use stack::HASH as HASH_STACK;
pub use stack::wiping_stack;

/// A ciphertext did not open. Which step failed is not told: that would help whoever forges.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the ciphertext does not open under this key")]
pub struct DecryptError;
