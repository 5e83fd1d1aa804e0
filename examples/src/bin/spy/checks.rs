//! The rows of the attack catalogue that need the laboratory, each with the bound that it must hold.

use std::ops::RangeInclusive;

use whisper_examples::Failure;
use whisper_examples::say;

use crate::estimate::Estimator;
use crate::mechanism::Mechanism;
use crate::network::Adversary;
use crate::rows::Row;
use crate::rows::Series;
use crate::score::auc;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    nodes: usize,
    networks: u64,
    messages: usize,
    is_night: bool,
}

impl Extent {
    /// What a change can wait for: minutes on two cores.
    pub(crate) const CHANGE: Self =
        Self { nodes: 200, networks: 5, messages: 180, is_night: false };
    /// What a night can.
    pub(crate) const NIGHT: Self =
        Self { nodes: 1_000, networks: 12, messages: 334, is_night: true };

    /// So many percent of the nodes.
    const fn percent(self, percent: usize) -> usize {
        self.nodes * percent / 100
    }
}

/// What has held and what has not.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Tally {
    passed: u32,
    failed: u32,
}

impl Tally {
    /// Holds what was measured against what it may be, and prints both as a test's result.
    fn hold(&mut self, name: &str, measured: f64, allowed: &RangeInclusive<f64>) {
        let holds = allowed.contains(&measured);
        let word = if holds { "ok" } else { "FAILED" };
        let (least, most) = (allowed.start(), allowed.end());
        say!("test {name}: {measured:.3} of {least} to {most} ... {word}");
        *(if holds { &mut self.passed } else { &mut self.failed }) += 1;
    }
}

/// Measures all rows and prints a line for each. `run` runs a series.
///
/// # Errors
/// When one does not hold, or a network cannot be run.
pub(crate) fn all(
    extent: Extent,
    seed: u64,
    run: impl Fn(Series) -> Result<Row, Failure>,
) -> Result<(), Failure> {
    let Extent { nodes, networks, messages, .. } = extent;
    let series = |mechanism, adversary| {
        run(Series { mechanism, adversary, nodes, networks, messages, authors: None, seed })
    };
    let mut tally = Tally::default();
    passive(&mut tally, extent, series)?;
    active(&mut tally, extent, series)?;
    let age = Series {
        mechanism: Mechanism::Stem,
        adversary: Adversary::Spies(extent.percent(30)),
        nodes: extent.nodes.min(400),
        networks,
        messages: 400,
        authors: None,
        seed,
    };
    tally.hold(
        "k5a_the_age_of_an_envelope_tells_own_from_forwarded",
        age_tells(&run(age)?),
        &(0.0..=0.56),
    );
    if extent.is_night {
        let authors = Some(25);
        let linked = Series { nodes: 400, networks: 4, messages: 25 * 50, authors, ..age };
        let linked = run(Series { adversary: Adversary::Spies(40), ..linked })?;
        let named = linked.linked(50).map_or(1.0, |interval| interval.mean);
        tally.hold("k3a_fifty_messages_of_one_author_name_it", named, &(0.0..=0.22));
    }
    say!("\n{} passed, {} failed", tally.passed, tally.failed);
    if tally.failed > 0 { Err("a bound does not hold".into()) } else { Ok(()) }
}

/// Spies who keep the rules.
fn passive(
    tally: &mut Tally,
    extent: Extent,
    series: impl Fn(Mechanism, Adversary) -> Result<Row, Failure>,
) -> Result<(), Failure> {
    let spies = Adversary::Spies(extent.percent(10));
    let stem = series(Mechanism::Stem, spies)?;
    let first = stem.recall(Estimator::FirstSpy).mean;
    tally.hold("k1a_the_first_spy_names_the_author", first, &(0.0..=0.15));
    let bound = if extent.is_night { 0.16 } else { 0.17 };
    tally.hold("k1b_the_best_estimator_names_the_author", named(&stem), &(0.0..=bound));
    tally.hold("k1b_the_fourth_estimator_names_the_author", fourth(&stem), &(0.0..=bound));
    let at_once = series(Mechanism::StemAtOnce, spies)?;
    tally.hold(
        "k1c_the_laboratory_sees_that_starts_are_not_scattered",
        named(&at_once),
        &(0.15..=1.0),
    );
    let scattered = series(Mechanism::Scattered, spies)?;
    tally.hold("k1d_a_scattered_start_alone_hides_the_author", named(&scattered), &(0.0..=0.30));
    tally.hold(
        "k1d_the_fourth_estimator_names_who_scatters",
        fourth(&scattered),
        &(0.0..=FOURTH.0),
    );
    let supernode = series(Mechanism::Stem, Adversary::Supernode)?;
    tally.hold("k2_a_supernode_names_the_author", named(&supernode), &(0.0..=0.06));
    tally.hold("k2_the_fourth_estimator_names_the_author", fourth(&supernode), &(0.0..=FOURTH.1));
    let supernode = series(Mechanism::Scattered, Adversary::Supernode)?;
    tally.hold("k2_a_supernode_names_who_scatters", named(&supernode), &(0.0..=0.30));
    Ok(())
}

/// Spies who break them.
fn active(
    tally: &mut Tally,
    extent: Extent,
    series: impl Fn(Mechanism, Adversary) -> Result<Row, Failure>,
) -> Result<(), Failure> {
    let slowest = if extent.is_night { 20.0 } else { 22.0 };
    let count = extent.percent(10);
    for (name, adversary) in [
        ("k8_who_swallows_stems", Adversary::Holes(count)),
        ("k9_who_returns_stems", Adversary::Echoes(count)),
        ("k9_who_probes_by_stems", Adversary::Probers(count)),
    ] {
        let row = series(Mechanism::Stem, adversary)?;
        tally.hold(&format!("{name}_stops_no_message"), row.delivered(), &(1.0..=1.0));
        tally.hold(&format!("{name}_names_the_author"), named(&row), &(0.0..=0.27));
        let late = row.until_flood(0.99);
        tally.hold(&format!("{name}_delays_the_flood"), late, &(0.0..=slowest));
    }
    Ok(())
}

/// How often the best of the estimators that privacy.md judges by names the author.
fn named(row: &Row) -> f64 {
    row.recall(row.best_of_three()).mean
}

/// How often the estimator does that came later than the bounds.
fn fourth(row: &Row) -> f64 {
    row.recall(Estimator::Explain).mean
}

/// What the fourth estimator may achieve against a scattered start alone, and at a supernode against
/// stems. It finds more than the bounds of privacy.md, 4 foresaw: these are what was measured (0.33 and
/// 0.08) and three standard deviations.
const FOURTH: (f64, f64) = (0.38, 0.12);

/// How well the age of what spies are handed tells what its sender wrote from what it passed on.
pub(crate) fn age_tells(row: &Row) -> f64 {
    let ages = |own: bool| {
        let handed = row.handed().filter(|handed| handed.is_own == own);
        handed.map(|handed| handed.age).collect::<Vec<_>>()
    };
    auc(&ages(true), &ages(false))
}
