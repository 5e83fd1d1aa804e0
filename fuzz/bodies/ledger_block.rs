//! A block: taken apart, held against its header, and given to a chain. Which rule it breaks first,
//! the rules written again know as well; what is refused changes nothing, and a wrong body is not its
//! header's fault. The first two bytes tell what of the block is made right before.

use whisper_core::ledger::Block;
use whisper_core::ledger::BlockError;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BodyError;
use whisper_core::ledger::Fault;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::SigCheck;
use whisper_core::ledger::StoreOp;
use whisper_core::ledger::Tx;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::merkle;
use whisper_core::ledger::verify_all;

use crate::rules;
use crate::rules::Rule;
use crate::rules::View;
use crate::rules::ensure;
use crate::rules::u32_at;
use crate::world::WORLD;

pub(crate) fn run(data: &[u8]) {
    let Some((&[mode, who], bytes)) = data.split_first_chunk() else { return };
    let bytes = repair(mode, who, bytes);
    let framed = ensure(bytes.len() <= 262_144, "block-size")
        .and_then(|()| ensure(bytes.len() >= 84, "block-short"));
    let block = match Block::decode(bytes.as_slice()) {
        Ok(block) => block,
        Err(error) => return assert_eq!(Err(error.rule()), framed),
    };
    assert_eq!(framed, Ok(()));
    assert_eq!((&**block.bytes(), block.header().encode().as_slice()), (&bytes[..], &bytes[..80]));
    comes_apart(&block);
    joins(&block);
}

/// Bit 0: header, bit 1: Seal, bit 2: expiries, bit 3: work, bit 4: signatures, bit 5: root, bit 6:
/// directory. `who` says on which block it stands and who signs.
fn repair(mode: u8, who: u8, bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    if bytes.len() < 84 {
        return bytes;
    }
    let view = &WORLD.views[usize::from(who % 8)];
    if mode & 1 != 0 {
        let time = view.median() + 1 + u32_at(&bytes, 68) % 700;
        bytes[..4].copy_from_slice(&1u32.to_le_bytes());
        bytes[4..36].copy_from_slice(&view.id);
        bytes[68..72].copy_from_slice(&time.to_le_bytes());
        bytes[72..76].copy_from_slice(&view.bits.to_le_bytes());
    }
    if let Ok((seal, txs)) = rules::frames(&bytes) {
        let txs: Vec<Vec<u8>> = txs.into_iter().map(|tx| finish(tx, mode, who, &bytes)).collect();
        let mut seal = seal.to_vec();
        if mode & 2 != 0 {
            seal[2..6].copy_from_slice(&(view.height() + 1).to_le_bytes());
            seal[6..10].copy_from_slice(&(txs.len() as u32 + 1).to_le_bytes());
        }
        if mode & 64 != 0 {
            let mut after = view.clone();
            let mut names = Default::default();
            for tx in &txs {
                after.judge_tx(tx, u32_at(&bytes, 68), &mut names).ok();
            }
            seal[10..42].copy_from_slice(&after.directory_root());
        }
        let parts: Vec<&[u8]> = txs.iter().map(Vec::as_slice).collect();
        if mode & 32 != 0 {
            bytes[36..68].copy_from_slice(&rules::tree_root(&rules::leaves(&seal, &parts)));
        }
        bytes.truncate(84);
        for part in std::iter::once(seal.as_slice()).chain(parts) {
            bytes.extend((part.len() as u16).to_le_bytes());
            bytes.extend(part);
        }
    }
    let nonces = (0..64).take_while(|_| mode & 1 != 0);
    for nonce in nonces {
        bytes[76..80].copy_from_slice(&u32::to_le_bytes(nonce));
        if whisper_core::hash::keccak256(&bytes[..80])[31] < 0x80 {
            break;
        }
    }
    bytes
}

/// A transaction of a block, with what the mode asks for.
fn finish(tx: &[u8], mode: u8, who: u8, block: &[u8]) -> Vec<u8> {
    let mut tx = tx.to_vec();
    let author = &WORLD.keys[usize::from(who >> 3).wrapping_add(tx[6].into()) % WORLD.keys.len()];
    if mode & 16 != 0 {
        tx[6..39].copy_from_slice(&author.public_key().to_compressed());
    }
    if mode & 4 != 0 {
        let after = u32_at(&tx, 2) % 7_300;
        tx[2..6].copy_from_slice(&u32_at(block, 68).saturating_add(after).to_le_bytes());
    }
    let tag = WORLD.view().tag;
    let nonce = tx.len() - 72..tx.len() - 64;
    for number in 0..10_000u64 {
        if mode & 8 == 0 || rules::is_worked(&rules::txid(&tag, &tx), tx.len()) {
            break;
        }
        tx[nonce.clone()].copy_from_slice(&number.to_le_bytes());
    }
    if mode & 16 != 0 {
        let signature = author.sign(&rules::txid(&tag, &tx));
        tx[nonce.end..].copy_from_slice(&signature.as_bytes()[..64]);
    }
    tx
}

/// The parts, and their paths to the root.
fn comes_apart(block: &Block<Unchecked>) {
    let bytes = block.bytes();
    let checked = block.clone().check_structure(WORLD.ledger().params().chain_tag());
    let apart = rules::split(bytes);
    assert_eq!(checked.as_ref().map(drop).map_err(BodyError::rule), apart.clone().map(drop));
    let (Ok(checked), Ok((seal, txs))) = (checked, apart) else { return };
    assert_eq!(checked.seal().encode(), seal);
    assert!(checked.txs().iter().map(Tx::as_bytes).eq(txs.iter().copied()));
    let leaves = rules::leaves(seal, &txs);
    for (leaf, index) in leaves.iter().zip(0..) {
        let path = checked.path(index).expect("there is such a leaf");
        let leaf = merkle::leaf::<Keccak256>(leaf);
        assert_eq!(path.root::<Keccak256>(leaf), Some(block.header().tx_root));
        let mut beside = path.clone();
        beside.index ^= 1;
        assert_ne!(beside.root::<Keccak256>(leaf), Some(block.header().tx_root));
    }
    assert_eq!(checked.path(leaves.len() as u32), None);
    assert_eq!(checked.sig_checks().len(), txs.len());
    assert_eq!(checked.into_unchecked(), *block);
}

/// Gives the block to the chain that ends where it wants to stand, or to the whole one.
fn joins(block: &Block<Unchecked>) {
    let is_parent = |view: &View| BlockId::new(view.id) == block.header().parent;
    let at = WORLD.views.iter().position(is_parent).unwrap_or(7);
    let (view, mut ledger) = (&WORLD.views[at], WORLD.ledgers[at].clone());
    let expected = judge(view, block.bytes());
    let before = state(&ledger);
    let checks = ledger.sig_checks(WORLD.now(), block);
    if expected.is_ok() {
        assert_eq!(verify_all(&checks).len(), checks.len());
        assert_eq!(checks.len(), rules::split(block.bytes()).expect("it was valid").1.len());
        ledger.trust(checks.iter().take(1).filter_map(|check| SigCheck::verify(check).ok()));
    }
    match (ledger.accept_block(WORLD.now(), block.clone()), expected) {
        (Ok(update), Ok(view)) => {
            assert_eq!(update.connected, [block.id()]);
            let stored =
                matches!(update.store[..], [StoreOp::Block { .. }, StoreOp::Connect { .. }]);
            assert!(stored && update.disconnected.is_empty() && update.returned.is_empty());
            stands(&mut ledger, &view, block);
        }
        (Err(error), Err(rule)) => {
            assert_eq!(error.rule(), rule);
            assert_eq!(state(&ledger), before, "{rule} changes something");
            remembers(&mut ledger, block, error);
        }
        (own, naive) => panic!("{own:?}, but {:?}", naive.map(|view| view.height())),
    }
}

fn judge(view: &View, block: &[u8]) -> Result<View, Rule> {
    ensure(u32_at(block, 0) == 1, "header-version")?;
    ensure(block[4..36] == view.id, "header-parent")?;
    view.judge_header(&block[..80], WORLD.now().as_secs())?;
    view.judge_block(block)
}

fn state(ledger: &Ledger) -> impl PartialEq + std::fmt::Debug + use<> {
    let headers = ledger.headers();
    let unexpired: Vec<_> = ledger.unexpired().collect();
    (ledger.tip(), headers.tip(), headers.side_len(), ledger.directory().root(), unexpired)
}

/// The chain is as the rules written again say.
fn stands(ledger: &mut Ledger, view: &View, block: &Block<Unchecked>) {
    assert_eq!((ledger.tip().id, ledger.tip().height), (block.id(), view.height()));
    assert_eq!(ledger.directory().root(), view.directory_root());
    assert_eq!(ledger.directory().len(), view.records.len());
    for record in ledger.directory().records() {
        let name = record.name.as_bytes();
        assert_eq!(record.encode(), view.records[name].encode(name));
    }
    let height = view.height();
    let audit = ledger.audit(height..=height, &Nothing).expect("it was checked just now");
    assert_eq!(audit.blocks, 1);
    let again = ledger.accept_block(WORLD.now(), block.clone()).expect("it is there");
    assert!(!again.is_change() && again.store.is_empty());
}

/// What the header is to blame for is refused from now on, and nothing else.
fn remembers(ledger: &mut Ledger, block: &Block<Unchecked>, error: BlockError) {
    let is_invalid = error.fault() == Fault::Invalid && !matches!(error, BlockError::Header(_));
    assert_eq!(ledger.headers().is_refused(&block.id()), is_invalid);
    let again = ledger.accept_block(WORLD.now(), block.clone()).expect_err("nothing has changed");
    assert_eq!(again.rule(), if is_invalid { "header-refused" } else { error.rule() });
}
