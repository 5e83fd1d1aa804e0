//! The sponge behind Keccak-256. The permutation is called here and nowhere else.

use zeroize::Zeroize;

/// A Keccak-f[1600] state that absorbs blocks of 136 bytes.
#[derive(Clone, Copy, Default)]
pub(super) struct Sponge {
    lanes: [u64; 25],
    /// Bytes of the block that is not full yet.
    filled: usize,
}

impl Sponge {
    /// Absorbs `bytes`.
    pub(super) fn absorb(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = RATE.saturating_sub(self.filled);
            let (block, rest) = bytes.split_at(room.min(bytes.len()));
            self.mix(self.filled, block);
            self.filled = self.filled.saturating_add(block.len());
            if self.filled == RATE {
                self.permute();
                self.filled = 0;
            }
            bytes = rest;
        }
    }

    /// Pads what was absorbed, with Keccak's original padding, and reads the hash.
    pub(super) fn squeeze(&mut self) -> [u8; 32] {
        self.mix(self.filled, &[0x01]);
        self.mix(RATE.saturating_sub(1), &[0x80]);
        self.permute();
        let mut hash = [0; 32];
        for (bytes, lane) in hash.as_chunks_mut::<8>().0.iter_mut().zip(&self.lanes) {
            *bytes = lane.to_le_bytes();
        }
        hash
    }

    /// Wipes what was absorbed.
    pub(super) fn wipe(&mut self) {
        self.lanes.zeroize();
    }

    fn permute(&mut self) {
        keccak::Keccak::new().with_f1600(|permute| permute(&mut self.lanes));
    }

    /// Adds `bytes` to the block, from byte `at` on.
    fn mix(&mut self, at: usize, bytes: &[u8]) {
        let head = bytes.len().min(at.wrapping_neg() % 8);
        let (head, rest) = bytes.split_at(head);
        self.mix_bytes(at, head);
        let at = at.saturating_add(head.len());
        let (words, tail) = rest.as_chunks::<8>();
        for (lane, word) in self.lanes.iter_mut().skip(at / 8).zip(words) {
            *lane ^= u64::from_le_bytes(*word);
        }
        self.mix_bytes(at.saturating_add(rest.len().saturating_sub(tail.len())), tail);
    }

    fn mix_bytes(&mut self, at: usize, bytes: &[u8]) {
        for (at, byte) in (at..).zip(bytes) {
            if let Some(lane) = self.lanes.get_mut(at / 8) {
                let shift = (at as u32 % 8).saturating_mul(8);
                *lane ^= u64::from(*byte).wrapping_shl(shift);
            }
        }
    }
}

/// Bytes of a block: 200 less twice the length of the hash.
const RATE: usize = 136;
