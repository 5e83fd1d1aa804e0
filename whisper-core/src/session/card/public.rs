//! Public cards: found, as one more envelope, by who knows whose they are.

use alloc::vec::Vec;

use super::error::CardError;
use super::whole::Card;
use crate::crypto::Secret;
use crate::crypto::kdf::hkdf_sha256;
use crate::crypto::kdf::hmac_sha256;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

/// Where the public card of an identity is published and how it is read. All of it follows from
/// the identity: who knows that also sees, by timing, near which node the card appears.
pub struct PublicCard {
    identity: PublicKey,
    key: Secret<32>,
}

impl PublicCard {
    /// Of this identity.
    pub fn of(identity: PublicKey) -> Self {
        let key = hkdf_sha256(b"WS1/pub", &[&identity.to_compressed()], &[]);
        Self { identity, key }
    }

    /// The key that its envelopes are sealed with.
    pub const fn key(&self) -> &Secret<32> {
        &self.key
    }

    /// The topic on the day of `now`.
    pub fn topic(&self, now: Timestamp) -> Topic {
        let day = now.as_secs() / 86_400;
        let mac = hmac_sha256(self.key.expose(), &[b"WS1/topic", &day.to_be_bytes()]);
        Topic::new(mac.first_chunk().copied().unwrap_or_default())
    }

    /// What goes into the envelope: the card, then zeros. `None` for a card with a one-time key,
    /// which is for one reader only, and for that of somebody else.
    pub fn payload(&self, card: &Card) -> Option<Vec<u8>> {
        self.admits(card).then(|| {
            let mut payload = card.to_bytes();
            payload.resize(PAYLOAD, 0);
            payload
        })
    }

    /// The card in a payload.
    ///
    /// # Errors
    /// [`CardError`] says what is wrong: it is [`CardError::Identity`] if the card is that of
    /// somebody else, [`CardError::OneTimeKey`] if it has a one-time key.
    pub fn read(&self, payload: &[u8]) -> Result<Card, CardError> {
        if payload.len() != PAYLOAD {
            return Err(CardError::Length);
        }
        let card = Card::from_padded(payload)?;
        if self.admits(&card) {
            Ok(card)
        } else if card.one_time_key().is_some() {
            Err(CardError::OneTimeKey)
        } else {
            Err(CardError::Identity)
        }
    }

    fn admits(&self, card: &Card) -> bool {
        card.one_time_key().is_none() && card.cert().identity() == self.identity
    }
}

impl core::fmt::Debug for PublicCard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("PublicCard").field("identity", &self.identity).finish_non_exhaustive()
    }
}

/// What an envelope of class 2,048 holds beside its three bytes in front.
const PAYLOAD: usize = 2_045;
