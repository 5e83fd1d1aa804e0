//! What is printed and drawn.

use whisper_examples::chart::Axis;
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
        let limit = POOL as f64 / 1024.0;
        let all = || Some((100.0, "all".to_owned()));
        let percent = |label, value: fn(&Sample) -> f64| {
            self.panel(label, PERCENT, all(), |sample| 100.0 * value(sample))
        };
        let panels = vec![
            percent("delivered, in percent", |sample| sample.delivered),
            percent("still held, in percent", |sample| sample.kept),
            percent("what honest messages fill of all pools, in percent", |sample| {
                sample.honest_share
            }),
            self.panel(
                "the fullest pool, in KiB",
                Axis::up_to(1.15 * limit),
                Some((limit, "what it may hold".to_owned())),
                kib,
            ),
        ];
        let title = format!("{}: {}", self.attack.name, self.attack.what);
        let notes = [
            "delivered: the part of all nodes that a message has ever reached, as in the table",
            "still held: of messages that are alive, the part that the pools hold at that moment:",
            "a full pool lets go of what it has passed on already",
        ];
        let notes = notes.map(str::to_owned).into();
        Chart { title, notes, across: "seconds of the attack".to_owned(), panels }
    }

    fn panel(
        &self,
        label: &str,
        axis: Axis,
        target: Option<(f64, String)>,
        value: impl Fn(&Sample) -> f64,
    ) -> Panel {
        let line = |name: &str, outcome: &Outcome| {
            let points = (1_u32..).map(f64::from).zip(outcome.samples.iter().map(&value));
            Line::new(name, points.collect())
        };
        let lines = vec![line("guards on", &self.guarded), line("guards off", &self.bare)];
        Panel { label: label.to_owned(), axis, target, lines }
    }
}

/// With room above, where lines at 100 percent would else lie on the edge.
const PERCENT: Axis = Axis::up_to(115.0);
