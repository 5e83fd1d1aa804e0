//! Where the messages of a sender go: hours, and indexes in them.

use alloc::collections::BTreeMap;
use core::time::Duration;

use super::error::RestoreError;
use super::hours::PER_HOUR;
use super::hours::epoch;
use super::hours::place;
use super::hours::start_of;
use super::record::Value;
use super::record::Writer;
use crate::time::Timestamp;

/// The places that were used under one key.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Places {
    /// The hour that counts: it goes back only when the clock is set back by more than an hour.
    epoch: u64,
    last: Timestamp,
    /// By hour, how many messages were sealed in it. An hour that a wrong clock showed comes again.
    sealed: BTreeMap<u64, u32>,
}

/// The place of one message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Slot {
    pub(super) epoch: u64,
    pub(super) index: u32,
    /// Whether the clock stands more than an hour before an earlier sending.
    pub(super) set_back: bool,
}

/// All places of the hour are used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct HourFull {
    /// When there is room again.
    pub(super) until: Timestamp,
}

impl Places {
    /// Takes the next place. No hour and index is given twice, however the clock steps.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Slot, HourFull> {
        let set_back = self.last.saturating_since(now) > ROLLBACK;
        let hour = if set_back { epoch(now) } else { epoch(now).max(self.epoch) };
        let count = self.sealed.get(&hour).copied().unwrap_or_default();
        if count >= PER_HOUR {
            return Err(HourFull { until: start_of(hour.saturating_add(1)) });
        }
        self.sealed.insert(hour, count.saturating_add(1));
        while self.sealed.len() > HOURS {
            self.sealed.pop_first();
        }
        self.epoch = hour;
        self.last = if set_back { now } else { self.last.max(now) };
        Ok(Slot { epoch: hour, index: place(count), set_back })
    }

    /// Those of the next key, which has used none. The clock is the same.
    pub(super) fn next_key(&self) -> Self {
        Self { last: self.last, ..Self::default() }
    }

    /// Writes the hour and the time that count.
    pub(super) fn put(&self, writer: &mut Writer) {
        writer.put(&self.epoch.to_be_bytes());
        writer.put_time(self.last);
    }

    /// Writes what was sealed when.
    pub(super) fn put_sealed(&self, writer: &mut Writer) {
        put_hours(writer, &self.sealed);
    }

    pub(super) fn restore(
        (epoch, last): (u64, Timestamp),
        sealed: Value<'_>,
    ) -> Result<Self, RestoreError> {
        Ok(Self { epoch, last, sealed: read_hours(sealed)? })
    }
}

/// Writes a list of hours, each with a number.
pub(super) fn put_hours(writer: &mut Writer, hours: &BTreeMap<u64, u32>) {
    for (hour, number) in hours {
        writer.put(&hour.to_be_bytes());
        writer.put(&number.to_be_bytes());
    }
}

/// Reads a list of hours, to the end of a value.
pub(super) fn read_hours(value: Value<'_>) -> Result<BTreeMap<u64, u32>, RestoreError> {
    let hours = value.list(|value| Ok((value.u64()?, value.u32()?)))?;
    Ok(hours.into_iter().collect())
}

/// A clock that is set back by less goes on in the last hour.
const ROLLBACK: Duration = Duration::from_secs(3_600);
/// Hours that are remembered: more than a session lives.
const HOURS: usize = 4_400;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    fn next(places: &mut Places, now: Timestamp) -> (u64, u32) {
        let slot = places.advance(now).unwrap();
        (slot.epoch, slot.index)
    }

    #[test]
    fn an_hour_has_4096_places_and_the_next_begins_anew() {
        let mut places = Places::default();
        let hour = epoch(NOW);
        let used: BTreeSet<_> = (0..PER_HOUR).map(|_| next(&mut places, NOW)).collect();
        assert_eq!(used, (0..PER_HOUR).map(|index| (hour, index)).collect());
        let until = start_of(hour + 1);
        assert_eq!(places.advance(NOW), Err(HourFull { until }));
        assert_eq!(next(&mut places, until), (hour + 1, 0));
    }

    #[test]
    fn no_place_is_given_twice_however_the_clock_steps() {
        let mut places = Places::default();
        let mut used = BTreeSet::new();
        for seconds in [0, 3_000, 1, 2_999, 90_000, 1_500, 90_000, 1_500, 3_600, 0, 7_200] {
            let now = NOW.saturating_add(Duration::from_secs(seconds));
            for _ in 0..40 {
                assert!(used.insert(next(&mut places, now)), "{seconds}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_ahead_and_is_set_right_stops_nobody() {
        let mut places = Places::default();
        next(&mut places, NOW);
        let ahead = NOW.saturating_add(Duration::from_secs(3_700));
        next(&mut places, ahead);
        let slot = places.advance(NOW).unwrap();
        assert_eq!(slot, Slot { epoch: epoch(NOW), index: 1, set_back: true });
        // A correction by less goes on in the later hour, which the peer watches too.
        let late = start_of(epoch(NOW) + 1);
        next(&mut places, late);
        let slot = places.advance(late.saturating_sub(Duration::from_secs(1))).unwrap();
        assert_eq!((slot.epoch, slot.set_back), (epoch(NOW) + 1, false));
    }
}
