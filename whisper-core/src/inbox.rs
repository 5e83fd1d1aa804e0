//! Filters: which messages somebody wants, and the keys that open them.
//!
//! Filters stand under their topics, and under one topic by key: an envelope for nobody costs one
//! look-up, and no key is tried twice on the same envelope, however many filters share it.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::iter;

use crate::crypto::DecryptError;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::identity::SymmetricKey;
use crate::message::Message;
use crate::pow::Rating;
use crate::topic::Bloom;
use crate::topic::Topic;

/// The filters of a node, and their keys. Opens envelopes; knows nothing of who brought them.
///
/// ```
/// # use core::time::Duration;
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # use whisper_core::envelope::Draft;
/// # use whisper_core::message::{encrypt, Padding, Recipient};
/// # use whisper_core::time::Timestamp;
/// # use whisper_core::topic::Topic;
/// # let (now, topic) = (Timestamp::from_secs(1_600_000_000), Topic::new(*b"news"));
/// use std::sync::Arc;
/// use whisper_core::identity::SymmetricKey;
/// use whisper_core::inbox::{Filter, Inbox};
///
/// let key = Arc::new(SymmetricKey::from_password("open to all who know this"));
/// let mut inbox = Inbox::new();
/// let filter = inbox.add(Filter { topics: vec![topic], ..Filter::new(key.clone()) });
///
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// # let data = encrypt(b"hello", Padding::Aligned, None, Recipient::Symmetric(&key), &mut rng)?;
/// # let envelope = Draft::new(now, Duration::from_secs(50), topic, data)?.seal(0);
/// let delivery = inbox.open(&envelope, false, envelope.rating()).expect("it is for us");
/// assert_eq!(delivery.filters, [filter]);
/// assert_eq!(delivery.received.message.payload(), b"hello");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Inbox {
    filters: BTreeMap<FilterId, Entry>,
    by_topic: BTreeMap<Topic, Group>,
    any_topic: Group,
    seen: Seen,
    next: u64,
}

/// The filters of one topic, by key.
type Group = BTreeMap<KeyName, Ring>;

impl Inbox {
    /// An inbox without filters.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a filter.
    pub fn add(&mut self, mut filter: Filter) -> FilterId {
        let id = FilterId(self.next);
        self.next = self.next.saturating_add(1);
        filter.topics.sort_unstable();
        filter.topics.dedup();
        let name = filter.key.name();
        for topic in places(&filter.topics) {
            let ring = self.group_mut(topic).entry(name);
            let ring = ring.or_insert_with(|| Ring { key: filter.key.clone(), slots: Vec::new() });
            ring.slots.push(Slot::new(id, &filter));
        }
        self.filters.insert(id, Entry { filter, since: self.seen, reviewed: Seen::default() });
        id
    }

    /// Takes out a filter.
    pub fn remove(&mut self, id: FilterId) -> Option<Filter> {
        let Entry { filter, .. } = self.filters.remove(&id)?;
        let name = filter.key.name();
        for topic in places(&filter.topics) {
            let group = self.group_mut(topic);
            if let Some(ring) = group.get_mut(&name) {
                ring.slots.retain(|slot| slot.id != id);
                if ring.slots.is_empty() {
                    group.remove(&name);
                }
            }
            if let Some(topic) = topic.filter(|_| self.group(topic).is_none_or(BTreeMap::is_empty))
            {
                self.by_topic.remove(&topic);
            }
        }
        Some(filter)
    }

    /// Tries the keys of the filters that may want this envelope, until one opens it.
    ///
    /// `direct` says that a trusted peer gave it to us alone: only filters that admit such
    /// messages see it, and ratings are not asked for. `rating` is that of its admission.
    pub fn open(&mut self, envelope: &Envelope, direct: bool, rating: Rating) -> Option<Delivery> {
        self.seen.count(direct);
        self.offer(&Offer { envelope, direct, rating, since: FilterId(0) })
    }

    /// As [`Inbox::open`], for filters that were added with `since` or later, which have not seen this
    /// envelope.
    pub fn open_since(
        &mut self,
        since: FilterId,
        envelope: &Envelope,
        direct: bool,
        rating: Rating,
    ) -> Option<Delivery> {
        self.filters.range_mut(since..).for_each(|(_, entry)| entry.reviewed.count(direct));
        self.offer(&Offer { envelope, direct, rating, since })
    }

    fn offer(&mut self, offer: &Offer<'_>) -> Option<Delivery> {
        let envelope = offer.envelope;
        let mut here = self.by_topic.get_mut(&envelope.topic());
        let mut delivery = None;
        for (name, ring) in &mut self.any_topic {
            let twin = here.as_deref_mut().and_then(|group| group.get_mut(name));
            offer.give(name, iter::once(ring).chain(twin), &mut delivery);
        }
        for (name, ring) in here.into_iter().flatten() {
            if !self.any_topic.contains_key(name) {
                offer.give(name, iter::once(ring), &mut delivery);
            }
        }
        delivery.filter(|delivery| !delivery.filters.is_empty())
    }

    /// What a filter has seen.
    pub fn counts(&self, id: FilterId) -> Option<Counts> {
        let Entry { filter, since, reviewed } = self.filters.get(&id)?;
        let name = filter.key.name();
        let slots = places(&filter.topics)
            .filter_map(|topic| self.group(topic)?.get(&name))
            .filter_map(|ring| ring.slots.iter().find(|slot| slot.id == id));
        let mut counts = Counts::default();
        let mut reached = 0_u64;
        for slot in slots {
            reached = reached.saturating_add(slot.reached);
            counts.matched = counts.matched.saturating_add(slot.matched);
            counts.rated_too_low = counts.rated_too_low.saturating_add(slot.rated_too_low);
            counts.other_signer = counts.other_signer.saturating_add(slot.other_signer);
        }
        let reviewed = reviewed.since(Seen::default(), filter.direct);
        let seen = self.seen.since(*since, filter.direct).saturating_add(reviewed);
        counts.topic_missed = seen.saturating_sub(reached);
        counts.not_opened = reached
            .saturating_sub(counts.matched)
            .saturating_sub(counts.rated_too_low)
            .saturating_sub(counts.other_signer);
        Some(counts)
    }

    /// How many identities are tried on what is encrypted for one, under whatever topic.
    pub fn identities(&self) -> usize {
        let names = self.any_topic.keys();
        names.filter(|name| matches!(name, KeyName::Identity(_))).count()
    }

    /// The filters.
    pub fn filters(&self) -> impl Iterator<Item = (FilterId, &Filter)> {
        self.filters.iter().map(|(id, entry)| (*id, &entry.filter))
    }

    /// What to ask peers for: the union of all topics, everything if a filter wants any topic.
    pub fn bloom(&self) -> Bloom {
        if !self.any_topic.is_empty() {
            return Bloom::FULL;
        }
        self.by_topic.keys().fold(Bloom::EMPTY, |bloom, topic| bloom.union(&Bloom::of(*topic)))
    }

    fn group(&self, topic: Option<Topic>) -> Option<&Group> {
        match topic {
            Some(topic) => self.by_topic.get(&topic),
            None => Some(&self.any_topic),
        }
    }

    fn group_mut(&mut self, topic: Option<Topic>) -> &mut Group {
        match topic {
            Some(topic) => self.by_topic.entry(topic).or_default(),
            None => &mut self.any_topic,
        }
    }
}

/// Whether data may be encrypted for an identity: whoever holds one has to try an agreement.
pub(crate) fn may_be_asymmetric(data: &[u8]) -> bool {
    data.first() == Some(&UNCOMPRESSED)
}

/// Where a filter stands: under each of its topics, or under none.
fn places(topics: &[Topic]) -> impl Iterator<Item = Option<Topic>> {
    let any = topics.is_empty().then_some(None);
    any.into_iter().chain(topics.iter().copied().map(Some))
}

/// The number of a filter in its inbox, never used twice.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FilterId(u64);

impl FilterId {
    /// The number.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// Which messages somebody wants.
#[derive(Clone, Debug)]
pub struct Filter {
    /// What opens them.
    pub key: Key,
    /// The topics they come under; any, if there are none.
    pub topics: Vec<Topic>,
    /// The least rating of their envelopes. Not asked of direct messages: nobody did work for them.
    pub min_rating: Rating,
    /// Who must have signed them; if nobody is named, anybody, or nobody.
    pub signer: Option<PublicKey>,
    /// Whether messages are wanted that trusted peers give to us alone.
    pub direct: bool,
}

impl Filter {
    /// A filter for all that `key` opens and the network brings.
    pub fn new(key: impl Into<Key>) -> Self {
        let key = key.into();
        Self { key, topics: Vec::new(), min_rating: Rating::ZERO, signer: None, direct: false }
    }
}

/// What opens messages.
#[derive(Clone, Debug)]
pub enum Key {
    /// A key that all readers share.
    Symmetric(Arc<SymmetricKey>),
    /// The identity that they are encrypted for.
    Identity(Arc<Identity>),
}

impl Key {
    /// The name under which its messages come.
    pub fn name(&self) -> KeyName {
        match self {
            Self::Symmetric(key) => KeyName::Symmetric(*key.id()),
            Self::Identity(identity) => KeyName::Identity(identity.public_key()),
        }
    }

    fn open(&self, data: &[u8]) -> Result<Message, DecryptError> {
        match self {
            Self::Symmetric(key) => Message::open(data, key),
            // One byte spares most envelopes the cost of an agreement.
            Self::Identity(_) if !may_be_asymmetric(data) => Err(DecryptError),
            Self::Identity(identity) => Message::open_as(data, identity),
        }
    }
}

impl From<Arc<SymmetricKey>> for Key {
    fn from(key: Arc<SymmetricKey>) -> Self {
        Self::Symmetric(key)
    }
}

impl From<Arc<Identity>> for Key {
    fn from(identity: Arc<Identity>) -> Self {
        Self::Identity(identity)
    }
}

/// Which key opened a message: nothing secret.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum KeyName {
    /// The Keccak-256 hash of a symmetric key.
    Symmetric([u8; 32]),
    /// The public half of an identity.
    Identity(PublicKey),
}

/// A message, and the filters that wanted it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The filters, in the order they were added; one at least.
    pub filters: Vec<FilterId>,
    /// What they all get.
    pub received: Arc<Received>,
}

/// A message with what its envelope said.
#[derive(Debug)]
#[non_exhaustive]
pub struct Received {
    /// The message.
    pub message: Message,
    /// Which key opened it.
    pub key: KeyName,
    /// The hash of its envelope.
    pub hash: EnvelopeHash,
    /// The topic it came under.
    pub topic: Topic,
    /// When its envelope says it was made, in seconds since the Unix epoch. Anybody can wrap a
    /// message in a new envelope: nothing vouches for this.
    pub issued: Option<u64>,
    /// How long its envelope lives, in seconds.
    pub ttl: u64,
    /// The rating of its envelope.
    pub rating: Rating,
    /// Whether a trusted peer gave it to us alone.
    pub direct: bool,
}

/// What a filter has seen since it was added.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Counts {
    /// Messages that it got.
    pub matched: u64,
    /// Envelopes of other topics.
    pub topic_missed: u64,
    /// Envelopes that its key does not open.
    pub not_opened: u64,
    /// Envelopes below its rating.
    pub rated_too_low: u64,
    /// Messages that somebody else had signed, or nobody.
    pub other_signer: u64,
}

#[derive(Debug)]
struct Entry {
    filter: Filter,
    /// What the inbox had seen when it was added.
    since: Seen,
    /// What came before, and it has seen afterwards.
    reviewed: Seen,
}

/// How many envelopes the inbox has seen.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    public: u64,
    direct: u64,
}

impl Seen {
    fn count(&mut self, direct: bool) {
        let counter = if direct { &mut self.direct } else { &mut self.public };
        *counter = counter.saturating_add(1);
    }

    /// How many of them concern a filter that was added when `then` stood.
    fn since(self, then: Self, direct: bool) -> u64 {
        let public = self.public.saturating_sub(then.public);
        let direct = if direct { self.direct.saturating_sub(then.direct) } else { 0 };
        public.saturating_add(direct)
    }
}

/// The filters that share a key, under one topic.
#[derive(Debug)]
struct Ring {
    key: Key,
    slots: Vec<Slot>,
}

/// A filter under one topic: what is asked of an envelope there, and what came of it.
#[derive(Debug)]
struct Slot {
    id: FilterId,
    min_rating: Rating,
    signer: Option<PublicKey>,
    direct: bool,
    reached: u64,
    matched: u64,
    rated_too_low: u64,
    other_signer: u64,
}

impl Slot {
    fn new(id: FilterId, filter: &Filter) -> Self {
        Self {
            id,
            min_rating: filter.min_rating,
            signer: filter.signer,
            direct: filter.direct,
            reached: 0,
            matched: 0,
            rated_too_low: 0,
            other_signer: 0,
        }
    }
}

/// An envelope on its way past the filters.
struct Offer<'a> {
    envelope: &'a Envelope,
    direct: bool,
    rating: Rating,
    /// The first filter that it is for.
    since: FilterId,
}

impl Offer<'_> {
    /// Tries one key and, if it opens the envelope, deals the message out. Once one has opened it
    /// the others are only counted.
    fn give<'r>(
        &self,
        name: &KeyName,
        rings: impl Iterator<Item = &'r mut Ring>,
        delivery: &mut Option<Delivery>,
    ) {
        let mut message = None;
        let mut filters = Vec::new();
        for ring in rings {
            for slot in &mut ring.slots {
                if !self.passes(slot) || delivery.is_some() {
                    continue;
                }
                let opened = message.get_or_insert_with(|| ring.key.open(self.envelope.data()));
                let Ok(opened) = opened else { continue };
                if slot.signer.is_none_or(|signer| opened.signer() == Some(signer)) {
                    slot.matched = slot.matched.saturating_add(1);
                    filters.push(slot.id);
                } else {
                    slot.other_signer = slot.other_signer.saturating_add(1);
                }
            }
        }
        if let Some(Ok(message)) = message {
            filters.sort_unstable();
            let received = Arc::new(self.received(message, *name));
            *delivery = Some(Delivery { filters, received });
        }
    }

    fn passes(&self, slot: &mut Slot) -> bool {
        if slot.id < self.since {
            return false;
        }
        if self.direct {
            slot.reached = slot.reached.saturating_add(slot.direct.into());
            return slot.direct;
        }
        slot.reached = slot.reached.saturating_add(1);
        let passes = self.rating >= slot.min_rating;
        slot.rated_too_low = slot.rated_too_low.saturating_add((!passes).into());
        passes
    }

    fn received(&self, message: Message, key: KeyName) -> Received {
        Received {
            message,
            key,
            hash: self.envelope.hash(),
            topic: self.envelope.topic(),
            issued: self.envelope.issued(),
            ttl: self.envelope.ttl(),
            rating: self.rating,
            direct: self.direct,
        }
    }
}

/// How the ephemeral key of an asymmetric message begins (SEC1).
const UNCOMPRESSED: u8 = 4;

#[cfg(test)]
mod tests;
