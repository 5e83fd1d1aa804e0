//! Time, as the languages have it and as the core has it.

use std::time::Duration;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use whisper_core::time::Timestamp;

/// What lies before 1970 counts as 1970.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// What lies beyond the last moment that the languages know counts as that one.
pub(crate) fn system_time(time: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(time.as_millis().min(LAST_MILLIS))
}

/// The end of the year 9999: Python knows no later one.
const LAST_MILLIS: u64 = 253_402_300_799_999;
