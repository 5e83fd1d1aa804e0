//! What a whole card and a short one both say: all but the key of the KEM, for which its hash
//! stands in the signature.

use alloc::vec::Vec;
use core::time::Duration;

use super::cert::Cert;
use super::error::CardError;
use super::extensions::Extensions;
use super::extensions::Features;
use super::validity::Expired;
use super::validity::Validity;
use crate::crypto::curve::verify;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::time::Timestamp;

/// The fields that stand before the key of the KEM and behind it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Signed {
    pub(super) cert: Cert,
    pub(super) prekey: XOnlyPublicKey,
    pub(super) prekey_id: PrekeyId,
    pub(super) validity: Validity,
    /// Flags b1 and b2; the others follow from the two fields below.
    pub(super) settings: CardSettings,
    pub(super) one_time: Option<OneTimeKey>,
    pub(super) extensions: Extensions,
    pub(super) signature: [u8; 64],
}

/// What the owner of a card says about itself.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct CardSettings {
    /// It tries its keys on every envelope, so invitations come under any topic. A light node does
    /// not, and is invited under a topic that whoever has its card can recognise.
    pub random_topics: bool,
    /// It takes sessions of the seed mode too.
    pub seed_mode: bool,
    /// What else it can do.
    pub features: Features,
}

/// The number of a prekey or a one-time key; never zero.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PrekeyId(core::num::NonZeroU32);

impl PrekeyId {
    /// The number, unless it is zero.
    pub fn new(id: u32) -> Option<Self> {
        core::num::NonZeroU32::new(id).map(Self)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}

/// A key that one invitation may use, and then no other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct OneTimeKey {
    /// O.
    pub key: XOnlyPublicKey,
    /// Its number.
    pub id: PrekeyId,
}

impl Signed {
    /// Reads what stands before the key of the KEM, 183 bytes, and gives the flags with it.
    pub(super) fn read_head(rest: &mut &[u8]) -> Result<(Self, u8), CardError> {
        let cert = Cert::read(rest)?;
        let prekey = XOnlyPublicKey::from_bytes(&take(rest)?).map_err(|_| CardError::Prekey)?;
        let prekey_id = read_id(rest)?;
        let validity = Validity::from_bytes(take(rest)?, Some(MAX_SECONDS))?;
        let [flags] = take(rest)?;
        if flags & RESERVED != 0 {
            return Err(CardError::Reserved);
        }
        let settings = CardSettings {
            random_topics: flags & RANDOM_TOPICS != 0,
            seed_mode: flags & SEED_MODE != 0,
            features: Features::default(),
        };
        let (one_time, extensions, signature) = (None, Extensions::default(), [0; 64]);
        let card =
            Self { cert, prekey, prekey_id, validity, settings, one_time, extensions, signature };
        Ok((card, flags))
    }

    /// Reads what stands behind the key of the KEM, as the flags announce it.
    pub(super) fn read_tail(&mut self, flags: u8, rest: &mut &[u8]) -> Result<(), CardError> {
        if flags & ONE_TIME != 0 {
            let key =
                XOnlyPublicKey::from_bytes(&take(rest)?).map_err(|_| CardError::OneTimeKey)?;
            self.one_time = Some(OneTimeKey { key, id: read_id(rest)? });
        }
        if flags & EXTENSIONS != 0 {
            self.extensions = Extensions::read(rest)?;
            self.settings.features = self.extensions.features();
        }
        self.signature = take(rest)?;
        Ok(())
    }

    /// Itself, if its keys differ and both signatures hold.
    pub(super) fn verified(mut self, kem_hash: &[u8; 32]) -> Result<Self, CardError> {
        let one_time = self.one_time.map(|one_time| one_time.key);
        let long_term = self.cert.long_term();
        let same = [Some(long_term), Some(self.prekey)].contains(&one_time);
        if self.prekey == long_term || same {
            return Err(CardError::SameKeys);
        }
        self.cert = self.cert.verified()?;
        match verify(&self.cert.identity(), &self.digest(kem_hash), &self.signature) {
            Ok(()) => Ok(self),
            Err(_) => Err(CardError::CardSignature),
        }
    }

    pub(super) fn sign(&mut self, identity: &Identity, kem_hash: &[u8; 32]) {
        self.signature = *identity.sign(&self.digest(kem_hash)).scalars();
    }

    /// Whether certificate and prekey hold at `now`.
    pub(super) fn check(&self, now: Timestamp) -> Result<(), Expired> {
        self.cert.validity().check(now)?;
        self.validity.check(now)
    }

    /// The bytes, with `kem` in its place.
    pub(super) fn to_bytes(&self, kem: &[u8]) -> Vec<u8> {
        let mut bytes = self.head();
        bytes.extend_from_slice(kem);
        self.write_tail(&mut bytes);
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// The 183 bytes before the key of the KEM.
    pub(super) fn head(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ROOM);
        bytes.extend_from_slice(&self.cert.to_bytes());
        bytes.extend_from_slice(&self.prekey.to_bytes());
        bytes.extend_from_slice(&self.prekey_id.get().to_be_bytes());
        bytes.extend_from_slice(&self.validity.to_bytes());
        bytes.push(self.flags());
        bytes
    }

    fn write_tail(&self, bytes: &mut Vec<u8>) {
        if let Some(OneTimeKey { key, id }) = &self.one_time {
            bytes.extend_from_slice(&key.to_bytes());
            bytes.extend_from_slice(&id.get().to_be_bytes());
        }
        self.extensions.write(bytes);
    }

    fn flags(&self) -> u8 {
        let flag = |set: bool, bit: u8| if set { bit } else { 0 };
        flag(self.one_time.is_some(), ONE_TIME)
            | flag(self.settings.random_topics, RANDOM_TOPICS)
            | flag(self.settings.seed_mode, SEED_MODE)
            | flag(!self.extensions.is_empty(), EXTENSIONS)
    }

    fn digest(&self, kem_hash: &[u8; 32]) -> [u8; 32] {
        let mut bytes = b"WS1/card/v1".to_vec();
        bytes.extend_from_slice(&self.head());
        bytes.extend_from_slice(kem_hash);
        self.write_tail(&mut bytes);
        sha256(&bytes)
    }
}

/// Takes the next `N` bytes.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], CardError> {
    let (bytes, behind) = rest.split_first_chunk().ok_or(CardError::Length)?;
    *rest = behind;
    Ok(*bytes)
}

fn read_id(rest: &mut &[u8]) -> Result<PrekeyId, CardError> {
    PrekeyId::new(u32::from_be_bytes(take(rest)?)).ok_or(CardError::ZeroId)
}

/// How long a prekey is published: spec/session.md, 3.2, allows no more.
pub(super) const MAX_VALIDITY: Duration = Duration::from_secs(MAX_SECONDS as u64);
const MAX_SECONDS: u32 = 14 * 86_400;

const ONE_TIME: u8 = 1;
const RANDOM_TOPICS: u8 = 1 << 1;
const SEED_MODE: u8 = 1 << 2;
const EXTENSIONS: u8 = 1 << 3;
const RESERVED: u8 = 0xf0;
/// The flags of what stands behind the key of the KEM.
pub(super) const BEHIND: u8 = ONE_TIME | EXTENSIONS;

/// What a whole card with a one-time key fits into.
const ROOM: usize = 1_536;
