//! What the peer has not acknowledged, and what waits for a session.

use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::super::error::RestoreError;
use super::super::record::Value;
use super::super::record::Writer;
use super::contract::Content;
use super::contract::Part;
use super::contract::TextId;
use super::due::DAY;
use super::due::Due;
use super::due::HOUR;
use super::due::may_again;
use super::stored::put_option;
use super::stored::take_flag;
use super::stored::take_option;
use crate::time::Timestamp;

/// Parts of texts, in the order in which they were given.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Outbox {
    unacked: VecDeque<Letter>,
    waiting: VecDeque<Unsent>,
    next: u64,
    /// When the hour began in which so many were found to be lost.
    hour: (Timestamp, usize),
}

/// A part that no session has carried yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unsent {
    pub(super) text: TextId,
    pub(super) part: Part,
    since: Timestamp,
}

/// A part that went and is not acknowledged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Letter {
    text: TextId,
    part: Part,
    pub(super) name: MessageName,
    /// The session that carried it last.
    pub(super) session: SessionId,
    /// When it went first, and last.
    first: Timestamp,
    pub(super) last: Timestamp,
    /// When it is known to be lost on its way: a day after it went, if something was opened on that
    /// session that the peer sent later, and an acknowledgement had time to come.
    lost_at: Option<Timestamp>,
    /// When it goes again.
    again: Option<Due>,
    /// Whether the host has reported that the envelope left it.
    published: bool,
}

impl Letter {
    /// It once more.
    pub(super) fn again(&self) -> Content {
        Content::Resend { name: self.name, sent_at: self.first, part: self.part.clone() }
    }

    /// When it is known to be lost on its way on a session, and has no time to go again.
    fn lost_on(&self, session: SessionId) -> Option<Timestamp> {
        self.lost_at.filter(|_| self.again.is_none() && self.session == session)
    }
}

// What waits.
impl Outbox {
    /// Whether so many parts of a text may wait besides.
    pub(super) fn has_room(&self, parts: &[Part]) -> bool {
        let more = parts.iter().map(Part::len).fold(0, usize::saturating_add);
        let held = self.waiting.iter().map(|unsent| unsent.part.len());
        let bytes = held.fold(more, usize::saturating_add);
        self.waiting.len().saturating_add(parts.len()) <= MAX_LETTERS && bytes <= MAX_BYTES
    }

    /// Lets a text wait for its turn.
    pub(super) fn put(&mut self, now: Timestamp, parts: Vec<Part>) -> TextId {
        let text = TextId(self.next);
        self.next = self.next.saturating_add(1);
        let unsent = parts.into_iter().map(|part| Unsent { text, part, since: now });
        self.waiting.extend(unsent);
        text
    }

    /// What goes next.
    pub(super) fn first_waiting(&self) -> Option<&Unsent> {
        self.waiting.front()
    }

    /// Notes that what goes next has gone, and gives the texts that are given up for it.
    pub(super) fn went(
        &mut self,
        now: Timestamp,
        name: MessageName,
        session: SessionId,
    ) -> Vec<TextId> {
        let Some(Unsent { text, part, .. }) = self.waiting.pop_front() else { return Vec::new() };
        self.unacked.push_back(Letter {
            text,
            part,
            name,
            session,
            first: now,
            last: now,
            lost_at: None,
            again: None,
            published: false,
        });
        let bytes = |letters: &VecDeque<Letter>| {
            letters.iter().map(|letter| letter.part.len()).fold(0, usize::saturating_add)
        };
        let mut lost = BTreeSet::new();
        while self.unacked.len() > MAX_LETTERS || bytes(&self.unacked) > MAX_BYTES {
            lost.extend(self.unacked.pop_front().map(|letter| letter.text));
        }
        self.give_up(lost)
    }
}

// What is not acknowledged.
impl Outbox {
    pub(super) fn unacked(&self) -> impl Iterator<Item = &Letter> {
        self.unacked.iter()
    }

    /// Lets go of what the peer has opened, and gives the texts of which nothing is left.
    pub(super) fn acknowledged(&mut self, names: &[MessageName]) -> Vec<TextId> {
        let names: BTreeSet<_> = names.iter().collect();
        let mut texts = BTreeSet::new();
        self.unacked.retain(|letter| {
            let opened = names.contains(&letter.name);
            if opened {
                texts.insert(letter.text);
            }
            !opened
        });
        let left = self.unacked.iter().map(|letter| letter.text);
        let left = left.chain(self.waiting.iter().map(|unsent| unsent.text));
        left.for_each(|text| _ = texts.remove(&text));
        texts.into_iter().collect()
    }

    /// Notes that something was opened on a session that the peer sent at `sent_at`.
    pub(super) fn passed(&mut self, now: Timestamp, session: SessionId, sent_at: Timestamp) {
        for letter in self.unacked.iter_mut().filter(|letter| letter.session == session) {
            if sent_at > letter.last {
                let lost_at = letter.last.saturating_add(DAY).max(now.saturating_add(ANSWER));
                letter.lost_at.get_or_insert(lost_at);
            }
        }
    }

    /// Notes that a part went again.
    pub(super) fn resent(&mut self, now: Timestamp, name: MessageName, session: SessionId) {
        for letter in self.unacked.iter_mut().filter(|letter| letter.name == name) {
            (letter.session, letter.last) = (session, now);
            (letter.lost_at, letter.again, letter.published) = (None, None, false);
        }
    }

    /// Draws when what is lost goes again: the oldest first, and no more than may in an hour.
    pub(super) fn schedule(
        &mut self,
        now: Timestamp,
        current: SessionId,
        rng: &mut impl CryptoRng,
    ) {
        if may_again(now, Some(self.hour.0), HOUR) {
            self.hour = (now, 0);
        }
        let room = PER_HOUR.saturating_sub(self.hour.1);
        let is_lost = |letter: &&mut Letter| letter.lost_on(current).is_some_and(|at| at <= now);
        let mut count = 0_usize;
        for letter in self.unacked.iter_mut().filter(is_lost).take(room) {
            letter.again = Some(Due::within(now, HOUR, rng));
            count = count.saturating_add(1);
        }
        self.hour.1 = self.hour.1.saturating_add(count);
    }

    /// Lets a part go again at a time.
    pub(super) fn put_off(&mut self, now: Timestamp, name: MessageName, until: Timestamp) {
        for letter in self.unacked.iter_mut().filter(|letter| letter.name == name) {
            letter.again = Some(Due::at(now, until));
        }
    }

    /// The oldest part whose time to go again has come.
    pub(super) fn next_again(&self, now: Timestamp) -> Option<&Letter> {
        let due = |letter: &&Letter| letter.again.is_some_and(|again| again.has_come(now));
        self.unacked.iter().find(due)
    }

    /// Notes that the host has handed on the envelope of a part.
    pub(super) fn published(&mut self, name: MessageName) {
        for letter in self.unacked.iter_mut().filter(|letter| letter.name == name) {
            letter.published = true;
        }
    }

    /// Takes what was not published for lost.
    pub(super) fn lose_unpublished(&mut self, now: Timestamp) {
        for letter in self.unacked.iter_mut().filter(|letter| !letter.published) {
            letter.lost_at = Some(now);
        }
    }

    /// When the next part goes again.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.unacked.iter().filter_map(|letter| letter.again).map(|due| due.at).min()
    }

    /// When the next part is known to be lost on its way on this session, and may be sent again.
    pub(super) fn next_lost(&self, current: SessionId) -> Option<Timestamp> {
        let lost = self.unacked.iter().filter_map(|letter| letter.lost_on(current)).min()?;
        let (since, count) = self.hour;
        let full = (count >= PER_HOUR).then(|| since.saturating_add(HOUR));
        Some(full.map_or(lost, |full| lost.max(full)))
    }
}

// Its end, and the clock.
impl Outbox {
    /// Notes that the clock was set back.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        self.hour.0 = self.hour.0.min(now);
        for unsent in &mut self.waiting {
            unsent.since = unsent.since.min(now);
        }
        for letter in &mut self.unacked {
            letter.first = letter.first.min(now);
            letter.last = letter.last.min(now);
            let latest = now.saturating_add(DAY);
            letter.lost_at = letter.lost_at.map(|lost_at| lost_at.min(latest));
        }
    }

    /// Gives up what is too old.
    pub(super) fn expire(&mut self, now: Timestamp) -> Vec<TextId> {
        let is_old = |since: Timestamp| now.saturating_since(since) >= LIFE;
        let mut lost = BTreeSet::new();
        let unacked = self.unacked.iter().filter(|letter| is_old(letter.first));
        lost.extend(unacked.map(|letter| letter.text));
        let waiting = self.waiting.iter().filter(|unsent| is_old(unsent.since));
        lost.extend(waiting.map(|unsent| unsent.text));
        self.give_up(lost)
    }

    /// When something is too old.
    pub(super) fn next_expiry(&self) -> Option<Timestamp> {
        let unacked = self.unacked.iter().map(|letter| letter.first);
        let first = unacked.chain(self.waiting.iter().map(|unsent| unsent.since)).min();
        first.map(|since| since.saturating_add(LIFE))
    }

    /// Gives all up.
    pub(super) fn clear(&mut self) -> Vec<TextId> {
        let unacked = core::mem::take(&mut self.unacked).into_iter().map(|letter| letter.text);
        let waiting = core::mem::take(&mut self.waiting).into_iter().map(|unsent| unsent.text);
        unacked.chain(waiting).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Lets go of all parts of texts of which one is lost.
    fn give_up(&mut self, lost: BTreeSet<TextId>) -> Vec<TextId> {
        if !lost.is_empty() {
            self.unacked.retain(|letter| !lost.contains(&letter.text));
            self.waiting.retain(|unsent| !lost.contains(&unsent.text));
        }
        lost.into_iter().collect()
    }
}

// How it is stored: what is counted with the dialogue, each part for itself.
impl Outbox {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(&self.next.to_be_bytes());
        writer.put_time(self.hour.0);
        writer.put(&u32::try_from(self.hour.1).unwrap_or(u32::MAX).to_be_bytes());
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let (next, since, count) = (value.u64()?, value.time()?, value.u32()?);
        let count = usize::try_from(count).map_err(|_| RestoreError::Corrupt)?;
        Ok(Self { next, hour: (since, count), ..Self::default() })
    }

    /// The parts, by their texts and indexes.
    pub(super) fn parts(&self) -> impl Iterator<Item = ((TextId, u16), Kept<'_>)> {
        let unacked = self.unacked.iter();
        let unacked =
            unacked.map(|letter| ((letter.text, letter.part.index()), Kept::Went(letter)));
        let waiting = self.waiting.iter();
        let waiting =
            waiting.map(|unsent| ((unsent.text, unsent.part.index()), Kept::Waits(unsent)));
        unacked.chain(waiting)
    }

    /// Reads a part.
    pub(super) fn read_part(&mut self, mut value: Value<'_>) -> Result<(), RestoreError> {
        let text = TextId(value.u64()?);
        let [went] = value.array()?;
        let part = Part::read(&mut value)?;
        match went {
            0 => self.waiting.push_back(Unsent { text, part, since: value.time()? }),
            1 => self.unacked.push_back(Letter {
                text,
                part,
                name: MessageName::new(value.array()?),
                session: SessionId::new(value.array()?),
                first: value.time()?,
                last: value.time()?,
                lost_at: take_option(&mut value, Value::time)?,
                again: take_option(&mut value, Due::read)?,
                published: take_flag(&mut value)?,
            }),
            _ => return Err(RestoreError::Corrupt),
        }
        value.end()
    }

    /// Puts in the parts that were read, in the order in which they were given.
    pub(super) fn put_parts(&mut self, mut read: Self) {
        let unacked = read.unacked.make_contiguous();
        unacked.sort_by_key(|letter| (letter.text, letter.part.index()));
        let waiting = read.waiting.make_contiguous();
        waiting.sort_by_key(|unsent| (unsent.text, unsent.part.index()));
        (self.unacked, self.waiting) = (read.unacked, read.waiting);
    }
}

/// A part as it is stored.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Kept<'a> {
    Waits(&'a Unsent),
    Went(&'a Letter),
}

impl Kept<'_> {
    pub(super) fn write(self, writer: &mut Writer) {
        let (text, went, part) = match self {
            Self::Waits(unsent) => (unsent.text, 0, &unsent.part),
            Self::Went(letter) => (letter.text, 1, &letter.part),
        };
        writer.put(&text.0.to_be_bytes());
        writer.put(&[went]);
        part.write(writer);
        match self {
            Self::Waits(unsent) => writer.put_time(unsent.since),
            Self::Went(letter) => {
                writer.put(letter.name.as_bytes());
                writer.put(letter.session.as_bytes());
                [letter.first, letter.last].into_iter().for_each(|time| writer.put_time(time));
                put_option(writer, letter.lost_at, Writer::put_time);
                put_option(writer, letter.again, |writer, due| due.write(writer));
                writer.put(&[letter.published.into()]);
            }
        }
    }
}

/// What is kept of each sort, per peer; spec 3.11.
const MAX_LETTERS: usize = 1_024;
const MAX_BYTES: usize = 16 << 20;
const LIFE: Duration = Duration::from_secs(21 * DAY.as_secs());
/// How long an acknowledgement may take: an hour until it is sent, and an hour on its way.
const ANSWER: Duration = Duration::from_secs(2 * HOUR.as_secs());
/// How many go again in an hour because they were lost; spec 3.7.
const PER_HOUR: usize = 64;
