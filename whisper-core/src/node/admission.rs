//! What may enter the pool: the tests and their order (go-ethereum, `whisperv6`, made safe).

use alloc::collections::VecDeque;
use core::time::Duration;

use super::config::Config;
use super::contract::Rejection;
use crate::envelope::Envelope;
use crate::envelope::MAX_TTL;
use crate::pow::Rating;
use crate::time::Timestamp;
use crate::topic::Bloom;

/// What a node takes.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) min_rating: Announced<Rating>,
    pub(super) bloom: Announced<Option<Bloom>>,
    max_size: usize,
}

impl Policy {
    pub(super) fn new(config: &Config) -> Self {
        Self {
            min_rating: Announced::new(config.min_rating),
            bloom: Announced::new(config.bloom),
            max_size: config.max_message_size,
        }
    }

    /// The rating under which an envelope may enter, or why it may not. Whether it is there already
    /// and whether there is room, the pool knows.
    pub(super) fn judge(&self, now: Timestamp, envelope: &Envelope) -> Result<Rating, Rejection> {
        judge_time(now.as_secs(), envelope)?;
        if envelope.size() > self.max_size {
            return Err(Rejection::TooLarge { max: self.max_size });
        }
        let rating = envelope.rating_at(now);
        if !self.accepts(now, rating) {
            return Err(Rejection::RatedTooLow { min: *self.min_rating.current() });
        }
        let topic = envelope.topic();
        if !self.bloom.any(now, |bloom| bloom.is_none_or(|bloom| bloom.admits(topic))) {
            return Err(Rejection::BloomMismatch);
        }
        Ok(rating)
    }

    /// Whether so high a rating is accepted, by what is demanded or by what was a moment ago.
    pub(super) fn accepts(&self, now: Timestamp, rating: Rating) -> bool {
        self.min_rating.any(now, |min| rating >= *min)
    }
}

/// All in 64 bits, so that nothing wraps, and a life of no seconds is refused before anything is
/// divided by it.
fn judge_time(now: u64, envelope: &Envelope) -> Result<(), Rejection> {
    let issued = envelope.issued().ok_or(Rejection::Future)?;
    if issued > now.saturating_add(SYNC_ALLOWANCE.as_secs()) {
        return Err(Rejection::Future);
    }
    if envelope.expiry().saturating_add(SILENT_WINDOW.as_secs()) < now {
        return Err(Rejection::VeryOld);
    }
    if envelope.ttl() == 0 {
        return Err(Rejection::ZeroTtl);
    }
    if envelope.ttl() > MAX_TTL.as_secs() {
        return Err(Rejection::TtlTooLong);
    }
    if envelope.expiry() < now {
        return Err(Rejection::Expired);
    }
    Ok(())
}

/// A setting that peers are told of: what stood before is tolerated for a while, since they act on
/// what they knew.
#[derive(Clone, Debug)]
pub(super) struct Announced<T> {
    /// What each value replaced, and until when that is tolerated; the newest last.
    past: VecDeque<(T, Timestamp)>,
    current: T,
}

impl<T> Announced<T> {
    pub(super) const fn new(value: T) -> Self {
        Self { past: VecDeque::new(), current: value }
    }

    pub(super) const fn current(&self) -> &T {
        &self.current
    }

    pub(super) fn set(&mut self, now: Timestamp, value: T) {
        let before = core::mem::replace(&mut self.current, value);
        self.past.retain(|(_, until)| *until > now);
        if self.past.len() >= MOST_TOLERATED {
            self.past.pop_front();
        }
        self.past.push_back((before, now.saturating_add(SYNC_ALLOWANCE)));
    }

    /// Whether the value that is set satisfies `test`, or the one that is tolerated: the tolerance
    /// follows each change after ten seconds, so it is the oldest whose time is not over.
    fn any(&self, now: Timestamp, test: impl Fn(&T) -> bool) -> bool {
        let tolerated = self.past.iter().find(|(_, until)| *until > now);
        test(&self.current) || tolerated.is_some_and(|(value, _)| test(value))
    }
}

/// go-ethereum's `DefaultSyncAllowance`.
const SYNC_ALLOWANCE: Duration = Duration::from_secs(10);
/// Twice that, as in go-ethereum: what died longer ago is told about.
pub(super) const SILENT_WINDOW: Duration = Duration::from_secs(20);
/// An application that changes a setting more often than this within ten seconds loses the oldest.
const MOST_TOLERATED: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_was_announced_before_is_tolerated_for_ten_seconds() {
        let mut setting = Announced::new(1);
        setting.set(secs(100), 2);
        setting.set(secs(105), 3);
        let accepts = |now: u64, value: i32| setting.any(secs(now), |own| *own == value);
        assert!(accepts(109, 1) && !accepts(110, 1));
        assert!(!accepts(109, 2) && accepts(110, 2) && accepts(114, 2) && !accepts(115, 2));
        assert!(accepts(109, 3) && accepts(115, 3));
    }

    #[test]
    fn changes_without_end_are_not_remembered_without_end() {
        let mut setting = Announced::new(0);
        (1..1_000).for_each(|value| setting.set(secs(100), value));
        assert!(setting.past.len() <= MOST_TOLERATED);
    }
}
