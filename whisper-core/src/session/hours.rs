//! Hours, and the places of messages in them.

use crate::time::Timestamp;

/// The hour that a moment lies in, counted from the Unix epoch.
pub(super) const fn epoch(now: Timestamp) -> u64 {
    now.as_secs() / HOUR
}

/// When an hour begins.
pub(super) const fn start_of(epoch: u64) -> Timestamp {
    Timestamp::from_secs(epoch.saturating_mul(HOUR))
}

/// The index of the message that is sealed as the `count`-th of an hour, from 0.
///
/// A receiver that opened nothing of the hour watches the first 32 indexes and every 32nd: those come
/// first. So the first message after any absence is found by itself, if fewer than 159 were lost in
/// the hour; any message that opens shows the way to the indexes below it, which come last.
pub(super) const fn place(count: u32) -> u32 {
    const FAR: u32 = PER_HOUR / STRIDE - 1;
    if count < STRIDE {
        return count;
    }
    let beyond = count.saturating_sub(STRIDE);
    if beyond < FAR {
        return beyond.saturating_add(1).saturating_mul(STRIDE);
    }
    // What lies between two multiples: STRIDE - 1 indexes.
    let between = beyond.saturating_sub(FAR);
    let gap = between / (STRIDE - 1);
    let offset = between % (STRIDE - 1);
    gap.saturating_add(1).saturating_mul(STRIDE).saturating_add(offset).saturating_add(1)
}

const HOUR: u64 = 3_600;
/// What exceeds it waits for the next hour: topics are watched up to here.
pub(super) const PER_HOUR: u32 = 4_096;
/// How many indexes ahead of the highest one are watched, and the distance of the few beyond.
pub(super) const STRIDE: u32 = 32;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_first_places_of_an_hour_are_those_that_are_watched_without_any_sign() {
        let first: BTreeSet<_> = (0..159).map(place).collect();
        let watched: BTreeSet<_> = (0..STRIDE).chain((0..PER_HOUR).step_by(32)).collect();
        assert_eq!(first, watched);
        assert_eq!((place(31), place(32), place(33)), (31, 32, 64));
    }
}
