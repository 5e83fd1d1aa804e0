//! Stems as spies know them: from where one may have come, when all relays are known.

use crate::floods::Sight;
use crate::posterior::Posterior;

/// The relays of each node. Which of them an edge leads to, and which edges end, spies do not know.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stems {
    /// By node; none where there are no stems.
    pub(crate) relays: Vec<Vec<usize>>,
    /// The share of edges that end.
    pub(crate) ends: f64,
}

impl Stems {
    /// Who may have written what was flooded from where `starts` says, and what no spy had before.
    pub(crate) fn authors(&self, is_spy: &[bool], starts: &Posterior) -> Posterior {
        if self.relays.iter().all(Vec::is_empty) {
            return starts.clone();
        }
        let begun = starts.as_slice();
        let ends: Vec<f64> = (0..begun.len())
            .map(
                |node| if self.of(node).is_empty() { begun[node] } else { self.ends * begun[node] },
            )
            .collect();
        let reaching = self.reaching(is_spy, &ends);
        let weight = |author: usize| match self.of(author) {
            [] => begun[author],
            relays => {
                relays.iter().map(|relay| reaching[*relay]).sum::<f64>() / relays.len() as f64
            }
        };
        honest(is_spy, weight)
    }

    /// Who may have written what a spy was handed.
    pub(crate) fn upstream(&self, is_spy: &[bool], handed: &Sight) -> Posterior {
        let relays = self.of(handed.from).len().max(1) as f64;
        let mut ends = vec![0.0; is_spy.len()];
        ends[handed.from] = (1.0 - self.ends) / relays;
        let reaching = self.reaching(is_spy, &ends);
        let weight = |author: usize| {
            let own = if author == handed.from { 1.0 / relays } else { 0.0 };
            let relays = self.of(author);
            let others: f64 = relays.iter().map(|relay| reaching[*relay]).sum();
            own + others / relays.len().max(1) as f64
        };
        honest(is_spy, weight)
    }

    /// How likely what comes to each node by a stem ends as `ends` says, and not before at a spy.
    fn reaching(&self, is_spy: &[bool], ends: &[f64]) -> Vec<f64> {
        let mut reaching = ends.to_vec();
        // What is left after so many hops is one in a hundred thousand.
        for _ in 0..HOPS {
            let onward = |node: usize| {
                let relays = self.of(node);
                let sum: f64 = relays.iter().map(|relay| reaching[*relay]).sum();
                (1.0 - self.ends) * sum / relays.len().max(1) as f64
            };
            let next = (0..ends.len())
                .map(|node| if is_spy[node] { 0.0 } else { ends[node] + onward(node) });
            reaching = next.collect();
        }
        reaching
    }

    fn of(&self, node: usize) -> &[usize] {
        self.relays.get(node).map_or(&[], |relays| relays)
    }
}

fn honest(is_spy: &[bool], weight: impl Fn(usize) -> f64) -> Posterior {
    let weights = (0..is_spy.len()).map(|node| if is_spy[node] { 0.0 } else { weight(node) });
    Posterior::from_weights(weights.collect())
}

const HOPS: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 → 1 → 2 → 0 by the first relay of each, and to the spy 3 by the second.
    fn ring() -> (Stems, [bool; 4]) {
        let relays = vec![vec![1, 3], vec![2, 3], vec![0, 3], vec![0, 1]];
        (Stems { relays, ends: 0.2 }, [false, false, false, true])
    }

    #[test]
    fn who_hands_a_stem_to_a_spy_wrote_it_or_had_it_from_those_who_chose_it() {
        let (stems, is_spy) = ring();
        let posterior = stems.upstream(&is_spy, &Sight { at: 0.0, spy: 3, from: 0 });
        // Each hop is taken by 0.8 / 2; the own one by 1 / 2.
        let (own, one, two) = (0.5 + 0.5 * 0.4 * 0.4 * 0.4, 0.5 * 0.4 * 0.4, 0.5 * 0.4);
        let round = 1.0 / (1.0 - 0.4_f64.powi(3));
        let expected = [0.5 + (own - 0.5) * round, one * round, two * round];
        let sum: f64 = expected.iter().sum();
        for (node, expected) in expected.into_iter().enumerate() {
            assert!((posterior.of(node) - expected / sum).abs() < 1e-9, "{node}: {posterior:?}");
        }
        assert_eq!(posterior.of(3), 0.0);
    }

    #[test]
    fn a_flood_does_not_begin_with_its_author_where_stems_end_elsewhere() {
        let (stems, is_spy) = ring();
        let posterior = stems.authors(&is_spy, &Posterior::one(4, 1));
        assert_eq!(posterior.guess(), 0, "its only predecessor");
        let (near, far) = (posterior.of(0), posterior.of(2));
        assert!((far / near - 0.4).abs() < 1e-9, "one hop more: {posterior:?}");
        let none = Stems::default();
        assert_eq!(none.authors(&is_spy, &Posterior::one(4, 1)), Posterior::one(4, 1));
    }
}
