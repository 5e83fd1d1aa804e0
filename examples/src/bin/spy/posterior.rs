//! How likely spies hold each node to be the one they look for.

/// One probability for each node; they add up to 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Posterior(Vec<f64>);

impl Posterior {
    /// From weights that are not negative. Where all are 0, every node is as likely.
    pub(crate) fn from_weights(mut weights: Vec<f64>) -> Self {
        let sum: f64 = weights.iter().sum();
        if sum > 0.0 && sum.is_finite() {
            weights.iter_mut().for_each(|weight| *weight /= sum);
        } else {
            let even = 1.0 / weights.len() as f64;
            weights.iter_mut().for_each(|weight| *weight = even);
        }
        Self(weights)
    }

    /// From logarithms of weights; minus infinity is impossible.
    pub(crate) fn from_logs(logs: &[f64]) -> Self {
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Self::from_weights(logs.iter().map(|log| (log - most).exp()).collect())
    }

    /// Certainty.
    pub(crate) fn one(nodes: usize, node: usize) -> Self {
        let mut weights = vec![0.0; nodes];
        weights[node] = 1.0;
        Self(weights)
    }

    pub(crate) fn of(&self, node: usize) -> f64 {
        self.0[node]
    }

    pub(crate) fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// The likeliest node; the first of equals.
    pub(crate) fn guess(&self) -> usize {
        let better =
            |best: usize, node: usize| if self.0[node] > self.0[best] { node } else { best };
        (0..self.0.len()).reduce(better).unwrap_or_default()
    }

    /// This to the power of `own`, times another.
    pub(crate) fn times(&self, own: f64, other: &Self) -> Self {
        let pairs = self.0.iter().zip(&other.0);
        Self::from_weights(pairs.map(|(one, other)| one.powf(own) * other).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_become_probabilities_whatever_their_scale() {
        let posterior = Posterior::from_logs(&[-5000.0, -5000.0 + 3.0_f64.ln(), f64::NEG_INFINITY]);
        assert!((posterior.of(1) - 0.75).abs() < 1e-9);
        assert_eq!((posterior.of(2), posterior.guess()), (0.0, 1));
        assert_eq!(Posterior::from_weights(vec![0.0; 4]).of(3), 0.25);
    }
}
