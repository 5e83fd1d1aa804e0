//! Inviting: one message that makes a session with somebody who may be away.

use alloc::vec::Vec;

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::body::Body;
use super::error::InviteError;
use super::keys::Salt;
use super::keys::parts;
use super::layout::Address;
use super::layout::Inner;
use super::ratchet::Ratchet;
use super::rendezvous;
use super::session::Session;
use super::size::MAX_DATA;
use super::transcript::Transcript;
use crate::crypto::Secret;
use crate::crypto::kdf::hkdf_sha256;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::hash::sha256;
use crate::session::card::Card;
use crate::session::card::Cert;
use crate::session::card::TAIL;
use crate::session::contract::MessageName;
use crate::session::contract::Role;
use crate::time::Timestamp;
use crate::topic::Topic;

/// What one invites with.
#[derive(Debug)]
pub struct Inviter<'a> {
    /// The private half of the key that the certificate names.
    pub dh: &'a XOnlySecretKey,
    /// Who invites.
    pub cert: &'a Cert,
    /// The newest key of one's own prekeys: a source of randomness that nothing public tells.
    pub kem: &'a DecapsulationKey,
    /// What lets the peer know which card to await.
    pub tail: Option<[u8; TAIL]>,
}

/// An invitation on its way out, and the session that it makes on this side.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invited {
    /// The data of an envelope.
    pub data: Vec<u8>,
    /// The topic of the envelope.
    pub topic: Topic,
    /// The session.
    pub session: Session,
    /// The name of the text that the invitation carries.
    pub name: MessageName,
}

impl Inviter<'_> {
    /// Invites the owner of a card. What is said first goes with it. The one-time prekey of a card, if
    /// it has one, serves a single invitation.
    ///
    /// # Errors
    /// [`InviteError`]: nothing was made.
    pub fn invite(
        &self,
        now: Timestamp,
        card: &Card,
        one_time: bool,
        body: &Body,
        rng: &mut impl CryptoRng,
    ) -> Result<Invited, InviteError> {
        if card.cert().identity() == self.cert.identity() {
            return Err(InviteError::OwnCard);
        }
        if card.check(now).is_err() || self.cert.validity().check(now).is_err() {
            return Err(InviteError::CardExpired);
        }
        if !body.content.invites() {
            return Err(InviteError::Kind);
        }
        let class = body.content.class().ok_or(InviteError::TooLarge { max: MAX_DATA })?;
        self.invite_as(class, now, card, one_time, body, rng)
    }

    /// Makes an invitation of a class.
    pub(super) fn invite_as(
        &self,
        class: usize,
        now: Timestamp,
        card: &Card,
        one_time: bool,
        body: &Body,
        rng: &mut impl CryptoRng,
    ) -> Result<Invited, InviteError> {
        let created_at = u32::try_from(now.as_secs()).map_err(|_| InviteError::Date)?;
        let said = body.encode().ok_or(InviteError::Date)?;
        let one_time = card.one_time_key().filter(|_| one_time);
        let address = Address {
            prekey: card.prekey_id().get(),
            one_time: one_time.map_or(0, |one_time| one_time.id.get()),
        };
        let coins = self.coins(card, address, (created_at, &said), rng)?;
        let key = coins.ratchet.public_key().to_bytes();
        let inner = Inner { key: &key, created_at, body: &said, tail: self.tail.as_ref() };
        let inner = inner.encode(class).ok_or(InviteError::TooLarge { max: MAX_DATA })?;
        let one_time = one_time.map(|one_time| one_time.key);
        let (data, transcript) = self.seal(card, (address, one_time), &coins, &inner);
        let outcome = transcript.finish();
        let prekey = card.prekey();
        let ratchet = Ratchet::initiator(
            &outcome.id,
            &outcome.root,
            coins.ratchet,
            &prekey,
            outcome.responder,
        );
        let topic = match card.settings().random_topics {
            true => Topic::random(rng),
            false => rendezvous::topic(now, &card.cert().long_term(), &prekey, rng),
        };
        let created_at = Timestamp::from_secs(created_at.into());
        Ok(Invited {
            data,
            topic,
            session: Session::new(outcome.id, Role::Initiator, created_at, ratchet),
            name: outcome.initiator.name(0, &Salt::default()),
        })
    }

    /// Draws what is used once. It differs by peer, card, second and text even if the random source
    /// repeats itself.
    fn coins(
        &self,
        card: &Card,
        address: Address,
        (created_at, body): (u32, &[u8]),
        rng: &mut impl CryptoRng,
    ) -> Result<Coins, InviteError> {
        let said = Zeroizing::new([&created_at.to_be_bytes()[..], body].concat());
        let info: [&[u8]; 6] = [
            b"WS1/eph",
            &card.cert().long_term().to_bytes(),
            &card.prekey().to_bytes(),
            card.kem_hash(),
            &address.one_time.to_be_bytes(),
            &sha256(&said),
        ];
        for _ in 0..MAX_DRAWS {
            let salt = Secret::<32>::generate(rng);
            let secrets = [&self.dh.expose()[..], self.kem.expose()];
            let drawn = hkdf_sha256::<96>(salt.expose(), &secrets, &info);
            let [own, ratchet, kem] = parts(&drawn);
            let keys = [own, ratchet].map(XOnlySecretKey::from_secret);
            if let [Ok(own), Ok(ratchet)] = keys {
                return Ok(Coins { own, ratchet, kem });
            }
        }
        Err(InviteError::Entropy)
    }

    /// Encrypts, one part after the other: each is bound to those before it.
    fn seal(
        &self,
        card: &Card,
        (address, one_time): (Address, Option<XOnlyPublicKey>),
        coins: &Coins,
        inner: &[u8],
    ) -> (Vec<u8>, Transcript) {
        let (identity, dh) = (card.cert().identity(), card.cert().long_term());
        let (prekey, own) = (card.prekey(), &coins.own);
        let key = own.public_key();
        let mut transcript = Transcript::new(&identity, &dh, &key);

        let [first, second] = transcript.mix_for_two(&own.agree(&dh));
        let address = transcript.seal(&first, &address.encode());

        transcript.absorb(&[&prekey.to_bytes(), card.kem_hash()]);
        let (ciphertext, shared) = card.kem_key().encapsulate(&coins.kem);
        let ciphertext = transcript.seal(&second, ciphertext.expose());

        transcript.mix(&own.agree(&prekey));
        if let Some(one_time) = one_time {
            transcript.absorb(&[&one_time.to_bytes()]);
            transcript.mix(&own.agree(&one_time));
        }
        let third = transcript.mix(&shared);
        let cert = transcript.seal(&third, &self.cert.to_bytes());

        transcript.mix(&self.dh.agree(&dh));
        let fourth = transcript.mix(&self.dh.agree(&prekey));
        let inner = transcript.seal(&fourth, inner);

        let data = [&key.to_bytes()[..], &address, &ciphertext, &cert, &inner].concat();
        (data, transcript)
    }
}

/// What serves one invitation.
struct Coins {
    /// The key of the invitation.
    own: XOnlySecretKey,
    /// The first key of the ratchet.
    ratchet: XOnlySecretKey,
    /// What the KEM draws from.
    kem: Secret<32>,
}

/// A draw is out of range once in 2^127.
const MAX_DRAWS: usize = 128;
