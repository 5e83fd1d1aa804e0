//! How far our clock seems from those of others, by the envelopes that a peer brings.

use core::time::Duration;

use crate::time::Timestamp;

/// What the envelopes that a peer lately brought say about our clock.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Skew {
    /// How many seconds after our time the youngest says to be made; negative, if it was before.
    /// Envelopes are a little old when they come: around zero, all is well.
    pub seconds: i64,
    /// How many there were.
    pub envelopes: u32,
}

/// Takes note of when envelopes say that they were made, whether they are admitted or not, for a
/// minute at a time.
#[derive(Debug, Default)]
pub(super) struct SkewMeter(Option<(Timestamp, Skew)>);

impl SkewMeter {
    pub(super) fn note(&mut self, now: Timestamp, issued: Option<u64>) {
        let Some(issued) = issued else { return };
        let seconds = signed(issued).saturating_sub(signed(now.as_secs()));
        let fresh = (now, Skew { seconds, envelopes: 0 });
        let (_, skew) = match &mut self.0 {
            Some(minute) if is_within(MINUTE, minute.0, now) => minute,
            stale => stale.insert(fresh),
        };
        skew.seconds = skew.seconds.max(seconds);
        skew.envelopes = skew.envelopes.saturating_add(1);
    }

    /// What the minute says that has begun, or the one before it.
    pub(super) fn skew(&self, now: Timestamp) -> Option<Skew> {
        let (begin, skew) = self.0?;
        is_within(MINUTE.saturating_mul(2), begin, now).then_some(skew)
    }
}

fn is_within(span: Duration, begin: Timestamp, now: Timestamp) -> bool {
    begin <= now && now.saturating_since(begin) < span
}

fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_secs(1_600_000_000 + secs)
    }

    fn made_at(at: u64) -> Option<u64> {
        Some(secs(at).as_secs())
    }

    #[test]
    fn b15_the_youngest_envelope_of_a_minute_tells_how_far_our_clock_is_off() {
        let mut meter = SkewMeter::default();
        assert_eq!(meter.skew(secs(0)), None);
        for made in [5, 90, 75] {
            meter.note(secs(100), made_at(made));
        }
        assert_eq!(meter.skew(secs(130)), Some(Skew { seconds: -10, envelopes: 3 }));
        meter.note(secs(170), made_at(195));
        assert_eq!(meter.skew(secs(171)), Some(Skew { seconds: 25, envelopes: 1 }));
        assert_eq!(meter.skew(secs(290)), None);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_anew() {
        let mut meter = SkewMeter::default();
        meter.note(secs(1_000), made_at(1_000));
        assert_eq!(meter.skew(secs(10)), None);
        meter.note(secs(10), made_at(9));
        assert_eq!(meter.skew(secs(10)), Some(Skew { seconds: -1, envelopes: 1 }));
    }
}
