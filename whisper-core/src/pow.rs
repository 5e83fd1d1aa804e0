//! Proof of work: what a nonce shows, what it is worth, and the search for one.
//!
//! The search walks a range of nonces and stops: no clock, no cancelling, no thread. The caller decides
//! how long to go on.

use core::cmp::Ordering;
use core::fmt;
use core::ops::Range;

use crate::hash::NonceSearch;

/// Leading zero bits of a hash, 0 to 256 (EIP-627, "BestBit").
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Work(u16);

impl Work {
    /// As much work as a hash can show.
    pub const MAX: Self = Self(256);

    /// Work of `bits` leading zero bits, at most 256.
    pub const fn new(bits: u16) -> Self {
        if bits > 256 { Self::MAX } else { Self(bits) }
    }

    /// The work that `hash` shows.
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        let zeros = hash.iter().take_while(|byte| **byte == 0).count();
        let bits = hash.get(zeros).map_or(0, |byte| byte.leading_zeros());
        // Both terms are far below 2^16.
        Self((zeros as u16).saturating_mul(8).saturating_add(bits as u16))
    }

    /// Leading zero bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// How many tries a search needs on average.
    pub fn expected_tries(self) -> f64 {
        f64::from_bits((1_023 + u64::from(self.0)) << 52)
    }
}

/// What an envelope is worth: `2^work / (size * ttl)`, sizes in bytes and times in seconds.
///
/// Smaller, shorter-lived and harder envelopes rate higher. Never NaN, never negative; bit-identical
/// to go-ethereum's "PoW".
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rating(f64);

impl Rating {
    /// Admits everything.
    pub const ZERO: Self = Self(0.0);
    /// What go-ethereum demands unless told otherwise.
    pub const DEFAULT_MINIMUM: Self = Self(0.2);

    /// A rating of this value. Minus zero becomes zero.
    ///
    /// # Errors
    /// [`InvalidRating`] unless it is finite and not negative.
    pub fn new(value: f64) -> Result<Self, InvalidRating> {
        if value.is_finite() && value >= 0.0 { Ok(Self(value + 0.0)) } else { Err(InvalidRating) }
    }

    /// A rating from the 64 bits that travel on the wire.
    ///
    /// # Errors
    /// [`InvalidRating`] unless they mean a finite number that is not negative.
    pub fn from_bits(bits: u64) -> Result<Self, InvalidRating> {
        Self::new(f64::from_bits(bits))
    }

    /// The rating of `work` on `size` bytes that live for `ttl` seconds; neither may be 0, and 1 is
    /// taken where one is.
    pub fn compute(work: Work, size: usize, ttl: u64) -> Self {
        // Two divisions, in this order: one by the product differs in the last bit.
        Self(work.expected_tries() / size.max(1) as f64 / ttl.max(1) as f64)
    }

    /// The least work that gives this rating to `size` bytes that live for `ttl` seconds.
    ///
    /// Found with [`Rating::compute`], which is what checks it: no rounding can come between.
    pub fn work_for(self, size: usize, ttl: u64) -> Work {
        (0..=Work::MAX.0)
            .map(Work)
            .find(|work| Self::compute(*work, size, ttl) >= self)
            .unwrap_or(Work::MAX)
    }

    /// The value.
    pub const fn as_f64(self) -> f64 {
        self.0
    }

    /// The 64 bits that travel on the wire.
    pub const fn to_bits(self) -> u64 {
        self.0.to_bits()
    }
}

impl Eq for Rating {}

impl Ord for Rating {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl PartialOrd for Rating {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialOrd<f64> for Rating {
    fn partial_cmp(&self, other: &f64) -> Option<Ordering> {
        self.0.partial_cmp(other)
    }
}

impl PartialEq<f64> for Rating {
    fn eq(&self, other: &f64) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A number that is no rating.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a rating is a finite number that is not negative")]
pub struct InvalidRating;

/// The search for the nonce of an envelope behind a fixed prefix.
///
/// ```
/// use whisper_core::pow::{Search, Work};
///
/// let search = Search::new(b"what is being sealed");
/// let nonce = search.find(0..1 << 20, Work::new(8)).expect("one in 256 does it");
/// assert!(search.work_of(nonce) >= Work::new(8));
/// ```
#[derive(Clone, Debug)]
pub struct Search(NonceSearch);

impl Search {
    /// Hashes `prefix`, once.
    pub fn new(prefix: &[u8]) -> Self {
        Self(NonceSearch::new(prefix))
    }

    /// The hash of the prefix and `nonce` as eight bytes, big-endian.
    pub fn hash(&self, nonce: u64) -> [u8; 32] {
        self.0.hash(nonce.to_be_bytes())
    }

    /// The work that `nonce` shows.
    pub fn work_of(&self, nonce: u64) -> Work {
        Work::of_hash(&self.hash(nonce))
    }

    /// The first of `nonces` that shows at least this work.
    pub fn find(&self, nonces: Range<u64>, at_least: Work) -> Option<u64> {
        self.0.find(nonces, u64::to_be_bytes, |hash| Work::of_hash(hash) >= at_least)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn b4_only_finite_numbers_from_zero_up_are_ratings() {
        for exponent in 0..1_u64 << 12 {
            let bits = exponent << 52 | 1;
            let value = f64::from_bits(bits);
            assert_eq!(
                Rating::from_bits(bits).is_ok(),
                value.is_finite() && value >= 0.0,
                "{bits:x}"
            );
        }
        assert_eq!(Rating::new(-0.0).map(Rating::to_bits), Ok(0));
        assert_eq!(Rating::new(f64::INFINITY), Err(InvalidRating));
        assert_eq!(Rating::new(f64::NAN), Err(InvalidRating));
    }

    #[test]
    fn b7_a_hash_of_nothing_but_zeros_rates_finitely() {
        assert_eq!(Work::of_hash(&[0; 32]), Work::MAX);
        assert!(Rating::compute(Work::MAX, 1, 1).as_f64().is_finite());
    }

    #[test]
    fn work_is_two_to_the_bits() {
        for bits in 0..=256 {
            assert_eq!(Work::new(bits).expected_tries(), libm::exp2(f64::from(bits)));
        }
    }

    proptest! {
        #[test]
        fn the_work_for_a_rating_is_the_least_that_reaches_it(
            rating in 1e-9_f64..1e9, size in 20_usize..2_000_000, ttl in 1_u64..172_800,
        ) {
            let rating = Rating::new(rating).unwrap();
            let work = rating.work_for(size, ttl);
            prop_assert!(Rating::compute(work, size, ttl) >= rating);
            if work > Work::new(0) {
                prop_assert!(Rating::compute(Work::new(work.bits() - 1), size, ttl) < rating);
            }
        }
    }
}
