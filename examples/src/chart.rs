//! Line charts as SVG: panels one below the other that share the horizontal axis.

use std::fmt::Write;

/// A picture.
#[derive(Clone, Debug)]
pub struct Chart {
    /// What it shows.
    pub title: String,
    /// What the horizontal axis counts.
    pub across: String,
    /// From top to bottom.
    pub panels: Vec<Panel>,
}

/// Lines over one vertical axis, which begins at 0.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the vertical axis counts.
    pub label: String,
    /// Where the vertical axis ends.
    pub top: f64,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Line {
    /// What it is called; lines of one name have one colour and are named once.
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
    pub fn dotted(self) -> Self {
        Self { is_dotted: true, ..self }
    }
}

impl Chart {
    /// The picture as a file's text.
    pub fn to_svg(&self) -> String {
        let head = self.head();
        let height = head + self.panels.len() as f64 * (PANEL + GAP) + FOOT;
        let mut svg = String::new();
        let mut put = |text: &str| svg.push_str(text);
        put(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             font-family=\"sans-serif\" font-size=\"12\">\n\
             <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
        ));
        put(&text(LEFT, 24.0, "start", &format!("<tspan font-size=\"16\">{}</tspan>", self.title)));
        put(&self.names());
        let right = self.right();
        for (number, panel) in self.panels.iter().enumerate() {
            put(&self.panel(panel, head + number as f64 * (PANEL + GAP), right));
        }
        for tick in ticks(right) {
            put(&text(LEFT + tick / right * ACROSS, height - 26.0, "middle", &number_of(tick)));
        }
        put(&text(LEFT + ACROSS / 2.0, height - 8.0, "middle", &self.across));
        put("</svg>\n");
        svg
    }

    /// The colours, explained once for all panels.
    fn names(&self) -> String {
        let mut svg = String::new();
        for (number, line) in self.all_lines().into_iter().enumerate() {
            let x = LEFT + NAME * (number % NAMES) as f64;
            let y = 38.0 + ROW * (number / NAMES) as f64;
            let stroke = stroke(number, line.is_dotted);
            let end = x + 18.0;
            let _ = writeln!(svg, "<line x1=\"{x}\" x2=\"{end}\" y1=\"{y}\" y2=\"{y}\" {stroke}/>");
            svg.push_str(&text(x + 24.0, y + 4.0, "start", &line.name));
        }
        svg
    }

    /// What stands above the first panel.
    fn head(&self) -> f64 {
        let rows = self.all_lines().len().div_ceil(NAMES).max(1);
        HEAD + ROW * (rows - 1) as f64
    }

    fn panel(&self, panel: &Panel, above: f64, right: f64) -> String {
        let mut svg = text(LEFT, above - 6.0, "start", &panel.label);
        let y = |value: f64| above + PANEL - (value / panel.top).clamp(0.0, 1.0) * PANEL;
        for tick in ticks(panel.top) {
            let y = y(tick);
            let end = LEFT + ACROSS;
            let _ = writeln!(
                svg,
                "<line x1=\"{LEFT}\" x2=\"{end}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"
            );
            svg.push_str(&text(LEFT - 6.0, y + 4.0, "end", &number_of(tick)));
        }
        let all = self.all_lines();
        for line in &panel.lines {
            let number = all.iter().position(|other| other.name == line.name).unwrap_or_default();
            let places =
                line.points.iter().map(|(across, up)| (LEFT + across / right * ACROSS, y(*up)));
            let points: Vec<String> = places.map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
            let stroke = stroke(number, line.is_dotted);
            let _ =
                writeln!(svg, "<polyline fill=\"none\" {stroke} points=\"{}\"/>", points.join(" "));
            // Few were measured: what lies between them was not, and one alone is no line.
            for point in points.iter().filter(|_| points.len() <= FEW && !line.is_dotted) {
                let Some((x, y)) = point.split_once(',') else { continue };
                let _ = writeln!(svg, "<circle cx=\"{x}\" cy=\"{y}\" r=\"2\" {stroke}/>");
            }
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

fn text(x: f64, y: f64, anchor: &str, content: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>\n")
}

fn stroke(number: usize, is_dotted: bool) -> String {
    let colour = COLOURS[number % COLOURS.len()];
    let dots = if is_dotted { " stroke-dasharray=\"2 4\"" } else { "" };
    format!("stroke-width=\"2\" stroke=\"{colour}\"{dots}")
}

/// Round numbers from 0 to `top`, four to eight of them.
fn ticks(top: f64) -> impl Iterator<Item = f64> {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [5.0, 2.0, 1.0].map(|factor| factor * power).into_iter().find(|step| *step <= rough);
    let step = step.unwrap_or(rough);
    (0_u32..=8).map(move |tick| f64::from(tick) * step).take_while(move |tick| *tick <= top * 1.001)
}

fn number_of(value: f64) -> String {
    let digits = if value == 0.0 || value >= 10.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

const WIDTH: f64 = 720.0;
const LEFT: f64 = 70.0;
const ACROSS: f64 = 620.0;
/// With one row of names.
const HEAD: f64 = 76.0;
/// How many names stand in a row, and how wide and high one is.
const NAMES: usize = 3;
const NAME: f64 = 206.0;
const ROW: f64 = 18.0;
/// So many points are marked.
const FEW: usize = 12;
const PANEL: f64 = 130.0;
const GAP: f64 = 34.0;
const FOOT: f64 = 30.0;
/// Told apart by those who see few colours, too.
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#555555", "#cc79a7", "#e69f00"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_each_line_once_and_stays_inside_its_panels() {
        let line = |name: &str, up| Line::new(name, vec![(0.0, 0.0), (9.0, up)]);
        let panel = |label: &str| Panel {
            label: label.to_owned(),
            top: 1.0,
            lines: vec![line("ours", 0.5), line("theirs", 7.0)],
        };
        let panels = vec![panel("first"), panel("second")];
        let svg = Chart { title: "T".into(), across: "seconds".into(), panels }.to_svg();
        assert_eq!(svg.matches(">ours<").count(), 1);
        assert_eq!(svg.matches("<polyline").count(), 4);
        assert_eq!(svg.matches("<circle").count(), 8);
        // 7 of 1 is drawn at the top of the panel.
        assert!(svg.contains(&format!("{:.1},{HEAD:.1}\"", LEFT + ACROSS)), "{svg}");
    }

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        assert_eq!(ticks(1.0).collect::<Vec<_>>(), [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(ticks(60.0).last(), Some(60.0));
        assert_eq!(number_of(0.6000000000000001), "0.6");
    }
}
