//! Reads nothing.

use std::time::Duration;

use whisper_core::node::Input;
use whisper_core::node::Output;
use whisper_core::time::Timestamp;

use super::Victims;
use crate::sim::Actor;

/// Says who it is and then reads nothing more, so that all that is sent to it piles up at who sends.
#[derive(Debug, Default)]
pub struct Deaf(Victims);

impl Actor for Deaf {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        let mut outputs = self.0.follow(&input);
        if let Input::Connected { peer, .. } = input {
            outputs.push(Output::Throttle(peer, now.saturating_add(FOR_EVER)));
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        None
    }
}

/// Ten years.
const FOR_EVER: Duration = Duration::from_secs(10 * 365 * 86_400);
