//! Transactions that wait for a block: rated by the work that their authors have spent, since
//! there are no fees.

mod select;

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::ledger::block::name::Name;
use crate::ledger::block::register::RegisterError;
use crate::ledger::block::signature::SigCheck;
use crate::ledger::block::tx::Payload;
use crate::ledger::block::tx::Tx;
use crate::ledger::block::tx::TxError;
use crate::ledger::chain::ChainUpdate;
use crate::ledger::chain::Ledger;
use crate::ledger::chain::check::check_alone;
use crate::ledger::hash::TxId;
use crate::ledger::pow::uint::U256;
use crate::time::Timestamp;

/// What a transaction is worth: the hashes that its id stands for, per byte, times 256. Whisper's
/// rating without the lifetime, which is the same for all here.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct TxRating(u128);

impl TxRating {
    /// The rating of a transaction.
    pub fn of(tx: &Tx) -> Self {
        let top = u128::from(U256::from_le_bytes(tx.id().as_bytes()).top_u64());
        let hashes = u128::from(u64::MAX).checked_div(top.saturating_add(1)).unwrap_or(0);
        let len = u128::try_from(tx.as_bytes().len()).unwrap_or(u128::MAX);
        Self(hashes.saturating_mul(256).checked_div(len).unwrap_or(0))
    }

    /// The rating as a number.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    fn halved(self, times: u64) -> Self {
        Self(u32::try_from(times).ok().and_then(|times| self.0.checked_shr(times)).unwrap_or(0))
    }
}

/// Transactions that wait for a block, within [`Mempool::BYTES_MAX`]: the best rated stay.
#[derive(Clone, Debug, Default)]
pub struct Mempool {
    txs: BTreeMap<TxId, Pending>,
    by_rating: BTreeSet<(TxRating, TxId)>,
    /// The pending operation on each name.
    operations: BTreeMap<Name, TxId>,
    bytes: usize,
    /// The rating of what was evicted last, and when.
    floor: (TxRating, Timestamp),
}

#[derive(Clone, Debug)]
struct Pending {
    tx: Tx,
    rating: TxRating,
    name: Option<Name>,
}

impl Mempool {
    /// The most bytes of transactions.
    pub const BYTES_MAX: usize = 8 * 1_024 * 1_024;
    /// After so many seconds the floor is half as high (ours, after Bitcoin Core's rolling minimum fee).
    const FLOOR_HALF_LIFE: u64 = 600;

    /// A mempool without transactions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in a transaction that could stand in the next block. Cheap checks come first: work
    /// before the signature.
    ///
    /// # Errors
    /// [`MempoolError`] says why not.
    pub fn submit(
        &mut self,
        now: Timestamp,
        tx: Tx,
        ledger: &mut Ledger,
    ) -> Result<(), MempoolError> {
        let name = self.judge(now, &tx, ledger)?;
        let rating = TxRating::of(&tx);
        self.make_room(now, rating, tx.as_bytes().len())?;
        self.bytes = self.bytes.saturating_add(tx.as_bytes().len());
        self.by_rating.insert((rating, tx.id()));
        if let Some(name) = name {
            self.operations.insert(name, tx.id());
        }
        self.txs.insert(tx.id(), Pending { tx, rating, name });
        Ok(())
    }

    /// Follows the ledger: drops what stands in the chain now or can no longer, and takes back what
    /// left the chain.
    pub fn follow(&mut self, now: Timestamp, ledger: &mut Ledger, update: &ChainUpdate) {
        let height = ledger.tip().height.saturating_add(1);
        self.retain(|pending| {
            let operation = match pending.tx.payload() {
                Ok(Payload::Register(register)) => Some(register),
                _ => None,
            };
            let author = pending.tx.author();
            let fits =
                operation.is_none_or(|it| ledger.directory().judge(&it, &author, height).is_ok());
            fits && !ledger.contains(&pending.tx)
        });
        self.expire(now);
        for tx in &update.returned {
            // What does not come in again has lost its place to better ones.
            self.submit(now, tx.clone(), ledger).ok();
        }
    }

    /// Drops what no block can hold any more.
    pub fn expire(&mut self, now: Timestamp) {
        self.retain(|pending| u64::from(pending.tx.expiry()) > now.as_secs());
    }

    /// The lowest rating that comes in. It rises when something was evicted, and then falls to half
    /// every ten minutes.
    pub fn floor(&self, now: Timestamp) -> TxRating {
        let (rating, since) = self.floor;
        let halvings = now.saturating_since(since).as_secs() / Self::FLOOR_HALF_LIFE;
        rating.halved(halvings)
    }

    /// A transaction that waits.
    pub fn get(&self, id: &TxId) -> Option<&Tx> {
        self.txs.get(id).map(|pending| &pending.tx)
    }

    /// The transactions and their ratings, best rated first.
    pub fn iter(&self) -> impl Iterator<Item = (&Tx, TxRating)> {
        let best_first = self.by_rating.iter().rev();
        best_first.filter_map(|(rating, id)| Some((&self.txs.get(id)?.tx, *rating)))
    }

    /// How many transactions wait.
    pub fn len(&self) -> usize {
        self.txs.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.txs.is_empty()
    }

    /// The bytes of all transactions.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether a transaction may come in, and the name that it operates on.
    fn judge(
        &self,
        now: Timestamp,
        tx: &Tx,
        ledger: &mut Ledger,
    ) -> Result<Option<Name>, MempoolError> {
        let time = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        let (before, payload) = check_alone(ledger.params(), tx, time);
        before?;
        if self.txs.contains_key(&tx.id()) || ledger.contains(tx) {
            return Err(TxError::Duplicate.into());
        }
        if !self.would_fit(now, TxRating::of(tx), tx.as_bytes().len()) {
            return Err(MempoolError::Underrated);
        }
        ledger.verify(&SigCheck::of(tx))?;
        let Payload::Register(register) = payload? else { return Ok(None) };
        let height = ledger.tip().height.saturating_add(1);
        ledger
            .directory()
            .judge(&register, &tx.author(), height)
            .map_err(|error: RegisterError| TxError::from(error))?;
        if self.operations.contains_key(&register.name) {
            return Err(MempoolError::Busy);
        }
        Ok(Some(register.name))
    }

    /// Whether there is room, or could be by evicting what is rated lower.
    fn would_fit(&self, now: Timestamp, rating: TxRating, len: usize) -> bool {
        if rating < self.floor(now) {
            return false;
        }
        let mut bytes = self.bytes.saturating_add(len);
        for (lowest, id) in &self.by_rating {
            if bytes <= Self::BYTES_MAX || *lowest >= rating {
                break;
            }
            let freed = self.txs.get(id).map_or(0, |pending| pending.tx.as_bytes().len());
            bytes = bytes.saturating_sub(freed);
        }
        bytes <= Self::BYTES_MAX
    }

    fn make_room(
        &mut self,
        now: Timestamp,
        rating: TxRating,
        len: usize,
    ) -> Result<(), MempoolError> {
        while self.bytes.saturating_add(len) > Self::BYTES_MAX {
            let lowest = self.by_rating.first().copied().filter(|(lowest, _)| *lowest < rating);
            let (lowest, id) = lowest.ok_or(MempoolError::Underrated)?;
            self.remove(&id);
            self.floor = (lowest.max(self.floor(now)), now);
        }
        Ok(())
    }

    fn remove(&mut self, id: &TxId) {
        if let Some(pending) = self.txs.remove(id) {
            self.bytes = self.bytes.saturating_sub(pending.tx.as_bytes().len());
            self.by_rating.remove(&(pending.rating, *id));
            if let Some(name) = pending.name {
                self.operations.remove(&name);
            }
        }
    }

    fn retain(&mut self, keep: impl Fn(&Pending) -> bool) {
        let gone: Vec<TxId> =
            self.txs.iter().filter(|(_, pending)| !keep(pending)).map(|(id, _)| *id).collect();
        gone.iter().for_each(|id| self.remove(id));
    }
}

/// Why a transaction may not wait for a block here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MempoolError {
    /// The next block could not hold it.
    #[error(transparent)]
    Tx(#[from] TxError),
    /// There is no room for so little work.
    #[error("there is no room for so little work")]
    Underrated,
    /// Another operation on the name waits.
    #[error("another operation on the name waits")]
    Busy,
}
