//! Alice and Bob of Appendix C, with all their keys.

use alloc::format;

use super::*;
use crate::crypto::curve::SecretKey;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::session::card::Card;
use crate::session::card::CardSettings;
use crate::session::card::Cert;
use crate::session::card::OneTimeKey;
use crate::session::card::PrekeyId;
use crate::session::card::Unsigned;
use crate::session::prekeys::Prekey;

/// What a label stands for.
pub(super) fn label(label: &str) -> [u8; 32] {
    sha256(format!("WS1-KAT/{label}").as_bytes())
}

/// The two halves of a KEM's seed.
pub(super) fn seed(name: &str) -> Vec<u8> {
    [label(&format!("{name}0")), label(&format!("{name}1"))].concat()
}

pub(super) fn scalar(name: &str) -> XOnlySecretKey {
    XOnlySecretKey::from_bytes(&label(name)).unwrap()
}

pub(super) fn kem(name: &str) -> DecapsulationKey {
    DecapsulationKey::from_secret(crate::crypto::Secret::from_slice(&seed(name)).unwrap())
}

/// Somebody with an identity, a certificate, and prekeys.
pub(super) struct Party {
    pub(super) identity: Identity,
    pub(super) dh: XOnlySecretKey,
    pub(super) cert: Cert,
    pub(super) prekey: Prekey,
    pub(super) one_time: XOnlySecretKey,
}

impl Party {
    /// The party of a letter, with the number of its prekey.
    pub(super) fn new(letter: char, prekey: u32) -> Self {
        let identity = SecretKey::from_bytes(&label(&format!("i{letter}"))).unwrap();
        let identity = Identity::from_secret(identity);
        let dh = scalar(&format!("d{letter}"));
        let cert = Self::certify(&identity, &dh);
        let id = PrekeyId::new(prekey).unwrap();
        let keys = (scalar(&format!("p{letter}")), kem(&format!("k{letter}")));
        let prekey = Prekey::from_parts(id, DRAWN, keys.0, keys.1);
        Self { identity, dh, cert, prekey, one_time: scalar(&format!("o{letter}")) }
    }

    /// The certificate of Appendix C.
    fn certify(identity: &Identity, dh: &XOnlySecretKey) -> Cert {
        let mut bytes = [&[1][..], &identity.public_key().to_compressed()].concat();
        bytes.extend_from_slice(&dh.public_key().to_bytes());
        bytes.extend_from_slice(&1_700_000_000_u32.to_be_bytes());
        bytes.extend_from_slice(&1_800_000_000_u32.to_be_bytes());
        let digest = sha256(&[b"WS1/cert/v1", &bytes[..]].concat());
        bytes.extend_from_slice(identity.sign(&digest).scalars());
        Cert::from_bytes(&bytes).unwrap()
    }

    /// The card of Appendix C, with the one-time key or not.
    pub(super) fn card(&self, one_time: bool) -> Card {
        self.card_with(one_time, true)
    }

    pub(super) fn card_with(&self, one_time: bool, random_topics: bool) -> Card {
        let id = PrekeyId::new(0x090a_0b0c).unwrap();
        let one_time = one_time.then(|| OneTimeKey { key: self.one_time.public_key(), id });
        let unsigned = Unsigned {
            prekey: self.prekey.dh_key(),
            prekey_id: self.prekey.id(),
            drawn: DRAWN,
            kem: self.prekey.kem_key().clone(),
            one_time,
        };
        let settings = CardSettings { random_topics, ..CardSettings::default() };
        unsigned.sign(&self.identity, self.cert.clone(), settings)
    }

    pub(super) fn inviter(&self, tail: bool) -> Inviter<'_> {
        let tail = tail.then(|| self.card(false).to_short().to_tail().unwrap());
        Inviter { dh: &self.dh, cert: &self.cert, kem: self.prekey.kem(), tail }
    }

    pub(super) fn host(&self) -> Host<'_> {
        Host { identity: self.identity.public_key(), dh: &self.dh }
    }

    /// Accepts an invitation, if every step does.
    pub(super) fn accept(&self, now: Timestamp, data: &[u8]) -> Option<Accepted> {
        let host = self.host();
        let knock = host.look(data).ok()?;
        let one_time = knock.one_time_id().map(|_| &self.one_time);
        knock.identify(now, &self.prekey, one_time).ok()?.open(now).ok()
    }
}

pub(super) fn alice() -> Party {
    Party::new('A', 0x0506_0708)
}

pub(super) fn bob() -> Party {
    Party::new('B', 0x0102_0304)
}

/// When the prekeys of Appendix C were drawn.
pub(super) const DRAWN: Timestamp = Timestamp::from_secs(1_749_913_600);
