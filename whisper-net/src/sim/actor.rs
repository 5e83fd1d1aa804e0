//! What takes part in a network.

use std::any::Any;

use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::time::Timestamp;

/// Somebody at a site: a [`Node`], a program around one, or an adversary. The contract is the engine's:
/// one input, and what is to be done about it.
pub trait Actor: Any {
    /// Takes one step, at the time of this site's clock.
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output>;

    /// When to take a step with [`Input::Timeout`]; it must lie later than the last step.
    fn poll_timeout(&self) -> Option<Timestamp>;
}

impl Actor for Node {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        Self::handle(self, now, input).collect()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        Self::poll_timeout(self)
    }
}
