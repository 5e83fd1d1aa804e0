//! Messages that were shown, so that none is shown again out of another envelope.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;

use crate::envelope::Envelope;
use crate::hash::keccak256;
use crate::inbox::FilterId;
use crate::message::Kind;
use crate::time::Timestamp;

/// What filters have had lately.
///
/// Nothing binds a message to its envelope (finding F7): anybody can put it into a new one, which the
/// network relays as new. Only a reader sees that it is the same. What one filter has had is no repeat
/// for another: a copy under another topic suppresses nothing.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    /// The second until which each is remembered.
    seen: BTreeMap<Shown, u64>,
    by_time: BTreeSet<(u64, Shown)>,
}

/// A message and a filter that has had it.
type Shown = ([u8; 32], FilterId);

/// What identifies the message that opened out of this data.
///
/// Each byte of a symmetric message is authenticated. Of an asymmetric one the y coordinate is not:
/// the negated point agrees on the same key.
pub(super) fn identify(data: &[u8], kind: Kind) -> [u8; 32] {
    match (kind, data.get(..X_END), data.get(Y_END..)) {
        (Kind::Asymmetric, Some(x), Some(rest)) => keccak256(&[x, rest].concat()),
        _ => keccak256(data),
    }
}

impl Repeats {
    /// Whether a filter has had the message that `envelope` carries. From now on it has.
    pub(super) fn note(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        message: [u8; 32],
        filter: FilterId,
    ) -> bool {
        self.forget(now.as_secs());
        let shown = (message, filter);
        let until = envelope.expiry().saturating_add(LONGER);
        let before = self.seen.get(&shown).copied();
        let until = before.map_or(until, |before| before.max(until));
        if let Some(before) = before {
            self.by_time.remove(&(before, shown));
        }
        self.seen.insert(shown, until);
        self.by_time.insert((until, shown));
        before.is_some()
    }

    /// Forgets what is too old, and what would be one too many.
    fn forget(&mut self, now: u64) {
        while let Some((until, shown)) = self.by_time.first().copied() {
            if until >= now && self.seen.len() < MOST {
                break;
            }
            self.by_time.pop_first();
            self.seen.remove(&shown);
        }
    }
}

/// Where the x coordinate of an ephemeral key ends (SEC1), and where the y coordinate does.
const X_END: usize = 33;
const Y_END: usize = 65;
/// Beyond the life of the envelope, in seconds: to repeat the message costs the work for another.
const LONGER: u64 = 3_600;
/// Some 12 MiB. To fill it costs the work for as many messages that a filter here wants.
const MOST: usize = 65_536;

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;
    use crate::envelope::Draft;
    use crate::identity::SymmetricKey;
    use crate::inbox::Filter;
    use crate::inbox::Inbox;
    use crate::topic::Topic;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn envelope(ttl: u64) -> Envelope {
        let draft = Draft::new(NOW, Duration::from_secs(ttl), Topic::default(), Default::default());
        draft.unwrap().seal(0)
    }

    fn filter() -> FilterId {
        let key = SymmetricKey::from_bytes(&[7; 32]).unwrap();
        Inbox::new().add(Filter::new(alloc::sync::Arc::new(key)))
    }

    #[test]
    fn no_more_is_remembered_than_there_is_room_for() {
        let (envelope, filter) = (envelope(50), filter());
        let mut repeats = Repeats::default();
        for number in 0..MOST + 10 {
            let message = [number.to_be_bytes(); 4].concat().try_into().unwrap();
            assert!(!repeats.note(NOW, &envelope, message, filter));
        }
        assert_eq!((repeats.seen.len(), repeats.by_time.len()), (MOST, MOST));
    }

    #[test]
    fn an_envelope_that_dies_sooner_shortens_nothing() {
        let filter = filter();
        let mut repeats = Repeats::default();
        assert!(!repeats.note(NOW, &envelope(1_000), [1; 32], filter));
        assert!(repeats.note(NOW, &envelope(50), [1; 32], filter));
        let later = NOW.saturating_add(Duration::from_secs(1_000 + LONGER));
        assert!(repeats.note(later, &envelope(50), [1; 32], filter));
    }
}
