//! What is drawn.

use whisper_examples::chart::Axis;
use whisper_examples::chart::Chart;
use whisper_examples::chart::Line;
use whisper_examples::chart::Panel;

use crate::dice::Dice;
use crate::mechanism::Mechanism;
use crate::network::Adversary;
use crate::rows::Row;
use crate::score::auc;

/// How often authors are named, by how many nodes are spies.
pub(crate) fn recall(rows: &[Row]) -> Chart {
    let mut lines = Vec::new();
    let mut right = 1.0_f64;
    for mechanism in Mechanism::ALL {
        let own = rows.iter().filter(|row| row.series.mechanism == mechanism);
        let points = own.filter_map(|row| {
            let count = SPIES(row.series.adversary)?;
            Some((row.series.percent(count), row.recall(row.best()).mean))
        });
        let points: Vec<(f64, f64)> = points.collect();
        right = points.iter().map(|(across, _)| *across).fold(right, f64::max);
        lines.push(Line::new(mechanism.name(), points));
    }
    lines.push(bound(right));
    let label = "share of messages whose author is named by the best of all estimators".to_owned();
    Chart {
        title: "How often spies find out who wrote a message".to_owned(),
        notes: Vec::new(),
        across: "spies among all nodes, in percent".to_owned(),
        panels: vec![Panel { label, axis: Axis::up_to(1.0), target: None, lines }],
    }
}

/// What spies gain who swallow stems, and what that costs in time.
pub(crate) fn holes(rows: &[Row]) -> Chart {
    let kinds = [("spies swallow every stem", HOLES), ("spies keep the rules", SPIES)];
    let panel = |label: &str, top: f64, value: &dyn Fn(&Row) -> f64| {
        let lines = kinds.iter().map(|(name, count)| {
            let stems = rows.iter().filter(|row| row.series.mechanism == Mechanism::Stem);
            let points = stems.filter_map(|row| {
                Some((row.series.percent(count(row.series.adversary)?), value(row)))
            });
            Line::new(name, points.collect())
        });
        Panel {
            label: label.to_owned(),
            axis: Axis::up_to(top),
            target: None,
            lines: lines.collect(),
        }
    };
    let named = |row: &Row| row.recall(row.best()).mean;
    let late = |row: &Row| row.until_flood(0.99);
    let mut named = panel("share of messages whose author is named", 0.5, &named);
    let points = named.lines.iter().flat_map(|line| &line.points);
    let right = points.map(|(across, _)| *across).fold(1.0, f64::max);
    named.lines.push(bound(right));
    Chart {
        title: "Spies who swallow what they should pass on".to_owned(),
        notes: Vec::new(),
        across: "such spies among all nodes, in percent".to_owned(),
        panels: vec![
            named,
            panel("seconds until 99 of 100 messages begin to spread to everybody", 25.0, &late),
        ],
    }
}

/// What the date of an envelope tells a spy that is handed it, by how far it is put back.
pub(crate) fn age(row: &Row, dice: &mut Dice) -> Chart {
    let points = SPANS.map(|span| {
        let mut ages = |own: bool| {
            let handed = row.handed().filter(|handed| handed.is_own == own);
            // Dates are whole seconds, so that the fraction is part of the age.
            let age = handed.map(|one| one.since + one.fraction + dice.below(span + 1) as f64);
            age.collect::<Vec<_>>()
        };
        (span as f64, auc(&ages(true), &ages(false)))
    });
    let label = "how well the age tells them apart: 0.5 not at all, 1 always".to_owned();
    let even = Line::new("a coin", vec![(0.0, 0.5), (LONGEST, 0.5)]).dotted();
    let measured = Line::new("age on a stem", points.to_vec());
    Chart {
        title: "Did the sender write it, or pass it on?".to_owned(),
        notes: Vec::new(),
        across: "dates are put back by up to so many seconds (59 is what nodes do)".to_owned(),
        panels: vec![Panel {
            label,
            axis: Axis::up_to(1.0),
            target: None,
            lines: vec![measured, even],
        }],
    }
}

/// How often authors are named by many messages of which spies know that they are of one author.
pub(crate) fn linked(row: &Row) -> Chart {
    let counts = [1, 5, 10, 20, 50].into_iter();
    let points = counts.filter_map(|count| Some((count as f64, row.linked(count)?.mean)));
    let points: Vec<(f64, f64)> = points.collect();
    let right = points.last().map_or(1.0, |(across, _)| *across);
    let label = "share of authors who are named; 10 percent of the nodes are spies".to_owned();
    let bound = Line::new("the least any such way can do", vec![(0.0, 0.1), (right, 0.1)]).dotted();
    Chart {
        title: "A contact who is a spy knows which messages are of one author".to_owned(),
        notes: Vec::new(),
        across: "messages of one author while relays are kept".to_owned(),
        panels: vec![Panel {
            label,
            axis: Axis::up_to(1.0),
            target: None,
            lines: vec![Line::new("all messages together", points), bound],
        }],
    }
}

/// Spies are handed their share of messages by who wrote them, whatever the way.
fn bound(right: f64) -> Line {
    let points = vec![(0.0, 0.0), (right, right / 100.0)];
    Line::new("the least any such way can do", points).dotted()
}

const SPANS: [usize; 6] = [0, 4, 9, 14, 29, 59];
const LONGEST: f64 = 59.0;

/// How many there are of one kind of adversary, if it is that kind.
type Count = fn(Adversary) -> Option<usize>;

const HOLES: Count = |adversary| match adversary {
    Adversary::Holes(count) => Some(count),
    _ => None,
};
const SPIES: Count = |adversary| match adversary {
    Adversary::Spies(count) => Some(count),
    _ => None,
};
