//! A node for phones: follows headers, asks for proofs, serves none.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::contract::Event;
use super::contract::Input;
use super::contract::Output;
use super::contract::Outputs;
use super::contract::PeerInfo;
use super::contract::Violation;
use super::headers;
use super::links::Links;
use super::peer::PATIENCE;
use super::wire::Item;
use super::wire::Message;
use super::wire::Question;
use super::wire::Status;
use crate::ledger::headers::HeaderChain;
use crate::ledger::light::client::LightClient;
use crate::ledger::light::client::Proven;
use crate::ledger::light::proof::Proof;
use crate::ledger::light::proof::ProofError;
use crate::ledger::pow::ChainWork;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// A light client among ledgers.
#[derive(Debug)]
pub struct LightNode {
    client: LightClient,
    links: Links,
    open: Vec<Open>,
    /// Peers that were given up and still owe an answer, and until when it must have come. Answers
    /// come in order, so the next one of such a peer is this.
    late: BTreeMap<PeerId, Timestamp>,
}

/// A question that is not answered yet.
#[derive(Debug)]
struct Open {
    question: Question,
    /// The peer that is asked, and until when.
    asked: Option<(PeerId, Timestamp)>,
    tried: BTreeSet<PeerId>,
}

impl LightNode {
    /// The most questions that wait for an answer.
    pub const QUESTIONS_MAX: usize = 64;

    /// A node without peers.
    pub fn new(client: LightClient) -> Self {
        Self { client, links: Links::default(), open: Vec::new(), late: BTreeMap::new() }
    }

    /// Takes one step.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Outputs<'_> {
        self.advance(now);
        let before = self.client.headers().tip().id;
        let status = self.status();
        if input == Input::Timeout {
            self.drop_late();
        }
        if let Some((peer, message)) = self.links.take(input, status) {
            self.receive(peer, message);
        }
        let tip = self.client.headers().tip();
        if tip.id != before {
            self.links.push(Output::Event(Event::Tip { id: tip.id, height: tip.height }));
        }
        self.finish()
    }

    /// Asks peers for a proof, one after the other until one gives a right one. With too many
    /// questions open, without peers, or about a block that is not on the chain, it stays unanswered
    /// at once.
    pub fn ask(&mut self, now: Timestamp, question: Question) -> Outputs<'_> {
        self.advance(now);
        if self.open.len() < Self::QUESTIONS_MAX {
            self.open.push(Open { question, asked: None, tried: BTreeSet::new() });
        } else {
            self.links.push(Output::Event(Event::Unanswered(question)));
        }
        self.finish()
    }

    /// When to call [`LightNode::handle`] with [`Input::Timeout`], if nothing else comes first.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let asked = self.open.iter().filter_map(|open| open.asked).map(|(_, until)| until);
        let own = asked.chain(self.late.values().copied()).min().map(|at| self.links.ahead(at));
        self.links.deadline().into_iter().chain(own).min()
    }

    /// The headers, and what can be checked with them.
    pub const fn client(&self) -> &LightClient {
        &self.client
    }

    /// The peers, and how far they are.
    pub fn peers(&self) -> impl Iterator<Item = PeerInfo> {
        self.links.infos()
    }

    /// Whether a peer was asked for headers and may still give some: until then the newest block that
    /// is known may be an old one.
    pub fn awaits_headers(&self) -> bool {
        self.links.iter().any(|(_, peer)| peer.headers.asked.is_some())
    }

    fn advance(&mut self, now: Timestamp) {
        let Some(back) = self.links.advance(now) else { return };
        let asked = self.open.iter_mut().filter_map(|open| open.asked.as_mut());
        let moments = asked.map(|(_, until)| until).chain(self.late.values_mut());
        moments.for_each(|until| *until = until.saturating_sub(back));
    }

    fn finish(&mut self) -> Outputs<'_> {
        headers::retry(&mut self.links, &self.client);
        self.drop_gone();
        self.ask_on();
        self.links.outputs()
    }

    fn receive(&mut self, peer: PeerId, message: Message) {
        match message {
            Message::Status(status) => {
                let genesis = self.client.params().genesis_id();
                let ours = self.client.headers().tip().work;
                if self.links.greet(peer, &status, &genesis) && status.work > ours {
                    headers::ask(&mut self.links, &self.client, peer);
                }
            }
            Message::Headers(list) => headers::take(&mut self.links, &mut self.client, peer, &list),
            Message::Inv(items) => {
                let own = self.client.headers();
                let is_new = |item: &Item| matches!(item, Item::Block(id) if own.get(id).is_none());
                if items.iter().any(is_new) {
                    headers::ask(&mut self.links, &self.client, peer);
                }
            }
            Message::Proof(bytes) => self.take_proof(peer, &bytes),
            Message::NotFound(_) => {
                if !self.take_late(peer) {
                    self.give_up_on(peer);
                }
            }
            // It has nothing to give, and says so.
            Message::GetBlocks(ids) => {
                ids.into_iter().for_each(|id| self.lack(peer, Item::Block(id)));
            }
            Message::GetTxs(ids) => ids.into_iter().for_each(|id| self.lack(peer, Item::Tx(id))),
            Message::GetProof(question) => self.lack(peer, Item::Proof(question.block())),
            Message::GetHeaders { .. } => self.links.send(peer, Message::Headers(Vec::new())),
            Message::Block(_) | Message::Tx(_) => self.links.strike(peer, Violation::Unsolicited),
        }
    }

    fn lack(&mut self, peer: PeerId, item: Item) {
        if self.links.get(peer).is_some_and(|own| own.out.has_room()) {
            self.links.send(peer, Message::NotFound(item));
        }
    }

    /// A light node has no blocks: it claims the first one only, so that no peer asks it for more.
    fn status(&self) -> Status {
        let genesis = self.client.params().genesis_id();
        Status { genesis, tip: genesis, height: 0, work: ChainWork::ZERO }
    }

    fn take_proof(&mut self, peer: PeerId, bytes: &[u8]) {
        if self.take_late(peer) {
            return;
        }
        let Some(at) = self.open.iter().position(|open| open.is_with(peer)) else {
            self.links.strike(peer, Violation::Unsolicited);
            return;
        };
        let Some(question) = self.open.get(at).map(|open| open.question) else { return };
        if !self.client.headers().is_on_chain(&question.block()) {
            // The chain has left the block since: the peer is not to blame for its proof.
            self.give_up_on(peer);
            return;
        }
        let proof = Proof::decode(bytes, self.client.params()).ok_or(ProofError::Record);
        let checked = proof.and_then(|proof| Ok((self.check(&question, &proof)?, proof)));
        match checked {
            Ok((proven, proof)) => {
                self.open.remove(at);
                if let Some(own) = self.links.get_mut(peer) {
                    own.strikes = 0;
                }
                let proof = Box::new(proof);
                self.links.push(Output::Event(Event::Answered { question, proof, proven }));
            }
            Err(error) => {
                self.give_up_on(peer);
                self.links.cut(peer, Violation::Proof(error));
            }
        }
    }

    /// Holds an answer against its question.
    fn check(&self, question: &Question, proof: &Proof) -> Result<Proven, ProofError> {
        if proof.block() != question.block() {
            return Err(ProofError::Block);
        }
        match (question, proof) {
            (Question::Tx(_, id), Proof::Tx(proof)) if proof.tx.id() == *id => {
                self.client.check_tx(proof)
            }
            (Question::Name(_, name), Proof::Name(proof)) => self.client.check_name(proof, name),
            _ => Err(ProofError::Path),
        }
    }

    /// Takes back what was asked of a peer, so that another is asked.
    fn give_up_on(&mut self, peer: PeerId) {
        for open in self.open.iter_mut().filter(|open| open.is_with(peer)) {
            open.asked = None;
        }
    }

    /// Whether the peer owed an answer that was given up, and has now given it: it is of no use any
    /// more, and the peer is not to blame.
    fn take_late(&mut self, peer: PeerId) -> bool {
        self.late.remove(&peer).is_some()
    }

    /// Gives up answers that should have come by now, so that others are asked.
    fn drop_late(&mut self) {
        let now = self.links.now();
        for open in &mut self.open {
            if let Some((peer, until)) = open.asked.take_if(|(_, until)| *until <= now) {
                self.late.insert(peer, until);
            }
        }
        let is_due = |(peer, until): (&PeerId, &Timestamp)| (*until <= now).then_some(*peer);
        for peer in self.late.iter().filter_map(is_due).collect::<Vec<_>>() {
            self.late.insert(peer, now.saturating_add(PATIENCE));
            self.links.strike(peer, Violation::Stalled);
        }
    }

    /// Forgets what was asked of peers that have gone.
    fn drop_gone(&mut self) {
        let Self { links, open, late, .. } = self;
        let is_gone = |peer: &PeerId| links.get(*peer).is_none();
        for open in open {
            open.asked.take_if(|(peer, _)| is_gone(peer));
        }
        late.retain(|peer, _| !is_gone(peer));
    }

    /// Asks for what no peer is asked for; each peer is asked one question at a time, and those that
    /// were late come last.
    fn ask_on(&mut self) {
        let until = self.links.now().saturating_add(PATIENCE);
        for at in 0..self.open.len() {
            let asked = self.open.iter().filter_map(|open| open.asked).map(|(peer, _)| peer);
            let busy: BTreeSet<PeerId> = asked.chain(self.late.keys().copied()).collect();
            let mut ready: Vec<PeerId> = self.links.ready().collect();
            ready.sort_by_key(|peer| self.links.get(*peer).map(|own| own.strikes));
            let headers = self.client.headers();
            let is_waiting = |open: &&mut Open| open.asked.is_none() && open.is_about(headers);
            let Some(open) = self.open.get_mut(at).filter(is_waiting) else { continue };
            let free = ready.iter().find(|id| !busy.contains(*id) && !open.tried.contains(*id));
            if let Some(peer) = free {
                open.asked = Some((*peer, until));
                open.tried.insert(*peer);
                let question = open.question;
                self.links.send(*peer, Message::GetProof(question));
            }
        }
        self.drop_hopeless();
    }

    /// Gives up questions that every peer was asked, or whose block the chain has left.
    fn drop_hopeless(&mut self) {
        let ready: BTreeSet<PeerId> = self.links.ready().collect();
        let headers = self.client.headers();
        let is_hopeless = |open: &Open| {
            open.asked.is_none() && (ready.is_subset(&open.tried) || !open.is_about(headers))
        };
        let (hopeless, open): (Vec<Open>, Vec<Open>) =
            core::mem::take(&mut self.open).into_iter().partition(is_hopeless);
        self.open = open;
        for open in hopeless {
            self.links.push(Output::Event(Event::Unanswered(open.question)));
        }
    }
}

impl Open {
    fn is_with(&self, peer: PeerId) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == peer)
    }

    /// Whether its block lies on this chain: nothing is proven from others.
    fn is_about(&self, headers: &HeaderChain) -> bool {
        headers.is_on_chain(&self.question.block())
    }
}
