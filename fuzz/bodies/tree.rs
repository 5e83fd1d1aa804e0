//! Blocks made by a plan, right or wrong, and what the rules written again say of each.
#![allow(dead_code, reason = "each target uses its own part of this")]

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::LazyLock;

use arbitrary::Arbitrary;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::ledger::Header;
use whisper_core::ledger::Params;

use crate::forge::raw_tx;
use crate::rules;
use crate::rules::Hash;
use crate::rules::Rule;
use crate::rules::View;
use crate::rules::ensure;
use crate::world::WORLD;

#[derive(Arbitrary, Debug)]
pub(crate) struct Plan {
    /// Upon which block, counted from the newest: one of the last three, or, from 192, any.
    pub(crate) on: u8,
    /// After the median time, in steps of forty seconds.
    pub(crate) after: u8,
    pub(crate) txs: Vec<TxPlan>,
    pub(crate) bend: Bend,
    /// Bent, if below 64.
    pub(crate) bent: u8,
}

#[derive(Arbitrary, Debug)]
pub(crate) enum TxPlan {
    /// Author, text, how many quarters of an hour until it expires.
    Post(u8, u8, u8),
    Anchor(u8),
    /// Name and operation, by who may do it, or by somebody.
    Register(u8, u8, Option<u8>),
    /// One that was made before.
    Again(u8),
    /// One that was made before, with one bit changed.
    Bent(u8, u16),
}

/// What is wrong with a block.
#[derive(Arbitrary, Debug)]
pub(crate) enum Bend {
    Nothing,
    Height,
    Count,
    Directory,
    Root,
    Version,
    Bits,
    Pow,
    Early(u8),
    Late(u16),
    /// A bit changed when all was done.
    Bit(u16),
    Cut(u16),
}

/// All blocks that were made, the first one's first.
pub(crate) struct Tree {
    all: Vec<Made>,
    txs: Vec<Vec<u8>>,
}

/// A block, and what is known of it.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    /// The block that it names as its parent, if there is such a one.
    pub(crate) parent: Option<usize>,
    /// Its branch's times, itself included.
    pub(crate) times: Vec<u32>,
    /// Whether its body is its header's.
    pub(crate) parts: Result<(), Rule>,
    /// The chain up to it, or what is wrong with it, if all before it is right.
    pub(crate) view: Option<Result<View, Rule>>,
}

impl Tree {
    pub(crate) fn new(genesis: &[u8]) -> Self {
        let view = View::new(genesis);
        let times = view.times.clone();
        let first = Made {
            bytes: genesis.to_vec(),
            parent: None,
            times,
            parts: Ok(()),
            view: Some(Ok(view)),
        };
        Self { all: vec![first], txs: Vec::new() }
    }

    /// The chain of the vectors.
    pub(crate) fn of_vectors() -> Self {
        static ALL: LazyLock<Vec<Made>> = LazyLock::new(|| {
            let (first, others) = WORLD.blocks.split_first().expect("there is a first block");
            let mut tree = Tree::new(first);
            for block in others {
                tree.add(block.clone());
            }
            tree.all
        });
        let txs = ALL.iter().flat_map(Made::txs).map(<[u8]>::to_vec).collect();
        Self { all: ALL.clone(), txs }
    }

    /// All transactions that were made, also those that fit nowhere.
    pub(crate) fn txs(&self) -> &[Vec<u8>] {
        &self.txs
    }

    pub(crate) fn get(&self, which: usize) -> &Made {
        &self.all[which]
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// The block of this name whose body is right, or any.
    pub(crate) fn find(&self, id: &Hash) -> Option<usize> {
        let mut own = (0..self.len()).filter(|at| self.all[*at].id() == *id);
        let first = own.clone().next();
        own.find(|at| self.all[*at].parts.is_ok()).or(first)
    }

    pub(crate) fn by_id(&self, id: &Hash) -> &Made {
        &self.all[self.find(id).expect("it was made here")]
    }

    /// A block and those before it, the first one left out, lowest first.
    pub(crate) fn branch(&self, which: usize) -> Vec<usize> {
        let mut branch: Vec<usize> =
            std::iter::successors(Some(which), |at| self.all[*at].parent).collect();
        branch.retain(|at| *at != 0);
        branch.reverse();
        branch
    }

    /// Makes a block, and tells its number.
    pub(crate) fn grow(&mut self, plan: &Plan) -> usize {
        // Most often near the end.
        let back = usize::from(if plan.on < 192 { plan.on % 3 } else { plan.on - 192 });
        self.grow_on(self.len() - 1 - back % self.len(), plan)
    }

    /// [`Tree::grow`], upon this block.
    pub(crate) fn grow_on(&mut self, on: usize, plan: &Plan) -> usize {
        let on = if self.all[on].bytes.len() < 84 { 0 } else { on };
        let sound = std::iter::successors(Some(on), |at| self.all[*at].parent)
            .chain([0])
            .find_map(|at| self.all[at].view.as_ref()?.as_ref().ok().cloned());
        let view = View { times: self.all[on].times.clone(), ..sound.expect("the first is right") };
        let time = view.median().saturating_add(1 + 40 * u32::from(plan.after));
        let plans = plan.txs.iter().take(4);
        let txs: Vec<_> = plans.filter_map(|plan| self.tx(&view, time, plan)).collect();
        let id = self.all[on].id();
        let bend = if plan.bent < 64 { &plan.bend } else { &Bend::Nothing };
        if matches!(bend, Bend::Bit(_) | Bend::Cut(_)) {
            // Of two blocks with one name the right one comes first.
            self.add(block(id, &view, time, &txs, &Bend::Nothing));
        }
        let bytes = block(id, &view, time, &txs, bend);
        self.txs.extend(txs);
        self.add(bytes)
    }

    pub(crate) fn add(&mut self, bytes: Vec<u8>) -> usize {
        let parent = bytes.get(4..36).and_then(|id| self.find(id.try_into().ok()?));
        let parts = rules::split(&bytes).map(drop);
        let before = parent.map(|parent| &self.all[parent]);
        let mut times = before.map_or_else(Vec::new, |before| before.times.clone());
        times.extend(bytes.get(68..72).map(|_| rules::u32_at(&bytes, 68)));
        let view = before.and_then(|before| before.view.as_ref()?.as_ref().ok());
        let view = view.map(|view| {
            // The time to come is the clock's to judge.
            ensure(bytes.len() >= 84, "block-short")?;
            ensure(rules::u32_at(&bytes, 0) == 1, "header-version")?;
            view.judge_header(&bytes, u64::MAX)?;
            view.judge_block(&bytes)
        });
        self.all.push(Made { bytes, parent, times, parts, view });
        self.len() - 1
    }

    fn tx(&self, view: &View, time: u32, plan: &TxPlan) -> Option<Vec<u8>> {
        let key = |at: u8| &WORLD.keys[usize::from(at) % WORLD.keys.len()];
        let made = |at: u8| self.txs.get(usize::from(at) % self.txs.len().max(1)).cloned();
        match *plan {
            TxPlan::Post(author, text, quarters) => {
                // Rarely outside of what may be.
                let expiry = (time / 900 + u32::from(quarters % 10)) * 900;
                let payload = [0, 0, 0, 0, 0, b'a' + text % 4];
                Some(signed(key(author), expiry, (1, &payload)))
            }
            TxPlan::Anchor(count) => {
                let payload = [&u32::to_le_bytes((count % 4).into())[..], &[count; 32]].concat();
                Some(signed(key(0), time + 3_600, (3, &payload)))
            }
            TxPlan::Register(number, operation, by) => {
                let name = [b"name-", [b'a' + number % 3].as_slice()].concat();
                let old = view.records.get(&name);
                let commit = |at: u8| {
                    let public = key(at).public_key().to_compressed();
                    keccak256(&[&rules::tag("next"), public.as_slice()].concat())
                };
                let turn = (0..7).find(|at| old.is_some_and(|old| old.next == commit(*at)));
                let turn = turn.unwrap_or(number % 3);
                let operation = if old.is_none() { operation / 64 } else { 1 + operation % 2 };
                let next = if operation == 2 { [0; 32] } else { commit(turn + 1) };
                let seq = old.map_or(0, |old| old.seq + 1);
                let head = [&[operation][..], &seq.to_le_bytes(), &next, &name].concat();
                Some(signed(key(by.unwrap_or(turn)), time + 3_600, (2, &head)))
            }
            TxPlan::Again(which) => made(which),
            TxPlan::Bent(which, bit) => {
                let mut tx = made(which)?;
                let at = usize::from(bit / 8) % tx.len();
                tx[at] ^= 1 << (bit % 8);
                Some(tx)
            }
        }
    }
}

impl Made {
    pub(crate) fn header(&self) -> Option<Header> {
        self.bytes.first_chunk().map(Header::decode)
    }

    pub(crate) fn id(&self) -> Hash {
        keccak256(self.bytes.get(..80).unwrap_or_default())
    }

    /// Its transactions, if it has a body.
    pub(crate) fn txs(&self) -> Vec<&[u8]> {
        rules::frames(&self.bytes).map(|(_, txs)| txs).unwrap_or_default()
    }
}

/// A block on top of `parent`, which has `view`'s times and state.
fn block(parent: Hash, view: &View, time: u32, txs: &[Vec<u8>], bend: &Bend) -> Vec<u8> {
    let parts: Vec<&[u8]> = txs.iter().map(Vec::as_slice).collect();
    let mut after = view.clone();
    let mut names = BTreeSet::new();
    for tx in parts.iter().filter(|tx| tx.get(1) != Some(&0)) {
        after.judge_tx(tx, time, &mut names).ok();
    }
    let is = |bent: bool| u32::from(bent);
    let height = view.height() + 1 + is(matches!(bend, Bend::Height));
    let count = txs.len() as u32 + 1 + is(matches!(bend, Bend::Count));
    let mut root = after.directory_root();
    root[0] ^= u8::from(matches!(bend, Bend::Directory));
    let seal = [&[1, 0][..], &height.to_le_bytes(), &count.to_le_bytes(), &root].concat();
    let mut tx_root = rules::tree_root(&rules::leaves(&seal, &parts));
    tx_root[31] ^= u8::from(matches!(bend, Bend::Root));
    let time = match bend {
        Bend::Early(by) => view.median().saturating_sub((*by).into()),
        Bend::Late(by) => time.saturating_add((*by).into()),
        _ => time,
    };
    let version = 1 + is(matches!(bend, Bend::Version));
    let bits = view.bits - is(matches!(bend, Bend::Bits));
    let head = [&version.to_le_bytes()[..], &parent, &tx_root, &time.to_le_bytes()].concat();
    let head = [head.as_slice(), &bits.to_le_bytes()].concat();
    let is_met = |head: &[u8]| keccak256(head)[31] < 0x80;
    let mut bytes = (0..1_000u32)
        .map(|nonce| [head.as_slice(), &nonce.to_le_bytes()].concat())
        .find(|head| is_met(head) != matches!(bend, Bend::Pow))
        .expect("every other hash will do");
    bytes.extend((txs.len() as u32 + 1).to_le_bytes());
    for part in std::iter::once(seal.as_slice()).chain(parts) {
        bytes.extend((part.len() as u16).to_le_bytes());
        bytes.extend(part);
    }
    match bend {
        Bend::Bit(bit) => {
            let at = usize::from(bit / 8) % bytes.len();
            bytes[at] ^= 1 << (bit % 8);
        }
        Bend::Cut(at) => bytes.truncate(usize::from(*at)),
        _ => {}
    }
    bytes
}

/// The transaction that says this, as it may have been made before.
fn signed(author: &Identity, expiry: u32, (kind, payload): (u8, &[u8])) -> Vec<u8> {
    let key = (author.public_key().to_compressed(), expiry, kind, payload.to_vec());
    MADE.with_borrow_mut(|made| {
        if made.len() > 20_000 {
            made.clear();
        }
        let new = || raw_tx(&PARAMS, author, expiry, (kind, payload));
        made.entry(key).or_insert_with(new).clone()
    })
}

type Said = ([u8; 33], u32, u8, Vec<u8>);

thread_local! {
    static MADE: RefCell<BTreeMap<Said, Vec<u8>>> = RefCell::default();
}

static PARAMS: LazyLock<Params> = LazyLock::new(Params::regtest);
