//! Envelopes that nothing opened and a session may open later.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

/// Envelopes that came too early, or out of their hour, by topic, until they expire (`session.md` 3.8, "look
/// back"). Bounded in bytes; the lowest rated go first.
pub(crate) struct Waiting {
    most_bytes: usize,
    bytes: usize,
    by_topic: HashMap<Topic, Vec<Arc<Envelope>>>,
    by_rating: BTreeSet<(Rating, EnvelopeHash, Topic)>,
    by_expiry: BTreeMap<(u64, EnvelopeHash), Topic>,
}

impl Waiting {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            bytes: 0,
            by_topic: HashMap::new(),
            by_rating: BTreeSet::new(),
            by_expiry: BTreeMap::new(),
        }
    }

    /// Keeps an envelope.
    pub(crate) fn insert(&mut self, envelope: Arc<Envelope>) {
        let (topic, hash) = (envelope.topic(), envelope.hash());
        let rank = (envelope.rating(), hash, topic);
        if !self.by_rating.insert(rank) {
            return;
        }
        self.bytes = self.bytes.saturating_add(envelope.size());
        self.by_expiry.insert((envelope.expiry(), hash), topic);
        self.by_topic.entry(topic).or_default().push(envelope);
        while self.bytes > self.most_bytes {
            let Some((_, hash, topic)) = self.by_rating.first().copied() else { break };
            self.remove(topic, hash);
        }
    }

    /// What waits under a topic.
    pub(crate) fn at(&self, topic: Topic) -> &[Arc<Envelope>] {
        self.by_topic.get(&topic).map_or(&[], Vec::as_slice)
    }

    /// Lets go of an envelope, since something has opened it.
    pub(crate) fn remove(&mut self, topic: Topic, hash: EnvelopeHash) {
        let Some(envelopes) = self.by_topic.get_mut(&topic) else { return };
        let Some(index) = envelopes.iter().position(|envelope| envelope.hash() == hash) else {
            return;
        };
        let envelope = envelopes.swap_remove(index);
        if envelopes.is_empty() {
            self.by_topic.remove(&topic);
        }
        self.bytes = self.bytes.saturating_sub(envelope.size());
        self.by_rating.remove(&(envelope.rating(), hash, topic));
        self.by_expiry.remove(&(envelope.expiry(), hash));
    }

    /// Lets go of what has expired.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        while let Some(((expiry, hash), topic)) = self.by_expiry.first_key_value() {
            if *expiry >= now.as_secs() {
                break;
            }
            let (topic, hash) = (*topic, *hash);
            self.remove(topic, hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use whisper_core::envelope::Draft;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn envelope(topic: u8, ttl: u64, length: usize, nonce: u64) -> Arc<Envelope> {
        let topic = Topic::new([topic; 4]);
        let draft = Draft::new(NOW, Duration::from_secs(ttl), topic, vec![0; length]).unwrap();
        Arc::new(draft.seal(nonce))
    }

    #[test]
    fn when_there_is_no_room_the_lowest_rated_goes() {
        let mut waiting = Waiting::new(10_000);
        (0..500).for_each(|nonce| waiting.insert(envelope(nonce as u8, 50, 1_052, nonce)));
        let least = waiting.by_rating.first().unwrap().0;
        assert_eq!(waiting.by_rating.len(), 9);
        let better = |nonce| envelope(nonce as u8, 50, 1_052, nonce).rating() > least;
        assert!((0..500).filter(|nonce| better(*nonce)).count() <= 9);
        assert!(waiting.bytes <= 10_000);
    }

    #[test]
    fn what_is_opened_or_expired_leaves_nothing_behind() {
        let mut waiting = Waiting::new(1 << 20);
        let [short, long] = [envelope(1, 50, 1_052, 1), envelope(1, 60, 1_052, 2)];
        [&short, &long, &short].into_iter().for_each(|one| waiting.insert(Arc::clone(one)));
        assert_eq!(waiting.at(Topic::new([1; 4])).len(), 2);
        waiting.expire(NOW.saturating_add(Duration::from_secs(51)));
        assert_eq!(waiting.at(Topic::new([1; 4])), [Arc::clone(&long)]);
        waiting.remove(long.topic(), long.hash());
        assert!(waiting.by_topic.is_empty() && waiting.by_rating.is_empty());
        assert_eq!((waiting.by_expiry.len(), waiting.bytes), (0, 0));
    }
}
