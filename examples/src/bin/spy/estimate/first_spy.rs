//! The simplest guess: who was the first to tell a spy.

use super::Knowledge;
use super::Seen;
use crate::posterior::Posterior;

/// Who sent the first copy that any spy saw.
pub(super) fn first_spy(knowledge: &Knowledge, seen: &Seen) -> Posterior {
    let nodes = knowledge.graph.len();
    match seen.handed.as_ref().or(seen.flood.first()) {
        Some(first) => Posterior::one(nodes, first.from),
        None => even(knowledge),
    }
}

/// Anybody honest.
pub(super) fn even(knowledge: &Knowledge) -> Posterior {
    let weight = |is_spy: &bool| if *is_spy { 0.0 } else { 1.0 };
    Posterior::from_weights(knowledge.is_spy.iter().map(weight).collect())
}
