//! Headers that are being judged: all are taken in, or none.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::iter;

use super::BatchError;
use super::Entry;
use super::HeaderChain;
use super::window::Window;
use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::PowHash;
use crate::time::Timestamp;

/// Judged headers that are not in the chain yet.
pub(super) struct Batch<'a, P> {
    chain: &'a HeaderChain<P>,
    new: Vec<Entry>,
    /// The end of the branch that the last header was on: most often the next one follows it.
    window: Option<Window>,
    runs: Vec<Run>,
    /// Places in `new` by name, filled as far as a look-up needed it.
    index: BTreeMap<BlockId, usize>,
}

/// Headers that follow each other, beginning with this one of the batch.
struct Run {
    start: usize,
    /// The header of the chain where the run's branch leaves it.
    fork: Entry,
}

impl<'a, P: PowHash> Batch<'a, P> {
    pub(super) const fn new(chain: &'a HeaderChain<P>) -> Self {
        Self { chain, new: Vec::new(), window: None, runs: Vec::new(), index: BTreeMap::new() }
    }

    /// Judges the next header.
    pub(super) fn judge(&mut self, now: Timestamp, header: &Header) -> Result<(), HeaderError> {
        let id = header.id::<P>();
        if self.chain.is_refused(&id) || self.chain.is_refused(&header.parent) {
            return Err(HeaderError::Refused);
        }
        let follows = self.window.as_ref().is_some_and(|window| window.id == header.parent);
        if !follows {
            if self.find(&id).is_some() {
                return Ok(());
            }
            self.chain.rules.check_version(header)?;
            self.begin_run(&header.parent)?;
        }
        let window = self.window.as_mut().ok_or(HeaderError::Orphan)?;
        window.extend(&self.chain.rules, now, header, id)?;
        let (height, work) = (window.height, window.work);
        self.new.push(Entry { header: *header, id, height, work });
        Ok(())
    }

    /// The headers to take in.
    pub(super) fn finish(self) -> Result<Vec<Entry>, BatchError> {
        let ends = self.runs.iter().skip(1).map(|run| run.start).chain([self.new.len()]);
        for (run, end) in self.runs.iter().zip(ends) {
            let last = end.checked_sub(1).and_then(|last| self.new.get(last));
            if last.is_some_and(|last| !self.is_welcome(run, last)) {
                return Err(BatchError { index: run.start, source: HeaderError::Deep });
            }
        }
        Ok(self.new)
    }

    /// Whether a run may be stored: it has more work than the chain, or a permit, or it begins near
    /// the tip and is not so long that nothing else would fit.
    fn is_welcome(&self, run: &Run, last: &Entry) -> bool {
        let tip = self.chain.tip();
        let depth = tip.height.saturating_sub(run.fork.height);
        let len =
            usize::try_from(last.height.saturating_sub(run.fork.height)).unwrap_or(usize::MAX);
        let permitted = self.chain.permit.is_some_and(|permit| {
            let own = self.new.len().saturating_sub(run.start);
            permit.fork == run.fork.id && own <= permit.left
        });
        let is_near = depth <= HeaderChain::<P>::DEPTH_MAX && len <= HeaderChain::<P>::SIDE_MAX;
        last.work > tip.work || permitted || is_near
    }

    /// Begins a run on top of `parent`.
    fn begin_run(&mut self, parent: &BlockId) -> Result<(), HeaderError> {
        let newest = self.find(parent).ok_or(HeaderError::Orphan)?;
        let start = self.chain.rules.retarget.period_start(newest.height);
        let fork = self.fork_of(newest).ok_or(HeaderError::Orphan)?;
        let period = start.and_then(|height| self.ancestor(newest, height));
        let back = iter::successors(Some(newest), |entry| self.find_indexed(&entry.header.parent));
        let window = Window::from_newest(
            (newest.id, newest.height, newest.work),
            back.map(|entry| entry.header),
            period.map(|entry| entry.header.time),
        );
        self.window = Some(window.ok_or(HeaderError::Orphan)?);
        self.runs.push(Run { start: self.new.len(), fork });
        Ok(())
    }

    /// Where the branch of `entry` leaves the chain.
    fn fork_of(&self, entry: Entry) -> Option<Entry> {
        let mut back = iter::successors(Some(entry), |at| self.find_indexed(&at.header.parent));
        back.find(|at| self.chain.is_on_chain(&at.id))
    }

    fn ancestor(&self, entry: Entry, height: u32) -> Option<Entry> {
        if self.chain.is_on_chain(&entry.id) {
            return self.chain.at(height);
        }
        let mut back = iter::successors(Some(entry), |at| self.find_indexed(&at.header.parent));
        let at = back.find(|at| at.height <= height || self.chain.is_on_chain(&at.id))?;
        if at.height <= height { Some(at) } else { self.chain.at(height) }
    }

    fn find(&mut self, id: &BlockId) -> Option<Entry> {
        let known = self.index.len();
        for (at, entry) in self.new.iter().enumerate().skip(known) {
            self.index.insert(entry.id, at);
        }
        self.find_indexed(id)
    }

    /// [`Batch::find`], when nothing came since it was called last.
    fn find_indexed(&self, id: &BlockId) -> Option<Entry> {
        let new = self.index.get(id).and_then(|at| self.new.get(*at));
        new.copied().or_else(|| self.chain.get(id))
    }
}
