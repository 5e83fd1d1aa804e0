//! A chain of the peer: the keys of its messages, those that are still missing, and its topics.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use core::time::Duration;

use super::error::OpenFailure;
use super::header::Header;
use super::keys::HeaderKey;
use super::keys::Key;
use super::keys::Salt;
use super::keys::advance;
use super::keys::chain_step;
use super::keys::message_key;
use crate::session::watch::Lane;
use crate::session::watch::Place;
use crate::time::Timestamp;
use crate::topic::Topic;

/// A chain that at least one message came on. A step works on a clone, which shares what it does not
/// change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Chain {
    /// Which chain of the peer it is, from 0.
    pub(super) number: u32,
    pub(super) header: HeaderKey,
    /// The peer's ratchet key: the same in every header.
    pub(super) key: [u8; 32],
    /// Whether a KEM round was mixed in: the same in every header.
    pub(super) mixed: bool,
    /// The key behind the last message; none once a later chain has begun.
    pub(super) chain: Option<Key>,
    /// One more than the highest number whose key was made.
    pub(super) end: u32,
    pub(super) skipped: Arc<Skipped>,
    /// By hour, one more than the highest index that was opened.
    pub(super) hours: Arc<BTreeMap<u64, u32>>,
}

/// Keys of messages that have not come, by number, and since when they are kept.
pub(super) type Skipped = BTreeMap<u32, (Timestamp, Key)>;

impl Chain {
    /// The key of a message of this chain, which is taken out of it.
    pub(super) fn take(
        &mut self,
        now: Timestamp,
        header: &Header,
        salt: &Salt,
    ) -> Result<Key, OpenFailure> {
        if header.key != self.key || header.flags.mixed != self.mixed {
            return Err(OpenFailure::Forked);
        }
        if header.number < self.end {
            let kept = self.skipped.contains_key(&header.number);
            let kept = kept.then(|| Arc::make_mut(&mut self.skipped).remove(&header.number));
            return match kept.flatten() {
                Some((_, key)) => Ok(key),
                None => Err(self.gone(header.number, salt)),
            };
        }
        self.skip(now, header.number)?;
        let chain = self.chain.take().ok_or_else(|| self.gone(header.number, salt))?;
        let (message, chain) = chain_step(&chain);
        self.chain = Some(chain);
        self.end = header.number.saturating_add(1);
        Ok(message.into())
    }

    /// Keeps the keys below a number. Only the newest are kept.
    fn skip(&mut self, now: Timestamp, number: u32) -> Result<(), OpenFailure> {
        let missing = number.saturating_sub(self.end);
        let Some(mut chain) = self.chain.clone().filter(|_| missing > 0) else { return Ok(()) };
        if missing > MAX_JUMP {
            return Err(OpenFailure::SkipLimit);
        }
        let kept = number.saturating_sub(MAX_SKIPPED);
        let skipped = Arc::make_mut(&mut self.skipped);
        for number in self.end..number {
            if number >= kept {
                skipped.insert(number, (now, message_key(&chain).into()));
            }
            chain = advance(&chain);
        }
        while skipped.len() > MAX_SKIPPED as usize {
            skipped.pop_first();
        }
        self.chain = Some(chain);
        self.end = number;
        Ok(())
    }

    /// Ends the chain behind its last message: a later one has begun.
    pub(super) fn supersede(mut self, now: Timestamp, length: u32) -> Result<Self, OpenFailure> {
        self.skip(now, length)?;
        self.chain = None;
        Ok(self)
    }

    /// Notes where a message was found: never before it is authenticated.
    pub(super) fn note(&mut self, place: Place) {
        let hours = Arc::make_mut(&mut self.hours);
        let next = hours.entry(place.epoch).or_default();
        *next = place.index.saturating_add(1).max(*next);
        while hours.len() > REMEMBERED {
            hours.pop_first();
        }
    }

    /// Forgets the keys that nobody has asked for in a long time.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let over = |kept: &Timestamp| now.saturating_since(*kept) > KEPT;
        if self.skipped.values().any(|(kept, _)| over(kept)) {
            Arc::make_mut(&mut self.skipped).retain(|_, (kept, _)| !over(kept));
        }
    }

    /// Ends the chain, and forgets the keys of a number and above.
    pub(super) fn close(&mut self, number: u32) {
        self.chain = None;
        self.end = self.end.max(number);
        Arc::make_mut(&mut self.skipped).retain(|kept, _| *kept < number);
    }

    /// Lets the oldest key go.
    pub(super) fn drop_oldest(&mut self) {
        Arc::make_mut(&mut self.skipped).pop_first();
    }

    fn gone(&self, number: u32, salt: &Salt) -> OpenFailure {
        OpenFailure::KeyGone { name: self.header.name(number, salt) }
    }
}

impl Lane for Chain {
    fn topic(&self, epoch: u64, index: u32) -> Topic {
        self.header.topic(Place { epoch, index })
    }

    fn next(&self) -> &BTreeMap<u64, u32> {
        &self.hours
    }

    fn is_fixed(&self) -> bool {
        false
    }
}

/// The chain of the peer that may begin next: only its header key is known.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Awaited {
    pub(super) number: u32,
    pub(super) header: HeaderKey,
}

impl Awaited {
    /// The chain, once its first message names its key.
    pub(super) fn begin(&self, header: &Header, chain: Key) -> Chain {
        Chain {
            number: self.number,
            header: self.header.clone(),
            key: header.key,
            mixed: header.flags.mixed,
            chain: Some(chain),
            end: 0,
            skipped: Arc::default(),
            hours: Arc::default(),
        }
    }
}

impl Lane for Awaited {
    fn topic(&self, epoch: u64, index: u32) -> Topic {
        self.header.topic(Place { epoch, index })
    }

    fn next(&self) -> &BTreeMap<u64, u32> {
        &NOTHING
    }

    fn is_fixed(&self) -> bool {
        false
    }
}

static NOTHING: BTreeMap<u64, u32> = BTreeMap::new();
/// How far ahead a message may be; spec/session.md, 3.11: more than a chain holds.
pub(super) const MAX_JUMP: u32 = 25_000;
/// Keys that one chain keeps; spec/session.md, 3.11.
pub(super) const MAX_SKIPPED: u32 = 1_000;
/// How long a key is kept; spec/session.md, 3.11.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// Hours whose indexes are remembered: the longest absence that is caught up with.
const REMEMBERED: usize = 740;
