//! What we send: invitations, messages, the end.

use alloc::vec;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::channel::Channel;
use super::channel::Content;
use super::contract::Outgoing;
use super::contract::Role;
use super::contract::SessionKind;
use super::contract::SessionOutput;
use super::contract::SessionTtl;
use super::engine::MAX_SESSIONS;
use super::engine::Sessions;
use super::error::SessionError;
use super::event::Ended;
use super::live::Facts;
use super::live::Session;
use super::seed;
use super::seed::Invitation;
use super::seed::InviteOptions;
use super::steps::Change;
use crate::envelope::backdate;
use crate::identity::PublicKey;
use crate::message;
use crate::message::Padding;
use crate::message::Recipient;
use crate::pow::Rating;
use crate::time::Timestamp;
use crate::topic::Topic;

impl Sessions {
    /// Invites `peer`, who becomes a contact, and says `text`.
    ///
    /// A bound invitation carries no text, and stays invisible until a message opens: the text
    /// follows at once as the first message, or an empty one does.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has changed.
    pub fn invite(
        &mut self,
        now: Timestamp,
        peer: PublicKey,
        options: InviteOptions,
        text: Option<&str>,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        if peer == self.public_key() {
            return Err(SessionError::OwnKey);
        }
        self.steps.check_free(&peer)?;
        if self.live.len() >= MAX_SESSIONS {
            return Err(SessionError::TooMany { max: MAX_SESSIONS });
        }
        let mut change = self.live.admit(now, peer, rng);
        let mut session = self.begin(now, peer, options, text, &mut change, rng)?;
        if options.bind {
            let first = text.filter(|text| !text.is_empty());
            let first = first.map_or(Content::Cover, |text| Content::App(text.into()));
            self.say(now, &mut session, &first, &mut change, rng)?;
        }
        self.live.make_room(now, &peer, &mut change);
        change.put.push(session);
        Ok(self.step(change))
    }

    /// Invites the peer of a session anew, as that one was, with a first message: if the peer has lost
    /// it, it answers on the new one, and so does one that was only away.
    pub(super) fn begin_anew(
        &self,
        now: Timestamp,
        stale: &Session,
        first: &Content,
        change: &mut Change,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SessionError> {
        if self.live.len() >= MAX_SESSIONS {
            return Err(SessionError::TooMany { max: MAX_SESSIONS });
        }
        let SessionKind::Seed { bound: bind, fixed_topic } = stale.channel.kind();
        let options = InviteOptions { bind, fixed_topic, ..InviteOptions::default() };
        let peer = stale.facts.peer;
        let mut session = self.begin(now, peer, options, None, change, rng)?;
        self.say(now, &mut session, first, change, rng)?;
        self.live.make_room(now, &peer, change);
        change.put.push(session);
        Ok(())
    }

    /// A session that is new, and the invitation to it as a part of a step.
    fn begin(
        &self,
        now: Timestamp,
        peer: PublicKey,
        options: InviteOptions,
        text: Option<&str>,
        change: &mut Change,
        rng: &mut impl CryptoRng,
    ) -> Result<Session, SessionError> {
        let invitation = Invitation::draw(now, options, text, rng)?;
        let channel = seed::Channel::new(&invitation, &self.identity, &peer, Role::Initiator)
            .map_err(|_| SessionError::Entropy)?;
        let facts = Facts {
            id: invitation.session(),
            peer,
            role: Role::Initiator,
            created_at: invitation.created_at(),
            ends_at: invitation.ends_at(),
            arrived_at: now,
            rating: Rating::ZERO,
        };
        let invitation = self.carry(&invitation, peer, rng)?;
        change.outputs.push(SessionOutput::Transmit(invitation));
        Ok(Session::new(facts, Channel::Seed(channel), true))
    }

    /// Says something to `peer`, on the newest session that it is known to read; while there is
    /// none, on our own newest.
    ///
    /// Where that is the peer's and older than these sessions, an earlier start of this program may
    /// have written on it: what is numbered as something that came before is lost. Then it goes on our
    /// own newest, which is begun if there is none.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has changed.
    pub fn send(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
        data: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        self.steps.check_free(peer)?;
        let mut session = self.live.sendable(now, peer).ok_or(SessionError::NoSession)?;
        let mut change = Change::new(*peer);
        let content = Content::App(data.into());
        if self.account.may_have_used(&session.facts) {
            let Some(own) = self.live.own(now, peer) else {
                self.begin_anew(now, session, &content, &mut change, rng)?;
                return Ok(self.step(change));
            };
            session = own;
        }
        let mut session = session.clone();
        self.say(now, &mut session, &content, &mut change, rng)?;
        change.put.push(session);
        Ok(self.step(change))
    }

    /// Seals a message again that was not published in the hour of its topic
    /// ([`Outgoing::seal_again_at`]): the same message, which the peer shows once, under a topic of
    /// this hour. What needs none comes back as it is.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has changed. [`SessionError::NoSession`] if its session has
    /// ended: the message is lost.
    pub fn seal_again(
        &mut self,
        now: Timestamp,
        outgoing: Outgoing,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        if outgoing.seal_again_at.is_none_or(|at| now < at) {
            return Ok(vec![SessionOutput::Transmit(outgoing)]);
        }
        self.steps.check_free(&outgoing.peer)?;
        let mut session = self.live.get(&outgoing.session).ok_or(SessionError::NoSession)?.clone();
        let sealed = session.channel.seal_again(now, &outgoing.data, rng)?;
        let mut change = Change::new(outgoing.peer);
        let (again, event) =
            session.outgoing(sealed, outgoing.message, self.account.settings.ttl, rng);
        change.outputs.push(SessionOutput::Transmit(again));
        change.outputs.extend(event.map(SessionOutput::Event));
        change.put.push(session);
        Ok(self.step(change))
    }

    /// Ends all sessions with `peer`, and says so in two envelopes, if it can.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has changed.
    pub fn close(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        self.steps.check_free(peer)?;
        if self.live.with(peer).next().is_none() {
            return Err(SessionError::NoSession);
        }
        let mut change = Change::new(*peer);
        if let Some(mut session) = self.live.sendable(now, peer).cloned() {
            for _ in 0..2 {
                // The session ends in any case.
                _ = self.say(now, &mut session, &Content::Close, &mut change, rng);
            }
        }
        for session in self.live.with(peer) {
            change.end(session, Ended::Closed);
        }
        Ok(self.step(change))
    }

    /// Sets how long envelopes live. Change it seldom: it is the same for all, so that it tells
    /// nothing.
    ///
    /// # Errors
    /// [`SessionError::Busy`] if an earlier step is not stored yet.
    pub fn set_ttl(&mut self, ttl: SessionTtl) -> Result<Vec<SessionOutput>, SessionError> {
        if self.steps.are_settings_busy() {
            return Err(SessionError::Busy);
        }
        let mut settings = self.account.settings;
        settings.ttl = ttl;
        Ok(self.step(Change { settings: Some(settings), ..Change::default() }))
    }

    /// Seals something on a session, as a part of a step.
    pub(super) fn say(
        &self,
        now: Timestamp,
        session: &mut Session,
        content: &Content,
        change: &mut Change,
        rng: &mut impl CryptoRng,
    ) -> Result<(), SessionError> {
        let (outgoing, event) = session.seal(now, self.account.settings.ttl, content, rng)?;
        change.outputs.push(SessionOutput::Transmit(outgoing));
        change.outputs.extend(event.map(SessionOutput::Event));
        Ok(())
    }

    /// The envelope of an invitation.
    fn carry(
        &self,
        invitation: &Invitation,
        peer: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Outgoing, SessionError> {
        let signer = Some(&*self.identity);
        let recipient = Recipient::PublicKey(peer);
        let data = message::encrypt(&invitation.encode(), Padding::Aligned, signer, recipient, rng)
            .map_err(|_| SessionError::TooLarge { max: seed::MAX_TEXT })?;
        Ok(Outgoing {
            session: invitation.session(),
            peer,
            message: None,
            topic: Topic::random(rng),
            ttl: self.account.settings.ttl.as_duration(),
            jitter: backdate(self.account.settings.ttl.as_duration(), rng),
            data,
            seal_again_at: None,
        })
    }
}
