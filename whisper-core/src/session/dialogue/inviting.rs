//! How a dialogue invites its peer.

use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::super::error::RestoreError;
use super::super::event::Ended;
use super::super::record::Value;
use super::super::record::Writer;
use super::contract::Carrier;
use super::contract::Content;
use super::contract::DialogueError;
use super::contract::InviteFailure;
use super::due::DAY;
use super::due::Due;
use super::due::may_again;
use super::engine::Dialogue;
use super::engine::Step;
use super::event::DialogueEvent;
use super::event::Obstacle;
use super::roster::Entry;
use super::roster::MAX_INITIATED;
use super::roster::Stage;
use super::stored::put_option;
use super::stored::take_flag;
use super::stored::take_option;
use crate::time::Timestamp;

/// What is remembered of invitations.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Inviting {
    /// Whether one was made: the one-time key of the peer's card is used up.
    one_time_used: bool,
    /// When the last one went that repeats something.
    repeated_at: Option<Timestamp>,
    /// When one goes that says nothing.
    greeting: Option<Due>,
    /// What one that is due waits for.
    pub(super) obstacle: Option<Obstacle>,
}

impl Inviting {
    /// Notes that the clock was set back to `now`.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.repeated_at = self.repeated_at.map(|at| at.min(now));
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(&[self.one_time_used.into()]);
        put_option(writer, self.repeated_at, Writer::put_time);
        put_option(writer, self.greeting, |writer, due| due.write(writer));
        put_option(writer, self.obstacle, |writer, obstacle| obstacle.write(writer));
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            one_time_used: take_flag(value)?,
            repeated_at: take_option(value, Value::time)?,
            greeting: take_option(value, Due::read)?,
            obstacle: take_option(value, Obstacle::read)?,
        })
    }
}

impl Dialogue {
    /// Invites the peer, who becomes a contact, without a word: within this time, if no session is
    /// usable then.
    pub fn greet(&mut self, now: Timestamp, within: Duration, rng: &mut impl CryptoRng) {
        self.trust.accepted = true;
        self.greet_within(now, within, rng);
    }

    pub(super) fn greet_within(
        &mut self,
        now: Timestamp,
        within: Duration,
        rng: &mut impl CryptoRng,
    ) {
        self.inviting.greeting = Some(Due::within(now, within, rng));
    }

    /// Sends something for the first time, in an invitation of its own.
    pub(super) fn post_in_invitation<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        content: &Content,
    ) -> Result<Result<(MessageName, SessionId), Obstacle>, DialogueError> {
        if self.roster.unanswered() >= MAX_INITIATED {
            return Ok(Err(Obstacle::Peer));
        }
        self.invite(step, content)
    }

    /// Repeats something in an invitation, at most once a day, if there is a card to make it from.
    /// Where too many have no answer, it takes the place of the oldest.
    pub(super) fn invite_daily<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        content: &Content,
    ) -> Result<(), DialogueError> {
        if may_again(step.now, self.inviting.repeated_at, DAY)
            && self.invite(step, content)?.is_ok()
        {
            self.inviting.repeated_at = Some(step.now);
        }
        Ok(())
    }

    /// Sends the invitation without a word, if its time has come.
    pub(super) fn greet_now<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
    ) -> Result<(), DialogueError> {
        let due = self.inviting.greeting.is_some_and(|due| due.has_come(step.now));
        if !due || self.is_held() {
            return Ok(());
        }
        self.inviting.greeting = None;
        if self.roster.current().is_some() || self.roster.unanswered() > 0 {
            return Ok(());
        }
        let invited = self.invite(step, &Content::Cover)?;
        self.hinder(step, invited.err());
        Ok(())
    }

    /// Makes the invitation that has waited for a card.
    pub(super) fn invite_now<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
    ) -> Result<(), DialogueError> {
        let waits = self.inviting.obstacle.is_some() && self.roster.current().is_none();
        if !waits || self.is_held() {
            return Ok(());
        }
        let oldest = self.outbox.unacked().next().map(|letter| (letter.name, letter.again()));
        let content = oldest.as_ref().map_or(&Content::Cover, |(_, again)| again);
        let invited = self.invite(step, content)?;
        if let (Ok((name, session)), Some(_)) = (invited, &oldest) {
            self.inviting.repeated_at = Some(step.now);
            self.outbox.resent(step.now, name, session);
        }
        self.hinder(step, invited.err());
        Ok(())
    }

    pub(super) const fn forget_greeting(&mut self) {
        self.inviting.greeting = None;
        self.inviting.obstacle = None;
    }

    /// When an invitation without a word goes.
    pub(super) fn next_greeting(&self) -> Option<Timestamp> {
        self.inviting.greeting.filter(|_| !self.is_held()).map(|due| due.at)
    }

    /// When the oldest message is repeated because no session is usable.
    pub(super) fn next_repetition(&self) -> Option<Timestamp> {
        let oldest = self.outbox.unacked().next();
        let oldest = oldest.filter(|_| self.roster.current().is_none() && !self.is_held())?;
        let last = self.inviting.repeated_at.map_or(oldest.last, |last| last.max(oldest.last));
        Some(last.saturating_add(DAY))
    }

    /// Repeats the oldest message in an invitation, if it is time.
    pub(super) fn repeat_oldest<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
    ) -> Result<(), DialogueError> {
        let ahead = self.inviting.repeated_at.is_some_and(|at| at > step.now);
        if self.next_repetition().is_none_or(|at| at > step.now && !ahead) {
            return Ok(());
        }
        let oldest = self.outbox.unacked().next().map(|letter| (letter.name, letter.again()));
        let Some((name, again)) = oldest else { return Ok(()) };
        self.inviting.repeated_at = Some(step.now);
        let invited = self.invite(step, &again)?;
        if let Ok((_, session)) = invited {
            self.outbox.resent(step.now, name, session);
        }
        self.hinder(step, invited.err());
        Ok(())
    }

    /// Notes what an invitation waits for that went, or did not.
    fn hinder<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        obstacle: Option<Obstacle>,
    ) {
        let before = core::mem::replace(&mut self.inviting.obstacle, obstacle);
        if let Some(obstacle) = obstacle.filter(|_| before != obstacle) {
            step.report(DialogueEvent::Waiting(obstacle));
        }
    }

    /// Makes an invitation.
    fn invite<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        content: &Content,
    ) -> Result<Result<(MessageName, SessionId), Obstacle>, DialogueError> {
        // What may be a repetition must not depend on a key that is used up.
        let first = !self.inviting.one_time_used && !matches!(content, Content::Resend { .. });
        let invited = match step.carrier.invite(step.now, content, first, step.rng) {
            Ok(invited) => invited,
            Err(InviteFailure::NoCard) => return Ok(Err(Obstacle::Card { expired: false })),
            Err(InviteFailure::CardExpired) => return Ok(Err(Obstacle::Card { expired: true })),
            Err(InviteFailure::Entropy) => return Err(DialogueError::Entropy),
        };
        self.inviting.one_time_used = true;
        let name = match content {
            Content::Resend { name, .. } => *name,
            _ => invited.name,
        };
        let mut entry = Entry::new(step.now, invited.session, invited.created_at, Stage::Inviting);
        entry.text = Some(name);
        if let Some(oldest) = self.roster.insert(entry) {
            step.carrier.wipe(oldest.session);
            step.report(DialogueEvent::Ended(oldest.session, Ended::Evicted));
        }
        Ok(Ok((name, invited.session)))
    }

    /// Makes the peer a contact: what of it waits for the user is taken up.
    pub(super) fn admit<C: Carrier, R: CryptoRng>(&mut self, step: &mut Step<'_, C, R>) {
        self.trust.accepted = true;
        if self.is_held() {
            return;
        }
        let mut heard = Vec::new();
        for entry in self.roster.entries_mut().filter(|entry| entry.stage == Stage::Pending) {
            entry.stage = Stage::Unconfirmed;
            step.events.push(DialogueEvent::Established(entry.session));
            heard.extend(entry.withheld.take().map(|heard| (entry.session, heard)));
        }
        for (session, heard) in heard {
            self.hear(step, session, heard);
        }
        self.cards.owe(step.now, DAY, step.rng);
    }
}
