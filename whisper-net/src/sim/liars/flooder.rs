//! Sends more than anybody can hold.

use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::envelope::Envelope;
use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use super::Victims;
use crate::sim::Actor;

/// What a [`Flooder`] sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flood {
    /// How long its envelopes live: at least a second.
    pub ttl: Duration,
    /// How much data one carries, in bytes.
    pub data: usize,
    /// What one is rated.
    pub target: Rating,
    /// How many a second.
    pub per_second: u32,
}

/// Makes valid envelopes as fast as it is told to and sends each to everybody it is connected with.
#[derive(Debug)]
pub struct Flooder {
    flood: Flood,
    victims: Victims,
    rng: ChaCha20Rng,
    due: Option<Timestamp>,
    /// Thousandths of an envelope that are left over from the last time.
    rest: u64,
    made: u64,
}

impl Flooder {
    /// One that sends `flood`, with contents from a seed, once somebody is connected.
    pub fn new(seed: u64, flood: Flood) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { flood, victims: Victims::default(), rng, due: None, rest: 0, made: 0 }
    }

    /// How many envelopes it has made.
    pub const fn made(&self) -> u64 {
        self.made
    }

    fn make(&mut self, now: Timestamp) -> Option<Arc<Envelope>> {
        let mut data = vec![0; self.flood.data];
        self.rng.fill_bytes(&mut data);
        let topic = Topic::random(&mut self.rng);
        let envelope = forge(now, self.flood.ttl, topic, &data, self.flood.target)?;
        self.made += 1;
        Some(Arc::new(envelope))
    }

    fn attack(&mut self, now: Timestamp) -> Vec<Output> {
        let due = self.rest + u64::from(self.flood.per_second) * TICK.as_millis() as u64;
        self.rest = due % 1_000;
        let envelopes: Vec<_> = (0..due / 1_000).filter_map(|_| self.make(now)).collect();
        if envelopes.is_empty() {
            return Vec::new();
        }
        let payload = packet::encode_messages(&envelopes);
        self.victims.all(code::MESSAGES, &payload).collect()
    }
}

impl Actor for Flooder {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        let due = *self.due.get_or_insert(now.saturating_add(TICK));
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            outputs.extend(self.attack(now));
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// An envelope as no [`Draft`](whisper_core::envelope::Draft) makes it: with any lifetime.
fn forge(
    now: Timestamp,
    ttl: Duration,
    topic: Topic,
    data: &[u8],
    target: Rating,
) -> Option<Envelope> {
    let ttl = ttl.as_secs();
    let write = |list: &mut Writer| {
        list.uint(now.as_secs() + ttl).uint(ttl).bytes(topic.as_bytes()).bytes(data);
    };
    let mut prefix = Writer::new();
    prefix.list(write);
    let search = Search::new(prefix.as_bytes());
    // The largest size that anybody rates by.
    let work = target.work_for(prefix.as_bytes().len() + 10, ttl);
    let nonce = search.find(0..u64::MAX, work)?;
    let mut whole = Writer::new();
    whole.list(|list| {
        write(list);
        list.uint(nonce);
    });
    Envelope::decode(whole.as_bytes()).ok()
}

/// How often it sends.
const TICK: Duration = Duration::from_millis(100);
