//! Sends more than anybody can hold.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::envelope::Envelope;
use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::node::Violation;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
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
    /// What one is rated, or more while a victim demands more.
    pub target: Rating,
    /// How many a second, if it can afford them.
    pub per_second: u32,
    /// How many tries a second it can make.
    pub power: u64,
    /// How long ago they say to be made: those that lived for less have expired.
    pub age: Duration,
    /// How long it stays with a victim until it hangs up, to come back as somebody new.
    pub stay: Option<Duration>,
}

impl Default for Flood {
    /// Empty envelopes of any rating that live for ten seconds, a hundred a second.
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(10),
            data: 0,
            target: Rating::ZERO,
            per_second: 100,
            power: 1_000_000,
            age: Duration::ZERO,
            stay: None,
        }
    }
}

/// Makes valid envelopes as fast as it is told to and sends each to everybody it is connected with.
/// It pays what its victims demand, as long as it can.
#[derive(Debug)]
pub struct Flooder {
    flood: Flood,
    victims: Victims,
    rng: ChaCha20Rng,
    due: Option<Timestamp>,
    demanded: BTreeMap<PeerId, Rating>,
    /// When it hangs up.
    leaves: Option<Timestamp>,
    /// Thousandths of an envelope that it may still make.
    envelopes: u64,
    /// Tries that it may still make; it goes into debt by one envelope.
    tries: f64,
    made: u64,
}

impl Flooder {
    /// One that sends `flood`, with contents from a seed, once somebody is connected.
    pub fn new(seed: u64, flood: Flood) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self {
            flood,
            victims: Victims::default(),
            rng,
            due: None,
            demanded: BTreeMap::new(),
            leaves: None,
            envelopes: 0,
            tries: 0.0,
            made: 0,
        }
    }

    /// How many envelopes it has made.
    pub const fn made(&self) -> u64 {
        self.made
    }

    /// Listens to what its victims demand.
    fn listen(&mut self, input: &Input<'_>) {
        match *input {
            Input::Received { peer, code: code::STATUS, payload } => {
                let status = Status::decode(payload);
                self.demanded.extend(status.map(|status| (peer, status.min_rating)));
            }
            Input::Received { peer, code: code::MIN_RATING, payload } => {
                self.demanded.extend(packet::decode_min_rating(payload).map(|min| (peer, min)));
            }
            Input::Disconnected(peer) => {
                self.demanded.remove(&peer);
            }
            _ => {}
        }
    }

    /// As many as it may make and can afford by now.
    fn make_all(&mut self, now: Timestamp) -> Vec<Arc<Envelope>> {
        let demanded = self.demanded.values().copied().max().unwrap_or_default();
        let target = self.flood.target.max(demanded);
        self.envelopes += u64::from(self.flood.per_second) * TICK.as_millis() as u64;
        self.tries += self.flood.power as f64 * TICK.as_secs_f64();
        let mut made = Vec::new();
        while self.envelopes >= 1_000 && self.tries >= 0.0 {
            let Some((envelope, tries)) = self.make(now, target) else { break };
            self.envelopes -= 1_000;
            self.tries -= tries;
            made.push(Arc::new(envelope));
        }
        // What it could not afford it does not catch up on.
        self.envelopes %= 1_000;
        self.tries = self.tries.min(self.flood.power as f64);
        self.made += made.len() as u64;
        made
    }

    /// An envelope as no [`Draft`](whisper_core::envelope::Draft) makes it, with any lifetime, and the
    /// tries that it takes on average.
    fn make(&mut self, now: Timestamp, target: Rating) -> Option<(Envelope, f64)> {
        let mut data = vec![0; self.flood.data];
        self.rng.fill_bytes(&mut data);
        let (topic, ttl) = (Topic::random(&mut self.rng), self.flood.ttl.as_secs());
        let issued = now.saturating_sub(self.flood.age).as_secs();
        let write = |list: &mut Writer| {
            list.uint(issued + ttl).uint(ttl).bytes(topic.as_bytes()).bytes(&data);
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
        let envelope = Envelope::decode(whole.as_bytes()).ok()?;
        Some((envelope, work.expected_tries()))
    }

    fn attack(&mut self, now: Timestamp) -> Vec<Output> {
        let envelopes = self.make_all(now);
        if envelopes.is_empty() {
            return Vec::new();
        }
        let payload = packet::encode_messages(&envelopes);
        self.victims.all(code::MESSAGES, &payload).collect()
    }

    /// Leaves all at once, when it has stayed for long enough.
    fn hang_up(&mut self, now: Timestamp) -> Vec<Output> {
        let Some(stay) = self.flood.stay.filter(|_| !self.victims.0.is_empty()) else {
            self.leaves = None;
            return Vec::new();
        };
        if *self.leaves.get_or_insert(now.saturating_add(stay)) > now {
            return Vec::new();
        }
        self.leaves = None;
        let victims = std::mem::take(&mut self.victims.0).into_iter();
        victims.map(|peer| Output::Disconnect(peer, Violation::Unwanted)).collect()
    }
}

impl Actor for Flooder {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        self.listen(&input);
        let due = match self.due {
            Some(due) => due,
            // Not all at the same moment.
            None => {
                let part = self.rng.next_u64() % TICK.as_millis() as u64;
                now.saturating_add(Duration::from_millis(part + 1))
            }
        };
        self.due = Some(due);
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            outputs.extend(self.attack(now));
            outputs.extend(self.hang_up(now));
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// How often it sends.
const TICK: Duration = Duration::from_millis(100);
