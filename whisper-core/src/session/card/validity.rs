//! From when until when something holds.

use core::time::Duration;

use super::error::CardError;
use crate::time::Timestamp;

/// Two dates, in seconds: the first moment and the last.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Validity {
    not_before: u32,
    not_after: u32,
}

impl Validity {
    /// From a moment on for so long; until 2106 at most, where 32 bits of seconds end.
    pub fn starting(not_before: Timestamp, span: Duration) -> Self {
        let seconds = |time: Timestamp| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        Self {
            not_before: seconds(not_before),
            not_after: seconds(not_before.saturating_add(span)),
        }
    }

    /// The first moment.
    pub fn not_before(&self) -> Timestamp {
        Timestamp::from_secs(self.not_before.into())
    }

    /// The last moment.
    pub fn not_after(&self) -> Timestamp {
        Timestamp::from_secs(self.not_after.into())
    }

    /// Whether `now` lies between the two, as whole seconds. Clocks may differ: it holds ten
    /// minutes early.
    ///
    /// # Errors
    /// [`Expired`] if it lies outside.
    pub fn check(&self, now: Timestamp) -> Result<(), Expired> {
        let now = now.as_secs();
        if now.saturating_add(TOLERANCE) < u64::from(self.not_before) {
            Err(Expired::NotYet)
        } else if now > u64::from(self.not_after) {
            Err(Expired::NoLonger)
        } else {
            Ok(())
        }
    }

    /// Reads the two dates, which must be in order and at most `max` seconds apart, if that is given.
    pub(super) fn from_bytes(bytes: [u8; 8], max: Option<u32>) -> Result<Self, CardError> {
        let both = u64::from_be_bytes(bytes);
        let not_before = u32::try_from(both >> 32).unwrap_or_default();
        let not_after = u32::try_from(both & u64::from(u32::MAX)).unwrap_or_default();
        match not_after.checked_sub(not_before) {
            None => Err(CardError::Dates),
            Some(span) if max.is_some_and(|max| span > max) => Err(CardError::TooLong),
            Some(_) => Ok(Self { not_before, not_after }),
        }
    }

    pub(super) fn to_bytes(self) -> [u8; 8] {
        (u64::from(self.not_before) << 32 | u64::from(self.not_after)).to_be_bytes()
    }
}

/// A date that does not hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Expired {
    /// It lies ahead by more than clocks differ.
    #[error("it is not valid yet: look at the clock")]
    NotYet,
    /// It has passed.
    #[error("it is out of date: ask for a new one")]
    NoLonger,
}

/// spec/session.md, 3.2: how far clocks may differ, in seconds.
const TOLERANCE: u64 = 600;
