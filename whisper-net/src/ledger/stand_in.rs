//! Who answers peers once the ledger of a node has ended: there is nothing, and it says so.

use tokio::sync::mpsc;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Item;
use whisper_core::ledger::Message;
use whisper_core::ledger::Status;

use super::queue::Queue;
use crate::driver;
use crate::driver::lodger::News;
use crate::driver::lodger::Wish;

/// Answers until the node ends or another ledger takes the place. Peers that are left waiting cut the
/// connection, and with it the relay's.
pub(super) async fn answer(
    genesis: BlockId,
    mut queue: Queue,
    driver: mpsc::WeakSender<driver::Command>,
) {
    loop {
        let news = queue.next().await;
        if news.is_empty() {
            return;
        }
        let wishes: Vec<Wish> = news.iter().flat_map(|news| answers(genesis, news)).collect();
        if wishes.is_empty() {
            continue;
        }
        let Some(driver) = driver.upgrade() else { return };
        let command: driver::Command = Box::new(move |driver| driver.carry_out_for_ledger(wishes));
        if driver.send(command).await.is_err() {
            return;
        }
    }
}

fn answers(genesis: BlockId, news: &News) -> Vec<Wish> {
    let (peer, messages) = match news {
        News::Connected(peer) => {
            let (tip, work) = (genesis, ChainWork::ZERO);
            (*peer, vec![Message::Status(Status { genesis, tip, height: 0, work })])
        }
        News::Received { peer, code, payload } => {
            (*peer, Message::decode(*code, payload).map(refusals).unwrap_or_default())
        }
        News::Disconnected(_) | News::Written { .. } => return Vec::new(),
    };
    let send =
        |message: Message| Wish::Send { peer, code: message.code(), payload: message.encode() };
    messages.into_iter().map(send).collect()
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

#[cfg(test)]
mod tests {
    use whisper_core::ledger::TxId;
    use whisper_core::peer::PeerId;

    use super::*;

    #[test]
    fn every_question_gets_an_answer_and_nothing_else_does() {
        let (peer, genesis) = (PeerId::new(1), BlockId::new([1; 32]));
        let [block, tx] = [BlockId::new([2; 32]), BlockId::new([3; 32])];
        let said = |message: Message| {
            let (code, payload) = (message.code(), message.encode());
            let wishes = answers(genesis, &News::Received { peer, code, payload });
            let messages = wishes.into_iter().map(|wish| match wish {
                Wish::Send { code, payload, .. } => Message::decode(code, &payload).unwrap(),
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
        let wishes = answers(genesis, &News::Connected(peer));
        let [Wish::Send { code: 0, payload, .. }] = &wishes[..] else { panic!("{wishes:?}") };
        let status = Status { genesis, tip: genesis, height: 0, work: ChainWork::ZERO };
        assert_eq!(Message::decode(0, payload), Ok(Message::Status(status)));
    }
}
