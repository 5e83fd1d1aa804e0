//! Whether the clock can be trusted with what cannot be undone.

use core::time::Duration;

use crate::time::Timestamp;

/// Keys are wiped, and invitations forgotten, only once the clock has moved evenly for ten minutes
/// from one look to the next. A clock that is a day ahead for a moment destroys nothing.
#[derive(Debug)]
pub(super) struct Steadiness {
    last: Timestamp,
    since: Timestamp,
}

impl Steadiness {
    pub(super) const fn new(now: Timestamp) -> Self {
        Self { last: now, since: now }
    }

    /// Looks at the clock.
    pub(super) fn look(&mut self, now: Timestamp) {
        let back = self.last.saturating_since(now) > SLEW;
        let leap = now.saturating_since(self.last) > LEAP;
        if back || leap {
            self.since = now;
        }
        self.last = now;
    }

    /// The last look.
    pub(super) const fn last(&self) -> Timestamp {
        self.last
    }

    /// When the clock has moved evenly for long enough, if it goes on so.
    pub(super) fn steady_at(&self) -> Timestamp {
        self.since.saturating_add(EVEN)
    }

    /// Whether it has at the last look.
    pub(super) fn is_steady(&self) -> bool {
        self.last >= self.steady_at()
    }
}

/// spec/session.md, 3.9, "After absence": two looks so far apart.
const EVEN: Duration = Duration::from_secs(600);
/// The topics of each hour bring a look: without one for so long the clock has leapt, or slept.
const LEAP: Duration = Duration::from_secs(2 * 3_600);
/// Smaller corrections are those of a clock that is kept right.
const SLEW: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_steady_ten_minutes_after_a_leap_and_after_it_was_set_back() {
        let at = |seconds: u64| Timestamp::from_secs(1_750_000_000 + seconds);
        let mut clock = Steadiness::new(at(0));
        let looks = [
            (599, false),
            (600, true),
            (4_200, true),
            (94_200, false),
            (94_201, false),
            (4_202, false),
            (4_801, false),
            (4_802, true),
            (5_400, true),
            (5_360, true),
        ];
        for (seconds, steady) in looks {
            clock.look(at(seconds));
            assert_eq!(clock.is_steady(), steady, "{seconds}");
        }
    }
}
