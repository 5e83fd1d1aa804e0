//! What one peer may still send.

use core::time::Duration;

use super::config::Budget;
use super::config::Budgets;
use crate::time::Timestamp;

/// The three buckets of a peer. A bucket may be overdrawn by one packet: what was read is never
/// thrown away, the peer is not read again until the debt is paid.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    bytes: Bucket,
    envelopes: Bucket,
    control: Bucket,
}

impl Allowance {
    pub(super) fn full(budgets: &Budgets, now: Timestamp) -> Self {
        Self {
            bytes: Bucket::full(budgets.bytes, now),
            envelopes: Bucket::full(budgets.envelopes, now),
            control: Bucket::full(budgets.control, now),
        }
    }

    /// Takes a packet of `bytes`.
    pub(super) fn spend(&mut self, now: Timestamp, bytes: usize, cost: Cost) {
        self.bytes.spend(now, bytes);
        match cost {
            Cost::Envelopes(count) => self.envelopes.spend(now, count),
            Cost::Control => self.control.spend(now, 1),
            Cost::Answer => {}
        }
    }

    /// When no bucket is overdrawn any more; nothing, if none is.
    pub(super) fn in_debt_until(&self) -> Option<Timestamp> {
        let buckets = [&self.bytes, &self.envelopes, &self.control];
        buckets.into_iter().filter_map(Bucket::in_debt_until).max()
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        for bucket in [&mut self.bytes, &mut self.envelopes, &mut self.control] {
            bucket.since = bucket.since.saturating_sub(by);
        }
    }
}

/// What a packet costs beside its bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cost {
    /// So many envelopes that were not known.
    Envelopes(usize),
    /// A packet without envelopes.
    Control,
    /// An answer to a packet of ours.
    Answer,
}

/// Tokens in thousandths, so that a slow rate fills a bucket evenly.
#[derive(Clone, Debug)]
struct Bucket {
    budget: Budget,
    tokens: i64,
    since: Timestamp,
}

impl Bucket {
    fn full(budget: Budget, now: Timestamp) -> Self {
        Self { budget, tokens: i64::from(budget.burst).saturating_mul(1_000), since: now }
    }

    fn spend(&mut self, now: Timestamp, tokens: usize) {
        self.refill(now);
        let tokens = i64::try_from(tokens).unwrap_or(i64::MAX);
        self.tokens = self.tokens.saturating_sub(tokens.saturating_mul(1_000));
    }

    fn refill(&mut self, now: Timestamp) {
        // A token a second is a thousandth a millisecond.
        let elapsed = now.as_millis().saturating_sub(self.since.as_millis());
        let earned = i64::try_from(elapsed)
            .unwrap_or(i64::MAX)
            .saturating_mul(self.budget.per_second.into());
        let most = i64::from(self.budget.burst).saturating_mul(1_000);
        self.tokens = self.tokens.saturating_add(earned).min(most);
        self.since = self.since.max(now);
    }

    fn in_debt_until(&self) -> Option<Timestamp> {
        let debt = u64::try_from(self.tokens.checked_neg()?).ok().filter(|debt| *debt > 0)?;
        let wait = debt.div_ceil(u64::from(self.budget.per_second).max(1));
        Some(self.since.saturating_add(Duration::from_millis(wait)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    #[test]
    fn a_debt_is_paid_at_the_rate_of_the_budget() {
        let budget = Budget { per_second: 10, burst: 5 };
        let mut bucket = Bucket::full(budget, NOW);
        bucket.spend(NOW, 5);
        assert_eq!(bucket.in_debt_until(), None);
        bucket.spend(NOW, 20);
        let paid = NOW.saturating_add(Duration::from_secs(2));
        assert_eq!(bucket.in_debt_until(), Some(paid));
        bucket.refill(paid);
        assert_eq!(bucket.in_debt_until(), None);
    }

    #[test]
    fn a_long_pause_earns_no_more_than_the_burst() {
        let mut bucket = Bucket::full(Budget { per_second: 10, burst: 5 }, NOW);
        bucket.refill(Timestamp::from_secs(u64::MAX));
        assert_eq!(bucket.tokens, 5_000);
    }
}
