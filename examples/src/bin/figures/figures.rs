//! What the figures show.

use rand_core::CryptoRng;
use whisper_core::ledger::Header;
use whisper_core::ledger::analysis::catch_up;
use whisper_core::ledger::analysis::catch_up_nakamoto;
use whisper_core::ledger::analysis::interval_density;
use whisper_core::ledger::analysis::simulate_catch_up;
use whisper_core::ledger::analysis::simulate_intervals;
use whisper_examples::chart::Axis;
use whisper_examples::chart::Chart;
use whisper_examples::chart::Line;
use whisper_examples::chart::Panel;

use crate::table::Table;

/// A picture and its numbers.
pub(crate) struct Figure {
    pub(crate) name: &'static str,
    pub(crate) chart: Chart,
    pub(crate) table: Table,
}

/// Seconds between two blocks of Bitcoin's.
const BITCOIN: f64 = 600.0;
/// Blocks of a simulation: some three months of the ledger's.
const BLOCKS: usize = 60_000;
/// Races of a simulation.
const RACES: u32 = 20_000;

/// Figure 6: how often blocks take how long, in units of their spacing.
pub(crate) fn intervals(real: &[Header], rng: &mut impl CryptoRng) -> Figure {
    let law = (0..BINS).map(|bin| (middle(bin), interval_density(1.0, middle(bin)))).collect();
    let simulated = density(&simulate_intervals(1.0, BLOCKS, rng));
    let mut lines = vec![line("law", law), line("simulation", simulated)];
    if real.len() > 1 {
        lines.push(line("real blocks", density(&gaps(real))));
    }
    figure(
        "figure-6-intervals",
        "Figure 6: how long a block takes",
        &[
            "density: how often blocks take about so long; the area below each line is 1",
            "law: what follows if every hash has the same chance; a spacing is the intended time",
        ],
        "time since the block before, in spacings",
        panel("density", Axis::up_to(1.2), None, lines),
    )
}

/// Figure 6, continued: the mean of 144 blocks, a day of Bitcoin's.
pub(crate) fn means(real: &[Header], rng: &mut impl CryptoRng) -> Figure {
    let mut gaps = gaps(real);
    gaps.truncate(MEANS);
    let count = if gaps.is_empty() { MEANS } else { gaps.len() };
    let mut lines = vec![line("simulation", moving(&simulate_intervals(1.0, count, rng)))];
    if !gaps.is_empty() {
        lines.push(line("real blocks", moving(&gaps)));
    }
    figure(
        "figure-6-means",
        "Figure 6: the mean of 144 blocks",
        &["144 blocks are a day of Bitcoin's; a spacing is the intended time between two blocks"],
        "blocks since the first",
        panel("mean time, in spacings", Axis::up_to(2.0), Some((1.0, "intended")), lines),
    )
}

/// Figure 7: the chance to catch up, by how many blocks confirm.
pub(crate) fn by_confirmations(rng: &mut impl CryptoRng) -> Figure {
    let upper = [0.1, 0.3].map(|q| (format!("{:.0} % of hashes", q * 100.0), q));
    let places = 0..=CONFIRMATIONS;
    let over = |chance: &mut dyn FnMut(u32) -> f64| -> Vec<(f64, f64)> {
        places.clone().map(|z| (f64::from(z), chance(z))).collect()
    };
    let mut panels = Vec::new();
    let mut columns = Vec::new();
    for (label, q) in upper {
        let lines = vec![
            line("exact", over(&mut |z| catch_up(q, z))),
            line("Nakamoto", over(&mut |z| catch_up_nakamoto(q, z))),
            line("simulation", over(&mut |z| simulate_catch_up(q, z, RACES, rng))),
        ];
        columns.extend(
            lines.iter().map(|own| Line::new(&format!("{} q={q}", own.name), own.points.clone())),
        );
        panels.push(panel(&format!("chance with {label}"), CHANCE, Some(UNLIKELY), lines));
    }
    let across = "confirmations";
    let table = Table::of(across, &columns);
    let title = "Figure 7: a dishonest miner catches up, by confirmations".to_owned();
    let notes = [
        "chance: that a miner with so many of all hashes ever replaces a block with so many on top",
        "exact: our formula; Nakamoto: the one of Bitcoin's paper, which takes mean times for actual",
        "simulation: 20,000 races; fewer than one in 20,000 do not show",
    ];
    let notes = notes.map(str::to_owned).into();
    let chart = Chart { title, notes, across: across.to_owned(), panels };
    Figure { name: "figure-7-confirmations", chart, table }
}

/// Figure 7, continued: the chance to catch up, by the share of all hashes. From a half on it is
/// certain.
pub(crate) fn by_share() -> Figure {
    let shares = || (0..=60).map(|percent| f64::from(percent) / 100.0);
    let lines = [1, 6, 13, 32].map(|z| {
        let points = shares().map(|q| (q * 100.0, catch_up(q, z))).collect();
        line(&confirmations(z), points)
    });
    figure(
        "figure-7-share",
        "Figure 7: a dishonest miner catches up, by its share of all hashes",
        &[
            "chance: that it ever replaces a block with so many confirmations, which is the blocks on top",
        ],
        "share of all hashes, in percent",
        panel("chance", CHANCE, Some(UNLIKELY), lines.into()),
    )
}

fn confirmations(count: u32) -> String {
    if count == 1 { "1 confirmation".to_owned() } else { format!("{count} confirmations") }
}

fn figure(name: &'static str, title: &str, notes: &[&str], across: &str, panel: Panel) -> Figure {
    let table = Table::of(across, &panel.lines);
    let (title, across) = (title.to_owned(), across.to_owned());
    let notes = notes.iter().map(|note| (*note).to_owned()).collect();
    Figure { name, chart: Chart { title, notes, across, panels: vec![panel] }, table }
}

fn panel(label: &str, axis: Axis, target: Option<(f64, &str)>, lines: Vec<Line>) -> Panel {
    let target = target.map(|(value, what)| (value, what.to_owned()));
    Panel { label: label.to_owned(), axis, target, lines }
}

fn line(name: &str, points: Vec<(f64, f64)>) -> Line {
    Line::new(name, points)
}

/// The gaps between headers, in Bitcoin's spacing. Some are negative: miners' clocks differ.
fn gaps(headers: &[Header]) -> Vec<f64> {
    let pairs = headers.windows(2);
    pairs.map(|pair| (f64::from(pair[1].time) - f64::from(pair[0].time)) / BITCOIN).collect()
}

/// How often gaps fall where, so that the area is 1.
fn density(gaps: &[f64]) -> Vec<(f64, f64)> {
    let mut counts = [0_u32; BINS as usize];
    for gap in gaps {
        if let Some(count) = counts.get_mut((gap.max(0.0) / BIN) as usize) {
            *count += 1;
        }
    }
    let share = 1.0 / (gaps.len() as f64 * BIN);
    (0..BINS).map(|bin| (middle(bin), f64::from(counts[bin as usize]) * share)).collect()
}

fn middle(bin: u32) -> f64 {
    (f64::from(bin) + 0.5) * BIN
}

fn moving(gaps: &[f64]) -> Vec<(f64, f64)> {
    let means = gaps.windows(DAY).map(|day| day.iter().sum::<f64>() / DAY as f64);
    (DAY..).zip(means).step_by(12).map(|(at, mean)| (at as f64, mean)).collect()
}

/// Chances, down to one in a million.
const CHANCE: Axis = Axis::Logarithmic { bottom: 1e-6, top: 1.0 };
/// What Bitcoin's paper asks for.
const UNLIKELY: (f64, &str) = (0.001, "one in a thousand");
/// Wide enough for six blocks' time; longer gaps are one in 400.
const BINS: u32 = 60;
const BIN: f64 = 0.1;
const MEANS: usize = 6_000;
const DAY: usize = 144;
const CONFIRMATIONS: u32 = 12;

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::seed_from_u64(1)
    }

    #[test]
    fn figure_7_has_nakamotos_numbers_and_the_exact_ones() {
        let table = by_confirmations(&mut rng()).table;
        // Section 11 of the paper.
        let paper = [1.0, 0.204_587_3, 0.050_977_9, 0.013_172_2, 0.003_455_2, 0.000_913_7];
        for (z, expected) in paper.into_iter().enumerate() {
            assert!((table.at("Nakamoto q=0.1", z as f64) - expected).abs() < 5.1e-8, "{z}");
        }
        assert!((table.at("Nakamoto q=0.3", 10.0) - 0.041_660_5).abs() < 5.1e-8);
        let exact = [0.6, 0.432, 0.326_16, 0.252_07, 0.197_62, 0.156_45];
        for (z, expected) in (1..).zip(exact) {
            assert!((table.at("exact q=0.3", f64::from(z)) - expected).abs() < 1e-5, "{z}");
        }
        for z in 1..=6 {
            let [exact, simulated] = ["exact", "simulation"]
                .map(|name| table.at(&format!("{name} q=0.3"), f64::from(z)));
            assert!((simulated - exact).abs() < 0.015, "{z}: {simulated} and {exact}");
        }
    }

    #[test]
    fn from_a_half_of_all_hashes_on_no_confirmation_helps() {
        let table = by_share().table;
        for z in [1, 32].map(confirmations) {
            assert_eq!([50.0, 60.0].map(|share| table.at(&z, share)), [1.0, 1.0]);
        }
        assert!(table.at("32 confirmations", 30.0) < 0.001);
        assert!((table.at("6 confirmations", 30.0) - 0.156_45).abs() < 1e-5);
    }

    #[test]
    fn figure_6_follows_the_law() {
        let table = intervals(&[], &mut rng()).table;
        assert!((table.at("law", 0.05) - 0.951).abs() < 0.001);
        for place in (0..BINS).map(middle) {
            let [law, simulated] = ["law", "simulation"].map(|name| table.at(name, place));
            // Five standard deviations of the fullest bin.
            assert!((simulated - law).abs() < 0.063, "{place}: {simulated} and {law}");
        }
        let means = means(&[], &mut rng()).table.to_csv();
        let means = means.lines().skip(1).map(|row| row.split_once(',').expect("two").1);
        let means: Vec<f64> = means.map(|mean| mean.parse().expect("a number")).collect();
        assert!(means.iter().all(|mean| (0.6..1.5).contains(mean)));
    }
}
