//! The keys, and what is opened with them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use rand_core::CryptoRng;
use whisper_core::envelope::Envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::Counts;
use whisper_core::inbox::Delivery;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Inbox;
use whisper_core::inbox::Received;
use whisper_core::session;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionOutput;
use whisper_core::session::SessionTtl;
use whisper_core::session::Sessions;
use whisper_core::time::Timestamp;

use super::account::Account;
use super::account::Dispatch;
use super::account::Surroundings;
use super::queue::Arrival;
use super::repeats::Repeats;
use super::waiting::Waiting;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::entropy::NoEntropy;
use crate::posting::Outbox;
use crate::posting::Room;
use crate::stream::Feed;

/// The keys of a node, and who gets what they open.
pub(crate) struct Reader {
    clock: Clock,
    entropy: Entropy,
    outbox: Outbox,
    inbox: Inbox,
    outlets: BTreeMap<FilterId, Feed<Arc<Received>>>,
    accounts: Vec<Account>,
    waiting: Waiting,
    repeats: Repeats,
    /// Hours that are watched no more, of which envelopes wait.
    late: BTreeSet<u64>,
}

impl Reader {
    pub(crate) fn new(
        waiting_bytes: usize,
        clock: &Clock,
        entropy: &Entropy,
        outbox: Outbox,
    ) -> Self {
        Self {
            clock: clock.clone(),
            entropy: entropy.clone(),
            outbox,
            inbox: Inbox::new(),
            outlets: BTreeMap::new(),
            accounts: Vec::new(),
            waiting: Waiting::new(waiting_bytes),
            repeats: Repeats::default(),
            late: BTreeSet::new(),
        }
    }

    /// Adds a filter, and whom to give what it finds.
    pub(crate) fn subscribe(&mut self, filter: Filter, feed: Feed<Arc<Received>>) -> FilterId {
        self.tidy();
        let id = self.inbox.add(filter);
        self.outlets.insert(id, feed);
        id
    }

    /// What a filter has seen.
    pub(crate) fn counts(&self, filter: FilterId) -> Option<Counts> {
        self.inbox.counts(filter)
    }

    /// Adds an identity that holds conversations; false if it does already.
    pub(crate) fn open_account(
        &mut self,
        identity: Arc<Identity>,
        ttl: SessionTtl,
        events: Feed<SessionEvent>,
        guard: Weak<()>,
    ) -> bool {
        self.tidy();
        if self.account(&identity.public_key()).is_some() {
            return false;
        }
        let filter = self.inbox.add(Filter::new(Arc::clone(&identity)));
        let now = self.clock.now();
        let mut sessions = Sessions::new(identity, now);
        let step = sessions.set_ttl(ttl).unwrap_or_default();
        sessions.stored_at_once(now, step);
        self.accounts.push(Account::new(filter, sessions, events, guard));
        true
    }

    /// The sessions of an account.
    pub(crate) fn sessions(&mut self, account: &PublicKey) -> Option<&mut Sessions> {
        self.account(account).map(|account| &mut account.sessions)
    }

    /// Lets an account do something; nothing if there is no such account. What it sends goes into the
    /// room that was waited for.
    ///
    /// # Errors
    /// [`NoEntropy`] before anything moved, or what `step` says.
    pub(crate) fn step<E: From<NoEntropy>>(
        &mut self,
        account: &PublicKey,
        room: Option<Room>,
        step: impl FnOnce(&mut Sessions, Timestamp, &mut dyn CryptoRng) -> Result<Vec<SessionOutput>, E>,
    ) -> Option<Result<Vec<Dispatch>, E>> {
        let (accounts, entropy, around) = self.parts();
        let account = accounts.iter_mut().find(|own| own.public_key() == *account)?;
        let mut rng = match entropy.rng() {
            Ok(rng) => rng,
            Err(why) => return Some(Err(why.into())),
        };
        let mut around = Surroundings { room, ..around.with(&mut rng) };
        let outputs = step(&mut account.sessions, around.now, around.rng);
        Some(outputs.map(|outputs| account.carry_out(outputs, &mut around)))
    }

    /// Tries the keys on what has come. `missed` envelopes went before anybody looked at them.
    pub(crate) fn read(&mut self, arrivals: &[Arrival], missed: u64) {
        if missed > 0 {
            self.outlets.values().for_each(|feed| feed.skip(missed));
            self.accounts.iter().for_each(|account| account.skip(missed));
        }
        // One reading of the operating system's randomness serves the batch. Without any, sessions
        // find theirs when it is back, among what waits.
        let mut rng = if self.accounts.is_empty() { None } else { self.entropy.rng().ok() };
        for Arrival { envelope, direct } in arrivals {
            let opened = match self.inbox.open(envelope, *direct, envelope.rating()) {
                Some(delivery) => {
                    if !self.repeats.note(self.clock.now(), envelope) {
                        self.deal_out(&delivery, rng.as_mut());
                    }
                    true
                }
                None => rng.as_mut().is_some_and(|rng| !direct && self.try_sessions(envelope, rng)),
            };
            if !opened && !direct && session::is_class_length(envelope.data().len()) {
                self.keep(envelope);
            }
        }
        if let Some(rng) = &mut rng {
            self.look_late(rng);
        }
    }

    /// Lets go of what nobody wants any more, and does what is due.
    pub(crate) fn tidy(&mut self) {
        let now = self.clock.now();
        self.waiting.expire(now);
        let inbox = &mut self.inbox;
        self.outlets.retain(|id, feed| {
            let stays = !feed.is_closed();
            if !stays {
                inbox.remove(*id);
            }
            stays
        });
        self.accounts.retain(|account| {
            let stays = !account.is_abandoned();
            if !stays {
                inbox.remove(account.filter);
            }
            stays
        });
        if self.accounts.is_empty() {
            return;
        }
        // Without randomness it is due again soon.
        let Ok(mut rng) = self.entropy.rng() else { return };
        let (accounts, _, around) = self.parts();
        let mut around = around.with(&mut rng);
        accounts.iter_mut().for_each(|account| account.tick(&mut around));
        self.look_late(&mut rng);
    }

    /// How long until [`Reader::tidy`] is due.
    pub(crate) fn deadline(&self) -> Duration {
        let now = self.clock.now();
        let due = self.accounts.iter().filter_map(|account| account.deadline(now));
        due.min().unwrap_or(TIDY).clamp(LEAST_PAUSE, TIDY)
    }

    /// Gives a message to all who want it. An invitation carries keys: it goes to nobody but the
    /// account that it is for.
    fn deal_out(&mut self, delivery: &Delivery, rng: Option<&mut impl CryptoRng>) {
        let received = &delivery.received;
        let invited = |account: &&mut Account| delivery.filters.contains(&account.filter);
        if session::is_invitation(received.message.payload()) {
            let (accounts, _, around) = self.parts();
            if let Some(account) = accounts.iter_mut().find(invited) {
                if let Some(rng) = rng {
                    account.receive(&received.message, received.rating, &mut around.with(rng));
                }
                return;
            }
        }
        for id in &delivery.filters {
            if let Some(feed) = self.outlets.get(id) {
                feed.push_bytes(Arc::clone(received), received.message.payload().len());
            }
        }
    }

    fn try_sessions(&mut self, envelope: &Envelope, rng: &mut impl CryptoRng) -> bool {
        let (accounts, _, around) = self.parts();
        let mut around = around.with(rng);
        accounts.iter_mut().any(|account| account.open(envelope, &mut around))
    }

    fn keep(&mut self, envelope: &Arc<Envelope>) {
        let issued = envelope.issued().unwrap_or_default();
        if !self.accounts.is_empty() {
            self.late.extend(session::late_epochs(self.clock.now(), issued));
        }
        self.waiting.insert(Arc::clone(envelope));
    }

    /// Looks up what waits of hours that are watched no more. The engine does it once a minute for
    /// an hour: what it does not do now stays noted.
    fn look_late(&mut self, rng: &mut impl CryptoRng) {
        let mut late = std::mem::take(&mut self.late);
        let (accounts, _, around) = self.parts();
        let mut around = around.with(rng);
        late.retain(|hour| {
            let mut looked = false;
            for account in &mut *accounts {
                looked |= account.look_late(*hour, &mut around);
            }
            !looked && session::late_epochs(around.now, hour * 3_600).next().is_some()
        });
        self.late = late;
    }

    fn account(&mut self, key: &PublicKey) -> Option<&mut Account> {
        self.accounts.iter_mut().find(|account| account.public_key() == *key)
    }

    /// The accounts, and apart from them what they need.
    fn parts(&mut self) -> (&mut Vec<Account>, &Entropy, Around<'_>) {
        let around =
            Around { now: self.clock.now(), waiting: &mut self.waiting, outbox: &self.outbox };
        (&mut self.accounts, &self.entropy, around)
    }
}

/// What an account needs but for randomness.
struct Around<'a> {
    now: Timestamp,
    waiting: &'a mut Waiting,
    outbox: &'a Outbox,
}

impl<'a> Around<'a> {
    fn with<R>(self, rng: &'a mut R) -> Surroundings<'a, R> {
        Surroundings { now: self.now, waiting: self.waiting, outbox: self.outbox, room: None, rng }
    }
}

/// Expired envelopes and abandoned subscriptions are cleared away this often.
const TIDY: Duration = Duration::from_secs(10);
/// What is due and cannot be done, for want of randomness, is not tried without a pause.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
