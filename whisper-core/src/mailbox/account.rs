//! The sessions of one identity, and what is still to be offered to them.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use crate::envelope::Envelope;
use crate::inbox::FilterId;
use crate::message::Message;
use crate::pow::Rating;
use crate::session;
use crate::session::InvitationError;
use crate::session::OpenError;
use crate::session::SessionError;
use crate::session::SessionOutput;
use crate::session::Sessions;
use crate::time::Timestamp;
use crate::topic::Topic;

use super::contract::Arrival;
use super::contract::Step;
use super::crowd::Crowd;

/// An identity that holds conversations.
#[derive(Debug)]
pub(super) struct Account {
    /// Finds its invitations.
    pub(super) filter: FilterId,
    pub(super) sessions: Sessions,
    /// Hours that are watched no more, of which envelopes wait.
    pub(super) late: BTreeSet<u64>,
    /// Whether its host takes no events for now.
    pub(super) paused: bool,
    /// Whether an invitation waits for an earlier step to be stored.
    pub(super) blocked: bool,
    /// Invitations that there was no time for.
    pub(super) crowd: Crowd,
}

/// What became of an envelope or an invitation that an account was tried on.
pub(super) enum Tried {
    /// It is used up. What follows from it is to be carried out.
    Taken(Vec<SessionOutput>),
    /// It is to be offered again.
    Later,
    /// It is to be offered again when there is time for the invitations of strangers.
    Crowded,
    /// It is for somebody else, or for a session that is not known yet.
    NotOurs,
}

impl Account {
    pub(super) const fn new(filter: FilterId, sessions: Sessions) -> Self {
        Self {
            filter,
            sessions,
            late: BTreeSet::new(),
            paused: false,
            blocked: false,
            crowd: Crowd::new(),
        }
    }

    /// Whether nothing may be opened for it now.
    pub(super) const fn is_held(&self) -> bool {
        self.paused || self.blocked
    }

    /// Takes an invitation. One that is refused is dropped without a word, so that its sender learns
    /// nothing.
    pub(super) fn receive(&mut self, now: Timestamp, message: &Message, rating: Rating) -> Tried {
        if self.is_held() {
            return Tried::Later;
        }
        match self.sessions.receive(now, message, rating) {
            Ok(step) => Tried::Taken(step),
            Err(InvitationError::Busy) => {
                self.blocked = true;
                Tried::Later
            }
            Err(InvitationError::Crowded) => Tried::Crowded,
            Err(_) => Tried::Taken(Vec::new()),
        }
    }

    /// Tries an envelope.
    pub(super) fn open(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
        rng: &mut impl CryptoRng,
    ) -> Tried {
        if self.is_held() {
            return if self.sessions.awaits(envelope.topic()) {
                Tried::Later
            } else {
                Tried::NotOurs
            };
        }
        match self.sessions.open(now, envelope, rng) {
            Ok(step) => Tried::Taken(step),
            Err(OpenError::Duplicate | OpenError::Malformed) => Tried::Taken(Vec::new()),
            // A busy session asks for what it refused by looking back.
            Err(OpenError::NotOurs | OpenError::Withheld | OpenError::Busy) => Tried::NotOurs,
        }
    }

    /// Carries out what the application asks for.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        step: Step,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<SessionOutput>, SessionError> {
        let sessions = &mut self.sessions;
        match step {
            Step::Invite { peer, options, text } => {
                let text = Some(text.as_str()).filter(|text| !text.is_empty());
                sessions.invite(now, peer, options, text, rng)
            }
            Step::Send { peer, data } => sessions.send(now, &peer, &data, rng),
            Step::Accept(peer) => sessions.accept(now, &peer, rng),
            Step::Refuse(peer) => sessions.refuse(&peer),
            Step::Close(peer) => sessions.close(now, &peer, rng),
            Step::AddContact(peer) => sessions.add_contact(now, peer, rng),
            Step::RemoveContact(peer) => sessions.remove_contact(&peer),
            Step::SealAgain(outgoing) => sessions.seal_again(now, outgoing, rng),
            Step::SetTtl(ttl) => sessions.set_ttl(ttl),
        }
    }

    /// Takes out the best rated of the invitations that there was no time for, if there is time now.
    pub(super) fn next_crowded(&mut self, now: Timestamp) -> Option<Arrival> {
        if self.is_held() || self.sessions.strangers_at(now) > now {
            return None;
        }
        self.crowd.pop(now)
    }

    /// Watches one of the late hours of which envelopes wait, and gives its topics. Sessions look at
    /// an hour once a minute: one that was looked at within the last minute stays noted.
    pub(super) fn look_late(&mut self, now: Timestamp) -> Vec<Topic> {
        let is_late =
            |hour: &u64| session::late_epochs(now, hour.saturating_mul(3_600)).next().is_some();
        self.late.retain(is_late);
        let due = |hour: &&u64| self.sessions.late_at(now, **hour) <= now;
        let Some(hour) = self.late.iter().find(due).copied() else { return Vec::new() };
        self.late.remove(&hour);
        self.sessions.look_late(now, hour)
    }

    /// When there is something to do that nothing else brings about: an hour to look at, or an
    /// invitation that there is time for.
    pub(super) fn resumes_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_held() {
            return None;
        }
        let late = self.late.iter().map(|hour| self.sessions.late_at(now, *hour));
        let crowd = (!self.crowd.is_empty()).then(|| self.sessions.strangers_at(now));
        late.chain(crowd).min()
    }
}
