//! How well guesses hit, over several networks.

use std::collections::BTreeMap;

use crate::dice::Dice;
use crate::estimate::Estimator;
use crate::estimate::Evidence;
use crate::estimate::Knowledge;
use crate::estimate::Trained;
use crate::floods::Sight;
use crate::network::Handed;
use crate::network::Message;
use crate::network::Observed;
use crate::posterior::Posterior;

/// What one estimator achieves in one network.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Score {
    /// The share of messages whose author is named.
    pub(crate) recall: f64,
    /// How much a name is worth: the share of right ones among the guesses that name one author,
    /// averaged over authors (Dandelion++, "precision").
    pub(crate) precision: f64,
    /// The uncertainty left: 2 to the power of it as many authors are equally likely.
    pub(crate) bits: f64,
}

/// What is measured in one network.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    scores: Vec<Score>,
    /// How often one is named by all messages of its own, by how many there are.
    pub(crate) linked: Vec<(usize, f64)>,
    /// The share of honest nodes that a message reaches.
    pub(crate) delivered: f64,
    pub(crate) delays: Vec<f64>,
    pub(crate) until_flood: Vec<f64>,
    pub(crate) copies: f64,
    pub(crate) handed: Vec<Handed>,
}

/// A mean over networks and half of its interval, in which the true one lies with 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) half: f64,
}

impl Sample {
    /// Lets all estimators guess.
    pub(crate) fn of(observed: Observed, dice: &mut Dice) -> Self {
        let Observed { knowledge, messages, copies, handed } = observed;
        let trained = Trained::new(&knowledge, dice);
        let score = |estimator| {
            let guesses: Vec<_> = messages
                .iter()
                .map(|one| (one.author, trained.author(&knowledge, &one.seen, estimator)))
                .collect();
            Score::of(&guesses)
        };
        let readers = knowledge.honest().count().saturating_sub(1) * messages.len();
        let delays: Vec<f64> = messages.iter().flat_map(|one| one.delays.clone()).collect();
        Self {
            scores: Estimator::ALL.map(score).to_vec(),
            linked: linked(&trained, &knowledge, &messages),
            delivered: delays.len() as f64 / readers.max(1) as f64,
            until_flood: messages.iter().filter_map(|message| message.until_flood).collect(),
            delays,
            copies,
            handed,
        }
    }

    pub(crate) fn score(&self, estimator: Estimator) -> Score {
        let place = Estimator::ALL.iter().position(|other| *other == estimator);
        place.map(|place| self.scores[place]).unwrap_or_default()
    }
}

impl Score {
    /// From authors and what was held to be likely of each message.
    pub(crate) fn of(guesses: &[(usize, Posterior)]) -> Self {
        let nodes = guesses.first().map_or(0, |(_, posterior)| posterior.as_slice().len());
        let (mut wrote, mut named, mut right) =
            (vec![0.0; nodes], vec![0.0; nodes], vec![0.0; nodes]);
        let mut bits = 0.0;
        for (author, posterior) in guesses {
            let guess = posterior.guess();
            wrote[*author] += 1.0;
            named[guess] += 1.0;
            right[guess] += if guess == *author { 1.0 } else { 0.0 };
            bits -= posterior.of(*author).max(LEAST).log2();
        }
        let messages = guesses.len().max(1) as f64;
        let authors: Vec<usize> = (0..nodes).filter(|node| wrote[*node] > 0.0).collect();
        let worth =
            |node: &usize| if named[*node] > 0.0 { right[*node] / named[*node] } else { 0.0 };
        Self {
            recall: right.iter().sum::<f64>() / messages,
            precision: authors.iter().map(worth).sum::<f64>() / authors.len().max(1) as f64,
            bits: bits / messages,
        }
    }
}

impl Interval {
    pub(crate) fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let Some(factor) = STUDENT.get(values.len().wrapping_sub(2)).or(STUDENT.last()) else {
            return Self { mean, half: f64::NAN };
        };
        let half = if values.len() < 2 {
            f64::NAN
        } else {
            factor * (squares / (count - 1.0) / count).sqrt()
        };
        Self { mean, half }
    }
}

/// How often authors of many messages are named, if it is known that those are of one.
fn linked(trained: &Trained, knowledge: &Knowledge, messages: &[Message]) -> Vec<(usize, f64)> {
    let mut by_author: BTreeMap<usize, Vec<Evidence>> = BTreeMap::new();
    for message in messages {
        let evidence = trained.evidence(knowledge, &message.seen, Estimator::Impossible);
        by_author.entry(message.author).or_default().push(evidence);
    }
    let most = by_author.values().map(Vec::len).min().unwrap_or(0);
    let named = |count: usize| {
        let right = by_author.iter().filter(|(author, evidence)| {
            knowledge.author(&together(knowledge, &evidence[..count])).guess() == **author
        });
        right.count() as f64 / by_author.len().max(1) as f64
    };
    LINKED.into_iter().filter(|count| *count <= most).map(|count| (count, named(count))).collect()
}

/// What messages of one author tell together while nobody changes its relays: all of them take the
/// same way. So a hand-over that is seen again says nothing new, and all floods begin at one node.
fn together(knowledge: &Knowledge, evidence: &[Evidence]) -> Evidence {
    let mut handed: BTreeMap<(usize, usize), (usize, Sight)> = BTreeMap::new();
    let mut logs = vec![0.0; knowledge.graph.len()];
    let mut floods = 0;
    for one in evidence {
        match one {
            Evidence::Handed(sight) => {
                handed.entry((sight.spy, sight.from)).or_insert((0, *sight)).0 += 1;
            }
            Evidence::Flooded(starts) => {
                floods += 1;
                let starts = logs.iter_mut().zip(starts.as_slice());
                starts.for_each(|(log, start)| *log += start.max(LEAST).ln());
            }
        }
    }
    let often = handed.into_values().max_by_key(|(count, _)| *count);
    match often {
        Some((count, sight)) if count >= floods => Evidence::Handed(sight),
        _ => Evidence::Flooded(Posterior::from_logs(&logs)),
    }
}

/// How well a number tells one kind from another: the chance that one of the first has a smaller
/// number than one of the second. A half says nothing.
pub(crate) fn auc(smaller: &[f64], larger: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> = smaller.iter().map(|value| (*value, true)).collect();
    all.extend(larger.iter().map(|value| (*value, false)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (mut before, mut pairs) = (0.0, 0.0);
    for equal in all.chunk_by(|one, other| one.0 == other.0) {
        let first = equal.iter().filter(|(_, is_first)| *is_first).count() as f64;
        let second = equal.len() as f64 - first;
        // Of equal numbers each is the smaller one in half of the pairs.
        pairs += second * (before + first / 2.0);
        before += first;
    }
    pairs / (smaller.len() * larger.len()) as f64
}

/// The value below which a share of all values lies.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// One message that was held to be impossible does not make all others worthless.
const LEAST: f64 = 1e-6;
/// After how many messages of one author spies are asked for its name.
const LINKED: [usize; 5] = [1, 5, 10, 20, 50];
/// Student's t for two-sided 95 %, from 2 networks on; the last is good enough for more.
const STUDENT: [f64; 11] = [12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_that_name_one_for_all_are_worth_little() {
        let always_0 = |author| (author, Posterior::from_weights(vec![0.5, 0.25, 0.25]));
        let score = Score::of(&[always_0(0), always_0(1), always_0(2), always_0(0)]);
        assert_eq!(score.recall, 0.5);
        // One of three authors is ever named, and rightly every second time.
        assert!((score.precision - 0.5 / 3.0).abs() < 1e-9);
        assert_eq!(score.bits, 1.5);
    }

    #[test]
    fn numbers_that_are_equal_tell_nothing() {
        assert_eq!(auc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(auc(&[3.0, 4.0], &[1.0, 2.0]), 0.0);
        assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
        assert_eq!(auc(&[1.0, 3.0], &[2.0, 2.0]), 0.5);
    }

    #[test]
    fn an_interval_is_as_wide_as_networks_differ() {
        let interval = Interval::of(&[0.1, 0.2, 0.3]);
        assert!((interval.mean - 0.2).abs() < 1e-9);
        assert!((interval.half - 4.30 * 0.1 / 3.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(Interval::of(&[0.5, 0.5]).half, 0.0);
        assert!(Interval::of(&[0.5]).half.is_nan());
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
    }
}
