//! Who could have begun, so that all that was seen follows? The fourth estimator, which the text that
//! proposed the others did not have.
//!
//! All but the node that begins relay at once. So for each node that could have begun there are the
//! unknown times at which it told its neighbours, one each, and all else follows from them and the
//! graph. The latest of those times that no sighting contradicts are taken, and what they do not
//! explain is held against the node; so is each time that had to be chosen, since chance must have
//! drawn it.

use std::collections::BTreeMap;

use super::Knowledge;
use super::Seen;
use super::first_spy::even;
use crate::floods::Sight;
use crate::posterior::Posterior;

/// How long everything takes to everywhere.
#[derive(Clone, Debug)]
pub(super) struct Explain {
    times: Vec<Vec<f64>>,
}

/// What is seen of the infection of nodes.
struct Infections {
    /// When who told spies must have had it: the earliest copy, less its way.
    had: Vec<(usize, f64)>,
    /// When each copy left, by who sent it.
    left: BTreeMap<usize, Vec<(usize, f64)>>,
}

impl Explain {
    pub(super) fn new(knowledge: &Knowledge) -> Self {
        let nodes = 0..knowledge.graph.len();
        Self { times: nodes.map(|node| knowledge.graph.times_from(node)).collect() }
    }

    pub(super) fn start(&self, knowledge: &Knowledge, seen: &Seen) -> Posterior {
        if seen.flood.is_empty() {
            return even(knowledge);
        }
        let infections = Infections::of(knowledge, &seen.flood);
        let mut logs = vec![f64::NEG_INFINITY; knowledge.graph.len()];
        for node in knowledge.honest() {
            logs[node] = self.log_likelihood(knowledge, &infections, node);
        }
        Posterior::from_logs(&logs)
    }

    /// What is seen, if this node has begun.
    fn log_likelihood(&self, knowledge: &Knowledge, seen: &Infections, start: usize) -> f64 {
        let Some(mean) = knowledge.manner.scatter else { return self.at_once(seen, start) };
        let told = self.told(knowledge, seen, start);
        let mut log = 0.0;
        // Who had to be told when it was, since nothing else explains a sighting.
        let mut needed = vec![false; told.len()];
        for (node, at) in seen.had.iter().filter(|(node, _)| *node != start) {
            let by = |(place, (first, told)): (usize, &(usize, f64))| {
                (place, told + self.times[*first][*node])
            };
            let explained = told.iter().enumerate().map(by);
            let sooner = |one: (usize, f64), other: (usize, f64)| {
                if other.1 < one.1 { other } else { one }
            };
            let Some((place, soonest)) = explained.reduce(sooner) else { continue };
            needed[place] = true;
            log -= (soonest - at).abs() / BLUR;
            // What one who relays at once tells several spies leaves at one moment.
            for (_, left) in &seen.left[node] {
                log -= (left - at).abs() / BLUR + (2.0 * BLUR).ln();
            }
        }
        let edges = knowledge.graph.edges(start).iter();
        let waits = edges.zip(&told).map(|(edge, (_, told))| told - edge.seconds);
        let waits: Vec<f64> = waits.collect();
        let first = waits.iter().copied().fold(f64::INFINITY, f64::min);
        let together: f64 = waits.iter().map(|wait| (wait - first) / mean).sum();
        let chosen = needed.iter().filter(|needed| **needed).count() as f64;
        log - together - (waits.len() as f64).ln() + chosen * (2.0 * BLUR / mean).ln()
    }

    /// When each neighbour of `start` was told at the earliest: later than at the times that follow
    /// from what is seen it may not have been, or somebody would have had it before he did.
    fn told(&self, knowledge: &Knowledge, seen: &Infections, start: usize) -> Vec<(usize, f64)> {
        let own = seen.left.get(&start);
        let edges = knowledge.graph.edges(start).iter();
        let told = edges.map(|edge| {
            let others = seen.had.iter().filter(|(node, _)| *node != start);
            let least = others.map(|(node, at)| at - self.times[edge.to][*node]);
            let least = least.fold(f64::NEG_INFINITY, f64::max);
            // A spy knows when it was told.
            let known = own.and_then(|left| left.iter().find(|(spy, _)| *spy == edge.to));
            (edge.to, known.map_or(least, |(_, left)| least.max(left + edge.seconds)))
        });
        told.collect()
    }

    /// What is seen, if `start` told all its neighbours at one moment.
    fn at_once(&self, seen: &Infections, start: usize) -> f64 {
        let begun = seen
            .left
            .iter()
            .flat_map(|(node, left)| left.iter().map(|(_, at)| at - self.times[start][*node]));
        let mut begun: Vec<f64> = begun.collect();
        begun.sort_by(f64::total_cmp);
        let middle = begun[begun.len() / 2];
        -begun.iter().map(|begun| (begun - middle).abs() / BLUR).sum::<f64>()
    }
}

impl Infections {
    fn of(knowledge: &Knowledge, sights: &[Sight]) -> Self {
        let mut left: BTreeMap<usize, Vec<(usize, f64)>> = BTreeMap::new();
        for sight in sights.iter().take(DEPTH) {
            let way = knowledge.graph.seconds(sight.from, sight.spy).unwrap_or_default();
            left.entry(sight.from).or_default().push((sight.spy, sight.at - way));
        }
        let earliest = |copies: &Vec<(usize, f64)>| {
            copies.iter().map(|(_, left)| *left).fold(f64::INFINITY, f64::min)
        };
        let had = left.iter().map(|(node, copies)| (*node, earliest(copies))).collect();
        Self { had, left }
    }
}

/// How far off a time may be by the noise of several packets, in seconds.
const BLUR: f64 = 0.004;
/// So many of the earliest copies are looked at: later ones say little.
const DEPTH: usize = 80;
