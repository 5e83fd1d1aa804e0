//! What peers say and how they answer, right or wrong.

use whisper_core::ledger::BlockId;
use whisper_core::ledger::Item;
use whisper_core::ledger::Message;
use whisper_core::ledger::Name;
use whisper_core::ledger::Question;
use whisper_core::ledger::TxId;

use super::Said;
use crate::rules;
use crate::tree::Tree;
use crate::world::WORLD;

/// What is said, by one who has seen all of the tree.
pub(crate) fn message(tree: &Tree, said: &Said) -> Message {
    let id = |which: &u8| BlockId::new(tree.get(nth_block(tree, *which)).id());
    let tx = |which: &u8| nth(tree.txs(), *which).cloned().unwrap_or_default();
    match said {
        Said::Headers(which, count) => {
            let branch = tree.branch(nth_block(tree, *which));
            let from = branch.len().saturating_sub(usize::from(*count));
            let headers = branch[from..].iter().filter_map(|at| tree.get(*at).header());
            Message::Headers(headers.collect())
        }
        Said::Block(which) => Message::Block(tree.get(nth_block(tree, *which)).bytes.clone()),
        Said::Tx(which) => Message::Tx(tx(which)),
        Said::Inv(items) => {
            let item = |(block, which): &(bool, u8)| match block {
                true => Item::Block(id(which)),
                false => Item::Tx(tx_id(&tx(which))),
            };
            Message::Inv(items.iter().map(item).collect())
        }
        Said::NotFound(kind, which) => Message::NotFound(match kind % 3 {
            0 => Item::Block(id(which)),
            1 => Item::Tx(tx_id(&tx(which))),
            _ => Item::Proof(id(which)),
        }),
        Said::GetHeaders(locator, stop) => Message::GetHeaders {
            locator: locator.iter().take(32).map(id).collect(),
            stop: id(stop),
        },
        Said::GetBlocks(ids) => Message::GetBlocks(ids.iter().take(16).map(id).collect()),
        Said::GetTxs(ids) => {
            Message::GetTxs(ids.iter().take(64).map(|which| tx_id(&tx(which))).collect())
        }
        Said::GetProof(block, what, tx) => Message::GetProof(question(tree, *block, *what, *tx)),
        Said::Proof(block, what, tx) => {
            let proof = WORLD.prove(&question(tree, *block, *what, *tx));
            Message::Proof(proof.map(|proof| proof.encode()).unwrap_or_default())
        }
    }
}

/// The right answers to a request, by one whose chain ends with the block `best`.
pub(crate) fn answers(tree: &Tree, asked: &Message, best: usize) -> Vec<Message> {
    let block = |id: &BlockId| tree.find(id.as_bytes()).map(|at| tree.get(at));
    match asked {
        Message::GetHeaders { locator, .. } => {
            let branch = tree.branch(best);
            let is_at = |at: &usize, id: &BlockId| tree.get(*at).id() == *id.as_bytes();
            let known = |id: &BlockId| branch.iter().position(|at| is_at(at, id));
            let from = locator.iter().find_map(known).map_or(0, |at| at + 1);
            let rest = branch[from..].iter().filter_map(|at| tree.get(*at).header());
            vec![Message::Headers(rest.collect())]
        }
        Message::GetBlocks(ids) => ids
            .iter()
            .map(|id| match block(id) {
                Some(made) => Message::Block(made.bytes.clone()),
                None => Message::NotFound(Item::Block(*id)),
            })
            .collect(),
        Message::GetTxs(ids) => ids
            .iter()
            .map(|id| {
                let is_it = |tx: &&Vec<u8>| tx_id(tx) == *id;
                let own = tree.txs().iter().find(is_it);
                own.map_or(Message::NotFound(Item::Tx(*id)), |tx| Message::Tx(tx.clone()))
            })
            .collect(),
        Message::GetProof(question) => {
            let proof = WORLD.prove(question);
            let lack = Message::NotFound(Item::Proof(question.block()));
            vec![proof.map_or(lack, |proof| Message::Proof(proof.encode()))]
        }
        _ => Vec::new(),
    }
}

/// [`answers`] of one who has the blocks of its chain and no others.
pub(crate) fn honest(tree: &Tree, asked: &Message, best: usize) -> Vec<Message> {
    let Message::GetBlocks(ids) = asked else { return answers(tree, asked, best) };
    let chain: Vec<_> = tree.branch(best).into_iter().map(|at| tree.get(at)).collect();
    let block = |id: &BlockId| chain.iter().find(|made| made.id() == *id.as_bytes());
    let lack = |id: &BlockId| Message::NotFound(Item::Block(*id));
    let give = |id| block(id).map_or(lack(id), |made| Message::Block(made.bytes.clone()));
    ids.iter().map(give).collect()
}

/// The block of this number from the newest, and from there again.
pub(crate) fn nth_block(tree: &Tree, which: u8) -> usize {
    tree.len() - 1 - usize::from(which) % tree.len()
}

/// The transaction of this number from the newest, if there are as many.
pub(crate) fn nth(txs: &[Vec<u8>], which: u8) -> Option<&Vec<u8>> {
    txs.len().checked_sub(1 + usize::from(which)).map(|at| &txs[at])
}

fn tx_id(tx: &[u8]) -> TxId {
    TxId::new(if tx.len() < 64 { [7; 32] } else { rules::txid(&WORLD.view().tag, tx) })
}

pub(crate) fn question(tree: &Tree, block: u8, what: u8, tx: bool) -> Question {
    let made = tree.get(nth_block(tree, block));
    let id = BlockId::new(made.id());
    let txs = made.txs();
    if tx && !txs.is_empty() {
        return Question::Tx(id, tx_id(txs[usize::from(what) % txs.len()]));
    }
    let known: Vec<_> = WORLD.view().records.keys().collect();
    let name = known.get(usize::from(what % 8)).map_or(&b"nobody"[..], |name| name.as_slice());
    Question::Name(id, Name::from_bytes(name).expect("a name"))
}
