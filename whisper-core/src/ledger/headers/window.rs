//! The end of a branch of headers: as much of it as judging the next one takes.

use crate::ledger::block::header::Header;
use crate::ledger::block::header::HeaderError;
use crate::ledger::hash::BlockId;
use crate::ledger::pow::Bits;
use crate::ledger::pow::ChainWork;
use crate::ledger::pow::Target;
use crate::ledger::rules::params::HeaderRules;
use crate::ledger::rules::retarget::Parent;
use crate::time::Timestamp;

/// How many headers' times the next one is held against (as in Bitcoin).
pub(super) const MEDIAN_SPAN: usize = 11;

/// The newest header of a branch, and what of those before it the rules look at.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) id: BlockId,
    pub(super) height: u32,
    /// The work of the whole branch.
    pub(super) work: ChainWork,
    bits: Bits,
    /// Target and work of `bits`: while they do not change, neither is computed anew.
    target: Target,
    block_work: ChainWork,
    /// Times, the newest last; only the last `known` count.
    times: [u32; MEDIAN_SPAN],
    known: usize,
    period: Option<u32>,
}

impl Window {
    /// A branch that begins with this header: genesis, or an anchor's oldest.
    pub(super) fn first(
        header: &Header,
        id: BlockId,
        height: u32,
        work: ChainWork,
    ) -> Result<Self, HeaderError> {
        let target = header.bits.target().map_err(|_| HeaderError::Pow)?;
        Ok(Self {
            id,
            height,
            work,
            bits: header.bits,
            target,
            block_work: target.work(),
            times: [header.time; MEDIAN_SPAN],
            known: 1,
            period: None,
        })
    }

    /// The end of a branch with these last headers, the newest first; nothing if there is none.
    pub(super) fn from_newest(
        (id, height, work): (BlockId, u32, ChainWork),
        newest_first: impl Iterator<Item = Header>,
        period: Option<u32>,
    ) -> Option<Self> {
        let mut headers = newest_first.take(MEDIAN_SPAN);
        let mut window = Self::first(&headers.next()?, id, height, work).ok()?;
        for (slot, header) in window.times.iter_mut().rev().skip(1).zip(headers) {
            *slot = header.time;
            window.known = window.known.saturating_add(1);
        }
        window.period = period;
        Some(window)
    }

    /// Judges a header that names this branch's newest as its parent, and goes on from it.
    pub(super) fn extend(
        &mut self,
        rules: &HeaderRules,
        now: Timestamp,
        header: &Header,
        id: BlockId,
    ) -> Result<(), HeaderError> {
        rules.check_version(header)?;
        let expected = self.next_bits(rules).ok_or(HeaderError::BeforeAnchor)?;
        if header.bits != expected {
            return Err(HeaderError::Bits { expected });
        }
        let (target, block_work) = self.target_of(header.bits)?;
        if target > rules.limit || !target.is_met_by(&id) {
            return Err(HeaderError::Pow);
        }
        let height = self.height.checked_add(1).ok_or(HeaderError::Checkpoint)?;
        if rules.checkpoint.is_some_and(|(at, block)| at == height && block != id) {
            return Err(HeaderError::Checkpoint);
        }
        let median = self.median();
        if header.time <= median {
            return Err(HeaderError::TimeOld { median });
        }
        rules.check_not_ahead(now, header)?;
        if rules.retarget.period_start(height) == Some(height) {
            self.period = Some(header.time);
        }
        (self.target, self.block_work) = (target, block_work);
        self.bits = header.bits;
        self.work = self.work.saturating_add(block_work);
        (self.id, self.height) = (id, height);
        self.times.rotate_left(1);
        if let Some(newest) = self.times.last_mut() {
            *newest = header.time;
        }
        self.known = self.known.saturating_add(1).min(MEDIAN_SPAN);
        Ok(())
    }

    /// The bits that the next header must have.
    pub(super) fn next_bits(&self, rules: &HeaderRules) -> Option<Bits> {
        let mut newest = self.times.iter().rev().take(self.known).copied();
        let parent = Parent {
            height: self.height,
            bits: self.bits,
            time: newest.next()?,
            previous: newest.next(),
            period: self.period,
        };
        rules.retarget.next_bits(&parent, rules.limit)
    }

    /// The time that the next header must be after: the median of the last eleven, or of as many as
    /// there are (the later of the two middle ones).
    pub(super) fn median(&self) -> u32 {
        let mut times = self.times;
        let known = times.len().saturating_sub(self.known);
        let times = times.get_mut(known..).unwrap_or_default();
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or(0)
    }

    fn target_of(&self, bits: Bits) -> Result<(Target, ChainWork), HeaderError> {
        if bits == self.bits {
            return Ok((self.target, self.block_work));
        }
        // The rule gave these bits, so they are a target; a rule with odd settings may not.
        let target = bits.target().map_err(|_| HeaderError::Pow)?;
        Ok((target, target.work()))
    }
}
