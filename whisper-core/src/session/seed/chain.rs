//! The counters of a session: what was sent when, what was opened already.

use alloc::collections::BTreeMap;

use crate::session::error::RestoreError;
use crate::session::error::SessionError;
use crate::session::places::HourFull;
use crate::session::places::Places;
use crate::session::places::Slot;
use crate::session::places::put_hours;
use crate::session::places::read_hours;
use crate::session::record::Fields;
use crate::session::record::Writer;
use crate::time::Timestamp;

/// The sending side.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Sending {
    /// How many messages were numbered.
    sequence: u32,
    places: Places,
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

    /// Takes the next place.
    pub(super) fn advance(&mut self, now: Timestamp) -> Result<Slot, SessionError> {
        let full = |HourFull { until }| SessionError::HourFull { until };
        self.places.advance(now).map_err(full)
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.field(SENDING, |writer| {
            writer.put(&self.sequence.to_be_bytes());
            self.places.put(writer);
        });
        writer.field(SEALED, |writer| self.places.put_sealed(writer));
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let (sequence, clock) =
            fields.read(SENDING, |value| Ok((value.u32()?, (value.u64()?, value.time()?))))?;
        Ok(Self { sequence, places: Places::restore(clock, fields.take(SEALED)?)? })
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
        writer.field(NEXT, |writer| put_hours(writer, &self.next));
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
        receiving.next = read_hours(fields.take(NEXT)?)?;
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

/// Random nonces of GCM collide with 2^-57 among so many.
const MAX_MESSAGES: u32 = 1 << 20;
/// How far behind the highest number a message may come.
const WINDOW: u32 = 1_024;
const WORDS: usize = WINDOW as usize / 64;
/// Hours whose indexes are remembered by the receiver: beyond those that late envelopes come from.
const REMEMBERED: usize = 32;

const SENDING: u8 = 37;
const SEALED: u8 = 38;
const RECEIVING: u8 = 39;
const NEXT: u8 = 40;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

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
                    receiving.note(number, 0, 486_111, 0);
                    opened.insert(number);
                }
            }
        }
    }
}
