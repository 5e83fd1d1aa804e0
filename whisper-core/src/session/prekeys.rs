//! The secret halves of what the cards of an identity publish, and their rotation
//! (`spec/session.md`, 3.2).

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use super::card::Card;
use super::card::CardSettings;
use super::card::Cert;
use super::card::OneTimeKey;
use super::card::PrekeyId;
use super::card::Unsigned;
use crate::crypto::ml_kem::DecapsulationKey;
use crate::crypto::ml_kem::EncapsulationKey;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::hash::sha256;
use crate::identity::Identity;
use crate::time::Timestamp;

mod stored;

/// One prekey P and the key K of the KEM that was drawn with it; both go at the same time.
#[derive(Debug, Eq, PartialEq)]
pub struct Prekey {
    id: PrekeyId,
    drawn: Timestamp,
    dh: XOnlySecretKey,
    dh_key: XOnlyPublicKey,
    kem: DecapsulationKey,
    kem_key: EncapsulationKey,
    kem_hash: [u8; 32],
}

impl Prekey {
    pub(in crate::session) fn from_parts(
        id: PrekeyId,
        drawn: Timestamp,
        dh: XOnlySecretKey,
        kem: DecapsulationKey,
    ) -> Self {
        let (dh_key, kem_key) = (dh.public_key(), kem.encapsulation_key());
        let kem_hash = sha256(kem_key.as_bytes());
        Self { id, drawn, dh, dh_key, kem, kem_key, kem_hash }
    }

    /// The number by which invitations name both.
    pub const fn id(&self) -> PrekeyId {
        self.id
    }

    /// When it was drawn: from then on its card holds.
    pub const fn drawn(&self) -> Timestamp {
        self.drawn
    }

    /// The private half of P.
    pub const fn dh(&self) -> &XOnlySecretKey {
        &self.dh
    }

    /// P.
    pub const fn dh_key(&self) -> XOnlyPublicKey {
        self.dh_key
    }

    /// The private half of K.
    pub const fn kem(&self) -> &DecapsulationKey {
        &self.kem
    }

    /// K.
    pub const fn kem_key(&self) -> &EncapsulationKey {
        &self.kem_key
    }

    /// The SHA-256 hash of K.
    pub const fn kem_hash(&self) -> &[u8; 32] {
        &self.kem_hash
    }

    fn draw(now: Timestamp, id: PrekeyId, rng: &mut impl CryptoRng) -> Self {
        Self::from_parts(id, now, XOnlySecretKey::generate(rng), DecapsulationKey::generate(rng))
    }
}

/// The secret half of a one-time key, and the prekey of the card that carries it.
#[derive(Debug, Eq, PartialEq)]
struct OneTime {
    id: PrekeyId,
    prekey: PrekeyId,
    secret: XOnlySecretKey,
}

/// The prekeys of an identity: the newest is published, up to two older ones still open
/// invitations. Copies share their keys, which are wiped with the last of them.
///
/// ```
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// use whisper_core::crypto::x_only::XOnlySecretKey;
/// use whisper_core::identity::Identity;
/// use whisper_core::session::card::{Card, CardSettings, Cert};
/// use whisper_core::session::prekeys::Prekeys;
/// use whisper_core::time::Timestamp;
///
/// let now = Timestamp::from_secs(1_750_000_000);
/// let (bob, long_term) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
/// let cert = Cert::sign(now, &bob, &long_term.public_key());
/// let prekeys = Prekeys::new(now, &mut rng);
///
/// let link = prekeys.card(&bob, &cert, CardSettings::default()).to_link();
/// let card: Card = link.parse()?;
/// assert_eq!(card.cert().identity(), bob.public_key());
/// assert!(card.check(now).is_ok());
/// # Ok::<(), whisper_core::session::card::TextError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Prekeys {
    newest: Arc<Prekey>,
    /// The newest of these comes last.
    older: Vec<Arc<Prekey>>,
    /// The oldest comes first.
    one_time: VecDeque<Arc<OneTime>>,
}

impl Prekeys {
    /// Draws the first.
    pub fn new(now: Timestamp, rng: &mut impl CryptoRng) -> Self {
        let newest = Arc::new(Prekey::draw(now, draw_id(rng, |_| false), rng));
        Self { newest, older: Vec::new(), one_time: VecDeque::new() }
    }

    /// Draws a new one, which is published from now on. A fourth sends the oldest away.
    pub fn rotate(&mut self, now: Timestamp, rng: &mut impl CryptoRng) {
        let id = draw_id(rng, |id| self.holds(id));
        let newest = Arc::new(Prekey::draw(now, id, rng));
        self.older.push(core::mem::replace(&mut self.newest, newest));
        if self.older.len() > OLDER {
            self.older.remove(0);
        }
        self.drop_orphans();
    }

    /// Wipes the older ones that no invitation may use any more, with their one-time keys, and says
    /// whether there were any. To be asked only when the clock can be trusted.
    pub fn expire(&mut self, now: Timestamp) -> bool {
        let before = self.older.len();
        self.older.retain(|prekey| now < ends(prekey));
        self.drop_orphans();
        self.older.len() < before
    }

    /// Whether a new one is due: the newest has been published for long enough, or lies ahead, since
    /// the clock that it was drawn by was.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now >= self.rotates_at() || self.lies_ahead(now)
    }

    /// Whether the newest is not valid yet: then nobody keeps its card.
    pub fn lies_ahead(&self, now: Timestamp) -> bool {
        now.saturating_add(AHEAD) < self.newest.drawn
    }

    /// When a new one will be due, or an older one must go.
    pub fn poll_timeout(&self) -> Timestamp {
        self.older.iter().map(|prekey| ends(prekey)).fold(self.rotates_at(), Ord::min)
    }

    /// The one that is published.
    pub fn newest(&self) -> &Prekey {
        &self.newest
    }

    /// All that open invitations, the newest first.
    pub fn live(&self) -> impl Iterator<Item = &Prekey> {
        core::iter::once(&*self.newest).chain(self.older.iter().rev().map(|prekey| &**prekey))
    }

    /// The one with this number.
    pub fn find(&self, id: u32) -> Option<&Prekey> {
        self.live().find(|prekey| prekey.id.get() == id)
    }

    /// The card with the newest. `identity` must be that of `cert`.
    pub fn card(&self, identity: &Identity, cert: &Cert, settings: CardSettings) -> Card {
        self.unsigned(None).sign(identity, cert.clone(), settings)
    }

    /// The same with a one-time key, which makes the first message forward secret at once: for one
    /// reader, by hand. Of more than 256 such keys the oldest goes.
    pub fn card_with_one_time_key(
        &mut self,
        identity: &Identity,
        cert: &Cert,
        settings: CardSettings,
        rng: &mut impl CryptoRng,
    ) -> Card {
        let id = draw_id(rng, |id| self.holds(id));
        let secret = XOnlySecretKey::generate(rng);
        let key = secret.public_key();
        self.one_time.push_back(Arc::new(OneTime { id, prekey: self.newest.id, secret }));
        if self.one_time.len() > ONE_TIME_KEYS {
            self.one_time.pop_front();
        }
        self.unsigned(Some(OneTimeKey { key, id })).sign(identity, cert.clone(), settings)
    }

    /// The private half of the one-time key with this number, if it was not burnt.
    pub fn one_time_key(&self, id: u32) -> Option<&XOnlySecretKey> {
        let found = self.one_time.iter().find(|own| own.id.get() == id);
        found.map(|own| &own.secret)
    }

    /// Wipes a one-time key: an invitation has used it.
    pub fn burn(&mut self, id: u32) {
        self.one_time.retain(|own| own.id.get() != id);
    }

    fn unsigned(&self, one_time: Option<OneTimeKey>) -> Unsigned {
        Unsigned {
            prekey: self.newest.dh_key,
            prekey_id: self.newest.id,
            drawn: self.newest.drawn,
            kem: self.newest.kem_key.clone(),
            one_time,
        }
    }

    fn rotates_at(&self) -> Timestamp {
        self.newest.drawn.saturating_add(PUBLISHED)
    }

    /// One-time keys live as long as the prekey of their card, at the longest.
    fn drop_orphans(&mut self) {
        let mut one_time = core::mem::take(&mut self.one_time);
        one_time.retain(|own| self.find(own.prekey.get()).is_some());
        self.one_time = one_time;
    }

    fn holds(&self, id: PrekeyId) -> bool {
        self.find(id.get()).is_some() || self.one_time.iter().any(|own| own.id == id)
    }
}

fn ends(prekey: &Prekey) -> Timestamp {
    prekey.drawn.saturating_add(ACCEPTED)
}

/// A number that is not zero and not in use.
fn draw_id(rng: &mut impl CryptoRng, in_use: impl Fn(PrekeyId) -> bool) -> PrekeyId {
    loop {
        if let Some(id) = PrekeyId::new(rng.next_u32()).filter(|id| !in_use(*id)) {
            return id;
        }
    }
}

/// spec/session.md, 3.2, as all here: how long a prekey is published.
const PUBLISHED: Duration = Duration::from_secs(7 * 86_400);
/// How long it opens invitations.
const ACCEPTED: Duration = Duration::from_secs(21 * 86_400);
/// How far its beginning may lie ahead.
const AHEAD: Duration = Duration::from_secs(600);
/// How many live beside the newest.
const OLDER: usize = 2;
const ONE_TIME_KEYS: usize = 256;

#[cfg(test)]
mod tests;
