//! Swallows stems.

use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::packet::code;
use whisper_core::time::Timestamp;

use crate::sim::Actor;
use crate::sim::watchers::Notes;
use crate::sim::watchers::Spy;

/// A spy that passes on no stem: who sent it must help itself, and shows by that what it has.
#[derive(Debug)]
pub struct Hole {
    node: Node,
    notes: Notes,
}

impl Hole {
    /// One around a node, which should offer to take stems.
    pub fn new(node: Node) -> Self {
        Self { node, notes: Notes::default() }
    }
}

impl Actor for Hole {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        self.notes.take(now, &input);
        let input = match input {
            Input::Received { code: code::STEM, .. } => Input::Timeout,
            other => other,
        };
        self.node.handle(now, input).collect()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.node.poll_timeout()
    }
}

impl Spy for Hole {
    fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }
}
