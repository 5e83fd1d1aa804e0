//! Invitations that came when there was no time for another.

use alloc::collections::BTreeMap;

use crate::envelope::EnvelopeHash;
use crate::pow::Rating;
use crate::time::Timestamp;

use super::contract::Arrival;

/// Invitations of strangers for one account, that came when as many had been looked at as are in
/// their time. Work decides who comes first and who stays: to send many gains nothing.
#[derive(Debug)]
pub(super) struct Crowd {
    by_worth: BTreeMap<(Rating, EnvelopeHash), Arrival>,
    bytes: usize,
}

impl Crowd {
    pub(super) const fn new() -> Self {
        Self { by_worth: BTreeMap::new(), bytes: 0 }
    }

    /// Keeps an invitation, unless those that are worth more leave no room.
    pub(super) fn insert(&mut self, worth: Rating, arrival: Arrival) {
        let size = arrival.envelope.size();
        if self.by_worth.insert((worth, arrival.envelope.hash()), arrival).is_none() {
            self.bytes = self.bytes.saturating_add(size);
        }
        while self.by_worth.len() > MOST || self.bytes > MOST_BYTES {
            let Some((_, least)) = self.by_worth.pop_first() else { break };
            self.bytes = self.bytes.saturating_sub(least.envelope.size());
        }
    }

    /// Takes out the one that is worth most, of those that have not expired.
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<Arrival> {
        while let Some((_, best)) = self.by_worth.pop_last() {
            self.bytes = self.bytes.saturating_sub(best.envelope.size());
            if best.envelope.expiry() >= now.as_secs() {
                return Some(best);
            }
        }
        None
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_worth.is_empty()
    }
}

/// As many as may wait for the user: some minutes of the budget (`session.md`, 3.11).
const MOST: usize = 256;
/// What their envelopes take. One with the longest text takes 17 KiB.
const MOST_BYTES: usize = 4 << 20;

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec;
    use alloc::vec::Vec;
    use core::time::Duration;

    use super::*;
    use crate::envelope::Draft;
    use crate::pool::Origin;
    use crate::topic::Topic;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn insert(crowd: &mut Crowd, nonce: u64, worth: u32, length: usize, ttl: u64) {
        let ttl = Duration::from_secs(ttl);
        let draft = Draft::new(NOW, ttl, Topic::default(), vec![0; length]).unwrap();
        let arrival = Arrival::admitted(Arc::new(draft.seal(nonce)), Origin::Own);
        crowd.insert(Rating::new(worth.into()).unwrap(), arrival);
    }

    fn nonces(mut crowd: Crowd, now: Timestamp) -> Vec<u64> {
        let next = || crowd.pop(now).map(|arrival| arrival.envelope.nonce());
        let nonces = core::iter::from_fn(next).collect();
        assert_eq!(crowd.bytes, 0);
        nonces
    }

    #[test]
    fn those_of_least_work_go_and_those_of_most_come_first() {
        let mut crowd = Crowd::new();
        for nonce in 0..1_000 {
            // Not in the order of what they are worth.
            let worth = (nonce * 7 % 1_000) as u32;
            insert(&mut crowd, nonce, worth, 369, 50);
            insert(&mut crowd, nonce, worth, 369, 50);
        }
        assert_eq!(crowd.by_worth.len(), 256);
        let worth = |nonce: u64| nonce * 7 % 1_000;
        let worths: Vec<_> = nonces(crowd, NOW).into_iter().map(worth).collect();
        assert_eq!(worths, (744..1_000).rev().collect::<Vec<_>>());
    }

    #[test]
    fn they_take_4_mib_whatever_is_in_them() {
        let mut crowd = Crowd::new();
        (0..100).for_each(|nonce| insert(&mut crowd, nonce, nonce as u32, 100_000, 50));
        assert!(crowd.bytes <= 4 << 20 && crowd.bytes > 4_000_000);
        let kept = nonces(crowd, NOW);
        assert_eq!(kept, (100 - kept.len() as u64..100).rev().collect::<Vec<_>>());
    }

    #[test]
    fn what_has_expired_takes_no_turn() {
        let mut crowd = Crowd::new();
        insert(&mut crowd, 1, 9, 369, 50);
        insert(&mut crowd, 2, 5, 369, 60);
        assert_eq!(nonces(crowd, NOW.saturating_add(Duration::from_secs(55))), [2]);
    }
}
