//! Messages that are to be acknowledged, and when.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use super::due::Due;
use super::due::HOUR;
use super::stored::put_option;
use super::stored::take_option;
use crate::time::Timestamp;

/// Names that are owed. The first of them starts the time, so that reading does not show.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Acks {
    owed: VecDeque<MessageName>,
    due: Option<Due>,
}

impl Acks {
    /// Notes that a message is to be acknowledged.
    pub(super) fn owe(&mut self, now: Timestamp, name: MessageName, rng: &mut impl CryptoRng) {
        if self.owed.contains(&name) {
            return;
        }
        if self.owed.len() >= MAX_OWED {
            self.owed.pop_front();
        }
        self.owed.push_back(name);
        if self.due.is_none() {
            self.due = Some(Due::within(now, HOUR, rng));
        }
    }

    /// When the next acknowledgement is due.
    pub(super) fn due(&self) -> Option<Due> {
        self.due
    }

    /// The names that one message carries, if it is time. They stay until they were
    /// [sent](Self::sent).
    pub(super) fn take(&self, now: Timestamp) -> Option<Vec<MessageName>> {
        self.due.filter(|due| due.has_come(now))?;
        Some(self.owed.iter().take(PER_MESSAGE).copied().collect())
    }

    /// Notes that the first so many names went.
    pub(super) fn sent(&mut self, count: usize) {
        self.owed.drain(..count.min(self.owed.len()));
        if self.owed.is_empty() {
            self.due = None;
        }
    }

    /// Puts off what is due.
    pub(super) fn put_off(&mut self, now: Timestamp, until: Timestamp) {
        self.due = self.due.map(|_| Due::at(now, until));
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Acks {
    pub(super) fn write(&self, writer: &mut Writer) {
        put_option(writer, self.due, |writer, due| due.write(writer));
        self.owed.iter().for_each(|name| writer.put(name.as_bytes()));
    }

    pub(super) fn read(mut value: Value<'_>) -> Result<Self, RestoreError> {
        let due = take_option(&mut value, Due::read)?;
        let owed = value.list(|value| value.array().map(MessageName::new))?.into();
        Ok(Self { owed, due })
    }
}

/// As many as the peer keeps unacknowledged.
const MAX_OWED: usize = 1_024;
/// spec 3.7, kind 1.
const PER_MESSAGE: usize = 64;

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    #[test]
    fn the_first_name_starts_the_time_and_64_go_at_once() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut acks = Acks::default();
        let name = |number: u64| MessageName::new(number.to_be_bytes());
        acks.owe(NOW, name(0), &mut rng);
        let due = acks.due().unwrap();
        (1..100).for_each(|number| acks.owe(NOW.saturating_add(HOUR), name(number), &mut rng));
        acks.owe(NOW, name(5), &mut rng);
        assert_eq!(acks.due(), Some(due));
        assert_eq!(acks.take(Timestamp::from_millis(due.at.as_millis() - 1)), None);
        let first = acks.take(due.at).unwrap();
        assert_eq!(first, (0..64).map(name).collect::<Vec<_>>());
        acks.sent(first.len());
        let rest = acks.take(due.at).unwrap();
        assert_eq!(rest, (64..100).map(name).collect::<Vec<_>>());
        acks.sent(rest.len());
        assert_eq!(acks.due(), None);
    }

    #[test]
    fn the_time_is_uniform_within_an_hour() {
        let mut rng = ChaCha20Rng::from_seed([2; 32]);
        let mut counts = [0_u32; 4];
        for number in 0..4_000_u64 {
            let mut acks = Acks::default();
            acks.owe(NOW, MessageName::new(number.to_be_bytes()), &mut rng);
            let delay = acks.due().unwrap().at.saturating_since(NOW);
            assert!(delay <= HOUR);
            counts[usize::try_from(delay.as_secs() / 900).unwrap().min(3)] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn no_more_are_owed_than_a_peer_keeps() {
        let mut rng = ChaCha20Rng::from_seed([3; 32]);
        let mut acks = Acks::default();
        for number in 0..5_000_u64 {
            acks.owe(NOW, MessageName::new(number.to_be_bytes()), &mut rng);
        }
        assert_eq!(acks.owed.len(), MAX_OWED);
        assert_eq!(acks.owed[0], MessageName::new(3_976_u64.to_be_bytes()));
    }
}
