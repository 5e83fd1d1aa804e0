//! Sends nonsense.

use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::Victims;
use crate::sim::Actor;

/// Sends packets of every kind: random ones, and torn, repeated and changed ones of those that it
/// was sent itself.
#[derive(Debug)]
pub struct Babbler {
    victims: Victims,
    rng: ChaCha20Rng,
    due: Option<Timestamp>,
    heard: Vec<(u8, Vec<u8>)>,
}

impl Babbler {
    /// One that babbles from a seed, once somebody is connected.
    pub fn new(seed: u64) -> Self {
        let rng = ChaCha20Rng::seed_from_u64(seed);
        Self { victims: Victims::default(), rng, due: None, heard: Vec::new() }
    }

    fn babble(&mut self) -> (u8, Vec<u8>) {
        let heard = self.heard.len();
        if heard == 0 || self.below(4) == 0 {
            return self.noise();
        }
        let which = self.below(heard);
        let (code, mut payload) = self.heard[which].clone();
        let at = self.below(payload.len().max(1));
        match self.below(3) {
            0 => payload.truncate(at),
            1 => payload.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1),
            _ => {}
        }
        (code, payload)
    }

    fn noise(&mut self) -> (u8, Vec<u8>) {
        let code = KNOWN[self.below(KNOWN.len())];
        let mut payload = vec![0; self.below(200)];
        self.rng.fill_bytes(&mut payload);
        (code, payload)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.rng.next_u64() % end as u64) as usize
    }

    fn hear(&mut self, code: u8, payload: &[u8]) {
        if self.heard.len() < MEMORY {
            self.heard.push((code, payload.to_vec()));
        } else {
            let at = self.below(MEMORY);
            self.heard[at] = (code, payload.to_vec());
        }
    }
}

impl Actor for Babbler {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        if let Input::Received { code, payload, .. } = input {
            self.hear(code, payload);
        }
        let due = *self.due.get_or_insert(now.saturating_add(TICK));
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            let victims: Vec<PeerId> = self.victims.0.iter().copied().collect();
            for peer in victims {
                let (code, payload) = self.babble();
                outputs.push(Output::Transmit { peer, code, payload });
            }
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// The codes of shh/6 that mean something, and one that does not.
const KNOWN: [u8; 8] = [
    code::STATUS,
    code::MESSAGES,
    code::MIN_RATING,
    code::BLOOM,
    code::BATCH_ACKNOWLEDGED,
    code::MESSAGES_RESPONSE,
    code::DIRECT,
    99,
];
/// How often it speaks.
const TICK: Duration = Duration::from_millis(200);
/// How many packets it remembers.
const MEMORY: usize = 64;
