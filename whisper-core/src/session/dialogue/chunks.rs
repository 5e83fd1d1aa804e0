//! Long messages, until they are whole.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use super::contract::Chunk;
use super::contract::MAX_CHUNK;
use super::contract::MAX_CHUNKS;
use super::due::DAY;
use crate::time::Timestamp;

/// Messages of which chunks are missing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Chunks(BTreeMap<[u8; 8], Pile>);

/// The chunks of one message that are there.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Pile {
    total: u16,
    chunks: BTreeMap<u16, Arc<[u8]>>,
    since: Timestamp,
}

impl Chunks {
    /// Whether a chunk keeps to the rules, and to what the others of its message say.
    pub(super) fn accepts(&self, chunk: &Chunk) -> bool {
        let agrees = |pile: &Pile| pile.total == chunk.total;
        (2..=MAX_CHUNKS).contains(&chunk.total)
            && chunk.index < chunk.total
            && (1..=MAX_CHUNK).contains(&chunk.data.len())
            && self.0.get(&chunk.id).is_none_or(agrees)
    }

    /// Takes a chunk that is accepted, and gives the message if that makes it whole. If there are
    /// too many incomplete ones, the oldest go.
    pub(super) fn take(&mut self, now: Timestamp, chunk: Chunk) -> Option<Vec<u8>> {
        let Chunk { id, index, total, data } = chunk;
        let new = || Pile { total, chunks: BTreeMap::new(), since: now };
        let pile = self.0.entry(id).or_insert_with(new);
        pile.chunks.insert(index, data);
        if pile.chunks.len() >= usize::from(total) {
            let pile = self.0.remove(&id)?;
            return Some(pile.chunks.into_values().flat_map(|data| data.to_vec()).collect());
        }
        while self.0.len() > MAX_PILES || self.bytes() > MAX_BYTES {
            let others = self.0.iter().filter(|(other, _)| **other != id);
            let oldest = others.min_by_key(|(_, pile)| pile.since).map(|(id, _)| *id);
            self.0.remove(&oldest?);
        }
        None
    }

    /// Drops what is too old.
    pub(super) fn expire(&mut self, now: Timestamp) {
        self.0.retain(|_, pile| now.saturating_since(pile.since) < LIFE);
    }

    /// When there is something to drop.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        self.0.values().map(|pile| pile.since.saturating_add(LIFE)).min()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn bytes(&self) -> usize {
        let chunks = self.0.values().flat_map(|pile| pile.chunks.values());
        chunks.fold(0, |sum, data| sum.saturating_add(data.len()))
    }
}

// How they are stored: each chunk for itself.
impl Chunks {
    /// The chunks, by their messages and indexes.
    pub(super) fn all(&self) -> impl Iterator<Item = (([u8; 8], u16), Kept)> {
        self.0.iter().flat_map(|(id, pile)| {
            pile.chunks.iter().map(|(index, data)| {
                let (id, index, total) = (*id, *index, pile.total);
                let chunk = Chunk { id, index, total, data: Arc::clone(data) };
                ((id, index), Kept { chunk, since: pile.since })
            })
        })
    }

    /// Puts a chunk in.
    pub(super) fn put(&mut self, kept: Kept) {
        let Kept { chunk: Chunk { id, index, total, data }, since } = kept;
        let new = || Pile { total, chunks: BTreeMap::new(), since };
        self.0.entry(id).or_insert_with(new).chunks.insert(index, data);
    }
}

/// A chunk as it is stored.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Kept {
    chunk: Chunk,
    since: Timestamp,
}

impl Kept {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put_time(self.since);
        self.chunk.write(writer);
    }

    pub(super) fn read(mut value: Value<'_>) -> Result<Self, RestoreError> {
        let kept = Self { since: value.time()?, chunk: Chunk::read(&mut value)? };
        value.end().map(|()| kept)
    }
}

/// spec 3.11.
const MAX_PILES: usize = 4;
const MAX_BYTES: usize = 16 << 20;
const LIFE: Duration = Duration::from_secs(7 * DAY.as_secs());

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

    fn chunk(id: u8, index: u16, total: u16, length: usize) -> Chunk {
        let data = alloc::vec![u8::try_from(index).unwrap(); length].into();
        Chunk { id: [id; 8], index, total, data }
    }

    #[test]
    fn chunks_in_any_order_make_the_message_once() {
        let mut chunks = Chunks::default();
        for index in [2, 0, 2] {
            assert_eq!(chunks.take(NOW, chunk(1, index, 3, 2)), None);
        }
        assert_eq!(chunks.take(NOW, chunk(1, 1, 3, 2)).unwrap(), [0, 0, 1, 1, 2, 2]);
        assert_eq!(chunks, Chunks::default());
    }

    #[test]
    fn a_chunk_that_breaks_a_rule_is_refused() {
        let mut chunks = Chunks::default();
        for wrong in [
            chunk(1, 0, 1, 1),
            chunk(1, 0, 257, 1),
            chunk(1, 2, 2, 1),
            chunk(1, 0, 2, 0),
            chunk(1, 0, 2, 63_989),
        ] {
            assert!(!chunks.accepts(&wrong), "{wrong:?}");
        }
        assert!(chunks.accepts(&chunk(1, 255, 256, 63_988)));
        chunks.take(NOW, chunk(1, 0, 3, 1));
        assert!(chunks.accepts(&chunk(1, 1, 3, 1)));
        assert!(!chunks.accepts(&chunk(1, 1, 4, 1)));
    }

    #[test]
    fn no_more_than_4_messages_and_16_mebibytes_wait_and_none_for_7_days() {
        let mut chunks = Chunks::default();
        let at = |seconds| NOW.saturating_add(Duration::from_secs(seconds));
        for id in 0..6 {
            chunks.take(at(id.into()), chunk(id, 0, 2, 1));
        }
        assert_eq!(chunks.0.keys().map(|id| id[0]).collect::<Vec<_>>(), [2, 3, 4, 5]);
        for index in 0..255 {
            assert_eq!(chunks.take(at(6), chunk(9, index, 256, 63_988)), None);
        }
        assert_eq!(chunks.0.len(), 4);
        for index in 0..30 {
            chunks.take(at(7), chunk(10, index, 256, 63_988));
        }
        assert_eq!(chunks.0.keys().map(|id| id[0]).collect::<Vec<_>>(), [10]);
        assert!(chunks.bytes() <= MAX_BYTES);
        assert_eq!(chunks.next_expiry(), Some(at(7).saturating_add(LIFE)));
        chunks.expire(at(6).saturating_add(LIFE));
        assert!(chunks.next_expiry().is_some());
        chunks.expire(at(7).saturating_add(LIFE));
        assert_eq!(chunks.next_expiry(), None);
    }
}
