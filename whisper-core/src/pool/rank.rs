//! The number that eviction goes by, sorted into levels.

use crate::envelope::Envelope;
use crate::pow::Rating;

/// The number that eviction goes by: the rating, where dust and flashes gain nothing (`B8`) unless
/// the pool is not `guarded`.
pub(super) fn worth(envelope: &Envelope, guarded: bool) -> Rating {
    let (min_length, min_ttl) = if guarded { (MIN_LENGTH, MIN_TTL) } else { (1, 1) };
    let length = envelope.encoded_len().max(min_length);
    Rating::compute(envelope.work(), length, envelope.ttl().max(min_ttl))
}

/// The level of an envelope: exponent and five bits of mantissa of the number eviction goes by.
pub(super) fn level(envelope: &Envelope, guarded: bool) -> usize {
    let bits = worth(envelope, guarded).to_bits();
    let level = usize::try_from(bits >> 47).unwrap_or(usize::MAX);
    level.saturating_sub(LOWEST).min(LEVELS - 1)
}

/// The list of a peer's share that a level belongs to: one for each octave from 2^-20 to 2^11.
pub(super) fn octave(level: usize) -> usize {
    (level / 32).saturating_sub(21).min(OCTAVES - 1)
}

/// Sizes below count as this much.
const MIN_LENGTH: usize = 256;
/// Times to live below count as this much, in seconds.
const MIN_TTL: u64 = 10;
/// 64 octaves of 32 levels.
pub(super) const LEVELS: usize = 2_048;
/// 2^-41, which no envelope of 10 MiB and 2 days falls below, as a level.
const LOWEST: usize = (1_023 - 41) << 5;
/// A peer's lists.
pub(super) const OCTAVES: usize = 32;
