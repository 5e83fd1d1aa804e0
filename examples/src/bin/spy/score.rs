//! How well guesses hit, over several networks.

use crate::dice::Dice;
use crate::estimate::Estimator;
use crate::estimate::Trained;
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
    pub(crate) delays: Vec<f64>,
    pub(crate) copies: f64,
}

/// A mean over networks and half of its interval, in which the true one lies with 95 %.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Interval {
    pub(crate) mean: f64,
    pub(crate) half: f64,
}

impl Sample {
    /// Lets all estimators guess.
    pub(crate) fn of(observed: &Observed, dice: &mut Dice) -> Self {
        let trained = Trained::new(&observed.knowledge, dice);
        let score = |estimator| {
            let guesses: Vec<(usize, Posterior)> = observed
                .messages
                .iter()
                .map(|message| {
                    (message.author, trained.author(&observed.knowledge, &message.seen, estimator))
                })
                .collect();
            Score::of(&guesses)
        };
        let scores = Estimator::ALL.map(score).to_vec();
        Self { scores, delays: observed.delays.clone(), copies: observed.copies }
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

/// The value below which a share of all values lies.
pub(crate) fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    values.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
}

/// One message that was held to be impossible does not make all others worthless.
const LEAST: f64 = 1e-6;
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
    fn an_interval_is_as_wide_as_networks_differ() {
        let interval = Interval::of(&[0.1, 0.2, 0.3]);
        assert!((interval.mean - 0.2).abs() < 1e-9);
        assert!((interval.half - 4.30 * 0.1 / 3.0_f64.sqrt()).abs() < 1e-9);
        assert_eq!(Interval::of(&[0.5, 0.5]).half, 0.0);
        assert!(Interval::of(&[0.5]).half.is_nan());
        assert_eq!(quantile(&mut [3.0, 1.0, 2.0], 0.5), 2.0);
    }
}
