//! How the author of an envelope is hidden (`spec/privacy.md`).

use core::time::Duration;

/// How the author of an envelope is hidden.
///
/// All nodes should be set alike: other values than the defaults tell a node from others. They can be
/// changed for measurements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stem {
    /// How long each peer waits, on average and by itself, for what begins its way here. Everything
    /// else is relayed at once.
    pub scatter: Duration,
}

impl Default for Stem {
    fn default() -> Self {
        Self { scatter: Duration::from_secs(1) }
    }
}
