//! Axes: which values they have a place for, and which are named.

/// An axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Axis {
    /// From 0 on.
    Linear {
        /// The value at its end.
        top: f64,
    },
    /// Each step is ten times the one before.
    Logarithmic {
        /// The value at its beginning.
        bottom: f64,
        /// The value at its end.
        top: f64,
    },
}

impl Axis {
    /// A linear axis.
    pub const fn up_to(top: f64) -> Self {
        Self::Linear { top }
    }

    /// Whether a value has a place on it. What is beyond its end is drawn there.
    pub(super) fn shows(&self, value: f64) -> bool {
        match self {
            Self::Linear { .. } => true,
            Self::Logarithmic { bottom, .. } => value >= *bottom,
        }
    }

    /// How far along it a value is: 0 at its beginning, 1 at its end.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self {
            Self::Linear { top } => value / top,
            Self::Logarithmic { bottom, top } => (value / bottom).log10() / (top / bottom).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    /// The values that are named: round ones, or each power of ten.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> {
        let (first, step, top) = match self {
            Self::Linear { top } => (0.0, step(*top), *top),
            Self::Logarithmic { bottom, top } => (bottom.log10().round(), 1.0, top.log10()),
        };
        let value = |place: f64| match self {
            Self::Linear { .. } => place,
            Self::Logarithmic { .. } => 10_f64.powf(place),
        };
        let places = (0_u32..=8).map(move |tick| first + f64::from(tick) * step);
        places.take_while(move |place| *place <= top + step * 0.01).map(value)
    }

    /// How a value is written beside it.
    pub(super) fn name(&self, value: f64) -> String {
        match self {
            Self::Linear { .. } => number(value),
            Self::Logarithmic { .. } if value < 0.01 => power_of_ten(value),
            Self::Logarithmic { .. } => number(value),
        }
    }
}

/// The distance of round numbers, four to eight of them up to `top`.
fn step(top: f64) -> f64 {
    let rough = top / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [5.0, 2.0, 1.0].map(|factor| factor * power).into_iter().find(|step| *step <= rough);
    step.unwrap_or(rough)
}

/// A small power of ten, as powers are written.
fn power_of_ten(value: f64) -> String {
    let digits = format!("{:.0}", -value.log10());
    let raised = digits.bytes().map(|digit| RAISED[usize::from(digit - b'0') % RAISED.len()]);
    std::iter::once("10⁻").chain(raised).collect()
}

const RAISED: [&str; 10] = ["⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"];

pub(super) fn number(value: f64) -> String {
    let digits = if value == 0.0 || value >= 10.0 { 0 } else { 2 };
    let text = format!("{value:.digits$}");
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_the_top() {
        let ticks: Vec<_> = Axis::up_to(1.0).ticks().collect();
        assert_eq!(ticks, [0.0, 0.2, 0.4, 0.6000000000000001, 0.8, 1.0]);
        assert_eq!(Axis::up_to(60.0).ticks().last(), Some(60.0));
        assert_eq!(number(0.6000000000000001), "0.6");
    }

    #[test]
    fn a_logarithmic_axis_gives_each_power_of_ten_the_same_room() {
        let axis = Axis::Logarithmic { bottom: 1e-4, top: 1.0 };
        let names: Vec<_> = axis.ticks().map(|tick| axis.name(tick)).collect();
        assert_eq!(names, ["10⁻⁴", "10⁻³", "0.01", "0.1", "1"]);
        for (value, place) in [(1e-4, 0.0), (1e-3, 0.25), (1e-2, 0.5), (1.0, 1.0), (7.0, 1.0)] {
            assert!((axis.place(value) - place).abs() < 1e-9, "{value}");
        }
        assert!(axis.shows(1e-4) && !axis.shows(9e-5));
    }
}
