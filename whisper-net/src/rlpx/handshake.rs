//! The handshake: one packet each way, in EIP-8's form. Pure: bytes in, bytes out.
//!
//! Each stage is a struct that the next one consumes, so that an ephemeral key lives exactly once and
//! is wiped when the secrets exist. The form before EIP-8 is refused: every known client opens with the
//! newer one.
//!
//! ```
//! # use chacha20::ChaCha20Rng;
//! # use rand_core::SeedableRng;
//! # let mut rng = ChaCha20Rng::from_seed([7; 32]);
//! use whisper_core::identity::Identity;
//! use whisper_net::rlpx::handshake::{Auth, initiate};
//!
//! let (alice, bob) = (Identity::generate(&mut rng), Identity::generate(&mut rng));
//! let waiting = initiate(&alice, &bob.public_key(), &mut rng);
//! let auth = Auth::open(&bob, waiting.auth())?;
//! assert_eq!(auth.remote(), alice.public_key());
//! let (ack, _bobs_channel) = auth.answer(&mut rng);
//! let _alices_channel = waiting.receive(&ack)?;
//! # Ok::<(), whisper_net::rlpx::handshake::HandshakeError>(())
//! ```

use std::fmt;
use std::ops::RangeInclusive;

use rand_core::CryptoRng;
use whisper_core::crypto::DecryptError;
use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::InvalidKey;
use whisper_core::crypto::curve::InvalidSignature;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::ecies;
use whisper_core::identity::Identity;
use whisper_core::rlp::DecodeError;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;

use super::frame::Egress;
use super::frame::Ingress;
use super::secrets::Secrets;
use super::secrets::xor;

/// Opens a handshake with the holder of `remote`'s private half.
pub fn initiate<'a>(
    local: &'a Identity,
    remote: &PublicKey,
    rng: &mut impl CryptoRng,
) -> AwaitAck<'a> {
    let mut nonce = [0; 32];
    rng.fill_bytes(&mut nonce);
    let ephemeral = SecretKey::generate(rng);
    let digest = digest(&local.agree(remote), &nonce);
    let signature = ephemeral.sign(digest.expose());
    let mut body = Writer::with_capacity(PLAINTEXT);
    body.list(|body| {
        body.bytes(signature.as_bytes());
        body.bytes(&local.public_key().to_bytes()).bytes(&nonce).uint(VERSION);
    });
    let auth = seal(remote, padded(body, rng), rng);
    AwaitAck { local, ephemeral, nonce, auth }
}

/// The initiator's half of a handshake, waiting for the answer.
pub struct AwaitAck<'a> {
    local: &'a Identity,
    ephemeral: SecretKey,
    nonce: [u8; 32],
    auth: Vec<u8>,
}

impl AwaitAck<'_> {
    /// The packet to send.
    pub fn auth(&self) -> &[u8] {
        &self.auth
    }

    /// Turns the answer, exactly its bytes on the wire, into the two halves of a channel. Consumes the
    /// only copy of the ephemeral key.
    ///
    /// # Errors
    /// What is wrong with the answer. Close the connection without a word then.
    pub fn receive(self, ack: &[u8]) -> Result<(Egress, Ingress), HandshakeError> {
        let body = open(self.local, Message::Ack, ack)?;
        let mut fields = Reader::new(&body).list()?;
        let ephemeral = PublicKey::from_bytes(&fields.array()?)?;
        let nonce = fields.array()?;
        skip_version_and_extras(fields)?;
        let agreed = self.ephemeral.agree(&ephemeral);
        let secrets = Secrets::derive(&agreed, &self.nonce, &nonce);
        Ok(secrets.initiator((&self.nonce, &self.auth), (&nonce, ack)))
    }
}

impl fmt::Debug for AwaitAck<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AwaitAck(..)")
    }
}

/// The recipient's half of a handshake: somebody's opening packet, not answered yet.
///
/// Whoever sent it may have recorded it elsewhere: that the initiator holds the key it names is proved
/// by the first frame with a valid MAC, not before.
pub struct Auth {
    remote: PublicKey,
    ephemeral: PublicKey,
    nonce: [u8; 32],
    packet: Vec<u8>,
}

impl Auth {
    /// Reads an opening packet, exactly its bytes on the wire.
    ///
    /// # Errors
    /// What is wrong with it. Close the connection without a word then.
    pub fn open(local: &Identity, packet: &[u8]) -> Result<Self, HandshakeError> {
        let body = open(local, Message::Auth, packet)?;
        let mut fields = Reader::new(&body).list()?;
        let signature = Signature::from_bytes(fields.array()?);
        let remote = PublicKey::from_bytes(&fields.array()?)?;
        let nonce = fields.array()?;
        skip_version_and_extras(fields)?;
        let digest = digest(&local.agree(&remote), &nonce);
        let ephemeral = signature.recover(digest.expose())?;
        Ok(Self { remote, ephemeral, nonce, packet: packet.to_vec() })
    }

    /// Who claims to have sent it.
    pub const fn remote(&self) -> PublicKey {
        self.remote
    }

    /// The answer to send, and the two halves of the channel.
    pub fn answer(self, rng: &mut impl CryptoRng) -> (Vec<u8>, (Egress, Ingress)) {
        let mut nonce = [0; 32];
        rng.fill_bytes(&mut nonce);
        let ephemeral = SecretKey::generate(rng);
        let mut body = Writer::with_capacity(PLAINTEXT);
        body.list(|body| {
            body.bytes(&ephemeral.public_key().to_bytes()).bytes(&nonce).uint(VERSION);
        });
        let ack = seal(&self.remote, padded(body, rng), rng);
        let agreed = ephemeral.agree(&self.ephemeral);
        let secrets = Secrets::derive(&agreed, &self.nonce, &nonce);
        let channel = secrets.recipient((&self.nonce, &self.packet), (&nonce, &ack));
        (ack, channel)
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// The two packets of a handshake.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Message {
    /// From the initiator to the recipient.
    Auth,
    /// From the recipient to the initiator.
    Ack,
}

impl Message {
    /// How many bytes follow the first two of this packet. Read exactly those: behind them, frames may
    /// already stand.
    ///
    /// # Errors
    /// [`HandshakeError::Size`] if the packet would be shorter or longer than such a packet may be.
    pub fn remaining(self, prefix: [u8; 2]) -> Result<usize, HandshakeError> {
        let size = usize::from(u16::from_be_bytes(prefix));
        if self.sizes().contains(&size) { Ok(size) } else { Err(HandshakeError::Size(size)) }
    }

    const fn sizes(self) -> RangeInclusive<usize> {
        match self {
            // go-ethereum reads as many bytes as the form before EIP-8 had, and takes no less.
            Self::Auth => 307..=MAX_SIZE,
            Self::Ack => 210..=MAX_SIZE,
        }
    }
}

/// What later versions of go-ethereum bound the size to; 1.9.20 takes up to 65,535, and sends no more
/// than 600.
const MAX_SIZE: usize = 2_048;

/// Wraps a body, padding included, as both packets are: size, then ECIES with the size as MAC data.
///
/// A body that would not fit the size prefix is cut short; no handshake has one.
pub fn seal(recipient: &PublicKey, mut body: Vec<u8>, rng: &mut impl CryptoRng) -> Vec<u8> {
    body.truncate(usize::from(u16::MAX).saturating_sub(ecies::OVERHEAD));
    let size = u16::try_from(body.len().saturating_add(ecies::OVERHEAD)).unwrap_or(u16::MAX);
    let prefix = size.to_be_bytes();
    let mut packet = prefix.to_vec();
    packet.append(&mut ecies::encrypt(recipient, &body, &prefix, rng));
    packet
}

fn open(local: &Identity, message: Message, packet: &[u8]) -> Result<Vec<u8>, HandshakeError> {
    let (prefix, sealed) = packet.split_first_chunk().ok_or(HandshakeError::Truncated)?;
    match message.remaining(*prefix)?.cmp(&sealed.len()) {
        std::cmp::Ordering::Equal => Ok(ecies::decrypt(local.secret(), sealed, prefix)?),
        std::cmp::Ordering::Greater => Err(HandshakeError::Truncated),
        std::cmp::Ordering::Less => Err(HandshakeError::Size(sealed.len())),
    }
}

/// EIP-8: the version's value, further elements and what follows the list are ignored, but must be RLP.
fn skip_version_and_extras(mut fields: Reader<'_>) -> Result<(), DecodeError> {
    fields.uint()?;
    while !fields.is_empty() {
        fields.raw()?;
    }
    Ok(())
}

/// What the ephemeral key signs: the static keys' agreement, masked with the nonce.
fn digest(agreed: &Secret<32>, nonce: &[u8; 32]) -> Secret<32> {
    Secret::fill_with(|digest| *digest = xor(agreed.expose(), nonce))
}

/// Hides what kind of packet this is behind 100 to 299 zeros, as go-ethereum does.
fn padded(body: Writer, rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut draw = [0; 2];
    rng.fill_bytes(&mut draw);
    let padding = 100_usize.saturating_add(usize::from(u16::from_be_bytes(draw) % 200));
    let mut bytes = body.into_bytes();
    bytes.resize(bytes.len().saturating_add(padding), 0);
    bytes
}

/// EIP-8: "auth-vsn", sent as 4 and never looked at.
const VERSION: u64 = 4;

/// An auth body is 169 bytes, an ack body 102, and padding at most 299.
const PLAINTEXT: usize = 512;

/// Why a handshake came to nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HandshakeError {
    /// The packet is shorter or longer than such a packet may be.
    #[error("a handshake packet of {0} bytes is out of bounds")]
    Size(usize),
    /// The packet ends early.
    #[error("a handshake packet ends early")]
    Truncated,
    /// The packet is not for us, or was changed.
    #[error(transparent)]
    Undecipherable(#[from] DecryptError),
    /// The body is not the list that belongs there.
    #[error("a handshake packet is malformed: {0}")]
    Malformed(#[from] DecodeError),
    /// A public key is no point of the curve.
    #[error(transparent)]
    InvalidKey(#[from] InvalidKey),
    /// No ephemeral key made the signature.
    #[error(transparent)]
    InvalidSignature(#[from] InvalidSignature),
}

#[cfg(test)]
mod tests;
