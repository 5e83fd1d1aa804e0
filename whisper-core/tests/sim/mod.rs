//! Whole networks of nodes from one seed, in virtual time.

use std::collections::BTreeMap;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Violation;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

/// Nodes, what is on its way between them, and the time.
pub(crate) struct World {
    now: Timestamp,
    sites: Vec<Site>,
    /// What will happen, in order; of what happens at one moment, what was caused first.
    agenda: BTreeMap<(Timestamp, u64), Happening>,
    causes: u64,
    links: u64,
    slowest: u64,
    rng: ChaCha20Rng,
    /// What the nodes told their applications.
    pub(crate) events: Vec<(Timestamp, usize, Event)>,
    /// Each envelope that was sent: from whom, to whom, which.
    pub(crate) traffic: Vec<(usize, usize, EnvelopeHash)>,
    /// Each envelope that a node admitted from a peer: who, from whom, which.
    pub(crate) origins: Vec<(usize, usize, EnvelopeHash)>,
    /// Who cut whom, and why.
    pub(crate) cuts: Vec<(usize, usize, Violation)>,
}

/// A node and its ends of its connections.
struct Site {
    node: Node,
    ahead: Duration,
    lines: BTreeMap<PeerId, Line>,
}

/// One end of a connection.
struct Line {
    to: usize,
    known_there_as: PeerId,
    /// When the last packet on the way out arrives: none overtakes another.
    arrives: Timestamp,
    /// The end is not read before.
    throttled: Timestamp,
}

enum Happening {
    Received { at: usize, peer: PeerId, code: u8, payload: Vec<u8> },
    Written { at: usize, peer: PeerId, bytes: usize },
    HungUp { at: usize, peer: PeerId },
}

impl World {
    /// An empty world.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::from_secs(1_600_000_000),
            sites: Vec::new(),
            agenda: BTreeMap::new(),
            causes: 0,
            links: 0,
            slowest: 300,
            rng: ChaCha20Rng::seed_from_u64(seed),
            events: Vec::new(),
            traffic: Vec::new(),
            origins: Vec::new(),
            cuts: Vec::new(),
        }
    }

    /// Adds a node whose clock is ahead by that much, and returns its number.
    pub(crate) fn add(&mut self, config: Config, ahead: Duration) -> usize {
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        self.sites.push(Site { node: Node::new(config, secret), ahead, lines: BTreeMap::new() });
        self.sites.len() - 1
    }

    /// Connects two nodes.
    pub(crate) fn connect(&mut self, from: usize, to: usize) {
        let (ours, theirs) = (PeerId::new(self.links), PeerId::new(self.links + 1));
        self.links += 2;
        let ends = [
            (from, ours, Direction::Outbound, to, theirs),
            (to, theirs, Direction::Inbound, from, ours),
        ];
        for (at, peer, _, to, known_there_as) in ends {
            let line = Line { to, known_there_as, arrives: self.now, throttled: self.now };
            self.sites[at].lines.insert(peer, line);
        }
        for (at, peer, direction, ..) in ends {
            self.step(at, Input::Connected { peer, direction });
        }
    }

    /// Cuts every connection between two nodes; what is under way is lost.
    pub(crate) fn disconnect(&mut self, one: usize, other: usize) {
        let lines = self.sites[one].lines.iter();
        let gone: Vec<_> = lines
            .filter(|(_, line)| line.to == other)
            .map(|(peer, line)| (*peer, line.known_there_as))
            .collect();
        for (here, there) in gone {
            self.sites[one].lines.remove(&here);
            self.sites[other].lines.remove(&there);
            self.step(one, Input::Disconnected(here));
            self.step(other, Input::Disconnected(there));
        }
    }

    /// Connects `nodes` so that each can be reached from each, and adds `more` random connections.
    pub(crate) fn connect_at_random(&mut self, nodes: usize, more: usize) {
        for node in 1..nodes {
            let earlier = self.below(node);
            self.connect(node, earlier);
        }
        for _ in 0..more {
            let (one, other) = (self.below(nodes), self.below(nodes));
            if one != other && !self.are_connected(one, other) {
                self.connect(one, other);
            }
        }
    }

    /// Has a node publish an envelope.
    pub(crate) fn publish(&mut self, at: usize, envelope: Envelope) {
        let now = self.time_at(at);
        let outputs = self.sites[at].node.publish(now, envelope);
        let outputs: Vec<_> = outputs.expect("a good envelope is taken").collect();
        self.carry_out(at, outputs);
    }

    /// Lets `span` pass.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        loop {
            let due = self.next_timeout().filter(|(time, _)| *time <= end);
            let happens = self.agenda.keys().next().map(|(time, _)| *time);
            match (happens.filter(|time| *time <= end), due) {
                (Some(time), due) if due.is_none_or(|(due, _)| time <= due) => self.happen(),
                (_, Some((time, at))) => {
                    self.now = self.now.max(time);
                    self.step(at, Input::Timeout);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// The time by the clock of a node.
    pub(crate) fn time_at(&self, at: usize) -> Timestamp {
        self.now.saturating_add(self.sites[at].ahead)
    }

    /// A node, to look at.
    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.sites[at].node
    }

    /// A random number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.rng.next_u64() % end as u64) as usize
    }

    /// How often a node admitted an envelope.
    pub(crate) fn admissions(&self, at: usize, wanted: EnvelopeHash) -> usize {
        let admitted = self.events.iter().filter(|(_, node, event)| {
            *node == at
                && matches!(event, Event::Admitted { envelope, .. } if envelope.hash() == wanted)
        });
        admitted.count()
    }

    fn are_connected(&self, one: usize, other: usize) -> bool {
        self.sites[one].lines.values().any(|line| line.to == other)
    }

    fn next_timeout(&self) -> Option<(Timestamp, usize)> {
        let due = self.sites.iter().enumerate().filter_map(|(at, site)| {
            Some((site.node.poll_timeout()?.saturating_sub(site.ahead), at))
        });
        due.min()
    }

    fn happen(&mut self) {
        let Some(((time, _), happening)) = self.agenda.pop_first() else { return };
        self.now = self.now.max(time);
        match happening {
            Happening::Received { at, peer, code, payload } => {
                let Some(line) = self.sites[at].lines.get(&peer) else { return };
                if line.throttled > self.now {
                    let later = line.throttled;
                    self.schedule(later, Happening::Received { at, peer, code, payload });
                } else {
                    self.step(at, Input::Received { peer, code, payload: &payload });
                }
            }
            Happening::Written { at, peer, bytes } => {
                self.step(at, Input::Written { peer, bytes });
            }
            Happening::HungUp { at, peer } => {
                if self.sites[at].lines.remove(&peer).is_some() {
                    self.step(at, Input::Disconnected(peer));
                }
            }
        }
    }

    fn step(&mut self, at: usize, input: Input<'_>) {
        let now = self.time_at(at);
        let outputs: Vec<_> = self.sites[at].node.handle(now, input).collect();
        let due = self.sites[at].node.poll_timeout();
        assert!(due.is_none_or(|due| due > now), "node {at} would spin after {input:?}");
        self.carry_out(at, outputs);
    }

    fn carry_out(&mut self, at: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit { peer, code, payload } => self.send(at, peer, code, payload),
                Output::Throttle(peer, until) => {
                    let until = until.saturating_sub(self.sites[at].ahead);
                    if let Some(line) = self.sites[at].lines.get_mut(&peer) {
                        line.throttled = until;
                    }
                }
                Output::Disconnect(peer, violation) => {
                    let Some(line) = self.sites[at].lines.remove(&peer) else { continue };
                    self.cuts.push((at, line.to, violation));
                    let there = Happening::HungUp { at: line.to, peer: line.known_there_as };
                    self.schedule(line.arrives.max(self.now), there);
                }
                Output::Event(event) => self.tell(at, event),
                other => panic!("unknown output {other:?}"),
            }
        }
    }

    fn tell(&mut self, at: usize, event: Event) {
        if let Event::Admitted { envelope, from: Some(from) } = &event {
            let from = self.sites[at].lines.get(from).map(|line| line.to);
            self.origins.extend(from.map(|from| (at, from, envelope.hash())));
        }
        self.events.push((self.now, at, event));
    }

    fn send(&mut self, at: usize, peer: PeerId, code: u8, payload: Vec<u8>) {
        let delay = Duration::from_millis(self.rng.next_u64() % self.slowest + 1);
        let Some(line) = self.sites[at].lines.get_mut(&peer) else { return };
        line.arrives = line.arrives.max(self.now.saturating_add(delay));
        let (to, peer_there, arrives) = (line.to, line.known_there_as, line.arrives);
        if code == code::MESSAGES {
            let sent = hashes_in(&payload).into_iter().map(|hash| (at, to, hash));
            self.traffic.extend(sent);
        }
        self.schedule(arrives, Happening::Written { at, peer, bytes: payload.len() });
        self.schedule(arrives, Happening::Received { at: to, peer: peer_there, code, payload });
    }

    fn schedule(&mut self, time: Timestamp, happening: Happening) {
        self.agenda.insert((time, self.causes), happening);
        self.causes += 1;
    }
}

fn hashes_in(payload: &[u8]) -> Vec<EnvelopeHash> {
    let mut rest = packet::check_messages(payload).expect("nodes send what is well-formed");
    let mut hashes = Vec::new();
    while !rest.is_empty() {
        hashes.push(Envelope::read(&mut rest).expect("the packet was checked").hash());
    }
    hashes
}
