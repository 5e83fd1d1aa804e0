//! What goes wrong on one direction of a connection, drawn from a seed.

use std::time::Duration;

use tokio::time::Instant;

use super::Faults;

/// What goes wrong on one direction of a connection.
pub(super) struct LinkConditions {
    state: u64,
    latency: (Duration, Duration),
    cut: f64,
}

impl LinkConditions {
    pub(super) fn new(faults: &Faults, seed: u64) -> Self {
        let latency = (*faults.latency.start(), *faults.latency.end());
        Self { state: seed, latency, cut: faults.cut }
    }

    /// Whether the connection breaks now.
    pub(super) fn breaks(&mut self) -> bool {
        self.cut > 0.0 && self.fraction() < self.cut
    }

    /// When what leaves now arrives, and not before what left `earlier`.
    pub(super) fn due(&mut self, earlier: Option<Instant>) -> Instant {
        let (least, most) = self.latency;
        let spread = most.saturating_sub(least);
        let extra = if spread.is_zero() { spread } else { spread.mul_f64(self.fraction()) };
        let due = Instant::now() + least + extra;
        earlier.map_or(due, |earlier| earlier.max(due))
    }

    /// Uniform in 0 to 1: the upper 53 bits of SplitMix64, which needs no more than a counter.
    fn fraction(&mut self) -> f64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }
}
