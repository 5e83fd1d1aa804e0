//! How far from the first who told a spy floods begin, learned from floods of the spies' own.

use super::Knowledge;
use super::Seen;
use super::first_spy::even;
use crate::floods::Sight;
use crate::posterior::Posterior;

/// How often floods begin so many connections away from who is seen first.
#[derive(Clone, Debug)]
pub(super) struct Near {
    shares: [f64; FARTHEST],
    hops: Vec<Vec<usize>>,
}

impl Near {
    /// Learns from floods whose start is known.
    pub(super) fn learn(knowledge: &Knowledge, floods: &[(usize, Vec<Sight>)]) -> Self {
        let nodes = 0..knowledge.graph.len();
        let hops: Vec<_> = nodes.map(|node| knowledge.graph.hops_from(node)).collect();
        // One seen everywhere, so that nothing is held to be impossible.
        let mut shares = [1.0; FARTHEST];
        for (start, sights) in floods {
            if let Some(first) = sights.first() {
                shares[hops[*start][first.from].min(FARTHEST - 1)] += 1.0;
            }
        }
        Self { shares, hops }
    }

    /// Those of one distance are as likely as each other.
    pub(super) fn start(&self, knowledge: &Knowledge, seen: &Seen) -> Posterior {
        let Some(first) = seen.flood.first() else { return even(knowledge) };
        let distance = |node: usize| self.hops[first.from][node].min(FARTHEST - 1);
        let mut counts = [0.0; FARTHEST];
        knowledge.honest().for_each(|node| counts[distance(node)] += 1.0);
        let mut weights = vec![0.0; knowledge.graph.len()];
        for node in knowledge.honest() {
            weights[node] = self.shares[distance(node)] / counts[distance(node)];
        }
        Posterior::from_weights(weights)
    }
}

/// Farther counts as so far.
const FARTHEST: usize = 8;
