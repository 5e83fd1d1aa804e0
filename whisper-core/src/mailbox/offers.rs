//! What is offered to accounts again.

use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use crate::identity::PublicKey;
use crate::session;
use crate::time::Timestamp;

use super::account::Account;
use super::contract::Arrival;
use super::contract::Output;
use super::engine::Mailbox;

impl Mailbox {
    /// Takes the best rated of the invitations that there was no time for, where there is time now.
    pub(super) fn admit_crowded(
        &mut self,
        now: Timestamp,
        outputs: &mut Vec<Output>,
        rng: &mut impl CryptoRng,
    ) {
        let next = |holder: &mut Account| holder.next_crowded(now);
        let due: Vec<_> = self.accounts.values_mut().filter_map(next).collect();
        due.into_iter().for_each(|invitation| self.read(now, invitation, outputs, rng));
    }

    /// Offers what waits again where that may have become possible: a slice of it for each account,
    /// and the rest with the next steps.
    pub(super) fn settle(
        &mut self,
        now: Timestamp,
        outputs: &mut Vec<Output>,
        rng: &mut impl CryptoRng,
    ) {
        self.resumes = None;
        for account in self.keys() {
            for _ in 0..SLICE {
                let Some(arrival) = self.next_offer(now, account) else { break };
                // Filters have had what may be a session's; an invitation has to be opened again.
                match session::is_class_length(arrival.envelope.data().len()) {
                    true => self.try_sessions(now, arrival, outputs, rng),
                    false => self.read(now, arrival, outputs, rng),
                }
            }
            let Some(holder) = self.accounts.get(&account) else { continue };
            let offered = (!holder.is_held() && self.waiting.has_offer(account)).then_some(now);
            let due = offered.into_iter().chain(holder.resumes_at(now)).min();
            let due = due.map(|due| due.max(now.saturating_add(PAUSE)));
            self.resumes = self.resumes.into_iter().chain(due).min();
        }
    }

    /// The next envelope to offer to an account again: an invitation that there is time for now, what
    /// waits for it, and if there is nothing, of a late hour.
    fn next_offer(&mut self, now: Timestamp, account: PublicKey) -> Option<Arrival> {
        let holder = self.accounts.get_mut(&account).filter(|holder| !holder.is_held())?;
        if let Some(invitation) = holder.next_crowded(now) {
            return Some(invitation);
        }
        if !holder.late.is_empty() && !self.waiting.has_offer(account) {
            let topics = holder.look_late(now);
            topics.into_iter().for_each(|topic| self.waiting.offer_topic(account, topic));
        }
        self.waiting.take_offer(account)
    }
}

/// What is offered again to an account in one step: some milliseconds, and at most a mebibyte.
const SLICE: usize = 16;
/// Until the next slice: as short as a host can wait.
const PAUSE: Duration = Duration::from_millis(1);
