//! What a story does to a node among peers, and what must hold meanwhile.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use whisper_core::ledger::Archive;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Question;
use whisper_core::ledger::Status;
use whisper_core::ledger::Template;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxId;
use whisper_core::ledger::Verified;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LedgerNode;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::PeerInfo;
use whisper_core::ledger::sync::Violation;
use whisper_core::ledger::verify_all;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::Act;
use super::Delay;
use super::voices;
use crate::forge::Disk;
use crate::rules::View;
use crate::tree::Bend;
use crate::tree::Plan;
use crate::tree::Tree;
use crate::world::WORLD;

/// A node, its host, and all that its peers could know.
pub(crate) struct Party {
    node: Kind,
    disk: Shared,
    tree: Tree,
    now: Timestamp,
    pub(crate) outputs: Vec<Output>,
    peers: BTreeMap<PeerId, Link>,
    slots: [Option<PeerId>; 4],
    count: u64,
    /// Questions that were asked and neither answered nor given up.
    open: Vec<Question>,
    /// What came out of the last step, and when that was.
    step: Vec<Output>,
    stepped: Timestamp,
}

enum Kind {
    Full(Box<LedgerNode<Shared>>),
    Light(Box<LightNode>),
}

/// The disk that the node reads and its host writes.
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

/// The signatures of the vectors' blocks are not what is to be found out here, and they take long.
static TRUSTED: LazyLock<Vec<Verified>> = LazyLock::new(|| {
    let params = WORLD.ledger().params();
    let blocks = WORLD.blocks.iter().map(|block| Block::decode(block.as_slice()));
    let checks = blocks
        .map(|block| Some(block.ok()?.check_structure(params.chain_tag()).ok()?.sig_checks()));
    verify_all(&checks.flatten().flatten().collect::<Vec<_>>())
});

/// A connection, as the other end sees it.
#[derive(Default)]
struct Link {
    unwritten: usize,
    /// What it was asked and has not answered.
    asked: VecDeque<Message>,
}

impl Party {
    pub(crate) fn new<'a>(
        light: bool,
        height: usize,
        blocks: impl Iterator<Item = &'a Plan>,
    ) -> Self {
        let mut tree = Tree::of_vectors();
        for plan in blocks {
            tree.grow(plan);
        }
        let disk = Shared::default();
        let node = if light {
            let client = LightClient::new(Params::regtest()).expect("a network");
            Kind::Light(Box::new(LightNode::new(client)))
        } else {
            let mut own = disk.0.borrow_mut();
            for (block, view) in WORLD.blocks.iter().zip(&WORLD.views).take(height + 1) {
                own.blocks.insert(BlockId::new(view.id), block.as_slice().into());
                own.chain.push(BlockId::new(view.id));
            }
            own.chain.remove(0);
            let mut node = LedgerNode::new(WORLD.ledgers[height].clone(), disk.clone());
            node.trust(TRUSTED.iter().copied());
            Kind::Full(Box::new(node))
        };
        Self {
            node,
            disk,
            tree,
            now: WORLD.now(),
            outputs: Vec::new(),
            peers: BTreeMap::new(),
            slots: [None; 4],
            count: 0,
            open: Vec::new(),
            step: Vec::new(),
            stepped: WORLD.now(),
        }
    }

    pub(crate) fn wait(&mut self, delay: &Delay) {
        let span = match delay {
            Delay::None => Duration::ZERO,
            Delay::Millis(millis) => Duration::from_millis((*millis).into()),
            Delay::Seconds(secs) => Duration::from_secs((*secs).into()),
            Delay::Any(millis) => Duration::from_millis((*millis).into()),
            Delay::Back(millis) => {
                self.now = self.now.saturating_sub(Duration::from_millis((*millis).into()));
                return;
            }
        };
        self.now = self.now.saturating_add(span);
    }

    pub(crate) fn act(&mut self, act: &Act) {
        match act {
            Act::Connect(slot) => drop(self.connect(*slot)),
            Act::Arrive(slot, block) => {
                let peer = self.connect(*slot);
                self.greet(peer, voices::nth_block(&self.tree, *block));
            }
            Act::Disconnect(slot) => {
                if let Some(peer) = self.slots[usize::from(slot % 4)].take() {
                    self.peers.remove(&peer);
                    self.input(Input::Disconnected(peer));
                }
            }
            Act::Status(slot, block, work, ours) => {
                let made = self.tree.get(voices::nth_block(&self.tree, *block));
                let genesis = if *ours { Params::regtest() } else { Params::test() }.genesis_id();
                let (tip, height) = (BlockId::new(made.id()), made.times.len() as u32);
                let work = ChainWork::from(u128::from(*work));
                self.say(*slot, Message::Status(Status { genesis, tip, height, work }));
            }
            Act::Packet(slot, code, payload) => self.packet(*slot, code % 32, payload),
            Act::Torn(slot, said, at, mask, cut) => {
                let message = voices::message(&self.tree, said);
                let (code, mut payload) = (message.code(), message.encode());
                if !payload.is_empty() {
                    let at = usize::from(*at) % payload.len();
                    payload[at] ^= mask;
                    payload.truncate(if *cut { at } else { payload.len() });
                }
                self.packet(*slot, code, &payload);
            }
            Act::Say(slot, said) => self.say(*slot, voices::message(&self.tree, said)),
            Act::Answer(slot, count) => {
                for _ in 0..=(count % 4) {
                    let Some(peer) = self.slots[usize::from(slot % 4)] else { break };
                    self.answer(peer);
                }
            }
            Act::Written(slot, bytes) => {
                if let Some(peer) = self.slots[usize::from(slot % 4)] {
                    self.written(peer, usize::from(*bytes));
                }
            }
            Act::Timeout => self.input(Input::Timeout),
            own => self.own(own),
        }
    }

    /// What the application does.
    fn own(&mut self, act: &Act) {
        let now = self.now;
        let outputs: Vec<Output> = match (act, &mut self.node) {
            (Act::Mine, Kind::Full(node)) => {
                let txs = node.mempool().select(node.ledger());
                let template = Template::new(now, node.ledger(), txs, b"fuzz");
                let Ok(template) = template else { return };
                let block =
                    BlockMiner::new(template).search(10_000).expect("every other hash will do");
                let made = self.tree.add(block.bytes().to_vec());
                assert!(matches!(self.tree.get(made).view, Some(Ok(_))), "a bad block is mined");
                match node.mined(now, block) {
                    Ok(outputs) => outputs.collect(),
                    // The clock may be set back below the median time.
                    Err(error) => panic!("{error} of our own"),
                }
            }
            (Act::Submit(which), Kind::Full(node)) => {
                let Some(bytes) = voices::nth(self.tree.txs(), *which) else { return };
                let Ok(tx) = Tx::decode(bytes, node.ledger().params().chain_tag()) else { return };
                let before = node.mempool().len();
                match node.submit(now, tx) {
                    Ok(outputs) => outputs.collect(),
                    Err(_) => return assert_eq!(node.mempool().len(), before),
                }
            }
            (Act::Ask(block, what, tx), Kind::Light(node)) => {
                let question = voices::question(&self.tree, *block, *what, *tx);
                self.open.push(question);
                node.ask(now, question).collect()
            }
            _ => return,
        };
        self.carry_out(outputs);
    }

    fn connect(&mut self, slot: u8) -> PeerId {
        let slot = usize::from(slot % 4);
        if let Some(old) = self.slots[slot].take() {
            self.peers.remove(&old);
            self.input(Input::Disconnected(old));
        }
        let peer = PeerId::new(self.count);
        self.count += 1;
        self.slots[slot] = Some(peer);
        self.peers.insert(peer, Link::default());
        self.input(Input::Connected(peer));
        peer
    }

    /// A true status.
    fn greet(&mut self, peer: PeerId, which: usize) {
        let made = self.tree.get(which);
        let (tip, height) = (BlockId::new(made.id()), made.times.len().max(1) as u32 - 1);
        let work = ChainWork::from(u128::from(2 * (height + 1)));
        let genesis = Params::regtest().genesis_id();
        let status = Message::Status(Status { genesis, tip, height, work });
        self.receive(peer, 0, &status.encode());
    }

    fn say(&mut self, slot: u8, message: Message) {
        let code = message.code();
        let payload = message.clone().encode();
        if payload.len() < 256 * 1_024 {
            assert_eq!(Message::decode(code, &payload), Ok(message));
        }
        self.packet(slot, code, &payload);
    }

    fn packet(&mut self, slot: u8, code: u8, payload: &[u8]) {
        // Who is not connected is not listened to.
        let peer = self.slots[usize::from(slot % 4)].unwrap_or(PeerId::new(u64::MAX));
        self.receive(peer, code, payload);
    }

    fn receive(&mut self, peer: PeerId, code: u8, payload: &[u8]) {
        if let Ok(message) = Message::decode(code, payload) {
            assert_eq!(message.encode(), payload);
        }
        let before = self.state();
        self.input(Input::Received { peer, code, payload });
        let is_cut = |output: &Output| {
            // Of headers those before the fault come in; with a block its header goes.
            let Output::Disconnect(of, violation) = output else { return false };
            let is_whole = matches!(
                violation,
                Violation::StatusOrder
                    | Violation::ForeignGenesis
                    | Violation::Malformed
                    | Violation::Body(_)
                    | Violation::Tx(_)
                    | Violation::Proof(_)
                    | Violation::Unsolicited
                    | Violation::Greedy
            );
            *of == peer && is_whole
        };
        let moved = |output: &Output| matches!(output, Output::Event(Event::Chain(_)));
        if self.step.iter().any(is_cut) && !self.step.iter().any(moved) {
            assert_eq!(self.state(), before, "a refusal changes something");
        }
    }

    fn written(&mut self, peer: PeerId, bytes: usize) {
        if let Some(link) = self.peers.get_mut(&peer) {
            link.unwritten = link.unwritten.saturating_sub(bytes);
        }
        self.input(Input::Written { peer, bytes });
    }

    fn input(&mut self, input: Input<'_>) {
        let outputs: Vec<Output> = match &mut self.node {
            Kind::Full(node) => node.handle(self.now, input).collect(),
            Kind::Light(node) => node.handle(self.now, input).collect(),
        };
        self.carry_out(outputs);
    }

    fn carry_out(&mut self, outputs: Vec<Output>) {
        for output in &outputs {
            match output {
                Output::Transmit { peer, code, payload } => {
                    let link = self.peers.get_mut(peer).expect("only who is there is written to");
                    link.unwritten += payload.len();
                    let message = Message::decode(*code, payload).expect("it is of the protocol");
                    if matches!(message.code(), 10 | 12 | 15 | 17) {
                        link.asked.push_back(message);
                    }
                }
                Output::Throttle(peer, until) => {
                    assert!(self.peers.contains_key(peer) && *until > self.now);
                }
                Output::Disconnect(peer, _) => {
                    assert!(self.peers.remove(peer).is_some(), "only who is there is cut");
                    let slot = self.slots.iter_mut().find(|slot| **slot == Some(*peer));
                    slot.map(Option::take);
                }
                Output::Event(Event::Chain(update)) => self.disk.0.borrow_mut().write(update),
                Output::Event(Event::Answered { question, proof, .. }) => {
                    self.close(question);
                    self.is_true(question, proof);
                }
                Output::Event(Event::Unanswered(question)) => self.close(question),
                Output::Event(Event::Unavailable(id)) => panic!("{id} was stored"),
                Output::Event(_) => {}
            }
        }
        self.outputs.extend(outputs.iter().cloned());
        (self.step, self.stepped) = (outputs, self.now);
    }

    /// A question has come to its end, once.
    fn close(&mut self, question: &Question) {
        let at = self.open.iter().position(|open| open == question);
        self.open.remove(at.expect("it was asked"));
    }

    /// What was proven holds, unless a block is wrong: then its directory may be, which light
    /// clients cannot know.
    fn is_true(&self, question: &Question, proof: &Proof) {
        let made = self.tree.by_id(question.block().as_bytes());
        match (question, proof) {
            (Question::Tx(_, id), Proof::Tx(proof)) => {
                assert!(proof.tx.id() == *id && made.txs().contains(&proof.tx.as_bytes()));
            }
            (Question::Name(_, name), Proof::Name(proof)) => {
                let Some(Ok(view)) = &made.view else { return };
                let record = view.records.get(name.as_bytes());
                let record = record.map(|record| record.encode(name.as_bytes()));
                assert_eq!(proof.record.map(|record| record.encode()), record);
            }
            _ => panic!("an answer to another question"),
        }
    }

    /// Answers the oldest request of a peer, with all that was ever made at hand.
    fn answer(&mut self, peer: PeerId) {
        let Some(asked) = self.peers.get_mut(&peer).and_then(|link| link.asked.pop_front()) else {
            return;
        };
        for answer in voices::answers(&self.tree, &asked, self.best()) {
            self.receive(peer, answer.code(), &answer.clone().encode());
        }
    }

    /// The right block that stands highest.
    fn best(&self) -> usize {
        let is_right = |at: &usize| matches!(self.tree.get(*at).view, Some(Ok(_)));
        let right = (0..self.tree.len()).filter(is_right);
        right.max_by_key(|at| self.tree.get(*at).times.len()).expect("the first block is right")
    }

    fn state(&self) -> impl PartialEq + std::fmt::Debug + use<> {
        match &self.node {
            Kind::Full(node) => {
                let (ledger, mempool) = (node.ledger(), node.mempool());
                let is_alive = |tx: &&Tx| u64::from(tx.expiry()) > self.now.as_secs();
                let waiting = mempool.iter().map(|(tx, _)| tx).filter(is_alive);
                let waiting: Vec<TxId> = waiting.map(Tx::id).collect();
                let unexpired: BTreeSet<TxId> = ledger.unexpired().collect();
                let headers = ledger.headers();
                (ledger.tip(), headers.tip(), headers.side_len(), unexpired, waiting)
            }
            Kind::Light(node) => {
                let headers = node.client().headers();
                let tip = headers.tip();
                (tip, tip, headers.side_len(), BTreeSet::new(), Vec::new())
            }
        }
    }

    fn timeout(&self) -> Option<Timestamp> {
        match &self.node {
            Kind::Full(node) => node.poll_timeout(),
            Kind::Light(node) => node.poll_timeout(),
        }
    }

    pub(crate) fn obeys(&self) {
        let due = self.timeout().filter(|_| self.stepped == self.now);
        assert!(due.is_none_or(|due| due > self.now), "due at {due:?}, now {:?}", self.now);
        let infos: Vec<PeerInfo> = match &self.node {
            Kind::Full(node) => node.peers().collect(),
            Kind::Light(node) => node.peers().collect(),
        };
        assert!(infos.iter().map(|info| info.peer).eq(self.peers.keys().copied()));
        for (info, link) in infos.iter().zip(self.peers.values()) {
            assert_eq!(info.unwritten, link.unwritten);
            assert!(info.unwritten < 2 * 1_024 * 1_024 && info.in_flight <= 16);
        }
        assert!(self.open.len() <= LightNode::QUESTIONS_MAX);
        if let Kind::Full(node) = &self.node {
            let ledger = node.ledger();
            let (tip, headers) = (ledger.tip(), ledger.headers());
            assert!(headers.tip().work >= tip.work);
            let chain = (1..).map_while(|height| ledger.at(height)).map(|entry| entry.id);
            assert!(chain.eq(self.disk.0.borrow().chain.iter().copied()));
            let view = self.view(&tip.id);
            assert_eq!(ledger.directory().root(), view.directory_root());
            let alive = view.seen.iter().filter(|(_, expiry)| **expiry > view.median());
            let unexpired: BTreeSet<_> = ledger.unexpired().map(|id| *id.as_bytes()).collect();
            assert!(alive.map(|(id, _)| *id).eq(unexpired));
        }
    }

    fn view(&self, id: &BlockId) -> &View {
        let view = self.tree.by_id(id.as_bytes()).view.as_ref();
        view.and_then(|view| view.as_ref().ok()).expect("the chain is valid")
    }

    /// Whatever was said before, one peer with the best chain that ever was is enough.
    pub(crate) fn catches_up(&mut self) {
        // A ledger needs more than it has itself, whatever headers others have shown and kept the
        // blocks of; who has headers alone needs more than those.
        let all = (0..self.tree.len()).map(|at| self.tree.get(at).times.len());
        let highest = match self.node {
            Kind::Full(_) => self.tree.by_id(&self.tip()).times.len(),
            Kind::Light(_) => all.max().unwrap_or(0),
        };
        let mut best = self.best();
        let plan = Plan { on: 0, after: 1, txs: Vec::new(), bend: Bend::Nothing, bent: 255 };
        while self.tree.get(best).times.len() <= highest {
            best = self.tree.grow_on(best, &plan);
        }
        let times = &self.tree.get(best).times;
        let time = *times.iter().max().expect("there is a first block");
        self.now = self.now.max(Timestamp::from_secs(time.into()));
        let peer = self.connect(0);
        self.greet(peer, best);
        for _ in 0..200 {
            let Some(link) = self.peers.get_mut(&peer) else { panic!("an honest peer is cut") };
            let (unwritten, asked) = (link.unwritten, std::mem::take(&mut link.asked));
            self.written(peer, unwritten);
            let answers: Vec<_> =
                asked.iter().flat_map(|asked| voices::honest(&self.tree, asked, best)).collect();
            for answer in answers {
                self.receive(peer, answer.code(), &answer.clone().encode());
            }
            self.now = self.now.saturating_add(Duration::from_millis(500));
            self.input(Input::Timeout);
            self.obeys();
            if self.tip() == self.tree.get(best).id() {
                return;
            }
        }
        panic!("an honest peer is not enough");
    }

    fn tip(&self) -> [u8; 32] {
        *match &self.node {
            Kind::Full(node) => node.ledger().tip().id,
            Kind::Light(node) => node.client().headers().tip().id,
        }
        .as_bytes()
    }
}
