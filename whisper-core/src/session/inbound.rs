//! What comes in: invitations, messages, and the user's answer to strangers.

use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use super::account::Times;
use super::book::Full;
use super::carrier;
use super::channel::Channel;
use super::channel::Content;
use super::channel::Opened;
use super::contract::Role;
use super::contract::SessionId;
use super::contract::SessionOutput;
use super::engine::MAX_SESSIONS;
use super::engine::Sessions;
use super::error::InvitationError;
use super::error::OpenError;
use super::error::SessionError;
use super::event::SessionEvent;
use super::hours::epoch;
use super::live::Facts;
use super::live::Session;
use super::live::Words;
use super::seed;
use super::seed::Invitation;
use super::seed::is_invitation;
use super::signs::Fork;
use super::steps::Change;
use crate::envelope::Envelope;
use crate::identity::PublicKey;
use crate::message::Message;
use crate::pow::Rating;
use crate::time::Timestamp;
use crate::topic::Topic;

impl Sessions {
    /// Takes an invitation: a message for this identity whose payload
    /// [`is_invitation`](super::is_invitation), in an envelope of this rating.
    ///
    /// # Errors
    /// [`InvitationError`]; then nothing has changed, and the sender learns nothing.
    pub fn receive(
        &mut self,
        now: Timestamp,
        message: &Message,
        rating: Rating,
    ) -> Result<Vec<SessionOutput>, InvitationError> {
        let invitation = Invitation::decode(message.payload())?;
        let peer = message.signer().filter(|signer| *signer != self.public_key());
        let peer = peer.ok_or(InvitationError::Signer)?;
        let facts = Facts {
            id: invitation.session(),
            peer,
            role: Role::Responder,
            created_at: invitation.created_at(),
            ends_at: invitation.ends_at(),
            arrived_at: now,
            rating,
        };
        let mut change = self.check(now, &facts)?;
        let channel = seed::Channel::new(&invitation, &self.identity, &peer, Role::Responder)
            .map_err(|_| InvitationError::Malformed)?;
        let (name, order) = channel.text();
        let mut session = Session::new(facts, Channel::Seed(channel), !invitation.bound);
        session.state.accepted = self.account.contacts.contains(&peer);
        if session.state.visible {
            let data = invitation.text.into_bytes();
            let sent_at = facts.created_at;
            let text = Words { name, order, missing: 0, sent_at, data };
            match session.state.accepted {
                true => {
                    change.report(session.established());
                    change.report(session.message(text));
                }
                false => {
                    change.report(session.invited());
                    session.state.withheld.push(text);
                }
            }
        }
        if session.is_pending() {
            self.live
                .give_way(&session, &self.steps, &mut change)
                .map_err(|Full| InvitationError::TooMany)?;
        }
        self.live.evict(session, &mut change);
        Ok(self.step(change))
    }

    /// When an invitation of a stranger is looked at again, as of `now`: until then all of them are
    /// [`Crowded`](InvitationError::Crowded).
    pub fn strangers_at(&self, now: Timestamp) -> Timestamp {
        self.account.settings.budget.strangers_at(now)
    }

    /// Takes whatever an envelope holds: a message of a session, or an invitation for this identity.
    /// Nothing, if it is not for us; an invitation that is refused for now is lost.
    ///
    /// For programs without an [`Inbox`](crate::inbox::Inbox), which tries each key once for all that wants
    /// it.
    pub fn take_in(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        rng: &mut impl CryptoRng,
    ) -> Vec<SessionOutput> {
        if let Ok(outputs) = self.open(now, envelope, rng) {
            return outputs;
        }
        let message = Message::open_as(envelope.data(), &self.identity).ok();
        let invitation = message.filter(|message| is_invitation(message.payload()));
        let received =
            invitation.and_then(|message| self.receive(now, &message, envelope.rating()).ok());
        received.unwrap_or_default()
    }

    /// Opens an envelope as a session message.
    ///
    /// # Errors
    /// [`OpenError`]; then nothing has changed. An envelope whose error
    /// [is temporary](OpenError::is_temporary) is worth keeping for [`SessionOutput::LookBack`]
    /// until it expires, if [`is_class_length`](super::is_class_length).
    pub fn open(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, OpenError> {
        if !carrier::is_class_length(envelope.data().len()) {
            return Err(OpenError::NotOurs);
        }
        self.watch.turn(epoch(now), &self.live);
        let (id, opened) = self.find(now, envelope)?;
        let before = self.live.get(&id).ok_or(OpenError::NotOurs)?;
        let peer = before.facts.peer;
        if let Some(step) = self.steps.with(&peer) {
            step.refused.insert(envelope.topic());
            return Err(OpenError::Busy);
        }
        let before = self.live.get(&id).ok_or(OpenError::NotOurs)?;
        let change = self.take(now, before, opened, rng)?;
        Ok(self.step(change))
    }

    /// Whether something of a session may come under this topic.
    pub fn awaits(&self, topic: Topic) -> bool {
        self.watch.candidates(topic).next().is_some()
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
        self.steps.check_free(peer)?;
        self.live.check_invited(peer)?;
        let change = self.live.admit(now, *peer, rng);
        Ok(self.step(change))
    }

    /// Drops the invitations of `peer`, who learns nothing of it.
    ///
    /// # Errors
    /// [`SessionError::NotInvited`] if there is nothing to refuse.
    pub fn refuse(&mut self, peer: &PublicKey) -> Result<Vec<SessionOutput>, SessionError> {
        self.steps.check_free(peer)?;
        self.live.check_invited(peer)?;
        let mut change = Change::new(*peer);
        let pending = self.live.with(peer).filter(|session| session.is_pending());
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
        self.steps.check_free(&peer)?;
        let change = self.live.admit(now, peer, rng);
        Ok(self.step(change))
    }

    /// Makes `peer` a contact no more. Its sessions go on.
    ///
    /// # Errors
    /// [`SessionError::Busy`] if an earlier step is not stored yet.
    pub fn remove_contact(&mut self, peer: &PublicKey) -> Result<Vec<SessionOutput>, SessionError> {
        self.steps.check_free(peer)?;
        let change = Change { contact: Some((*peer, false)), ..Change::new(*peer) };
        Ok(self.step(change))
    }

    /// The rules for an invitation beyond its format, and what taking it up changes of the account.
    /// Tokens are taken last, so that what is refused anyway costs none.
    fn check(&self, now: Timestamp, facts: &Facts) -> Result<Change, InvitationError> {
        let Facts { id, peer, created_at, ends_at, .. } = *facts;
        let mut settings = self.account.settings;
        let early = created_at < settings.refused_before;
        if created_at > now.saturating_add(MAX_AHEAD) || now >= ends_at || early {
            return Err(InvitationError::OutOfTime);
        }
        if self.account.seen.contains(&id) || self.live.contains_key(&id) {
            return Err(InvitationError::Replayed);
        }
        if self.steps.is_busy(&peer) || self.steps.are_settings_busy() {
            return Err(InvitationError::Busy);
        }
        if self.live.len() >= MAX_SESSIONS {
            return Err(InvitationError::TooMany);
        }
        let stranger = !self.account.contacts.contains(&peer);
        let budget = settings.budget.after_one(now, stranger);
        settings.budget = budget.ok_or(InvitationError::Crowded)?;
        let mut change = Change::new(peer);
        if let Some((oldest, surplus)) = self.account.seen.surplus() {
            // One that is forgotten could come again: none so old is taken any more.
            settings.refused_before = oldest.saturating_add(Duration::from_secs(1));
            change.forgotten.push(surplus);
        }
        change.settings = Some(settings);
        change.seen.push((id, Times { created_at, until: ends_at }));
        Ok(change)
    }

    /// The session that an envelope opens in, and what is in it.
    fn find(&self, now: Timestamp, envelope: &Envelope) -> Result<(SessionId, Opened), OpenError> {
        for ((id, _), place) in self.watch.candidates(envelope.topic()) {
            let session = self.live.get(&id).filter(|session| session.over(now).is_none());
            match session.map(|session| session.channel.open(place, envelope.data())) {
                None | Some(Err(OpenError::NotOurs)) => (),
                Some(opened) => return opened.map(|opened| (id, opened)),
            }
        }
        Err(OpenError::NotOurs)
    }

    /// What a message does, once it is known to be the peer's and new.
    fn take(
        &self,
        now: Timestamp,
        before: &Session,
        opened: Opened,
        rng: &mut impl CryptoRng,
    ) -> Result<Change, OpenError> {
        let mut session = before.clone();
        if opened.fork == Some(Fork::Peer) {
            return forked(now, session);
        }
        session.channel = opened.channel;
        session.heard(now);
        let mut change = Change::new(session.facts.peer);
        let first = match before.facts.role {
            Role::Initiator => !before.state.confirmed,
            Role::Responder => !before.state.visible,
        };
        if first {
            change.report(match session.state.accepted {
                true => session.established(),
                false => session.invited(),
            });
        }
        let Opened { name, order, missing, sent_at, .. } = opened;
        let (id, peer) = (session.facts.id, session.facts.peer);
        if let Some(fork) = opened.fork.filter(|_| session.state.accepted)
            && session.state.signs.tells(now, fork)
        {
            change.report(SessionEvent::Suspect { session: id, peer });
        }
        let skew = now.saturating_since(sent_at).max(sent_at.saturating_since(now));
        match opened.content.filter(|_| skew <= MAX_SKEW) {
            Some(Content::App(data)) => {
                let words = Words { name, order, missing, sent_at, data };
                session.owe(now, name, rng);
                match session.state.accepted {
                    true => change.report(session.message(words)),
                    false => {
                        session.state.withheld.push(words);
                        self.live
                            .give_way(&session, &self.steps, &mut change)
                            .map_err(|Full| OpenError::Withheld)?;
                    }
                }
            }
            Some(Content::Close) => return Ok(self.live.closed(sent_at, &session, change)),
            // The peer that invites without a word learns that it was heard.
            Some(Content::Cover) => session.start_ack(now, rng),
            // Of a session that is not accepted nothing but the invitation and its end is reported.
            Some(Content::Ack(_)) | None if session.is_pending() => (),
            Some(Content::Ack(names)) if names.is_empty() => (),
            Some(Content::Ack(names)) => {
                change.report(SessionEvent::Acknowledged { session: id, peer, names });
            }
            None => change.report(SessionEvent::Malformed { session: id, peer }),
        }
        self.live.evict(session, &mut change);
        Ok(change)
    }
}

/// Tells that two send as this peer. The copy is dropped, and the session stays as it is.
fn forked(now: Timestamp, mut session: Session) -> Result<Change, OpenError> {
    if !session.state.accepted || !session.state.signs.tells(now, Fork::Peer) {
        return Err(OpenError::Duplicate);
    }
    let Facts { id, peer, .. } = session.facts;
    let mut change = Change::new(peer);
    change.report(SessionEvent::PeerForked { session: id, peer });
    change.put.push(session);
    Ok(change)
}

/// How far ahead of ours the clock of an inviter may be.
pub(super) const MAX_AHEAD: Duration = Duration::from_secs(600);
/// How far a message's own time may be off.
const MAX_SKEW: Duration = Duration::from_secs(30 * 86_400);
