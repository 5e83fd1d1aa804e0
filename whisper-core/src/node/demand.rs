//! What rating is demanded while space is short.

use core::time::Duration;

use crate::pool::Pool;
use crate::pow::Rating;
use crate::time::Timestamp;

/// Raises the demanded rating above what the pool is full of, and lets it fall again.
///
/// A pool that is full of envelopes rated as demanded has no place for another such. Who floods it
/// pays for every byte and second that it fills; so twice the price keeps a flood out, or costs it
/// twice as much, and lets in whoever pays that for one message.
#[derive(Debug, Default)]
pub(super) struct Demand {
    raised: Option<Rating>,
    looked: Timestamp,
}

impl Demand {
    /// What is demanded where `set` is the least that the application takes.
    pub(super) fn least(&self, set: Rating) -> Rating {
        self.raised.map_or(set, |raised| raised.max(set))
    }

    /// Looks at the pool, once in ten seconds: so long peers may act on what was demanded before.
    pub(super) fn look(&mut self, now: Timestamp, pool: &Pool, set: Rating) {
        if now < self.looked.saturating_add(PAUSE) {
            return;
        }
        let demanded = self.least(set);
        if pool.is_nearly_full() {
            self.looked = now;
            // What is rated below the demand gives way to whoever meets it.
            if let Some(lowest) = pool.lowest_rating().filter(|lowest| *lowest >= demanded) {
                self.raised = Some(lowest.max(times(demanded, 2.0)));
            }
        } else if self.raised.is_some() && !pool.is_contended() {
            self.looked = now;
            self.raised = Some(times(demanded, 0.5)).filter(|lower| *lower > set);
        }
    }

    /// What finds a place in a pool that is nearly full, now and a while from now: who pays needs not
    /// wait until all have been told.
    pub(super) fn advised(&self, pool: &Pool) -> Option<Rating> {
        let lowest = pool.lowest_rating().filter(|_| pool.is_nearly_full())?;
        Some(times(lowest, 4.0))
    }

    /// When to look again without being asked to: until the demand is what it was.
    pub(super) fn deadline(&self, pool: &Pool) -> Option<Timestamp> {
        let falls = self.raised.is_some() && !pool.is_contended();
        falls.then(|| self.looked.saturating_add(PAUSE))
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        self.looked = self.looked.saturating_sub(by);
    }
}

/// The rating itself, if that leads to no rating.
fn times(rating: Rating, factor: f64) -> Rating {
    Rating::new(rating.as_f64() * factor).unwrap_or(rating)
}

/// The tolerance for what peers send by the old demand.
const PAUSE: Duration = Duration::from_secs(10);
