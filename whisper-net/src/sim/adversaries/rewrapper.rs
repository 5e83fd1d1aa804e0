//! Sends what others wrote in envelopes of its own (finding F7: nothing binds a message to its
//! envelope).

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::hash::keccak256;
use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;

use super::Victims;
use crate::sim::Actor;

/// Puts each message that it sees into new envelopes, over and over.
#[derive(Debug)]
pub struct Rewrapper {
    ttl: Duration,
    target: Rating,
    copies: u32,
    victims: Victims,
    seen: BTreeSet<[u8; 32]>,
    pending: VecDeque<(Envelope, u32)>,
    due: Option<Timestamp>,
    made: u64,
}

impl Rewrapper {
    /// One that makes `copies` of each message that it sees, one a second, each of which lives for
    /// `ttl` and is rated `target`.
    pub fn new(ttl: Duration, target: Rating, copies: u32) -> Self {
        Self {
            ttl,
            target,
            copies,
            victims: Victims::default(),
            seen: BTreeSet::new(),
            pending: VecDeque::new(),
            due: None,
            made: 0,
        }
    }

    /// How many envelopes it has made.
    pub const fn made(&self) -> u64 {
        self.made
    }
}

impl Rewrapper {
    /// Remembers what others wrote, up to a bound, but not what it made itself.
    fn look_at(&mut self, payload: &[u8]) {
        let Ok(mut envelopes) = packet::check_messages(payload) else { return };
        while let Ok(envelope) = Envelope::read(&mut envelopes) {
            if self.seen.insert(keccak256(envelope.data())) && self.pending.len() < MEMORY {
                self.pending.push_back((envelope, self.copies));
            }
        }
    }

    /// A copy of each message that has some left.
    fn wrap(&mut self, now: Timestamp) -> Vec<Arc<Envelope>> {
        let drafts = self.pending.iter().filter_map(|(envelope, _)| {
            Draft::new(now, self.ttl, envelope.topic(), envelope.data().to_vec()).ok()
        });
        let copies =
            drafts.filter_map(|draft| draft.seal_rated(self.target).ok()).map(Arc::new).collect();
        self.pending.retain_mut(|(_, left)| {
            *left = left.saturating_sub(1);
            *left > 0
        });
        copies
    }
}

impl Actor for Rewrapper {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        if let Input::Received { code: code::MESSAGES, payload, .. } = input {
            self.look_at(payload);
        }
        let due = *self.due.get_or_insert(now.saturating_add(TICK));
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            let copies = self.wrap(now);
            self.made += copies.len() as u64;
            if !copies.is_empty() {
                let payload = packet::encode_messages(&copies);
                outputs.extend(self.victims.all(code::MESSAGES, &payload));
            }
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// How often it sends.
const TICK: Duration = Duration::from_secs(1);
/// How many messages it makes copies of at a time.
const MEMORY: usize = 1_024;
