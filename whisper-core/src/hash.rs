//! The two hash functions of the wire: Keccak-256 with its original padding, and SHA-256.

use core::fmt;

use sha2::Digest;
use sha2::Sha256;
use sha3::Keccak256;

/// The Keccak-256 hash of `bytes` (padding 0x01, as Ethereum uses it: not NIST's SHA3-256).
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The SHA-256 hash of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A Keccak-256 hash that runs: cloning keeps the state of a prefix, so that many endings can be
/// tried at the cost of one permutation each.
#[derive(Clone, Default)]
pub struct Keccak(Keccak256);

impl Keccak {
    /// A hash that has absorbed nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Absorbs `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of all that was absorbed.
    pub fn finish(self) -> [u8; 32] {
        self.0.finalize().into()
    }
}

impl fmt::Debug for Keccak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keccak(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keccak_of_nothing_is_the_published_value() {
        let expected = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
        assert_eq!(hex::encode(keccak256(b"")), expected);
    }

    #[test]
    fn a_clone_keeps_the_prefix() {
        let mut prefix = Keccak::new();
        prefix.update(b"one ");
        let mut other = prefix.clone();
        prefix.update(b"two");
        other.update(b"three");
        assert_eq!(prefix.finish(), keccak256(b"one two"));
        assert_eq!(other.finish(), keccak256(b"one three"));
    }
}
