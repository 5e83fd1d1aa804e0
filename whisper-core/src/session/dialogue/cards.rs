//! Whether the peer has our newest card whole, and when it goes to it.

use alloc::collections::VecDeque;
use core::time::Duration;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use super::due::DAY;
use super::due::Due;
use super::stored::put_option;
use super::stored::take_option;
use crate::time::Timestamp;

/// What we owe the peer of cards. A card is named by the number of its prekey.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Cards {
    /// Our newest; none where an account has no cards.
    own: Option<u32>,
    /// What the peer has for sure.
    held: Option<u32>,
    due: Option<Due>,
    /// When one went last, and which ones went under which names.
    last: Option<Timestamp>,
    sent: VecDeque<(MessageName, u32)>,
}

impl Cards {
    /// Notes our newest card.
    pub(super) fn renewed(&mut self, card: u32) {
        self.own = Some(card);
    }

    /// Owes the newest card within this time, if the peer does not have it and it is not due
    /// sooner; not a second one within a day.
    pub(super) fn owe(&mut self, now: Timestamp, within: Duration, rng: &mut impl CryptoRng) {
        if !self.is_owed() {
            return;
        }
        let drawn = Due::within(now, within, rng).at;
        let next = self.last.filter(|last| *last <= now).map(|last| last.saturating_add(DAY));
        let at = next.map_or(drawn, |next| next.max(drawn));
        // One that was due while no session was usable is not late at once when one is.
        if self.due.is_none_or(|due| due.has_come(now) || due.at > at) {
            self.due = Some(Due::at(now, at));
        }
    }

    /// Notes that the peer has shown that it has a card of ours.
    pub(super) fn named(&mut self, card: u32) {
        if self.held.is_none() || self.own == Some(card) {
            self.held = Some(card);
        }
        self.settle();
    }

    /// Notes which messages the peer has opened.
    pub(super) fn acknowledged(&mut self, names: &[MessageName]) {
        let opened = self.sent.iter().rev().find(|(name, _)| names.contains(name));
        if let Some((_, card)) = opened.copied() {
            self.named(card);
        }
    }

    /// When the card goes, if it is owed.
    pub(super) fn due(&self) -> Option<Due> {
        self.due.filter(|_| self.is_owed())
    }

    /// Whether it goes now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due().is_some_and(|due| due.has_come(now))
    }

    /// Notes that it went. It goes again in a day, unless the peer acknowledges it.
    pub(super) fn sent(&mut self, now: Timestamp, name: MessageName) {
        self.last = Some(now);
        self.put_off(now, now.saturating_add(DAY));
        if self.sent.len() >= MAX_SENT {
            self.sent.pop_front();
        }
        self.sent.extend(self.own.map(|own| (name, own)));
    }

    /// Puts off what is due.
    pub(super) fn put_off(&mut self, now: Timestamp, until: Timestamp) {
        self.due = Some(Due::at(now, until));
    }

    /// Owes nothing until there is a reason again.
    pub(super) fn clear(&mut self) {
        self.due = None;
    }

    fn is_owed(&self) -> bool {
        self.own.is_some() && self.own != self.held
    }

    fn settle(&mut self) {
        if !self.is_owed() {
            self.due = None;
            self.sent.clear();
        }
    }
}

impl Cards {
    pub(super) fn write(&self, writer: &mut Writer) {
        for card in [self.own, self.held] {
            put_option(writer, card, |writer, card| writer.put(&card.to_be_bytes()));
        }
        put_option(writer, self.due, |writer, due| due.write(writer));
        put_option(writer, self.last, Writer::put_time);
        for (name, card) in &self.sent {
            writer.put(name.as_bytes());
            writer.put(&card.to_be_bytes());
        }
    }

    pub(super) fn read(mut value: Value<'_>) -> Result<Self, RestoreError> {
        let own = take_option(&mut value, Value::u32)?;
        let held = take_option(&mut value, Value::u32)?;
        let due = take_option(&mut value, Due::read)?;
        let last = take_option(&mut value, Value::time)?;
        let sent = value.list(|value| Ok((MessageName::new(value.array()?), value.u32()?)))?;
        Ok(Self { own, held, due, last, sent: sent.into() })
    }
}

/// A card lives for 21 days and goes once a day.
const MAX_SENT: usize = 21;

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::super::due::HOUR;
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    #[test]
    fn a_card_goes_once_a_day_until_the_peer_has_it() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut cards = Cards::default();
        cards.owe(NOW, HOUR, &mut rng);
        assert_eq!(cards.due(), None);
        cards.renewed(7);
        cards.owe(NOW, HOUR, &mut rng);
        let due = cards.due().unwrap().at;
        assert!(due <= NOW.saturating_add(HOUR) && cards.is_due(due));
        cards.sent(due, MessageName::new([1; 8]));
        assert_eq!(cards.due().unwrap().at, due.saturating_add(DAY));
        assert!(!cards.is_due(due.saturating_add(HOUR)));
        cards.sent(due.saturating_add(DAY), MessageName::new([2; 8]));
        cards.acknowledged(&[MessageName::new([9; 8])]);
        assert!(cards.due().is_some());
        cards.acknowledged(&[MessageName::new([1; 8])]);
        assert_eq!(cards.due(), None);
    }

    #[test]
    fn an_old_card_that_the_peer_names_leaves_the_new_one_owed() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut cards = Cards::default();
        cards.renewed(7);
        cards.named(6);
        cards.owe(NOW, DAY, &mut rng);
        assert!(cards.due().is_some());
        cards.named(7);
        assert_eq!(cards.due(), None);
        cards.named(6);
        assert_eq!(cards.held, Some(7));
        cards.renewed(8);
        cards.owe(NOW, DAY, &mut rng);
        assert!(cards.due().is_some());
    }

    #[test]
    fn two_reasons_make_one_card_a_day() {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        let mut cards = Cards::default();
        cards.renewed(7);
        cards.owe(NOW, HOUR, &mut rng);
        cards.sent(NOW, MessageName::new([1; 8]));
        cards.clear();
        cards.renewed(8);
        cards.owe(NOW, HOUR, &mut rng);
        assert!(!cards.is_due(NOW.saturating_add(HOUR)));
        assert!(cards.is_due(NOW.saturating_add(DAY)));
    }
}
