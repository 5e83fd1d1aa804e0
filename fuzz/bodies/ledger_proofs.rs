//! Proofs and anchors for those who hold headers only: what is read is written again byte for byte,
//! and of all bytes there are only those prove something that the ledger itself would send. The
//! first byte tells whether bytes come as they are, or are a right proof or anchor, bent.

use std::sync::LazyLock;

use whisper_core::hash::keccak256;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::LightClient;
use whisper_core::ledger::Name;
use whisper_core::ledger::Params;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Question;
use whisper_core::ledger::TxId;
use whisper_core::time::Timestamp;

use crate::rules;
use crate::rules::Big;
use crate::rules::Rule;
use crate::rules::ensure;
use crate::rules::u32_at;
use crate::world::WORLD;

pub(crate) fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    match mode % 4 {
        0 => proof(rest),
        1 => {
            let Some((which, bends)) = rest.split_first_chunk() else { return };
            let truth = &TRUTHS[usize::from(u16::from_le_bytes(*which)) % TRUTHS.len()];
            proof(&bend(&truth.1, bends));
        }
        2 => anchor(rest),
        _ => {
            let Some((&height, bends)) = rest.split_first() else { return };
            let truth = WORLD.ledger().headers().anchor_at(u32::from(height % 8));
            let mut bytes = bend(&truth.expect("the chain is as long").encode(), bends);
            if mode & 4 != 0 {
                link(&mut bytes);
            }
            anchor(&bytes);
        }
    }
}

/// Bytes with changes: place, what to do there, a byte to do it with.
fn bend(bytes: &[u8], bends: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for &[low, high, act, byte] in bends.as_chunks().0 {
        let at = usize::from(u16::from_le_bytes([low, high])) % (bytes.len() + 1);
        match act % 8 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, byte),
            2 if at < bytes.len() => drop(bytes.remove(at)),
            // A whole hash at once, taken out or doubled.
            3 if at + 32 <= bytes.len() => drop(bytes.drain(at..at + 32)),
            4 if at + 32 <= bytes.len() => {
                let hash = bytes[at..at + 32].to_vec();
                drop(bytes.splice(at..at, hash));
            }
            // The end of another proof.
            5 => {
                let other = &TRUTHS[usize::from(byte) % TRUTHS.len()].1;
                bytes.truncate(at);
                bytes.extend(other.get(at..).unwrap_or_default());
            }
            _ if at < bytes.len() => bytes[at] ^= byte,
            _ => {}
        }
    }
    bytes
}

/// All that can be proven from the chain's blocks about its transactions and some names.
static TRUTHS: LazyLock<Vec<(Question, Vec<u8>)>> = LazyLock::new(|| {
    let mut questions = Vec::new();
    for (block, view) in WORLD.blocks.iter().zip(&WORLD.views) {
        let id = BlockId::new(view.id);
        let (_, txs) = rules::split(block).expect("a block of the chain");
        let txs = txs.iter().map(|tx| TxId::new(rules::txid(&view.tag, tx)));
        questions.extend(txs.map(|tx| Question::Tx(id, tx)));
        questions.extend(NAMES.iter().map(|name| Question::Name(id, *name)));
    }
    let with_proof = |question| Some((question, WORLD.prove(&question)?.encode()));
    let truths: Vec<_> = questions.into_iter().filter_map(with_proof).collect();
    assert!(truths.len() > 8 * NAMES.len());
    truths
});

static NAMES: LazyLock<Vec<Name>> = LazyLock::new(|| {
    let known = WORLD.view().records.keys();
    let known = known.map(|name| Name::from_bytes(name).expect("it is in the directory"));
    let others = ["nobody", "no-one-else", "000"].map(|name| name.parse().expect("a name"));
    known.chain(others).collect()
});

/// A client that has the headers up to this height.
fn client(height: usize) -> LightClient {
    let mut client = LightClient::new(Params::regtest()).expect("a network");
    let headers = WORLD.blocks[1..=height].iter().map(|block| Header::decode(head(block)));
    let update = client.accept(WORLD.now(), &headers.collect::<Vec<_>>());
    assert_eq!(update.expect("they are valid").added, height);
    client
}

fn head(block: &[u8]) -> &[u8; 80] {
    block.first_chunk().expect("a block has a header")
}

fn proof(bytes: &[u8]) {
    let Some(proof) = Proof::decode(bytes, WORLD.ledger().params()) else {
        assert!(TRUTHS.iter().all(|(_, truth)| truth != bytes), "a right proof is not read");
        return;
    };
    assert_eq!(proof.encode(), bytes);
    static WHOLE: LazyLock<LightClient> = LazyLock::new(|| client(7));
    static PART: LazyLock<LightClient> = LazyLock::new(|| client(4));
    match &proof {
        Proof::Tx(own) => {
            let question = Question::Tx(proof.block(), own.tx.id());
            let height = holds(&question, bytes);
            assert_eq!(WHOLE.check_tx(own).ok().map(|proven| proven.height), height);
            assert_eq!(PART.check_tx(own).is_ok(), height.is_some_and(|height| height <= 4));
            for (block, at) in WORLD.blocks.iter().zip(0..) {
                let verified = own.verify(&Header::decode(head(block)));
                assert_eq!(verified.is_ok(), height == Some(at));
            }
        }
        Proof::Name(own) => {
            let named = own.record.map(|record| record.name);
            for name in NAMES.iter().copied().chain(named) {
                let height = holds(&Question::Name(proof.block(), name), bytes);
                let proven = WHOLE.check_name(own, &name).ok();
                assert_eq!(proven.map(|proven| proven.height), height);
                assert_eq!(proven.map(|proven| proven.confirmations), height.map(|at| 8 - at));
                let part = PART.check_name(own, &name);
                assert_eq!(part.is_ok(), height.is_some_and(|height| height <= 4));
            }
        }
    }
}

/// The height that these bytes prove an answer from, if they are what the ledger would send.
fn holds(question: &Question, bytes: &[u8]) -> Option<u32> {
    let is_it = |truth: &&(Question, Vec<u8>)| truth.0 == *question && truth.1 == bytes;
    let (question, _) = TRUTHS.iter().find(is_it)?;
    WORLD.ledger().headers().get(&question.block()).map(|entry| entry.height)
}

/// Makes the headers of an anchor follow each other, with work.
fn link(bytes: &mut [u8]) {
    let Some((_, headers)) = bytes.split_at_mut_checked(37) else { return };
    let mut parent: Option<[u8; 32]> = None;
    for header in headers.as_chunks_mut::<80>().0 {
        if let Some(parent) = parent {
            header[4..36].copy_from_slice(&parent);
        }
        header[..4].copy_from_slice(&1u32.to_le_bytes());
        header[72..76].copy_from_slice(&WORLD.view().bits.to_le_bytes());
        for nonce in 0..64u32 {
            if keccak256(header)[31] < 0x80 {
                break;
            }
            header[76..].copy_from_slice(&nonce.to_le_bytes());
        }
        parent = Some(keccak256(header));
    }
}

fn anchor(bytes: &[u8]) {
    let is_whole = bytes.get(36).is_some_and(|count| bytes.len() == 37 + 80 * usize::from(*count));
    let Some(anchor) = HeaderAnchor::decode(bytes) else {
        return assert!(!is_whole);
    };
    assert!(is_whole);
    assert_eq!(anchor.encode(), bytes);
    let begun = LightClient::from_anchor(Params::regtest(), &anchor);
    let expected = judge(u32_at(bytes, 0), bytes[37..].as_chunks().0);
    assert_eq!(begun.as_ref().map(drop).map_err(HeaderError::rule), expected);
    let Ok(mut client) = begun else { return };
    let headers = client.headers();
    let (tip, base) = (headers.tip(), headers.base());
    assert_eq!((tip.height, tip.work), (anchor.height, anchor.work));
    assert_eq!(base, anchor.height - (anchor.headers.len() as u32 - 1));
    let mut work = anchor.work;
    for (header, height) in anchor.headers.iter().rev().zip((0..=anchor.height).rev()) {
        let entry = headers.at(height).expect("it came with the anchor");
        assert_eq!((entry.header, entry.work), (*header, work));
        let own = header.bits.target().expect("it was looked at").work();
        work = work.saturating_sub(own);
    }
    let again = headers.anchor_at(tip.height).expect("the tip is there");
    let kept = anchor.headers.len().min(HeaderAnchor::HEADERS);
    assert_eq!(again.headers, anchor.headers[anchor.headers.len() - kept..]);
    goes_on(&mut client);
}

/// What is wrong with an anchor by itself.
fn judge(height: u32, headers: &[[u8; 80]]) -> Result<(), Rule> {
    let all = height as usize + 1;
    ensure(headers.len() >= all.min(12), "header-anchor")?;
    let limit = rules::target(WORLD.view().bits).expect("it is one");
    for (back, header) in headers.iter().rev().enumerate() {
        ensure(u32_at(header, 0) == 1, "header-version")?;
        let target = rules::target(u32_at(header, 72)).map_err(|_| "header-pow")?;
        ensure(target <= limit && Big::new(&keccak256(header)) <= target, "header-pow")?;
        let child = headers.len() - back;
        let is_linked = headers.get(child).is_none_or(|next| next[4..36] == keccak256(header));
        ensure(is_linked && back < all, "header-parent")?;
    }
    Ok(())
}

/// The next header comes in, and proofs from the headers at hand hold.
fn goes_on(client: &mut LightClient) {
    for (question, truth) in TRUTHS.iter().step_by(7) {
        let Some(Proof::Name(proof)) = Proof::decode(truth, client.params()) else { continue };
        let Question::Name(block, name) = question else { continue };
        let own = client.headers().get(block);
        let real = WORLD.ledger().headers().get(block).map(|entry| entry.height);
        let holds = own.is_some() && own.map(|entry| entry.height) == real;
        assert_eq!(client.check_name(&proof, name).is_ok(), holds);
    }
    let tip = client.headers().tip();
    let median = client.headers().median_time(&tip.id).expect("the tip is there");
    let bits = client.headers().next_bits(&tip.id).expect("they stay the same");
    assert_eq!(bits, tip.header.bits);
    let target = bits.target().expect("it was looked at");
    let Some(time) = median.checked_add(1) else { return };
    let mut next = Header { parent: tip.id, time, ..tip.header };
    // Only easy targets are met at all.
    next.nonce = (0..64).find(|nonce| target.is_met_by(&nonced(next, *nonce))).unwrap_or(0);
    let met = target.is_met_by(&next.id::<Keccak256>());
    let update = client.accept(Timestamp::from_secs(time.into()), &[next]);
    assert_eq!(update.is_ok(), met && tip.height < u32::MAX);
    // Work at the end of its range does not grow, and so the tip stays.
    let is_full = tip.work == ChainWork::from_bytes(&[0xff; 32]);
    assert!(update.is_err() || is_full || client.headers().tip().header == next);
}

fn nonced(header: Header, nonce: u32) -> BlockId {
    Header { nonce, ..header }.id::<Keccak256>()
}
