//! The rules, one by one, of a dialogue whose carrier only notes what it is given.

mod ending;
mod hearing;
mod inviting;
mod sending;
mod storage;
mod time;

use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::CryptoRng;
use chacha20::rand_core::SeedableRng;
use whisper_core::session::MessageName;
use whisper_core::session::SessionId;
use whisper_core::session::dialogue::*;
use whisper_core::time::Timestamp;

use crate::model::DAY;
use crate::model::HOUR;
use crate::model::START;

pub(crate) fn at(span: Duration) -> Timestamp {
    START.saturating_add(span)
}

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn session(number: u64) -> SessionId {
    let mut bytes = [0; 32];
    bytes[24..].copy_from_slice(&number.to_be_bytes());
    SessionId::new(bytes)
}

pub(crate) fn name(number: u64) -> MessageName {
    MessageName::new((number | 1 << 32).to_be_bytes())
}

pub(crate) fn part(text: &str) -> Part {
    Part::Whole(text.as_bytes().into())
}

/// A carrier that notes what it is given.
#[derive(Default)]
pub(crate) struct Desk {
    pub(crate) sealed: Vec<(SessionId, Content, MessageName)>,
    pub(crate) invited: Vec<(SessionId, Content, bool)>,
    pub(crate) retired: Vec<SessionId>,
    pub(crate) wiped: BTreeSet<SessionId>,
    pub(crate) no_seal: Option<SealFailure>,
    pub(crate) no_invite: Option<InviteFailure>,
    count: u64,
}

impl Carrier for Desk {
    fn seal(
        &mut self,
        _: Timestamp,
        session: SessionId,
        content: &Content,
        _: &mut impl CryptoRng,
    ) -> Result<MessageName, SealFailure> {
        assert!(!self.wiped.contains(&session), "a session whose keys are wiped");
        self.no_seal.map_or(Ok(()), Err)?;
        self.count += 1;
        let name = MessageName::new(self.count.to_be_bytes());
        self.sealed.push((session, content.clone(), name));
        Ok(name)
    }

    fn invite(
        &mut self,
        now: Timestamp,
        content: &Content,
        one_time: bool,
        _: &mut impl CryptoRng,
    ) -> Result<Invited, InviteFailure> {
        self.no_invite.map_or(Ok(()), Err)?;
        self.count += 1;
        let session = session(1_000 + self.count);
        let name = MessageName::new(self.count.to_be_bytes());
        self.invited.push((session, content.clone(), one_time));
        Ok(Invited { session, created_at: now, name })
    }

    fn retire(&mut self, session: SessionId, _: Place) {
        self.retired.push(session);
    }

    fn wipe(&mut self, session: SessionId) {
        self.wiped.insert(session);
    }
}

/// A dialogue with such a carrier.
pub(crate) struct Side {
    pub(crate) dialogue: Dialogue,
    pub(crate) desk: Desk,
    pub(crate) rng: ChaCha20Rng,
    now: Timestamp,
}

impl Side {
    pub(crate) fn new() -> Self {
        let rng = ChaCha20Rng::seed_from_u64(1);
        Self { dialogue: Dialogue::new(), desk: Desk::default(), rng, now: START }
    }

    /// A contact who was invited by this peer on session 1, and has its card.
    pub(crate) fn invited() -> Self {
        let mut side = Self::new();
        side.dialogue.greet(START, 300 * DAY, &mut side.rng);
        side.hears_invitation(START, 1, START, "hello");
        side
    }

    pub(crate) fn say(&mut self, now: Timestamp, text: &str) -> (TextId, Vec<DialogueEvent>) {
        self.now = now;
        self.dialogue.send(now, text.as_bytes(), &mut self.desk, &mut self.rng).expect("randomness")
    }

    pub(crate) fn hears_invitation(
        &mut self,
        now: Timestamp,
        number: u64,
        created_at: Timestamp,
        text: &str,
    ) -> Vec<DialogueEvent> {
        let content = Some(Content::Part(part(text)));
        self.arrives(now, number, created_at, content, false)
    }

    pub(crate) fn arrives(
        &mut self,
        now: Timestamp,
        number: u64,
        created_at: Timestamp,
        content: Option<Content>,
        changed: bool,
    ) -> Vec<DialogueEvent> {
        self.now = now;
        let heard = Heard {
            name: name(1_000_000 + number),
            place: Place::default(),
            sent_at: created_at,
            content,
        };
        let arrived = Arrived { session: session(number), created_at, card: 5, changed, heard };
        self.dialogue.invited(now, arrived, &mut self.desk, &mut self.rng).expect("randomness")
    }

    /// Something is opened on a session: its name, what it says, and whether it turns the ratchet.
    pub(crate) fn hears(
        &mut self,
        now: Timestamp,
        on: SessionId,
        number: u64,
        content: Option<Content>,
    ) -> Vec<DialogueEvent> {
        self.opens(now, now, on, number, content, true)
    }

    pub(crate) fn opens(
        &mut self,
        now: Timestamp,
        sent_at: Timestamp,
        on: SessionId,
        number: u64,
        content: Option<Content>,
        turned: bool,
    ) -> Vec<DialogueEvent> {
        self.now = now;
        let place = Place { chain: 0, number: u32::try_from(number).expect("a number that fits") };
        let heard = Heard { name: name(number), place, sent_at, content };
        let opened = Opened { session: on, turned, heard };
        self.dialogue.opened(now, opened, &mut self.desk, &mut self.rng).expect("randomness")
    }

    pub(crate) fn tick(&mut self, now: Timestamp) -> Vec<DialogueEvent> {
        self.now = now;
        self.dialogue.tick(now, true, &mut self.desk, &mut self.rng).expect("randomness")
    }

    /// Ticks whenever something is due.
    pub(crate) fn wait(&mut self, until: Timestamp) -> Vec<DialogueEvent> {
        let mut events = Vec::new();
        while let Some(next) = self.next().map(|next| next.max(self.now)) {
            if next > until {
                break;
            }
            events.extend(self.tick(next));
            assert!(self.next().is_none_or(|after| after > next), "a deadline that has passed");
        }
        events
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        let Deadlines { prompt, patient } = self.dialogue.deadlines();
        prompt.into_iter().chain(patient).min()
    }

    /// The texts that were sealed for the first time, or again, on a session.
    pub(crate) fn texts(&self, on: SessionId) -> Vec<String> {
        let on = self.desk.sealed.iter().filter(|(session, ..)| *session == on);
        on.filter_map(|(_, content, _)| text(content)).collect()
    }

    pub(crate) fn invitations(&self) -> Vec<String> {
        self.desk.invited.iter().filter_map(|(_, content, _)| text(content)).collect()
    }

    pub(crate) fn acks(&self) -> Vec<Vec<MessageName>> {
        let acks = self.desk.sealed.iter().filter_map(|(_, content, _)| match content {
            Content::Ack(names) => Some(names.clone()),
            _ => None,
        });
        acks.collect()
    }

    pub(crate) fn cards(&self) -> usize {
        let cards = self.desk.sealed.iter();
        cards.filter(|(_, content, _)| *content == Content::Card).count()
    }
}

/// What a content says; what goes again is marked.
fn text(content: &Content) -> Option<String> {
    let (part, mark) = match content {
        Content::Part(part) => (part, ""),
        Content::Resend { part, .. } => (part, "again "),
        Content::Cover => return Some("nothing".into()),
        _ => return None,
    };
    match part {
        Part::Whole(data) => Some(format!("{mark}{}", String::from_utf8_lossy(data))),
        Part::Chunk(chunk) => Some(format!("{mark}chunk {}", chunk.index)),
    }
}

pub(crate) fn shown(events: &[DialogueEvent]) -> Vec<String> {
    let shown = events.iter().filter_map(|event| match event {
        DialogueEvent::Message { data, .. } => String::from_utf8(data.clone()).ok(),
        _ => None,
    });
    shown.collect()
}
