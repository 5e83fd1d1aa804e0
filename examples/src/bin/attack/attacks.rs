//! The attacks, and what comes of each with and without the guards.

use std::time::Duration;

use whisper_core::node::Config;
use whisper_core::pow::InvalidRating;
use whisper_core::pow::Rating;
use whisper_net::memory::Faults;
use whisper_net::sim::World;
use whisper_net::sim::adversaries;
use whisper_net::sim::adversaries::Deaf;
use whisper_net::sim::adversaries::Fickle;
use whisper_net::sim::adversaries::Flooder;
use whisper_net::sim::adversaries::Liar;
use whisper_net::sim::adversaries::Parrot;
use whisper_net::sim::adversaries::Rewrapper;
use whisper_net::sim::trial::Machines;
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

/// What is sent, with a rating as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Flood {
    ttl: u64,
    data: usize,
    per_second: u32,
    rated: f64,
    power: u64,
    /// How many seconds ago it says to be made.
    age: u64,
    /// After how many seconds the adversary hangs up, to come back as somebody new.
    stay: Option<u64>,
}

impl Flood {
    const NONE: Self =
        Self { ttl: 10, data: 0, per_second: 0, rated: 0.0, power: 1_000_000, age: 0, stay: None };

    fn adversary(self) -> Result<adversaries::Flood, InvalidRating> {
        Ok(adversaries::Flood {
            ttl: Duration::from_secs(self.ttl),
            data: self.data,
            target: Rating::new(self.rated)?,
            per_second: self.per_second,
            power: self.power,
            age: Duration::from_secs(self.age),
            stay: self.stay.map(Duration::from_secs),
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Adversary {
    Floods(Flood),
    Rewraps,
    ReadsNothing,
    ChangesItsMind,
    /// Sends what lives for a second only, to nodes whose clocks differ by 40 ms.
    Hurries(Flood),
    Lies,
    /// On machines that are fifty times as slow as they are, so that what is scaled down takes as much
    /// of their time.
    Busies(Flood),
    Repeats,
}

/// What a node may hold in its pool; each attack brings ten times as much.
pub(crate) const POOL: usize = 256 * 1024;

pub(crate) const ATTACKS: [Attack; 11] = [
    Attack {
        name: "expiry",
        what: "envelopes that live for two days, at the least rating",
        min_rating: 5e-5,
        adversary: Adversary::Floods(Flood {
            ttl: 172_800,
            data: 60,
            per_second: 13,
            rated: 5e-5,
            power: 50_000,
            ..Flood::NONE
        }),
    },
    Attack {
        name: "flood",
        what: "envelopes like everybody's, at the least rating",
        min_rating: 1e-3,
        adversary: Adversary::Floods(Flood {
            ttl: 10,
            data: 300,
            per_second: 51,
            rated: 1e-3,
            power: 2_000,
            ..Flood::NONE
        }),
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
        adversary: Adversary::Floods(Flood {
            ttl: 10,
            data: 0,
            per_second: 200,
            rated: 1e-2,
            power: 10_000,
            ..Flood::NONE
        }),
    },
    Attack {
        name: "deaf",
        what: "peers that stop reading",
        min_rating: 1e-3,
        adversary: Adversary::ReadsNothing,
    },
    Attack {
        name: "fickle",
        what: "peers that read nothing and want something else ten times a second",
        min_rating: 1e-3,
        adversary: Adversary::ChangesItsMind,
    },
    Attack {
        name: "clocks",
        what: "envelopes that live for a second, between clocks 40 ms apart",
        min_rating: 1e-3,
        adversary: Adversary::Hurries(Flood {
            ttl: 1,
            data: 300,
            per_second: 10,
            rated: 1e-3,
            power: 20_000,
            ..Flood::NONE
        }),
    },
    Attack {
        name: "liars",
        what: "more peers that demand what nobody can pay than honest ones",
        min_rating: 1e-3,
        adversary: Adversary::Lies,
    },
    Attack {
        name: "expired",
        what: "envelopes that have expired, more than there is time to look at",
        min_rating: 1e-3,
        adversary: Adversary::Busies(Flood { age: 15, per_second: 4_000, ..Flood::NONE }),
    },
    Attack {
        name: "copies",
        what: "envelopes that are known, more than there is time to look at",
        min_rating: 1e-3,
        adversary: Adversary::Repeats,
    },
    Attack {
        name: "returns",
        what: "a flood by peers that hang up and come back as somebody new",
        min_rating: 1e-3,
        adversary: Adversary::Floods(Flood {
            ttl: 10,
            data: 300,
            per_second: 51,
            rated: 1e-2,
            power: 20_000,
            stay: Some(5),
            ..Flood::NONE
        }),
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
        let slow = Machines { pace: Duration::from_micros(500), ..Machines::default() };
        Ok(match self.adversary {
            Adversary::Floods(flood) => {
                let flood = flood.adversary()?;
                trial.run(|seed| Flooder::new(seed, flood))
            }
            Adversary::Busies(flood) => {
                let flood = flood.adversary()?;
                Trial { machines: slow, ..trial }.run(|seed| Flooder::new(seed, flood))
            }
            Adversary::Repeats => Trial { machines: slow, ..trial }.run(|_| Parrot::new(4_000)),
            Adversary::Hurries(flood) => {
                let flood = flood.adversary()?;
                let machines =
                    Machines { clocks: Duration::from_millis(40), ..Machines::default() };
                // What comes within the 40 ms is in the future of half of the nodes.
                let latency = Duration::from_millis(1)..=Duration::from_millis(30);
                let faults = Faults { latency, ..World::FAULTS };
                Trial { machines, faults, ..trial }.run(|seed| Flooder::new(seed, flood))
            }
            Adversary::Rewraps => {
                trial.run(|_| Rewrapper::new(Duration::from_secs(50), min_rating, 20))
            }
            Adversary::ReadsNothing => {
                // Little is taken that is not read, so that it shows within the minute.
                let faults = Faults { buffer: 4 * 1024, ..World::FAULTS };
                Trial { faults, ..trial }.run(|_| Deaf::default())
            }
            Adversary::ChangesItsMind => {
                let faults = Faults { buffer: 4 * 1024, ..World::FAULTS };
                Trial { faults, ..trial }.run(|_| Fickle::default())
            }
            Adversary::Lies => {
                // Twelve at each node, which has eight honest peers.
                let demand = Rating::new(1e300)?;
                Trial { adversaries: 32, reach: 9, ..trial }.run(|_| Liar::new(demand))
            }
        })
    }
}
