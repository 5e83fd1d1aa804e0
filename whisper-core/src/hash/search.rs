//! The search for a nonce: of envelopes, of transactions, of headers.

use core::fmt;
use core::ops::Range;

use super::state::Sponge;

/// Keccak-256 hashes that differ in a nonce at their end.
///
/// The state of what comes before the nonce is kept: a try costs one permutation, however long that
/// is. What is hashed here is public, and not wiped.
///
/// ```
/// use whisper_core::hash::{NonceSearch, keccak256};
///
/// let search = NonceSearch::new(b"a header");
/// let nonce = search.find(0..1 << 16, |nonce| (nonce as u32).to_le_bytes(), |hash| hash[0] == 0);
/// let nonce = nonce.expect("one in 256 does it") as u32;
/// assert_eq!(search.hash(nonce.to_le_bytes())[0], 0);
/// ```
#[derive(Clone)]
pub struct NonceSearch(Sponge);

impl NonceSearch {
    /// Hashes `prefix`, once.
    pub fn new(prefix: &[u8]) -> Self {
        let mut sponge = Sponge::default();
        sponge.absorb(prefix);
        Self(sponge)
    }

    /// The hash of the prefix and an encoded nonce.
    pub fn hash<const LENGTH: usize>(&self, nonce: [u8; LENGTH]) -> [u8; 32] {
        let mut sponge = self.0;
        sponge.absorb(&nonce);
        sponge.squeeze()
    }

    /// The first of `nonces`, encoded so, whose hash is `enough`. It stops at the end of the range:
    /// the caller decides how long to go on.
    pub fn find<const LENGTH: usize>(
        &self,
        mut nonces: Range<u64>,
        encode: impl Fn(u64) -> [u8; LENGTH],
        enough: impl Fn(&[u8; 32]) -> bool,
    ) -> Option<u64> {
        nonces.find(|nonce| enough(&self.hash(encode(*nonce))))
    }
}

impl fmt::Debug for NonceSearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NonceSearch(..)")
    }
}
