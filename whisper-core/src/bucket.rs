//! Token buckets: how much may come, at once and in the long run.

use core::time::Duration;

use crate::time::Timestamp;

/// How fast tokens come back, and how many there are at most.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    tokens: u32,
    millis: u32,
    burst: u32,
}

impl Rate {
    /// So many tokens a second, and at most `burst` at once.
    pub const fn per_second(tokens: u32, burst: u32) -> Self {
        Self { tokens, millis: 1_000, burst }
    }

    /// So many tokens within `span`, and at most `burst` at once.
    pub fn new(tokens: u32, span: Duration, burst: u32) -> Self {
        Self { tokens, millis: u32::try_from(span.as_millis()).unwrap_or(u32::MAX).max(1), burst }
    }
}

/// Tokens that are spent by what comes and come back with time.
///
/// A clock that is set back takes nothing away and adds nothing: tokens come from then on.
///
/// ```
/// use whisper_core::bucket::{Bucket, Rate};
/// use whisper_core::time::Timestamp;
///
/// let now = Timestamp::from_secs(1_000);
/// let mut bucket = Bucket::full(now, Rate::per_second(10, 5));
/// assert!(bucket.try_spend(now, 5) && !bucket.try_spend(now, 1));
/// assert_eq!(bucket.ready_at(), Timestamp::from_millis(1_000_100));
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    rate: Rate,
    /// Tokens, as many times as a span has milliseconds: so a millisecond brings a whole number.
    /// Negative while there is a debt.
    level: i64,
    since: Timestamp,
}

impl Bucket {
    /// A bucket with all its tokens.
    pub fn full(now: Timestamp, rate: Rate) -> Self {
        Self { rate, level: level(rate, rate.burst.into()), since: now }
    }

    /// Takes the tokens, if there are so many.
    pub fn try_spend(&mut self, now: Timestamp, tokens: u32) -> bool {
        self.refill(now);
        let rest = self.level.saturating_sub(level(self.rate, tokens.into()));
        if rest >= 0 {
            self.level = rest;
        }
        rest >= 0
    }

    /// Takes the tokens, whether there are so many or not: what lacks is a debt.
    pub fn spend(&mut self, now: Timestamp, tokens: usize) {
        self.refill(now);
        self.level = self.level.saturating_sub(level(self.rate, tokens as u64));
    }

    /// How many tokens there are.
    pub fn available(&mut self, now: Timestamp) -> u32 {
        self.refill(now);
        let whole = self.level.max(0).checked_div(self.rate.millis.into());
        u32::try_from(whole.unwrap_or_default()).unwrap_or(u32::MAX)
    }

    /// Whether nothing was spent that has not come back.
    pub fn is_full(&mut self, now: Timestamp) -> bool {
        self.refill(now);
        self.level == level(self.rate, self.rate.burst.into())
    }

    /// When there is a token.
    pub fn ready_at(&self) -> Timestamp {
        self.reaches(i64::from(self.rate.millis))
    }

    /// When the debt is paid, if there is one.
    pub fn in_debt_until(&self) -> Option<Timestamp> {
        (self.level < 0).then(|| self.reaches(0))
    }

    /// When there is so much.
    fn reaches(&self, level: i64) -> Timestamp {
        let lacking = u64::try_from(level.saturating_sub(self.level)).unwrap_or(0);
        let wait = lacking.div_ceil(u64::from(self.rate.tokens.max(1)));
        self.since.saturating_add(Duration::from_millis(wait))
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(crate) fn shift_back(&mut self, by: Duration) {
        self.since = self.since.saturating_sub(by);
    }

    fn refill(&mut self, now: Timestamp) {
        let elapsed = now.as_millis().saturating_sub(self.since.as_millis());
        let earned = i64::try_from(elapsed).unwrap_or(i64::MAX);
        let earned = earned.saturating_mul(self.rate.tokens.into());
        let most = level(self.rate, self.rate.burst.into());
        self.level = self.level.saturating_add(earned).min(most);
        self.since = now;
    }
}

fn level(rate: Rate, tokens: u64) -> i64 {
    i64::try_from(tokens).unwrap_or(i64::MAX).saturating_mul(rate.millis.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn after(millis: u64) -> Timestamp {
        NOW.saturating_add(Duration::from_millis(millis))
    }

    #[test]
    fn a_debt_is_paid_at_the_rate() {
        let mut bucket = Bucket::full(NOW, Rate::per_second(10, 5));
        bucket.spend(NOW, 5);
        assert_eq!(bucket.in_debt_until(), None);
        bucket.spend(NOW, 20);
        assert_eq!(bucket.in_debt_until(), Some(after(2_000)));
        assert_eq!(bucket.available(after(2_000)), 0);
        assert_eq!(bucket.in_debt_until(), None);
        assert_eq!(bucket.available(after(2_100)), 1);
    }

    #[test]
    fn a_long_pause_earns_no_more_than_the_burst() {
        let mut bucket = Bucket::full(NOW, Rate::per_second(10, 5));
        bucket.spend(NOW, usize::MAX);
        assert_eq!(bucket.available(Timestamp::from_secs(u64::MAX)), 5);
        assert!(bucket.is_full(Timestamp::from_secs(u64::MAX)));
    }

    #[test]
    fn a_slow_rate_loses_nothing_to_rounding() {
        let mut bucket = Bucket::full(NOW, Rate::new(10, Duration::from_secs(60), 10));
        assert!(bucket.try_spend(NOW, 10) && !bucket.try_spend(after(5_999), 1));
        assert_eq!(bucket.ready_at(), after(6_000));
        assert!(bucket.try_spend(after(6_000), 1) && !bucket.try_spend(after(11_999), 1));
        assert!(bucket.try_spend(after(12_000), 1));
    }

    #[test]
    fn a_clock_that_is_set_back_neither_fills_a_bucket_nor_stalls_it() {
        let mut bucket = Bucket::full(NOW, Rate::per_second(1, 1));
        assert!(bucket.try_spend(NOW, 1));
        let earlier = Timestamp::from_secs(10);
        assert!(!bucket.try_spend(earlier, 1));
        assert_eq!(bucket.ready_at(), Timestamp::from_secs(11));
        assert!(bucket.try_spend(Timestamp::from_secs(11), 1));
    }

    #[test]
    fn a_bucket_that_moves_with_the_clock_keeps_what_it_has_earned() {
        let mut bucket = Bucket::full(NOW, Rate::per_second(1, 1));
        assert!(bucket.try_spend(NOW, 1));
        bucket.shift_back(Duration::from_secs(100));
        assert!(bucket.try_spend(Timestamp::from_secs(901), 1));
    }
}
