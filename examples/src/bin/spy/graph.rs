//! What spies know of a network: who is connected with whom, and how long a packet takes.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::collections::VecDeque;

use whisper_net::sim::World;

/// Nodes by number and the connections of each.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    edges: Vec<Vec<Edge>>,
}

/// One end of a connection.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Edge {
    pub(crate) to: usize,
    /// What a packet takes on average.
    pub(crate) seconds: f64,
}

impl Graph {
    /// The graph of a world whose connections have latencies of their own.
    pub(crate) fn of(world: &World, noise: f64) -> Self {
        let connections = world.connections().filter_map(|connection| {
            let seconds = connection.latency?.as_secs_f64() + noise / 2.0;
            Some((connection.from.index(), connection.to.index(), seconds))
        });
        Self::new(world.sites().count(), connections)
    }

    pub(crate) fn new(
        nodes: usize,
        connections: impl IntoIterator<Item = (usize, usize, f64)>,
    ) -> Self {
        let mut edges = vec![Vec::new(); nodes];
        for (from, to, seconds) in connections {
            edges[from].push(Edge { to, seconds });
            edges[to].push(Edge { to: from, seconds });
        }
        Self { edges }
    }

    pub(crate) fn len(&self) -> usize {
        self.edges.len()
    }

    pub(crate) fn edges(&self, node: usize) -> &[Edge] {
        &self.edges[node]
    }

    /// What a packet takes between two neighbours.
    pub(crate) fn seconds(&self, one: usize, other: usize) -> Option<f64> {
        self.edges[one].iter().find(|edge| edge.to == other).map(|edge| edge.seconds)
    }

    /// When each node has what `start` sends at 0 and everybody relays at once.
    pub(crate) fn times_from(&self, start: usize) -> Vec<f64> {
        let mut times = vec![f64::INFINITY; self.len()];
        let mut agenda = BinaryHeap::from([Due { at: 0.0, to: start, from: start }]);
        while let Some(Due { at, to, .. }) = agenda.pop() {
            if times[to].is_finite() {
                continue;
            }
            times[to] = at;
            let onward = self.edges(to).iter().filter(|edge| times[edge.to].is_infinite());
            agenda.extend(onward.map(|edge| Due { at: at + edge.seconds, to: edge.to, from: to }));
        }
        times
    }

    /// How many connections lie between each node and `start`.
    pub(crate) fn hops_from(&self, start: usize) -> Vec<usize> {
        let mut hops = vec![usize::MAX; self.len()];
        hops[start] = 0;
        let mut line = VecDeque::from([start]);
        while let Some(node) = line.pop_front() {
            for edge in self.edges(node) {
                if hops[edge.to] == usize::MAX {
                    hops[edge.to] = hops[node] + 1;
                    line.push_back(edge.to);
                }
            }
        }
        hops
    }
}

/// A packet that comes to a node; the heap gives the earliest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Due {
    pub(crate) at: f64,
    pub(crate) to: usize,
    pub(crate) from: usize,
}

impl Eq for Due {}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then_with(|| (other.to, other.from).cmp(&(self.to, self.from)))
    }
}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_follow_the_quickest_way_and_hops_the_shortest() {
        let graph = Graph::new(4, [(0, 1, 0.1), (1, 2, 0.1), (0, 2, 0.5), (2, 3, 0.1)]);
        let times = graph.times_from(0);
        assert!((times[2] - 0.2).abs() < 1e-9, "not the direct 0.5: {times:?}");
        assert_eq!(graph.hops_from(0), [0, 1, 1, 2]);
        assert_eq!(graph.seconds(2, 0), Some(0.5));
        assert_eq!(graph.seconds(3, 0), None);
    }
}
