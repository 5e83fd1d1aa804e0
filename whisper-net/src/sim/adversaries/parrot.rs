//! Sends what it hears back again.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::time::Timestamp;

use super::Victims;
use crate::sim::Actor;

/// Sends the last envelopes that it has heard, all of them known, over and over.
#[derive(Debug)]
pub struct Parrot {
    per_second: usize,
    victims: Victims,
    heard: VecDeque<Arc<Envelope>>,
    known: BTreeSet<EnvelopeHash>,
    due: Option<Timestamp>,
}

impl Parrot {
    /// One that sends about so many a second to each victim.
    pub fn new(per_second: usize) -> Self {
        let (heard, known) = (VecDeque::new(), BTreeSet::new());
        Self { per_second, victims: Victims::default(), heard, known, due: None }
    }

    fn hear(&mut self, payload: &[u8]) {
        let Ok(mut envelopes) = packet::check_messages(payload) else { return };
        while let Ok(envelope) = Envelope::read(&mut envelopes) {
            if self.known.insert(envelope.hash()) {
                self.heard.push_back(Arc::new(envelope));
            }
            if self.heard.len() > MEMORY {
                self.heard.pop_front();
            }
        }
    }

    fn repeat(&self) -> Vec<Output> {
        let count = self.per_second / PER_SECOND;
        let envelopes: Vec<_> = self.heard.iter().cycle().take(count).cloned().collect();
        if envelopes.is_empty() {
            return Vec::new();
        }
        let payload = packet::encode_messages(&envelopes);
        self.victims.all(code::MESSAGES, &payload).collect()
    }
}

impl Actor for Parrot {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        if let Input::Received { code: code::MESSAGES, payload, .. } = input {
            self.hear(payload);
        }
        let due = *self.due.get_or_insert(now.saturating_add(TICK));
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            outputs.extend(self.repeat());
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// How often it sends.
const TICK: Duration = Duration::from_millis(100);
const PER_SECOND: usize = 10;
/// How many envelopes it repeats.
const MEMORY: usize = 64;
