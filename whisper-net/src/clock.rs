//! Wall time: the system's, or one that a test sets.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

use whisper_core::time::Timestamp;

/// Where a node gets the time that envelopes carry.
///
/// ```
/// use whisper_core::time::Timestamp;
/// use whisper_net::Clock;
///
/// let slow = Clock::from_source(|| Timestamp::from_secs(1_600_000_000));
/// assert_eq!(slow.now().as_secs(), 1_600_000_000);
/// ```
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock. A time before 1970 reads as 1970.
    pub fn system() -> Self {
        Self::from_source(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            Timestamp::default().saturating_add(since)
        })
    }

    /// A clock of one's own.
    pub fn from_source(source: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(source))
    }

    /// A clock that starts at `origin` and runs with tokio's, which tests can pause.
    pub fn paused_from(origin: Timestamp) -> Self {
        let start = tokio::time::Instant::now();
        Self::from_source(move || origin.saturating_add(start.elapsed()))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock(..)")
    }
}
