//! What we send: invitations, messages, the end.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::crypto::Secret;
use crate::identity::PublicKey;
use crate::message;
use crate::message::Padding;
use crate::message::Recipient;
use crate::time::Timestamp;
use crate::topic::Topic;

use super::seed::body::Content;
use super::contract::Ended;
use super::contract::InviteOptions;
use super::contract::Outgoing;
use super::contract::Role;
use super::contract::SessionError;
use super::contract::SessionId;
use super::contract::SessionOutput;
use super::engine::Change;
use super::engine::MAX_SESSIONS;
use super::engine::Sessions;
use super::seed::invitation::Invitation;
use super::seed::invitation::MAX_LIFETIME;
use super::seed::invitation::MAX_TEXT;
use super::seed::invitation::MIN_LIFETIME;
use super::seed::keys::Keys;
use super::seed::Session;
use super::seed::jitter;

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
        self.check_free(&peer)?;
        if self.live.len() >= MAX_SESSIONS {
            return Err(SessionError::TooMany { max: MAX_SESSIONS });
        }
        let invitation = draw(now, options, text, rng)?;
        let keys = Keys::derive(&invitation, &self.identity.0, &peer, Role::Initiator)
            .map_err(|_| SessionError::Entropy)?;
        let mut session = Session::new(now, &invitation, keys, peer, Role::Initiator);
        let mut change = self.admit(now, peer, rng);
        let invitation = self.carry(&invitation, peer, rng)?;
        change.outputs.push(SessionOutput::Transmit(invitation));
        if options.bind {
            let first = text.filter(|text| !text.is_empty());
            let first = first.map_or(Content::Cover, |text| Content::App(text.into()));
            let first = session.seal(now, self.ttl, &first, rng)?;
            change.outputs.push(SessionOutput::Transmit(first));
        }
        self.make_room(now, &peer, &mut change);
        change.put.push(session);
        Ok(self.step(change))
    }

    /// Says something to `peer`, on the newest session that it is known to read; while there is
    /// none, on our own newest.
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
        self.check_free(peer)?;
        let mut session = self.sendable(now, peer).ok_or(SessionError::NoSession)?.clone();
        let outgoing = session.seal(now, self.ttl, &Content::App(data.into()), rng)?;
        let mut change = Change::new(*peer);
        change.put.push(session);
        change.outputs.push(SessionOutput::Transmit(outgoing));
        Ok(self.step(change))
    }

    /// Ends all sessions with `peer` and says so, twice and as well as it goes. Nobody answers.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has changed.
    pub fn close(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        self.check_free(peer)?;
        if self.with(peer).next().is_none() {
            return Err(SessionError::NoSession);
        }
        let mut change = Change::new(*peer);
        if let Some(mut session) = self.sendable(now, peer).cloned() {
            for _ in 0..2 {
                let sealed = session.seal(now, self.ttl, &Content::Close, rng);
                change.outputs.extend(sealed.ok().map(SessionOutput::Transmit));
            }
        }
        for session in self.with(peer) {
            change.end(session, Ended::Closed);
        }
        Ok(self.step(change))
    }

    /// Refuses to work on what another step is about to replace.
    pub(super) fn check_free(&self, peer: &PublicKey) -> Result<(), SessionError> {
        if self.is_busy(peer) { Err(SessionError::Busy) } else { Ok(()) }
    }

    /// The envelope of an invitation.
    fn carry(
        &self,
        invitation: &Invitation,
        peer: PublicKey,
        rng: &mut impl CryptoRng,
    ) -> Result<Outgoing, SessionError> {
        let signer = Some(&*self.identity.0);
        let recipient = Recipient::PublicKey(peer);
        let data = message::encrypt(&invitation.encode(), Padding::Aligned, signer, recipient, rng)
            .map_err(|_| SessionError::TooLarge { max: MAX_TEXT })?;
        Ok(Outgoing {
            session: invitation.id,
            peer,
            sequence: None,
            topic: Topic::random(rng),
            ttl: self.ttl.as_duration(),
            jitter: jitter(rng),
            data,
        })
    }

    /// Lets the oldest of our own sessions with a peer go, if there are as many as may be.
    fn make_room(&self, now: Timestamp, peer: &PublicKey, change: &mut Change) {
        let current = self.current(now, peer).map(|session| session.facts.id);
        let own = || self.with(peer).filter(|session| session.facts.role == Role::Initiator);
        if own().count() >= MAX_INITIATED {
            let spare = own().filter(|session| Some(session.facts.id) != current);
            if let Some(oldest) = spare.min_by_key(|session| session.rank()) {
                change.end(oldest, Ended::Evicted);
            }
        }
    }
}

/// A fresh invitation.
fn draw(
    now: Timestamp,
    options: InviteOptions,
    text: Option<&str>,
    rng: &mut impl CryptoRng,
) -> Result<Invitation, SessionError> {
    let lifetime = u32::try_from(options.lifetime.as_secs()).map_err(|_| SessionError::Lifetime)?;
    if !(MIN_LIFETIME..=MAX_LIFETIME).contains(&lifetime) {
        return Err(SessionError::Lifetime);
    }
    let text = text.filter(|_| !options.bind).unwrap_or_default();
    if text.len() > MAX_TEXT {
        return Err(SessionError::TooLarge { max: MAX_TEXT });
    }
    let mut id = [0; 16];
    rng.fill_bytes(&mut id);
    let [forth, back] = [(); 2].map(|()| Secret::generate(rng));
    // What repeats itself is not random; the peer would refuse it.
    if forth == back {
        return Err(SessionError::Entropy);
    }
    Ok(Invitation {
        id: SessionId(id),
        bound: options.bind,
        fixed_topic: options.fixed_topic,
        created_at: u32::try_from(now.as_secs()).unwrap_or(u32::MAX),
        lifetime,
        forth,
        back,
        text: text.into(),
    })
}

/// Sessions with one peer that we began.
const MAX_INITIATED: usize = 32;
