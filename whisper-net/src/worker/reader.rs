//! The mailbox of a node, and who gets what it opens.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

use rand_core::CryptoRng;
use tokio::sync::Notify;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::Counts;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Received;
use whisper_core::mailbox::AccountError;
use whisper_core::mailbox::Arrival;
use whisper_core::mailbox::Config;
use whisper_core::mailbox::Limits;
use whisper_core::mailbox::Mailbox;
use whisper_core::mailbox::Output;
use whisper_core::mailbox::Review;
use whisper_core::mailbox::Step;
use whisper_core::mailbox::StepError;
use whisper_core::session::Outgoing;
use whisper_core::session::SessionEvent;
use whisper_core::session::Sessions;
use whisper_core::time::Timestamp;

use super::order::InOrder;
use super::renewal::Renewal;
use super::renewal::Renewals;
use crate::clock::Clock;
use crate::entropy::Entropy;
use crate::entropy::NoEntropy;
use crate::posting::Delivery;
use crate::posting::Outbox;
use crate::posting::Room;
use crate::posting::Submission;
use crate::stream::Feed;

/// The mailbox of a node, and who gets what it opens.
pub(crate) struct Reader {
    clock: Clock,
    entropy: Entropy,
    outbox: Outbox,
    mailbox: Mailbox,
    outlets: BTreeMap<FilterId, Feed<Arc<Received>>>,
    listeners: BTreeMap<PublicKey, Listener>,
    /// Rings when a listener that was slow has read on.
    read_on: Arc<Notify>,
    /// What came while there was no randomness.
    unread: VecDeque<Arrival>,
    /// Whether there was none when it was last asked for.
    is_dry: bool,
    renewals: Renewals,
}

/// Who holds an account.
struct Listener {
    events: Feed<SessionEvent>,
    /// Held by all who may ask for something.
    guard: Weak<()>,
    in_order: InOrder,
    paused: bool,
}

/// Where the first envelope of a step goes in the queue of posts.
enum Place {
    /// Into room that was waited for.
    Room(Room),
    /// In place of what this has followed so far.
    Of(Delivery),
}

/// An envelope of a session on its way.
pub(crate) struct Dispatch {
    pub(crate) outgoing: Outgoing,
    pub(crate) delivery: Delivery,
}

impl Reader {
    pub(crate) fn new(waiting: Limits, clock: &Clock, entropy: &Entropy, outbox: Outbox) -> Self {
        Self {
            clock: clock.clone(),
            entropy: entropy.clone(),
            outbox,
            mailbox: Mailbox::new(Config { waiting, persists: false }),
            outlets: BTreeMap::new(),
            listeners: BTreeMap::new(),
            read_on: Arc::default(),
            unread: VecDeque::new(),
            is_dry: false,
            renewals: Renewals::default(),
        }
    }

    /// Adds a filter, and whom to give what it finds: from now on, and in what it is reviewed for.
    pub(crate) fn subscribe(
        &mut self,
        filter: Filter,
        feed: Feed<Arc<Received>>,
    ) -> (FilterId, Option<Review>) {
        self.tidy();
        let id = self.mailbox.add_filter(filter);
        self.outlets.insert(id, feed);
        (id, self.mailbox.start_review())
    }

    /// How many identities are tried on what is encrypted for one.
    pub(crate) fn identities(&self) -> usize {
        self.mailbox.identities()
    }

    /// What a filter has seen.
    pub(crate) fn counts(&self, filter: FilterId) -> Option<Counts> {
        self.mailbox.counts(filter)
    }

    /// Lets an identity hold conversations.
    pub(crate) fn open_account(
        &mut self,
        identity: Arc<Identity>,
        events: Feed<SessionEvent>,
        guard: Weak<()>,
    ) -> Result<Option<Review>, AccountError> {
        self.tidy();
        let key = identity.public_key();
        self.mailbox.open_account(self.clock.now(), identity)?;
        self.listeners
            .insert(key, Listener { events, guard, in_order: InOrder::default(), paused: false });
        Ok(self.mailbox.start_review())
    }

    /// The sessions of an account.
    pub(crate) fn sessions(&self, account: &PublicKey) -> Option<&Sessions> {
        self.mailbox.sessions(account)
    }

    /// Lets an account do something. What it sends goes into the room that was waited for.
    ///
    /// # Errors
    /// [`NoEntropy`] before anything moved, or what the account says.
    pub(crate) fn step(
        &mut self,
        account: &PublicKey,
        step: Step,
        room: Option<Room>,
    ) -> Result<Result<Vec<Dispatch>, StepError>, NoEntropy> {
        let mut rng = self.entropy.rng()?;
        let outputs = self.mailbox.step(self.clock.now(), account, step, &mut rng);
        Ok(outputs.map(|outputs| self.carry_out(outputs, room.map(Place::Room), &mut rng)))
    }

    /// Wipes all keys of an account's sessions; false if there is no such account.
    pub(crate) fn burn(&mut self, account: &PublicKey) -> bool {
        // Nothing is stored, so nothing remains to be done.
        drop(self.mailbox.burn(self.clock.now(), account));
        self.listeners.contains_key(account)
    }

    /// Tries the keys on what has come. `missed` envelopes went before anybody looked at them.
    pub(crate) fn read(&mut self, arrivals: Vec<Arrival>, missed: u64) {
        if missed > 0 {
            self.outlets.values().for_each(|feed| feed.skip(missed));
            self.listeners.values().for_each(|listener| listener.events.skip(missed));
        }
        self.unread.extend(arrivals);
        if self.unread.is_empty() {
            return;
        }
        // One reading of the operating system's randomness serves the batch. Without it the batch
        // stays, and no other is taken.
        let Some(mut rng) = self.rng() else { return };
        while let Some(arrival) = self.unread.pop_front() {
            let outputs = self.mailbox.receive(self.clock.now(), arrival, &mut rng);
            drop(self.carry_out(outputs, None, &mut rng));
        }
    }

    /// Whether nothing more can be read for want of randomness.
    pub(crate) fn is_stuck(&self) -> bool {
        !self.unread.is_empty()
    }

    /// Rings when a listener that was slow has read on: then [`Reader::resume`].
    pub(super) fn read_on(&self) -> Arc<Notify> {
        Arc::clone(&self.read_on)
    }

    /// Opens envelopes again for listeners that have read on.
    pub(super) fn resume(&mut self) {
        let ready = self.listeners.iter().filter(|(_, listener)| listener.has_read_on());
        let ready: Vec<_> = ready.map(|(account, _)| *account).collect();
        if ready.is_empty() {
            return;
        }
        // Without randomness they are looked at again soon.
        let Some(mut rng) = self.rng() else { return };
        for account in ready {
            self.listeners.entry(account).and_modify(|listener| listener.paused = false);
            let outputs = self.mailbox.resume(self.clock.now(), &account, &mut rng);
            drop(self.carry_out(outputs, None, &mut rng));
        }
    }

    /// Removes what has no reader any more, and does what is due.
    pub(crate) fn tidy(&mut self) {
        let mailbox = &mut self.mailbox;
        self.outlets.retain(|id, feed| !feed.is_closed() || mailbox.remove_filter(*id).is_none());
        self.listeners
            .retain(|account, listener| !listener.is_gone() || !mailbox.close_account(account));
        if self.is_stuck() {
            self.read(Vec::new(), 0);
        }
        self.resume();
        let now = self.clock.now();
        self.show_overdue(now);
        self.renew(now);
        if self.mailbox.poll_timeout().is_none_or(|due| due > now) {
            return;
        }
        // Without randomness it is due again soon.
        let Some(mut rng) = self.rng() else { return };
        let outputs = self.mailbox.timeout(now, &mut rng);
        drop(self.carry_out(outputs, None, &mut rng));
    }

    /// How long until [`Reader::tidy`] is due.
    pub(crate) fn deadline(&self) -> Duration {
        let now = self.clock.now();
        let held = self.listeners.values().filter_map(|listener| listener.in_order.poll_timeout());
        let due = [self.mailbox.poll_timeout(), self.renewals.poll_timeout()].into_iter().flatten();
        let due = due.chain(held).min().map(|due| due.saturating_since(now));
        let due = due.unwrap_or(TIDY).min(TIDY);
        if self.is_dry { LEAST_PAUSE } else { due }
    }

    fn rng(&mut self) -> Option<impl CryptoRng + use<>> {
        let rng = self.entropy.rng().ok();
        self.is_dry = rng.is_none();
        rng
    }

    /// Carries out what the mailbox asks for. Nothing is stored: a batch is answered at once.
    fn carry_out(
        &mut self,
        outputs: Vec<Output>,
        mut place: Option<Place>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Dispatch> {
        let mut outputs = VecDeque::from(outputs);
        let mut dispatches = Vec::new();
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Persist { account, batch } => {
                    let now = self.clock.now();
                    outputs.extend(self.mailbox.stored(now, &account, batch.id(), rng));
                }
                Output::Publish { account, outgoing } => {
                    dispatches.extend(self.dispatch(account, outgoing, place.take(), rng));
                }
                Output::Deliver(delivery) => {
                    let received = &delivery.received;
                    for feed in delivery.filters.iter().filter_map(|id| self.outlets.get(id)) {
                        let bytes = received.message.payload().len();
                        feed.push_bytes(Arc::clone(received), bytes);
                    }
                }
                Output::Event { account, event } => self.tell(&account, event),
            }
        }
        dispatches
    }

    /// Hands an envelope in. One that cannot be dated, after the year 2106, is lost.
    fn dispatch(
        &mut self,
        account: PublicKey,
        outgoing: Outgoing,
        place: Option<Place>,
        rng: &mut impl CryptoRng,
    ) -> Option<Dispatch> {
        let submission = Submission {
            draft: outgoing.draft(self.clock.now()).ok()?,
            backdate: outgoing.jitter,
            target: None,
            patience: PATIENCE,
            nonce: rng.next_u64(),
            lane: Some(outgoing.peer),
        };
        let delivery = match place {
            // Sessions do not say it again. It is an acknowledgement for each of them and delay, or
            // what follows the first envelope of a step.
            None => self.outbox.send(submission, Some(Room::beyond())),
            Some(Place::Room(room)) => self.outbox.send(submission, Some(room)),
            Some(Place::Of(delivery)) => {
                self.outbox.replace(&delivery, submission);
                delivery
            }
        };
        self.renewals.watch(account, &outgoing, &delivery);
        Some(Dispatch { delivery, outgoing })
    }

    /// Seals again what has waited for a peer until its topic is of a past hour: its reader looks
    /// under those of the present.
    fn renew(&mut self, now: Timestamp) {
        for Renewal { account, outgoing, delivery } in self.renewals.due(now) {
            // Without randomness it leaves as it is.
            let Some(mut rng) = self.rng() else { return };
            match self.mailbox.step(now, &account, Step::SealAgain(outgoing), &mut rng) {
                Ok(outputs) => drop(self.carry_out(outputs, Some(Place::Of(delivery)), &mut rng)),
                Err(why) => tracing::debug!(%why, "a message that waits is not sealed again"),
            }
        }
    }

    /// Shows what has waited for earlier messages for long enough.
    fn show_overdue(&mut self, now: Timestamp) {
        let overdue = self
            .listeners
            .iter_mut()
            .map(|(account, listener)| (*account, listener.in_order.timeout(now)));
        for (account, events) in overdue.collect::<Vec<_>>() {
            self.show(&account, events);
        }
    }

    /// Tells a listener what happened. One whose queue is full hears no less of it, but nothing
    /// more is opened for it, and so acknowledged, until it has read on.
    fn tell(&mut self, account: &PublicKey, event: SessionEvent) {
        let Some(listener) = self.listeners.get_mut(account) else { return };
        let events = listener.in_order.take(self.clock.now(), event);
        self.show(account, events);
    }

    fn show(&mut self, account: &PublicKey, events: Vec<SessionEvent>) {
        let Some(listener) = self.listeners.get_mut(account) else { return };
        for event in events {
            let bytes =
                if let SessionEvent::Message { data, .. } = &event { data.len() } else { 0 };
            listener.events.push_always(event, bytes);
        }
        if listener.events.is_full() && !listener.paused {
            listener.paused = true;
            listener.events.ring_when_read(&self.read_on);
            self.mailbox.pause(account);
        }
    }
}

impl Listener {
    /// Whether all handles and the stream are gone.
    fn is_gone(&self) -> bool {
        self.guard.strong_count() == 0 && self.events.is_closed()
    }

    fn has_read_on(&self) -> bool {
        self.paused && !self.events.is_full()
    }
}

/// Abandoned subscriptions are cleared away this often.
const TIDY: Duration = Duration::from_secs(10);
/// What is due and cannot be done, for want of randomness, is not tried without a pause.
const LEAST_PAUSE: Duration = Duration::from_millis(100);
/// A day's life and the largest class would cost hours, which no application means.
const PATIENCE: Duration = Duration::from_secs(600);
