//! What one peer may still send.

use core::time::Duration;

use super::config::Budget;
use super::config::Budgets;
use crate::bucket::Bucket;
use crate::bucket::Rate;
use crate::time::Timestamp;

/// The three buckets of a peer.
///
/// Bytes may be overdrawn by one packet and control by one: what was read is never thrown away, the
/// peer is not read again until the debt is paid. Envelopes are judged one by one as long as there
/// is no debt; the rest of a packet waits.
#[derive(Clone, Debug)]
pub(super) struct Allowance {
    bytes: Bucket,
    envelopes: Bucket,
    control: Bucket,
}

impl Allowance {
    pub(super) fn full(budgets: &Budgets, now: Timestamp) -> Self {
        let Budgets { bytes, envelopes, control } = budgets;
        let quarters = Budget {
            per_second: envelopes.per_second.saturating_mul(QUARTERS),
            burst: envelopes.burst.saturating_mul(QUARTERS),
        };
        let full =
            |budget: &Budget| Bucket::full(now, Rate::per_second(budget.per_second, budget.burst));
        Self { bytes: full(bytes), envelopes: full(&quarters), control: full(control) }
    }

    /// Takes a packet of `bytes`.
    pub(super) fn spend_bytes(&mut self, now: Timestamp, bytes: usize) {
        self.bytes.spend(now, bytes);
    }

    /// Takes a packet without envelopes that answers nothing.
    pub(super) fn spend_control(&mut self, now: Timestamp) {
        self.control.spend(now, 1);
    }

    /// Takes an envelope, or the header of a packet of them.
    pub(super) fn spend_work(&mut self, now: Timestamp, price: Price) {
        self.envelopes.spend(now, price.quarters());
    }

    /// How many envelopes may be judged now, at the whole price: none while there is a debt, and one
    /// as soon as there is none.
    pub(super) fn affordable(&mut self, now: Timestamp) -> usize {
        let envelopes = (self.envelopes.available(now) / QUARTERS) as usize;
        if self.in_debt_until(now).is_some() { 0 } else { envelopes.max(1) }
    }

    /// When no bucket is overdrawn any more; nothing, if none is.
    pub(super) fn in_debt_until(&self, now: Timestamp) -> Option<Timestamp> {
        let buckets = [&self.bytes, &self.envelopes, &self.control];
        let until = buckets.into_iter().filter_map(Bucket::in_debt_until).max();
        until.filter(|until| *until > now)
    }

    /// Whether nothing was spent that has not come back.
    pub(super) fn is_full(&mut self, now: Timestamp) -> bool {
        let buckets = [&mut self.bytes, &mut self.envelopes, &mut self.control];
        buckets.into_iter().all(|bucket| bucket.is_full(now))
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        let buckets = [&mut self.bytes, &mut self.envelopes, &mut self.control];
        buckets.into_iter().for_each(|bucket| bucket.shift_back(by));
    }
}

/// What an envelope costs its peer: about what it costs us.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Price {
    /// A copy of what is here, which this peer had not been known to have: it is hashed and looked up.
    /// Flooding brings each envelope at most once from each peer, so that a peer may bring four times
    /// as many copies as new ones.
    Copy,
    /// What is not here, admitted or not, and what this peer was known to have.
    Whole,
}

impl Price {
    const fn quarters(self) -> usize {
        match self {
            Self::Copy => 1,
            Self::Whole => QUARTERS as usize,
        }
    }
}

/// The bucket of envelopes counts quarters.
const QUARTERS: u32 = 4;
