//! Estimators that have learned all they can before the first message.

use super::Estimator;
use super::Evidence;
use super::Knowledge;
use super::Seen;
use super::explain::Explain;
use super::first_spy::first_spy;
use super::impossible::impossible;
use super::near::Near;
use super::timing::Timing;
use crate::dice::Dice;
use crate::floods::Sight;
use crate::floods::flood;
use crate::posterior::Posterior;

/// All estimators for one network.
#[derive(Clone, Debug)]
pub(crate) struct Trained {
    timing: Timing,
    near: Near,
    explain: Explain,
    alone: Weights,
    together: Weights,
}

/// How many copies timing looks at, and how much it is trusted.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Weights {
    depth: usize,
    trust: f64,
}

impl Trained {
    /// Learns from simulated floods, and chooses the weights that find the start of others best.
    pub(crate) fn new(knowledge: &Knowledge, dice: &mut Dice) -> Self {
        let timing = Timing::learn(knowledge, dice);
        let mut starts: Vec<usize> = knowledge.honest().collect();
        dice.shuffle(&mut starts);
        let own = |start: usize, dice: &mut Dice| {
            let Knowledge { graph, is_spy, manner, .. } = knowledge;
            (start, flood(graph, is_spy, start, *manner, dice))
        };
        let cycle = starts.iter().copied().cycle();
        let floods: Vec<_> = cycle.take(2 * OWN).map(|start| own(start, dice)).collect();
        let (learned, tried) = floods.split_at(OWN);
        let near = Near::learn(knowledge, learned);
        let explain = Explain::new(knowledge);
        let unknown = Weights { depth: 0, trust: 0.0 };
        let mut trained = Self { timing, near, explain, alone: unknown, together: unknown };
        trained.alone = trained.best(knowledge, tried, Estimator::Timing);
        trained.together = trained.best(knowledge, tried, Estimator::Near);
        trained
    }

    /// Who is held to be the author.
    pub(crate) fn author(
        &self,
        knowledge: &Knowledge,
        seen: &Seen,
        estimator: Estimator,
    ) -> Posterior {
        match estimator {
            Estimator::FirstSpy => first_spy(knowledge, seen),
            _ => knowledge.author(&self.evidence(knowledge, seen, estimator)),
        }
    }

    /// What one envelope tells. Who was handed it by a stem has no use for the flood.
    pub(crate) fn evidence(
        &self,
        knowledge: &Knowledge,
        seen: &Seen,
        estimator: Estimator,
    ) -> Evidence {
        match seen.handed {
            Some(handed) => Evidence::Handed(handed),
            None => Evidence::Flooded(self.start(knowledge, seen, estimator)),
        }
    }

    /// Where the flood is held to have begun.
    fn start(&self, knowledge: &Knowledge, seen: &Seen, estimator: Estimator) -> Posterior {
        match estimator {
            Estimator::FirstSpy => first_spy(knowledge, seen),
            Estimator::Timing => self.weighed(knowledge, seen, estimator, self.alone),
            Estimator::Near => self.weighed(knowledge, seen, estimator, self.together),
            Estimator::Impossible => {
                let before = self.weighed(knowledge, seen, Estimator::Near, self.together);
                impossible(knowledge, seen, &before)
            }
            Estimator::Explain => self.explain.start(knowledge, seen),
        }
    }

    /// Timing alone, or times what distance says.
    fn weighed(
        &self,
        knowledge: &Knowledge,
        seen: &Seen,
        estimator: Estimator,
        weights: Weights,
    ) -> Posterior {
        let timing = self.timing.start(knowledge, seen, weights.depth);
        let other = match estimator {
            Estimator::Near => self.near.start(knowledge, seen),
            _ => super::first_spy::even(knowledge),
        };
        timing.times(weights.trust, &other)
    }

    /// The weights under which the true starts of floods are likeliest.
    fn best(
        &self,
        knowledge: &Knowledge,
        floods: &[(usize, Vec<Sight>)],
        estimator: Estimator,
    ) -> Weights {
        let all = DEPTHS.into_iter().flat_map(|depth| TRUSTS.map(|trust| Weights { depth, trust }));
        let likelihood = |weights: &Weights| {
            let log = |(start, sights): &(usize, Vec<Sight>)| {
                let seen = Seen { handed: None, flood: sights.clone() };
                self.weighed(knowledge, &seen, estimator, *weights).of(*start).max(1e-9).ln()
            };
            floods.iter().map(log).sum::<f64>()
        };
        let scored = all.map(|weights| (weights, likelihood(&weights)));
        let better = |one: (Weights, f64), other: (Weights, f64)| {
            if other.1 > one.1 { other } else { one }
        };
        scored.reduce(better).map_or(self.alone, |(weights, _)| weights)
    }
}

/// How many floods of their own spies look at.
const OWN: usize = 120;
/// So many of the earliest copies are compared.
const DEPTHS: [usize; 3] = [6, 15, 40];
/// The sightings are not independent, so that the product of their likelihoods may be too sure.
const TRUSTS: [f64; 5] = [0.0, 0.1, 0.3, 0.6, 1.0];
