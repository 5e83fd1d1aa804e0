//! Whole cards: all that is needed to invite.

use alloc::vec::Vec;

use super::cert::Cert;
use super::error::CardError;
use super::extensions::Extensions;
use super::short::ShortCard;
use super::signed::CardSettings;
use super::signed::MAX_VALIDITY;
use super::signed::OneTimeKey;
use super::signed::PrekeyId;
use super::signed::Signed;
use super::signed::take;
use super::validity::Expired;
use super::validity::Validity;
use crate::crypto::ml_kem::ENCAPSULATION_KEY;
use crate::crypto::ml_kem::EncapsulationKey;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::time::Timestamp;

/// A certificate, a prekey P and a key K of the KEM, signed by the identity: 1,431 bytes, and more
/// with a one-time key or extensions.
///
/// It proves that its identity published it, and nothing else: a card is about nobody but its owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Card {
    signed: Signed,
    kem: EncapsulationKey,
    kem_hash: [u8; 32],
}

impl Card {
    /// Reads a card, and checks all of it but the dates.
    ///
    /// # Errors
    /// [`CardError`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let (card, rest) = Self::read(bytes)?;
        if rest.is_empty() { card.verified() } else { Err(CardError::Length) }
    }

    /// Reads a card that zeros follow: it tells its own length.
    pub(super) fn from_padded(bytes: &[u8]) -> Result<Self, CardError> {
        let (card, rest) = Self::read(bytes)?;
        if rest.iter().all(|byte| *byte == 0) { card.verified() } else { Err(CardError::Length) }
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.signed.to_bytes(self.kem.as_bytes())
    }

    /// The certificate: whose card it is.
    pub const fn cert(&self) -> &Cert {
        &self.signed.cert
    }

    /// P.
    pub const fn prekey(&self) -> XOnlyPublicKey {
        self.signed.prekey
    }

    /// The number of P, which names K too.
    pub const fn prekey_id(&self) -> PrekeyId {
        self.signed.prekey_id
    }

    /// From when until when invitations may use P.
    pub const fn prekey_validity(&self) -> Validity {
        self.signed.validity
    }

    /// K.
    pub const fn kem_key(&self) -> &EncapsulationKey {
        &self.kem
    }

    /// The SHA-256 hash of K.
    pub const fn kem_hash(&self) -> &[u8; 32] {
        &self.kem_hash
    }

    /// O, in cards that were made for one reader.
    pub const fn one_time_key(&self) -> Option<OneTimeKey> {
        self.signed.one_time
    }

    /// What its owner says about itself.
    pub const fn settings(&self) -> CardSettings {
        self.signed.settings
    }

    /// Whether both certificate and prekey hold at `now`.
    ///
    /// # Errors
    /// [`Expired`] if one of them does not.
    pub fn check(&self, now: Timestamp) -> Result<(), Expired> {
        self.signed.check(now)
    }

    /// The same card with the hash of K in the place of K.
    pub fn to_short(&self) -> ShortCard {
        ShortCard::of(self.signed.clone(), self.kem_hash)
    }

    /// The whole card of a short one, if K is the key whose hash that has.
    pub(super) fn completing(short: &ShortCard, kem: EncapsulationKey) -> Option<Self> {
        let kem_hash = sha256(kem.as_bytes());
        (kem_hash == *short.kem_hash()).then(|| Self {
            signed: short.signed().clone(),
            kem,
            kem_hash,
        })
    }

    /// The fields from the front of `bytes`, and what is behind; no signature is looked at.
    fn read(bytes: &[u8]) -> Result<(Self, &[u8]), CardError> {
        let mut rest = bytes;
        let (mut signed, flags) = Signed::read_head(&mut rest)?;
        let kem = take::<ENCAPSULATION_KEY>(&mut rest)?;
        let kem = EncapsulationKey::from_bytes(&kem).map_err(|_| CardError::KemKey)?;
        signed.read_tail(flags, &mut rest)?;
        let kem_hash = sha256(kem.as_bytes());
        Ok((Self { signed, kem, kem_hash }, rest))
    }

    fn verified(mut self) -> Result<Self, CardError> {
        self.signed = self.signed.verified(&self.kem_hash)?;
        Ok(self)
    }
}

/// The keys of a card that is to be signed.
pub(in crate::session) struct Unsigned {
    pub(in crate::session) prekey: XOnlyPublicKey,
    pub(in crate::session) prekey_id: PrekeyId,
    pub(in crate::session) drawn: Timestamp,
    pub(in crate::session) kem: EncapsulationKey,
    pub(in crate::session) one_time: Option<OneTimeKey>,
}

impl Unsigned {
    /// Signs the card. `identity` must be that of `cert`.
    pub(in crate::session) fn sign(
        self,
        identity: &Identity,
        cert: Cert,
        settings: CardSettings,
    ) -> Card {
        let kem_hash = sha256(self.kem.as_bytes());
        let mut signed = Signed {
            cert,
            prekey: self.prekey,
            prekey_id: self.prekey_id,
            validity: Validity::starting(self.drawn, MAX_VALIDITY),
            settings,
            one_time: self.one_time,
            extensions: Extensions::of(settings.features),
            signature: [0; 64],
        };
        signed.sign(identity, &kem_hash);
        Card { signed, kem: self.kem, kem_hash }
    }
}
