//! Who somebody is, and what a group shares: key pairs and symmetric keys.

use core::fmt;

use rand_core::CryptoRng;

use crate::crypto::HASH_STACK;
use crate::crypto::Secret;
use crate::crypto::aead::AesGcm;
use crate::crypto::curve::SecretKey;
use crate::crypto::curve::Signature;
use crate::crypto::kdf;
use crate::hash::keccak256;

pub use crate::crypto::curve::InvalidKey;
pub use crate::crypto::curve::PublicKey;
use crate::crypto::wiping_stack;

/// A key pair: signs messages and opens those that are encrypted for its public key.
///
/// ```
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// use whisper_core::identity::Identity;
///
/// let alice = Identity::generate(&mut rng);
/// let bob = Identity::generate(&mut rng);
/// assert_eq!(alice.agree(&bob.public_key()), bob.agree(&alice.public_key()));
/// ```
pub struct Identity {
    secret: SecretKey,
    public: PublicKey,
}

impl Identity {
    /// Draws a key pair.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::from_secret(SecretKey::generate(rng))
    }

    /// The key pair of a private key.
    pub fn from_secret(secret: SecretKey) -> Self {
        let public = secret.public_key();
        Self { secret, public }
    }

    /// The public half.
    pub const fn public_key(&self) -> PublicKey {
        self.public
    }

    /// The private half.
    pub const fn secret(&self) -> &SecretKey {
        &self.secret
    }

    /// Signs a digest: RFC 6979 nonce, low s, recovery id 0 or 1.
    pub fn sign(&self, digest: &[u8; 32]) -> Signature {
        self.secret.sign(digest)
    }

    /// What only this identity and the holder of `other` can compute, 32 bytes.
    pub fn agree(&self, other: &PublicKey) -> Secret<32> {
        self.secret.agree(other)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret: _, public } = self;
        f.debug_struct("Identity").field("public", public).finish_non_exhaustive()
    }
}

/// A key that all who read a topic share: 32 bytes for AES-256-GCM, not all zero.
pub struct SymmetricKey {
    cipher: AesGcm,
    id: [u8; 32],
}

impl SymmetricKey {
    /// Draws a key.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::new(&Secret::generate(rng))
    }

    /// Takes over a key.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is all zero, as the reference refuses to seal with it.
    pub fn from_secret(secret: &Secret<32>) -> Result<Self, InvalidKey> {
        if *secret == Secret::fill_with(|_| ()) { Err(InvalidKey) } else { Ok(Self::new(secret)) }
    }

    /// Copies a key. Whoever holds the original wipes it.
    ///
    /// # Errors
    /// [`InvalidKey`] if it is all zero, as the reference refuses to seal with it.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, InvalidKey> {
        Self::from_secret(&Secret::fill_with(|own| *own = *bytes))
    }

    /// The key that everybody derives from `password`: PBKDF2-HMAC-SHA-256, empty salt, 65,356
    /// rounds (not 65,536). Costs some 7 ms; a guessable password makes a guessable key.
    ///
    /// The bytes count: a letter with an accent can be written in two ways, which give two keys.
    /// Bring what a person types into Unicode's form NFC first.
    pub fn from_password(password: &str) -> Self {
        Self::new(&kdf::pbkdf2_sha256(password.as_bytes(), &[], PASSWORD_ROUNDS))
    }

    /// The Keccak-256 hash of the key: the same for all who share it.
    pub const fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The cipher under this key.
    pub const fn aead(&self) -> &AesGcm {
        &self.cipher
    }

    fn new(secret: &Secret<32>) -> Self {
        let id = wiping_stack::<HASH_STACK, _>(|| keccak256(secret.expose()));
        Self { cipher: AesGcm::new(secret), id }
    }
}

impl fmt::Debug for SymmetricKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SymmetricKey(..)")
    }
}

/// go-ethereum, `whisperv6`, key derivation from a password.
const PASSWORD_ROUNDS: u32 = 65_356;
