//! Messages that were shown, so that none is shown again out of another envelope.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use whisper_core::envelope::Envelope;
use whisper_core::hash::keccak256;
use whisper_core::time::Timestamp;

/// What was opened lately.
///
/// Nothing binds a message to its envelope (finding F7): anybody can put it into a new one, which the
/// network relays as new. Only who can read it sees that it is the same.
#[derive(Default)]
pub(super) struct Repeats {
    /// Hashes of encrypted messages, and the second until which each is remembered.
    seen: BTreeMap<[u8; 32], u64>,
    by_time: BTreeSet<(u64, [u8; 32])>,
}

impl Repeats {
    /// Whether what `envelope` carries was opened before. From now on it was.
    pub(super) fn note(&mut self, now: Timestamp, envelope: &Envelope) -> bool {
        self.forget(now.as_secs());
        let hash = keccak256(envelope.data());
        let until = envelope.expiry().saturating_add(LONGER);
        let before = self.seen.get(&hash).copied();
        let until = before.map_or(until, |before| before.max(until));
        if let Some(before) = before {
            self.by_time.remove(&(before, hash));
        }
        self.seen.insert(hash, until);
        self.by_time.insert((until, hash));
        before.is_some()
    }

    /// What is too old, and what would be one too many.
    fn forget(&mut self, now: u64) {
        while let Some((until, hash)) = self.by_time.first().copied() {
            if until >= now && self.seen.len() < MOST {
                break;
            }
            self.by_time.pop_first();
            self.seen.remove(&hash);
        }
    }
}

/// Beyond the life of the envelope, in seconds: whoever repeats it must find work for another.
const LONGER: u64 = 3_600;
/// Some 10 MiB. Whoever wants to fill it must find work for as many messages that we can read.
const MOST: usize = 65_536;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use whisper_core::envelope::Draft;
    use whisper_core::topic::Topic;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn envelope(data: u8, ttl: u64) -> Envelope {
        let ttl = Duration::from_secs(ttl);
        Draft::new(NOW, ttl, Topic::default(), vec![data; 9]).unwrap().seal(ttl.as_secs())
    }

    #[test]
    fn a_message_is_remembered_an_hour_beyond_the_last_of_its_envelopes() {
        let mut repeats = Repeats::default();
        assert!(!repeats.note(NOW, &envelope(1, 50)));
        assert!(repeats.note(NOW, &envelope(1, 100)));
        assert!(!repeats.note(NOW, &envelope(2, 50)));
        let after = |secs| NOW.saturating_add(Duration::from_secs(secs));
        assert!(repeats.note(after(3_700), &envelope(1, 50)));
        assert!(!repeats.note(after(3_701), &envelope(1, 50)));
        assert_eq!((repeats.seen.len(), repeats.by_time.len()), (1, 1));
    }
}
