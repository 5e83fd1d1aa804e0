//! Short cards: what an invitation brings of its sender's card.

use alloc::vec::Vec;

use super::cert::Cert;
use super::error::CardError;
use super::signed::BEHIND;
use super::signed::CardSettings;
use super::signed::OneTimeKey;
use super::signed::PrekeyId;
use super::signed::Signed;
use super::signed::take;
use super::validity::Validity;
use super::whole::Card;
use crate::crypto::ml_kem::EncapsulationKey;
use crate::crypto::x_only::XOnlyPublicKey;

/// A card with the hash of K in the place of K, under the same signature: 279 bytes, and more with a
/// one-time key or extensions. It says what K is, and cannot invite without it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ShortCard {
    signed: Signed,
    kem_hash: [u8; 32],
}

impl ShortCard {
    /// Reads a short card, and checks all of it but the dates.
    ///
    /// # Errors
    /// [`CardError`] says what is wrong.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CardError> {
        let mut rest = bytes;
        let (mut signed, flags) = Signed::read_head(&mut rest)?;
        let kem_hash = take(&mut rest)?;
        signed.read_tail(flags, &mut rest)?;
        if !rest.is_empty() {
            return Err(CardError::Length);
        }
        let signed = signed.verified(&kem_hash)?;
        Ok(Self { signed, kem_hash })
    }

    /// Reads the short card of which `tail` is what stands behind the certificate.
    ///
    /// # Errors
    /// [`CardError`] says what is wrong: it is [`CardError::Reserved`] if the flags announce a
    /// one-time key or extensions, for which there is no room here.
    pub fn from_tail(cert: &Cert, tail: &[u8; TAIL]) -> Result<Self, CardError> {
        if tail.get(FLAGS).is_none_or(|flags| flags & BEHIND != 0) {
            return Err(CardError::Reserved);
        }
        Self::from_bytes(&[&cert.to_bytes()[..], tail].concat())
    }

    /// What stands behind the certificate, if there is neither a one-time key nor an extension.
    pub fn to_tail(&self) -> Option<[u8; TAIL]> {
        let plain = self.signed.one_time.is_none() && self.signed.extensions.is_empty();
        if plain { self.to_bytes().last_chunk().copied() } else { None }
    }

    /// The bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.signed.to_bytes(&self.kem_hash)
    }

    /// The whole card, if `kem` is its K.
    pub fn complete(&self, kem: EncapsulationKey) -> Option<Card> {
        Card::completing(self, kem)
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

    pub(super) const fn of(signed: Signed, kem_hash: [u8; 32]) -> Self {
        Self { signed, kem_hash }
    }

    pub(super) const fn signed(&self) -> &Signed {
        &self.signed
    }
}

/// Bytes of a short card behind its certificate, with neither a one-time key nor extensions.
pub const TAIL: usize = 141;
/// Where the flags stand in it.
const FLAGS: usize = 44;
