//! What an envelope says of the moment at which it was made.

use core::time::Duration;

use rand_core::CryptoRng;

/// How much earlier than now an envelope of this life says that it was made: a whole number of
/// seconds up to [`MAX_BACKDATE`], and less than a quarter of its life, each as likely as the other.
///
/// By the exact second a peer could tell who made an envelope from who passes it on.
pub fn backdate(ttl: Duration, rng: &mut impl CryptoRng) -> Duration {
    let choices = (ttl.as_secs() / 4).clamp(1, MAX_BACKDATE.as_secs().saturating_add(1));
    let drawn = u64::from(rng.next_u32()).saturating_mul(choices) >> 32;
    Duration::from_secs(drawn)
}

/// The most by which an envelope is backdated. A stem takes less than a second a hop: by then its
/// age tells nothing.
pub const MAX_BACKDATE: Duration = Duration::from_secs(59);

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn drawn(ttl: u64) -> BTreeMap<u64, u32> {
        let mut rng = ChaCha20Rng::seed_from_u64(ttl);
        let mut counts = BTreeMap::new();
        for _ in 0..6_000 {
            *counts.entry(backdate(Duration::from_secs(ttl), &mut rng).as_secs()).or_default() += 1;
        }
        counts
    }

    #[test]
    fn an_envelope_is_backdated_by_less_than_a_minute_and_a_quarter_of_its_life() {
        for (ttl, most) in
            [(0, 0), (7, 0), (8, 1), (10, 1), (50, 11), (239, 58), (240, 59), (600, 59)]
        {
            let counts = drawn(ttl);
            assert_eq!(
                counts.keys().copied().collect::<alloc::vec::Vec<_>>(),
                (0..=most).collect::<alloc::vec::Vec<_>>(),
                "{ttl}"
            );
            let expected = 6_000 / (most as u32 + 1);
            assert!(
                counts.values().all(|count| count.abs_diff(expected) < expected / 2 + 1),
                "{counts:?}"
            );
        }
    }
}
