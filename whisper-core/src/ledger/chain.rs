//! The ledger: a chain of valid blocks, and what it amounts to.

mod archive;
mod audit;
pub(super) mod check;
pub(super) mod directory;
mod owners;
mod place;
mod recent;
mod reorganise;
mod replay;
mod restore;
mod state;

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;

pub use archive::Archive;
pub use archive::ChainUpdate;
pub use archive::Nothing;
pub use archive::StoreOp;
pub use audit::Audit;
pub use audit::AuditError;
pub use restore::Backup;
pub use restore::RestoreError;

use check::check_block;
use directory::Directory;
use owners::Owners;
use place::Place;
use recent::Recent;
use state::Change;
use state::Changes;
use state::State;

use crate::ledger::block::Block;
use crate::ledger::block::BlockError;
use crate::ledger::block::Fault;
use crate::ledger::block::Unchecked;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::block::signature::SigCache;
use crate::ledger::block::signature::SigCheck;
use crate::ledger::block::signature::Verified;
use crate::ledger::block::tx::Tx;
use crate::ledger::block::tx::TxError;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::TxId;
use crate::ledger::headers::BatchError;
use crate::ledger::headers::Entry;
use crate::ledger::headers::HeaderChain;
use crate::ledger::headers::HeaderUpdate;
use crate::ledger::headers::Scan;
use crate::ledger::headers::up_to;
use crate::ledger::rules::params::Params;
use crate::time::Timestamp;

/// A chain of valid blocks from a network's first one, and what follows from it: nothing else has
/// this type. Consensus is a comparison of work between two of them.
///
/// It keeps headers, the directory, the transactions that have not expired, and the newest blocks
/// within [`Ledger::RECENT_MAX`] bytes. Older blocks are with the host, as an [`Archive`].
#[derive(Clone, Debug)]
pub struct Ledger {
    params: Params,
    headers: HeaderChain<Keccak256>,
    /// The newest valid block. The chain of headers may be ahead of it.
    place: Place,
    state: State,
    /// Blocks off the chain whose body is at hand, and whether they were found valid once.
    stored: BTreeMap<BlockId, bool>,
    /// Blocks off the chain that were given up, until the host is told.
    forgotten: Vec<BlockId>,
    cache: SigCache,
    recent: Recent,
    owners: Owners,
    /// The directories after the newest blocks, oldest first, to prove from.
    past: VecDeque<(BlockId, Directory)>,
}

impl Ledger {
    /// The most bytes of blocks that are kept in memory.
    pub const RECENT_MAX: usize = 32 * 1_024 * 1_024;
    /// For how many of the newest blocks the directory can be proven: twice the confirmations after
    /// which a changed key is trusted.
    pub const PROVABLE: usize = 64;

    /// The chain of a network's first block alone.
    ///
    /// # Errors
    /// [`HeaderError`] if that block breaks the network's own rules.
    pub fn new(params: Params) -> Result<Self, HeaderError> {
        let headers = HeaderChain::new(params.rules().clone(), *params.genesis_header())?;
        let (tip, place) = (params.genesis_id(), Place::new(headers.tip()));
        Ok(Self {
            params,
            headers,
            place,
            state: State::default(),
            stored: BTreeMap::new(),
            forgotten: Vec::new(),
            cache: SigCache::default(),
            recent: Recent::default(),
            owners: Owners::default(),
            past: VecDeque::from([(tip, Directory::new())]),
        })
    }

    /// Checks a block in full and adopts its chain if that has more work. A block with less is kept
    /// for later. On error no chain has changed; a block that is invalid is remembered as such.
    ///
    /// # Errors
    /// The first rule that is broken; [`BlockError::Unavailable`] if a change of chains needs a
    /// block that is no longer in memory: see [`Ledger::accept_block_with`].
    pub fn accept_block(
        &mut self,
        now: Timestamp,
        block: Block<Unchecked>,
    ) -> Result<ChainUpdate, BlockError> {
        self.accept_block_with(now, block, &Nothing)
    }

    /// [`Ledger::accept_block`], with an archive to read older blocks from.
    ///
    /// # Errors
    /// The first rule that is broken; [`BlockError::Unavailable`] if the archive lacks a block.
    pub fn accept_block_with(
        &mut self,
        now: Timestamp,
        block: Block<Unchecked>,
        archive: &impl Archive,
    ) -> Result<ChainUpdate, BlockError> {
        let id = block.id();
        if self.has_block(&id) {
            return Ok(self.unchanged());
        }
        let block = self.check_body(now, block)?;
        self.accept_headers(now, &[*block.header()]).map_err(|error| error.source)?;
        let entry = self.headers.get(&id).ok_or(HeaderError::Deep)?;
        let mut update = if entry.work > self.tip().work {
            self.adopt(now, &entry, &block, archive)?
        } else {
            self.keep(&entry, &block, false);
            let store = self.store_op(&entry, &block);
            ChainUpdate { store: [store].into(), ..self.unchanged() }
        };
        // Before the rest: what was given up may have come again.
        let forgotten = core::mem::take(&mut self.forgotten).into_iter();
        update.store.splice(..0, forgotten.map(|id| StoreOp::Forget { id }));
        Ok(update)
    }

    /// The signatures that [`Ledger::accept_block`] would check one after the other. Hand them to
    /// threads, give the tokens to [`Ledger::trust`], and the block costs hashes only. Empty if the
    /// block would be refused before.
    pub fn sig_checks(&self, now: Timestamp, block: &Block<Unchecked>) -> Vec<SigCheck> {
        if self.has_block(&block.id()) {
            return Vec::new();
        }
        let Ok(block) = self.check_body(now, block.clone()) else { return Vec::new() };
        let mut checks = block.sig_checks();
        checks.retain(|check| !self.cache.contains(check));
        checks
    }

    /// Remembers signatures that were found good.
    pub fn trust(&mut self, verified: impl IntoIterator<Item = Verified>) {
        verified.into_iter().for_each(|verified| self.cache.insert(verified));
    }

    /// Checks a signature, unless it is known to be good.
    pub(super) fn verify(&mut self, check: &SigCheck) -> Result<(), TxError> {
        self.cache.verify(check)
    }

    /// Takes in headers ahead of their blocks: see [`HeaderChain::accept`].
    ///
    /// # Errors
    /// The first header that is not valid; then nothing has changed.
    pub fn accept_headers(
        &mut self,
        now: Timestamp,
        headers: &[Header],
    ) -> Result<HeaderUpdate, BatchError> {
        let update = self.headers.accept(now, headers)?;
        if !update.disconnected.is_empty() {
            self.place.follow(&self.headers);
        }
        Ok(update)
    }

    /// Lets a branch of headers come in that has shown more work: see [`HeaderChain::permit`].
    pub fn permit(&mut self, scan: &Scan<Keccak256>) -> bool {
        self.headers.permit(scan)
    }

    /// The rules of the network.
    pub const fn params(&self) -> &Params {
        &self.params
    }

    /// All headers, also those whose blocks are not here yet.
    pub const fn headers(&self) -> &HeaderChain<Keccak256> {
        &self.headers
    }

    /// The newest block of the chain.
    pub const fn tip(&self) -> Entry {
        self.place.tip()
    }

    /// The block of the chain at this height.
    pub fn at(&self, height: u32) -> Option<Entry> {
        self.place.at(&self.headers, height)
    }

    /// The headers of the chain after the first of these ids that is on it (after the first block,
    /// if none is), up to `stop` or as many as `max`: [`HeaderChain::after`], but of valid blocks only.
    pub fn after(&self, locator: &[BlockId], stop: &BlockId, max: usize) -> Vec<Header> {
        let known = locator.iter().find_map(|id| self.headers.get(id).filter(|at| self.is_at(at)));
        let from = known.map_or(1, |known| known.height.saturating_add(1));
        up_to(stop, (from..).map_while(|height| self.at(height)).take(max))
    }

    /// Whether the block lies on the chain.
    pub fn is_on_chain(&self, id: &BlockId) -> bool {
        self.headers.get(id).is_some_and(|entry| self.is_at(&entry))
    }

    /// Whether the block's body is at hand, on the chain or off it.
    pub fn has_block(&self, id: &BlockId) -> bool {
        let entry = self.headers.get(id);
        entry.is_some_and(|entry| self.stored.contains_key(id) || self.is_at(&entry))
    }

    fn is_at(&self, entry: &Entry) -> bool {
        self.at(entry.height).is_some_and(|own| own.id == entry.id)
    }

    /// A block, encoded, if it is still in memory. The first one always is: it belongs to the
    /// network, and no host is ever told to store it.
    pub fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        if *id == self.params.genesis_id() {
            return Some(Arc::clone(self.params.genesis()));
        }
        self.recent.block(id)
    }

    /// The directory after the newest block.
    pub const fn directory(&self) -> &Directory {
        &self.state.directory
    }

    /// The directory after one of the [`Ledger::PROVABLE`] newest blocks of the chain.
    pub fn directory_at(&self, id: &BlockId) -> Option<&Directory> {
        let mut newest = self.past.iter().rev();
        newest.find(|(block, _)| block == id).map(|(_, directory)| directory)
    }

    /// Whether the transaction stands in the chain. Only as long as it has not expired.
    pub fn contains(&self, tx: &Tx) -> bool {
        self.state.has_seen(tx)
    }

    /// Ids of all transactions of the chain that have not expired.
    pub fn unexpired(&self) -> impl Iterator<Item = TxId> {
        self.state.seen()
    }

    /// Those of `txs` that the next block could hold, and the root of the directory after them.
    pub(super) fn choose(
        &self,
        height: u32,
        time: u32,
        txs: impl IntoIterator<Item = Tx>,
    ) -> (Vec<Tx>, [u8; 32]) {
        check::choose(&self.params, &self.state, (height, time), txs)
    }

    /// Height of the oldest claim among the names that this key owns.
    pub(super) fn oldest_claim(&self, owner: &[u8; 33]) -> Option<u32> {
        self.owners.oldest_claim(owner)
    }

    /// Everything about a block that can be judged before the state of its parent is at hand.
    fn check_body(&self, now: Timestamp, block: Block<Unchecked>) -> Result<Block, BlockError> {
        self.headers.check(now, block.header())?;
        if !self.has_block(&block.header().parent) {
            return Err(HeaderError::Orphan.into());
        }
        Ok(block.check_structure(self.params.chain_tag())?)
    }

    /// Adopts the branch of a block that has more work than the chain.
    fn adopt(
        &mut self,
        now: Timestamp,
        entry: &Entry,
        block: &Block,
        archive: &impl Archive,
    ) -> Result<ChainUpdate, BlockError> {
        let adopted = if entry.header.parent == self.tip().id {
            self.extend(entry, block)
        } else {
            self.reorganise(now, entry, block, archive)
        };
        match &adopted {
            Err(BlockError::Ancestor { id, .. }) => self.refuse(id),
            Err(error) if error.fault() == Fault::Invalid => self.refuse(&entry.id),
            _ => {}
        }
        adopted
    }

    /// Adds a block to the tip.
    fn extend(&mut self, entry: &Entry, block: &Block) -> Result<ChainUpdate, BlockError> {
        let cache = Some(&mut self.cache);
        let changes = check_block(&self.params, &self.state, entry.height, block, cache)?;
        let median = self.headers.median_time(&entry.id).unwrap_or(0);
        let mut state = core::mem::take(&mut self.state);
        let store =
            [self.store_op(entry, block), self.connect(entry, block, &mut state, changes, median)];
        self.state = state;
        let update = self.unchanged();
        self.move_tip(*entry);
        if entry.height.is_multiple_of(GIVE_UP_EVERY) {
            self.headers.give_up_deep();
            self.forget_lost();
        }
        let mut store = Vec::from(store);
        store.extend(self.settle(&[entry.id]));
        Ok(ChainUpdate { connected: [entry.id].into(), store, ..update })
    }

    /// Makes a block's changes to a state, and keeps what taking it back needs.
    fn connect(
        &mut self,
        entry: &Entry,
        block: &Block,
        state: &mut State,
        changes: Changes,
        median: u32,
    ) -> StoreOp {
        for Change { before, after } in &changes.records {
            self.owners.replace(before.as_ref(), Some(after));
        }
        let undo = state.apply(changes, median);
        self.past.push_back((entry.id, state.directory.clone()));
        if self.past.len() > Self::PROVABLE {
            self.past.pop_front();
        }
        self.stored.remove(&entry.id);
        let bytes: Arc<[u8]> = undo.encode().into();
        self.recent.insert(entry.height, entry.id, Arc::clone(block.bytes()));
        self.recent.set_undo(&entry.id, Arc::clone(&bytes));
        StoreOp::Connect {
            id: entry.id,
            height: entry.height,
            undo: bytes,
            records: undo.records.iter().map(|change| change.after).collect(),
            txs: block.txs().iter().map(Tx::id).collect(),
        }
    }

    /// Keeps a block off the chain.
    fn keep(&mut self, entry: &Entry, block: &Block, valid: bool) {
        self.stored.insert(entry.id, valid);
        if self.stored.len() > 2 * HeaderChain::<Keccak256>::SIDE_MAX {
            self.forget_lost();
        }
        self.recent.insert(entry.height, entry.id, Arc::clone(block.bytes()));
    }

    fn store_op(&self, entry: &Entry, block: &Block) -> StoreOp {
        StoreOp::Block { id: entry.id, height: entry.height, bytes: Arc::clone(block.bytes()) }
    }

    fn move_tip(&mut self, tip: Entry) {
        self.place.move_to(tip, &self.headers);
        self.headers.pin(tip.id);
    }

    /// Refuses a block and what builds on it.
    fn refuse(&mut self, id: &BlockId) {
        self.headers.refuse(id);
        self.place.follow(&self.headers);
        self.forget_lost();
    }

    /// Forgets bodies whose headers were dropped.
    fn forget_lost(&mut self) {
        let Self { stored, headers, forgotten, .. } = self;
        stored.retain(|id, _| {
            let is_known = headers.get(id).is_some();
            if !is_known {
                forgotten.push(*id);
            }
            is_known
        });
    }

    /// An update that says that the chain is as it was.
    fn unchanged(&self) -> ChainUpdate {
        ChainUpdate {
            disconnected: Vec::new(),
            fork: self.tip().id,
            connected: Vec::new(),
            returned: Vec::new(),
            store: Vec::new(),
        }
    }
}

/// How often branches that have become deep are looked for: seldom enough to cost nothing.
const GIVE_UP_EVERY: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_is_at_hand_however_many_came_since() {
        let mut ledger = Ledger::new(Params::regtest()).unwrap();
        let genesis = ledger.params().genesis_id();
        for height in 1..=40 {
            let block = alloc::vec![0; 1_024 * 1_024].into();
            ledger.recent.insert(height.into(), BlockId::new([height; 32]), block);
        }
        assert_eq!(ledger.block(&BlockId::new([1; 32])), None, "what came first went first");
        assert_eq!(ledger.block(&genesis).as_ref(), Some(ledger.params().genesis()));
        assert_eq!(ledger.audit(0..=0, &Nothing), Ok(Audit { blocks: 1, txs: 0 }));
    }
}
