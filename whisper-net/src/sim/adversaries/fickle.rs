//! Wants something else all the time.

use std::time::Duration;

use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;

use super::Victims;
use crate::sim::Actor;

/// Reads nothing and announces another demand and other topics over and over: each time all that the
/// victim holds is to be lined up for it anew.
#[derive(Debug, Default)]
pub struct Fickle {
    victims: Victims,
    due: Option<Timestamp>,
    wants_all: bool,
}

impl Fickle {
    fn change_mind(&mut self) -> Vec<Output> {
        self.wants_all = !self.wants_all;
        let (demand, bloom) = match self.wants_all {
            true => (Rating::ZERO, Bloom::FULL),
            false => (Rating::DEFAULT_MINIMUM, Bloom::EMPTY),
        };
        let demand = packet::encode_min_rating(demand);
        let demands = self.victims.all(code::MIN_RATING, &demand);
        demands.chain(self.victims.all(code::BLOOM, &packet::encode_bloom(&bloom))).collect()
    }
}

impl Actor for Fickle {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.victims.follow(&input);
        if let Input::Connected { peer, .. } = input {
            outputs.push(Output::Throttle(peer, now.saturating_add(FOR_EVER)));
        }
        let due = *self.due.get_or_insert(now.saturating_add(TICK));
        if due <= now {
            self.due = Some(now.saturating_add(TICK));
            outputs.extend(self.change_mind());
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.due.filter(|_| !self.victims.0.is_empty())
    }
}

/// Ten years.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How often it changes its mind.
const TICK: Duration = Duration::from_millis(100);
