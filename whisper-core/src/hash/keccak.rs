//! A Keccak-256 hash that runs.

use core::fmt;

use super::state::Sponge;

/// A Keccak-256 hash that runs. It is wiped when it is dropped.
#[derive(Clone, Default)]
pub struct Keccak(Sponge);

impl Keccak {
    /// A hash that has absorbed nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Absorbs `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.absorb(bytes);
    }

    /// The hash of all that was absorbed.
    pub fn finish(mut self) -> [u8; 32] {
        self.0.squeeze()
    }
}

impl Drop for Keccak {
    fn drop(&mut self) {
        self.0.wipe();
    }
}

impl fmt::Debug for Keccak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keccak(..)")
    }
}
