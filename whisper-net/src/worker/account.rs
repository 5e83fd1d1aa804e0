//! The sessions of one identity, and the wires between them and the rest of the node.

use std::collections::VecDeque;
use std::sync::Weak;
use std::time::Duration;

use rand_core::CryptoRng;
use whisper_core::envelope::Envelope;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::FilterId;
use whisper_core::message::Message;
use whisper_core::pow::Rating;
use whisper_core::session::OpenError;
use whisper_core::session::Outgoing;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionOutput;
use whisper_core::session::Sessions;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use super::waiting::Waiting;
use crate::posting::Delivery;
use crate::posting::Outbox;
use crate::posting::Room;
use crate::posting::Submission;
use crate::stream::Feed;

/// An identity that holds conversations.
pub(crate) struct Account {
    pub(super) filter: FilterId,
    pub(super) sessions: Sessions,
    events: Feed<SessionEvent>,
    /// Held by all who may ask for something.
    guard: Weak<()>,
}

/// What an account needs to carry out a step.
pub(super) struct Surroundings<'a, R> {
    pub(super) now: Timestamp,
    pub(super) waiting: &'a mut Waiting,
    pub(super) outbox: &'a Outbox,
    /// The room that was waited for, for the first of what the step sends.
    pub(super) room: Option<Room>,
    pub(super) rng: &'a mut R,
}

/// An envelope of a session on its way.
pub(crate) struct Dispatch {
    pub(crate) outgoing: Outgoing,
    pub(crate) delivery: Delivery,
}

impl Account {
    pub(super) const fn new(
        filter: FilterId,
        sessions: Sessions,
        events: Feed<SessionEvent>,
        guard: Weak<()>,
    ) -> Self {
        Self { filter, sessions, events, guard }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        self.sessions.public_key()
    }

    /// Whether nobody asks or listens any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.guard.strong_count() == 0 && self.events.is_closed()
    }

    /// Counts envelopes that nobody looked at.
    pub(super) fn skip(&self, envelopes: u64) {
        self.events.skip(envelopes);
    }

    /// Takes an invitation. Why it may not be taken, nobody is told: the sender least of all.
    pub(super) fn receive(
        &mut self,
        message: &Message,
        rating: Rating,
        around: &mut Surroundings<'_, impl CryptoRng>,
    ) {
        match self.sessions.receive(around.now, message, rating) {
            Ok(step) => drop(self.carry_out(step, around)),
            Err(why) => tracing::debug!(%why, "invitation ignored"),
        }
    }

    /// Tries an envelope. Whether it is of no use to anybody else.
    pub(super) fn open(
        &mut self,
        envelope: &Envelope,
        around: &mut Surroundings<'_, impl CryptoRng>,
    ) -> bool {
        match self.sessions.open(around.now, envelope, around.rng) {
            Ok(step) => drop(self.carry_out(step, around)),
            Err(OpenError::Duplicate | OpenError::Malformed) => (),
            Err(_) => return false,
        }
        true
    }

    /// Does what time asks for.
    pub(super) fn tick(&mut self, around: &mut Surroundings<'_, impl CryptoRng>) {
        let step = self.sessions.tick(around.now, around.rng);
        self.carry_out(step, around);
    }

    /// Looks up what may have waited since `hour`; whether that was done.
    pub(super) fn look_late(
        &mut self,
        hour: u64,
        around: &mut Surroundings<'_, impl CryptoRng>,
    ) -> bool {
        let topics = self.sessions.look_late(around.now, hour);
        let looked = !topics.is_empty();
        if looked {
            self.carry_out(vec![SessionOutput::LookBack(topics)], around);
        }
        looked
    }

    /// When [`Account::tick`] is due.
    pub(super) fn deadline(&self, now: Timestamp) -> Option<Duration> {
        self.sessions.poll_timeout().map(|due| due.saturating_since(now))
    }

    /// Carries a step out, and what follows from it. Nothing is stored: the answer is given at once.
    pub(super) fn carry_out(
        &mut self,
        step: Vec<SessionOutput>,
        around: &mut Surroundings<'_, impl CryptoRng>,
    ) -> Vec<Dispatch> {
        let mut outputs: VecDeque<_> = self.sessions.stored_at_once(around.now, step).into();
        let mut dispatches = Vec::new();
        while let Some(output) = outputs.pop_front() {
            match output {
                SessionOutput::Transmit(outgoing) => dispatches.extend(dispatch(outgoing, around)),
                SessionOutput::Event(event) => {
                    let bytes = if let SessionEvent::Message { data, .. } = &event {
                        data.len()
                    } else {
                        0
                    };
                    self.events.push_bytes(event, bytes);
                }
                SessionOutput::LookBack(topics) => {
                    outputs.extend(topics.into_iter().flat_map(|t| self.look_back(t, around)));
                }
                // Nothing is stored, so there is nothing to wait for.
                SessionOutput::Persist(batch) => {
                    outputs.extend(self.sessions.stored(around.now, batch.id()));
                }
            }
        }
        dispatches
    }

    /// Opens what came too early under a topic that is watched now.
    fn look_back(
        &mut self,
        topic: Topic,
        around: &mut Surroundings<'_, impl CryptoRng>,
    ) -> Vec<SessionOutput> {
        let mut outputs = Vec::new();
        for envelope in around.waiting.at(topic).to_vec() {
            let opened = self.sessions.open(around.now, &envelope, around.rng);
            match opened {
                Ok(step) => outputs.extend(self.sessions.stored_at_once(around.now, step)),
                Err(OpenError::Duplicate | OpenError::Malformed) => (),
                Err(_) => continue,
            }
            around.waiting.remove(topic, envelope.hash());
        }
        outputs
    }
}

/// Hands an envelope in. One that cannot be dated, after the year 2106, is lost.
fn dispatch(outgoing: Outgoing, around: &mut Surroundings<'_, impl CryptoRng>) -> Option<Dispatch> {
    let draft = outgoing.draft(around.now).ok()?;
    let submission = Submission {
        draft,
        backdate: outgoing.jitter,
        target: None,
        patience: PATIENCE,
        nonce: around.rng.next_u64(),
        lane: Some(outgoing.peer),
    };
    Some(Dispatch { delivery: around.outbox.send(submission, around.room.take()), outgoing })
}

/// A day's life and the largest class cost hours: nobody meant that.
const PATIENCE: Duration = Duration::from_secs(600);
