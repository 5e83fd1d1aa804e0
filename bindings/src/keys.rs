//! Keys: handles that secrets stay behind.

use std::path::Path;
use std::sync::Arc;

use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::identity;
use whisper_core::identity::PublicKey;
use whisper_net::Entropy;
use whisper_net::keyfile;
use zeroize::Zeroizing;

use crate::error::WhisperError;
use crate::faults;
use crate::message::Message;

/// Who somebody is: a private key and its public half. The private key never leaves it in the clear,
/// and is wiped when the last holder lets go of it.
#[derive(uniffi::Object)]
pub struct Identity(pub(crate) Arc<identity::Identity>);

#[uniffi::export]
impl Identity {
    /// A new identity, from the randomness of the system.
    #[uniffi::constructor]
    pub fn generate() -> Result<Arc<Self>, WhisperError> {
        faults::enter("Identity.generate");
        Ok(Self::of(identity::Identity::generate(&mut Entropy::os().rng()?)))
    }

    /// The identity of a private key of 32 bytes. Wipe the bytes afterwards: this object has a copy
    /// of its own.
    #[uniffi::constructor]
    pub fn from_secret(secret: &[u8]) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Identity.from_secret");
        let secret = secret_of(secret)?;
        Ok(Self::of(identity::Identity::from_secret(SecretKey::from_secret(secret)?)))
    }

    /// The identity of a key file; one is drawn and written if there is no such file. The file has 64
    /// hex digits and only its owner may read it.
    #[uniffi::constructor]
    pub fn from_file(path: String) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Identity.from_file");
        Ok(Self::of(keyfile::load_or_create(Path::new(&path), &Entropy::os())?))
    }

    /// The identity that was sealed under this key.
    #[uniffi::constructor]
    pub fn unseal(sealed: &[u8], under: &SymmetricKey) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Identity.unseal");
        let secret = Zeroizing::new(under.0.aead().open(sealed)?);
        Self::from_secret(&secret)
    }

    /// The private key, encrypted under a key that is used for nothing else, such as one that the
    /// system keeps. Store it; it is of no use without that key.
    pub fn seal(&self, under: &SymmetricKey) -> Result<Vec<u8>, WhisperError> {
        faults::enter("Identity.seal");
        let mut rng = Entropy::os().rng()?;
        Ok(under.0.aead().seal(self.0.secret().expose(), &mut rng))
    }

    /// The public half: what others write to.
    pub fn public_key(&self) -> PublicKey {
        self.0.public_key()
    }

    /// Opens what was encrypted for this identity: the data of an envelope.
    pub fn decrypt(&self, data: &[u8]) -> Result<Message, WhisperError> {
        faults::enter("Identity.decrypt");
        Ok((&whisper_core::message::Message::open_as(data, &self.0)?).into())
    }
}

impl Identity {
    fn of(identity: identity::Identity) -> Arc<Self> {
        Arc::new(Self(Arc::new(identity)))
    }
}

/// A key that all readers share. It never leaves this object, and is wiped when the last holder lets
/// go of it.
#[derive(uniffi::Object)]
pub struct SymmetricKey(pub(crate) Arc<identity::SymmetricKey>);

#[uniffi::export]
impl SymmetricKey {
    /// A new key, from the randomness of the system. It dies with this object.
    #[uniffi::constructor]
    pub fn generate() -> Result<Arc<Self>, WhisperError> {
        faults::enter("SymmetricKey.generate");
        Ok(Self::of(identity::SymmetricKey::generate(&mut Entropy::os().rng()?)))
    }

    /// A key of 32 bytes. Wipe the bytes afterwards: this object has a copy of its own.
    #[uniffi::constructor]
    pub fn from_secret(secret: &[u8]) -> Result<Arc<Self>, WhisperError> {
        faults::enter("SymmetricKey.from_secret");
        Ok(Self::of(identity::SymmetricKey::from_secret(&secret_of(secret)?)?))
    }

    /// The key that go-ethereum makes of a password, in UTF-8. That takes milliseconds, for whoever
    /// guesses as well: take a long one, in the form NFC of Unicode.
    #[uniffi::constructor]
    pub fn from_password(password: &[u8]) -> Result<Arc<Self>, WhisperError> {
        faults::enter("SymmetricKey.from_password");
        let password = std::str::from_utf8(password)
            .map_err(|error| WhisperError::malformed("a password in UTF-8", error))?;
        Ok(Self::of(identity::SymmetricKey::from_password(password)))
    }

    /// What tells this key from others: a hash, as hex text. It is not secret.
    pub fn fingerprint(&self) -> String {
        hex::encode(self.0.id())
    }

    /// Opens what was encrypted under this key: the data of an envelope.
    pub fn decrypt(&self, data: &[u8]) -> Result<Message, WhisperError> {
        faults::enter("SymmetricKey.decrypt");
        Ok((&whisper_core::message::Message::open(data, &self.0)?).into())
    }
}

impl SymmetricKey {
    fn of(key: identity::SymmetricKey) -> Arc<Self> {
        Arc::new(Self(Arc::new(key)))
    }
}

fn secret_of(bytes: &[u8]) -> Result<Secret<32>, WhisperError> {
    let reason = || format!("a key has 32 bytes, not {}", bytes.len());
    Secret::from_slice(bytes).ok_or_else(|| WhisperError::malformed("a key", reason()))
}
