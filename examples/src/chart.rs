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
}

impl Chart {
    /// The picture as a file's text.
    pub fn to_svg(&self) -> String {
        let height = HEAD + self.panels.len() as f64 * (PANEL + GAP) + FOOT;
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
            put(&self.panel(panel, HEAD + number as f64 * (PANEL + GAP), right));
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
        for (number, name) in self.all_names().into_iter().enumerate() {
            let x = LEFT + 190.0 * number as f64;
            let colour = COLOURS[number % COLOURS.len()];
            let _ = writeln!(
                svg,
                "<rect x=\"{x}\" y=\"36\" width=\"18\" height=\"4\" fill=\"{colour}\"/>"
            );
            svg.push_str(&text(x + 24.0, 42.0, "start", name));
        }
        svg
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
        let names = self.all_names();
        for line in &panel.lines {
            let colour = names.iter().position(|name| *name == line.name).unwrap_or_default();
            let points: Vec<String> = line
                .points
                .iter()
                .map(|(across, up)| format!("{:.1},{:.1}", LEFT + across / right * ACROSS, y(*up)))
                .collect();
            let _ = writeln!(
                svg,
                "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"{}\" points=\"{}\"/>",
                COLOURS[colour % COLOURS.len()],
                points.join(" ")
            );
        }
        svg
    }

    fn all_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for line in self.panels.iter().flat_map(|panel| &panel.lines) {
            if !names.contains(&line.name.as_str()) {
                names.push(&line.name);
            }
        }
        names
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
const HEAD: f64 = 76.0;
const PANEL: f64 = 130.0;
const GAP: f64 = 34.0;
const FOOT: f64 = 30.0;
/// Told apart by those who see few colours, too.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#555555"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chart_names_each_line_once_and_stays_inside_its_panels() {
        let line =
            |name: &str, up| Line { name: name.to_owned(), points: vec![(0.0, 0.0), (9.0, up)] };
        let panel = |label: &str| Panel {
            label: label.to_owned(),
            top: 1.0,
            lines: vec![line("ours", 0.5), line("theirs", 7.0)],
        };
        let panels = vec![panel("first"), panel("second")];
        let svg = Chart { title: "T".into(), across: "seconds".into(), panels }.to_svg();
        assert_eq!(svg.matches(">ours<").count(), 1);
        assert_eq!(svg.matches("<polyline").count(), 4);
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
