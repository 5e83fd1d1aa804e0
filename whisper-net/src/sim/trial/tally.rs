//! Keeps count of what honest nodes published and where it arrived.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Node;
use whisper_core::pool::Entry;
use whisper_core::time::Timestamp;

use super::Outcome;
use super::Sample;
use crate::sim::Site;
use crate::sim::World;

/// What is known of honest messages.
pub(super) struct Tally {
    sent: BTreeMap<[u8; 32], Timestamp>,
    /// Messages that nobody could be found for.
    given_up: usize,
    ttl: Duration,
    arrived: BTreeMap<[u8; 32], BTreeSet<Site>>,
    delays: Vec<Duration>,
    tries: f64,
    adversaries_cut: usize,
    honest_cut: usize,
}

impl Tally {
    /// Empty. Messages live for `ttl`.
    pub(super) fn new(ttl: Duration) -> Self {
        Self {
            ttl,
            sent: BTreeMap::new(),
            given_up: 0,
            arrived: BTreeMap::new(),
            delays: Vec::new(),
            tries: 0.0,
            adversaries_cut: 0,
            honest_cut: 0,
        }
    }

    pub(super) fn published(&mut self, hash: EnvelopeHash, at: Timestamp, tries: f64) {
        self.sent.insert(*hash.as_bytes(), at);
        self.tries += tries;
    }

    /// Notes that a message was not sent, since what peers demand cannot be paid.
    pub(super) const fn given_up(&mut self) {
        self.given_up += 1;
    }

    /// Notes that a node has an envelope. It counts once, though one that was evicted may come again.
    pub(super) fn admitted(&mut self, site: Site, hash: EnvelopeHash, at: Timestamp) {
        let Some(sent) = self.sent.get(hash.as_bytes()) else { return };
        if self.arrived.entry(*hash.as_bytes()).or_default().insert(site) {
            self.delays.push(at.saturating_since(*sent));
        }
    }

    pub(super) fn cut(&mut self, honest: bool) {
        if honest {
            self.honest_cut += 1;
        } else {
            self.adversaries_cut += 1;
        }
    }

    /// Looks at all pools.
    pub(super) fn sample(&self, world: &World, nodes: &[Site]) -> Sample {
        let nodes: Vec<&Node> = nodes.iter().filter_map(|site| world.node(*site)).collect();
        let pool_bytes = nodes.iter().map(|node| node.pool().bytes()).max().unwrap_or_default();
        let (mut honest, mut all, mut kept) = (0, 0, 0);
        let now = world.now();
        let counts = |sent: Timestamp| {
            let age = now.saturating_since(sent);
            age >= SETTLED && age < self.ttl
        };
        for (_, entry) in nodes.iter().flat_map(|node| node.pool().iter_best_first()) {
            all += entry.envelope().encoded_len();
            if let Some(sent) = self.sent_at(entry) {
                honest += entry.envelope().encoded_len();
                kept += usize::from(counts(sent));
            }
        }
        let due = self.sent.values().filter(|sent| counts(**sent)).count() * nodes.len();
        let old = self.sent.iter().filter(|(_, at)| now.saturating_since(**at) >= SETTLED);
        let (mut arrived, mut expected) = (0, 0);
        for (hash, _) in old {
            arrived += self.arrived.get(hash).map_or(0, BTreeSet::len);
            expected += nodes.len().saturating_sub(1);
        }
        Sample {
            pool_bytes,
            delivered: share(arrived, expected),
            honest_share: share(honest, all),
            kept: share(kept, due),
            demanded: nodes.iter().map(|node| node.min_rating()).max().unwrap_or_default(),
        }
    }

    pub(super) fn outcome(mut self, samples: Vec<Sample>, nodes: usize) -> Outcome {
        self.delays.sort_unstable();
        let at = |of_hundred: usize| {
            self.delays.get(self.delays.len() * of_hundred / 100).copied().unwrap_or_default()
        };
        let sent = self.sent.len() + self.given_up;
        let most_pool_bytes = samples.iter().map(|sample| sample.pool_bytes).max();
        Outcome {
            samples,
            sent,
            delivered: share(self.delays.len(), sent * nodes.saturating_sub(1)),
            median: at(50),
            p99: at(99),
            most_pool_bytes: most_pool_bytes.unwrap_or_default(),
            adversaries_cut: self.adversaries_cut,
            honest_cut: self.honest_cut,
            tries: self.tries / self.sent.len().max(1) as f64,
        }
    }

    fn sent_at(&self, entry: &Entry) -> Option<Timestamp> {
        self.sent.get(entry.envelope().hash().as_bytes()).copied()
    }
}

/// One part of another; all of nothing.
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

/// By then a message is everywhere, if it ever is.
const SETTLED: Duration = Duration::from_secs(3);
