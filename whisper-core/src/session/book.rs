//! All sessions, and which of them give way to others.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::ops::Deref;
use core::ops::DerefMut;

use rand_core::CryptoRng;

use super::contract::Role;
use super::contract::SessionId;
use super::error::SessionError;
use super::event::Ended;
use super::inbound::MAX_AHEAD;
use super::live::Session;
use super::steps::Change;
use super::steps::Steps;
use crate::identity::PublicKey;
use crate::time::Timestamp;

/// The sessions by name.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Book(BTreeMap<SessionId, Session>);

impl Book {
    /// All sessions with a peer.
    pub(super) fn with(&self, peer: &PublicKey) -> impl Iterator<Item = &Session> {
        self.0.values().filter(move |session| session.facts.peer == *peer)
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
        self.current(now, peer).or_else(|| self.own(now, peer))
    }

    /// Our own newest session with a peer.
    pub(super) fn own(&self, now: Timestamp, peer: &PublicKey) -> Option<&Session> {
        let latest = now.saturating_add(MAX_AHEAD);
        self.with(peer)
            .filter(|session| session.facts.role == Role::Initiator)
            .filter(|session| session.facts.created_at <= latest)
            .filter(|session| session.over(now).is_none())
            .max_by_key(|session| session.rank())
    }

    /// Accepts all that waits of a peer.
    pub(super) fn admit(
        &self,
        now: Timestamp,
        peer: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Change {
        let mut change = Change { contact: Some((peer, true)), ..Change::new(peer) };
        for session in self.with(&peer).filter(|session| session.is_pending()) {
            let mut session = session.clone();
            session.state.accepted = true;
            session.start_ack(now, rng);
            if session.state.visible {
                change.report(session.established());
            }
            let withheld = core::mem::take(&mut session.state.withheld);
            withheld.into_iter().for_each(|words| change.report(session.message(words)));
            change.put.push(session);
        }
        change
    }

    pub(super) fn check_invited(&self, peer: &PublicKey) -> Result<(), SessionError> {
        let invited = |session: &Session| session.is_pending() && session.state.visible;
        let invited = self.with(peer).any(invited);
        if invited { Ok(()) } else { Err(SessionError::NotInvited) }
    }

    /// Ends what the peer has closed: the session that it said so on, and all that were made before.
    pub(super) fn closed(
        &self,
        sent_at: Timestamp,
        session: &Session,
        mut change: Change,
    ) -> Change {
        let id = session.facts.id;
        let others = self.with(&session.facts.peer).filter(|other| other.facts.id != id);
        for other in others.filter(|other| other.facts.created_at <= sent_at) {
            change.end(other, Ended::ClosedByPeer);
        }
        change.end(session, Ended::ClosedByPeer);
        change
    }

    /// Lets the oldest of our own sessions with a peer go, if there are as many as may be.
    pub(super) fn make_room(&self, now: Timestamp, peer: &PublicKey, change: &mut Change) {
        let current = self.current(now, peer).map(|session| session.facts.id);
        let own = || self.with(peer).filter(|session| session.facts.role == Role::Initiator);
        if own().count() >= MAX_INITIATED {
            let spare = own().filter(|session| Some(session.facts.id) != current);
            if let Some(oldest) = spare.min_by_key(|session| session.rank()) {
                change.end(oldest, Ended::Evicted);
            }
        }
    }

    /// Makes room among the sessions that wait for the user: those of less work give way, of equal
    /// ones the oldest.
    pub(super) fn give_way(
        &self,
        session: &Session,
        steps: &Steps,
        change: &mut Change,
    ) -> Result<(), Full> {
        if session.withheld_bytes() > MAX_WITHHELD {
            return Err(Full);
        }
        let id = session.facts.id;
        let pending = self.0.values().filter(|other| other.is_pending() && other.facts.id != id);
        let mut pending: Vec<_> = pending.collect();
        pending.sort_unstable_by_key(|other| Reverse(other.worth()));
        let mut count = pending.len().saturating_add(1);
        let bytes = pending.iter().map(|other| other.withheld_bytes());
        let mut bytes = bytes.fold(session.withheld_bytes(), usize::saturating_add);
        while count > MAX_PENDING || bytes > MAX_PENDING_BYTES {
            let least = pending.pop().filter(|other| other.worth() < session.worth());
            let least = least.filter(|other| !steps.is_busy(&other.facts.peer)).ok_or(Full)?;
            change.end(least, Ended::Evicted);
            count = count.saturating_sub(1);
            bytes = bytes.saturating_sub(least.withheld_bytes());
        }
        Ok(())
    }

    /// Puts a session in. Of those that the peer began, the oldest goes when they are too many;
    /// one that is visible never for one that is not.
    pub(super) fn evict(&self, session: Session, change: &mut Change) {
        let id = session.facts.id;
        let visible = session.state.visible;
        let responder = session.facts.role == Role::Responder;
        let peer = session.facts.peer;
        let mut all: Vec<_> = self.with(&peer).filter(|other| other.facts.id != id).collect();
        all.push(&session);
        all.retain(|other| other.facts.role == Role::Responder && other.state.visible == visible);
        let crowded = responder && all.len() > MAX_ACCEPTED;
        let oldest = all.into_iter().filter(|_| crowded).min_by_key(|session| session.rank());
        if let Some(oldest) = oldest {
            change.end(oldest, Ended::Evicted);
        }
        if !change.gone.contains(&id) {
            change.put.push(session);
        }
    }
}

impl Deref for Book {
    type Target = BTreeMap<SessionId, Session>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Book {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

/// There is no room.
pub(super) struct Full;

/// Sessions with one peer that it began; as many that are still invisible.
const MAX_ACCEPTED: usize = 8;
/// Sessions that wait for the user, and what is kept of their texts; spec/session.md, 3.11.
const MAX_PENDING: usize = 256;
const MAX_PENDING_BYTES: usize = 4 << 20;
/// What is kept from the user per session: one message of the largest class, and what it costs.
const MAX_WITHHELD: usize = 65 << 10;
/// Sessions with one peer that we began.
const MAX_INITIATED: usize = 32;
