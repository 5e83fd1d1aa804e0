//! Messages: what the data of an envelope holds once it is decrypted.
//!
//! ```text
//! flags (1) ‖ payload length (0 to 3, little-endian) ‖ payload ‖ padding ‖ [signature (65)]
//! ```
//!
//! Nothing in a message names its recipient: whoever can open a signed message can encrypt it
//! anew for somebody else, and it will look as if its signer had done so. Sessions do not suffer
//! from that: see [`session`](crate::session).

use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use rand_core::CryptoRng;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use crate::crypto::DecryptError;
use crate::crypto::curve::InvalidSignature;
use crate::crypto::curve::Signature;
use crate::crypto::ecies;
use crate::hash::keccak256;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::identity::SymmetricKey;

/// For whom a message is encrypted.
#[derive(Clone, Copy, Debug)]
pub enum Recipient<'a> {
    /// All who share this key.
    Symmetric(&'a SymmetricKey),
    /// The holder of this key's private half.
    PublicKey(PublicKey),
}

/// What hides the length of a payload.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Padding<'a> {
    /// 1 to 256 random bytes, so that the whole is a multiple of 256.
    #[default]
    Aligned,
    /// These bytes, whatever the length becomes. None at all mean [`Padding::Aligned`], as they do
    /// to the reference.
    Given(&'a [u8]),
    /// Nothing: the payload hides its length itself, as that of a session does.
    Absent,
}

/// Lays out a message, signs it, if somebody is to sign, and encrypts it: the data of an envelope.
///
/// ```
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// use whisper_core::identity::Identity;
/// use whisper_core::message::{encrypt, Message, Padding, Recipient};
///
/// let alice = Identity::generate(&mut rng);
/// let bob = Identity::generate(&mut rng);
/// let recipient = Recipient::PublicKey(bob.public_key());
/// let data = encrypt(b"hello", Padding::Aligned, Some(&alice), recipient, &mut rng)?;
///
/// let message = Message::open_as(&data, &bob)?;
/// assert_eq!(message.payload(), b"hello");
/// assert_eq!(message.signer(), Some(alice.public_key()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`MessageError`] if the payload is too large for its length field.
pub fn encrypt(
    payload: &[u8],
    padding: Padding<'_>,
    signer: Option<&Identity>,
    recipient: Recipient<'_>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, MessageError> {
    let plaintext = lay_out(payload, padding, signer, rng)?;
    Ok(match recipient {
        Recipient::Symmetric(key) => key.aead().seal(&plaintext, rng),
        Recipient::PublicKey(key) => {
            // Keys of sessions travel this way; beside the curve, wiping costs nothing.
            ecies::encrypt(&key, &Zeroizing::new(plaintext), &[], rng)
        }
    })
}

fn lay_out(
    payload: &[u8],
    padding: Padding<'_>,
    signer: Option<&Identity>,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, MessageError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(MessageError::TooLarge { max: MAX_PAYLOAD });
    }
    let [first, second, third, ..] = payload.len().to_le_bytes();
    let (size, field): (u8, &[u8]) = match (second, third) {
        (0, 0) => (1, &[first]),
        (_, 0) => (2, &[first, second]),
        _ => (3, &[first, second, third]),
    };
    let flags = if signer.is_some() { size | SIGNED } else { size };
    let signature = if signer.is_some() { SIGNATURE } else { 0 };
    let lengths = [1, field.len(), payload.len(), signature];
    let used = lengths.into_iter().fold(0, usize::saturating_add);
    let given = match padding {
        Padding::Given(bytes) => bytes.len(),
        Padding::Aligned | Padding::Absent => ALIGNMENT,
    };

    // Room for everything at once: a vector that grows leaves copies behind.
    let mut plaintext = Vec::with_capacity(used.saturating_add(given));
    plaintext.push(flags);
    plaintext.extend_from_slice(field);
    plaintext.extend_from_slice(payload);
    match padding {
        Padding::Absent => (),
        Padding::Given(bytes) if !bytes.is_empty() => plaintext.extend_from_slice(bytes),
        Padding::Given(_) | Padding::Aligned => {
            let mut bytes = [0; ALIGNMENT];
            let (bytes, _) = bytes.split_at_mut(ALIGNMENT.saturating_sub(used % ALIGNMENT));
            rng.fill_bytes(bytes);
            plaintext.extend_from_slice(bytes);
        }
    }
    if let Some(signer) = signer {
        let signature = signer.sign(&keccak256(&plaintext));
        plaintext.extend_from_slice(signature.as_bytes());
    }
    Ok(plaintext)
}

/// Why a message cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// The payload is longer than its length field can say.
    #[error("a message carries at most {max} bytes")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
}

/// A message that was opened.
#[derive(Eq, PartialEq)]
pub struct Message {
    plaintext: Vec<u8>,
    payload: Range<usize>,
    padding: Range<usize>,
    signer: Option<PublicKey>,
    kind: Kind,
}

impl Message {
    /// Opens what was encrypted for all who share `key`.
    ///
    /// # Errors
    /// [`DecryptError`], whatever is wrong.
    pub fn open(data: &[u8], key: &SymmetricKey) -> Result<Self, DecryptError> {
        let plaintext = key.aead().open(data)?;
        Self::parse(plaintext, Kind::Symmetric).map_err(|_| DecryptError)
    }

    /// Opens what was encrypted for `identity`.
    ///
    /// # Errors
    /// [`DecryptError`], whatever is wrong.
    pub fn open_as(data: &[u8], identity: &Identity) -> Result<Self, DecryptError> {
        let plaintext = ecies::decrypt(identity.secret(), data, &[])?;
        Self::parse(plaintext, Kind::Asymmetric).map_err(|_| DecryptError)
    }

    /// Reads what a cipher gave. Only for who has the plaintext already: opening tells no reasons.
    ///
    /// # Errors
    /// [`Malformed`] names the rule that is broken.
    pub fn parse(plaintext: Vec<u8>, kind: Kind) -> Result<Self, Malformed> {
        let flags = *plaintext.first().ok_or(Malformed::Empty)?;
        let mut end = plaintext.len();
        let mut signer = None;
        if flags & SIGNED != 0 {
            let (body, signature) =
                plaintext.split_last_chunk().ok_or(Malformed::SignatureMissing)?;
            if body.len() < 2 {
                return Err(Malformed::SignatureMissing);
            }
            signer = Some(Signature::from_bytes(*signature).recover(&keccak256(body))?);
            end = body.len();
        }
        // The reference checks less than this and crashes on 1 to 3 bytes.
        let start = 1 + usize::from(flags & LENGTH_SIZE);
        let field = plaintext.get(1..start).filter(|_| start <= end).ok_or(Malformed::LengthCut)?;
        let length = field.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        let payload = start..start.saturating_add(length);
        if payload.end > end {
            return Err(Malformed::PayloadCut);
        }
        Ok(Self { padding: payload.end..end, payload, plaintext, signer, kind })
    }

    /// What the sender says.
    pub fn payload(&self) -> &[u8] {
        self.plaintext.get(self.payload.clone()).unwrap_or_default()
    }

    /// What hid the length of the payload.
    pub fn padding(&self) -> &[u8] {
        self.plaintext.get(self.padding.clone()).unwrap_or_default()
    }

    /// Who signed it, if it is signed. Some key comes out of nearly every signature: compare it.
    pub const fn signer(&self) -> Option<PublicKey> {
        self.signer
    }

    /// How it was encrypted.
    pub const fn kind(&self) -> Kind {
        self.kind
    }
}

impl Drop for Message {
    /// Invitations carry keys, and they are asymmetric: those are wiped.
    fn drop(&mut self) {
        if self.kind == Kind::Asymmetric {
            self.plaintext.zeroize();
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("padding", &format_args!("{} bytes", self.padding.len()))
            .field("signer", &self.signer)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// How a message was encrypted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    /// With a key that all its readers share.
    Symmetric,
    /// For one public key.
    Asymmetric,
}

/// Which rule a plaintext breaks.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Malformed {
    /// There is not even the byte of flags.
    #[error("the message is empty")]
    Empty,
    /// It says that it is signed, and is too short for that.
    #[error("the signature is missing")]
    SignatureMissing,
    /// Nobody made its signature.
    #[error(transparent)]
    Signature(#[from] InvalidSignature),
    /// It ends within the length of the payload.
    #[error("the length of the payload is cut off")]
    LengthCut,
    /// It ends within the payload.
    #[error("the payload is cut off")]
    PayloadCut,
}

/// Bits 0 and 1 of the flags: how many bytes the length takes.
const LENGTH_SIZE: u8 = 3;
/// Bit 2 of the flags: a signature follows. The others are written as 0 and ignored.
const SIGNED: u8 = 4;
const SIGNATURE: usize = 65;
/// go-ethereum, `padSizeLimit`.
const ALIGNMENT: usize = 256;
/// What three bytes can say.
const MAX_PAYLOAD: usize = 0xff_ffff;

#[cfg(test)]
mod tests;
