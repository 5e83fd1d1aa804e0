//! Records by hash, in a table whose order nobody outside can foresee.

use hashbrown::HashTable;

use crate::envelope::EnvelopeHash;

/// A hash table of record numbers. Whoever grinds hashes that meet in one place needs the secret.
pub(super) struct Index {
    table: HashTable<u32>,
    mask: u64,
    factors: [u64; 2],
}

impl Index {
    pub(super) fn new(secret: &[u8; 32]) -> Self {
        let word =
            |at| secret.iter().skip(at).take(8).fold(0, |word, byte| word << 8 | u64::from(*byte));
        Self { table: HashTable::new(), mask: word(0), factors: [word(8) | 1, word(16) | 1] }
    }

    /// Where the table looks for `hash`: its first eight bytes, mixed with the secret.
    ///
    /// The table goes by the low bits, and those of a product depend on the low bits of the hash
    /// alone, which an attacker chooses: both halves are needed. One product is not enough either,
    /// as for some factors hashes in even steps still meet.
    pub(super) fn key(&self, hash: &EnvelopeHash) -> u64 {
        let start = hash.as_bytes().first_chunk().map_or(0, |start| u64::from_le_bytes(*start));
        self.factors.iter().fold(start ^ self.mask, |key, factor| {
            let product = u128::from(key).wrapping_mul(u128::from(*factor));
            (product >> 64) as u64 ^ product as u64
        })
    }

    /// Adds a record; `key_of` names the keys of those that have to move.
    pub(super) fn insert(&mut self, key: u64, index: u32, key_of: impl Fn(u32) -> u64) {
        self.table.insert_unique(key, index, |index| key_of(*index));
    }

    pub(super) fn find(&self, key: u64, mut is_it: impl FnMut(u32) -> bool) -> Option<u32> {
        self.table.find(key, |index| is_it(*index)).copied()
    }

    pub(super) fn remove(&mut self, key: u64, index: u32) {
        if let Ok(entry) = self.table.find_entry(key, |held| *held == index) {
            entry.remove();
        }
    }
}
