//! What was handed out for a peer and its socket has not taken yet.

use core::time::Duration;

use crate::time::Timestamp;

/// Bytes that a socket has not taken yet, and when it last took some.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Unwritten {
    bytes: usize,
    progress: Timestamp,
}

impl Unwritten {
    /// Notes that `bytes` were handed out.
    pub(crate) fn sent(&mut self, now: Timestamp, bytes: usize) {
        if self.bytes == 0 {
            self.progress = now;
        }
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Notes that the socket took `bytes`, and returns how many of them it had to take.
    pub(crate) fn written(&mut self, now: Timestamp, bytes: usize) -> usize {
        let taken = bytes.min(self.bytes);
        if taken > 0 {
            self.progress = now;
        }
        self.bytes = self.bytes.saturating_sub(taken);
        taken
    }

    /// How many there are.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// When the socket has taken nothing for `patience`, if it takes nothing until then.
    pub(crate) fn stalls_at(&self, patience: Duration) -> Option<Timestamp> {
        (self.bytes > 0).then(|| self.progress.saturating_add(patience))
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(crate) fn shift_back(&mut self, by: Duration) {
        self.progress = self.progress.saturating_sub(by);
    }
}
