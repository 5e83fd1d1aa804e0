//! Two spies told at times that nobody who relays at once would have told them point to who began.

use std::collections::BTreeMap;

use super::Knowledge;
use super::Seen;
use crate::posterior::Posterior;

/// Makes those likelier who told two spies at different times, beside the time of the way.
pub(super) fn impossible(knowledge: &Knowledge, seen: &Seen, before: &Posterior) -> Posterior {
    let mut left: BTreeMap<usize, (f64, f64)> = BTreeMap::new();
    for sight in &seen.flood {
        let way = knowledge.graph.seconds(sight.from, sight.spy).unwrap_or_default();
        let at = sight.at - way;
        let (first, last) = left.entry(sight.from).or_insert((at, at));
        (*first, *last) = (first.min(at), last.max(at));
    }
    let mut weights = before.as_slice().to_vec();
    for (node, (first, last)) in left {
        if last - first > knowledge.manner.noise + ROUNDING {
            weights[node] = (weights[node] + FLOOR) * CERTAIN;
        }
    }
    Posterior::from_weights(weights)
}

/// The simulator counts whole milliseconds.
const ROUNDING: f64 = 0.003;
/// So much likelier is who does what others do not.
const CERTAIN: f64 = 1e6;
/// Whatever was held to be likely before.
const FLOOR: f64 = 1e-6;
