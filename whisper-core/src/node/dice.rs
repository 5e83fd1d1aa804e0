//! Throws of one node that nobody else can foresee.

use core::fmt;
use core::time::Duration;

use crate::hash::Keccak;

/// Random choices, each of which depends on the secret of the node and on what it is for, and on no
/// other: one choice more shifts none of those that follow.
pub(super) struct Dice([u8; 32]);

/// What a throw is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Throw {
    /// How long an envelope waits for a peer, by the hash of the one and the number of the other.
    Wait,
    /// Which peer is a relay, by the draw and the number of the peer.
    Relay,
    /// How long relays are kept, by the draw.
    Period,
    /// Which relay an edge leads to, by the draw and the number of the peer.
    Route,
    /// Whether stems end here, by the number of the peer that they come from.
    End,
    /// Which peer has an envelope while there are no relays, by its hash and the number of the peer.
    Peer,
    /// How long an envelope is awaited, by its hash and how often it was.
    Embargo,
}

impl Throw {
    /// No two are equally long beginnings of the same input: all have four bytes.
    const fn purpose(self) -> &'static [u8; 4] {
        match self {
            Self::Wait => b"wait",
            Self::Relay => b"rely",
            Self::Period => b"peri",
            Self::Route => b"rout",
            Self::End => b"ends",
            Self::Peer => b"peer",
            Self::Embargo => b"embg",
        }
    }
}

impl Dice {
    pub(super) const fn new(secret: &[u8; 32]) -> Self {
        Self(*secret)
    }

    /// A span of this mean, exponentially distributed: however long it has lasted, what remains is
    /// distributed alike.
    pub(super) fn span(&self, throw: Throw, of: &[&[u8]], mean: Duration) -> Duration {
        let seconds = -libm::log(self.share(throw, of)) * mean.as_secs_f64();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// A part of a span, each as likely as the other.
    pub(super) fn part(&self, throw: Throw, of: &[&[u8]], span: Duration) -> Duration {
        let seconds = self.share(throw, of) * span.as_secs_f64();
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }

    /// Whether something happens that happens in this share of cases.
    pub(super) fn happens(&self, throw: Throw, of: &[&[u8]], share: f64) -> bool {
        self.share(throw, of) <= share
    }

    /// A number, each as likely as the other.
    pub(super) fn number(&self, throw: Throw, of: &[&[u8]]) -> u64 {
        let mut hash = Keccak::new();
        hash.update(&self.0);
        hash.update(b"dice");
        hash.update(throw.purpose());
        of.iter().for_each(|part| hash.update(part));
        hash.finish().first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// A number above 0 and at most 1, each as likely as the other.
    fn share(&self, throw: Throw, of: &[&[u8]]) -> f64 {
        // As many bits as the fraction has.
        (self.number(throw, of) >> 11).saturating_add(1) as f64 / (1_u64 << 53) as f64
    }
}

impl fmt::Debug for Dice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dice").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn a_throw_depends_on_the_secret_on_what_it_is_for_and_on_nothing_else() {
        let dice = Dice::new(&[7; 32]);
        let first = dice.share(Throw::Wait, &[b"hash", b"peer"]);
        assert_eq!(first, Dice::new(&[7; 32]).share(Throw::Wait, &[b"hash", b"peer"]));
        assert_ne!(first, dice.share(Throw::Wait, &[b"hash", b"nope"]));
        assert_ne!(first, Dice::new(&[8; 32]).share(Throw::Wait, &[b"hash", b"peer"]));
    }

    #[test]
    fn spans_are_exponentially_distributed() {
        let dice = Dice::new(&[7; 32]);
        let span = |number: u32| {
            dice.span(Throw::Wait, &[&number.to_be_bytes()], Duration::from_secs(1)).as_secs_f64()
        };
        let spans: Vec<f64> = (0..10_000).map(span).collect();
        let mean = spans.iter().sum::<f64>() / 10_000.0;
        assert!((0.97..1.03).contains(&mean), "{mean}");
        // Half are below ln 2, and one in e² above 2.
        let below = |limit: f64| spans.iter().filter(|span| **span < limit).count();
        assert!((4_850..5_150).contains(&below(core::f64::consts::LN_2)));
        assert!((8_540..8_750).contains(&below(2.0)));
    }
}
