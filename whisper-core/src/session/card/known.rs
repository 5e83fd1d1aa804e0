//! Which certificate and which card of a peer count, whatever comes in whatever order.

use super::cert::Cert;
use super::short::ShortCard;
use super::validity::Expired;
use super::whole::Card;
use crate::identity::PublicKey;
use crate::time::Timestamp;

/// The newest certificate, whole card and short card that were heard of one identity.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KnownCards {
    cert: Cert,
    whole: Option<Card>,
    short: Option<ShortCard>,
}

/// What a card or certificate that was heard has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// Nothing that matters: it is as old as what is there, or older.
    Old,
    /// It counts from now on.
    New,
    /// It counts from now on, and its key D is another: ask the person.
    KeyChanged,
}

/// Why a card or certificate was not kept.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NotKept {
    /// It belongs to somebody else.
    #[error("the card is that of somebody else")]
    Stranger,
    /// Its dates lie ahead: one that was made by a clock that was ahead would stand in the way of
    /// all later ones.
    #[error("the card is not valid yet: look at the clock")]
    NotYetValid,
    /// It has another key D, and is not newer than the certificate that is there.
    #[error("the card has another key than a newer one")]
    OtherKey,
}

impl KnownCards {
    /// Begins with a certificate: that of an invitation, or of the first card.
    pub const fn new(cert: Cert) -> Self {
        Self { cert, whole: None, short: None }
    }

    /// The identity.
    pub const fn identity(&self) -> PublicKey {
        self.cert.identity()
    }

    /// The newest certificate.
    pub const fn cert(&self) -> &Cert {
        &self.cert
    }

    /// The newest whole card: what invitations use. Ask it whether its dates hold.
    pub const fn whole(&self) -> Option<&Card> {
        self.whole.as_ref()
    }

    /// A short card that is newer than the whole one.
    pub const fn short(&self) -> Option<&ShortCard> {
        self.short.as_ref()
    }

    /// Takes a certificate.
    ///
    /// # Errors
    /// [`NotKept`] says why nothing was kept of it.
    pub fn hear_cert(&mut self, now: Timestamp, cert: &Cert) -> Result<Heard, NotKept> {
        if cert.identity() != self.identity() {
            return Err(NotKept::Stranger);
        }
        if cert.validity().check(now) == Err(Expired::NotYet) {
            return Err(NotKept::NotYetValid);
        }
        let newer = cert.validity().not_before() > self.cert.validity().not_before();
        let changed = cert.long_term() != self.cert.long_term();
        match (newer, changed) {
            (false, true) => Err(NotKept::OtherKey),
            (false, false) => Ok(Heard::Old),
            (true, false) => {
                self.cert = cert.clone();
                Ok(Heard::New)
            }
            (true, true) => {
                // Invitations under the former D would reach who has lost it, or has stolen it.
                *self = Self::new(cert.clone());
                Ok(Heard::KeyChanged)
            }
        }
    }

    /// Takes a whole card. Of cards that are equally new, the one heard last counts.
    ///
    /// # Errors
    /// [`NotKept`] says why nothing was kept of it.
    pub fn hear_card(&mut self, now: Timestamp, card: Card) -> Result<Heard, NotKept> {
        if card.check(now) == Err(Expired::NotYet) {
            return Err(NotKept::NotYetValid);
        }
        let heard = self.hear_cert(now, card.cert())?;
        let drawn = card.prekey_validity().not_before();
        if self.whole.as_ref().is_some_and(|own| own.prekey_validity().not_before() > drawn) {
            return Ok(heard);
        }
        if self.short.as_ref().is_some_and(|own| own.prekey_validity().not_before() <= drawn) {
            self.short = None;
        }
        self.whole = Some(card);
        Ok(heard.max_new())
    }

    /// Takes a short card: it is kept while it is newer than the whole one.
    ///
    /// # Errors
    /// [`NotKept`] says why nothing was kept of it.
    pub fn hear_short(&mut self, now: Timestamp, card: ShortCard) -> Result<Heard, NotKept> {
        if card.prekey_validity().check(now) == Err(Expired::NotYet) {
            return Err(NotKept::NotYetValid);
        }
        let heard = self.hear_cert(now, card.cert())?;
        let drawn = card.prekey_validity().not_before();
        let whole = self.whole.as_ref().map(|own| own.prekey_validity().not_before());
        let short = self.short.as_ref().map(|own| own.prekey_validity().not_before());
        if whole.max(short).is_some_and(|newest| newest >= drawn) {
            return Ok(heard);
        }
        self.short = Some(card);
        Ok(heard.max_new())
    }
}

impl Heard {
    const fn max_new(self) -> Self {
        match self {
            Self::Old | Self::New => Self::New,
            Self::KeyChanged => Self::KeyChanged,
        }
    }
}
