//! What is drawn.

use whisper_examples::chart::Chart;
use whisper_examples::chart::Line;
use whisper_examples::chart::Panel;

use crate::mechanism::Mechanism;
use crate::rows::Row;

/// How often authors are named, by how many nodes are spies.
pub(crate) fn recall(rows: &[Row]) -> Chart {
    let mut lines = Vec::new();
    for mechanism in Mechanism::ALL {
        let own = rows.iter().filter(|row| row.series.mechanism == mechanism);
        let points = own.map(|row| (row.series.spies as f64, row.recall(row.best()).mean));
        lines.push(Line::new(mechanism.name(), points.collect()));
    }
    let right = rows.iter().map(|row| row.series.spies).max().unwrap_or(1) as f64;
    lines.push(
        Line::new("no routing in clear gets below", vec![(0.0, 0.0), (right, right / 100.0)])
            .dotted(),
    );
    let label = "share of messages whose author the best estimator names".to_owned();
    Chart {
        title: "How often spies find out who wrote a message".to_owned(),
        across: "spies among all nodes, in percent".to_owned(),
        panels: vec![Panel { label, top: 1.0, lines }],
    }
}
