//! Floods as spies imagine them, to learn from: computed on the graph, without the engine.

use std::collections::BinaryHeap;

use crate::dice::Dice;
use crate::graph::Due;
use crate::graph::Graph;

/// A copy that comes to a spy from somebody honest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sight {
    /// In seconds.
    pub(crate) at: f64,
    pub(crate) spy: usize,
    pub(crate) from: usize,
}

/// How nodes flood.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Manner {
    /// The mean wait for each peer of who begins; none begins at once with all.
    pub(crate) scatter: Option<f64>,
    /// What each packet takes at most beside the latency of its connection, in seconds.
    pub(crate) noise: f64,
}

/// What spies see of a flood that begins at `start`, in order of time.
pub(crate) fn flood(
    graph: &Graph,
    is_spy: &[bool],
    start: usize,
    manner: Manner,
    dice: &mut Dice,
) -> Vec<Sight> {
    let mut has = vec![false; graph.len()];
    let mut arrivals = BinaryHeap::new();
    // Neighbours that wait for their copy from `start`, as packets that leave for them.
    let mut waits = BinaryHeap::new();
    for edge in graph.edges(start) {
        let at = manner.scatter.map_or(0.0, |mean| dice.exponential(mean).min(LONGEST_WAIT));
        waits.push(Due { at, to: edge.to, from: start });
    }
    has[start] = true;
    let mut heard_back = false;
    let mut sights = Vec::new();
    loop {
        let arrival = arrivals.peek().map_or(f64::INFINITY, |due: &Due| due.at);
        if waits.peek().is_some_and(|due| due.at <= arrival) {
            let Some(due) = waits.pop() else { break };
            send(graph, due, manner, &mut arrivals, dice);
            continue;
        }
        let Some(Due { at, to, from }) = arrivals.pop() else { break };
        if is_spy[to] && !is_spy[from] {
            sights.push(Sight { at, spy: to, from });
        }
        if to == start && !heard_back {
            // Who hears its own from another ends all waits at once.
            heard_back = true;
            for due in waits.drain().filter(|due| due.to != from) {
                send(graph, Due { at, ..due }, manner, &mut arrivals, dice);
            }
        }
        if std::mem::replace(&mut has[to], true) {
            continue;
        }
        for edge in graph.edges(to).iter().filter(|edge| edge.to != from) {
            send(graph, Due { at, to: edge.to, from: to }, manner, &mut arrivals, dice);
        }
    }
    first_copies(sights)
}

/// The first copy on each connection.
pub(crate) fn first_copies(mut sights: Vec<Sight>) -> Vec<Sight> {
    sights.sort_by(|one, other| one.at.total_cmp(&other.at));
    let mut seen = std::collections::BTreeSet::new();
    sights.retain(|sight| seen.insert((sight.spy, sight.from)));
    sights
}

fn send(
    graph: &Graph,
    leaves: Due,
    manner: Manner,
    arrivals: &mut BinaryHeap<Due>,
    dice: &mut Dice,
) {
    // What the graph says contains half of the noise already.
    let seconds = graph.seconds(leaves.from, leaves.to).unwrap_or_default();
    let noise = (dice.fraction() - 0.5) * manner.noise;
    arrivals.push(Due { at: leaves.at + seconds + noise, ..leaves });
}

/// The cap that privacy.md, 2.2 sets.
const LONGEST_WAIT: f64 = 5.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 – 1 – 2, where 2 is a spy that 0 reaches too, by a slow connection.
    fn triangle() -> (Graph, [bool; 3]) {
        (Graph::new(3, [(0, 1, 0.1), (1, 2, 0.1), (0, 2, 0.5)]), [false, false, true])
    }

    #[test]
    fn a_flood_at_once_takes_as_long_as_the_way() {
        let (graph, is_spy) = triangle();
        let manner = Manner { scatter: None, noise: 0.0 };
        let seen = flood(&graph, &is_spy, 0, manner, &mut Dice::new(1, 1));
        assert_eq!(seen.iter().map(|sight| sight.from).collect::<Vec<_>>(), [1, 0]);
        assert!((seen[0].at - 0.2).abs() < 1e-9 && (seen[1].at - 0.5).abs() < 1e-9);
    }

    #[test]
    fn who_hears_its_own_back_waits_no_longer() {
        // 0 has 1, 3 and the spy 2 to tell; 1 and 3 tell each other, and 1 the spy 4.
        let ways = [(0, 1), (1, 3), (0, 3), (0, 2), (1, 4)];
        let graph = Graph::new(5, ways.map(|(from, to)| (from, to, 0.1)));
        let is_spy = [false, false, true, false, true];
        let manner = Manner { scatter: Some(1.0), noise: 0.0 };
        let waits = (0..50).filter(|seed| {
            let seen = flood(&graph, &is_spy, 0, manner, &mut Dice::new(*seed, 1));
            let at = |spy: usize| seen.iter().find(|sight| sight.spy == spy).map(|sight| sight.at);
            let [Some(own), Some(other)] = [at(2), at(4)] else { panic!("{seen:?}") };
            // From 1 over 3 and back to 0, and to 2; less the way from 1 to 4.
            own > other + 0.2 + 1e-9
        });
        // Only where 1 and 3 are told at nearly one moment does neither tell 0; with waits that do
        // not end it is half of all floods.
        assert!(waits.count() < 10);
    }
}
