//! How honest nodes send what they write.

use std::time::Duration;

use whisper_core::node::Config;
use whisper_core::node::Stem;
use whisper_core::pow::Rating;

use crate::floods::Manner;
use crate::network::NOISE;

/// A way to send, as the shipping engine can be set to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mechanism {
    /// Whoever writes sends to all its peers at once, as everybody who relays does.
    AtOnce,
    /// Whoever writes lets each peer wait by itself; everybody who relays does so at once.
    Scattered,
    /// A stem first; whoever ends it sends to all its peers at once.
    StemAtOnce,
    /// A stem first; whoever ends it lets each peer wait by itself. What nodes do unless told otherwise.
    Stem,
}

impl Mechanism {
    pub(crate) const ALL: [Self; 4] = [Self::AtOnce, Self::Scattered, Self::StemAtOnce, Self::Stem];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "flood at once",
            Self::Scattered => "scattered start",
            Self::StemAtOnce => "stem, then at once",
            Self::Stem => "stem, scattered start",
        }
    }

    /// The settings of a node that sends like this. Ratings are scaled down, so that a proof of work
    /// takes a moment.
    pub(crate) fn config(self) -> Config {
        Config { min_rating: Rating::ZERO, stem: self.stem(), ..Config::default() }
    }

    fn stem(self) -> Option<Stem> {
        match self {
            Self::AtOnce => None,
            Self::Scattered => Some(Stem { relays: 0, ..Stem::default() }),
            Self::StemAtOnce => Some(Stem { scatter: Duration::ZERO, ..Stem::default() }),
            Self::Stem => Some(Stem::default()),
        }
    }

    /// What spies know of it.
    pub(crate) fn manner(self) -> Manner {
        let scatter = self.stem().map(|stem| stem.scatter.as_secs_f64());
        Manner { scatter: scatter.filter(|mean| *mean > 0.0), noise: NOISE.as_secs_f64() }
    }

    /// The share of edges whose stems end.
    pub(crate) fn ends(self) -> f64 {
        self.stem().map_or(1.0, |stem| stem.ends)
    }
}
