//! How honest nodes send what they write.

use whisper_core::node::Config;
use whisper_core::pow::Rating;

use crate::floods::Manner;
use crate::network::NOISE;

/// A way to send, as the shipping engine can be set to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mechanism {
    /// Whoever writes sends to all its peers at once, as everybody who relays does.
    AtOnce,
}

impl Mechanism {
    pub(crate) const ALL: [Self; 1] = [Self::AtOnce];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::AtOnce => "flood at once",
        }
    }

    /// The settings of a node that sends like this. Ratings are scaled down, so that a proof of work
    /// takes a moment.
    pub(crate) fn config(self) -> Config {
        let min_rating = Rating::ZERO;
        Config { min_rating, ..Config::default() }
    }

    /// What spies know of it.
    pub(crate) const fn manner(self) -> Manner {
        let scatter = match self {
            Self::AtOnce => None,
        };
        Manner { scatter, noise: NOISE.as_millis() as f64 / 1_000.0 }
    }
}
