//! A spy that relays as everybody does.

use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::time::Timestamp;

use super::notes::Notes;
use super::notes::Spy;
use crate::sim::Actor;

/// A node that keeps the rules and notes each copy of an envelope that it is sent.
#[derive(Debug)]
pub struct Watcher {
    node: Node,
    notes: Notes,
}

impl Watcher {
    /// One around a node.
    pub fn new(node: Node) -> Self {
        Self { node, notes: Notes::default() }
    }

    /// The node.
    pub const fn node(&self) -> &Node {
        &self.node
    }
}

impl Actor for Watcher {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        self.notes.take(now, &input);
        self.node.handle(now, input).collect()
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.node.poll_timeout()
    }
}

impl Spy for Watcher {
    fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }
}
