//! Sends stems that no honest node sends.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::hash::keccak256;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;

use crate::sim::Actor;
use crate::sim::watchers::Notes;
use crate::sim::watchers::Spy;

/// A spy that looks for who holds what: each stem that comes it sends on by its rules, and besides to
/// all its peers twice, together with two that carry the same and date from an hour ago and from the
/// edge of what is taken.
#[derive(Debug)]
pub struct Prober {
    node: Node,
    notes: Notes,
    peers: BTreeSet<PeerId>,
    probed: BTreeSet<[u8; 32]>,
}

impl Prober {
    /// One around a node, which should offer to take stems.
    pub fn new(node: Node) -> Self {
        Self { node, notes: Notes::default(), peers: BTreeSet::new(), probed: BTreeSet::new() }
    }

    fn probe(&mut self, now: Timestamp, payload: &[u8]) -> Vec<Output> {
        let envelope = packet::check_messages(payload).and_then(|mut one| Envelope::read(&mut one));
        let Ok(envelope) = envelope else { return Vec::new() };
        // By content, or probers would probe each other for ever.
        if !self.probed.insert(keccak256(envelope.data())) {
            return Vec::new();
        }
        let odd = [now.saturating_sub(HOUR), now.saturating_add(EDGE)];
        let odd = odd.into_iter().filter_map(|issued| redated(&envelope, issued));
        let mut probes = vec![payload.to_vec(), payload.to_vec()];
        probes.extend(odd.map(|envelope| packet::encode_messages(&[Arc::new(envelope)])));
        let to = |peer: &PeerId| {
            let peer = *peer;
            probes.iter().map(move |payload| Output::Transmit {
                peer,
                code: code::STEM,
                payload: payload.clone(),
            })
        };
        self.peers.iter().flat_map(to).collect()
    }
}

impl Actor for Prober {
    fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Vec<Output> {
        self.notes.take(now, &input);
        match input {
            Input::Connected { peer, .. } => drop(self.peers.insert(peer)),
            Input::Disconnected(peer) => drop(self.peers.remove(&peer)),
            _ => {}
        }
        let mut outputs: Vec<_> = self.node.handle(now, input).collect();
        if let Input::Received { code: code::STEM, payload, .. } = input {
            outputs.extend(self.probe(now, payload));
        }
        outputs
    }

    fn poll_timeout(&self) -> Option<Timestamp> {
        self.node.poll_timeout()
    }
}

impl Spy for Prober {
    fn notes_mut(&mut self) -> &mut Notes {
        &mut self.notes
    }
}

/// The same content in an envelope of another date.
fn redated(envelope: &Envelope, issued: Timestamp) -> Option<Envelope> {
    let ttl = Duration::from_secs(envelope.ttl());
    let draft = Draft::new(issued, ttl, envelope.topic(), envelope.data().to_vec()).ok()?;
    draft.seal_rated(Rating::ZERO).ok()
}

const HOUR: Duration = Duration::from_secs(3_600);
/// What clocks may differ by, and nodes tolerate.
const EDGE: Duration = Duration::from_secs(10);
