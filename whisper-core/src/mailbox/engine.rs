//! The state of a mailbox, and how it changes.

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::inbox::Counts;
use crate::inbox::Delivery;
use crate::inbox::Filter;
use crate::inbox::FilterId;
use crate::inbox::Inbox;
use crate::pool;
use crate::session;
use crate::session::BatchId;
use crate::session::SessionOutput;
use crate::session::Sessions;
use crate::time::Timestamp;
use crate::topic::Bloom;

use super::account::Account;
use super::account::Tried;
use super::contract::AccountError;
use super::contract::Arrival;
use super::contract::Config;
use super::contract::Output;
use super::contract::Step;
use super::contract::StepError;
use super::repeats;
use super::repeats::Repeats;
use super::review::Review;
use super::waiting::Waiting;

/// The filters and accounts of a host, and what waits for them.
///
/// ```
/// # use std::sync::Arc;
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// # let now = whisper_core::time::Timestamp::from_secs(1_750_000_000);
/// use whisper_core::identity::Identity;
/// use whisper_core::mailbox::{Arrival, Config, Limits, Mailbox, Output, Step};
/// use whisper_core::pool::Origin;
/// use whisper_core::session::{InviteOptions, SessionEvent};
///
/// let config = Config { waiting: Limits::waiting(16 << 20), persists: false };
/// let [alice, bob] = [(); 2].map(|()| Arc::new(Identity::generate(&mut rng)));
/// let (hers, his) = (alice.public_key(), bob.public_key());
/// let [mut ours, mut theirs] = [(); 2].map(|()| Mailbox::new(config));
/// ours.open_account(now, alice)?;
/// theirs.open_account(now, bob)?;
///
/// let invite = Step::Invite { peer: his, options: InviteOptions::default(), text: "hello".into() };
/// for output in ours.step(now, &hers, invite, &mut rng)? {
///     let Output::Publish { outgoing, .. } = output else { continue };
///     let envelope = Arc::new(outgoing.draft(now)?.seal(0));
///     theirs.receive(now, Arrival::admitted(envelope, Origin::Own), &mut rng);
/// }
/// let heard = theirs.step(now, &his, Step::Accept(hers), &mut rng)?;
/// assert!(heard.iter().any(|output| matches!(output,
///     Output::Event { event: SessionEvent::Message { data, .. }, .. } if data == b"hello")));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Mailbox {
    persists: bool,
    inbox: Inbox,
    pub(super) accounts: BTreeMap<PublicKey, Account>,
    /// The filters that belong to accounts.
    owners: BTreeMap<FilterId, PublicKey>,
    pub(super) waiting: Waiting,
    repeats: Repeats,
    /// The first filter that was not tried yet on what came before it.
    unreviewed: Option<FilterId>,
    /// When to go on with what one step left to do.
    pub(super) resumes: Option<Timestamp>,
}

impl Mailbox {
    /// A mailbox without filters and accounts.
    pub fn new(config: Config) -> Self {
        Self {
            persists: config.persists,
            inbox: Inbox::new(),
            accounts: BTreeMap::new(),
            owners: BTreeMap::new(),
            waiting: Waiting::new(config.waiting),
            repeats: Repeats::default(),
            unreviewed: None,
            resumes: None,
        }
    }

    /// Adds a filter.
    pub fn add_filter(&mut self, filter: Filter) -> FilterId {
        let id = self.inbox.add(filter);
        self.unreviewed.get_or_insert(id);
        id
    }

    /// Removes a filter.
    pub fn remove_filter(&mut self, filter: FilterId) -> Option<Filter> {
        if self.owners.contains_key(&filter) { None } else { self.inbox.remove(filter) }
    }

    /// Lets an identity hold conversations. Invitations that were made more than ten minutes before
    /// `now` are refused.
    ///
    /// # Errors
    /// [`AccountError::Taken`] if it does already.
    pub fn open_account(
        &mut self,
        now: Timestamp,
        identity: Arc<Identity>,
    ) -> Result<(), AccountError> {
        let sessions = Sessions::new(Arc::clone(&identity), now);
        self.open(identity, sessions)
    }

    /// As [`Mailbox::open_account`], with the sessions as they were stored: `states` are those of the
    /// records that were written last and not removed, in any order.
    ///
    /// # Errors
    /// [`AccountError`], and nothing has changed.
    pub fn restore_account(
        &mut self,
        now: Timestamp,
        identity: Arc<Identity>,
        states: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Result<(), AccountError> {
        let sessions = Sessions::restore(Arc::clone(&identity), now, states)?;
        self.open(identity, sessions)
    }

    /// Wipes the keys of an account, whose peers are not told; false if there is none.
    pub fn close_account(&mut self, account: &PublicKey) -> bool {
        let Some(account) = self.accounts.remove(account) else { return false };
        self.owners.remove(&account.filter);
        self.inbox.remove(account.filter);
        true
    }

    /// Wipes all keys of an account's sessions, whose peers are not told. It needs no randomness, so
    /// that nothing can prevent it.
    pub fn burn(&mut self, now: Timestamp, account: &PublicKey) -> Vec<Output> {
        let mut outputs = Vec::new();
        let step = self.accounts.get_mut(account).map(|account| account.sessions.burn());
        self.carry_out(now, *account, step.unwrap_or_default(), &mut outputs);
        outputs
    }

    /// Tries the keys on an envelope.
    pub fn receive(
        &mut self,
        now: Timestamp,
        arrival: Arrival,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        // Who comes just as there is time again takes no turn of those who wait.
        self.admit_crowded(now, &mut outputs, rng);
        self.read(now, arrival, &mut outputs, rng);
        self.settle(now, &mut outputs, rng);
        outputs
    }

    /// Lets an account do something.
    ///
    /// # Errors
    /// [`StepError`]; then nothing has changed.
    pub fn step(
        &mut self,
        now: Timestamp,
        account: &PublicKey,
        step: Step,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<Output>, StepError> {
        let sessions = self.accounts.get_mut(account).ok_or(StepError::NoAccount)?;
        let step = sessions.step(now, step, rng)?;
        Ok(self.finish(now, *account, step, rng))
    }

    /// Does what a step was to do, once its batch is stored.
    pub fn stored(
        &mut self,
        now: Timestamp,
        account: &PublicKey,
        batch: BatchId,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        self.answered(now, account, |sessions| sessions.stored(now, batch), rng)
    }

    /// Gives up a step whose batch could not be stored: nothing of it was done.
    pub fn not_stored(
        &mut self,
        now: Timestamp,
        account: &PublicKey,
        batch: BatchId,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        self.answered(now, account, |sessions| sessions.not_stored(batch), rng)
    }

    /// Opens nothing for an account until [`Mailbox::resume`], because its reader is slow. Its
    /// envelopes wait unopened and unacknowledged; they are lost if they expire, or if more wait than
    /// there is room for.
    pub fn pause(&mut self, account: &PublicKey) {
        if let Some(account) = self.accounts.get_mut(account) {
            account.paused = true;
        }
    }

    /// Opens envelopes for an account again, those that waited first.
    pub fn resume(
        &mut self,
        now: Timestamp,
        account: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        if let Some(account) = self.accounts.get_mut(account) {
            account.paused = false;
        }
        self.finish(now, *account, Vec::new(), rng)
    }

    /// Does what is due. Call it when [`Mailbox::poll_timeout`] says so.
    pub fn timeout(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.waiting.expire(now);
        for account in self.keys() {
            let Some(holder) = self.accounts.get_mut(&account) else { continue };
            if holder.sessions.poll_timeout().is_some_and(|due| due <= now) {
                let step = holder.sessions.tick(now, rng);
                self.carry_out(now, account, step, &mut outputs);
            }
        }
        self.settle(now, &mut outputs, rng);
        outputs
    }

    /// When [`Mailbox::timeout`] is due, if nothing else comes first.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let sessions = self.accounts.values().filter_map(|account| account.sessions.poll_timeout());
        sessions.chain(self.waiting.next_expiry()).chain(self.resumes).min()
    }

    /// What is to be tried on what was there before: give this to a
    /// [`Reviewer`](super::Reviewer), and what that finds in the pool to [`Mailbox::receive`].
    pub fn start_review(&mut self) -> Option<Review> {
        self.unreviewed.take().map(|since| Review { since })
    }

    /// What a filter has seen.
    pub fn counts(&self, filter: FilterId) -> Option<Counts> {
        self.inbox.counts(filter)
    }

    /// How many identities are tried on what is encrypted for one: what that costs.
    pub fn identities(&self) -> usize {
        self.inbox.identities()
    }

    /// The topics that filters want: what to ask peers for, if there are no accounts.
    pub fn bloom(&self) -> Bloom {
        self.inbox.bloom()
    }

    /// The sessions of an account.
    pub fn sessions(&self, account: &PublicKey) -> Option<&Sessions> {
        self.accounts.get(account).map(|account| &account.sessions)
    }

    /// The accounts, by their keys.
    pub fn accounts(&self) -> impl Iterator<Item = PublicKey> {
        self.accounts.keys().copied()
    }

    #[cfg(test)]
    pub(super) fn waiting_len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn keys(&self) -> Vec<PublicKey> {
        self.accounts().collect()
    }

    fn open(&mut self, identity: Arc<Identity>, sessions: Sessions) -> Result<(), AccountError> {
        let key = identity.public_key();
        if self.accounts.contains_key(&key) {
            return Err(AccountError::Taken);
        }
        let filter = self.add_filter(Filter::new(identity));
        self.owners.insert(filter, key);
        self.accounts.insert(key, Account::new(filter, sessions));
        Ok(())
    }

    /// Goes on after the host has answered a batch.
    fn answered(
        &mut self,
        now: Timestamp,
        account: &PublicKey,
        answer: impl FnOnce(&mut Sessions) -> Vec<SessionOutput>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let Some(holder) = self.accounts.get_mut(account) else { return Vec::new() };
        holder.blocked = false;
        let step = answer(&mut holder.sessions);
        self.finish(now, *account, step, rng)
    }

    /// Carries out one step of an account.
    fn finish(
        &mut self,
        now: Timestamp,
        account: PublicKey,
        step: Vec<SessionOutput>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        self.carry_out(now, account, step, &mut outputs);
        self.settle(now, &mut outputs, rng);
        outputs
    }

    /// Tries the keys on an envelope that is new or is offered again.
    pub(super) fn read(
        &mut self,
        now: Timestamp,
        arrival: Arrival,
        outputs: &mut Vec<Output>,
        rng: &mut impl CryptoRng,
    ) {
        let Arrival { envelope, rating, direct, review, .. } = &arrival;
        let delivery = match review {
            None => self.inbox.open(envelope, *direct, *rating),
            Some(Review { since }) => self.inbox.open_since(*since, envelope, *direct, *rating),
        };
        match delivery {
            Some(delivery) => self.deal_out(now, delivery, arrival, outputs),
            None if *direct => (),
            None => self.try_sessions(now, arrival, outputs, rng),
        }
    }

    /// Gives a message to all filters that want it. An invitation carries keys: it goes to the account
    /// that it is for and to no filter.
    fn deal_out(
        &mut self,
        now: Timestamp,
        mut delivery: Delivery,
        arrival: Arrival,
        outputs: &mut Vec<Output>,
    ) {
        let message = &delivery.received.message;
        let invited = delivery.filters.iter().find_map(|filter| self.owners.get(filter)).copied();
        if let Some(account) = invited.filter(|_| session::is_invitation(message.payload())) {
            let Some(holder) = self.accounts.get_mut(&account) else { return };
            let worth = pool::worth(&arrival.envelope);
            return match holder.receive(now, message, worth) {
                Tried::Taken(step) => {
                    self.waiting.remove(&arrival.envelope.hash());
                    self.carry_out(now, account, step, outputs);
                }
                Tried::Crowded => {
                    self.waiting.remove(&arrival.envelope.hash());
                    holder.crowd.insert(worth, arrival);
                }
                Tried::Later | Tried::NotOurs => self.waiting.insert_for(account, arrival),
            };
        }
        let name = repeats::identify(arrival.envelope.data(), message.kind());
        delivery.filters.retain(|filter| {
            !self.owners.contains_key(filter)
                && !self.repeats.note(now, &arrival.envelope, name, *filter)
        });
        if !delivery.filters.is_empty() {
            outputs.push(Output::Deliver(delivery));
        }
    }

    /// Tries the sessions of all accounts. What none opens is kept, if it may be a session's.
    pub(super) fn try_sessions(
        &mut self,
        now: Timestamp,
        arrival: Arrival,
        outputs: &mut Vec<Output>,
        rng: &mut impl CryptoRng,
    ) {
        let mut later = None;
        for (account, holder) in &mut self.accounts {
            match holder.open(now, &arrival.envelope, rng) {
                Tried::Taken(step) => {
                    let account = *account;
                    self.waiting.remove(&arrival.envelope.hash());
                    return self.carry_out(now, account, step, outputs);
                }
                Tried::Later => later = later.or(Some(*account)),
                Tried::Crowded | Tried::NotOurs => (),
            }
        }
        if let Some(account) = later {
            self.waiting.insert_for(account, arrival);
        } else if session::is_class_length(arrival.envelope.data().len()) {
            let issued = arrival.envelope.issued().unwrap_or_default();
            for holder in self.accounts.values_mut() {
                holder.late.extend(session::late_epochs(now, issued));
            }
            self.waiting.insert(arrival);
        }
    }

    /// Passes on what sessions ask for. For a host that stores nothing, batches are answered here.
    fn carry_out(
        &mut self,
        now: Timestamp,
        account: PublicKey,
        step: Vec<SessionOutput>,
        outputs: &mut Vec<Output>,
    ) {
        let Some(holder) = self.accounts.get_mut(&account) else { return };
        let mut step = VecDeque::from(step);
        while let Some(output) = step.pop_front() {
            match output {
                SessionOutput::Persist(batch) if self.persists => {
                    outputs.push(Output::Persist { account, batch });
                }
                SessionOutput::Persist(batch) => {
                    let follows = holder.sessions.stored(now, batch.id());
                    follows.into_iter().rev().for_each(|output| step.push_front(output));
                }
                SessionOutput::Transmit(outgoing) => {
                    outputs.push(Output::Publish { account, outgoing });
                }
                SessionOutput::Event(event) => outputs.push(Output::Event { account, event }),
                SessionOutput::LookBack(topics) => {
                    topics.into_iter().for_each(|topic| self.waiting.offer_topic(account, topic));
                }
            }
        }
    }
}

impl fmt::Debug for Mailbox {
    /// Tells how much there is, and nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailbox")
            .field("accounts", &self.accounts.len())
            .field("filters", &self.inbox.filters().count())
            .finish_non_exhaustive()
    }
}
