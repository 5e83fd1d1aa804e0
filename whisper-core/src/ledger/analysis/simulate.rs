//! The same questions, answered by rolling dice.

use alloc::vec::Vec;

use libm::log1p;
use rand_core::CryptoRng;

/// Waiting times for `count` blocks, in units of `spacing`.
pub fn simulate_intervals(spacing: f64, count: usize, rng: &mut impl CryptoRng) -> Vec<f64> {
    (0..count).map(|_| -spacing * log1p(-uniform(rng))).collect()
}

/// How often, of `runs` races, an attacker with the share `q` catches up with `z` confirmations.
/// Whoever is fifty blocks behind gives up.
pub fn simulate_catch_up(q: f64, z: u32, runs: u32, rng: &mut impl CryptoRng) -> f64 {
    let mut caught = 0u32;
    for _ in 0..runs {
        let (mut honest, mut behind) = (0, i64::from(z));
        while honest < z {
            if uniform(rng) < q {
                behind = behind.saturating_sub(1);
            } else {
                honest = honest.saturating_add(1);
            }
        }
        // `behind` has counted the attacker's blocks against all z of the others.
        while behind > 0 && behind < GIVE_UP {
            behind = behind.saturating_add(if uniform(rng) < q { -1 } else { 1 });
        }
        caught = caught.saturating_add(u32::from(behind <= 0));
    }
    f64::from(caught) / f64::from(runs.max(1))
}

/// From here an attacker with a share of 0.45 comes back once in 20,000 races.
const GIVE_UP: i64 = 50;

/// The share of the chain's blocks that a selfish miner with the share `alpha` gets, after `blocks`
/// were found by anybody.
pub fn simulate_selfish(alpha: f64, gamma: f64, blocks: u32, rng: &mut impl CryptoRng) -> f64 {
    let mut race = Race::default();
    for _ in 0..blocks {
        if uniform(rng) < alpha {
            race.selfish_found();
        } else {
            race.honest_found(uniform(rng) < gamma);
        }
    }
    let all = race.selfish.saturating_add(race.honest);
    f64::from(race.selfish) / f64::from(all.max(1))
}

/// Eyal and Sirer's state machine: how far the selfish miner's secret branch is ahead.
#[derive(Default)]
struct Race {
    lead: u32,
    /// Two public branches of the same length, one of them the selfish miner's.
    tie: bool,
    selfish: u32,
    honest: u32,
}

impl Race {
    fn selfish_found(&mut self) {
        if self.tie {
            // Its branch of two wins.
            self.tie = false;
            self.selfish = self.selfish.saturating_add(2);
        } else {
            self.lead = self.lead.saturating_add(1);
        }
    }

    fn honest_found(&mut self, sides_with_selfish: bool) {
        if self.tie {
            self.tie = false;
            let own = u32::from(sides_with_selfish);
            let others = u32::from(!sides_with_selfish).saturating_add(1);
            self.selfish = self.selfish.saturating_add(own);
            self.honest = self.honest.saturating_add(others);
            return;
        }
        match self.lead {
            0 => self.honest = self.honest.saturating_add(1),
            1 => (self.lead, self.tie) = (0, true),
            2 => {
                self.lead = 0;
                self.selfish = self.selfish.saturating_add(2);
            }
            _ => {
                self.lead = self.lead.saturating_sub(1);
                self.selfish = self.selfish.saturating_add(1);
            }
        }
    }
}

/// A number from 0 up to 1, in steps of 2^-53.
fn uniform(rng: &mut impl CryptoRng) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}
