//! The state of all sessions of one identity, and how it changes: in one place.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::account;
use super::account::Account;
use super::account::Settings;
use super::account::Times;
use super::contract::Role;
use super::contract::SessionId;
use super::contract::SessionInfo;
use super::contract::SessionOutput;
use super::error::RestoreError;
use super::event::Ended;
use super::event::SessionEvent;
use super::hours::epoch;
use super::live::Session;
use super::record::Batch;
use super::record::BatchId;
use super::record::Fields;
use super::record::Kind;
use super::record::Record;
use super::steadiness::Steadiness;
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
    pub(super) live: BTreeMap<SessionId, Session>,
    pending: BTreeMap<BatchId, Change>,
    next_batch: u64,
    /// Whether a record of the settings was given out.
    settings_stored: bool,
    // What follows from the rest, or from looking at the clock.
    pub(super) watch: Watch,
    pub(super) clock: Steadiness,
    /// Topics to look back for at the next tick.
    pub(super) turned: Vec<Topic>,
    /// When to forget invitations next.
    pub(super) forget_at: Timestamp,
}

impl Sessions {
    /// No sessions yet. Invitations that were made more than ten minutes before `now` are refused:
    /// without a store nothing tells whether they came before.
    pub fn new(identity: Arc<Identity>, now: Timestamp) -> Self {
        let mut watch = Watch::default();
        watch.turn(epoch(now));
        Self {
            identity,
            account: Account::new(now),
            live: BTreeMap::new(),
            pending: BTreeMap::new(),
            next_batch: 0,
            settings_stored: false,
            watch,
            clock: Steadiness::new(now),
            turned: Vec::new(),
            forget_at: now,
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
        let Some(change) = self.pending.remove(&batch) else { return Vec::new() };
        let peer = change.peers.first().copied();
        let current = |sessions: &Self| {
            let session = sessions.current(now, peer.as_ref()?)?;
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
        let refused = self.pending.remove(&batch).map(|change| change.refused);
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
        let outstanding = core::mem::take(&mut self.pending).into_values();
        change.seen.extend(outstanding.flat_map(|step| step.seen));
        change.gone.extend(self.live.keys());
        let step = self.step(change);
        self.live.clear();
        self.watch = Watch::default();
        self.turned.clear();
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
    pub(super) fn step(&mut self, change: Change) -> Vec<SessionOutput> {
        let id = BatchId(self.next_batch);
        self.next_batch = self.next_batch.saturating_add(1);
        let mut records = change.records();
        if change.settings.is_none() && !self.settings_stored {
            records.push(self.account.settings.record());
        }
        self.pending.insert(id, change);
        vec![SessionOutput::Persist(Batch { id, records })]
    }

    /// The only place where sessions change.
    fn apply(&mut self, now: Timestamp, change: Change) -> (Vec<SessionOutput>, Vec<Topic>) {
        self.settings_stored = true;
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
            topics.extend(self.watch.update(hour, (session.facts.id, number), lane));
        }
        (self.live.insert(session.facts.id, session), topics)
    }

    /// The outstanding step that concerns this peer, if any: the next one would work on old state.
    pub(super) fn outstanding(&mut self, peer: &PublicKey) -> Option<&mut Change> {
        self.pending.values_mut().find(|change| change.peers.contains(peer))
    }

    /// Whether a step with this peer is outstanding.
    pub(super) fn is_busy(&self, peer: &PublicKey) -> bool {
        self.pending.values().any(|change| change.peers.contains(peer))
    }

    /// Whether a step that changes the settings is outstanding.
    pub(super) fn are_settings_busy(&self) -> bool {
        self.pending.values().any(|change| change.settings.is_some())
    }

    /// The session that messages to a peer go on, if the peer is known to read it.
    pub(super) fn current(&self, now: Timestamp, peer: &PublicKey) -> Option<&Session> {
        self.with(peer)
            .filter(|session| session.is_usable() && session.over(now).is_none())
            .max_by_key(|session| session.rank())
    }

    /// The session that messages to a peer go on: the current one, else our own newest. One that a
    /// clock made which was ahead does not count: the peer has refused it.
    pub(super) fn sendable(&self, now: Timestamp, peer: &PublicKey) -> Option<&Session> {
        let latest = now.saturating_add(super::inbound::MAX_AHEAD);
        self.current(now, peer).or_else(|| {
            self.with(peer)
                .filter(|session| session.facts.role == Role::Initiator)
                .filter(|session| session.facts.created_at <= latest)
                .filter(|session| session.over(now).is_none())
                .max_by_key(|session| session.rank())
        })
    }

    /// All sessions with a peer.
    pub(super) fn with(&self, peer: &PublicKey) -> impl Iterator<Item = &Session> {
        self.live.values().filter(move |session| session.facts.peer == *peer)
    }
}

impl PartialEq for Sessions {
    fn eq(&self, other: &Self) -> bool {
        self.public_key() == other.public_key()
            && self.account == other.account
            && self.live == other.live
            && self.pending.values().eq(other.pending.values())
    }
}

impl fmt::Debug for Sessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sessions")
            .field("identity", &self.identity)
            .field("account", &self.account)
            .field("live", &self.live)
            .field("pending", &self.pending)
            .finish_non_exhaustive()
    }
}

/// What a step changes, and what it says when that is done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Nobody else's step may work on the sessions of these peers meanwhile.
    pub(super) peers: Vec<PublicKey>,
    pub(super) put: Vec<Session>,
    pub(super) gone: Vec<SessionId>,
    pub(super) settings: Option<Settings>,
    pub(super) seen: Vec<(SessionId, Times)>,
    pub(super) forgotten: Vec<SessionId>,
    pub(super) contact: Option<(PublicKey, bool)>,
    pub(super) outputs: Vec<SessionOutput>,
    /// Topics of envelopes that were refused because this step is outstanding.
    pub(super) refused: BTreeSet<Topic>,
}

impl Change {
    pub(super) fn new(peer: PublicKey) -> Self {
        Self { peers: vec![peer], ..Self::default() }
    }

    pub(super) fn report(&mut self, event: SessionEvent) {
        self.outputs.push(SessionOutput::Event(event));
    }

    /// Takes a session away. The end of one that was never shown is not reported.
    pub(super) fn end(&mut self, session: &Session, why: Ended) {
        self.put.retain(|put| put.facts.id != session.facts.id);
        self.gone.push(session.facts.id);
        if !self.peers.contains(&session.facts.peer) {
            self.peers.push(session.facts.peer);
        }
        if session.state.visible {
            self.report(session.ended(why));
        }
    }

    /// What is to be stored for it.
    fn records(&self) -> Vec<Record> {
        let gone = self.gone.iter().map(|id| Record::removed(Kind::Session, id.as_bytes()));
        let put = self.put.iter().map(Session::record);
        let forgotten = self.forgotten.iter();
        let forgotten = forgotten.map(|id| Record::removed(Kind::Seen, id.as_bytes()));
        let seen = self.seen.iter().map(|(id, times)| times.record(id));
        let contact = self.contact.iter().map(|(peer, is)| account::contact(peer, *is));
        let settings = self.settings.iter().map(Settings::record);
        gone.chain(put).chain(forgotten).chain(seen).chain(contact).chain(settings).collect()
    }
}

fn look_back(topics: Vec<Topic>) -> Option<SessionOutput> {
    (!topics.is_empty()).then_some(SessionOutput::LookBack(topics))
}

/// Sessions altogether.
pub(super) const MAX_SESSIONS: usize = 10_000;
