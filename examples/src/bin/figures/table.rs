//! Columns of numbers as CSV.

use whisper_examples::chart::Line;

/// Rows that share a first column.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
}

impl Table {
    /// The points of lines that have the same places from left to right. Where a line ends early, the
    /// table does.
    pub(crate) fn of(across: &str, lines: &[Line]) -> Self {
        let names = lines.iter().map(|line| line.name.clone());
        let names = std::iter::once(across.to_owned()).chain(names).collect();
        let longest = lines.iter().map(|line| line.points.len()).min().unwrap_or(0);
        let row = |at: usize| {
            let place = lines.iter().take(1).map(|line| line.points[at].0);
            place.chain(lines.iter().map(|line| line.points[at].1)).collect()
        };
        Self { names, rows: (0..longest).map(row).collect() }
    }

    /// The value of a column at a place.
    #[cfg(test)]
    pub(crate) fn at(&self, column: &str, place: f64) -> f64 {
        let column = self.names.iter().position(|name| name == column).expect("a column");
        let row = self.rows.iter().find(|row| (row[0] - place).abs() < 1e-9).expect("a row");
        row[column]
    }

    /// The file's text.
    pub(crate) fn to_csv(&self) -> String {
        let names: Vec<String> = self.names.iter().map(|name| format!("\"{name}\"")).collect();
        let mut csv = names.join(",");
        for row in &self.rows {
            let row: Vec<String> = row.iter().map(|value| format!("{value:.9}")).collect();
            csv = csv + "\n" + &row.join(",");
        }
        csv + "\n"
    }
}
