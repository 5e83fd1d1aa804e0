//! Accepting an invitation, step by step: between the steps stand the caches and the budgets of who
//! has many sessions. Each step costs more than the one before, and nothing is kept before the last.

use core::time::Duration;

use super::body::Body;
use super::error::KnockError;
use super::error::Refused;
use super::keys::Salt;
use super::layout::Address;
use super::layout::Inner;
use super::layout::Parts;
use super::ratchet::Ratchet;
use super::session::Session;
use super::size::is_full_length;
use super::transcript::Transcript;
use crate::crypto::Secret;
use crate::crypto::ml_kem::CIPHERTEXT;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::hash::sha256;
use crate::identity::PublicKey;
use crate::session::card::Cert;
use crate::session::card::ShortCard;
use crate::session::contract::MessageName;
use crate::session::contract::Role;
use crate::session::prekeys::Prekey;
use crate::time::Timestamp;

/// Whom invitations are for.
#[derive(Debug)]
pub struct Host<'a> {
    /// Who is invited.
    pub identity: PublicKey,
    /// The private half of the key that the host's certificate names.
    pub dh: &'a XOnlySecretKey,
}

impl<'a> Host<'a> {
    /// Looks whether data is an invitation to this host: one agreement of keys, whoever it is for.
    ///
    /// # Errors
    /// [`KnockError`], if it is not, or if it was made with a later version.
    pub fn look(&self, data: &'a [u8]) -> Result<Knock<'a>, KnockError> {
        let parts = Some(data).filter(|data| is_full_length(data.len())).and_then(Parts::of);
        let parts = parts.ok_or(KnockError::NotOurs)?;
        let key = XOnlyPublicKey::from_bytes(parts.key).map_err(|_| KnockError::NotOurs)?;
        let mut transcript = Transcript::new(&self.identity, &self.dh.public_key(), &key);
        let [first, second] = transcript.mix_for_two(&self.dh.agree(&key));
        let address = transcript.open(&first, parts.address).map_err(|_| KnockError::NotOurs)?;
        let address = Address::decode(&address).ok_or(KnockError::PeerTooNew)?;
        let (host, dh) = (self.identity, self.dh);
        Ok(Knock { host, dh, parts, key, address, transcript, second })
    }
}

/// An invitation to this host. Who sent it is not known yet.
#[derive(Debug)]
pub struct Knock<'a> {
    host: PublicKey,
    dh: &'a XOnlySecretKey,
    parts: Parts<'a>,
    key: XOnlyPublicKey,
    address: Address,
    transcript: Transcript,
    second: Secret<32>,
}

impl<'a> Knock<'a> {
    /// Which of the host's prekeys it is for.
    pub const fn prekey_id(&self) -> u32 {
        self.address.prekey
    }

    /// Which of the host's one-time prekeys it is for, if any.
    pub const fn one_time_id(&self) -> Option<u32> {
        match self.address.one_time {
            0 => None,
            id => Some(id),
        }
    }

    /// The name under which to remember that it came, for as long as its prekey lives.
    pub fn name(&self) -> [u8; 16] {
        sha256(self.parts.key).first_chunk().copied().unwrap_or_default()
    }

    /// Opens the certificate of the sender, with the keys that the invitation is for.
    ///
    /// # Errors
    /// [`Refused`], whatever is wrong.
    pub fn identify(
        self,
        now: Timestamp,
        prekey: &'a Prekey,
        one_time: Option<&XOnlySecretKey>,
    ) -> Result<Caller<'a>, Refused> {
        let Self { host, dh, parts, key, address, mut transcript, second } = self;
        if prekey.id().get() != address.prekey {
            return Err(Refused);
        }
        transcript.absorb(&[&prekey.dh_key().to_bytes(), prekey.kem_hash()]);
        let ciphertext = transcript.open(&second, parts.ciphertext).map_err(|_| Refused)?;
        let ciphertext: &[u8; CIPHERTEXT] =
            ciphertext.as_slice().try_into().map_err(|_| Refused)?;
        // A wrong ciphertext gives a secret too: that it is not the sender's shows below.
        let shared = prekey.kem().decapsulate(ciphertext);
        transcript.mix(&prekey.dh().agree(&key));
        if address.one_time != 0 {
            let one_time = one_time.ok_or(Refused)?;
            transcript.absorb(&[&one_time.public_key().to_bytes()]);
            transcript.mix(&one_time.agree(&key));
        }
        let third = transcript.mix(&shared);
        let cert = transcript.open(&third, parts.cert).map_err(|_| Refused)?;
        let cert = Cert::from_bytes(&cert).map_err(|_| Refused)?;
        if cert.validity().check(now).is_err() || cert.identity() == host {
            return Err(Refused);
        }
        Ok(Caller { dh, prekey, inner: parts.inner, cert, transcript })
    }
}

/// An invitation whose sender has a name. That it is the sender's own is not known yet.
#[derive(Debug)]
pub struct Caller<'a> {
    dh: &'a XOnlySecretKey,
    prekey: &'a Prekey,
    inner: &'a [u8],
    cert: Cert,
    transcript: Transcript,
}

impl Caller<'_> {
    /// Who claims to invite.
    pub const fn cert(&self) -> &Cert {
        &self.cert
    }

    /// Opens the rest, which only the owner of the certificate can have made: or somebody who has
    /// stolen the host's keys.
    ///
    /// # Errors
    /// [`Refused`], whatever is wrong.
    pub fn open(self, now: Timestamp) -> Result<Accepted, Refused> {
        let Self { dh, prekey, inner, cert, mut transcript } = self;
        let peer = cert.long_term();
        transcript.mix(&dh.agree(&peer));
        let fourth = transcript.mix(&prekey.dh().agree(&peer));
        let inner = transcript.open(&fourth, inner).map_err(|_| Refused)?;
        let inner = Inner::decode(&inner).ok_or(Refused)?;
        let key = XOnlyPublicKey::from_bytes(inner.key).map_err(|_| Refused)?;
        let card = inner.tail.map(|tail| ShortCard::from_tail(&cert, tail)).transpose();
        let card = card.map_err(|_| Refused)?;
        let created_at = Timestamp::from_secs(inner.created_at.into());
        let ahead = created_at.saturating_since(now);
        if ahead > MAX_AHEAD || now.saturating_since(created_at) > MAX_AGE {
            return Err(Refused);
        }
        let body = Body::decode(inner.body).filter(|body| body.content.invites());
        let outcome = transcript.finish();
        let ratchet =
            Ratchet::responder(&outcome.id, &outcome.root, prekey.dh(), key, outcome.responder);
        let session = Session::new(outcome.id, Role::Responder, created_at, ratchet);
        let name = outcome.initiator.name(0, &Salt::default());
        Ok(Accepted { session, cert, card, name, body })
    }
}

/// An invitation that holds.
#[derive(Debug)]
#[non_exhaustive]
pub struct Accepted {
    /// The session that it makes on this side.
    pub session: Session,
    /// Who invites.
    pub cert: Cert,
    /// The card of the sender, but for its KEM key, which a message brings later.
    pub card: Option<ShortCard>,
    /// The name of the text.
    pub name: MessageName,
    /// The text; none if it breaks a rule, which does not hinder the session.
    pub body: Option<Body>,
}

/// How old an invitation may be: as long as the prekeys that it is for.
const MAX_AGE: Duration = Duration::from_secs(21 * 86_400);
/// How far its clock may be ahead.
const MAX_AHEAD: Duration = Duration::from_secs(600);
