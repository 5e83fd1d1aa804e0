//! What is counted over time: packets that cost nothing to send.

use std::time::Duration;

use tokio::time::Instant;

/// Tokens that come back one by one.
pub(super) struct Bucket {
    interval: Duration,
    span: Duration,
    full_at: Instant,
}

impl Bucket {
    /// A full bucket of `burst` tokens, which come back at one per `interval`.
    pub(super) fn new(now: Instant, burst: u32, interval: Duration) -> Self {
        Self { interval, span: interval.saturating_mul(burst), full_at: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.interval;
        let takes = full_at.duration_since(now) <= self.span;
        if takes {
            self.full_at = full_at;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 5, Duration::from_secs(1));
        assert_eq!((0..9).filter(|_| bucket.take(start)).count(), 5);
        let later = start + Duration::from_secs(2);
        assert_eq!((0..9).filter(|_| bucket.take(later)).count(), 2);
    }
}
