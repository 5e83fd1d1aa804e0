//! A transaction: read, and given to a mempool. What it says and which rule it breaks first, the
//! rules written again know as well; what waits can stand in the next block; a flipped bit cannot.
//! The first byte tells what of the transaction is made right before: author, expiry, work,
//! signature.

use std::collections::BTreeSet;
use std::slice;

use whisper_core::identity::Identity;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::Kind;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Mempool;
use whisper_core::ledger::MempoolError;
use whisper_core::ledger::Payload;
use whisper_core::ledger::SigCheck;
use whisper_core::ledger::Template;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::TxError;
use whisper_core::time::Timestamp;

use crate::rules;
use crate::rules::Hash;
use crate::rules::Rule;
use crate::rules::u32_at;
use crate::world::WORLD;

pub(crate) fn run(data: &[u8]) {
    let Some((&mode, bytes)) = data.split_first() else { return };
    let mut bytes = bytes.to_vec();
    let author = repair(mode, &mut bytes);
    let read = Tx::decode(&bytes, WORLD.ledger().params().chain_tag());
    assert_eq!(read.as_ref().map(drop).map_err(TxError::rule), rules::check_form(&bytes));
    let Ok(tx) = read else { return };
    says(&tx, &bytes);
    if let Some(author) = author {
        drafts(&tx, author);
    }
    let mut ledger = WORLD.ledger().clone();
    let mut mempool = Mempool::new();
    let taken = submit(&mut mempool, &mut ledger, &tx);
    assert_eq!(taken, judge(&bytes));
    assert_eq!(mempool.get(&tx.id()).is_some(), taken.is_ok());
    if taken.is_ok() {
        waits(&mut mempool, &mut ledger, &tx);
        bends(&bytes);
    } else {
        assert!(mempool.is_empty() && mempool.bytes() == 0, "a refusal changes something");
    }
}

/// What is left to be right: bit 0 expiry, bit 1 work and, bit 2, author and signature.
fn repair(mode: u8, bytes: &mut [u8]) -> Option<&'static Identity> {
    if bytes.len() < 111 {
        return None;
    }
    let author = (mode & 4 != 0).then(|| &WORLD.keys[usize::from(mode >> 3) % WORLD.keys.len()]);
    if let Some(author) = author {
        bytes[6..39].copy_from_slice(&author.public_key().to_compressed());
    }
    if mode & 1 != 0 {
        let after = u32::from(u16::from_le_bytes([bytes[2], bytes[3]])) % 8_192;
        bytes[2..6].copy_from_slice(&(WORLD.now().as_secs() as u32 + after).to_le_bytes());
    }
    let nonce = bytes.len() - 72..bytes.len() - 64;
    for number in 0..10_000u64 {
        if mode & 2 == 0 || rules::is_worked(&id(bytes), bytes.len()) {
            break;
        }
        bytes[nonce.clone()].copy_from_slice(&number.to_le_bytes());
    }
    if let Some(author) = author {
        let signature = author.sign(&id(bytes));
        bytes[nonce.end..].copy_from_slice(&signature.as_bytes()[..64]);
    }
    author
}

fn id(bytes: &[u8]) -> Hash {
    rules::txid(&WORLD.view().tag, bytes)
}

/// Every field says what stands in its place.
fn says(tx: &Tx, bytes: &[u8]) {
    assert_eq!(tx.as_bytes(), bytes);
    assert_eq!(*tx.id().as_bytes(), id(bytes));
    assert_eq!(tx.expiry(), u32_at(bytes, 2));
    assert_eq!(tx.author(), bytes[6..39]);
    assert_eq!(tx.signature(), bytes[bytes.len() - 64..]);
    let own = rules::payload(bytes);
    let (kind, read) = match tx.payload().expect("it was read before") {
        Payload::Post(post) => {
            let parent = post.parent.iter().flat_map(|id| *id.as_bytes());
            let head = [post.topic.as_bytes().as_slice(), &[post.parent.is_some().into()]].concat();
            (
                Kind::Post,
                head.into_iter().chain(parent).chain(post.text.bytes()).collect::<Vec<_>>(),
            )
        }
        Payload::Register(register) => {
            let seq = register.seq.to_le_bytes();
            let parts = [&seq[..], register.next.as_bytes(), register.name.as_bytes()];
            (Kind::Register, [&[register.operation as u8], parts.concat().as_slice()].concat())
        }
        Payload::Anchor(anchor) => {
            (Kind::Anchor, [&anchor.count.to_le_bytes()[..], &anchor.root].concat())
        }
    };
    assert_eq!((tx.kind(), read.as_slice()), (Some(kind), own));
}

/// A draft that says the same, signed by the same, is the same.
fn drafts(tx: &Tx, author: &Identity) {
    let payload = tx.payload().expect("it was read before");
    let expiry = Timestamp::from_secs(tx.expiry().into());
    let params = WORLD.ledger().params();
    let draft = TxDraft::new(params, &author.public_key(), expiry, &payload).expect("it was read");
    let bytes = tx.as_bytes();
    let nonce = u64::from_le_bytes(bytes[bytes.len() - 72..][..8].try_into().expect("eight bytes"));
    match draft.sign(nonce, author) {
        Ok(again) => assert_eq!(again, *tx),
        Err(error) => {
            let worked = rules::is_worked(tx.id().as_bytes(), bytes.len());
            assert!(error == TxError::Work && !worked);
        }
    }
}

fn submit(mempool: &mut Mempool, ledger: &mut Ledger, tx: &Tx) -> Result<(), Rule> {
    mempool.submit(WORLD.now(), tx.clone(), ledger).map_err(|error| match error {
        MempoolError::Tx(error) => error.rule(),
        other => panic!("{other} in an empty mempool"),
    })
}

fn judge(bytes: &[u8]) -> Result<(), Rule> {
    let now = WORLD.now().as_secs() as u32;
    WORLD.view().clone().judge_tx(bytes, now, &mut BTreeSet::new())
}

/// It does not come twice, and the next block holds it.
fn waits(mempool: &mut Mempool, ledger: &mut Ledger, tx: &Tx) {
    assert_eq!(mempool.bytes(), tx.as_bytes().len());
    assert_eq!(submit(mempool, ledger, tx), Err("tx-duplicate"));
    let chosen = mempool.select(ledger);
    assert_eq!(chosen, slice::from_ref(tx));
    let template = Template::new(WORLD.now(), ledger, chosen, b"fuzz").expect("a template");
    assert_eq!(template.txs(), slice::from_ref(tx));
    let block = BlockMiner::new(template).search(1_000).expect("every other hash will do");
    assert!(WORLD.view().judge_block(block.bytes()).is_ok());
    let update = ledger.accept_block(WORLD.now(), block).expect("a valid block");
    mempool.follow(WORLD.now(), ledger, &update);
    assert!(mempool.is_empty() && ledger.contains(tx));
    assert_eq!(submit(mempool, ledger, tx), Err("tx-duplicate"));
}

/// Any other bit anywhere, and it is not what was signed.
fn bends(bytes: &[u8]) {
    let mut bent = bytes.to_vec();
    let random = u32_at(&id(bytes), 0) as usize;
    let at = random / 8 % bent.len();
    bent[at] ^= 1 << (random % 8);
    let Ok(tx) = Tx::decode(&bent, WORLD.ledger().params().chain_tag()) else { return };
    assert!(SigCheck::of(&tx).verify().is_err(), "byte {at}");
    let taken = submit(&mut Mempool::new(), &mut WORLD.ledger().clone(), &tx);
    assert!(taken.is_err() && taken == judge(&bent));
}
