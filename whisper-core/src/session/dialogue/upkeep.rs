//! What time does to a dialogue.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::SessionId;
use super::contract::Carrier;
use super::contract::Content;
use super::contract::Deadlines;
use super::contract::DialogueError;
use super::contract::SealFailure;
use super::due::DAY;
use super::engine::Dialogue;
use super::engine::Step;
use super::event::DialogueEvent;
use super::event::Lost;
use super::event::Obstacle;
use super::roster::Stage;
use crate::time::Timestamp;

impl Dialogue {
    /// Does what is due. What cannot be undone, and what follows from a day without an answer, only
    /// if the clock can be trusted with that (`trusted`): if it has moved evenly for ten minutes, and
    /// the host has caught up with what came while the program was off.
    ///
    /// # Errors
    /// [`DialogueError::Entropy`]; then go on with the copy from before.
    pub fn tick(
        &mut self,
        now: Timestamp,
        trusted: bool,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        if trusted {
            self.expire(&mut step);
        }
        self.settle(&mut step)?;
        if trusted {
            self.repeat_oldest(&mut step)?;
        }
        self.greet_now(&mut step)?;
        if let Some(current) = self.roster.current().filter(|_| !self.is_held()) {
            if trusted && self.next_lost(current).is_some_and(|at| at <= now) {
                self.outbox.schedule(now, current, step.rng);
            }
            self.resend_due(&mut step, current)?;
            self.acknowledge(&mut step, current)?;
            self.send_card(&mut step, current)?;
        }
        Ok(step.events)
    }

    /// When to call [`Dialogue::tick`], if nothing else comes first. Call it also when the clock was
    /// set.
    pub fn deadlines(&self) -> Deadlines {
        let current = self.roster.current().filter(|_| !self.is_held());
        let on_session = current.map(|_| {
            let acks = self.acks.due().map(|due| due.at);
            let card = self.cards.due().map(|due| due.at);
            [acks, card, self.outbox.next_due()]
        });
        let hour = match self.obstacle {
            Some(Obstacle::Hour { until }) => Some(until),
            Some(Obstacle::Peer | Obstacle::Card { .. } | Obstacle::NewKey) | None => None,
        };
        let prompt = on_session.into_iter().flatten().chain([hour, self.next_greeting()]);
        let lost = current.and_then(|current| self.next_lost(current));
        let patient = [
            self.roster.next_end(),
            self.names.next_expiry(),
            self.outbox.next_expiry(),
            self.chunks.next_expiry(),
            self.next_repetition(),
            lost,
        ];
        Deadlines { prompt: prompt.flatten().min(), patient: patient.into_iter().flatten().min() }
    }

    /// When something is known to be lost on its way on the current session, if that is not stale by
    /// then: on a stale one the peer may read nothing at all.
    fn next_lost(&self, current: SessionId) -> Option<Timestamp> {
        let lost = self.outbox.next_lost(current)?;
        let entry = self.roster.get(current)?;
        (!entry.is_stale(lost)).then_some(lost)
    }

    /// Lets go of what is over.
    fn expire<C: Carrier, R: CryptoRng>(&mut self, step: &mut Step<'_, C, R>) {
        let now = step.now;
        for (entry, why) in self.roster.take_over(now) {
            step.carrier.wipe(entry.session);
            // That the peer has closed it was reported when it did.
            if entry.stage != Stage::Closing {
                step.report(DialogueEvent::Ended(entry.session, why));
            }
        }
        self.names.expire(now);
        self.chunks.expire(now);
        let lost = self.outbox.expire(now);
        if !lost.is_empty() {
            step.report(DialogueEvent::Lost(lost, Lost::Old));
        }
    }

    /// Sends again what its time has come for.
    fn resend_due<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        current: SessionId,
    ) -> Result<(), DialogueError> {
        while let Some(letter) = self.outbox.next_again(step.now) {
            let (name, again) = (letter.name, letter.again());
            self.resend(step, current, name, &again)?;
        }
        Ok(())
    }

    fn acknowledge<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        current: SessionId,
    ) -> Result<(), DialogueError> {
        while let Some(names) = self.acks.take(step.now) {
            let count = names.len();
            match self.seal(step, current, &Content::Ack(names)) {
                Ok(_) => self.acks.sent(count),
                Err(failure) => {
                    self.acks.put_off(step.now, retry(step.now, failure)?);
                    break;
                }
            }
        }
        Ok(())
    }

    fn send_card<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        current: SessionId,
    ) -> Result<(), DialogueError> {
        if self.cards.is_due(step.now) {
            match self.seal(step, current, &Content::Card) {
                Ok(name) => self.cards.sent(step.now, name),
                Err(failure) => self.cards.put_off(step.now, retry(step.now, failure)?),
            }
        }
        Ok(())
    }
}

/// When to try again what could not be sealed.
fn retry(now: Timestamp, failure: SealFailure) -> Result<Timestamp, DialogueError> {
    match failure {
        SealFailure::HourFull { until } => Ok(until),
        SealFailure::Exhausted => Ok(now.saturating_add(DAY)),
        SealFailure::Entropy => Err(DialogueError::Entropy),
    }
}
