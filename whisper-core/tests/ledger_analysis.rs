//! The numbers of the analysis: Nakamoto's tables, the exact formula, selfish mining, waiting times.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod chain_data;
mod support;

use serde_json::Value;
use whisper_core::ledger::analysis::CONFIRMATIONS_MAX;
use whisper_core::ledger::analysis::catch_up;
use whisper_core::ledger::analysis::catch_up_nakamoto;
use whisper_core::ledger::analysis::confirmations;
use whisper_core::ledger::analysis::interval_density;
use whisper_core::ledger::analysis::interval_quantile;
use whisper_core::ledger::analysis::interval_survival;
use whisper_core::ledger::analysis::selfish_revenue;
use whisper_core::ledger::analysis::selfish_threshold;
use whisper_core::ledger::analysis::simulate_catch_up;
use whisper_core::ledger::analysis::simulate_intervals;
use whisper_core::ledger::analysis::simulate_selfish;

use crate::chain_data::headers;
use crate::support::expect_count;
use crate::support::load;
use crate::support::rng;

fn close(actual: f64, expected: f64, relative: f64) -> bool {
    (actual - expected).abs() <= relative * expected.abs().max(1e-300)
}

fn float(text: &str) -> f64 {
    text.parse().unwrap()
}

fn first_below(risk: f64, chance: impl Fn(u32) -> f64) -> u32 {
    (0..).find(|z| chance(*z) < risk).unwrap()
}

#[test]
fn nakamotos_tables_match_to_seven_places() {
    let Some(data) = load("ledger", "analysis.json") else { return };
    let paper = &data["nakamoto_paper"];
    let mut values = 0;
    for (z, expected) in paper["q01"].as_array().unwrap().iter().enumerate() {
        assert!((catch_up_nakamoto(0.1, z as u32) - expected.as_f64().unwrap()).abs() < 5.1e-8);
        values += 1;
    }
    for (z, expected) in paper["q03"].as_object().unwrap() {
        let own = catch_up_nakamoto(0.3, z.parse().unwrap());
        assert!((own - expected.as_f64().unwrap()).abs() < 5.1e-8, "{z}");
        values += 1;
    }
    expect_count("values of the paper", values, 22);
    for (q, z) in paper["p_below_0_001"].as_object().unwrap() {
        let own = first_below(0.001, |z| catch_up_nakamoto(float(q), z));
        assert_eq!(u64::from(own), z.as_u64().unwrap(), "{q}");
    }
}

#[test]
fn the_exact_chances_match_the_references() {
    let Some(data) = load("ledger", "analysis.json") else { return };
    let table = data["exact"]["table_n1_to_10"].as_object().unwrap();
    let mut values = 0;
    for (q, row) in table {
        for (z, expected) in (1..).zip(row.as_array().unwrap()) {
            let own = catch_up(float(q), z);
            assert!(close(own, expected.as_f64().unwrap(), 1e-11), "{q} {z}: {own}");
            values += 1;
        }
    }
    expect_count("exact chances", values, 240);
    let below = data["exact"]["p_below_0_001"].as_object().unwrap();
    for (q, z) in below {
        assert_eq!(confirmations(float(q), 0.001).map(u64::from), z.as_u64(), "{q}");
    }
    for (risk, row) in data["confirmations"].as_object().unwrap() {
        for (q, both) in row.as_object().unwrap() {
            let exact = confirmations(float(q), float(risk));
            assert_eq!(exact.map(u64::from), both["exact"].as_u64(), "{risk} {q}");
            let nakamoto = first_below(float(risk), |z| catch_up_nakamoto(float(q), z));
            assert_eq!(u64::from(nakamoto), both["nakamoto"].as_u64().unwrap(), "{risk} {q}");
        }
    }
}

/// The sum as it stands in the papers, term by term.
#[test]
fn the_exact_chance_is_the_sum_of_the_papers() {
    for q in [0.05f64, 0.2, 0.35, 0.49] {
        for n in 1..60 {
            let p = 1.0 - q;
            let (mut sum, mut coefficient) = (0.0, 1.0);
            for m in 0..=n {
                sum += coefficient * (p.powi(n) * q.powi(m) - p.powi(m) * q.powi(n));
                coefficient *= f64::from(m + n) / f64::from(m + 1);
            }
            assert!((catch_up(q, n as u32) - (1.0 - sum)).abs() < 1e-12, "{q} {n}");
        }
    }
}

#[test]
fn a_majority_always_catches_up() {
    for z in [0, 1, 6, 1_000_000] {
        assert_eq!(
            (catch_up(0.5, z), catch_up(0.7, z), catch_up_nakamoto(0.5, z)),
            (1.0, 1.0, 1.0)
        );
    }
    assert_eq!(confirmations(0.5, 0.001), None);
    assert_eq!((catch_up(0.0, 1), catch_up(-1.0, 1), catch_up(f64::NAN, 1)), (0.0, 0.0, 0.0));
    assert_eq!(catch_up(0.1, 0), 1.0);
}

#[test]
fn chances_stay_chances_however_many_confirmations() {
    for q in [0.01, 0.3, 0.499] {
        for z in [1, 10, 1_000, 100_000, CONFIRMATIONS_MAX] {
            assert!((0.0..=1.0).contains(&catch_up(q, z)), "{q} {z}");
        }
    }
    // Much beyond where the powers of p and q end.
    assert!(close(catch_up(0.49, 5_000), catch_up(0.49, 4_999), 0.01));
    assert!(catch_up(0.49, 5_000) > 0.004);
}

#[test]
fn races_with_dice_agree_with_the_formula() {
    for (q, z) in [(0.1, 1), (0.3, 3), (0.3, 6), (0.4, 6)] {
        let rolled = simulate_catch_up(q, z, 20_000, &mut rng(1));
        assert!((rolled - catch_up(q, z)).abs() < 0.012, "{q} {z}: {rolled}");
    }
}

/// CH13: no rule is broken by a selfish miner; what it gets is what the formula says, within 2 %.
#[test]
fn ch13_selfish_mining_pays_as_the_formula_says() {
    let Some(data) = load("ledger", "analysis.json") else { return };
    let revenues = data["selfish_revenue"].as_object().unwrap();
    expect_count("revenues", revenues.len(), 21);
    for (case, expected) in revenues {
        // 0.33 stands for a third.
        let (alpha, gamma) = case.split_once(',').unwrap();
        let alpha = if alpha == "0.33" { 1.0 / 3.0 } else { float(alpha) };
        let own = selfish_revenue(alpha, float(gamma));
        assert!(close(own, expected.as_f64().unwrap(), 1e-12), "{case}: {own}");
    }
    for (gamma, expected) in data["selfish_threshold"].as_object().unwrap() {
        assert!((selfish_threshold(float(gamma)) - expected.as_f64().unwrap()).abs() < 1e-15);
    }
    for (alpha, gamma) in [(0.3, 0.0), (0.33, 0.5), (0.4, 1.0)] {
        let rolled = simulate_selfish(alpha, gamma, 400_000, &mut rng(2));
        assert!(close(rolled, selfish_revenue(alpha, gamma), 0.02), "{alpha} {gamma}: {rolled}");
    }
}

#[test]
fn waiting_times_follow_the_exponential_law() {
    let Some(data) = load("ledger", "analysis.json") else { return };
    let law = &data["exponential_600"];
    let value = |key: &str| law[key].as_f64().unwrap();
    assert!(close(interval_quantile(600.0, 0.5), value("median"), 1e-12));
    assert!(close(interval_quantile(600.0, 0.95), value("p95"), 1e-12));
    assert!(close(interval_survival(600.0, 600.0), value("p_gt_mean"), 1e-12));
    assert!(close(interval_survival(600.0, 3_600.0), value("p_gt_3600"), 1e-12));
    assert!(close(1.0 - interval_survival(600.0, 60.0), value("p_lt_60"), 1e-12));
    assert!(close(interval_density(600.0, 0.0), 1.0 / 600.0, 1e-12));
    let rolled = simulate_intervals(120.0, 100_000, &mut rng(3));
    let mean = rolled.iter().sum::<f64>() / rolled.len() as f64;
    assert!(close(mean, 120.0, 0.01), "{mean}");
    let long = rolled.iter().filter(|time| **time > 120.0).count() as f64 / rolled.len() as f64;
    assert!(close(long, interval_survival(1.0, 1.0), 0.01), "{long}");
}

#[test]
fn real_blocks_wait_as_the_law_says() {
    let Some(headers) = headers("bitcoin-headers-mainnet-040000-046367.bin") else { return };
    let gaps: Vec<f64> =
        headers.windows(2).map(|pair| f64::from(pair[1].time) - f64::from(pair[0].time)).collect();
    let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
    let long = gaps.iter().filter(|gap| **gap > mean).count() as f64 / gaps.len() as f64;
    assert!((long - interval_survival(1.0, 1.0)).abs() < 0.05, "{mean} s, {long}");
}

/// All numbers of the vectors are looked at above; this finds a part that nobody looks at.
#[test]
fn no_part_of_the_vectors_is_left_out() {
    let Some(Value::Object(data)) = load("ledger", "analysis.json") else { return };
    let known = [
        "nakamoto_paper",
        "exact",
        "confirmations",
        "selfish_threshold",
        "selfish_revenue",
        "exponential_600",
    ];
    assert!(data.keys().all(|key| known.contains(&&**key)), "{:?}", data.keys());
}
