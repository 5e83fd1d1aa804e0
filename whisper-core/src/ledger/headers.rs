//! The tree of headers, of which the branch with the most work is the chain.
//!
//! The chain lies flat by height; what branches off is a bounded map beside it. A header of the
//! chain takes 144 bytes and its place in an index.

mod batch;
mod refused;
mod scan;
mod side;
mod trunk;
mod walk;
mod window;

use alloc::vec::Vec;
use core::marker::PhantomData;

pub use scan::Scan;
pub use walk::HeaderUpdate;
pub(super) use walk::LOCATOR_MAX;
pub(super) use walk::up_to;

use batch::Batch;
use refused::Refused;
use side::Side;
use trunk::Trunk;
use window::MEDIAN_SPAN;
use window::Window;

use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::Keccak256;
use crate::ledger::hash::PowHash;
use crate::ledger::pow::Bits;
use crate::ledger::pow::ChainWork;
use crate::ledger::rules::params::HeaderRules;
use crate::time::Timestamp;

/// A header in its place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Entry {
    /// The header.
    pub header: Header,
    /// Its name.
    pub id: BlockId,
    /// How many headers lie before it.
    pub height: u32,
    /// The work of the chain that ends here.
    pub work: ChainWork,
}

/// Where a chain may begin instead of at genesis, for those who trust its source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeaderAnchor {
    /// Height of the newest header.
    pub height: u32,
    /// The work up to and including it.
    pub work: ChainWork,
    /// The last headers, oldest first: twelve give all that the ledger's rules look at, Bitcoin's
    /// look back a whole period.
    pub headers: Vec<Header>,
}

/// A tree of valid headers, and the chain with the most work in it. Bounded: outside the chain it
/// keeps [`HeaderChain::SIDE_MAX`] headers, those with the most work.
#[derive(Clone, Debug)]
pub struct HeaderChain<P = Keccak256> {
    rules: HeaderRules,
    trunk: Trunk,
    side: Side,
    refused: Refused,
    /// A branch that showed more work than ours and may come in: its fork, and how many headers.
    permit: Option<Permit>,
    /// A block whose ancestors are kept, whatever their work.
    pinned: Option<BlockId>,
    hash: PhantomData<P>,
}

#[derive(Clone, Copy, Debug)]
struct Permit {
    fork: BlockId,
    /// The newest header that came in.
    tip: BlockId,
    left: usize,
    total: usize,
}

impl<P: PowHash> HeaderChain<P> {
    /// The most headers outside the chain.
    pub const SIDE_MAX: usize = 10_000;
    /// How far below the tip a branch may begin that has not shown more work: four days.
    pub const DEPTH_MAX: u32 = 2_880;

    /// A chain of one header.
    ///
    /// # Errors
    /// [`HeaderError`] if the header breaks the rules by itself.
    pub fn new(rules: HeaderRules, genesis: Header) -> Result<Self, HeaderError> {
        let work = genesis.bits.target().map_err(|_| HeaderError::Pow)?.work();
        Self::from_anchor(rules, &HeaderAnchor { height: 0, work, headers: [genesis].into() })
    }

    /// A chain that begins at an anchor. Its headers are held against their own targets and each
    /// other; that they are the right ones is the caller's trust.
    ///
    /// # Errors
    /// [`HeaderError`] if a header breaks the rules, or they do not follow each other.
    pub fn from_anchor(rules: HeaderRules, anchor: &HeaderAnchor) -> Result<Self, HeaderError> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut work = anchor.work;
        let mut height = Some(anchor.height);
        for header in anchor.headers.iter().rev() {
            let id = header.id::<P>();
            rules.check_alone(header, &id)?;
            if entries.last().is_some_and(|child| child.header.parent != id) {
                return Err(HeaderError::Orphan);
            }
            let own = height.ok_or(HeaderError::Orphan)?;
            entries.push(Entry { header: *header, id, height: own, work });
            let target = header.bits.target().map_err(|_| HeaderError::Pow)?;
            work = work.saturating_sub(target.work());
            height = own.checked_sub(1);
        }
        let trunk = Trunk::new(entries.into_iter().rev()).ok_or(HeaderError::Orphan)?;
        Ok(Self {
            rules,
            trunk,
            side: Side::default(),
            refused: Refused::default(),
            permit: None,
            pinned: None,
            hash: PhantomData,
        })
    }

    /// Takes in headers, in any order of branches; the tip is the one with the most work, ties keep
    /// the first seen. Headers that are known already pass.
    ///
    /// # Errors
    /// The first header that is not valid, and why. Then nothing has changed: those before it can
    /// be given again alone.
    pub fn accept(
        &mut self,
        now: Timestamp,
        headers: &[Header],
    ) -> Result<HeaderUpdate, BatchError> {
        let mut batch = Batch::new(self);
        for (index, header) in headers.iter().enumerate() {
            batch.judge(now, header).map_err(|source| BatchError { index, source })?;
        }
        let new = batch.finish()?;
        Ok(self.take_in(new))
    }

    /// Judges one header as [`HeaderChain::accept`] would, and changes nothing.
    ///
    /// # Errors
    /// [`HeaderError`] if it is not valid.
    pub fn check(&self, now: Timestamp, header: &Header) -> Result<(), HeaderError> {
        let mut batch = Batch::new(self);
        batch.judge(now, header)?;
        batch.finish().map(drop).map_err(|error| error.source)
    }

    /// Removes a header and all that build on it, and refuses it from now on: its block was found
    /// invalid. The first header of the chain stays.
    pub fn refuse(&mut self, id: &BlockId) -> HeaderUpdate {
        let old = self.tip();
        self.refused.insert(*id);
        let height = self.trunk.height_of(id).filter(|height| *height > self.base());
        let gone = height.map(|height| self.trunk.cut(height)).unwrap_or_default();
        let removed = gone.iter().map(|entry| entry.id).chain([*id]).collect();
        self.side.remove_descendants(&removed);
        let best = self.side.best().filter(|best| best.work > self.tip().work);
        let left = best.map(|best| self.switch_to(best.id)).unwrap_or_default();
        self.update(&old, left.iter().chain(&gone), 0)
    }

    /// Lets a branch come in that a scan has shown to have more work. Whether it has.
    pub fn permit(&mut self, scan: &Scan<P>) -> bool {
        let allowed = scan.work() > self.tip().work;
        if allowed {
            let (fork, total) = (scan.fork(), scan.count());
            self.permit = Some(Permit { fork, tip: fork, left: total, total });
        }
        allowed
    }

    /// Forgets branches that begin too far below the tip, as if they came only now. Should one show
    /// more work than the chain, it may come again.
    pub(super) fn give_up_deep(&mut self) {
        let lowest = self.tip().height.saturating_sub(Self::DEPTH_MAX);
        let keep = [self.pinned, self.permit.map(|permit| permit.tip)];
        self.side.give_up_below(lowest, &self.trunk, keep);
    }

    /// Keeps this block and its ancestors, whatever their work.
    pub(super) fn pin(&mut self, id: BlockId) {
        self.pinned = Some(id);
    }

    /// Forgets the oldest headers of the chain until about `keep` are left, and what branches off
    /// below those. For light clients: a ledger keeps all headers.
    pub fn prune(&mut self, keep: usize) {
        self.trunk.prune(keep.max(MEDIAN_SPAN.saturating_add(1)));
        self.side.remove_orphans(&self.trunk);
    }

    /// The newest header of the chain.
    pub fn tip(&self) -> Entry {
        self.trunk.tip()
    }

    /// Height of the oldest header that is kept: 0, if nothing was pruned.
    pub const fn base(&self) -> u32 {
        self.trunk.base()
    }

    /// The rules that headers are held against.
    pub const fn rules(&self) -> &HeaderRules {
        &self.rules
    }

    /// The header of this name, on the chain or beside it.
    pub fn get(&self, id: &BlockId) -> Option<Entry> {
        self.trunk.by_id(id).or_else(|| self.side.get(id))
    }

    /// The header of the chain at this height.
    pub fn at(&self, height: u32) -> Option<Entry> {
        self.trunk.get(height)
    }

    /// Whether the header lies on the chain.
    pub fn is_on_chain(&self, id: &BlockId) -> bool {
        self.trunk.height_of(id).is_some()
    }

    /// Whether the header was found invalid.
    pub fn is_refused(&self, id: &BlockId) -> bool {
        self.refused.contains(id)
    }

    /// How many headers are kept beside the chain.
    pub fn side_len(&self) -> usize {
        self.side.len()
    }

    /// The headers beside the chain with more work than this, the most first.
    pub(super) fn heavier(&self, work: ChainWork) -> impl Iterator<Item = Entry> {
        self.side.heavier(work)
    }

    /// The bits that a child of `id` must have.
    pub fn next_bits(&self, id: &BlockId) -> Option<Bits> {
        self.window(id)?.next_bits(&self.rules)
    }

    /// The median time that a child of `id` must be after, in seconds since the Unix epoch.
    pub fn median_time(&self, id: &BlockId) -> Option<u32> {
        Some(self.window(id)?.median())
    }

    /// The end of the branch at `id`.
    fn window(&self, id: &BlockId) -> Option<Window> {
        let newest = self.get(id)?;
        let back = core::iter::successors(Some(newest), |entry| self.get(&entry.header.parent));
        let start = self.rules.retarget.period_start(newest.height);
        let period = start.and_then(|height| self.ancestor(id, height));
        Window::from_newest(
            (newest.id, newest.height, newest.work),
            back.map(|entry| entry.header),
            period.map(|entry| entry.header.time),
        )
    }

    /// Stores judged headers, and changes to the branch with the most work.
    fn take_in(&mut self, new: Vec<Entry>) -> HeaderUpdate {
        let old = self.tip();
        let added = new.len();
        let mut best: Option<(BlockId, ChainWork)> = None;
        for entry in new {
            self.use_permit(&entry);
            if entry.header.parent == self.trunk.tip().id {
                self.trunk.push(entry);
            } else {
                if best.is_none_or(|(_, work)| entry.work > work) {
                    best = Some((entry.id, entry.work));
                }
                self.side.insert(entry);
            }
        }
        let best = best.filter(|(_, work)| *work > self.tip().work);
        let left = best.map(|(id, _)| self.switch_to(id)).unwrap_or_default();
        let extra = self.permit.map_or(0, |permit| permit.total);
        let keep = [self.pinned, self.permit.map(|permit| permit.tip)];
        self.side.trim(Self::SIDE_MAX.saturating_add(extra), keep);
        self.update(&old, left.iter(), added)
    }

    fn use_permit(&mut self, entry: &Entry) {
        let tip_work = self.tip().work;
        if let Some(permit) =
            self.permit.as_mut().filter(|permit| entry.header.parent == permit.tip)
        {
            permit.tip = entry.id;
            permit.left = permit.left.saturating_sub(1);
            if permit.left == 0 || entry.work > tip_work {
                self.permit = None;
            }
        }
    }

    /// Makes a side branch the chain, and what it leaves a side branch; gives that, lowest first.
    fn switch_to(&mut self, id: BlockId) -> Vec<Entry> {
        let branch = self.side.take_branch(id);
        let Some(oldest) = branch.last() else { return Vec::new() };
        let left = self.trunk.cut(oldest.height);
        left.iter().for_each(|entry| self.side.insert(*entry));
        branch.into_iter().rev().for_each(|entry| self.trunk.push(entry));
        left
    }

    /// What has changed since `old` was the tip, given what has left the chain, lowest first.
    fn update<'a>(
        &self,
        old: &Entry,
        left: impl Iterator<Item = &'a Entry>,
        added: usize,
    ) -> HeaderUpdate {
        // What came and left within one step was never seen by anybody.
        let left: Vec<&Entry> = left.take_while(|entry| entry.height <= old.height).collect();
        let lowest = left.first().and_then(|lowest| self.get(&lowest.header.parent));
        let fork = lowest.unwrap_or(*old);
        HeaderUpdate {
            added,
            disconnected: left.iter().rev().map(|entry| entry.id).collect(),
            fork: fork.id,
            connected: self.trunk.ids_above(fork.height),
        }
    }
}

/// A header of a batch is not taken, and so none is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("header {index} of the batch: {source}")]
pub struct BatchError {
    /// Which one, from 0.
    pub index: usize,
    /// Why.
    pub source: HeaderError,
}
