//! The state of all sessions of one identity, and how it changes: in one place.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::account::Account;
use super::book::Book;
use super::contract::SessionInfo;
use super::contract::SessionOutput;
use super::error::RestoreError;
use super::event::SessionEvent;
use super::hours::epoch;
use super::live::Session;
use super::record::BatchId;
use super::record::Fields;
use super::record::Kind;
use super::steadiness::Steadiness;
use super::steps::Change;
use super::steps::Steps;
use super::watch::Watch;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

/// The sessions of one identity.
///
/// ```
/// # use std::sync::Arc;
/// # use chacha20::{ChaCha20Rng, rand_core::SeedableRng};
/// # let mut rng = ChaCha20Rng::from_seed([7; 32]);
/// # let now = whisper_core::time::Timestamp::from_secs(1_750_000_000);
/// use whisper_core::identity::Identity;
/// use whisper_core::message::Message;
/// use whisper_core::session::{InviteOptions, SessionEvent, SessionOutput, Sessions};
///
/// let [alice, bob] = [(); 2].map(|()| Arc::new(Identity::generate(&mut rng)));
/// let mut ours = Sessions::new(alice.clone(), now);
/// let mut theirs = Sessions::new(bob.clone(), now);
///
/// // A host that stores nothing answers at once; what comes out then goes to the network.
/// let invite = InviteOptions::default();
/// let step = ours.invite(now, bob.public_key(), invite, Some("hello"), &mut rng)?;
/// let mut sent = Vec::new();
/// for output in ours.stored_at_once(now, step) {
///     if let SessionOutput::Transmit(outgoing) = output {
///         sent.push(outgoing.draft(now)?.seal(0));
///     }
/// }
///
/// // The invitation shows nothing yet; the message that follows shows who invites.
/// let invitation = Message::open_as(sent[0].data(), &bob)?;
/// let step = theirs.receive(now, &invitation, sent[0].rating())?;
/// theirs.stored_at_once(now, step);
/// let step = theirs.open(now, &sent[1], &mut rng)?;
/// let outputs = theirs.stored_at_once(now, step);
/// let SessionOutput::Event(SessionEvent::Invited { peer, .. }) = outputs[0] else { panic!() };
/// assert_eq!(peer, alice.public_key());
///
/// let step = theirs.accept(now, &peer, &mut rng)?;
/// let outputs = theirs.stored_at_once(now, step);
/// assert!(matches!(&outputs[1], SessionOutput::Event(SessionEvent::Message { data, .. })
///     if data == b"hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Two of them are equal if the same is stored of them and the same steps are outstanding.
pub struct Sessions {
    pub(super) identity: Arc<Identity>,
    pub(super) account: Account,
    pub(super) live: Book,
    pub(super) steps: Steps,
    /// Whether a record of the settings is stored.
    settings_stored: bool,
    // What follows from the rest, or from looking at the clock.
    pub(super) watch: Watch,
    pub(super) clock: Steadiness,
}

impl Sessions {
    /// No sessions yet. Invitations that were made more than ten minutes before `now` are refused:
    /// without a store nothing tells whether they came before.
    pub fn new(identity: Arc<Identity>, now: Timestamp) -> Self {
        Self {
            identity,
            account: Account::new(now),
            live: Book::default(),
            steps: Steps::default(),
            settings_stored: false,
            watch: Watch::new(epoch(now)),
            clock: Steadiness::new(now),
        }
    }

    /// The sessions as they were stored: `states` are those of the records that were written last
    /// and not removed, in any order.
    ///
    /// # Errors
    /// [`RestoreError`] if a record is not what these sessions have written.
    pub fn restore(
        identity: Arc<Identity>,
        now: Timestamp,
        states: impl IntoIterator<Item: AsRef<[u8]>>,
    ) -> Result<Self, RestoreError> {
        let mut sessions = Self::new(identity, now);
        for state in states {
            let (kind, mut fields) = Fields::of(state.as_ref())?;
            if kind == Kind::Session {
                let session = Session::read(&mut fields)?;
                if sessions.put(epoch(now), session).0.is_some() {
                    return Err(RestoreError::Repeated);
                }
            } else {
                let repeated = kind == Kind::Account && sessions.settings_stored;
                sessions.settings_stored |= kind == Kind::Account;
                sessions.account.restore(kind, &mut fields)?;
                if repeated {
                    return Err(RestoreError::Repeated);
                }
            }
            fields.end()?;
        }
        Ok(sessions)
    }

    /// Does what a step was to do, once its batch is stored. A batch that is not outstanding does
    /// nothing.
    pub fn stored(&mut self, now: Timestamp, batch: BatchId) -> Vec<SessionOutput> {
        let Some(change) = self.steps.end(batch) else { return Vec::new() };
        let peer = change.peers.first().copied();
        let current = |sessions: &Self| {
            let session = sessions.live.current(now, peer.as_ref()?)?;
            Some((session.facts.id, session.facts.peer))
        };
        let before = current(self);
        let (mut outputs, topics) = self.apply(now, change);
        let after = current(self);
        if let (Some((before, _)), Some((after, peer))) = (before, after)
            && before != after
        {
            outputs.push(SessionOutput::Event(SessionEvent::Replaced { peer }));
        }
        outputs.extend(look_back(topics));
        outputs
    }

    /// Gives up a step whose batch could not be stored: nothing of it was done. What was refused
    /// meanwhile is looked back for.
    pub fn not_stored(&mut self, batch: BatchId) -> Vec<SessionOutput> {
        let refused = self.steps.end(batch).map(|change| change.refused);
        look_back(refused.into_iter().flatten().collect()).into_iter().collect()
    }

    /// For a host that stores nothing: answers every batch of a step, and gives what remains.
    pub fn stored_at_once(
        &mut self,
        now: Timestamp,
        step: Vec<SessionOutput>,
    ) -> Vec<SessionOutput> {
        step.into_iter()
            .flat_map(|output| match output {
                SessionOutput::Persist(batch) => self.stored(now, batch.id()),
                other => vec![other],
            })
            .collect()
    }

    /// Wipes all keys at once; peers learn nothing of it. Steps that are outstanding are given up; the
    /// batch removes what was stored.
    pub fn burn(&mut self) -> Vec<SessionOutput> {
        let mut change = Change::default();
        for step in self.steps.end_all() {
            change.seen.extend(step.seen);
            // Their batches are perhaps being written.
            change.gone.extend(step.put.iter().map(|session| session.facts.id));
        }
        change.gone.extend(self.live.keys());
        let step = self.step(change);
        self.live.clear();
        self.watch = Watch::default();
        step
    }

    /// The peers whose invitations are accepted without a question.
    pub fn contacts(&self) -> impl Iterator<Item = PublicKey> {
        self.account.contacts.iter().copied()
    }

    /// The sessions that may be shown.
    pub fn sessions(&self) -> impl Iterator<Item = SessionInfo> {
        self.live.values().filter(|session| session.state.visible).map(Session::info)
    }

    /// The public key of the identity.
    pub fn public_key(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// Puts a step off until its batch is stored.
    pub(super) fn step(&mut self, mut change: Change) -> Vec<SessionOutput> {
        // What an outstanding step makes of the settings is newer than what is known here.
        if !self.settings_stored && !self.steps.are_settings_busy() {
            change.settings.get_or_insert(self.account.settings);
        }
        vec![SessionOutput::Persist(self.steps.begin(change))]
    }

    /// The only place where sessions change.
    fn apply(&mut self, now: Timestamp, change: Change) -> (Vec<SessionOutput>, Vec<Topic>) {
        self.settings_stored |= change.settings.is_some();
        for id in change.gone {
            if let Some(session) = self.live.remove(&id) {
                for (number, lane) in session.channel.lanes() {
                    self.watch.remove((id, number), lane);
                }
            }
        }
        let mut topics = Vec::new();
        for session in change.put {
            let (id, accepted) = (session.facts.id, session.state.accepted);
            let (before, new) = self.put(epoch(now), session);
            topics.extend(new);
            if accepted && before.is_some_and(|before| before.is_pending()) {
                // What was too much to withhold may still be there.
                let lanes = self.live.get(&id).into_iter().flat_map(|live| live.channel.lanes());
                topics.extend(lanes.flat_map(|(n, lane)| self.watch.topics_of((id, n), lane)));
            }
        }
        if let Some(settings) = change.settings {
            self.account.settings = settings;
        }
        change.forgotten.iter().for_each(|id| self.account.seen.remove(id));
        for (id, times) in change.seen {
            self.account.seen.insert(id, times);
        }
        if let Some((peer, is_contact)) = change.contact {
            match is_contact {
                true => _ = self.account.contacts.insert(peer),
                false => _ = self.account.contacts.remove(&peer),
            }
        }
        topics.extend(change.refused);
        (change.outputs, topics)
    }

    /// Puts a session in and watches for it; gives the one it replaces, and the topics that are new.
    fn put(&mut self, hour: u64, session: Session) -> (Option<Session>, Vec<Topic>) {
        let mut topics = Vec::new();
        for (number, lane) in session.channel.lanes() {
            topics.extend(self.watch.put(hour, (session.facts.id, number), lane));
        }
        (self.live.insert(session.facts.id, session), topics)
    }
}

impl PartialEq for Sessions {
    fn eq(&self, other: &Self) -> bool {
        self.public_key() == other.public_key()
            && self.account == other.account
            && self.live == other.live
            && self.steps == other.steps
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("identity", &self.identity)
            .field("account", &self.account)
            .field("live", &self.live)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

fn look_back(topics: Vec<Topic>) -> Option<SessionOutput> {
    (!topics.is_empty()).then_some(SessionOutput::LookBack(topics))
}

/// Sessions altogether.
pub(super) const MAX_SESSIONS: usize = 10_000;
