//! Answers peers once the ledger of a node has ended: there is nothing.

use std::collections::BTreeMap;

use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Item;
use whisper_core::ledger::Message;
use whisper_core::ledger::Status;
use whisper_core::peer::PeerId;

use super::PROTOCOL;
use super::queue::Queue;
use crate::actor::WeakAddress;
use crate::driver::Driver;
use crate::handler::PeerCommand;
use crate::handler::PeerEvent;
use crate::transport::Goodbye;

/// Answers until the node ends or another ledger takes the place. Peers that are left waiting cut the
/// connection, and with it the relay's.
pub(super) async fn answer(genesis: BlockId, mut queue: Queue, driver: WeakAddress<Driver>) {
    let mut responder = NullResponder { genesis, unwritten: BTreeMap::new() };
    while let Some(events) = queue.next().await {
        let commands: Vec<PeerCommand> =
            events.iter().flat_map(|event| responder.answers(event)).collect();
        if commands.is_empty() {
            continue;
        }
        if driver.tell(move |driver| driver.carry_out(PROTOCOL, commands)).await.is_err() {
            return;
        }
    }
}

/// What is answered, and how much of it the peers' sockets have not taken. What the ledger has sent
/// before it ended is not known any more, and counts in their favour when it is written.
struct NullResponder {
    genesis: BlockId,
    unwritten: BTreeMap<PeerId, usize>,
}

impl NullResponder {
    fn answers(&mut self, event: &PeerEvent) -> Vec<PeerCommand> {
        match event {
            PeerEvent::Connected(peer) => {
                let (genesis, tip, work) = (self.genesis, self.genesis, ChainWork::ZERO);
                self.send(*peer, vec![Message::Status(Status { genesis, tip, height: 0, work })])
            }
            PeerEvent::Received { peer, code, payload } => {
                let messages = Message::decode(*code, payload).map(refusals).unwrap_or_default();
                self.send(*peer, messages)
            }
            PeerEvent::Disconnected(peer) => {
                self.unwritten.remove(peer);
                Vec::new()
            }
            PeerEvent::Written { peer, bytes } => {
                if let Some(unwritten) = self.unwritten.get_mut(peer) {
                    *unwritten = unwritten.saturating_sub(*bytes);
                }
                Vec::new()
            }
        }
    }

    /// Sends answers, as long as the peer takes them: a small question has many.
    fn send(&mut self, peer: PeerId, messages: Vec<Message>) -> Vec<PeerCommand> {
        let unwritten = self.unwritten.entry(peer).or_default();
        let mut commands = Vec::new();
        for message in messages {
            let (code, payload) = (message.code(), message.encode());
            *unwritten = unwritten.saturating_add(payload.len());
            if *unwritten > UNWRITTEN_MAX {
                return vec![PeerCommand::Disconnect(peer, Goodbye::Violation)];
            }
            commands.push(PeerCommand::Send { peer, code, payload });
        }
        commands
    }
}

fn refusals(message: Message) -> Vec<Message> {
    let lack = |item| Message::NotFound(item);
    match message {
        Message::GetHeaders { .. } => vec![Message::Headers(Vec::new())],
        Message::GetBlocks(ids) => ids.into_iter().map(Item::Block).map(lack).collect(),
        Message::GetTxs(ids) => ids.into_iter().map(Item::Tx).map(lack).collect(),
        Message::GetProof(question) => vec![lack(Item::Proof(question.block()))],
        _ => Vec::new(),
    }
}

/// How many bytes of answers may be unwritten. An honest peer has asked for a few headers, 16 blocks
/// and 128 transactions at the most, and is told of each in 33 bytes that it is not there.
const UNWRITTEN_MAX: usize = 16 * 1_024;

#[cfg(test)]
mod tests {
    use whisper_core::ledger::TxId;

    use super::*;

    #[test]
    fn every_question_gets_an_answer_and_nothing_else_does() {
        let (peer, genesis) = (PeerId::new(1), BlockId::new([1; 32]));
        let [block, tx] = [BlockId::new([2; 32]), BlockId::new([3; 32])];
        let mut responder = NullResponder { genesis, unwritten: BTreeMap::new() };
        let mut said = |message: Message| {
            let (code, payload) = (message.code(), message.encode());
            let commands = responder.answers(&PeerEvent::Received { peer, code, payload });
            let messages = commands.into_iter().map(|command| match command {
                PeerCommand::Send { code, payload, .. } => Message::decode(code, &payload).unwrap(),
                other => panic!("{other:?}"),
            });
            messages.collect::<Vec<_>>()
        };
        let tx = TxId::new(*tx.as_bytes());
        let stop = BlockId::NONE;
        let none = || Message::Headers(Vec::new());
        assert_eq!(said(Message::GetHeaders { locator: vec![block], stop }), [none()]);
        let lacks = [Item::Block(block), Item::Block(genesis)].map(Message::NotFound);
        assert_eq!(said(Message::GetBlocks(vec![block, genesis])), lacks);
        assert_eq!(said(Message::GetTxs(vec![tx])), [Message::NotFound(Item::Tx(tx))]);
        let question = whisper_core::ledger::Question::Tx(block, tx);
        assert_eq!(said(Message::GetProof(question)), [Message::NotFound(Item::Proof(block))]);
        assert_eq!(said(none()), []);
        assert_eq!(said(Message::Inv(vec![Item::Block(block)])), []);
        let commands = responder.answers(&PeerEvent::Connected(peer));
        let [PeerCommand::Send { code: 0, payload, .. }] = &commands[..] else {
            panic!("{commands:?}")
        };
        let status = Status { genesis, tip: genesis, height: 0, work: ChainWork::ZERO };
        assert_eq!(Message::decode(0, payload), Ok(Message::Status(status)));
    }

    #[test]
    fn a_peer_that_asks_without_taking_the_answers_is_disconnected() {
        let [peer, other] = [1, 2].map(PeerId::new);
        let mut responder =
            NullResponder { genesis: BlockId::new([1; 32]), unwritten: BTreeMap::new() };
        let ask = |responder: &mut NullResponder, peer| {
            let message = Message::GetTxs(vec![TxId::new([2; 32]); 64]);
            let (code, payload) = (message.code(), message.encode());
            responder.answers(&PeerEvent::Received { peer, code, payload })
        };
        let is_cut = |commands: &[PeerCommand]| matches!(commands, [PeerCommand::Disconnect(_, _)]);
        let answered = (0..100).take_while(|_| !is_cut(&ask(&mut responder, peer))).count();
        assert!((2..10).contains(&answered), "{answered}");
        assert_eq!(ask(&mut responder, other).len(), 64, "no other peer is");
        for _ in 0..100 {
            responder.answers(&PeerEvent::Written { peer: other, bytes: 64 * 33 });
            assert_eq!(ask(&mut responder, other).len(), 64, "nor one that takes them");
        }
        responder.answers(&PeerEvent::Disconnected(other));
        responder.answers(&PeerEvent::Disconnected(peer));
        assert_eq!(responder.unwritten, BTreeMap::new());
    }
}
