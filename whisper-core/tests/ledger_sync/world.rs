//! Whole nodes and the links between them, in virtual time.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::ledger::Archive;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Template;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LedgerNode;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::forge::Disk;
use crate::forge::Host;
use crate::forge::at;
use crate::forge::identity;
use crate::forge::post;

/// A disk that node and host share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shared(pub(crate) Rc<RefCell<Disk>>);

impl Archive for Shared {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.0.borrow().block(id)
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.0.borrow().undo(id)
    }
}

pub(crate) type Node = LedgerNode<Shared>;

pub(crate) fn node(host: &Host) -> (Node, Shared) {
    let disk = Shared(Rc::new(RefCell::new(host.disk.clone())));
    (LedgerNode::new(host.ledger.clone(), disk.clone()), disk)
}

/// What a node of either kind is to a network.
pub(crate) enum Kind {
    Full(Box<Node>, Shared),
    Light(Box<LightNode>),
}

/// Nodes and the links between them, in virtual time.
pub(crate) struct World {
    pub(crate) now: Timestamp,
    pub(crate) nodes: Vec<Kind>,
    /// By connection at one end: which node, and the connection at the other end.
    pub(crate) ends: BTreeMap<PeerId, (usize, PeerId)>,
    /// Packets under way, by when they arrive and in which order they were sent.
    pub(crate) under_way: BTreeMap<(Timestamp, u64), (PeerId, u8, Vec<u8>)>,
    pub(crate) count: u64,
    pub(crate) events: Vec<(usize, Event)>,
    pub(crate) cut: Vec<(usize, Violation)>,
}

pub(crate) const LATENCY: Duration = Duration::from_millis(40);

impl World {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self {
            now,
            nodes: Vec::new(),
            ends: BTreeMap::new(),
            under_way: BTreeMap::new(),
            count: 0,
            events: Vec::new(),
            cut: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, host: &Host) -> usize {
        let (node, disk) = node(host);
        self.nodes.push(Kind::Full(Box::new(node), disk));
        self.nodes.len() - 1
    }

    pub(crate) fn full(&mut self, index: usize) -> &mut Node {
        match &mut self.nodes[index] {
            Kind::Full(node, _) => node,
            Kind::Light(_) => panic!("node {index} is light"),
        }
    }

    pub(crate) fn connect(&mut self, a: usize, b: usize) -> (PeerId, PeerId) {
        let ids = [0, 1].map(|end| PeerId::new(self.count + end));
        self.count += 2;
        self.ends.insert(ids[0], (a, ids[1]));
        self.ends.insert(ids[1], (b, ids[0]));
        self.step(a, Input::Connected(ids[0]));
        self.step(b, Input::Connected(ids[1]));
        (ids[0], ids[1])
    }

    pub(crate) fn disconnect(&mut self, (a, b): (PeerId, PeerId)) {
        for end in [a, b] {
            if let Some((index, _)) = self.ends.remove(&end) {
                self.step(index, Input::Disconnected(end));
            }
        }
    }

    pub(crate) fn step(&mut self, index: usize, input: Input<'_>) {
        let now = self.now;
        let outputs: Vec<Output> = match &mut self.nodes[index] {
            Kind::Full(node, _) => node.handle(now, input).collect(),
            Kind::Light(node) => node.handle(now, input).collect(),
        };
        self.carry_out(index, outputs);
    }

    pub(crate) fn carry_out(&mut self, index: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Transmit { peer, code, payload } => {
                    self.transmit(index, peer, code, payload);
                }
                Output::Disconnect(peer, violation) => {
                    self.cut.push((index, violation));
                    let other = self.ends.remove(&peer).map(|(_, other)| other);
                    let there = other.and_then(|other| self.ends.remove(&other));
                    if let (Some(other), Some((there, _))) = (other, there) {
                        self.step(there, Input::Disconnected(other));
                    }
                }
                Output::Event(event) => {
                    if let (Kind::Full(_, disk), Event::Chain(update)) =
                        (&self.nodes[index], &event)
                    {
                        disk.0.borrow_mut().write(update);
                    }
                    self.events.push((index, event));
                }
                Output::Throttle(..) => {}
            }
        }
        let due = match &self.nodes[index] {
            Kind::Full(node, _) => node.poll_timeout(),
            Kind::Light(node) => node.poll_timeout(),
        };
        assert!(due.is_none_or(|due| due > self.now), "a deadline lies behind");
    }

    pub(crate) fn transmit(&mut self, index: usize, peer: PeerId, code: u8, payload: Vec<u8>) {
        let bytes = payload.len();
        if let Some((_, other)) = self.ends.get(&peer) {
            self.under_way
                .insert((self.now.saturating_add(LATENCY), self.count), (*other, code, payload));
            self.count += 1;
        }
        // Sockets take everything at once; the outputs of this come with the next step.
        let now = self.now;
        let input = Input::Written { peer, bytes };
        let outputs: Vec<Output> = match &mut self.nodes[index] {
            Kind::Full(node, _) => node.handle(now, input).collect(),
            Kind::Light(node) => node.handle(now, input).collect(),
        };
        self.carry_out(index, outputs);
    }

    /// Something that a peer says that is no node of this world.
    pub(crate) fn hear(&mut self, index: usize, peer: PeerId, message: Message) {
        let code = message.code();
        self.step(index, Input::Received { peer, code, payload: &message.encode() });
    }

    /// Lets time pass: packets arrive and timeouts come, in their order.
    pub(crate) fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        loop {
            let packet = self.under_way.keys().next().copied();
            let timeout = (0..self.nodes.len()).filter_map(|index| self.timeout(index)).min();
            let next =
                packet.map(|(time, _)| time).into_iter().chain(timeout.map(|(time, _)| time));
            let Some(time) = next.min().filter(|time| *time <= end) else { break };
            self.now = time;
            match packet.filter(|(arrives, _)| *arrives == time) {
                Some(key) => {
                    let (end, code, payload) = self.under_way.remove(&key).unwrap();
                    if let Some((index, _)) = self.ends.get(&end).copied() {
                        self.step(index, Input::Received { peer: end, code, payload: &payload });
                    }
                }
                None => self.step(timeout.unwrap().1, Input::Timeout),
            }
        }
        self.now = end;
    }

    pub(crate) fn timeout(&self, index: usize) -> Option<(Timestamp, usize)> {
        let due = match &self.nodes[index] {
            Kind::Full(node, _) => node.poll_timeout(),
            Kind::Light(node) => node.poll_timeout(),
        };
        due.map(|due| (due, index))
    }

    /// Mines a block on a node, with what waits there.
    pub(crate) fn mine(&mut self, index: usize) {
        let now = self.now;
        let node = self.full(index);
        let txs = node.mempool().select(node.ledger());
        let template = Template::new(now, node.ledger(), txs, &[index as u8]).unwrap();
        let block = BlockMiner::new(template).search(100_000).unwrap();
        let outputs: Vec<Output> = node.mined(now, block).unwrap().collect();
        self.carry_out(index, outputs);
    }

    pub(crate) fn submit(&mut self, index: usize, text: &str) {
        let now = self.now;
        let expiry = now.as_secs() as u32 + 7_000;
        let tx = post(&Params::regtest(), &identity(index as u8), expiry, text);
        let outputs: Vec<Output> = self.full(index).submit(now, tx).unwrap().collect();
        self.carry_out(index, outputs);
    }

    pub(crate) fn tip(&mut self, index: usize) -> BlockId {
        self.full(index).ledger().tip().id
    }

    pub(crate) fn agree(&mut self) -> bool {
        let full: Vec<usize> =
            (0..self.nodes.len()).filter(|at| matches!(self.nodes[*at], Kind::Full(..))).collect();
        let tips: Vec<BlockId> = full.into_iter().map(|at| self.tip(at)).collect();
        tips.windows(2).all(|pair| pair[0] == pair[1])
    }
}

pub(crate) fn start() -> Timestamp {
    at(Host::regtest().time() + 100_000)
}

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
