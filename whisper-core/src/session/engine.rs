//! The state of all sessions of one identity, and how it changes: in one place.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

use super::contract::Ended;
use super::contract::Record;
use super::contract::RecordId;
use super::contract::Role;
use super::contract::SessionEvent;
use super::contract::SessionId;
use super::contract::SessionInfo;
use super::contract::SessionOutput;
use super::contract::SessionTtl;
use super::seed::Session;
use super::watch::Watch;

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
/// let mut ours = Sessions::new(alice.clone());
/// let mut theirs = Sessions::new(bob.clone());
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
/// // The invitation shows nothing yet, and the message that follows shows who it is.
/// let invitation = Message::open_as(sent[0].data(), &bob)?;
/// let step = theirs.receive(now, &invitation)?;
/// theirs.stored_at_once(now, step);
/// let step = theirs.open(now, &sent[1], &mut rng)?;
/// let outputs = theirs.stored_at_once(now, step);
/// let SessionOutput::Event(SessionEvent::Invited { peer, .. }) = outputs[0] else { panic!() };
/// assert_eq!(peer, alice.public_key());
///
/// let step = theirs.accept(now, &peer, &mut rng)?;
/// let told = theirs.stored_at_once(now, step);
/// assert!(matches!(&told[1], SessionOutput::Event(SessionEvent::Message { data, .. })
///     if data == b"hello"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, PartialEq)]
pub struct Sessions {
    pub(super) identity: Own,
    pub(super) ttl: SessionTtl,
    pub(super) contacts: BTreeSet<PublicKey>,
    pub(super) live: BTreeMap<SessionId, Session>,
    /// Invitations that came, and how long they could come again.
    pub(super) seen: BTreeMap<SessionId, Timestamp>,
    pub(super) watch: Watch,
    pub(super) budget: Budget,
    pending: BTreeMap<RecordId, Change>,
    next_record: u64,
}

impl Sessions {
    /// No sessions yet.
    pub fn new(identity: Arc<Identity>) -> Self {
        Self {
            identity: Own(identity),
            ttl: SessionTtl::default(),
            contacts: BTreeSet::new(),
            live: BTreeMap::new(),
            seen: BTreeMap::new(),
            watch: Watch::default(),
            budget: Budget::default(),
            pending: BTreeMap::new(),
            next_record: 0,
        }
    }

    /// Sets how long envelopes live. Change it seldom: it is the same for all, so that it tells
    /// nothing.
    pub fn set_ttl(&mut self, ttl: SessionTtl) {
        self.ttl = ttl;
    }

    /// Does what a step was to do, once its record is stored. A record that is not outstanding does
    /// nothing.
    pub fn stored(&mut self, now: Timestamp, record: RecordId) -> Vec<SessionOutput> {
        let Some(change) = self.pending.remove(&record) else { return Vec::new() };
        let peer = change.peer;
        let before = self.current(now, &peer).map(|session| session.facts.id);
        let (mut outputs, topics) = self.apply(now, change);
        let after = self.current(now, &peer).map(|session| session.facts.id);
        if before.is_some() && after.is_some() && before != after {
            outputs.push(SessionOutput::Event(SessionEvent::Replaced { peer }));
        }
        if !topics.is_empty() {
            outputs.push(SessionOutput::LookBack(topics));
        }
        outputs
    }

    /// Gives up a step whose record could not be stored: nothing has changed.
    pub fn not_stored(&mut self, record: RecordId) {
        self.pending.remove(&record);
    }

    /// For a host that stores nothing: answers every record of a step, and gives what remains.
    pub fn stored_at_once(
        &mut self,
        now: Timestamp,
        step: Vec<SessionOutput>,
    ) -> Vec<SessionOutput> {
        step.into_iter()
            .flat_map(|output| match output {
                SessionOutput::Persist(record) => self.stored(now, record.id()),
                other => vec![other],
            })
            .collect()
    }

    /// Wipes all keys, without a word to anybody.
    pub fn burn(&mut self) {
        self.pending.clear();
        self.live.clear();
        self.watch = Watch::default();
    }

    /// Whose invitations are accepted without a question.
    pub fn contacts(&self) -> impl Iterator<Item = PublicKey> {
        self.contacts.iter().copied()
    }

    /// The sessions that may be told of.
    pub fn sessions(&self) -> impl Iterator<Item = SessionInfo> {
        self.live.values().filter(|session| session.state.visible).map(Session::info)
    }

    /// The public key of the identity.
    pub fn public_key(&self) -> PublicKey {
        self.identity.0.public_key()
    }

    /// Puts a step off until its record is stored.
    pub(super) fn step(&mut self, change: Change) -> Vec<SessionOutput> {
        let id = RecordId(self.next_record);
        self.next_record = self.next_record.saturating_add(1);
        let record = Record { id, peer: change.peer };
        self.pending.insert(id, change);
        vec![SessionOutput::Persist(record)]
    }

    /// The only place where sessions change.
    fn apply(&mut self, now: Timestamp, change: Change) -> (Vec<SessionOutput>, Vec<Topic>) {
        for id in change.gone {
            if let Some(session) = self.live.remove(&id) {
                self.watch.remove(id, &session.keys.receiving);
            }
        }
        let mut topics = Vec::new();
        for session in change.put {
            let (id, keys) = (session.facts.id, session.keys.clone());
            let next = &session.state.receiving.next;
            topics.extend(self.watch.update(now, id, &keys.receiving, next));
            let accepted = session.state.accepted;
            let before = self.live.insert(id, session);
            if accepted && before.is_some_and(|before| before.is_pending()) {
                // What was too much to withhold may still be there.
                topics.extend(self.watch.topics_of(id, &keys.receiving));
            }
        }
        self.seen.extend(change.seen);
        match change.contact {
            Some(true) => _ = self.contacts.insert(change.peer),
            Some(false) => _ = self.contacts.remove(&change.peer),
            None => (),
        }
        (change.outputs, topics)
    }

    /// Whether a step with this peer is outstanding: its next one would work on old state.
    pub(super) fn is_busy(&self, peer: &PublicKey) -> bool {
        self.pending.values().any(|change| change.peer == *peer)
    }

    /// The session that messages to a peer go on, if the peer is known to read it.
    pub(super) fn current(&self, now: Timestamp, peer: &PublicKey) -> Option<&Session> {
        self.with(peer)
            .filter(|session| session.is_usable() && session.over(now).is_none())
            .max_by_key(|session| session.rank())
    }

    /// The session that messages to a peer go on: the current one, else our own newest.
    pub(super) fn sendable(&self, now: Timestamp, peer: &PublicKey) -> Option<&Session> {
        self.current(now, peer).or_else(|| {
            self.with(peer)
                .filter(|session| session.facts.role == Role::Initiator)
                .filter(|session| session.over(now).is_none())
                .max_by_key(|session| session.rank())
        })
    }

    /// All sessions with a peer.
    pub(super) fn with(&self, peer: &PublicKey) -> impl Iterator<Item = &Session> {
        self.live.values().filter(move |session| session.facts.peer == *peer)
    }
}

/// What a step changes, and what it says when that is done.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) peer: PublicKey,
    pub(super) put: Vec<Session>,
    pub(super) gone: Vec<SessionId>,
    pub(super) seen: Option<(SessionId, Timestamp)>,
    pub(super) contact: Option<bool>,
    pub(super) outputs: Vec<SessionOutput>,
}

impl Change {
    pub(super) fn new(peer: PublicKey) -> Self {
        Self {
            peer,
            put: Vec::new(),
            gone: Vec::new(),
            seen: None,
            contact: None,
            outputs: Vec::new(),
        }
    }

    pub(super) fn tell(&mut self, event: SessionEvent) {
        self.outputs.push(SessionOutput::Event(event));
    }

    /// Takes a session away. Of one that was never told of, nothing is told now.
    pub(super) fn end(&mut self, session: &Session, why: Ended) {
        self.put.retain(|put| put.facts.id != session.facts.id);
        self.gone.push(session.facts.id);
        if session.state.visible {
            self.tell(session.ended(why));
        }
    }
}

/// The identity: equal to itself.
#[derive(Debug)]
pub(super) struct Own(pub(super) Arc<Identity>);

impl PartialEq for Own {
    fn eq(&self, other: &Self) -> bool {
        self.0.public_key() == other.0.public_key()
    }
}

/// How many invitations are looked at.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Budget {
    /// Of anybody: 20 per second.
    all: Bucket,
    /// Of those who are no contacts: 10 per minute.
    strangers: Bucket,
}

impl Budget {
    /// Takes a token for an invitation, if there is one. Strangers who get none leave those of the
    /// contacts alone.
    pub(super) fn take(&mut self, now: Timestamp, stranger: bool) -> bool {
        let Some(all) = self.all.after_one(now) else { return false };
        if stranger {
            let Some(strangers) = self.strangers.after_one(now) else { return false };
            self.strangers.since = strangers;
        }
        self.all.since = all;
        true
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            all: Bucket::new(20, Duration::from_millis(50)),
            strangers: Bucket::new(10, Duration::from_secs(6)),
        }
    }
}

/// Tokens that come back one by one.
#[derive(Debug, Eq, PartialEq)]
struct Bucket {
    most: u64,
    every: Duration,
    /// The bucket is as full as the time since then says.
    since: Timestamp,
}

impl Bucket {
    const fn new(most: u64, every: Duration) -> Self {
        Self { most, every, since: Timestamp::from_millis(0) }
    }

    /// What `since` becomes when a token is taken, if there is one.
    fn after_one(&self, now: Timestamp) -> Option<Timestamp> {
        let full = self.every.saturating_mul(u32::try_from(self.most).unwrap_or(u32::MAX));
        // A clock that was set back finds a full bucket rather than none for years.
        let earliest = now.saturating_sub(full);
        let since = if self.since > now { earliest } else { self.since.max(earliest) };
        Some(since.saturating_add(self.every)).filter(|taken| *taken <= now)
    }
}

/// Sessions altogether.
pub(super) const MAX_SESSIONS: usize = 10_000;
