//! What a node is set to.

use super::stem::Stem;
use crate::pow::Rating;
use crate::topic::Bloom;

/// The settings of a node; the defaults are a full relay's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Config {
    /// The least rating that is taken, 0.2 as in go-ethereum.
    pub min_rating: Rating,
    /// The topics that are wanted; all of them where there is none.
    pub bloom: Option<Bloom>,
    /// Whether envelopes of others are not relayed. A light node's own envelopes are the only ones it
    /// sends, which tells its peers who wrote them.
    pub light: bool,
    /// Whether two light nodes refuse each other, as neither would relay.
    pub refuse_light_pairs: bool,
    /// Whether batches are acknowledged, with peers that do so too.
    pub acknowledges: bool,
    /// Whether requests to an archive are taken. Off, they are not looked at.
    pub takes_requests: bool,
    /// The largest packet and the largest envelope, in bytes: 1 MiB as in go-ethereum.
    pub max_message_size: usize,
    /// What the pool may hold, in bytes: 64 MiB; a phone takes 16.
    pub pool_bytes: usize,
    /// What the peers of one network may send; no limit where there is none.
    pub budgets: Option<Budgets>,
    /// Whether the pool is [guarded](crate::pool::Limits), and the demanded rating is raised while it
    /// is nearly full. Off only to see what that is good for.
    pub guarded: bool,
    /// How the author of an envelope is hidden. Without it envelopes of our own leave for all peers at
    /// once, which tells whoever takes the time who wrote them.
    pub stem: Option<Stem>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            min_rating: Rating::DEFAULT_MINIMUM,
            bloom: None,
            light: false,
            refuse_light_pairs: true,
            acknowledges: true,
            takes_requests: false,
            max_message_size: 1024 * 1024,
            pool_bytes: 64 * 1024 * 1024,
            budgets: Some(Budgets::default()),
            guarded: true,
            stem: None,
        }
    }
}

/// What the peers of one network may send before they are throttled. They always bind peers that came
/// to us and are not trusted, and everybody while the node is contended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budgets {
    /// Bytes of packets.
    pub bytes: Budget,
    /// Envelopes that are not in the pool, and those that the peer sends again. The first copy of one
    /// that is in the pool counts a quarter.
    pub envelopes: Budget,
    /// Packets that carry no envelopes and answer nothing.
    pub control: Budget,
}

/// A rate, and what may come at once.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budget {
    /// How many a second.
    pub per_second: u32,
    /// How many at once, after a pause.
    pub burst: u32,
}

impl Default for Budgets {
    /// Chosen so that 64 peers at their limit stay below 16 MiB and 13,000 envelopes a second.
    fn default() -> Self {
        Self {
            bytes: Budget { per_second: 256 * 1024, burst: 2 * 1024 * 1024 },
            envelopes: Budget { per_second: 200, burst: 1_000 },
            control: Budget { per_second: 20, burst: 60 },
        }
    }
}
