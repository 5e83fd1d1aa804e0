//! When each spy is told by whom, if a flood begins here or there: learned from simulated floods.

use std::collections::BTreeMap;

use super::Knowledge;
use super::Seen;
use crate::dice::Dice;
use crate::floods::Sight;
use crate::floods::flood;
use crate::posterior::Posterior;

/// For each node that could begin, when which copy is seen after the first of all.
#[derive(Clone, Debug)]
pub(super) struct Timing {
    columns: BTreeMap<(usize, usize), usize>,
    /// By node, then by column.
    cells: Vec<Vec<Cell>>,
}

/// The seconds after the first copy, over the floods in which this one was seen.
#[derive(Clone, Copy, Debug, Default)]
struct Cell {
    count: f64,
    sum: f64,
    squares: f64,
}

impl Timing {
    /// Learns from [`FLOODS`] floods from each node.
    pub(super) fn learn(knowledge: &Knowledge, dice: &mut Dice) -> Self {
        let mut columns = BTreeMap::new();
        for from in knowledge.honest() {
            for edge in knowledge.graph.edges(from).iter().filter(|e| knowledge.is_spy[e.to]) {
                let next = columns.len();
                columns.entry((edge.to, from)).or_insert(next);
            }
        }
        let mut cells = vec![Vec::new(); knowledge.graph.len()];
        for node in knowledge.honest() {
            cells[node] = vec![Cell::default(); columns.len()];
            for _ in 0..FLOODS {
                let Knowledge { graph, is_spy, manner, .. } = knowledge;
                let sights = flood(graph, is_spy, node, *manner, dice);
                for (sight, seconds) in after_first(&sights) {
                    cells[node][columns[&(sight.spy, sight.from)]].add(seconds);
                }
            }
        }
        Self { columns, cells }
    }

    /// Compares the earliest `depth` copies with what was learned for each node.
    pub(super) fn start(&self, knowledge: &Knowledge, seen: &Seen, depth: usize) -> Posterior {
        let mut logs = vec![f64::NEG_INFINITY; knowledge.graph.len()];
        for node in knowledge.honest() {
            let earliest = after_first(&seen.flood).take(depth);
            let log = |(sight, seconds): (&Sight, f64)| {
                let column = self.columns.get(&(sight.spy, sight.from))?;
                Some(self.cells[node][*column].log_likelihood(seconds))
            };
            logs[node] = earliest.filter_map(log).sum();
        }
        Posterior::from_logs(&logs)
    }
}

impl Cell {
    fn add(&mut self, seconds: f64) {
        self.count += 1.0;
        self.sum += seconds;
        self.squares += seconds * seconds;
    }

    fn log_likelihood(&self, seconds: f64) -> f64 {
        let seen = ((self.count + 0.5) / (f64::from(FLOODS) + 1.0)).ln();
        if self.count < 2.0 {
            return seen + log_normal(seconds - USUAL, USUAL * USUAL);
        }
        let mean = self.sum / self.count;
        let variance = (self.squares / self.count - mean * mean).max(0.0);
        let corrected = variance * self.count / (self.count - 1.0);
        seen + log_normal(seconds - mean, corrected + LEAST * LEAST)
    }
}

fn after_first(sights: &[Sight]) -> impl Iterator<Item = (&Sight, f64)> {
    let first = sights.first().map_or(0.0, |sight| sight.at);
    sights.iter().map(move |sight| (sight, sight.at - first))
}

fn log_normal(distance: f64, variance: f64) -> f64 {
    -0.5 * (distance * distance / variance + (std::f64::consts::TAU * variance).ln())
}

/// As the model of privacy.md, 3 has it.
const FLOODS: u32 = 12;
/// The least deviation: whole milliseconds, and what a few floods do not show.
const LEAST: f64 = 0.003;
/// Where too little was seen: about what a flood takes.
const USUAL: f64 = 0.3;
