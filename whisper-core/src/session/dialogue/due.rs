//! Moments drawn at random, and spans that have passed.

use core::time::Duration;

use rand_core::CryptoRng;

use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use crate::time::Timestamp;

/// A moment at which something is to happen.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Due {
    pub(super) at: Timestamp,
    /// It was no further ahead than this.
    pub(super) within: Duration,
}

impl Due {
    /// A moment that every one of the next `span` is as likely to be.
    pub(super) fn within(now: Timestamp, span: Duration, rng: &mut impl CryptoRng) -> Self {
        let millis = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        // Of 2^64 draws, a few milliseconds more fall on the early moments.
        let delay = rng.next_u64().checked_rem(millis.saturating_add(1)).unwrap_or(0);
        Self { at: now.saturating_add(Duration::from_millis(delay)), within: span }
    }

    /// This moment.
    pub(super) fn at(now: Timestamp, at: Timestamp) -> Self {
        Self { at, within: at.saturating_since(now) }
    }

    /// Whether it has come. One that lies further ahead than it was set to has been set by a clock
    /// that was wrong.
    pub(super) fn has_come(self, now: Timestamp) -> bool {
        now >= self.at || self.at.saturating_since(now) > self.within
    }
}

impl Due {
    pub(super) fn write(self, writer: &mut Writer) {
        writer.put_time(self.at);
        let within = u64::try_from(self.within.as_millis()).unwrap_or(u64::MAX);
        writer.put(&within.to_be_bytes());
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(Self { at: value.time()?, within: Duration::from_millis(value.u64()?) })
    }
}

/// Whether something may happen again that may happen once in a span. A clock that was ahead when it
/// happened last forbids nothing.
pub(super) fn may_again(now: Timestamp, last: Option<Timestamp>, span: Duration) -> bool {
    last.is_none_or(|last| last > now || now.saturating_since(last) >= span)
}

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);
