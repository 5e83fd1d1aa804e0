//! Returns stems to who sent them.

use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::packet::code;
use whisper_core::time::Timestamp;

use crate::sim::Actor;
use crate::sim::watchers::Notes;
use crate::sim::watchers::Spy;

/// A spy that returns each stem at once as an ordinary envelope, to make its sender believe that it has
/// spread, and passes none on.
#[derive(Debug)]
pub struct Echo {
    node: Node,
    notes: Notes,
}

impl Echo {
    /// One around a node, which should offer to take stems.
    pub fn new(node: Node) -> Self {
        Self { node, notes: Notes::default() }
    }
}

impl Actor for Echo {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        self.notes.take(now, &input);
        let Input::Received { peer, code: code::STEM, payload } = input else {
            return self.node.handle(now, input).collect();
        };
        let mut outputs: Vec<_> = self.node.handle(now, Input::Timeout).collect();
        // Without padding, both packets are a list of envelopes.
        let payload = payload.to_vec();
        outputs.push(Output::Transmit { peer, code: code::MESSAGES, payload });
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.node.poll_timeout()
    }
}

impl Spy for Echo {
    fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }
}
