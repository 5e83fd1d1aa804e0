//! What an attacker can hope for, in numbers: catching up, waiting times, selfish mining.
//!
//! `q` is the attacker's share of all hashes. Defaults are the exact formulas; Nakamoto's own
//! approximation is there to be compared with, since its numbers of confirmations are too low.

mod simulate;

pub use simulate::simulate_catch_up;
pub use simulate::simulate_intervals;
pub use simulate::simulate_selfish;

use libm::exp;
use libm::lgamma;
use libm::log;

/// The chance that an attacker with the share `q` ever catches up with `z` confirmations: one for
/// every `z` from a half on, which is the 51 % attack.
///
/// Exact (Rosenfeld 2012; Grunspan and Pérez-Marco 2017): the sum over the number m of blocks that
/// the attacker has when the `z`-th confirmation comes. Ties count as caught up.
pub fn catch_up(q: f64, z: u32) -> f64 {
    if z == 0 || q >= 0.5 {
        return 1.0;
    }
    if q.is_nan() || q <= 0.0 {
        return 0.0;
    }
    let (p, n) = (1.0 - q, f64::from(z));
    // The chance that both have z, to begin with: C(2z - 1, z) (pq)^z. From there the sums go
    // outwards by ratios, all terms positive, so that small chances keep their digits.
    let middle = exp(lgamma(2.0 * n) - lgamma(n + 1.0) - lgamma(n) + n * log(p * q));
    let mut sum = middle;
    let mut term = middle;
    for m in (1..=z).rev() {
        // The attacker had m - 1 and comes from behind.
        term *= f64::from(m) / (p * (f64::from(m) + n - 1.0));
        sum += term;
    }
    term = middle;
    let mut m = n;
    // The attacker was ahead already. Ratios fall towards q: the rest is soon below all digits.
    while term > sum * f64::EPSILON * 0.01 {
        term *= q * (m + n) / (m + 1.0);
        sum += term;
        m += 1.0;
    }
    sum.min(1.0)
}

/// Nakamoto's approximation of [`catch_up`] (section 11 of the paper): the attacker's progress is
/// taken to be its average. Too low.
pub fn catch_up_nakamoto(q: f64, z: u32) -> f64 {
    if z == 0 || q >= 0.5 {
        return 1.0;
    }
    if q.is_nan() || q <= 0.0 {
        return 0.0;
    }
    let p = 1.0 - q;
    let lambda = f64::from(z) * q / p;
    let mut sum = 1.0;
    for k in 0..=z {
        let own = f64::from(k);
        let poisson = exp(own * log(lambda) - lambda - lgamma(own + 1.0));
        sum -= poisson * (1.0 - exp(f64::from(z.saturating_sub(k)) * log(q / p)));
    }
    sum.max(0.0)
}

/// The fewest confirmations after which an attacker with the share `q` catches up with less than
/// the chance `risk`; nothing if no number up to [`CONFIRMATIONS_MAX`] suffices.
pub fn confirmations(q: f64, risk: f64) -> Option<u32> {
    let suffices = |z: &u32| catch_up(q, *z) < risk;
    let mut high = 1;
    while !suffices(&high) {
        if high >= CONFIRMATIONS_MAX {
            return None;
        }
        high = u32::saturating_mul(high, 2).min(CONFIRMATIONS_MAX);
    }
    let mut low = high / 2;
    // The chance falls with every confirmation, so halving finds the first.
    while high.saturating_sub(low) > 1 {
        let middle = low.midpoint(high);
        if suffices(&middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// More confirmations than anybody waits for: [`confirmations`] looks no further.
pub const CONFIRMATIONS_MAX: u32 = 1_000_000;

/// The time within which a block comes with this chance, in units of `spacing`: blocks come as
/// chance has it, so that the law is exponential.
pub fn interval_quantile(spacing: f64, chance: f64) -> f64 {
    -spacing * libm::log1p(-chance)
}

/// The chance that no block comes for this time.
pub fn interval_survival(spacing: f64, time: f64) -> f64 {
    exp(-time / spacing)
}

/// How likely this time is, per unit: the density of [`interval_survival`].
pub fn interval_density(spacing: f64, time: f64) -> f64 {
    exp(-time / spacing) / spacing
}

/// The share of the chain's blocks that a selfish miner with the share `alpha` gets, when the others
/// side with it in a tie with the chance `gamma` (Eyal and Sirer 2013). On a ledger without rewards
/// all it gains is power to keep transactions out.
pub fn selfish_revenue(alpha: f64, gamma: f64) -> f64 {
    let honest = 1.0 - alpha;
    let gained = alpha * honest * honest * (4.0 * alpha + gamma * (1.0 - 2.0 * alpha));
    (gained - alpha * alpha * alpha) / (1.0 - alpha * (1.0 + (2.0 - alpha) * alpha))
}

/// The share from which selfish mining gets more than its share.
pub fn selfish_threshold(gamma: f64) -> f64 {
    (1.0 - gamma) / (3.0 - 2.0 * gamma)
}
