//! A block against the state before it: the rules of 2.7 that come after the root, in their order.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::directory::Directory;
use super::directory::NameRecord;
use super::state::Change;
use super::state::Changes;
use super::state::State;
use crate::ledger::block::BLOCK_MAX;
use crate::ledger::block::Block;
use crate::ledger::block::BlockError;
use crate::ledger::block::framed_len;
use crate::ledger::block::name::Name;
use crate::ledger::block::register::RegisterError;
use crate::ledger::block::signature::SigCache;
use crate::ledger::block::tx::Payload;
use crate::ledger::block::tx::Tx;
use crate::ledger::block::tx::TxError;
use crate::ledger::hash::TxId;
use crate::ledger::rules::params::Params;

/// The most operations on names in one block.
const REGISTER_MAX: usize = 64;

/// How long before its expiry a transaction may stand in a block, in seconds.
pub(in crate::ledger) const LIFETIME: u32 = 7_200;

/// Holds a block at `height` against the state before it. `cache` spares signatures that are known
/// to be good; without one, none is checked: the block was valid before.
pub(super) fn check_block(
    params: &Params,
    state: &State,
    height: u32,
    block: &Block,
    cache: Option<&mut SigCache>,
) -> Result<Changes, BlockError> {
    let count = block.txs().len().saturating_add(1);
    if block.seal().height != height {
        return Err(BlockError::SealHeight);
    }
    if usize::try_from(block.seal().tx_count) != Ok(count) {
        return Err(BlockError::SealCount);
    }
    let mut check = BodyCheck::new(params, state, height, block.header().time);
    let failure = check.run(block.txs());
    if let Some(cache) = cache {
        check_signatures(block, cache, failure)?;
    }
    if let Some(Failure { at, source, .. }) = failure {
        return Err(BlockError::Tx { index: place(at), source });
    }
    if check.directory.root() != block.seal().directory_root {
        return Err(BlockError::SealDirectory);
    }
    let txs = block.txs().iter().map(|tx| (tx.expiry(), tx.id())).collect();
    Ok(Changes { directory: check.directory, records: check.records, txs })
}

/// Those of `txs` that could stand in a block at this height and time, signatures aside, and the root
/// of the directory after them.
pub(super) fn choose(
    params: &Params,
    state: &State,
    (height, time): (u32, u32),
    txs: impl IntoIterator<Item = Tx>,
) -> (Vec<Tx>, [u8; 32]) {
    let mut check = BodyCheck::new(params, state, height, time);
    let mut chosen = Vec::new();
    let mut bytes = framed_len(core::iter::empty());
    for tx in txs {
        let with = bytes.saturating_add(tx.as_bytes().len()).saturating_add(2);
        if with <= BLOCK_MAX && check.judge(0, &tx).is_ok() {
            bytes = with;
            chosen.push(tx);
        }
    }
    (chosen, check.directory.root())
}

/// The first transaction that breaks a rule, whatever its signature.
#[derive(Clone, Copy)]
struct Failure {
    at: usize,
    source: TxError,
    /// Whether the signature is to be judged before this rule.
    after_signature: bool,
}

/// Checks the signatures of the transactions before `failure`, and its own if that comes first.
fn check_signatures(
    block: &Block,
    cache: &mut SigCache,
    failure: Option<Failure>,
) -> Result<(), BlockError> {
    let judged = failure.map_or(usize::MAX, |failure| {
        failure.at.saturating_add(usize::from(failure.after_signature))
    });
    for (at, check) in block.sig_checks().iter().enumerate().take(judged) {
        let index = place(at);
        cache.verify(check).map_err(|source| BlockError::Tx { index, source })?;
    }
    Ok(())
}

/// The index in the block of the signed transaction at this place.
fn place(at: usize) -> u32 {
    u32::try_from(at.saturating_add(1)).unwrap_or(u32::MAX)
}

/// The rules of single transactions that need no state: all but those of duplicates, signatures and
/// the directory. Returns what comes before the signature and what comes after it.
pub(in crate::ledger) fn check_alone<'a>(
    params: &Params,
    tx: &'a Tx,
    time: u32,
) -> (Result<(), TxError>, Result<Payload<'a>, TxError>) {
    let before = || {
        let kind = tx.check_form()?;
        if !params.is_worked(&tx.id(), kind, tx.as_bytes().len()) {
            return Err(TxError::Work);
        }
        let latest = time.saturating_add(LIFETIME);
        if time < tx.expiry() && tx.expiry() <= latest { Ok(()) } else { Err(TxError::Expiry) }
    };
    (before(), tx.payload())
}

/// The transactions of one block so far.
struct BodyCheck<'a> {
    params: &'a Params,
    state: &'a State,
    height: u32,
    time: u32,
    directory: Directory,
    records: Vec<Change>,
    ids: BTreeSet<TxId>,
    names: BTreeSet<Name>,
}

impl<'a> BodyCheck<'a> {
    fn new(params: &'a Params, state: &'a State, height: u32, time: u32) -> Self {
        Self {
            params,
            state,
            height,
            time,
            directory: state.directory.clone(),
            records: Vec::new(),
            ids: BTreeSet::new(),
            names: BTreeSet::new(),
        }
    }

    fn run(&mut self, txs: &[Tx]) -> Option<Failure> {
        txs.iter().enumerate().find_map(|(at, tx)| self.judge(at, tx).err())
    }

    fn judge(&mut self, at: usize, tx: &Tx) -> Result<(), Failure> {
        let (before, payload) = check_alone(self.params, tx, self.time);
        let fail = |after_signature| move |source| Failure { at, source, after_signature };
        before.and_then(|()| self.check_new(tx)).map_err(fail(false))?;
        payload.and_then(|payload| self.apply(tx, &payload)).map_err(fail(true))
    }

    fn check_new(&mut self, tx: &Tx) -> Result<(), TxError> {
        let is_known = self.state.has_seen(tx) || !self.ids.insert(tx.id());
        if is_known { Err(TxError::Duplicate) } else { Ok(()) }
    }

    fn apply(&mut self, tx: &Tx, payload: &Payload<'_>) -> Result<(), TxError> {
        let Payload::Register(register) = payload else { return Ok(()) };
        if !self.names.insert(register.name) {
            return Err(RegisterError::Twice.into());
        }
        if self.names.len() > REGISTER_MAX {
            return Err(RegisterError::Cap.into());
        }
        let record: NameRecord = self.directory.judge(register, &tx.author(), self.height)?;
        let before = self.directory.get(&register.name).copied();
        self.directory.set(record);
        self.records.push(Change { before, after: record });
        Ok(())
    }
}
