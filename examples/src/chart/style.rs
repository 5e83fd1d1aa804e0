//! How lines look.

/// What tells a line apart: each of these alone would do.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    class: usize,
    dash: &'static str,
    mark: Mark,
}

#[derive(Clone, Copy, Debug)]
enum Mark {
    Dot,
    Square,
    Triangle,
    Cross,
    /// A bound has none.
    Nothing,
}

impl Style {
    /// The look of the line of this number; of a bound, if it is dotted.
    pub(super) const fn of(number: usize, is_dotted: bool) -> Self {
        let class = number % 6;
        let (dash, mark) = match class {
            _ if is_dotted => ("1 5", Mark::Nothing),
            0 => ("none", Mark::Dot),
            1 => ("7 4", Mark::Square),
            2 => ("3 3", Mark::Triangle),
            3 => ("10 3 2 3", Mark::Cross),
            4 => ("14 4", Mark::Dot),
            _ => ("5 2 1 2", Mark::Square),
        };
        Self { class, dash, mark }
    }

    pub(super) fn line(&self, points: &[(f64, f64)]) -> String {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let (class, dash, points) = (self.class, self.dash, points.join(" "));
        format!(
            "<polyline class=\"line c{class}\" stroke-dasharray=\"{dash}\" points=\"{points}\"/>\n"
        )
    }

    pub(super) fn mark(&self, (x, y): (f64, f64)) -> String {
        let class = format!("mark c{}", self.class);
        match self.mark {
            Mark::Nothing => String::new(),
            Mark::Dot => {
                format!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\"/>\n")
            }
            Mark::Square => format!(
                "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"6.5\" height=\"6.5\"/>\n",
                x - 3.25,
                y - 3.25
            ),
            Mark::Triangle => format!(
                "<polygon class=\"{class}\" points=\"{:.1},{:.1} {:.1},{:.1} {:.1},{:.1}\"/>\n",
                x,
                y - 4.5,
                x - 4.2,
                y + 3.2,
                x + 4.2,
                y + 3.2
            ),
            Mark::Cross => format!(
                "<path class=\"{class}\" d=\"M{:.1} {:.1}l7 7m0 -7l-7 7\"/>\n",
                x - 3.5,
                y - 3.5
            ),
        }
    }
}

/// Colours that people who see few tell apart (Okabe and Ito's), on white and on the dark of forges.
pub(super) const SHEET: &str = "<style>
.paper { fill: #ffffff } text { fill: #1f2328 } .note { fill: #59636e; font-size: 12px }
.title { font-size: 17px } .label { font-weight: bold }
.grid { stroke: #d1d9e0 } .target { stroke: #cf222e; stroke-width: 1.5; stroke-dasharray: 1 3 }
.line { fill: none; stroke-width: 2 } .mark { stroke-width: 1.5; fill: #ffffff }
.c0 { stroke: #0072b2 } .c1 { stroke: #d55e00 } .c2 { stroke: #009e73 } .c3 { stroke: #8250df }
.c4 { stroke: #cc79a7 } .c5 { stroke: #9a6700 }
@media (prefers-color-scheme: dark) {
.paper { fill: #0d1117 } text { fill: #f0f6fc } .note { fill: #9198a1 }
.grid { stroke: #3d444d } .target { stroke: #ff7b72 } .mark { fill: #0d1117 }
.c0 { stroke: #56b4e9 } .c1 { stroke: #e69f00 } .c2 { stroke: #3fb950 } .c3 { stroke: #d2a8ff }
.c4 { stroke: #ff9bce } .c5 { stroke: #e3b341 }
}</style>
";
