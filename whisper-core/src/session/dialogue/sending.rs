//! What a dialogue sends on sessions.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::contract::Carrier;
use super::contract::Content;
use super::contract::DialogueError;
use super::contract::MAX_TEXT;
use super::contract::Part;
use super::contract::SealFailure;
use super::contract::TextId;
use super::due::DAY;
use super::engine::Dialogue;
use super::engine::Step;
use super::event::DialogueEvent;
use super::event::Lost;
use super::event::Obstacle;
use crate::time::Timestamp;

impl Dialogue {
    /// Says something to the peer, who becomes a contact: on the current session, in an invitation
    /// if there is none, later if there is no card to make one from. [`DialogueEvent::Waiting`] says
    /// what it waits for.
    ///
    /// # Errors
    /// [`DialogueError`]; then go on with the copy from before.
    pub fn send(
        &mut self,
        now: Timestamp,
        data: &[u8],
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<(TextId, Vec<DialogueEvent>), DialogueError> {
        let parts = Part::split(data, rng).ok_or(DialogueError::TooLarge { max: MAX_TEXT })?;
        if !self.outbox.has_room(&parts) {
            let obstacle = self.obstacle.unwrap_or(Obstacle::Peer);
            return Err(DialogueError::Waiting(obstacle));
        }
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        self.admit(&mut step);
        let text = self.outbox.put(now, parts);
        self.settle(&mut step)?;
        Ok((text, step.events))
    }

    /// What every step ends with: what is not acknowledged goes again on a session that has become
    /// current, then what waits goes as far as it can.
    pub(super) fn settle<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
    ) -> Result<(), DialogueError> {
        let current = self.roster.current();
        if self.home != current {
            if let (Some(from), Some(to)) = (self.home, current) {
                step.report(DialogueEvent::Replaced { from, to });
            }
            self.home = current.filter(|_| !self.is_held());
            if current.is_some() {
                self.inviting.obstacle = None;
            }
            if let Some(home) = self.home {
                self.resend_all(step, home)?;
            }
        }
        self.forward(step)
    }

    /// Sends what waits, in its order.
    fn forward<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
    ) -> Result<(), DialogueError> {
        while let Some(unsent) = self.outbox.first_waiting() {
            let part = unsent.part.clone();
            match self.post(step, part)? {
                Ok((name, session)) => {
                    let lost = self.outbox.went(step.now, name, session);
                    if !lost.is_empty() {
                        step.report(DialogueEvent::Lost(lost, Lost::Crowded));
                    }
                }
                Err(obstacle) => {
                    if self.obstacle.replace(obstacle) != Some(obstacle) {
                        step.report(DialogueEvent::Waiting(obstacle));
                    }
                    return Ok(());
                }
            }
        }
        self.obstacle = None;
        Ok(())
    }

    /// Sends a part for the first time, on the current session or in an invitation.
    fn post<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        part: Part,
    ) -> Result<Result<(MessageName, SessionId), Obstacle>, DialogueError> {
        if self.is_held() {
            return Ok(Err(Obstacle::NewKey));
        }
        let content = Content::Part(part.clone());
        let Some(current) = self.roster.current() else {
            return self.post_in_invitation(step, &content);
        };
        let stale = self.roster.get(current).is_some_and(|entry| entry.is_stale(step.now));
        match self.seal(step, current, &content) {
            Ok(name) => {
                if stale {
                    let again = Content::Resend { name, sent_at: step.now, part };
                    self.invite_daily(step, &again)?;
                }
                Ok(Ok((name, current)))
            }
            Err(SealFailure::Exhausted) => self.post_in_invitation(step, &content),
            Err(SealFailure::HourFull { until }) => Ok(Err(Obstacle::Hour { until })),
            Err(SealFailure::Entropy) => Err(DialogueError::Entropy),
        }
    }

    /// Sends everything again, in order, that another session carried last.
    fn resend_all<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        home: SessionId,
    ) -> Result<(), DialogueError> {
        let elsewhere = self.outbox.unacked().filter(|letter| letter.session != home);
        let elsewhere: Vec<_> = elsewhere.map(|letter| (letter.name, letter.again())).collect();
        for (name, again) in elsewhere {
            self.resend(step, home, name, &again)?;
        }
        Ok(())
    }

    /// Sends a part again; later, if it does not fit into this hour.
    pub(super) fn resend<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        session: SessionId,
        name: MessageName,
        again: &Content,
    ) -> Result<(), DialogueError> {
        match self.seal(step, session, again) {
            Ok(_) => self.outbox.resent(step.now, name, session),
            Err(SealFailure::HourFull { until }) => self.outbox.put_off(step.now, name, until),
            // The peer does not answer: what goes next is an invitation.
            Err(SealFailure::Exhausted) => {
                self.outbox.put_off(step.now, name, step.now.saturating_add(DAY));
            }
            Err(SealFailure::Entropy) => return Err(DialogueError::Entropy),
        }
        Ok(())
    }

    /// Seals something on a session.
    pub(super) fn seal<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        session: SessionId,
        content: &Content,
    ) -> Result<MessageName, SealFailure> {
        let name = step.carrier.seal(step.now, session, content, step.rng)?;
        if let Some(entry) = self.roster.get_mut(session) {
            entry.spoke(step.now, matches!(content, Content::Part(_) | Content::Resend { .. }));
        }
        Ok(name)
    }
}
