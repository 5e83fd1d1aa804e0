//! How spies find who began: pure functions of what they know and what they saw.
//!
//! The spies are given all that could help them: the whole graph, the latency of each connection, and
//! whom each node takes for its relays. Each estimator gives how likely it holds each node to be the
//! author; the likeliest is its guess.

mod explain;
mod first_spy;
mod impossible;
mod near;
mod timing;
mod trained;

pub(crate) use self::trained::Trained;

use crate::floods::Manner;
use crate::floods::Sight;
use crate::graph::Graph;

/// What spies know before anything is sent.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    pub(crate) graph: Graph,
    pub(crate) is_spy: Vec<bool>,
    pub(crate) manner: Manner,
}

/// What spies see of one envelope: the first copy on each connection to them from somebody honest, in
/// order of time.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    pub(crate) flood: Vec<Sight>,
}

/// The ways to find who began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Estimator {
    FirstSpy,
    Timing,
    Near,
    Impossible,
    Explain,
}

impl Estimator {
    pub(crate) const ALL: [Self; 5] =
        [Self::FirstSpy, Self::Timing, Self::Near, Self::Impossible, Self::Explain];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::FirstSpy => "first spy",
            Self::Timing => "timing",
            Self::Near => "near",
            Self::Impossible => "impossible",
            Self::Explain => "explain",
        }
    }
}

impl Knowledge {
    /// Who may be an author: spies know each other.
    pub(crate) fn honest(&self) -> impl Iterator<Item = usize> {
        (0..self.graph.len()).filter(|node| !self.is_spy[*node])
    }
}
