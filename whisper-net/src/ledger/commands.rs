//! What the steps of an engine ask of its connections.

use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;
use whisper_core::time::Timestamp;

use crate::handler::PeerCommand;
use crate::transport::Goodbye;

/// What is to be done with connections after a step.
#[derive(Default)]
pub(super) struct PeerCommands(Vec<PeerCommand>);

impl PeerCommands {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Notes what an output asks for; an event is left for the engine.
    pub(super) fn note(&mut self, now: Timestamp, output: Output) -> Option<Event> {
        match output {
            Output::Transmit { peer, code, payload } => {
                self.0.push(PeerCommand::Send { peer, code, payload });
            }
            Output::Throttle(peer, until) => {
                self.0.push(PeerCommand::Throttle(peer, until.saturating_since(now)));
            }
            Output::Disconnect(peer, why) => {
                tracing::debug!(reason = %why, "ledger peer disconnected");
                self.0.push(PeerCommand::Disconnect(peer, goodbye(why)));
            }
            Output::Event(event) => return Some(event),
        }
        None
    }

    pub(super) fn take(&mut self) -> Vec<PeerCommand> {
        std::mem::take(&mut self.0)
    }
}

/// The reason that transports give for a violation.
const fn goodbye(why: Violation) -> Goodbye {
    match why {
        Violation::ForeignGenesis => Goodbye::Useless,
        _ => Goodbye::Violation,
    }
}
