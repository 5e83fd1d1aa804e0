//! Blocks and transactions made by hand, right and wrong, on a network where work is cheap.
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]
#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::collections::BTreeMap;
use std::sync::Arc;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::ledger::Archive;
use whisper_core::ledger::Bits;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockError;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::BoardPost;
use whisper_core::ledger::ChainUpdate;
use whisper_core::ledger::Header;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Name;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::Register;
use whisper_core::ledger::Seal;
use whisper_core::ledger::StoreOp;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::merkle;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

/// The identity of this number.
pub(crate) fn identity(number: u8) -> Identity {
    Identity::generate(&mut ChaCha20Rng::from_seed([number; 32]))
}

/// The second of a header.
pub(crate) fn at(time: u32) -> Timestamp {
    Timestamp::from_secs(time.into())
}

/// A transaction of the network, mined and signed.
pub(crate) fn tx(params: &Params, author: &Identity, expiry: u32, payload: &Payload<'_>) -> Tx {
    let draft = TxDraft::new(params, &author.public_key(), at(expiry), payload).expect("a payload");
    let nonce = draft.find(0..u64::MAX).expect("some nonce fits");
    draft.sign(nonce, author).expect("the author signs")
}

/// A Post with this text.
pub(crate) fn post(params: &Params, author: &Identity, expiry: u32, text: &str) -> Tx {
    let payload = Payload::Post(BoardPost { topic: Topic::default(), parent: None, text });
    tx(params, author, expiry, &payload)
}

/// An operation on a name.
pub(crate) fn register(
    params: &Params,
    author: &Identity,
    expiry: u32,
    (operation, seq, next, name): (Operation, u32, NextKey, &str),
) -> Tx {
    let name: Name = name.parse().expect("a name");
    tx(params, author, expiry, &Payload::Register(Register { operation, seq, next, name }))
}

/// The bytes of a signed transaction with this payload, which may be nonsense. Mined for `floor`
/// hashes a byte.
pub(crate) fn raw_tx(
    params: &Params,
    author: &Identity,
    expiry: u32,
    (kind, payload): (u8, &[u8]),
) -> Vec<u8> {
    let head = [&[1, kind][..], &expiry.to_le_bytes(), &author.public_key().to_compressed()];
    let head = [head.concat().as_slice(), payload].concat();
    let len = head.len() + 8 + 64;
    for nonce in 0u64.. {
        let body = [head.as_slice(), &nonce.to_le_bytes()].concat();
        let id = keccak256(&[params.chain_tag().as_bytes().as_slice(), &body].concat());
        // A little more than the floor of regtest asks, without 256-bit numbers.
        let top = u64::from_le_bytes(id[24..].try_into().expect("eight bytes"));
        if u128::from(top) * (len as u128 + 1) < 1 << 64 {
            let signature = author.sign(&id);
            return [body.as_slice(), &signature.as_bytes()[..64]].concat();
        }
    }
    unreachable!("some nonce fits")
}

/// A block to be made, each part as it should be until a test bends it.
#[derive(Clone)]
pub(crate) struct Forge {
    pub(crate) header: Header,
    pub(crate) seal: Seal,
    pub(crate) txs: Vec<Vec<u8>>,
    /// Given instead of the right root.
    pub(crate) root: Option<[u8; 32]>,
}

impl Forge {
    /// The next block of a ledger, with these transactions; `time` is that of its header.
    pub(crate) fn new(ledger: &Ledger, time: u32, txs: Vec<Vec<u8>>) -> Self {
        let tip = ledger.tip();
        let bits = ledger.headers().next_bits(&tip.id).expect("the tip has bits");
        let tx_root = [0; 32];
        let header = Header { version: 1, parent: tip.id, tx_root, time, bits, nonce: 0 };
        let tx_count = txs.len() as u32 + 1;
        let directory_root = ledger.directory().root();
        let seal = Seal { height: tip.height + 1, tx_count, directory_root, extra: Vec::new() };
        Self { header, seal, txs, root: None }
    }

    /// The encoded block, mined.
    pub(crate) fn bytes(&self, params: &Params) -> Vec<u8> {
        let seal = self.seal.encode();
        let mut leaves = vec![merkle::leaf::<Keccak256>(&seal)];
        leaves.extend(self.txs.iter().map(|tx| merkle::leaf::<Keccak256>(&entry(params, tx))));
        let mut header = self.header;
        header.tx_root = self.root.unwrap_or_else(|| merkle::root::<Keccak256>(&leaves));
        mine(&mut header);
        let count = self.txs.len() as u32 + 1;
        let mut bytes = [header.encode().as_slice(), &count.to_le_bytes()].concat();
        for part in std::iter::once(&seal).chain(&self.txs) {
            bytes.extend((part.len() as u16).to_le_bytes());
            bytes.extend(part);
        }
        bytes
    }

    /// The block, mined.
    pub(crate) fn block(&self, params: &Params) -> Block<Unchecked> {
        Block::decode(self.bytes(params)).expect("not too large")
    }
}

/// Counts the nonce up until the header meets its own target.
pub(crate) fn mine(header: &mut Header) {
    let target = header.bits.target().expect("a target");
    while !target.is_met_by(&header.id::<Keccak256>()) {
        header.nonce += 1;
    }
}

/// A chain of headers on top of `parent`, each `step` seconds after the one before.
pub(crate) fn headers(parent: &Header, count: usize, step: u32, tag: u8) -> Vec<Header> {
    let mut chain: Vec<Header> = Vec::new();
    for _ in 0..count {
        let parent = *chain.last().unwrap_or(parent);
        let mut header = Header {
            version: 1,
            parent: parent.id::<Keccak256>(),
            tx_root: [tag; 32],
            time: parent.time + step,
            bits: parent.bits,
            nonce: 0,
        };
        mine(&mut header);
        chain.push(header);
    }
    chain
}

fn entry(params: &Params, tx: &[u8]) -> Vec<u8> {
    if tx.get(1) == Some(&0) || tx.len() < 64 {
        return tx.to_vec();
    }
    let (body, signature) = tx.split_at(tx.len() - 64);
    let id = keccak256(&[params.chain_tag().as_bytes().as_slice(), body].concat());
    [id.as_slice(), signature].concat()
}

/// A ledger with what its host would keep.
#[derive(Clone)]
pub(crate) struct Host {
    pub(crate) ledger: Ledger,
    pub(crate) disk: Disk,
}

/// What a host has stored.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Disk {
    pub(crate) blocks: BTreeMap<BlockId, Arc<[u8]>>,
    pub(crate) undo: BTreeMap<BlockId, Arc<[u8]>>,
    pub(crate) records: BTreeMap<Name, whisper_core::ledger::NameRecord>,
    pub(crate) chain: Vec<BlockId>,
}

impl Archive for Disk {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.blocks.get(id).cloned()
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.undo.get(id).cloned()
    }
}

impl Disk {
    /// Writes what an update asks for, as one transaction would.
    pub(crate) fn write(&mut self, update: &ChainUpdate) {
        for op in &update.store {
            match op.clone() {
                StoreOp::Block { id, bytes, .. } => {
                    self.blocks.insert(id, bytes);
                }
                StoreOp::Connect { id, height, undo, records, .. } => {
                    assert_eq!(self.chain.len() + 1, height as usize, "blocks join one by one");
                    self.undo.insert(id, undo);
                    self.records.extend(records.into_iter().map(|record| (record.name, record)));
                    self.chain.push(id);
                }
                StoreOp::Disconnect { id, records, .. } => {
                    assert_eq!(self.chain.pop(), Some(id), "blocks leave one by one");
                    for (name, record) in records {
                        match record {
                            Some(record) => self.records.insert(name, record),
                            None => self.records.remove(&name),
                        };
                    }
                }
                StoreOp::Settle { id } => {
                    self.undo.remove(&id);
                }
                StoreOp::Forget { id } => {
                    assert!(!self.chain.contains(&id), "what is on the chain is kept");
                    self.blocks.remove(&id);
                    self.undo.remove(&id);
                }
            }
        }
    }
}

impl Host {
    pub(crate) fn new(params: Params) -> Self {
        let ledger = Ledger::new(params).expect("a network");
        let mut disk = Disk::default();
        let genesis = ledger.params();
        disk.blocks.insert(genesis.genesis_id(), Arc::clone(genesis.genesis()));
        Self { ledger, disk }
    }

    pub(crate) fn regtest() -> Self {
        Self::new(Params::regtest())
    }

    /// Gives a block to the ledger and stores what it says.
    pub(crate) fn accept(
        &mut self,
        now: Timestamp,
        block: Block<Unchecked>,
    ) -> Result<ChainUpdate, BlockError> {
        let update = self.ledger.accept_block_with(now, block, &self.disk)?;
        self.disk.write(&update);
        Ok(update)
    }

    /// Mines a block with these transactions on top of the chain, `after` seconds later.
    pub(crate) fn grow(&mut self, after: u32, txs: &[Tx]) -> BlockId {
        let block = self.next(after, txs);
        let (id, now) = (block.id(), block.header().timestamp());
        assert!(self.accept(now, block).expect("the block is valid").is_change());
        id
    }

    /// Mines so many empty blocks.
    pub(crate) fn grow_empty(&mut self, count: u32, after: u32) {
        for _ in 0..count {
            self.grow(after, &[]);
        }
    }

    /// The block that [`Host::grow`] would add.
    pub(crate) fn next(&self, after: u32, txs: &[Tx]) -> Block<Unchecked> {
        let params = self.ledger.params();
        let time = self.time() + after;
        let raw = txs.iter().map(|tx| tx.as_bytes().to_vec()).collect();
        let mut forge = Forge::new(&self.ledger, time, raw);
        let mut directory = self.ledger.directory().clone();
        let records: Vec<_> = txs
            .iter()
            .filter_map(|tx| match tx.payload() {
                Ok(Payload::Register(register)) => {
                    directory.judge(&register, &tx.author(), forge.seal.height).ok()
                }
                _ => None,
            })
            .collect();
        let kept = directory.records().filter(|old| records.iter().all(|new| new.name != old.name));
        directory = kept.copied().chain(records.iter().copied()).collect();
        forge.seal.directory_root = directory.root();
        forge.block(params)
    }

    pub(crate) fn time(&self) -> u32 {
        self.ledger.tip().header.time
    }

    /// All that two ledgers must have in common to be the same.
    pub(crate) fn state(&self) -> (BlockId, [u8; 32], Vec<whisper_core::ledger::TxId>) {
        let unexpired = self.ledger.unexpired().collect();
        (self.ledger.tip().id, self.ledger.directory().root(), unexpired)
    }
}

/// The target of regtest.
pub(crate) const REGTEST: Bits = Bits::new(0x207f_ffff);
