//! The names of messages that came: none is shown twice.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::contract::MessageName;
use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use super::due::DAY;
use crate::time::Timestamp;

/// The newest 32,768 names of 30 days, in blocks. A copy shares the full ones, so that a step on a
/// copy costs the last block only.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Names {
    full: VecDeque<Block>,
    /// How many were ever full.
    count: u64,
    /// In the order they came.
    open: Vec<MessageName>,
    /// When the newest came.
    last: Timestamp,
}

/// Names in ascending order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Block {
    /// Which it is, from 0.
    number: u64,
    names: Arc<[MessageName]>,
    last: Timestamp,
}

impl Names {
    /// Whether a message of this name came.
    pub(super) fn contains(&self, name: &MessageName) -> bool {
        let in_full = |block: &Block| block.names.binary_search(name).is_ok();
        self.open.contains(name) || self.full.iter().any(in_full)
    }

    /// Notes that a message came; whether it is new.
    pub(super) fn note(&mut self, now: Timestamp, name: MessageName) -> bool {
        if self.contains(&name) {
            return false;
        }
        self.last = self.last.max(now);
        self.open.push(name);
        if self.open.len() >= BLOCK {
            self.close();
        }
        true
    }

    /// Forgets what is too old, a block at a time.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let is_old = |last: Timestamp| now.saturating_since(last) >= LIFE;
        self.full.retain(|block| !is_old(block.last));
        if is_old(self.last) {
            self.open.clear();
        }
    }

    /// When there is something to forget.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let open = (!self.open.is_empty()).then_some(self.last);
        let first = self.full.iter().map(|block| block.last).chain(open).min();
        first.map(|last| last.saturating_add(LIFE))
    }

    /// Notes that the clock was set back.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.last = self.last.min(now);
        self.full.iter_mut().for_each(|block| block.last = block.last.min(now));
    }

    fn close(&mut self) {
        let mut names = core::mem::take(&mut self.open);
        names.sort_unstable();
        let block = Block { number: self.count, names: names.into(), last: self.last };
        self.full.push_back(block);
        self.count = self.count.saturating_add(1);
        if self.full.len() > BLOCKS {
            self.full.pop_front();
        }
    }
}

// How they are stored: the open ones with the dialogue, each block for itself.
impl Names {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(&self.count.to_be_bytes());
        writer.put_time(self.last);
        self.open.iter().for_each(|name| writer.put(name.as_bytes()));
    }

    pub(super) fn read(mut value: Value<'_>) -> Result<Self, RestoreError> {
        let (count, last) = (value.u64()?, value.time()?);
        let open = value.list(|value| value.array().map(MessageName::new))?;
        Ok(Self { full: VecDeque::new(), count, open, last })
    }

    /// The blocks, by their numbers.
    pub(super) fn blocks(&self) -> impl Iterator<Item = (u64, &Block)> {
        self.full.iter().map(|block| (block.number, block))
    }

    /// Puts in the blocks, in any order.
    pub(super) fn put_blocks(&mut self, mut blocks: Vec<Block>) {
        blocks.sort_unstable_by_key(|block| block.number);
        self.full = blocks.into();
    }
}

impl Block {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(&self.number.to_be_bytes());
        writer.put_time(self.last);
        self.names.iter().for_each(|name| writer.put(name.as_bytes()));
    }

    pub(super) fn read(mut value: Value<'_>) -> Result<Self, RestoreError> {
        let (number, last) = (value.u64()?, value.time()?);
        let names = value.list(|value| value.array().map(MessageName::new))?;
        Ok(Self { number, names: names.into(), last })
    }
}

/// Names of a block: 2 KiB are copied and, later, stored with each message.
const BLOCK: usize = 256;
/// Together with the open block never fewer than the 32,768 of spec 3.11, and 256 more at most.
const BLOCKS: usize = 128;
const LIFE: Duration = Duration::from_secs(30 * DAY.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    fn name(number: u64) -> MessageName {
        MessageName::new(number.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes())
    }

    #[test]
    fn the_newest_32768_are_known_and_what_is_older_is_forgotten() {
        let mut names = Names::default();
        for number in 0..100_000 {
            assert!(names.note(NOW, name(number)), "{number}");
            assert!(!names.note(NOW, name(number)), "{number}");
        }
        assert!((100_000 - 32_768..100_000).all(|number| names.contains(&name(number))));
        assert!(!names.contains(&name(100_000 - 32_768 - 257)));
        assert!(names.full.len() * BLOCK + names.open.len() <= 32_768 + BLOCK);
    }

    #[test]
    fn a_name_is_known_for_30_days_and_no_block_longer_than_its_newest() {
        let mut names = Names::default();
        let day = |days: u64| NOW.saturating_add(DAY * u32::try_from(days).unwrap());
        for number in 0..600 {
            names.note(day(number / 20), name(number));
        }
        names.expire(day(29));
        assert!(names.contains(&name(0)));
        assert_eq!(names.next_expiry(), Some(day(12 + 30)));
        names.expire(day(12 + 30));
        assert!(!names.contains(&name(0)) && !names.contains(&name(255)));
        assert!(names.contains(&name(256)) && names.contains(&name(599)));
        names.expire(day(29 + 30));
        assert_eq!(names.next_expiry(), None);
        assert!(!names.contains(&name(599)));
    }
}
