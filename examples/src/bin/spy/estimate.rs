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
use crate::posterior::Posterior;
use crate::stems::Stems;

/// What spies know before anything is sent.
#[derive(Clone, Debug)]
pub(crate) struct Knowledge {
    pub(crate) graph: Graph,
    pub(crate) is_spy: Vec<bool>,
    pub(crate) manner: Manner,
    pub(crate) stems: Stems,
}

/// What spies see of one envelope from honest nodes.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Seen {
    /// The first time that any of them was handed it by a stem.
    pub(crate) handed: Option<Sight>,
    /// The first copy of the flood on each connection, in order of time.
    pub(crate) flood: Vec<Sight>,
}

/// What follows from one envelope, before it is known which stems lead where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Evidence {
    /// A spy was handed it by a stem.
    Handed(Sight),
    /// It was flooded, from where this says.
    Flooded(Posterior),
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
    /// Those whose best a mechanism is judged by, as privacy.md, 3 and 4 have it.
    pub(crate) const THREE: [Self; 3] = [Self::Timing, Self::Near, Self::Impossible];

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
    /// Who is held to be the author.
    pub(crate) fn author(&self, evidence: &Evidence) -> Posterior {
        match evidence {
            Evidence::Handed(handed) => self.stems.upstream(&self.is_spy, handed),
            Evidence::Flooded(starts) => self.stems.authors(&self.is_spy, starts),
        }
    }

    /// Who may be an author: spies know each other.
    pub(crate) fn honest(&self) -> impl Iterator<Item = usize> {
        (0..self.graph.len()).filter(|node| !self.is_spy[*node])
    }
}

#[cfg(test)]
mod tests;
