//! Ledgers among others: whole nodes in virtual time, and single ones against peers that lie.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod forge;
mod support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::ledger::Archive;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Handle;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::Item;
use whisper_core::ledger::Keccak;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Message;
use whisper_core::ledger::Miner;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Question;
use whisper_core::ledger::Status;
use whisper_core::ledger::Template;
use whisper_core::ledger::TxId;
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
use crate::forge::register;

/// A disk that node and host share.
#[derive(Clone, Debug, Default)]
struct Shared(Rc<RefCell<Disk>>);

impl Archive for Shared {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.0.borrow().block(id)
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.0.borrow().undo(id)
    }
}

type Node = LedgerNode<Shared>;

fn node(host: &Host) -> (Node, Shared) {
    let disk = Shared(Rc::new(RefCell::new(host.disk.clone())));
    (LedgerNode::new(host.ledger.clone(), disk.clone()), disk)
}

/// What a node of either kind is to a network.
enum Kind {
    Full(Box<Node>, Shared),
    Light(Box<LightNode>),
}

/// Nodes and the links between them, in virtual time.
struct World {
    now: Timestamp,
    nodes: Vec<Kind>,
    /// By connection at one end: which node, and the connection at the other end.
    ends: BTreeMap<PeerId, (usize, PeerId)>,
    /// Packets under way, by when they arrive and in which order they were sent.
    under_way: BTreeMap<(Timestamp, u64), (PeerId, u8, Vec<u8>)>,
    count: u64,
    events: Vec<(usize, Event)>,
    cut: Vec<(usize, Violation)>,
}

const LATENCY: Duration = Duration::from_millis(40);

impl World {
    fn new(now: Timestamp) -> Self {
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

    fn add(&mut self, host: &Host) -> usize {
        let (node, disk) = node(host);
        self.nodes.push(Kind::Full(Box::new(node), disk));
        self.nodes.len() - 1
    }

    fn full(&mut self, index: usize) -> &mut Node {
        match &mut self.nodes[index] {
            Kind::Full(node, _) => node,
            Kind::Light(_) => panic!("node {index} is light"),
        }
    }

    fn connect(&mut self, a: usize, b: usize) -> (PeerId, PeerId) {
        let ids = [0, 1].map(|end| PeerId::new(self.count + end));
        self.count += 2;
        self.ends.insert(ids[0], (a, ids[1]));
        self.ends.insert(ids[1], (b, ids[0]));
        self.step(a, Input::Connected(ids[0]));
        self.step(b, Input::Connected(ids[1]));
        (ids[0], ids[1])
    }

    fn disconnect(&mut self, (a, b): (PeerId, PeerId)) {
        for end in [a, b] {
            if let Some((index, _)) = self.ends.remove(&end) {
                self.step(index, Input::Disconnected(end));
            }
        }
    }

    fn step(&mut self, index: usize, input: Input<'_>) {
        let now = self.now;
        let outputs: Vec<Output> = match &mut self.nodes[index] {
            Kind::Full(node, _) => node.handle(now, input).collect(),
            Kind::Light(node) => node.handle(now, input).collect(),
        };
        self.carry_out(index, outputs);
    }

    fn carry_out(&mut self, index: usize, outputs: Vec<Output>) {
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
                _ => {}
            }
        }
        let due = match &self.nodes[index] {
            Kind::Full(node, _) => node.poll_timeout(),
            Kind::Light(node) => node.poll_timeout(),
        };
        assert!(due.is_none_or(|due| due > self.now), "a deadline lies behind");
    }

    fn transmit(&mut self, index: usize, peer: PeerId, code: u8, payload: Vec<u8>) {
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

    /// Something that a peer says who is no node of this world.
    fn hear(&mut self, index: usize, peer: PeerId, message: Message) {
        let code = message.code();
        self.step(index, Input::Received { peer, code, payload: &message.encode() });
    }

    /// Lets time pass: packets arrive and timeouts come, in their order.
    fn run(&mut self, span: Duration) {
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

    fn timeout(&self, index: usize) -> Option<(Timestamp, usize)> {
        let due = match &self.nodes[index] {
            Kind::Full(node, _) => node.poll_timeout(),
            Kind::Light(node) => node.poll_timeout(),
        };
        due.map(|due| (due, index))
    }

    /// Mines a block on a node, with what waits there.
    fn mine(&mut self, index: usize) {
        let now = self.now;
        let node = self.full(index);
        let txs = node.mempool().select(node.ledger());
        let template = Template::new(now, node.ledger(), txs, &[index as u8]).unwrap();
        let block = Miner::new(template).search(100_000).unwrap();
        let outputs: Vec<Output> = node.mined(now, block).unwrap().collect();
        self.carry_out(index, outputs);
    }

    fn submit(&mut self, index: usize, text: &str) {
        let now = self.now;
        let expiry = now.as_secs() as u32 + 7_000;
        let tx = post(&Params::regtest(), &identity(index as u8), expiry, text);
        let outputs: Vec<Output> = self.full(index).submit(now, tx).unwrap().collect();
        self.carry_out(index, outputs);
    }

    fn tip(&mut self, index: usize) -> BlockId {
        self.full(index).ledger().tip().id
    }

    fn agree(&mut self) -> bool {
        let full: Vec<usize> =
            (0..self.nodes.len()).filter(|at| matches!(self.nodes[*at], Kind::Full(..))).collect();
        let tips: Vec<BlockId> = full.into_iter().map(|at| self.tip(at)).collect();
        tips.windows(2).all(|pair| pair[0] == pair[1])
    }
}

fn start() -> Timestamp {
    at(Host::regtest().time() + 100_000)
}

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn nodes_that_mine_against_each_other_agree_and_heal_after_a_partition() {
    let mut world = World::new(start());
    let host = Host::regtest();
    let nodes: Vec<usize> = (0..3).map(|_| world.add(&host)).collect();
    world.connect(0, 1);
    let bridge = world.connect(1, 2);
    world.submit(0, "before the split");
    for turn in 0..12 {
        world.mine(nodes[turn % 3]);
        world.run(MINUTE);
        assert!(world.agree(), "turn {turn}");
    }
    assert!(world.full(2).mempool().is_empty(), "what was posted stands in a block");
    world.disconnect(bridge);
    world.submit(2, "on the weaker side");
    for turn in 0..9 {
        world.mine(turn % 2);
        if turn % 2 == 0 {
            world.mine(2);
        }
        world.run(MINUTE);
    }
    assert!(!world.agree());
    let heavier = world.tip(0);
    world.connect(0, 2);
    world.run(MINUTE);
    assert!(world.agree() && world.tip(2) == heavier);
    let moved = world.events.iter().any(|(index, event)| {
        matches!(event, Event::Chain(update) if *index == 2 && update.disconnected.len() == 5)
    });
    assert!(moved, "the update says what was taken back");
    assert_eq!(world.full(2).mempool().len(), 1, "and what it held waits again");
    world.mine(2);
    world.run(MINUTE);
    assert!(world.agree() && world.full(0).mempool().is_empty());
    assert_eq!(world.cut, []);
}

/// A header costs its maker a block's work, and its body can be withheld for nothing. Whoever does that
/// must not gain more than the block.
#[test]
fn a_block_whose_body_is_withheld_hides_no_other_of_its_height() {
    let host = Host::regtest();
    let mut world = World::new(start());
    let miners = [world.add(&host), world.add(&host)];
    world.connect(0, 1);
    let withheld = *host.next(60, &[]).header();
    let genesis = host.ledger.params().genesis_id();
    let (tip, work) = (withheld.id::<Keccak>(), ChainWork::from(4));
    for (miner, ghost) in miners.into_iter().zip([1_000, 1_001].map(PeerId::new)) {
        world.step(miner, Input::Connected(ghost));
        world.hear(miner, ghost, Message::Status(Status { genesis, tip, height: 1, work }));
        world.hear(miner, ghost, Message::Headers(vec![withheld]));
        world.hear(miner, ghost, Message::NotFound(Item::Block(tip)));
        assert_eq!(world.full(miner).ledger().headers().tip().id, tip);
    }
    world.mine(0);
    world.run(MINUTE);
    assert!(world.tip(0) != genesis && world.agree(), "the other is told, and takes it");
    let late = world.add(&host);
    world.connect(late, 1);
    world.run(MINUTE);
    assert!(world.agree(), "and whoever comes now is shown the chain that there are blocks of");
    world.mine(1);
    world.run(MINUTE);
    assert!(world.agree());
    assert_eq!(world.cut, []);
}

/// Whoever changes to a heavier chain may be the only one there who knows what its own one held.
#[test]
fn what_leaves_the_chain_is_told_to_others_so_that_they_mine_it() {
    let host = Host::regtest();
    let mut world = World::new(start());
    for _ in 0..2 {
        world.add(&host);
    }
    world.submit(1, "on the weaker side");
    world.mine(1);
    for _ in 0..2 {
        world.mine(0);
        world.run(MINUTE);
    }
    world.connect(0, 1);
    world.run(MINUTE);
    assert!(world.agree());
    assert_eq!(world.full(0).mempool().len(), 1);
    world.mine(0);
    world.run(MINUTE);
    assert!(world.agree() && world.full(1).mempool().is_empty());
    assert_eq!(world.cut, []);
}

#[test]
fn a_new_node_fetches_two_thousand_blocks_from_all_who_have_them() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    for number in 0..2_100u32 {
        let txs = (number % 50 == 0)
            .then(|| post(&params, &identity(1), host.time() + 900, &number.to_string()));
        host.grow(30, txs.as_slice());
    }
    let mut world = World::new(at(host.time() + 60));
    let nodes = [world.add(&host), world.add(&host), world.add(&Host::regtest())];
    world.connect(nodes[2], nodes[0]);
    world.connect(nodes[2], nodes[1]);
    world.run(Duration::from_secs(120));
    assert!(world.agree());
    assert_eq!(world.full(2).ledger().tip().height, 2_100);
    assert_eq!(world.full(2).ledger().directory().root(), host.ledger.directory().root());
    let Kind::Full(_, disk) = &world.nodes[2] else { panic!("a full node") };
    assert_eq!(disk.0.borrow().chain, host.disk.chain);
    assert_eq!(world.cut, []);
}

/// CH8: a branch that leaves more than 2,880 blocks back comes in when it has more work.
#[test]
fn ch8_a_node_changes_to_a_deep_branch_with_more_work() {
    let (mut weak, mut strong) = (Host::regtest(), Host::regtest());
    weak.grow_empty(2_950, 30);
    strong.grow_empty(3_000, 31);
    let mut world = World::new(at(strong.time() + 60));
    let nodes = [world.add(&weak), world.add(&strong), world.add(&weak)];
    world.connect(nodes[0], nodes[1]);
    world.connect(nodes[0], nodes[2]);
    world.run(Duration::from_secs(300));
    assert!(world.agree());
    assert_eq!(world.tip(0), strong.ledger.tip().id);
    assert_eq!(world.cut, []);
    let deep = world.events.iter().filter(|(_, event)| *event == Event::DeepReorg { depth: 2_950 });
    assert_eq!(deep.count(), 2);
}

#[test]
fn a_light_node_learns_a_key_without_a_block() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let claim = (Operation::Claim, 0, NextKey::NONE, "alice");
    let claim = register(&params, &identity(7), host.time() + 900, claim);
    host.grow(60, std::slice::from_ref(&claim));
    let block = host.ledger.tip().id;
    host.grow_empty(40, 60);
    let mut world = World::new(at(host.time() + 60));
    let full = world.add(&host);
    let client = LightClient::new(params).unwrap();
    world.nodes.push(Kind::Light(Box::new(LightNode::new(client))));
    world.connect(1, full);
    world.run(MINUTE);
    let tip = host.ledger.tip();
    assert!(world.events.contains(&(1, Event::Tip { id: tip.id, height: 41 })));
    let alice: Handle = "alice".parse().unwrap();
    let questions = [
        Question::Handle(tip.id, alice),
        Question::Handle(tip.id, "nobody".parse().unwrap()),
        Question::Tx(block, claim.id()),
        Question::Tx(tip.id, claim.id()),
    ];
    let now = world.now;
    for question in questions {
        let Kind::Light(light) = &mut world.nodes[1] else { panic!("a light node") };
        let outputs: Vec<Output> = light.ask(now, question).collect();
        world.carry_out(1, outputs);
    }
    world.run(MINUTE);
    let mut answered = 0;
    for (_, event) in &world.events {
        match event {
            Event::Answered { question, proven, .. } => {
                assert_eq!(proven.confirmations, 42 - proven.height);
                assert!(questions[..3].contains(question));
                answered += 1;
            }
            Event::Unanswered(question) => assert_eq!(*question, questions[3]),
            _ => {}
        }
    }
    assert_eq!(answered, 3);
    assert_eq!(world.cut, []);
}

#[test]
fn a_peer_is_not_to_blame_for_a_proof_from_a_block_that_the_chain_has_left() {
    let (mut weak, mut strong) = (Host::regtest(), Host::regtest());
    weak.grow_empty(2, 60);
    strong.grow_empty(3, 61);
    let mut world = World::new(at(strong.time() + 60));
    let nodes = [world.add(&weak), world.add(&strong)];
    let client = LightClient::new(Params::regtest()).unwrap();
    world.nodes.push(Kind::Light(Box::new(LightNode::new(client))));
    world.connect(2, nodes[0]);
    world.run(MINUTE);
    let ask = |world: &mut World, question| {
        let now = world.now;
        let Kind::Light(light) = &mut world.nodes[2] else { panic!("a light node") };
        let outputs: Vec<Output> = light.ask(now, question).collect();
        world.carry_out(2, outputs);
    };
    let question = Question::Handle(weak.ledger.tip().id, "alice".parse().unwrap());
    // The proof is under way while the other's headers come in.
    world.connect(2, nodes[1]);
    world.run(LATENCY * 2);
    ask(&mut world, question);
    world.run(MINUTE);
    let tip = strong.ledger.tip();
    let is_told = |event: &Event| world.events.iter().any(|(_, told)| told == event);
    assert!(is_told(&Event::Tip { id: tip.id, height: 3 }));
    assert!(is_told(&Event::Unanswered(question)));
    // Nor is one asked about a block that left before.
    let told = world.events.len();
    ask(&mut world, question);
    assert_eq!(world.events[told..], [(2, Event::Unanswered(question))]);
    assert_eq!(world.cut, []);
}

// --- One node against peers that lie.

const PEER: PeerId = PeerId::new(1);
const OTHER: PeerId = PeerId::new(2);

struct Single {
    node: Node,
    now: Timestamp,
    /// Whether its peers take what it sends.
    taken: bool,
}

impl Single {
    fn new(host: &Host) -> Self {
        Self { node: node(host).0, now: at(host.time() + 10_000), taken: true }
    }

    fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        let mut outputs: Vec<Output> = self.node.handle(self.now, input).collect();
        let sent: Vec<(PeerId, usize)> = outputs
            .iter()
            .filter_map(|output| match output {
                Output::Transmit { peer, payload, .. } => Some((*peer, payload.len())),
                _ => None,
            })
            .collect();
        for (peer, bytes) in sent.into_iter().filter(|_| self.taken) {
            outputs.extend(self.node.handle(self.now, Input::Written { peer, bytes }));
        }
        assert!(self.node.poll_timeout().is_none_or(|due| due > self.now));
        outputs
    }

    fn say(&mut self, peer: PeerId, message: Message) -> Vec<Output> {
        let code = message.code();
        self.step(Input::Received { peer, code, payload: &message.encode() })
    }

    /// A peer that says it has this much.
    fn greet(&mut self, peer: PeerId, work: u128, height: u32) -> Vec<Output> {
        self.step(Input::Connected(peer));
        let genesis = self.node.ledger().params().genesis_id();
        let tip = BlockId::new([9; 32]);
        self.say(peer, Message::Status(Status { genesis, tip, height, work: work.into() }))
    }

    fn wait(&mut self, secs: u64) -> Vec<Output> {
        self.now = self.now.saturating_add(Duration::from_secs(secs));
        self.step(Input::Timeout)
    }
}

fn sent(outputs: &[Output], to: PeerId) -> Vec<Message> {
    let own = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, payload } if *peer == to => Some((*code, payload)),
        _ => None,
    });
    own.map(|(code, payload)| Message::decode(code, payload).unwrap()).collect()
}

fn cut(outputs: &[Output]) -> Option<Violation> {
    outputs.iter().find_map(|output| match output {
        Output::Disconnect(_, violation) => Some(*violation),
        _ => None,
    })
}

#[test]
fn greetings_are_kept_in_order_and_may_come_late() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    let hello = single.step(Input::Connected(PEER));
    let status = Message::Status(Status {
        genesis: host.ledger.params().genesis_id(),
        tip: host.ledger.tip().id,
        height: 0,
        work: ChainWork::from(2),
    });
    assert_eq!(sent(&hello, PEER), std::slice::from_ref(&status));
    assert_eq!(single.step(Input::Connected(PEER)), [], "once is enough");
    assert_eq!(cut(&single.say(PEER, Message::Inv(Vec::new()))), Some(Violation::StatusOrder));
    assert_eq!(single.say(PEER, Message::Inv(Vec::new())), [], "forgotten");
    single.step(Input::Connected(OTHER));
    assert_eq!(
        single.wait(3_600),
        [],
        "who says nothing may be silent because it has no ledger yet"
    );
    assert_eq!(cut(&single.greet(OTHER, 2, 0)), None);
    let third = PeerId::new(3);
    single.step(Input::Connected(third));
    assert_eq!(cut(&single.say(third, status.clone())), None);
    assert_eq!(cut(&single.say(third, status)), Some(Violation::StatusOrder));
    let foreign = PeerId::new(4);
    single.step(Input::Connected(foreign));
    let genesis = Params::test().genesis_id();
    let other = Status { genesis, tip: genesis, height: 0, work: ChainWork::ZERO };
    assert_eq!(cut(&single.say(foreign, Message::Status(other))), Some(Violation::ForeignGenesis));
    single.greet(PeerId::new(5), 2, 0);
    let input = Input::Received { peer: PeerId::new(5), code: 31, payload: &[] };
    assert_eq!(cut(&single.step(input)), Some(Violation::Malformed));
}

/// A longer chain than the node has, to be given to it bit by bit.
fn longer() -> (Host, Vec<Header>, Vec<Block<whisper_core::ledger::Unchecked>>) {
    let mut host = Host::regtest();
    host.grow_empty(40, 60);
    let blocks: Vec<_> = host
        .disk
        .chain
        .iter()
        .map(|id| Block::decode(host.disk.blocks[id].clone()).unwrap())
        .collect();
    let headers = blocks.iter().map(|block| *block.header()).collect();
    (host, headers, blocks)
}

fn asked(messages: &[Message]) -> Vec<BlockId> {
    let lists = messages.iter().filter_map(|message| match message {
        Message::GetBlocks(ids) => Some(ids.clone()),
        _ => None,
    });
    lists.flatten().collect()
}

/// CH18: each block is waited for ten seconds; then it goes to another peer, and who lets blocks
/// wait again and again is cut.
#[test]
fn ch18_blocks_of_a_silent_peer_go_to_the_other() {
    let (host, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(headers));
    let mut silent = asked(&sent(&outputs, PEER));
    let known: BTreeMap<BlockId, _> = blocks.iter().map(|block| (block.id(), block)).collect();
    let mut answers: Vec<BlockId> = asked(&sent(&single.greet(OTHER, 82, 40), OTHER));
    let mut cut_at = None;
    for second in 0..60 {
        let mut outputs = Vec::new();
        for id in std::mem::take(&mut answers) {
            outputs.extend(single.say(OTHER, Message::Block(known[&id].bytes().to_vec())));
        }
        outputs.extend(single.wait(1));
        answers = asked(&sent(&outputs, OTHER));
        silent.extend(asked(&sent(&outputs, PEER)));
        if let Some(violation) = cut(&outputs) {
            assert_eq!(violation, Violation::Stalled);
            cut_at.get_or_insert(second);
        }
    }
    assert!(cut_at.is_some_and(|second| (20..40).contains(&second)), "{cut_at:?}");
    assert_eq!(single.node.ledger().tip().id, host.ledger.tip().id);
}

#[test]
fn a_wrong_body_costs_the_peer_and_not_the_block() {
    let (host, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    let mut wrong = blocks[0].bytes().to_vec();
    *wrong.last_mut().unwrap() ^= 1;
    let outputs = single.say(PEER, Message::Block(wrong));
    assert!(matches!(cut(&outputs), Some(Violation::Body(_))));
    let outputs = single.greet(OTHER, 82, 40);
    let ids = asked(&sent(&outputs, OTHER));
    assert_eq!(ids, [host.disk.chain[0]], "the block is asked for again");
    let outputs = single.say(OTHER, Message::Block(blocks[0].bytes().to_vec()));
    assert!(outputs.iter().any(|output| matches!(output, Output::Event(Event::Chain(_)))));
}

#[test]
fn invalid_headers_blocks_and_transactions_cost_the_peer() {
    let (host, headers, _) = longer();
    let params = host.ledger.params();
    let wrong = Header { time: 0, ..headers[0] };
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(vec![headers[0], wrong]));
    assert!(matches!(cut(&outputs), Some(Violation::Header(_))), "{outputs:?}");
    assert_eq!(single.node.ledger().headers().tip().height, 1, "what was good stays");

    let fresh = Host::regtest();
    let mut bad = forge::Forge::new(&fresh.ledger, fresh.time() + 60, Vec::new());
    bad.seal.directory_root = [1; 32];
    let bad = bad.block(params);
    let mut single = Single::new(&fresh);
    single.greet(PEER, 82, 40);
    single.say(PEER, Message::Headers(vec![*bad.header()]));
    let outputs = single.say(PEER, Message::Block(bad.bytes().to_vec()));
    assert!(matches!(cut(&outputs), Some(Violation::Block(_))));
    single.greet(OTHER, 82, 40);
    let outputs = single.say(OTHER, Message::Headers(vec![*bad.header()]));
    assert_eq!(asked(&sent(&outputs, OTHER)), [], "it is not fetched again");

    let mut single = Single::new(&fresh);
    let time = single.now.as_secs() as u32;
    let good = post(params, &identity(1), time + 600, "hello");
    single.greet(PEER, 2, 0);
    let outputs = single.say(PEER, Message::Inv(vec![Item::Tx(good.id())]));
    assert_eq!(sent(&outputs, PEER), [Message::GetTxs(vec![good.id()])]);
    single.greet(OTHER, 2, 0);
    let outputs = single.say(OTHER, Message::Inv(vec![Item::Tx(good.id())]));
    assert_eq!(sent(&outputs, OTHER), [], "one is asked at a time");
    let mut forged = good.as_bytes().to_vec();
    *forged.last_mut().unwrap() ^= 1;
    let outputs = single.say(PEER, Message::Tx(forged));
    assert!(matches!(cut(&outputs), Some(Violation::Tx(_))));
    assert_eq!(sent(&outputs, OTHER), [Message::GetTxs(vec![good.id()])], "now the next one is");
    let outputs = single.say(OTHER, Message::Tx(good.as_bytes().to_vec()));
    assert!(outputs.contains(&Output::Event(Event::Pending(good.id()))));
}

/// It may have been kept without a look at it, as every block is that lies beside the chain.
#[test]
fn who_gives_the_last_block_does_not_pay_for_an_invalid_one_before_it() {
    let mut host = Host::regtest();
    let params = host.ledger.params().clone();
    let mut bad = forge::Forge::new(&host.ledger, host.time() + 61, Vec::new());
    bad.seal.directory_root = [1; 32];
    let mut next = bad.clone();
    let bad = bad.block(&params);
    (next.header.parent, next.header.time) = (bad.id(), host.time() + 122);
    next.seal.height = 2;
    let next = next.block(&params);
    let tip = host.grow(60, &[]);
    let mut single = Single::new(&host);
    single.greet(PEER, 6, 2);
    single.greet(OTHER, 6, 2);
    let outputs = single.say(PEER, Message::Headers(vec![*bad.header(), *next.header()]));
    assert_eq!(asked(&sent(&outputs, PEER)), [bad.id()]);
    assert_eq!(asked(&sent(&outputs, OTHER)), [next.id()]);
    assert_eq!(cut(&single.say(PEER, Message::Block(bad.bytes().to_vec()))), None);
    assert_eq!(cut(&single.say(OTHER, Message::Block(next.bytes().to_vec()))), None);
    let ledger = single.node.ledger();
    assert!(ledger.headers().is_refused(&bad.id()) && ledger.headers().tip().id == tip);
    assert_eq!(ledger.tip().id, tip);
}

/// Headers do not show that a block is invalid: whoever has not seen the block may hand them on.
#[test]
fn headers_of_a_refused_branch_count_against_a_peer_that_goes_on_with_them() {
    let host = Host::regtest();
    let mut bad = forge::Forge::new(&host.ledger, host.time() + 60, Vec::new());
    bad.seal.directory_root = [1; 32];
    let bad = bad.block(host.ledger.params());
    let mut single = Single::new(&host);
    single.greet(PEER, 4, 1);
    single.say(PEER, Message::Headers(vec![*bad.header()]));
    let outputs = single.say(PEER, Message::Block(bad.bytes().to_vec()));
    assert!(matches!(cut(&outputs), Some(Violation::Block(_))));
    single.greet(OTHER, 4, 1);
    for round in 0..3 {
        let outputs = single.say(OTHER, Message::Headers(vec![*bad.header()]));
        let refused = Violation::Header(HeaderError::Refused);
        assert_eq!(cut(&outputs), (round == 2).then_some(refused));
        assert_eq!(asked(&sent(&outputs, OTHER)), [], "it is not fetched again");
        single.say(OTHER, Message::Inv(vec![Item::Block(BlockId::new([round; 32]))]));
    }
}

/// Who announces transactions and does not give them delays them, and is cut; nobody can keep others
/// from telling.
#[test]
fn a_transaction_that_one_peer_withholds_comes_from_the_next() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    let time = single.now.as_secs() as u32;
    let tx = post(host.ledger.params(), &identity(1), time + 600, "hello");
    single.greet(PEER, 2, 0);
    single.greet(OTHER, 2, 0);
    let junk =
        |round: u8| (0..999u16).map(move |at| [[round; 30].as_slice(), &at.to_le_bytes()].concat());
    let junk = |round| junk(round).map(|id| Item::Tx(TxId::new(id.try_into().unwrap())));
    let offer = [Item::Tx(tx.id())].into_iter().chain(junk(0xff)).collect();
    let asked: usize = sent(&single.say(PEER, Message::Inv(offer)), PEER).iter().map(wanted).sum();
    assert_eq!(asked, 128, "no more than that at a time");
    assert_eq!(sent(&single.say(OTHER, Message::Inv(vec![Item::Tx(tx.id())])), OTHER), []);
    let outputs = single.wait(10);
    assert_eq!(sent(&outputs, OTHER), [Message::GetTxs(vec![tx.id()])]);
    // What comes late is taken all the same.
    let outputs = single.say(PEER, Message::Tx(tx.as_bytes().to_vec()));
    assert!(outputs.contains(&Output::Event(Event::Pending(tx.id()))));
    assert_eq!(cut(&single.say(OTHER, Message::NotFound(Item::Tx(tx.id())))), None);
    let stalled = (0..3).find_map(|_| cut(&single.wait(10)));
    assert_eq!(stalled, Some(Violation::Stalled));
    assert_eq!(single.node.peers().count(), 1);
}

fn wanted(message: &Message) -> usize {
    match message {
        Message::GetTxs(ids) => ids.len(),
        _ => 0,
    }
}

/// CH4: a header from the future is asked for again when its time has come.
#[test]
fn ch4_a_header_from_the_future_comes_in_later() {
    let (mut ahead, host) = (Host::regtest(), Host::regtest());
    ahead.grow(60, &[]);
    let block = ahead.disk.blocks[&ahead.disk.chain[0]].clone();
    let header = *Block::decode(block).unwrap().header();
    let mut single = Single::new(&host);
    single.now = at(header.time - 700);
    single.greet(PEER, 4, 1);
    let outputs = single.say(PEER, Message::Headers(vec![header]));
    assert_eq!(outputs, []);
    assert_eq!(single.wait(99), []);
    assert!(matches!(sent(&single.wait(1), PEER)[..], [Message::GetHeaders { .. }]));
    let outputs = single.say(PEER, Message::Headers(vec![header]));
    assert_eq!(asked(&sent(&outputs, PEER)), [header.id::<Keccak>()]);
}

#[test]
fn what_nobody_asked_for_counts_against_a_peer() {
    let (host, headers, blocks) = longer();
    let tx = post(host.ledger.params(), &identity(1), host.time() + 7_000, "hello");
    let unasked = [
        Message::Headers(headers),
        Message::Block(blocks[0].bytes().to_vec()),
        Message::Tx(tx.as_bytes().to_vec()),
        Message::Proof(vec![1, 2, 3]),
        Message::NotFound(Item::Block(blocks[0].id())),
        Message::NotFound(Item::Proof(blocks[0].id())),
    ];
    for (number, message) in (10..).zip(unasked) {
        let mut single = Single::new(&Host::regtest());
        let peer = PeerId::new(number);
        single.greet(peer, 1, 0);
        assert_eq!(cut(&single.say(peer, message.clone())), None);
        assert_eq!(cut(&single.say(peer, message.clone())), None);
        assert_eq!(cut(&single.say(peer, message.clone())), Some(Violation::Unsolicited));
        assert_eq!(single.node.ledger().tip().height, 0);
    }
}

/// Otherwise three strikes would bind nobody: to show what everybody has costs nothing.
#[test]
fn only_headers_that_are_new_make_good_what_a_peer_did_before() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let unknown = BlockId::new([7; 32]);
    let unasked =
        |single: &mut Single| cut(&single.say(PEER, Message::NotFound(Item::Block(unknown))));
    assert_eq!((unasked(&mut single), unasked(&mut single)), (None, None));
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    assert_eq!((unasked(&mut single), unasked(&mut single)), (None, None), "it gave something");
    let outputs = single.say(PEER, Message::Inv(vec![Item::Block(unknown)]));
    assert!(matches!(sent(&outputs, PEER)[..], [Message::GetHeaders { .. }]));
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    assert_eq!(unasked(&mut single), Some(Violation::Unsolicited));
}

/// Answers come in order.
#[test]
fn headers_are_waited_for_behind_the_blocks_that_were_asked_for_before() {
    let (_, headers, blocks) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    let outputs = single.say(PEER, Message::Headers(headers[..10].to_vec()));
    assert_eq!(asked(&sent(&outputs, PEER)).len(), 10);
    let outputs = single.say(PEER, Message::Inv(vec![Item::Block(blocks[39].id())]));
    assert!(matches!(sent(&outputs, PEER)[..], [Message::GetHeaders { .. }]));
    for block in &blocks[..10] {
        assert_eq!(single.wait(9), []);
        single.say(PEER, Message::Block(block.bytes().to_vec()));
    }
    single.say(PEER, Message::Headers(headers[10..].to_vec()));
    assert_eq!(single.node.ledger().headers().tip().height, 40);
}

#[test]
fn headers_that_come_late_are_taken_and_meanwhile_asked_for_again() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    assert_eq!(single.wait(10), []);
    assert!(matches!(sent(&single.wait(10), PEER)[..], [Message::GetHeaders { .. }]));
    for part in [&headers[..20], &headers[..]] {
        assert_eq!(cut(&single.say(PEER, Message::Headers(part.to_vec()))), None);
        assert_eq!(single.node.ledger().headers().tip().id, part[part.len() - 1].id::<Keccak>());
    }
    let third = (0..3).find_map(|_| cut(&single.say(PEER, Message::Headers(Vec::new()))));
    assert_eq!(third, Some(Violation::Unsolicited));
}

#[test]
fn who_never_gives_headers_is_asked_three_times_and_cut() {
    let mut single = Single::new(&Host::regtest());
    let mut messages = sent(&single.greet(PEER, 82, 40), PEER);
    let stalled = (0..10).find_map(|_| {
        let outputs = single.wait(10);
        messages.extend(sent(&outputs, PEER));
        cut(&outputs)
    });
    assert_eq!(stalled, Some(Violation::Stalled));
    let requests = messages.iter().filter(|it| matches!(it, Message::GetHeaders { .. }));
    assert_eq!(requests.count(), 3);
}

/// CH9: headers that do not connect are not kept; who goes on with them is cut.
#[test]
fn ch9_headers_without_parents_count_against_the_peer() {
    let (_, headers, _) = longer();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 82, 40);
    for round in 0..3 {
        let outputs = single.say(PEER, Message::Headers(headers[5..].to_vec()));
        let expected = (round == 2).then_some(Violation::Unconnected);
        assert_eq!(cut(&outputs), expected);
        if round < 2 {
            single.say(PEER, Message::Inv(vec![Item::Block(headers[7].parent)]));
        }
    }
    assert_eq!(single.node.ledger().headers().side_len(), 0);
}

#[test]
fn a_peer_that_takes_nothing_is_served_a_window_and_cut() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let long = "x".repeat(1_000);
    for _ in 0..8 {
        let txs: Vec<_> =
            (0..200).map(|at| post(&params, &identity(at), host.time() + 7_000, &long)).collect();
        host.grow(60, &txs);
    }
    let mut single = Single { taken: false, ..Single::new(&host) };
    single.greet(PEER, 1, 0);
    let ids: Vec<BlockId> = host.disk.chain.clone();
    let outputs = single.say(PEER, Message::GetBlocks(ids));
    let window = 1_048_576;
    let bytes: usize = outputs
        .iter()
        .map(|output| match output {
            Output::Transmit { payload, .. } => payload.len(),
            _ => 0,
        })
        .sum();
    assert!((window..window + 262_144).contains(&bytes), "{bytes}");
    let rest = single.step(Input::Written { peer: PEER, bytes: 500_000 });
    assert!(!sent(&rest, PEER).is_empty(), "and goes on when there is room");
    assert_eq!(cut(&single.wait(19)), None);
    assert_eq!(cut(&single.wait(1)), Some(Violation::Deaf));
    // Requests that find no room wait, but not without end.
    single.greet(OTHER, 1, 0);
    let greedy = (0..100)
        .find_map(|_| cut(&single.say(OTHER, Message::GetBlocks(vec![host.disk.chain[7]; 16]))));
    assert_eq!(greedy, Some(Violation::Greedy));
}

#[test]
fn requests_beyond_the_budget_make_the_driver_wait_and_lose_nothing() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    single.greet(PEER, 1, 0);
    let mut answers = 0;
    let mut throttled = 0;
    for _ in 0..400 {
        let get = Message::GetHeaders { locator: Vec::new(), stop: BlockId::NONE };
        let outputs = single.say(PEER, get);
        answers += sent(&outputs, PEER).len();
        for output in outputs {
            if let Output::Throttle(peer, until) = output {
                assert!(peer == PEER && until > single.now);
                throttled += 1;
            }
        }
    }
    assert_eq!(answers, 400);
    assert!((150..250).contains(&throttled), "{throttled}");
}

#[test]
fn proofs_are_made_at_their_rate_and_a_flood_of_questions_is_cut() {
    let host = Host::regtest();
    let mut single = Single::new(&host);
    single.greet(PEER, 1, 0);
    let question = Question::Handle(host.ledger.tip().id, "alice".parse().unwrap());
    let ask = |single: &mut Single| single.say(PEER, Message::GetProof(question));
    let proofs = |outputs: &[Output]| {
        let sent = sent(outputs, PEER);
        sent.iter().filter(|message| matches!(message, Message::Proof(_))).count()
    };
    let at_once: usize = (0..300).map(|_| proofs(&ask(&mut single))).sum();
    assert_eq!(at_once, 200);
    assert_eq!(proofs(&single.wait(1)), 20);
    let due = single.node.poll_timeout().unwrap();
    assert_eq!(due.saturating_since(single.now), Duration::from_millis(50));
    let later: usize = (0..10).map(|_| proofs(&single.wait(1))).sum();
    assert_eq!(later, 80, "nothing is lost");
    let cut_after = (0..1_000).position(|_| cut(&ask(&mut single)) == Some(Violation::Greedy));
    assert!(cut_after.is_some_and(|asked| (256..512).contains(&asked)), "{cut_after:?}");
}

#[test]
fn who_has_answered_in_time_is_not_late_because_we_are() {
    let (_, headers, blocks) = longer();
    let mut single = Single { taken: false, ..Single::new(&Host::regtest()) };
    single.greet(PEER, 82, 40);
    single.greet(OTHER, 1, 0);
    single.say(PEER, Message::Headers(headers[..1].to_vec()));
    // A long step of our own: what has come meanwhile is read now, one after the other.
    single.now = single.now.saturating_add(MINUTE);
    assert_eq!(cut(&single.say(OTHER, Message::Inv(Vec::new()))), None);
    for peer in [PEER, OTHER] {
        assert_eq!(cut(&single.step(Input::Written { peer, bytes: 10_000 })), None);
    }
    single.say(PEER, Message::Block(blocks[0].bytes().to_vec()));
    assert_eq!(single.node.ledger().tip().height, 1);
    assert_eq!(cut(&single.step(Input::Timeout)), None);
    assert_eq!(cut(&single.wait(20)), Some(Violation::Deaf), "but who takes nothing then is");
}

/// A clock that is set back by a day shifts all deadlines, so that nobody is cut and nothing hangs.
#[test]
fn a_clock_set_back_moves_deadlines_once() {
    let mut single = Single::new(&Host::regtest());
    single.taken = false;
    single.step(Input::Connected(OTHER));
    single.wait(3);
    single.now = single.now.saturating_sub(Duration::from_secs(86_400));
    assert_eq!(single.step(Input::Timeout), []);
    assert_eq!(single.wait(16), []);
    let outputs = single.wait(1);
    assert_eq!(
        cut(&outputs),
        Some(Violation::Deaf),
        "seventeen seconds later, as it would have been"
    );
}

#[test]
fn signatures_of_a_packet_can_be_checked_beforehand() {
    let mut host = Host::regtest();
    let params = Params::regtest();
    let tx = post(&params, &identity(1), host.time() + 600, "hello");
    host.grow(60, &[tx]);
    let block = Block::decode(host.disk.blocks[&host.disk.chain[0]].clone()).unwrap();
    let mut single = Single::new(&Host::regtest());
    single.greet(PEER, 4, 1);
    single.say(PEER, Message::Headers(vec![*block.header()]));
    let message = Message::Block(block.bytes().to_vec());
    let (code, payload) = (message.code(), message.encode());
    let checks = single.node.sig_checks(single.now, PEER, code, &payload);
    assert_eq!(checks.len(), 1);
    single.node.trust(whisper_core::ledger::verify_all(&checks));
    assert!(single.node.sig_checks(single.now, PEER, code, &payload).is_empty());
    single.step(Input::Received { peer: PEER, code, payload: &payload });
    assert_eq!(single.node.ledger().tip().height, 1);
    assert!(single.node.sig_checks(single.now, PEER, 14, &[1, 2]).is_empty());
}

#[test]
fn signatures_of_a_block_that_nobody_asked_for_are_not_checked() {
    let mut host = Host::regtest();
    let tx = post(&Params::regtest(), &identity(1), host.time() + 600, "hello");
    host.grow(60, &[tx]);
    let block = Block::decode(host.disk.blocks[&host.disk.chain[0]].clone()).unwrap();
    let (code, payload) = (13, block.bytes());
    let mut single = Single::new(&Host::regtest());
    let checks = |single: &Single, peer| single.node.sig_checks(single.now, peer, code, payload);
    let counts = |single: &Single| [PEER, OTHER].map(|peer| checks(single, peer).len());
    single.greet(PEER, 4, 1);
    assert_eq!(counts(&single), [0, 0], "its header has not come");
    single.say(PEER, Message::Headers(vec![*block.header()]));
    single.greet(OTHER, 4, 1);
    single.say(OTHER, Message::Headers(vec![*block.header()]));
    assert_eq!(counts(&single), [1, 0], "one is asked");
    assert_eq!(cut(&single.wait(10)), None);
    assert_eq!(counts(&single), [1, 1], "who is late may still give it");
}

#[derive(Clone, Debug)]
enum Step {
    Connect(u8),
    Disconnect(u8),
    Raw(u8, u8, Vec<u8>),
    Real(u8, usize),
    Written(u8, usize),
    Wait(u32),
}

fn arbitrary_step() -> impl Strategy<Value = Step> {
    let peer = 0u8..3;
    prop_oneof![
        2 => peer.clone().prop_map(Step::Connect),
        1 => peer.clone().prop_map(Step::Disconnect),
        1 => (peer.clone(), 0u8..32, vec(any::<u8>(), 0..200))
            .prop_map(|(p, c, b)| Step::Raw(p, c, b)),
        8 => (peer.clone(), 0usize..60).prop_map(|(p, m)| Step::Real(p, m)),
        1 => (peer, 0usize..1_000_000).prop_map(|(p, b)| Step::Written(p, b)),
        1 => (0u32..30_000).prop_map(Step::Wait),
    ]
}

/// Messages that mean something on a chain of forty blocks, right and wrong.
fn messages() -> &'static [Message] {
    static MESSAGES: std::sync::OnceLock<Vec<Message>> = std::sync::OnceLock::new();
    MESSAGES.get_or_init(|| {
        let (host, headers, blocks) = longer();
        let status = Status {
            genesis: host.ledger.params().genesis_id(),
            tip: host.ledger.tip().id,
            height: 40,
            work: host.ledger.tip().work,
        };
        let tx = post(host.ledger.params(), &identity(1), host.time() + 7_000, "hello");
        let mut all = vec![Message::Status(status); 8];
        all.extend([
            Message::Headers(headers.clone()),
            Message::Headers(headers[..10].to_vec()),
            Message::Headers(headers[20..].to_vec()),
            Message::Headers(Vec::new()),
            Message::GetHeaders { locator: host.ledger.headers().locator(), stop: BlockId::NONE },
            Message::GetBlocks(host.disk.chain[..16].to_vec()),
            Message::Inv(vec![Item::Tx(tx.id()), Item::Block(host.ledger.tip().id)]),
            Message::GetTxs(vec![tx.id()]),
            Message::Tx(tx.as_bytes().to_vec()),
            Message::GetProof(Question::Tx(host.ledger.tip().id, tx.id())),
            Message::GetProof(Question::Handle(headers[0].parent, "alice".parse().unwrap())),
            Message::NotFound(Item::Block(host.disk.chain[0])),
        ]);
        all.extend(blocks.iter().map(|block| Message::Block(block.bytes().to_vec())));
        all
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Laws 1, 2 and 4: the same steps give the same outputs, the next deadline always lies ahead,
    /// and no packet makes the node panic.
    #[test]
    fn any_story_is_quiet_ahead_and_repeatable(story in vec(arbitrary_step(), 0..120)) {
        let host = Host::regtest();
        let (mut first, mut second) = (Single::new(&host), Single::new(&host));
        for step in story {
            let outputs = play(&mut first, &step);
            prop_assert_eq!(outputs, play(&mut second, &step));
        }
        prop_assert_eq!(first.node.ledger().tip(), second.node.ledger().tip());
    }
}

fn play(single: &mut Single, step: &Step) -> Vec<Output> {
    let peer = |number: &u8| PeerId::new(u64::from(*number));
    match step {
        Step::Connect(number) => single.step(Input::Connected(peer(number))),
        Step::Disconnect(number) => single.step(Input::Disconnected(peer(number))),
        Step::Raw(number, code, payload) => {
            single.step(Input::Received { peer: peer(number), code: *code, payload })
        }
        Step::Real(number, message) => {
            let all = messages();
            single.say(peer(number), all[message % all.len()].clone())
        }
        Step::Written(number, bytes) => {
            single.step(Input::Written { peer: peer(number), bytes: *bytes })
        }
        Step::Wait(millis) => {
            single.now = single.now.saturating_add(Duration::from_millis(u64::from(*millis)));
            single.step(Input::Timeout)
        }
    }
}
