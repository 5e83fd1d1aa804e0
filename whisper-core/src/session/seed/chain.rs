//! The counters of a session: what was sent when, what was opened already.

use alloc::collections::BTreeMap;
use core::time::Duration;

use crate::session::error::RestoreError;
use crate::session::error::SessionError;
use crate::session::hours::PER_HOUR;
use crate::session::hours::epoch;
use crate::session::hours::place;
use crate::session::hours::start_of;
use crate::session::record::Fields;
use crate::session::record::Writer;
use crate::time::Timestamp;

/// The sending side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Sending {
    /// How many messages were numbered.
    sequence: u32,
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

impl Sending {
    /// Takes the next number.
    pub(super) fn number(&mut self) -> Result<u32, SessionError> {
        if self.sequence >= MAX_MESSAGES {
            return Err(SessionError::Exhausted);
        }
        let number = self.sequence;
        self.sequence = self.sequence.saturating_add(1);
        Ok(number)
    }

    /// How many numbers were taken.
    pub(super) const fn sealed(&self) -> u32 {
        self.sequence
    }

    /// Takes the next place. No hour and index is given twice, however the clock steps.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Slot, SessionError> {
        let set_back = self.last.saturating_since(now) > ROLLBACK;
        let hour = if set_back { epoch(now) } else { epoch(now).max(self.epoch) };
        let count = self.sealed.get(&hour).copied().unwrap_or_default();
        if count >= PER_HOUR {
            return Err(SessionError::HourFull { until: start_of(hour.saturating_add(1)) });
        }
        self.sealed.insert(hour, count.saturating_add(1));
        while self.sealed.len() > HOURS {
            self.sealed.pop_first();
        }
        self.epoch = hour;
        self.last = if set_back { now } else { self.last.max(now) };
        Ok(Slot { epoch: hour, index: place(count), set_back })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.field(SENDING, |writer| {
            writer.put(&self.sequence.to_be_bytes());
            writer.put(&self.epoch.to_be_bytes());
            writer.put_time(self.last);
        });
        write_hours(writer, SEALED, &self.sealed);
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let (sequence, epoch, last) =
            fields.read(SENDING, |value| Ok((value.u32()?, value.u64()?, value.time()?)))?;
        Ok(Self { sequence, epoch, last, sealed: read_hours(fields, SEALED)? })
    }
}

/// The receiving side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Receiving {
    /// One more than the highest number that was opened.
    end: u32,
    /// The latest time that a message says to be sent at, in seconds since the Unix epoch.
    newest: u32,
    /// A ring: bit `n % 1024` stands for number `n`.
    opened: [u64; WORDS],
    /// By hour, one more than the highest index that was opened.
    pub(super) next: BTreeMap<u64, u32>,
}

impl Receiving {
    /// Whether a message of this number may still be opened: once, and not far behind.
    pub(super) fn is_new(&self, sequence: u32) -> bool {
        let oldest = self.end.saturating_sub(WINDOW);
        let unseen = sequence >= self.end || (sequence >= oldest && !self.bit(sequence));
        unseen && sequence < MAX_MESSAGES
    }

    /// Whether a message that was sent at this time was sent after all that were opened.
    pub(super) const fn is_newest(&self, sent_at: u32) -> bool {
        sent_at > self.newest
    }

    /// Notes that a message was opened: never before it is authenticated.
    pub(super) fn note(&mut self, sequence: u32, sent_at: u32, hour: u64, index: u32) {
        self.newest = self.newest.max(sent_at);
        if sequence >= self.end {
            let behind = sequence.saturating_sub(WINDOW - 1).max(self.end);
            (behind..=sequence).for_each(|number| self.set(number, false));
            self.end = sequence.saturating_add(1);
        }
        self.set(sequence, true);
        let next = self.next.entry(hour).or_default();
        *next = index.saturating_add(1).max(*next);
        while self.next.len() > REMEMBERED {
            self.next.pop_first();
        }
    }

    /// How many numbers below this one were not opened, as far as that is known.
    pub(super) fn missing(&self, sequence: u32) -> u32 {
        let known = self.end.saturating_sub(WINDOW)..sequence;
        let missing = known.filter(|number| !self.bit(*number)).count();
        u32::try_from(missing).unwrap_or(WINDOW)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.field(RECEIVING, |writer| {
            writer.put(&self.end.to_be_bytes());
            writer.put(&self.newest.to_be_bytes());
            self.opened.iter().for_each(|word| writer.put(&word.to_be_bytes()));
        });
        write_hours(writer, NEXT, &self.next);
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let mut receiving = Self::default();
        (receiving.end, receiving.newest) = fields.read(RECEIVING, |value| {
            let ends = (value.u32()?, value.u32()?);
            for word in &mut receiving.opened {
                *word = value.u64()?;
            }
            Ok(ends)
        })?;
        receiving.next = read_hours(fields, NEXT)?;
        Ok(receiving)
    }

    fn bit(&self, sequence: u32) -> bool {
        let (word, mask) = bit_of(sequence);
        self.opened.get(word).is_some_and(|word| word & mask != 0)
    }

    fn set(&mut self, sequence: u32, value: bool) {
        let (word, mask) = bit_of(sequence);
        if let Some(word) = self.opened.get_mut(word) {
            *word = if value { *word | mask } else { *word & !mask };
        }
    }
}

fn bit_of(sequence: u32) -> (usize, u64) {
    let bit = sequence % WINDOW;
    ((bit / 64) as usize, 1 << (bit % 64))
}

/// A list of hours, each with a number.
fn write_hours(writer: &mut Writer, kind: u8, hours: &BTreeMap<u64, u32>) {
    writer.field(kind, |writer| {
        for (hour, number) in hours {
            writer.put(&hour.to_be_bytes());
            writer.put(&number.to_be_bytes());
        }
    });
}

fn read_hours(fields: &mut Fields<'_>, kind: u8) -> Result<BTreeMap<u64, u32>, RestoreError> {
    let hours = fields.take(kind)?.list(|value| Ok((value.u64()?, value.u32()?)))?;
    Ok(hours.into_iter().collect())
}

/// Random nonces of GCM collide with 2^-57 among so many.
const MAX_MESSAGES: u32 = 1 << 20;
/// How far behind the highest number a message may come.
const WINDOW: u32 = 1_024;
const WORDS: usize = WINDOW as usize / 64;
/// A clock that is set back by less goes on in the last hour.
const ROLLBACK: Duration = Duration::from_secs(3_600);
/// Hours whose indexes are remembered by the receiver: beyond those that late envelopes come from.
const REMEMBERED: usize = 32;
/// Hours whose indexes are remembered by the sender: more than a session lives.
const HOURS: usize = 1_024;

const SENDING: u8 = 37;
const SEALED: u8 = 38;
const RECEIVING: u8 = 39;
const NEXT: u8 = 40;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    fn next(sending: &mut Sending, now: Timestamp) -> (u64, u32) {
        sending.number().unwrap();
        let slot = sending.advance(now).unwrap();
        (slot.epoch, slot.index)
    }

    #[test]
    fn an_hour_has_4096_places_and_the_next_begins_anew() {
        let mut sending = Sending::default();
        let hour = epoch(NOW);
        let places: BTreeSet<_> = (0..PER_HOUR).map(|_| next(&mut sending, NOW)).collect();
        assert_eq!(places, (0..PER_HOUR).map(|index| (hour, index)).collect());
        let until = start_of(hour + 1);
        assert_eq!(sending.advance(NOW), Err(SessionError::HourFull { until }));
        assert_eq!(next(&mut sending, until), (hour + 1, 0));
    }

    #[test]
    fn no_place_is_given_twice_however_the_clock_steps() {
        let mut sending = Sending::default();
        let mut places = BTreeSet::new();
        for seconds in [0, 3_000, 1, 2_999, 90_000, 1_500, 90_000, 1_500, 3_600, 0, 7_200] {
            let now = NOW.saturating_add(Duration::from_secs(seconds));
            for _ in 0..40 {
                assert!(places.insert(next(&mut sending, now)), "{seconds}");
            }
        }
    }

    #[test]
    fn a_clock_that_was_ahead_and_is_set_right_stops_nobody() {
        let mut sending = Sending::default();
        next(&mut sending, NOW);
        let ahead = NOW.saturating_add(Duration::from_secs(3_700));
        next(&mut sending, ahead);
        let slot = sending.advance(NOW).unwrap();
        assert_eq!(slot, Slot { epoch: epoch(NOW), index: 1, set_back: true });
        // A correction by less goes on in the later hour, which the peer watches too.
        let late = start_of(epoch(NOW) + 1);
        next(&mut sending, late);
        let slot = sending.advance(late.saturating_sub(Duration::from_secs(1))).unwrap();
        assert_eq!((slot.epoch, slot.set_back), (epoch(NOW) + 1, false));
    }

    #[test]
    fn a_key_is_used_up_after_2_to_the_20_messages() {
        let mut sending = Sending { sequence: MAX_MESSAGES - 1, ..Sending::default() };
        assert!(sending.number().is_ok());
        assert_eq!(sending.number(), Err(SessionError::Exhausted));
    }

    #[test]
    fn what_is_missing_is_counted_below_a_number() {
        let mut receiving = Receiving::default();
        for (sequence, missing) in [(0, 0), (3, 2), (1, 0), (2, 0), (4, 0), (2_000, 1_023)] {
            receiving.note(sequence, 0, 0, 0);
            assert_eq!(receiving.missing(sequence), missing, "{sequence}");
        }
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
                    receiving.note(number, 0, epoch(NOW), 0);
                    opened.insert(number);
                }
            }
        }
    }
}
