//! How a dialogue ends, and what the user says to strangers.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::SessionId;
use super::super::event::Ended;
use super::contract::Carrier;
use super::contract::Content;
use super::contract::DialogueError;
use super::contract::Heard;
use super::engine::Dialogue;
use super::engine::Step;
use super::event::DialogueEvent;
use super::event::Lost;
use super::roster::CLOSING;
use super::roster::Stage;
use crate::time::Timestamp;

impl Dialogue {
    /// Makes the peer a contact, or takes its new key for its own: what waits for that is shown, and
    /// what waited to be sent goes.
    ///
    /// # Errors
    /// [`DialogueError`]; then go on with the copy from before.
    pub fn accept(
        &mut self,
        now: Timestamp,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        let pending = self.roster.entries().any(|entry| entry.stage == Stage::Pending);
        if !pending && !self.trust.changed && self.trust.accepted {
            return Err(DialogueError::NothingToAccept);
        }
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        self.trust.changed = false;
        self.admit(&mut step);
        self.settle(&mut step)?;
        Ok(step.events)
    }

    /// Drops the invitations of the peer that wait. The peer learns nothing of it; a text that it
    /// sends again in another invitation is a new one.
    pub fn refuse(&mut self, carrier: &mut impl Carrier) {
        let pending = self.roster.entries().filter(|entry| entry.stage == Stage::Pending);
        let pending: Vec<_> = pending.map(|entry| entry.session).collect();
        for session in pending {
            self.roster.remove(session);
            carrier.wipe(session);
        }
    }

    /// Makes the peer a contact no more. Its sessions go on.
    pub const fn forget_contact(&mut self) {
        self.trust.accepted = false;
    }

    /// Ends all sessions with the peer, and says so twice on the current one. What was not
    /// acknowledged does not go again.
    ///
    /// # Errors
    /// [`DialogueError::Entropy`]; then go on with the copy from before.
    pub fn close(
        &mut self,
        now: Timestamp,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        if let Some(current) = self.roster.current() {
            for _ in 0..2 {
                // The session ends in any case.
                _ = self.seal(&mut step, current, &Content::Close);
            }
        }
        self.end_all(&mut step, Ended::Closed);
        Ok(step.events)
    }

    /// Wipes all at once, without a message. It needs no randomness, so that nothing can prevent it.
    pub fn burn(&mut self, carrier: &mut impl Carrier) -> Vec<DialogueEvent> {
        let mut events = Vec::new();
        for entry in self.roster.take_all() {
            carrier.wipe(entry.session);
            events.push(DialogueEvent::Ended(entry.session, Ended::Closed));
        }
        self.fall_silent(&mut events);
        *self = Self { trust: self.trust, names: core::mem::take(&mut self.names), ..Self::new() };
        events
    }

    /// What the peer has closed: the session that it said so on, and all that were begun before.
    pub(super) fn closed<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        came_on: SessionId,
        heard: &Heard,
    ) {
        self.names.note(step.now, heard.name);
        // It came on a session that was there, whatever the clocks say.
        let ends = self
            .roster
            .entries()
            .filter(|entry| entry.session == came_on || entry.created_at <= heard.sent_at);
        let ends: Vec<_> = ends.map(|entry| (entry.session, entry.stage)).collect();
        for (session, stage) in ends {
            if session != came_on {
                self.roster.remove(session);
                step.carrier.wipe(session);
                step.report(DialogueEvent::Ended(session, Ended::ClosedByPeer));
            } else if stage != Stage::Closing {
                step.carrier.retire(session, heard.place);
                if let Some(entry) = self.roster.get_mut(session) {
                    entry.stage = Stage::Closing;
                    entry.ends_at = Some(step.now.saturating_add(CLOSING));
                }
            } else {
                // The second of the two envelopes.
                return;
            }
        }
        step.report(DialogueEvent::Closed);
        self.fall_silent(&mut step.events);
    }

    fn end_all<C: Carrier, R: CryptoRng>(&mut self, step: &mut Step<'_, C, R>, why: Ended) {
        for entry in self.roster.take_all() {
            step.carrier.wipe(entry.session);
            step.report(DialogueEvent::Ended(entry.session, why));
        }
        self.home = None;
        self.fall_silent(&mut step.events);
    }

    /// Gives up all that would make the dialogue speak by itself.
    fn fall_silent(&mut self, events: &mut Vec<DialogueEvent>) {
        let lost = self.outbox.clear();
        if !lost.is_empty() {
            events.push(DialogueEvent::Lost(lost, Lost::Closed));
        }
        self.acks.clear();
        self.cards.clear();
        self.chunks.clear();
        self.obstacle = None;
        self.forget_greeting();
    }
}
