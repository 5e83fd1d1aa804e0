//! Line charts as SVG: panels one below the other that share the horizontal axis.
//!
//! Each name has a colour, a dash and a mark of its own, so that lines which lie on each other are
//! told apart, also without colours. The picture follows the reader's light or dark screen.

mod axis;
mod style;

use std::fmt::Write;

pub use axis::Axis;
use style::Style;

/// A picture.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What the measures and letters mean: a line each, below the title.
    pub notes: Vec<String>,
    /// What the horizontal axis counts.
    pub across: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// Lines over one vertical axis.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the vertical axis counts.
    pub label: String,
    /// The vertical axis.
    pub axis: Axis,
    /// A value that the lines are held against, and what it is.
    pub target: Option<(f64, String)>,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is called; lines of one name look alike and are named once.
    pub name: String,
    /// Points, from left to right.
    pub points: Vec<(f64, f64)>,
    /// Whether it is drawn as dots: a bound, not something that was measured.
    pub is_dotted: bool,
}

impl Line {
    /// A line that is drawn through.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self { name: name.to_owned(), points, is_dotted: false }
    }

    /// The same line, as dots.
    #[must_use]
    pub fn dotted(self) -> Self {
        Self { is_dotted: true, ..self }
    }
}

impl Chart {
    /// The picture as a file's text.
    pub fn to_svg(&self) -> String {
        let (legend, rows) = self.legend(TITLE + NOTE * self.notes.len() as f64);
        let head = TITLE + NOTE * self.notes.len() as f64 + ROW * rows + LABEL;
        let height = head + self.panels.len() as f64 * (PANEL + GAP) + FOOT;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"13\">\n{}\
             <rect class=\"paper\" width=\"100%\" height=\"100%\"/>\n",
            style::SHEET
        );
        svg += &text(LEFT, 24.0, "start title", &self.title);
        for (line, note) in (0_u32..).zip(&self.notes) {
            svg += &text(LEFT, TITLE + NOTE * (f64::from(line) + 0.6), "start note", note);
        }
        svg += &legend;
        let right = self.right();
        for (number, panel) in self.panels.iter().enumerate() {
            svg += &self.panel(panel, head + number as f64 * (PANEL + GAP), right);
        }
        for tick in Axis::up_to(right).ticks() {
            let at = LEFT + tick / right * ACROSS;
            svg += &text(at, height - FOOT - GAP + 18.0, "middle", &axis::number(tick));
        }
        svg += &text(LEFT + ACROSS / 2.0, height - 12.0, "middle", &self.across);
        svg + "</svg>\n"
    }

    /// The lines, explained once for all panels, and how many rows that takes.
    fn legend(&self, above: f64) -> (String, f64) {
        let mut svg = String::new();
        let mut rows = 1.0;
        let mut x = LEFT;
        for (number, line) in self.all_lines().into_iter().enumerate() {
            // A letter is some seven units wide.
            let width = SAMPLE + 36.0 + 7.0 * line.name.chars().count() as f64;
            if x > LEFT && x + width > LEFT + ACROSS {
                (x, rows) = (LEFT, rows + 1.0);
            }
            let y = above + ROW * (rows - 0.5);
            let style = Style::of(number, line.is_dotted);
            svg += &style.line(&[(x, y), (x + SAMPLE, y)]);
            svg += &style.mark((x + SAMPLE / 2.0, y));
            svg += &text(x + SAMPLE + 8.0, y + 4.5, "start", &line.name);
            x += width;
        }
        (svg, rows)
    }

    fn panel(&self, panel: &Panel, above: f64, right: f64) -> String {
        let mut svg = text(LEFT, above - 9.0, "start label", &panel.label);
        let end = LEFT + ACROSS;
        let height = |value: f64| above + PANEL * (1.0 - panel.axis.place(value));
        let mut level = |class: &str, y: f64| {
            let _ = writeln!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>"
            );
        };
        panel.axis.ticks().for_each(|tick| level("grid", height(tick)));
        if let Some((value, _)) = &panel.target {
            level("target", height(*value));
        }
        for tick in panel.axis.ticks() {
            svg += &text(LEFT - 8.0, height(tick) + 4.5, "end", &panel.axis.name(tick));
        }
        if let Some((value, what)) = &panel.target {
            svg += &text(end, height(*value) - 5.0, "end note", what);
        }
        let all = self.all_lines();
        for line in &panel.lines {
            let number = all.iter().position(|other| other.name == line.name).unwrap_or_default();
            let at = |(across, up): &(f64, f64)| (LEFT + across / right * ACROSS, height(*up));
            let shown = |point: &&(f64, f64)| panel.axis.shows(point.1);
            let points: Vec<_> = line.points.iter().filter(shown).map(at).collect();
            let style = Style::of(number, line.is_dotted);
            svg += &style.line(&points);
            // Where lines lie on each other, their marks stand beside each other.
            let every = points.len().div_ceil(MARKS).max(1);
            let first = every * number / all.len().max(1);
            points.iter().skip(first).step_by(every).for_each(|at| svg += &style.mark(*at));
        }
        svg
    }

    /// The first line of each name.
    fn all_lines(&self) -> Vec<&Line> {
        let mut lines: Vec<&Line> = Vec::new();
        for line in self.panels.iter().flat_map(|panel| &panel.lines) {
            if !lines.iter().any(|other| other.name == line.name) {
                lines.push(line);
            }
        }
        lines
    }

    fn right(&self) -> f64 {
        let lines = self.panels.iter().flat_map(|panel| &panel.lines);
        let across = lines.flat_map(|line| line.points.iter().map(|(across, _)| *across));
        across.fold(f64::MIN_POSITIVE, f64::max)
    }
}

/// A text whose first class says where it is held.
fn text(x: f64, y: f64, class: &str, content: &str) -> String {
    let anchor = class.split(' ').next().unwrap_or_default();
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>\n"
    )
}

const WIDTH: f64 = 800.0;
const LEFT: f64 = 74.0;
const ACROSS: f64 = 700.0;
/// Down to below the title; a row of the legend, of the notes; what stands above a panel.
const TITLE: f64 = 38.0;
const ROW: f64 = 22.0;
const NOTE: f64 = 18.0;
const LABEL: f64 = 30.0;
const PANEL: f64 = 140.0;
const GAP: f64 = 42.0;
const FOOT: f64 = 16.0;
/// The length of a line in the legend.
const SAMPLE: f64 = 34.0;
/// So many marks at most stand on a line.
const MARKS: usize = 15;

#[cfg(test)]
mod tests {
    use super::*;

    fn line(name: &str, up: f64) -> Line {
        Line::new(name, vec![(0.0, 0.5), (9.0, up)])
    }

    fn chart(axis: Axis) -> Chart {
        let panel = |label: &str| Panel {
            label: label.to_owned(),
            axis,
            target: Some((0.5, "a half & no more".to_owned())),
            lines: vec![line("ours", 0.5), line("theirs", 7.0)],
        };
        let panels = vec![panel("first"), panel("second")];
        let notes = vec!["what it means".to_owned()];
        Chart { title: "T".into(), notes, across: "seconds".into(), panels }
    }

    #[test]
    fn a_chart_names_each_line_once_and_stays_inside_its_panels() {
        let svg = chart(Axis::up_to(1.0)).to_svg();
        assert_eq!(svg.matches(">ours<").count(), 1);
        // Two of the legend, and two of each panel.
        assert_eq!(svg.matches("<polyline").count(), 6);
        assert_eq!(svg.matches(">a half &amp; no more<").count(), 2);
        // 7 of 1 is drawn at the top of the panel.
        let top = TITLE + ROW + NOTE + LABEL;
        assert!(svg.contains(&format!("{:.1},{top:.1}\"", LEFT + ACROSS)), "{svg}");
    }

    #[test]
    fn lines_that_lie_on_each_other_differ_in_dash_and_mark() {
        let [one, other] = [0, 1].map(|number| {
            let style = Style::of(number, false);
            (style.line(&[(0.0, 0.0)]), style.mark((0.0, 0.0)))
        });
        let dash = |line: &str| line.split("stroke-dasharray").nth(1).map(str::to_owned);
        assert_ne!(dash(&one.0), dash(&other.0));
        let shape = |mark: &str| mark.split_once(' ').map(|(shape, _)| shape.to_owned());
        assert_ne!(shape(&one.1), shape(&other.1));
    }

    #[test]
    fn names_that_do_not_fit_into_a_row_begin_another() {
        let mut chart = chart(Axis::up_to(1.0));
        let rows = |chart: &Chart| chart.legend(0.0).1;
        assert_eq!(rows(&chart), 1.0);
        chart.panels[0].lines =
            (1..=6).map(|n| line(&format!("a name that is long {n}"), 1.0)).collect();
        assert!(rows(&chart) > 1.0);
    }

    #[test]
    fn what_a_logarithmic_axis_cannot_show_is_left_out() {
        let mut chart = chart(Axis::Logarithmic { bottom: 0.01, top: 1.0 });
        chart.panels.truncate(1);
        chart.panels[0].lines = vec![line("never", 0.0)];
        let svg = chart.to_svg();
        let drawn = svg.lines().rfind(|line| line.starts_with("<polyline"));
        let points = drawn.and_then(|line| line.split_once("points=\"")).map(|(_, points)| points);
        assert_eq!(points.map(|points| points.matches(',').count()), Some(1), "{svg}");
    }
}
