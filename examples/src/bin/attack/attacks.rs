//! The attacks, and what comes of each with and without the guards.

use std::time::Duration;

use whisper_core::node::Config;
use whisper_core::pow::InvalidRating;
use whisper_core::pow::Rating;
use whisper_net::memory::Faults;
use whisper_net::sim::World;
use whisper_net::sim::adversaries::Deaf;
use whisper_net::sim::adversaries::Flood;
use whisper_net::sim::adversaries::Flooder;
use whisper_net::sim::adversaries::Rewrapper;
use whisper_net::sim::trial::Outcome;
use whisper_net::sim::trial::Trial;

/// An attack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Attack {
    pub(crate) name: &'static str,
    /// What the adversaries do, for the title of the picture.
    pub(crate) what: &'static str,
    /// The least rating that honest nodes take. Scaled down, so that proofs of work take a moment:
    /// what is compared stays in proportion.
    min_rating: f64,
    adversary: Adversary,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Adversary {
    Floods { ttl: u64, data: usize, per_second: u32, rated: f64, power: u64 },
    Rewraps,
    ReadsNothing,
}

/// What a node may hold in its pool; each attack brings ten times as much.
pub(crate) const POOL: usize = 256 * 1024;

pub(crate) const ATTACKS: [Attack; 5] = [
    Attack {
        name: "expiry",
        what: "envelopes that live for two days, at the least rating",
        min_rating: 5e-5,
        adversary: Adversary::Floods {
            ttl: 172_800,
            data: 60,
            per_second: 13,
            rated: 5e-5,
            power: 50_000,
        },
    },
    Attack {
        name: "flood",
        what: "envelopes like everybody's, at the least rating",
        min_rating: 1e-3,
        adversary: Adversary::Floods {
            ttl: 10,
            data: 300,
            per_second: 51,
            rated: 1e-3,
            power: 2_000,
        },
    },
    Attack {
        name: "rewrap",
        what: "each message of others in twenty envelopes more",
        min_rating: 1e-3,
        adversary: Adversary::Rewraps,
    },
    Attack {
        name: "dust",
        what: "empty envelopes that are rated ten times as high",
        min_rating: 1e-3,
        adversary: Adversary::Floods {
            ttl: 10,
            data: 0,
            per_second: 200,
            rated: 1e-2,
            power: 10_000,
        },
    },
    Attack {
        name: "deaf",
        what: "peers that stop reading",
        min_rating: 1e-3,
        adversary: Adversary::ReadsNothing,
    },
];

impl Attack {
    /// Runs it against 24 nodes of degree 8, eight adversaries with three victims each.
    pub(crate) fn run(
        &self,
        seed: u64,
        span: Duration,
        guarded: bool,
    ) -> Result<Outcome, InvalidRating> {
        let min_rating = Rating::new(self.min_rating)?;
        let mut node = Config { min_rating, pool_bytes: POOL, guarded, ..Config::default() };
        if !guarded {
            node.budgets = None;
        }
        let trial = Trial { seed, span, node, ..Trial::default() };
        Ok(match self.adversary {
            Adversary::Floods { ttl, data, per_second, rated, power } => {
                let (ttl, target) = (Duration::from_secs(ttl), Rating::new(rated)?);
                let flood = Flood { ttl, data, target, per_second, power };
                trial.run(|seed| Flooder::new(seed, flood))
            }
            Adversary::Rewraps => {
                trial.run(|_| Rewrapper::new(Duration::from_secs(50), min_rating, 20))
            }
            Adversary::ReadsNothing => {
                // Little is taken that is not read, so that it shows within the minute.
                let faults = Faults { buffer: 4 * 1024, ..World::FAULTS };
                Trial { faults, ..trial }.run(|_| Deaf::default())
            }
        })
    }
}
