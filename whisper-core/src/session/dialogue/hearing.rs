//! What a dialogue takes in.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::super::event::Ended;
use super::contract::Arrived;
use super::contract::Carrier;
use super::contract::Content;
use super::contract::DialogueError;
use super::contract::Heard;
use super::contract::Opened;
use super::contract::Part;
use super::contract::Place;
use super::due::DAY;
use super::engine::Dialogue;
use super::engine::Step;
use super::event::DialogueEvent;
use super::roster::Entry;
use super::roster::Stage;
use crate::time::Timestamp;

impl Dialogue {
    /// Takes an invitation that was opened and keeps to all rules for one: its session is neither
    /// live nor over.
    ///
    /// # Errors
    /// [`DialogueError::Entropy`]; then go on with the copy from before.
    pub fn invited(
        &mut self,
        now: Timestamp,
        arrived: Arrived,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        let Arrived { session, created_at, card, changed, heard } = arrived;
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        if changed {
            step.events = self.key_changed();
        }
        self.cards.named(card);
        let waits = !self.trust.accepted || self.is_held();
        let stage = if waits { Stage::Pending } else { Stage::Unconfirmed };
        let mut entry = Entry::new(now, session, created_at, stage);
        match waits {
            true => {
                entry.withheld = Some(heard);
                step.report(DialogueEvent::Invited(session));
            }
            false => {
                // Its text is read even if the session goes at once.
                step.report(DialogueEvent::Established(session));
                self.hear(&mut step, session, heard);
            }
        }
        if let Some(oldest) = self.roster.insert(entry) {
            step.carrier.wipe(oldest.session);
            step.report(DialogueEvent::Ended(oldest.session, Ended::Evicted));
        }
        if !waits {
            self.cards.owe(now, DAY, step.rng);
        }
        self.settle(&mut step)?;
        Ok(step.events)
    }

    /// Takes a message that was opened on a session of this dialogue, and whose step of the session
    /// is committed with this one.
    ///
    /// # Errors
    /// [`DialogueError::Entropy`]; then go on with the copy from before.
    pub fn opened(
        &mut self,
        now: Timestamp,
        opened: Opened,
        carrier: &mut impl Carrier,
        rng: &mut impl CryptoRng,
    ) -> Result<Vec<DialogueEvent>, DialogueError> {
        let Opened { session, turned, heard } = opened;
        self.look(now);
        let mut step = Step::new(now, carrier, rng);
        let Some(entry) = self.roster.get_mut(session) else { return Ok(step.events) };
        entry.active = now;
        entry.unanswered = None;
        let text = entry.text.take();
        match entry.stage {
            Stage::Inviting => {
                entry.stage = Stage::Confirmed;
                step.report(DialogueEvent::Established(session));
                self.owe_card(&mut step);
            }
            Stage::Unconfirmed => {
                entry.stage = Stage::Confirmed;
                step.report(DialogueEvent::Confirmed(session));
            }
            Stage::Pending | Stage::Confirmed | Stage::Stale | Stage::Suspect | Stage::Closing => {}
        }
        self.acknowledged(&mut step, text.as_slice());
        self.outbox.passed(now, session, heard.sent_at);
        if matches!(heard.content, Some(Content::Close)) {
            self.closed(&mut step, session, &heard);
        } else {
            self.hear(&mut step, session, heard);
        }
        if turned && self.roster.current() == Some(session) {
            self.roster.outlive(now, session);
        }
        self.settle(&mut step)?;
        Ok(step.events)
    }

    /// What the peer says, once the user wants to hear it.
    pub(super) fn hear<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        session: SessionId,
        heard: Heard,
    ) {
        let Heard { name, place, sent_at, content } = heard;
        match content {
            Some(Content::Part(part)) => {
                self.show(step, Shown { session, name, place: Some(place), sent_at, part });
            }
            Some(Content::Resend { name, part, .. }) => {
                self.show(step, Shown { session, name, place: None, sent_at, part });
            }
            Some(Content::Ack(names)) => {
                self.names.note(step.now, name);
                self.acknowledged(step, &names);
            }
            Some(Content::Card) => {
                self.names.note(step.now, name);
                self.acks.owe(step.now, name, step.rng);
            }
            Some(Content::Cover | Content::Close) => _ = self.names.note(step.now, name),
            None => {
                self.names.note(step.now, name);
                step.report(DialogueEvent::Malformed(session));
            }
        }
    }

    /// Shows a message that is new, and owes an acknowledgement of one that is not, too: the peer
    /// has not had it.
    fn show<C: Carrier, R: CryptoRng>(&mut self, step: &mut Step<'_, C, R>, shown: Shown) {
        let Shown { session, name, place, sent_at, part } = shown;
        if let Part::Chunk(chunk) = &part
            && !self.names.contains(&name)
            && !self.chunks.accepts(chunk)
        {
            self.names.note(step.now, name);
            return step.report(DialogueEvent::Malformed(session));
        }
        self.acks.owe(step.now, name, step.rng);
        if !self.names.note(step.now, name) {
            return;
        }
        let whole = match part {
            Part::Whole(data) => Some(data.to_vec()),
            Part::Chunk(chunk) => self.chunks.take(step.now, chunk),
        };
        if let Some(data) = whole {
            step.report(DialogueEvent::Message { session, name, place, sent_at, data });
        }
    }

    /// Notes what the peer has opened.
    fn acknowledged<C: Carrier, R: CryptoRng>(
        &mut self,
        step: &mut Step<'_, C, R>,
        names: &[MessageName],
    ) {
        self.cards.acknowledged(names);
        let texts = self.outbox.acknowledged(names);
        if !texts.is_empty() {
            step.report(DialogueEvent::Acknowledged(texts));
        }
    }
}

/// A part that the peer sent.
struct Shown {
    session: SessionId,
    name: MessageName,
    place: Option<Place>,
    sent_at: Timestamp,
    part: Part,
}
