//! How session messages look from outside: seven lengths, and always an x coordinate in front.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::crypto::DecryptError;
use crate::crypto::aead::AesGcm;
use crate::identity::PublicKey;
use crate::identity::SymmetricKey;
use crate::message;
use crate::message::Message;
use crate::message::Padding;
use crate::message::Recipient;

use super::error::SessionError;

/// Whether data of this length may be a session's: all others need not be kept or looked up.
pub const fn is_class_length(data: usize) -> bool {
    match data.checked_sub(AesGcm::OVERHEAD) {
        Some(raw) => raw >= SMALLEST && raw <= LARGEST && raw.is_power_of_two(),
        None => false,
    }
}

/// How much room for a payload the smallest class has that holds `needed` bytes.
pub(super) fn room_for(needed: usize) -> Option<usize> {
    let class = needed.checked_add(LAYOUT)?.max(SMALLEST).checked_next_power_of_two()?;
    (class <= LARGEST).then_some(class.saturating_sub(LAYOUT))
}

/// Encrypts a payload that fills its class. The nonce is drawn until the first 32 bytes are the x
/// coordinate of a point, as they are in every invitation of the full mode: so the two look alike.
pub(super) fn seal(
    payload: &[u8],
    key: &SymmetricKey,
    rng: &mut impl CryptoRng,
) -> Result<Vec<u8>, SessionError> {
    for _ in 0..MAX_DRAWS {
        let recipient = Recipient::Symmetric(key);
        let data = message::encrypt(payload, Padding::Absent, None, recipient, rng)
            .map_err(|_| SessionError::TooLarge { max: LARGEST })?;
        if data.first_chunk().is_some_and(|x| PublicKey::lift_x(x).is_ok()) {
            return Ok(data);
        }
    }
    Err(SessionError::Entropy)
}

/// Opens what [`seal`] made. The layout is not looked at yet: it is the peer's fault if it is off.
pub(super) fn open(data: &[u8], key: &SymmetricKey) -> Result<Message, DecryptError> {
    if is_class_length(data.len()) { Message::open(data, key) } else { Err(DecryptError) }
}

/// The payload, if the message is laid out as sessions do: it fills its class, unsigned.
pub(super) fn payload(message: &Message) -> Option<&[u8]> {
    let fills = room_for(message.payload().len()) == Some(message.payload().len());
    let plain = message.signer().is_none() && message.padding().is_empty();
    (fills && plain).then(|| message.payload())
}

const SMALLEST: usize = 1_024;
const LARGEST: usize = 65_536;
/// One byte of flags, two of length.
const LAYOUT: usize = 3;
/// Half of all draws succeed: so many misses in a row do not happen to a random source that works.
const MAX_DRAWS: usize = 128;
