//! The topics under which session messages are awaited.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::iter;
use core::time::Duration;

use crate::time::Timestamp;
use crate::topic::Topic;

use super::seed::chain::PER_HOUR;
use super::seed::chain::epoch;
use super::contract::SessionId;
use super::seed::keys::Direction;

/// The hours beyond the watched ones in which an envelope may lie that says it was made at `issued`
/// (seconds since the Unix epoch): what [`Sessions::look_late`](super::Sessions::look_late) is for.
pub fn late_epochs(now: Timestamp, issued: u64) -> impl Iterator<Item = u64> {
    // The sender dates envelopes up to four seconds back.
    let first = issued / 3_600;
    let second = issued.saturating_add(4) / 3_600;
    let current = epoch(now);
    iter::once(first)
        .chain((second != first).then_some(second))
        .filter(move |hour| is_late(current, *hour))
}

/// Whether an hour is too old to be watched and young enough to be looked up.
pub(super) fn is_late(current: u64, hour: u64) -> bool {
    (LATEST..=EARLIEST).contains(&current.saturating_sub(hour))
}

/// The place of a message in a session, as a topic tells it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Candidate {
    pub(super) session: SessionId,
    pub(super) epoch: u64,
    pub(super) index: u32,
}

/// From topics to what may come under them. A foreign envelope costs one look-up.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Watch {
    pub(super) topics: BTreeSet<(Topic, Candidate)>,
    spans: BTreeMap<SessionId, Span>,
    late: Option<u64>,
    looked: BTreeMap<u64, Timestamp>,
}

impl Watch {
    /// What may come under a topic.
    pub(super) fn candidates(&self, topic: Topic) -> impl Iterator<Item = Candidate> {
        let lowest = Candidate { session: SessionId([0; 16]), epoch: 0, index: 0 };
        let entries = self.topics.range((topic, lowest)..);
        entries.take_while(move |entry| entry.0 == topic).map(|entry| entry.1)
    }

    /// Watches for a session as it stands at `now`, and gives the topics that are new.
    pub(super) fn update(
        &mut self,
        now: Timestamp,
        session: SessionId,
        keys: &Direction,
        next: &BTreeMap<u64, u32>,
    ) -> Vec<Topic> {
        let held = self.spans.remove(&session).unwrap_or_default();
        let wanted = Span {
            hours: (!keys.is_fixed()).then_some((epoch(now), self.late)),
            next: next.clone(),
            watches: true,
        };
        let place =
            |(epoch, index)| (keys.topic(epoch, index), Candidate { session, epoch, index });
        let mut new = Vec::new();
        for entry in wanted.places().filter(|place| !held.holds(*place)).map(place) {
            new.push(entry.0);
            self.topics.insert(entry);
        }
        for entry in held.places().filter(|place| !wanted.holds(*place)).map(place) {
            self.topics.remove(&entry);
        }
        self.spans.insert(session, wanted);
        new
    }

    /// All topics that are watched for a session.
    pub(super) fn topics_of(&self, session: SessionId, keys: &Direction) -> Vec<Topic> {
        let held = self.spans.get(&session);
        let places = held.into_iter().flat_map(Span::places);
        places.map(|(epoch, index)| keys.topic(epoch, index)).collect()
    }

    /// Watches for a session no more.
    pub(super) fn remove(&mut self, session: SessionId, keys: &Direction) {
        let held = self.spans.remove(&session).unwrap_or_default();
        for (epoch, index) in held.places() {
            let candidate = Candidate { session, epoch, index };
            self.topics.remove(&(keys.topic(epoch, index), candidate));
        }
    }

    /// Turns to a late hour; not if it was looked at within the last minute.
    pub(super) fn look_late(&mut self, now: Timestamp, hour: u64) -> bool {
        self.looked.retain(|_, at| now.saturating_since(*at) < PAUSE && *at <= now);
        if !is_late(epoch(now), hour) || self.looked.contains_key(&hour) {
            return false;
        }
        self.looked.insert(hour, now);
        self.late = Some(hour);
        true
    }

    /// Turns away from the late hour.
    pub(super) fn end_late(&mut self) {
        self.late = None;
    }

    /// Whether a session is watched for as of another hour.
    pub(super) fn is_outdated(&self, now: Timestamp, session: &SessionId) -> bool {
        self.spans
            .get(session)
            .and_then(|span| span.hours)
            .is_some_and(|hours| hours != (epoch(now), self.late))
    }

    /// The hour as of which a session is watched for, unless it has but one topic.
    pub(super) fn hour(&self, session: &SessionId) -> Option<u64> {
        self.spans.get(session)?.hours.map(|(current, _)| current)
    }
}

/// The places that are watched for one session.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Span {
    /// The current hour and a late one; none for a fixed topic.
    hours: Option<(u64, Option<u64>)>,
    /// By hour, one more than the highest index that was opened.
    next: BTreeMap<u64, u32>,
    /// Nothing is watched before the first update.
    watches: bool,
}

impl Span {
    fn places(&self) -> impl Iterator<Item = (u64, u32)> {
        let fixed = (self.watches && self.hours.is_none()).then_some((0, 0));
        fixed.into_iter().chain(self.epochs().flat_map(move |hour| {
            let reach = self.reach(hour);
            let sparse = (0..PER_HOUR).step_by(STRIDE as usize);
            let sparse = sparse.filter(move |index| *index >= reach && self.is_near(hour));
            (0..reach).chain(sparse).map(move |index| (hour, index))
        }))
    }

    fn holds(&self, (hour, index): (u64, u32)) -> bool {
        if self.hours.is_none() {
            return self.watches && (hour, index) == (0, 0);
        }
        let sparse = self.is_near(hour) && index.is_multiple_of(STRIDE);
        self.is_watched(hour) && index < PER_HOUR && (index < self.reach(hour) || sparse)
    }

    fn epochs(&self) -> impl Iterator<Item = u64> {
        let window =
            self.hours.map(|(current, _)| current.saturating_sub(PAST)..=current.saturating_add(1));
        let late = self.hours.and_then(|(_, late)| late).filter(|hour| !self.is_current(*hour));
        window.into_iter().flatten().chain(late)
    }

    fn is_watched(&self, hour: u64) -> bool {
        self.is_current(hour) || self.hours.is_some_and(|(_, late)| late == Some(hour))
    }

    fn is_current(&self, hour: u64) -> bool {
        self.hours.is_some_and(|(current, _)| {
            hour <= current.saturating_add(1) && hour >= current.saturating_sub(PAST)
        })
    }

    /// Whether few topics far ahead are watched too: a sender may have lost many messages.
    fn is_near(&self, hour: u64) -> bool {
        self.hours.is_some_and(|(current, late)| current.abs_diff(hour) <= 1 || late == Some(hour))
    }

    fn reach(&self, hour: u64) -> u32 {
        self.next.get(&hour).copied().unwrap_or(0).saturating_add(STRIDE).min(PER_HOUR)
    }
}

/// How many places ahead of the highest index are watched, and the distance of the few beyond.
const STRIDE: u32 = 32;
/// Hours before the current one that are watched; after it, it is one.
const PAST: u64 = 3;
/// From here on an hour is late,
const LATEST: u64 = PAST + 1;
/// up to here: the longest time to live, and clocks that differ.
const EARLIEST: u64 = 26;
/// An hour is looked up at most once in this time.
const PAUSE: Duration = Duration::from_secs(60);
