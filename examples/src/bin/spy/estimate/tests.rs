//! Estimators against floods on a graph, where who began is known.

use super::*;
use crate::dice::Dice;
use crate::floods::flood;

/// 80 nodes of mean degree 8, every tenth a spy.
fn knowledge(scatter: Option<f64>) -> Knowledge {
    let mut dice = Dice::new(1, 9);
    let nodes = 80;
    let mut connections = std::collections::BTreeMap::new();
    for from in 0..nodes {
        for _ in 0..4 {
            let to = dice.below(nodes);
            if to != from {
                let seconds = 0.02 + 0.18 * dice.fraction();
                connections.entry((from.min(to), from.max(to))).or_insert(seconds);
            }
        }
    }
    let connections = connections.into_iter().map(|((from, to), seconds)| (from, to, seconds));
    Knowledge {
        graph: Graph::new(nodes, connections),
        is_spy: (0..nodes).map(|node| node % 10 == 0).collect(),
        manner: Manner { scatter, noise: 0.005 },
        stems: Stems::default(),
    }
}

/// How often each estimator names who began, in three floods from each node.
fn named(knowledge: &Knowledge) -> [f64; Estimator::ALL.len()] {
    let trained = Trained::new(knowledge, &mut Dice::new(1, 1));
    let mut dice = Dice::new(1, 2);
    let mut right = [0.0; Estimator::ALL.len()];
    let mut floods = 0.0;
    let starts: Vec<usize> = (0..3).flat_map(|_| knowledge.honest()).collect();
    for start in starts {
        let sights = flood(&knowledge.graph, &knowledge.is_spy, start, knowledge.manner, &mut dice);
        let seen = Seen { handed: None, flood: sights };
        floods += 1.0;
        for (right, estimator) in right.iter_mut().zip(Estimator::ALL) {
            let posterior = trained.author(knowledge, &seen, estimator);
            *right += if posterior.guess() == start { 1.0 } else { 0.0 };
        }
    }
    right.map(|right| right / floods)
}

#[test]
fn whoever_takes_the_time_names_who_floods_at_once() {
    let [first_spy, timing, near, impossible, explain] = named(&knowledge(None));
    assert!((0.2..0.6).contains(&first_spy), "{first_spy}");
    for recall in [timing, near, impossible, explain] {
        assert!(recall > 0.95, "{recall}");
    }
}

#[test]
fn a_scattered_start_is_found_best_by_what_explains_all_that_was_seen() {
    let [first_spy, timing, near, impossible, explain] = named(&knowledge(Some(1.0)));
    for recall in [first_spy, timing, near] {
        assert!((0.05..0.3).contains(&recall), "{recall}");
    }
    assert!(impossible > near, "{impossible} and {near}");
    assert!(explain > impossible.max(timing) + 0.03, "{explain} and {impossible}");
}

#[test]
fn who_is_handed_an_envelope_by_a_stem_has_no_use_for_the_flood() {
    let mut knowledge = knowledge(Some(1.0));
    let nodes = knowledge.graph.len();
    // 1 gives to the spy 10, and 2 to 1.
    let relays = |node: usize| match node {
        1 => vec![10, 11],
        2 => vec![1, 3],
        _ => vec![4, 5],
    };
    knowledge.stems = Stems { relays: (0..nodes).map(relays).collect(), ends: 0.2 };
    let trained = Trained::new(&knowledge, &mut Dice::new(1, 1));
    let handed = Some(Sight { at: 1.0, spy: 10, from: 1 });
    let flood = vec![Sight { at: 2.0, spy: 20, from: 21 }];
    let seen = Seen { handed, flood };
    for estimator in Estimator::ALL {
        assert_eq!(trained.author(&knowledge, &seen, estimator).guess(), 1);
    }
    let posterior = trained.author(&knowledge, &seen, Estimator::Timing);
    assert!(posterior.of(2) > 0.2 && posterior.of(6) == 0.0, "{posterior:?}");
}
