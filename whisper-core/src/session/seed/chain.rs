//! The counters of a session: what was sent when, what was opened already.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::time::Timestamp;

use crate::session::contract::SessionError;

/// The hour that a moment lies in, counted from the Unix epoch.
pub(in crate::session) const fn epoch(now: Timestamp) -> u64 {
    now.as_secs() / HOUR
}

/// When an hour begins.
pub(in crate::session) const fn start_of(epoch: u64) -> Timestamp {
    Timestamp::from_secs(epoch.saturating_mul(HOUR))
}

/// The sending side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::session) struct Sending {
    /// The last hour in which something was sent.
    epoch: u64,
    /// How many messages were sealed in that hour.
    index: u32,
    /// How many were sealed at all.
    sequence: u32,
    last: Timestamp,
}

/// The place of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::session) struct Slot {
    pub(in crate::session) epoch: u64,
    pub(in crate::session) index: u32,
    pub(in crate::session) sequence: u32,
}

impl Sending {
    /// Takes the next place. No hour and index is given twice, even when the clock steps back.
    pub(in crate::session) fn advance(&mut self, now: Timestamp) -> Result<Slot, SessionError> {
        if self.sequence >= MAX_MESSAGES {
            return Err(SessionError::Exhausted);
        }
        if self.last.saturating_since(now) > ROLLBACK {
            return Err(SessionError::ClockRollback);
        }
        let hour = epoch(now).max(self.epoch);
        let index = if hour == self.epoch { self.index } else { 0 };
        if index >= PER_HOUR {
            return Err(SessionError::HourFull { until: start_of(hour.saturating_add(1)) });
        }
        let slot = Slot { epoch: hour, index, sequence: self.sequence };
        self.epoch = hour;
        self.index = index.saturating_add(1);
        self.sequence = self.sequence.saturating_add(1);
        self.last = self.last.max(now);
        Ok(slot)
    }
}

/// The receiving side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(in crate::session) struct Receiving {
    /// One more than the highest number that was opened.
    end: u32,
    /// A ring: bit `n % 1024` stands for number `n`.
    opened: [u64; WORDS],
    /// By hour, one more than the highest index that was opened.
    pub(in crate::session) next: BTreeMap<u64, u32>,
}

impl Receiving {
    /// Whether a message of this number may still be opened: once, and not far behind.
    pub(in crate::session) fn is_new(&self, sequence: u32) -> bool {
        let oldest = self.end.saturating_sub(WINDOW);
        let unseen = sequence >= self.end || (sequence >= oldest && !self.bit(sequence));
        unseen && sequence < MAX_MESSAGES
    }

    /// Notes that a message was opened: never before it is authenticated.
    pub(in crate::session) fn note(&mut self, now: Timestamp, sequence: u32, hour: u64, index: u32) {
        if sequence >= self.end {
            let behind = sequence.saturating_sub(WINDOW - 1).max(self.end);
            (behind..=sequence).for_each(|number| self.set(number, false));
            self.end = sequence.saturating_add(1);
        }
        self.set(sequence, true);
        let next = self.next.entry(hour).or_default();
        *next = index.saturating_add(1).max(*next);
        let oldest = epoch(now).saturating_sub(REMEMBERED);
        self.next = self.next.split_off(&oldest);
    }

    fn bit(&self, sequence: u32) -> bool {
        let (word, mask) = place(sequence);
        self.opened.get(word).is_some_and(|word| word & mask != 0)
    }

    fn set(&mut self, sequence: u32, value: bool) {
        let (word, mask) = place(sequence);
        if let Some(word) = self.opened.get_mut(word) {
            *word = if value { *word | mask } else { *word & !mask };
        }
    }
}

fn place(sequence: u32) -> (usize, u64) {
    let bit = sequence % WINDOW;
    ((bit / 64) as usize, 1 << (bit % 64))
}

const HOUR: u64 = 3_600;
/// What exceeds it waits for the next hour: topics are watched up to here.
pub(in crate::session) const PER_HOUR: u32 = 4_096;
/// Random nonces of GCM collide with 2^-57 among so many.
const MAX_MESSAGES: u32 = 1 << 20;
/// How far behind the highest number a message may come.
const WINDOW: u32 = 1_024;
const WORDS: usize = WINDOW as usize / 64;
/// A clock that is set back by less is taken for a corrected one.
const ROLLBACK: Duration = Duration::from_secs(HOUR);
/// Hours whose indexes are remembered: beyond those that late envelopes come from.
const REMEMBERED: u64 = 30;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    #[test]
    fn an_hour_has_4096_places_and_the_next_begins_anew() {
        let mut sending = Sending::default();
        for index in 0..PER_HOUR {
            let slot = Slot { epoch: epoch(NOW), index, sequence: index };
            assert_eq!(sending.advance(NOW), Ok(slot));
        }
        let until = start_of(epoch(NOW) + 1);
        assert_eq!(sending.advance(NOW), Err(SessionError::HourFull { until }));
        let slot = Slot { epoch: epoch(NOW) + 1, index: 0, sequence: PER_HOUR };
        assert_eq!(sending.advance(until), Ok(slot));
    }

    #[test]
    fn no_place_is_given_twice_when_the_clock_steps_back() {
        let mut sending = Sending::default();
        let mut places = BTreeSet::new();
        for seconds in [0, 3_000, 1, 2_999, 5_000, 1_500] {
            let now = NOW.saturating_add(Duration::from_secs(seconds));
            let slot = sending.advance(now).unwrap();
            assert!(places.insert((slot.epoch, slot.index)));
        }
        let before = sending.clone();
        let earlier = NOW.saturating_add(Duration::from_secs(1_399));
        assert_eq!(sending.advance(earlier), Err(SessionError::ClockRollback));
        assert_eq!(sending, before);
    }

    #[test]
    fn a_key_is_used_up_after_2_to_the_20_messages() {
        let mut sending = Sending { sequence: MAX_MESSAGES - 1, ..Sending::default() };
        assert!(sending.advance(NOW).is_ok());
        assert_eq!(sending.advance(NOW), Err(SessionError::Exhausted));
    }

    proptest! {
        #[test]
        fn a_number_is_new_once_and_only_near_the_highest(
            numbers in proptest::collection::vec(
                prop_oneof![0..40_u32, 1_000..1_100_u32, 5_000..5_010_u32,
                    Just(MAX_MESSAGES - 1), Just(MAX_MESSAGES), Just(u32::MAX)],
                0..60,
            ),
        ) {
            let mut receiving = Receiving::default();
            let mut opened = BTreeSet::new();
            for number in numbers {
                let highest = opened.last().copied();
                let near = highest.is_none_or(|highest: u32| number.saturating_add(1_023) >= highest);
                let new = near && !opened.contains(&number) && number < MAX_MESSAGES;
                prop_assert_eq!(receiving.is_new(number), new, "{}", number);
                if new {
                    receiving.note(NOW, number, epoch(NOW), 0);
                    opened.insert(number);
                }
            }
        }
    }
}
