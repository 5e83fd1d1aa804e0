//! The table: one row for each mechanism and number of spies.

use std::fmt::Write;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

use whisper_examples::Failure;

use crate::dice::Dice;
use crate::estimate::Estimator;
use crate::mechanism::Mechanism;
use crate::network::Adversary;
use crate::network::Handed;
use crate::network::Plan;
use crate::score::Interval;
use crate::score::Sample;
use crate::score::Score;
use crate::score::quantile;

/// What to measure for one row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Series {
    pub(crate) mechanism: Mechanism,
    pub(crate) adversary: Adversary,
    pub(crate) nodes: usize,
    pub(crate) networks: u64,
    /// In each network.
    pub(crate) messages: usize,
    /// How many write them; all honest nodes where there is none.
    pub(crate) authors: Option<usize>,
    pub(crate) seed: u64,
}

/// What was measured.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) series: Series,
    samples: Vec<Sample>,
}

impl Series {
    /// Runs the networks, as many at a time as the machine has cores.
    pub(crate) fn run(self) -> Result<Row, Failure> {
        let next = AtomicUsize::new(0);
        let plans: Vec<Plan> = (0..self.networks).map(|number| self.plan(number)).collect();
        let work = || {
            let mut done = Vec::new();
            while let Some(plan) = plans.get(next.fetch_add(1, Ordering::Relaxed)) {
                let sample = Sample::of(plan.run()?, &mut Dice::new(plan.seed, 1));
                done.push((plan.seed, sample));
            }
            Ok::<_, Failure>(done)
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let mut samples = std::thread::scope(|threads| {
            let workers: Vec<_> = (0..cores).map(|_| threads.spawn(work)).collect();
            let mut samples = Vec::new();
            for worker in workers {
                samples.extend(worker.join().map_err(|_| "a network failed")??);
            }
            Ok::<_, Failure>(samples)
        })?;
        samples.sort_by_key(|(seed, _)| *seed);
        Ok(Row { series: self, samples: samples.into_iter().map(|(_, sample)| sample).collect() })
    }

    /// Who wants to know, in a few words.
    pub(crate) fn adversary(self) -> String {
        match self.adversary {
            Adversary::Spies(count) => format!("spies {} %", self.percent(count)),
            Adversary::Supernode => "supernode".to_owned(),
            Adversary::Holes(count) => format!("holes {} %", self.percent(count)),
            Adversary::Echoes(count) => format!("echoes {} %", self.percent(count)),
            Adversary::Probers(count) => format!("probers {} %", self.percent(count)),
        }
    }

    /// How many of a hundred nodes so many are.
    pub(crate) fn percent(self, count: usize) -> f64 {
        100.0 * count as f64 / self.nodes as f64
    }

    fn plan(self, number: u64) -> Plan {
        Plan {
            seed: self.seed.wrapping_mul(1_000).wrapping_add(number),
            nodes: self.nodes,
            adversary: self.adversary,
            messages: self.messages,
            authors: self.authors,
            mechanism: self.mechanism,
        }
    }
}

impl Row {
    pub(crate) fn recall(&self, estimator: Estimator) -> Interval {
        self.over(estimator, |score| score.recall)
    }

    /// The estimator that names most authors, of those that privacy.md judges by.
    pub(crate) fn best_of_three(&self) -> Estimator {
        self.best_among(&Estimator::THREE)
    }

    /// The estimator that names most authors.
    pub(crate) fn best(&self) -> Estimator {
        self.best_among(&Estimator::ALL)
    }

    fn best_among(&self, estimators: &[Estimator]) -> Estimator {
        let better = |best: Estimator, other: Estimator| {
            if self.recall(other).mean > self.recall(best).mean { other } else { best }
        };
        estimators.iter().copied().reduce(better).unwrap_or(Estimator::FirstSpy)
    }

    /// How often one is named by that many messages of its own.
    pub(crate) fn linked(&self, count: usize) -> Option<Interval> {
        let shares = self.samples.iter().filter_map(|sample| {
            sample.linked.iter().find(|(other, _)| *other == count).map(|(_, share)| *share)
        });
        let shares: Vec<f64> = shares.collect();
        if shares.is_empty() { None } else { Some(Interval::of(&shares)) }
    }

    /// The share of honest nodes that a message reaches.
    pub(crate) fn delivered(&self) -> f64 {
        self.samples.iter().map(|sample| sample.delivered).fold(1.0, f64::min)
    }

    /// How long until messages are flooded.
    pub(crate) fn until_flood(&self, share: f64) -> f64 {
        let all = self.samples.iter().flat_map(|sample| sample.until_flood.iter().copied());
        quantile(&mut all.collect::<Vec<_>>(), share)
    }

    /// What spies were handed by stems.
    pub(crate) fn handed(&self) -> impl Iterator<Item = &Handed> {
        self.samples.iter().flat_map(|sample| &sample.handed)
    }

    /// As [`Row::best`], without the first spy, which says nothing about how sure it is.
    pub(crate) fn bits(&self) -> Interval {
        let all = Estimator::ALL.into_iter().filter(|one| *one != Estimator::FirstSpy);
        let bits = all.map(|estimator| self.over(estimator, |score| score.bits));
        let less = |one: Interval, other: Interval| if other.mean < one.mean { other } else { one };
        bits.reduce(less).unwrap_or_default()
    }

    pub(crate) fn precision(&self, estimator: Estimator) -> Interval {
        self.over(estimator, |score| score.precision)
    }

    /// How long messages take to honest nodes.
    pub(crate) fn delay(&self, share: f64) -> f64 {
        let mut all: Vec<f64> =
            self.samples.iter().flat_map(|sample| sample.delays.iter().copied()).collect();
        quantile(&mut all, share)
    }

    pub(crate) fn copies(&self) -> f64 {
        Interval::of(&self.samples.iter().map(|sample| sample.copies).collect::<Vec<_>>()).mean
    }

    fn over(&self, estimator: Estimator, value: impl Fn(Score) -> f64) -> Interval {
        let values = self.samples.iter().map(|sample| value(sample.score(estimator)));
        Interval::of(&values.collect::<Vec<_>>())
    }

    pub(crate) fn text(&self) -> String {
        let mut text =
            format!("{:<22} {:<12}", self.series.mechanism.name(), self.series.adversary());
        for estimator in Estimator::ALL {
            let Interval { mean, half } = self.recall(estimator);
            let _ = write!(text, "  {mean:.3} ±{half:.3}");
        }
        let _ = write!(
            text,
            "  {:>5.3} {:>5.1} {:>5.2} {:>5.2} {:>6.1}",
            self.precision(self.best()).mean,
            self.bits().mean,
            self.delay(0.5),
            self.delay(0.99),
            self.copies()
        );
        text
    }

    fn csv(&self) -> String {
        let best = self.best();
        let recall = self.recall(best);
        let mut row =
            format!("\"{}\",\"{}\"", self.series.mechanism.name(), self.series.adversary());
        for value in [
            recall.mean,
            recall.half,
            self.precision(best).mean,
            self.bits().mean,
            self.delay(0.5),
            self.delay(0.99),
            self.copies(),
        ] {
            let _ = write!(row, ",{value:.4}");
        }
        for estimator in Estimator::ALL {
            let Interval { mean, half } = self.recall(estimator);
            let _ = write!(row, ",{mean:.4},{half:.4}");
        }
        row
    }
}

pub(crate) fn head() -> String {
    let mut head = format!("{:<22} {:<12}", "mechanism", "adversary");
    for estimator in Estimator::ALL {
        let _ = write!(head, "  {:<12}", estimator.name());
    }
    head + "  prec.  bits   p50   p99 copies"
}

/// All rows as a file.
pub(crate) fn csv(rows: &[Row]) -> String {
    let mut csv =
        "mechanism,adversary,recall,recall_95,precision,bits,p50_s,p99_s,copies".to_owned();
    for estimator in Estimator::ALL {
        let name = estimator.name().replace(' ', "_");
        let _ = write!(csv, ",{name},{name}_95");
    }
    rows.iter().fold(csv + "\n", |csv, row| csv + &row.csv() + "\n")
}
