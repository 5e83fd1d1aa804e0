//! A light node against peers that are silent, or late.

use std::time::Duration;

use whisper_core::ledger::Block;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Header;
use whisper_core::ledger::Item;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Message;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Question;
use whisper_core::ledger::Status;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::Violation;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::forge::Host;
use crate::forge::at;
use crate::single::OTHER;
use crate::single::PEER;
use crate::single::transmitted;

/// A light node that has all headers of a ledger.
struct Phone {
    node: LightNode,
    host: Host,
    now: Timestamp,
}

impl Phone {
    fn with_peers(peers: &[PeerId]) -> Self {
        let mut host = Host::regtest();
        host.grow_empty(3, 60);
        let node = LightNode::new(LightClient::new(Params::regtest()).unwrap());
        let now = at(host.time() + 60);
        let mut phone = Self { node, host, now };
        for peer in peers {
            phone.greet(*peer);
        }
        assert_eq!(phone.node.client().headers().tip().id, phone.host.ledger.tip().id);
        phone
    }

    fn step(&mut self, input: Input<'_>) -> Vec<Output> {
        let outputs = self.node.handle(self.now, input).collect();
        self.write(outputs)
    }

    /// Sockets take everything at once.
    fn write(&mut self, mut outputs: Vec<Output>) -> Vec<Output> {
        for (peer, bytes) in outputs.iter().filter_map(transmitted).collect::<Vec<_>>() {
            outputs.extend(self.node.handle(self.now, Input::Written { peer, bytes }));
        }
        assert!(self.node.poll_timeout().is_none_or(|due| due > self.now));
        outputs
    }

    fn say(&mut self, peer: PeerId, message: Message) -> Vec<Output> {
        let code = message.code();
        self.step(Input::Received { peer, code, payload: &message.encode() })
    }

    /// A peer that has the chain, and gives its headers if it is asked for them.
    fn greet(&mut self, peer: PeerId) {
        self.step(Input::Connected(peer));
        let (tip, genesis) = (self.host.ledger.tip(), Params::regtest().genesis_id());
        let status = Status { genesis, tip: tip.id, height: tip.height, work: tip.work };
        let outputs = self.say(peer, Message::Status(status));
        if outputs.iter().any(|output| matches!(output, Output::Transmit { code: 10, .. })) {
            let headers = self.host.disk.chain.iter().map(|id| self.header(id)).collect();
            self.say(peer, Message::Headers(headers));
        }
    }

    fn header(&self, id: &BlockId) -> Header {
        *Block::decode(self.host.disk.blocks[id].clone()).unwrap().header()
    }

    fn wait(&mut self, secs: u64) -> Vec<Output> {
        self.now = self.now.saturating_add(Duration::from_secs(secs));
        self.step(Input::Timeout)
    }

    fn question(&self, name: &str) -> Question {
        Question::Name(self.host.ledger.tip().id, name.parse().unwrap())
    }

    fn ask(&mut self, question: Question) -> Vec<Output> {
        let outputs = self.node.ask(self.now, question).collect();
        self.write(outputs)
    }

    /// A right answer of this peer.
    fn prove(&mut self, peer: PeerId, question: Question) -> Vec<Output> {
        let Question::Name(block, name) = question else { panic!("about a name") };
        let proof = self.host.ledger.prove_name(&block, &name, &self.host.disk).unwrap();
        self.say(peer, Message::Proof(Proof::Name(proof).encode()))
    }
}

/// The peers that are asked for proofs, and what for.
fn asked(outputs: &[Output]) -> Vec<(PeerId, Question)> {
    let questions = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, payload } => match Message::decode(*code, payload) {
            Ok(Message::GetProof(question)) => Some((*peer, question)),
            _ => None,
        },
        _ => None,
    });
    questions.collect()
}

fn cut(outputs: &[Output]) -> Option<(PeerId, Violation)> {
    outputs.iter().find_map(|output| match output {
        Output::Disconnect(peer, violation) => Some((*peer, *violation)),
        _ => None,
    })
}

fn answers(outputs: &[Output]) -> Vec<Question> {
    let answers = outputs.iter().filter_map(|output| match output {
        Output::Event(Event::Answered { question, .. }) => Some(*question),
        _ => None,
    });
    answers.collect()
}

#[test]
fn a_silent_prover_is_asked_last_and_cut_when_it_stays_silent() {
    let mut phone = Phone::with_peers(&[PEER, OTHER]);
    let [first, second] = ["alice", "bob"].map(|name| phone.question(name));
    assert_eq!(asked(&phone.ask(first)), [(PEER, first)]);
    assert_eq!(asked(&phone.wait(10)), [(OTHER, first)], "the next one is asked");
    assert_eq!(answers(&phone.prove(OTHER, first)), [first]);
    assert_eq!(
        asked(&phone.ask(second)),
        [(OTHER, second)],
        "a peer that owes an answer is not asked"
    );
    assert_eq!(answers(&phone.prove(OTHER, second)), [second]);
    assert_eq!(cut(&phone.wait(10)), None);
    assert_eq!(cut(&phone.wait(10)), Some((PEER, Violation::Stalled)));
}

#[test]
fn a_late_answer_settles_its_own_question_and_costs_nothing() {
    let mut phone = Phone::with_peers(&[PEER]);
    let [first, second] = ["alice", "bob"].map(|name| phone.question(name));
    let late: [fn(&mut Phone, Question) -> Vec<Output>; 2] = [
        |phone, question| phone.prove(PEER, question),
        |phone, question| phone.say(PEER, Message::NotFound(Item::Proof(question.block()))),
    ];
    for answer in late {
        assert_eq!(asked(&phone.ask(first)), [(PEER, first)]);
        let outputs = phone.wait(10);
        assert!(outputs.contains(&Output::Event(Event::Unanswered(first))), "{outputs:?}");
        assert_eq!(asked(&phone.ask(second)), [], "answers come in order, one at a time");
        let outputs = answer(&mut phone, first);
        assert_eq!((cut(&outputs), asked(&outputs)), (None, vec![(PEER, second)]));
        assert_eq!(answers(&phone.prove(PEER, second)), [second]);
    }
    // A peer that was late comes after one that was not.
    phone.ask(first);
    phone.wait(10);
    phone.greet(OTHER);
    phone.prove(PEER, first);
    assert_eq!(asked(&phone.ask(second)), [(OTHER, second)]);
}

#[test]
fn who_proves_in_time_again_is_not_cut_for_what_was_late_before() {
    let mut phone = Phone::with_peers(&[PEER]);
    let question = phone.question("alice");
    for _ in 0..4 {
        phone.ask(question);
        assert_eq!(cut(&phone.wait(10)), None);
        assert_eq!(cut(&phone.prove(PEER, question)), None);
        phone.ask(question);
        assert_eq!(answers(&phone.prove(PEER, question)), [question]);
    }
}

#[test]
fn a_proof_that_waits_behind_other_packets_is_not_late() {
    let mut phone = Phone::with_peers(&[PEER, OTHER]);
    let question = phone.question("alice");
    phone.ask(question);
    phone.now = phone.now.saturating_add(Duration::from_secs(11));
    assert_eq!(asked(&phone.say(OTHER, Message::Inv(Vec::new()))), []);
    assert_eq!(answers(&phone.prove(PEER, question)), [question]);
}
