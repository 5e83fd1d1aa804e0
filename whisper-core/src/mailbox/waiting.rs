//! Envelopes that nothing opened and a session may open later.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;

use crate::envelope::EnvelopeHash;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

use super::backlog::Backlog;
use super::backlog::Limits;
use super::contract::Arrival;

/// Envelopes that came too early, or out of their hour, by topic, until they expire (`session.md`
/// 3.8, "look back"); some of them are to be offered to an account again.
#[derive(Debug)]
pub(super) struct Waiting {
    backlog: Backlog,
    by_hash: BTreeMap<EnvelopeHash, u64>,
    by_topic: BTreeSet<(Topic, u64)>,
    by_expiry: BTreeSet<(u64, u64)>,
    /// What is to be offered again, in the order it came, and to whom.
    offers: BTreeSet<(PublicKey, u64)>,
    offered_to: BTreeMap<u64, PublicKey>,
}

impl Waiting {
    pub(super) const fn new(limits: Limits) -> Self {
        Self {
            backlog: Backlog::new(limits),
            by_hash: BTreeMap::new(),
            by_topic: BTreeSet::new(),
            by_expiry: BTreeSet::new(),
            offers: BTreeSet::new(),
            offered_to: BTreeMap::new(),
        }
    }

    /// Keeps an envelope, unless it is here.
    pub(super) fn insert(&mut self, arrival: Arrival) {
        let envelope = &arrival.envelope;
        let (hash, topic, expiry) = (envelope.hash(), envelope.topic(), envelope.expiry());
        if self.by_hash.contains_key(&hash) {
            return;
        }
        let number = self.backlog.next_number();
        self.by_hash.insert(hash, number);
        self.by_topic.insert((topic, number));
        self.by_expiry.insert((expiry, number));
        let shed = self.backlog.push(arrival);
        shed.iter().for_each(|(number, arrival)| self.forget(*number, arrival));
    }

    /// Keeps an envelope to be offered to an account again.
    pub(super) fn insert_for(&mut self, account: PublicKey, arrival: Arrival) {
        let hash = arrival.envelope.hash();
        self.insert(arrival);
        if let Some(number) = self.by_hash.get(&hash).copied() {
            self.offer(account, number);
        }
    }

    /// Marks what waits under a topic to be offered to an account again.
    pub(super) fn offer_topic(&mut self, account: PublicKey, topic: Topic) {
        let numbers = self.by_topic.range((topic, 0)..=(topic, u64::MAX));
        let numbers: BTreeSet<_> = numbers.map(|(_, number)| *number).collect();
        numbers.into_iter().for_each(|number| self.offer(account, number));
    }

    /// Whether something is to be offered to an account.
    pub(super) fn has_offer(&self, account: PublicKey) -> bool {
        self.next_offer(account).is_some()
    }

    /// The next envelope that is to be offered to an account. It stays here until it is removed.
    pub(super) fn take_offer(&mut self, account: PublicKey) -> Option<Arrival> {
        let number = self.next_offer(account)?;
        self.offers.remove(&(account, number));
        self.offered_to.remove(&number);
        self.backlog.get(number).cloned()
    }

    /// Lets go of an envelope, since something has opened it.
    pub(super) fn remove(&mut self, hash: &EnvelopeHash) {
        if let Some(number) = self.by_hash.get(hash).copied()
            && let Some(arrival) = self.backlog.remove(number)
        {
            self.forget(number, &arrival);
        }
    }

    /// Lets go of what has expired.
    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((expiry, number)) = self.by_expiry.first().copied() {
            if expiry >= now.as_secs() {
                break;
            }
            self.by_expiry.pop_first();
            if let Some(arrival) = self.backlog.remove(number) {
                self.forget(number, &arrival);
            }
        }
    }

    /// When there will be something to expire, not to the second: at most one step in ten seconds.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let (expiry, _) = self.by_expiry.first()?;
        Some(Timestamp::from_secs((expiry / GRID).saturating_add(1).saturating_mul(GRID)))
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        let len = self.backlog.len();
        let indexes = [self.by_hash.len(), self.by_topic.len(), self.by_expiry.len()];
        assert_eq!(indexes, [len; 3]);
        assert!(self.offers.len() == self.offered_to.len() && self.offers.len() <= len);
        len
    }

    fn offer(&mut self, account: PublicKey, number: u64) {
        if let Some(before) = self.offered_to.insert(number, account) {
            self.offers.remove(&(before, number));
        }
        self.offers.insert((account, number));
    }

    fn next_offer(&self, account: PublicKey) -> Option<u64> {
        let mut offers = self.offers.range((account, 0)..=(account, u64::MAX));
        offers.next().map(|(_, number)| *number)
    }

    /// Takes an envelope out of each index.
    fn forget(&mut self, number: u64, arrival: &Arrival) {
        let envelope = &arrival.envelope;
        self.by_hash.remove(&envelope.hash());
        self.by_topic.remove(&(envelope.topic(), number));
        self.by_expiry.remove(&(envelope.expiry(), number));
        if let Some(account) = self.offered_to.remove(&number) {
            self.offers.remove(&(account, number));
        }
    }
}

/// Seconds.
const GRID: u64 = 10;
