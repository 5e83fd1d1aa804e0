//! What comes in: invitations, messages, and the user's answer to strangers.

use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use crate::envelope::Envelope;
use crate::identity::PublicKey;
use crate::message::Message;
use crate::time::Timestamp;

use super::seed::body::Body;
use super::seed::body::Content;
use super::seed::body::MAX_DATA;
use super::carrier;
use super::contract::Ended;
use super::contract::InvitationError;
use super::contract::OpenError;
use super::contract::Role;
use super::contract::SessionError;
use super::contract::SessionEvent;
use super::contract::SessionOutput;
use super::engine::Change;
use super::engine::MAX_SESSIONS;
use super::engine::Sessions;
use super::seed::invitation::Invitation;
use super::seed::invitation::is_invitation;
use super::seed::keys::Keys;
use super::seed::Session;
use super::watch::Candidate;

impl Sessions {
    /// Takes an invitation: a message for this identity whose payload
    /// [`is_invitation`](super::is_invitation).
    ///
    /// # Errors
    /// [`InvitationError`]; then nothing has changed, and nobody is told.
    pub fn receive(
        &mut self,
        now: Timestamp,
        message: &Message,
    ) -> Result<Vec<SessionOutput>, InvitationError> {
        let invitation = Invitation::decode(message.payload())?;
        let peer = message.signer().filter(|signer| *signer != self.public_key());
        let peer = peer.ok_or(InvitationError::Signer)?;
        self.check(now, &invitation, &peer)?;
        let keys = Keys::derive(&invitation, &self.identity.0, &peer, Role::Responder)
            .map_err(|_| InvitationError::Malformed)?;
        let mut session = Session::new(now, &invitation, keys, peer, Role::Responder);
        session.state.accepted = self.contacts.contains(&peer);
        let mut change = Change::new(peer);
        change.seen = Some((session.facts.id, session.facts.ends_at));
        if session.state.visible {
            let text = invitation.text.into_bytes();
            let text = session.message(None, invitation.created_at, text);
            match session.state.accepted {
                true => {
                    change.tell(session.established());
                    change.tell(text);
                }
                false => {
                    change.tell(session.invited());
                    session.state.withheld.push(text);
                }
            }
        }
        self.evict(session, &mut change);
        Ok(self.step(change))
    }

    /// Takes whatever an envelope holds: a message of a session, or an invitation for this identity.
    /// Nothing, if it is not for us.
    ///
    /// For programs without an [`Inbox`](crate::inbox::Inbox), which tries each key once for all that
    /// wants it.
    pub fn take_in(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        rng: &mut impl CryptoRng,
    ) -> Vec<SessionOutput> {
        if let Ok(outputs) = self.open(now, envelope, rng) {
            return outputs;
        }
        let message = Message::open_as(envelope.data(), &self.identity.0).ok();
        let invitation = message.filter(|message| is_invitation(message.payload()));
        let received = invitation.and_then(|message| self.receive(now, &message).ok());
        received.unwrap_or_default()
    }

    /// Opens an envelope as a session message.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has changed. An envelope that is not ours, or may be tried
    /// again, is worth keeping for [`SessionOutput::LookBack`] until it expires, if
    /// [`is_class_length`](super::is_class_length).
    pub fn open(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, OpenError> {
        let (candidate, session, message) = self.find(now, envelope).ok_or(OpenError::NotOurs)?;
        if self.is_busy(&session.facts.peer) {
            return Err(OpenError::Busy);
        }
        let payload = carrier::payload(&message).ok_or(OpenError::Malformed)?;
        let body = Body::decode(payload).ok_or(OpenError::Malformed)?;
        if !session.state.receiving.is_new(body.sequence) {
            return Err(OpenError::Duplicate);
        }
        let before = session.clone();
        let mut session = before.clone();
        let Candidate { epoch, index, .. } = candidate;
        session.state.receiving.note(now, body.sequence, epoch, index);
        session.state.active = now;
        session.state.confirmed = true;
        session.state.visible = true;
        let change = self.take(now, &before, session, body, rng)?;
        Ok(self.step(change))
    }

    /// Accepts the invitations of `peer`, who becomes a contact, and shows what was withheld.
    ///
    /// # Errors
    /// [`SessionError::NotInvited`] if there is nothing to accept.
    pub fn accept(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        self.check_invited(peer)?;
        let change = self.admit(now, *peer, rng);
        Ok(self.step(change))
    }

    /// Drops the invitations of `peer`. Nobody is told.
    ///
    /// # Errors
    /// [`SessionError::NotInvited`] if there is nothing to refuse.
    pub fn refuse(&mut self, peer: &PublicKey) -> Result<Vec<SessionOutput>, SessionError> {
        self.check_invited(peer)?;
        let mut change = Change::new(*peer);
        let pending = self.with(peer).filter(|session| session.is_pending());
        change.gone.extend(pending.map(|session| session.facts.id));
        Ok(self.step(change))
    }

    /// Makes `peer` a contact: its invitations are accepted, those that wait and those that come.
    ///
    /// # Errors
    /// [`SessionError::Busy`] if an earlier step is not stored yet.
    pub fn add_contact(
        &mut self,
        now: Timestamp,
        peer: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        self.check_free(&peer)?;
        let change = self.admit(now, peer, rng);
        Ok(self.step(change))
    }

    /// Makes `peer` a contact no more. Its sessions go on.
    ///
    /// # Errors
    /// [`SessionError::Busy`] if an earlier step is not stored yet.
    pub fn remove_contact(&mut self, peer: &PublicKey) -> Result<Vec<SessionOutput>, SessionError> {
        self.check_free(peer)?;
        let change = Change { contact: Some(false), ..Change::new(*peer) };
        Ok(self.step(change))
    }

    /// Accepts all that waits of a peer.
    pub(super) fn admit(
        &self,
        now: Timestamp,
        peer: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Change {
        let mut change = Change { contact: Some(true), ..Change::new(peer) };
        for session in self.with(&peer).filter(|session| session.is_pending()) {
            let mut session = session.clone();
            session.state.accepted = true;
            session.start_ack(now, rng);
            if session.state.visible {
                change.tell(session.established());
            }
            let withheld = core::mem::take(&mut session.state.withheld);
            withheld.into_iter().for_each(|event| change.tell(event));
            change.put.push(session);
        }
        change
    }

    fn check_invited(&self, peer: &PublicKey) -> Result<(), SessionError> {
        self.check_free(peer)?;
        let invited = |session: &Session| session.is_pending() && session.state.visible;
        let invited = self.with(peer).any(invited);
        if invited { Ok(()) } else { Err(SessionError::NotInvited) }
    }

    /// The rules for an invitation beyond its format. Tokens are taken last, so that what is
    /// refused anyway costs none.
    fn check(
        &mut self,
        now: Timestamp,
        invitation: &Invitation,
        peer: &PublicKey,
    ) -> Result<(), InvitationError> {
        let created_at = Timestamp::from_secs(invitation.created_at.into());
        let ends_at = created_at.saturating_add(Duration::from_secs(invitation.lifetime.into()));
        if created_at > now.saturating_add(MAX_AHEAD) || now >= ends_at {
            return Err(InvitationError::OutOfTime);
        }
        let id = &invitation.id;
        if self.seen.contains_key(id) || self.live.contains_key(id) {
            return Err(InvitationError::Replayed);
        }
        if self.is_busy(peer) {
            return Err(InvitationError::Busy);
        }
        let stranger = !self.contacts.contains(peer);
        let pending = || self.live.values().filter(|session| session.is_pending()).count();
        // Forgetting an invitation would let it come again: rather none comes, strangers' first.
        let full = self.live.len() >= MAX_SESSIONS
            || self.seen.len() >= MAX_SEEN
            || stranger && (self.seen.len() >= MAX_SEEN / 2 || pending() >= MAX_PENDING);
        if full || !self.budget.take(now, stranger) {
            return Err(InvitationError::TooMany);
        }
        Ok(())
    }

    /// The session that an envelope opens in.
    fn find(&self, now: Timestamp, envelope: &Envelope) -> Option<(Candidate, &Session, Message)> {
        if !carrier::is_class_length(envelope.data().len()) {
            return None;
        }
        self.watch.candidates(envelope.topic()).find_map(|candidate| {
            let session = self.live.get(&candidate.session)?;
            if session.over(now).is_some() {
                return None;
            }
            let message = carrier::open(envelope.data(), &session.keys.receiving.key).ok()?;
            Some((candidate, session, message))
        })
    }

    /// What a message does, once it is known to be the peer's and new.
    fn take(
        &self,
        now: Timestamp,
        before: &Session,
        mut session: Session,
        body: Body,
        rng: &mut impl CryptoRng,
    ) -> Result<Change, OpenError> {
        let mut change = Change::new(session.facts.peer);
        let first = if before.facts.role == Role::Initiator {
            !before.state.confirmed
        } else {
            !before.state.visible
        };
        if first {
            change.tell(match session.state.accepted {
                true => session.established(),
                false => session.invited(),
            });
        }
        let sent_at = Timestamp::from_secs(body.sent_at.into());
        let skew = now.saturating_since(sent_at).max(sent_at.saturating_since(now));
        match body.content.filter(|_| skew <= MAX_SKEW) {
            Some(Content::App(data)) => {
                let event = session.message(Some(body.sequence), body.sent_at, data);
                session.owe(now, body.sequence, rng);
                if session.state.accepted {
                    change.tell(event);
                } else {
                    session.state.withheld.push(event);
                    if session.withheld_bytes() > MAX_WITHHELD
                        || session.state.withheld.len() > MAX_WITHHELD_EVENTS
                    {
                        return Err(OpenError::Withheld);
                    }
                }
            }
            Some(Content::Ack(sequences)) => {
                let (session, peer) = (session.facts.id, session.facts.peer);
                change.tell(SessionEvent::Acknowledged { session, peer, sequences });
            }
            Some(Content::Close) => {
                return Ok(self.closed(sent_at, session, change));
            }
            Some(Content::Cover) => (),
            None => {
                let (session, peer) = (session.facts.id, session.facts.peer);
                change.tell(SessionEvent::Malformed { session, peer });
            }
        }
        self.evict(session, &mut change);
        Ok(change)
    }

    /// Ends what the peer has closed: all that was made before it said so.
    fn closed(&self, sent_at: Timestamp, session: Session, mut change: Change) -> Change {
        let ends = |session: &Session| session.facts.created_at <= sent_at;
        let id = session.facts.id;
        let others = self.with(&session.facts.peer).filter(|other| other.facts.id != id);
        for other in others.filter(|other| ends(other)) {
            change.end(other, Ended::ClosedByPeer);
        }
        match ends(&session) {
            true => change.end(&session, Ended::ClosedByPeer),
            false => change.put.push(session),
        }
        change
    }

    /// Puts a session in. Of those that the peer began, the oldest goes when they are too many;
    /// one that is visible never for one that is not.
    fn evict(&self, session: Session, change: &mut Change) {
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

/// Sessions with one peer that it began; as many that are still invisible.
const MAX_ACCEPTED: usize = 8;
/// Sessions that wait for the user.
const MAX_PENDING: usize = 256;
/// Invitations that are remembered: 24 bytes each.
const MAX_SEEN: usize = 65_536;
/// What is kept from the user per session: one message of the largest class.
const MAX_WITHHELD: usize = MAX_DATA;
const MAX_WITHHELD_EVENTS: usize = 64;
/// How far ahead of ours the clock of who invites may be.
const MAX_AHEAD: Duration = Duration::from_secs(600);
/// How far a message's own time may be off.
const MAX_SKEW: Duration = Duration::from_secs(30 * 86_400);
