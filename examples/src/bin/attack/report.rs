//! What is printed and drawn.

use whisper_examples::chart::Chart;
use whisper_examples::chart::Line;
use whisper_examples::chart::Panel;
use whisper_net::sim::trial::Outcome;
use whisper_net::sim::trial::Sample;

use super::attacks::Attack;
use super::attacks::POOL;

/// What came of one attack.
pub(crate) struct Report {
    pub(crate) attack: Attack,
    pub(crate) guarded: Outcome,
    pub(crate) bare: Outcome,
}

pub(crate) fn head() -> String {
    format!(
        "{:<8} {:<6} {:>9} {:>8} {:>8} {:>9} {:>15} {:>11} {:>14}",
        "attack",
        "guards",
        "delivered",
        "median",
        "p99",
        "pool KiB",
        "adversaries cut",
        "honest cut",
        "tries/message"
    )
}

impl Report {
    pub(crate) fn rows(&self) -> [String; 2] {
        [("on", &self.guarded), ("off", &self.bare)].map(|(guards, outcome)| {
            format!(
                "{:<8} {guards:<6} {:>8.1}% {:>5} ms {:>5} ms {:>9} {:>15} {:>11} {:>14.0}",
                self.attack.name,
                100.0 * outcome.delivered,
                outcome.median.as_millis(),
                outcome.p99.as_millis(),
                outcome.most_pool_bytes / 1024,
                outcome.adversaries_cut,
                outcome.honest_cut,
                outcome.tries,
            )
        })
    }

    pub(crate) fn chart(&self) -> Chart {
        let kib = |sample: &Sample| sample.pool_bytes as f64 / 1024.0;
        let top = POOL as f64 / 1024.0;
        let panels = vec![
            self.panel(
                "messages that are alive and held by every node, percent",
                100.0,
                |sample| 100.0 * sample.kept,
            ),
            self.panel("what honest messages fill of all pools, percent", 100.0, |sample| {
                100.0 * sample.honest_share
            }),
            self.panel("the fullest pool, KiB (limit 256)", top, kib),
        ];
        let title = format!("{}: {}", self.attack.name, self.attack.what);
        Chart { title, across: "seconds of the attack".to_owned(), panels }
    }

    fn panel(&self, label: &str, top: f64, value: impl Fn(&Sample) -> f64) -> Panel {
        let line = |name: &str, outcome: &Outcome| {
            let points = (1_u32..).map(f64::from).zip(outcome.samples.iter().map(&value));
            Line::new(name, points.collect())
        };
        let lines = vec![line("guards on", &self.guarded), line("guards off", &self.bare)];
        Panel { label: label.to_owned(), top, lines }
    }
}
