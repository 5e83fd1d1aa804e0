//! The topics under which session messages are awaited.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::iter;
use core::time::Duration;

use super::book::Book;
use super::contract::SessionId;
use super::hours::PER_HOUR;
use super::hours::STRIDE;
use super::hours::epoch;
use crate::envelope::MAX_BACKDATE;
use crate::time::Timestamp;
use crate::topic::Topic;

/// The hours beyond the watched ones in which an envelope may lie that says it was made at `issued`
/// (seconds since the Unix epoch): what [`Sessions::look_late`](super::Sessions::look_late) is for.
pub fn late_epochs(now: Timestamp, issued: u64) -> impl Iterator<Item = u64> {
    let first = issued / 3_600;
    let second = issued.saturating_add(MAX_BACKDATE.as_secs()) / 3_600;
    let current = epoch(now);
    iter::once(first)
        .chain((second != first).then_some(second))
        .filter(move |hour| is_late(current, *hour))
}

/// Whether an hour is too old to be watched and young enough to be looked up.
pub(super) fn is_late(current: u64, hour: u64) -> bool {
    (LATEST..=EARLIEST).contains(&current.saturating_sub(hour))
}

/// Where topics come from: one direction of a session under one key.
pub trait Lane {
    /// The topic of a place.
    fn topic(&self, epoch: u64, index: u32) -> Topic;
    /// By hour, one more than the highest index that was opened.
    fn next(&self) -> &BTreeMap<u64, u32>;
    /// Whether all messages come under one topic.
    fn is_fixed(&self) -> bool;
}

/// The place of a message in a lane, as a topic tells it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Place {
    /// The hour, counted from the Unix epoch.
    pub epoch: u64,
    /// The index in the hour.
    pub index: u32,
}

/// Names a lane of a session.
pub(super) type LaneName = (SessionId, u8);

/// From topics to what may come under them. A foreign envelope costs one look-up.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Watch {
    pub(super) topics: BTreeSet<(Topic, Spot)>,
    spans: BTreeMap<LaneName, Span>,
    lanes: BTreeMap<u32, LaneName>,
    next: u32,
    /// The hour as of which it was last turned.
    hour: Option<u64>,
    late: Option<u64>,
    looked: BTreeMap<u64, Timestamp>,
    /// Topics that came with an hour and are not given out yet.
    new: Vec<Topic>,
}

/// A lane and a place in it, small: there are 541 of them for an idle lane.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Spot {
    lane: u32,
    epoch: u32,
    index: u16,
}

impl Spot {
    fn new(lane: u32, (epoch, index): (u64, u32)) -> Self {
        let epoch = u32::try_from(epoch).unwrap_or(u32::MAX);
        Self { lane, epoch, index: u16::try_from(index).unwrap_or(u16::MAX) }
    }
}

impl Watch {
    /// Nothing is watched in hour `now`.
    pub(super) fn new(now: u64) -> Self {
        Self { hour: Some(now), ..Self::default() }
    }

    /// What may come under a topic.
    pub(super) fn candidates(&self, topic: Topic) -> impl Iterator<Item = (LaneName, Place)> {
        let entries = self.topics.range((topic, Spot::new(0, (0, 0)))..);
        entries.take_while(move |entry| entry.0 == topic).filter_map(|(_, spot)| {
            let place = Place { epoch: spot.epoch.into(), index: spot.index.into() };
            Some((*self.lanes.get(&spot.lane)?, place))
        })
    }

    /// Watches for a lane as it stands in hour `now`, and gives the topics that are new.
    pub(super) fn put(&mut self, now: u64, name: LaneName, lane: &dyn Lane) -> Vec<Topic> {
        let held = self.spans.remove(&name);
        let number = held.as_ref().map_or_else(|| self.number(name), |held| held.lane);
        let wanted = Span {
            lane: number,
            hours: (!lane.is_fixed()).then_some((now, self.late)),
            next: lane.next().clone(),
        };
        let entry = |place: (u64, u32)| (lane.topic(place.0, place.1), Spot::new(number, place));
        let mut new = Vec::new();
        let holds = |place| held.as_ref().is_some_and(|held| held.holds(place));
        for (topic, spot) in wanted.places().filter(|place| !holds(*place)).map(entry) {
            new.push(topic);
            self.topics.insert((topic, spot));
        }
        let held = held.iter().flat_map(Span::places);
        for entry in held.filter(|place| !wanted.holds(*place)).map(entry) {
            self.topics.remove(&entry);
        }
        self.spans.insert(name, wanted);
        new
    }

    /// All topics that are watched for a lane.
    pub(super) fn topics_of(&self, name: LaneName, lane: &dyn Lane) -> Vec<Topic> {
        let places = self.spans.get(&name).into_iter().flat_map(Span::places);
        places.map(|(epoch, index)| lane.topic(epoch, index)).collect()
    }

    /// Watches for a lane no more.
    pub(super) fn remove(&mut self, name: LaneName, lane: &dyn Lane) {
        let Some(held) = self.spans.remove(&name) else { return };
        for place in held.places() {
            self.topics.remove(&(lane.topic(place.0, place.1), Spot::new(held.lane, place)));
        }
        self.lanes.remove(&held.lane);
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

    /// When a late hour may be looked at.
    pub(super) fn late_at(&self, now: Timestamp, hour: u64) -> Timestamp {
        let last = self.looked.get(&hour).copied().filter(|at| *at <= now);
        last.map_or(now, |at| at.saturating_add(PAUSE).max(now))
    }

    /// Turns away from the late hour.
    pub(super) fn end_late(&mut self) {
        self.late = None;
    }

    /// Turns to hour `now`, if it is another one. The topics that are new are kept.
    pub(super) fn turn(&mut self, now: u64, sessions: &Book) {
        if self.hour != Some(now) {
            self.update(now, sessions);
        }
    }

    /// Watches, for every session, what the hour asks for.
    pub(super) fn update(&mut self, now: u64, sessions: &Book) {
        self.hour = Some(now);
        for (id, session) in sessions.iter() {
            for (number, lane) in session.channel.lanes() {
                if self.is_outdated(now, &(*id, number)) {
                    let new = self.put(now, (*id, number), lane);
                    self.new.extend(new);
                }
            }
        }
    }

    /// Whether there are topics to look back for.
    pub(super) const fn has_new(&self) -> bool {
        !self.new.is_empty()
    }

    /// The topics to look back for that came with an hour.
    pub(super) fn take_new(&mut self) -> Vec<Topic> {
        core::mem::take(&mut self.new)
    }

    /// Keeps topics to look back for.
    pub(super) fn keep_new(&mut self, topics: Vec<Topic>) {
        self.new.extend(topics);
    }

    /// The hour as of which topics are watched, if any change with the hour.
    pub(super) fn hour(&self) -> Option<u64> {
        self.hour.filter(|_| self.spans.values().any(|span| span.hours.is_some()))
    }

    /// Whether a lane is watched for as of another hour.
    fn is_outdated(&self, now: u64, name: &LaneName) -> bool {
        let hours = self.spans.get(name).and_then(|span| span.hours);
        hours.is_some_and(|hours| hours != (now, self.late))
    }

    /// A number for a lane, unused so far.
    fn number(&mut self, name: LaneName) -> u32 {
        while self.lanes.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        self.lanes.insert(self.next, name);
        self.next
    }
}

/// The places that are watched for one lane.
#[derive(Debug, Eq, PartialEq)]
struct Span {
    lane: u32,
    /// The current hour and a late one; none for a fixed topic.
    hours: Option<(u64, Option<u64>)>,
    /// By hour, one more than the highest index that was opened.
    next: BTreeMap<u64, u32>,
}

impl Span {
    fn places(&self) -> impl Iterator<Item = (u64, u32)> {
        let fixed = self.hours.is_none().then_some((0, 0));
        fixed.into_iter().chain(self.epochs().flat_map(move |hour| {
            let reach = self.reach(hour);
            let sparse = (0..PER_HOUR).step_by(STRIDE as usize);
            let sparse = sparse.filter(move |index| *index >= reach && self.is_near(hour));
            (0..reach).chain(sparse).map(move |index| (hour, index))
        }))
    }

    fn holds(&self, (hour, index): (u64, u32)) -> bool {
        if self.hours.is_none() {
            return (hour, index) == (0, 0);
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

/// Hours before the current one that are watched; after it, it is one.
const PAST: u64 = 3;
/// From here on an hour is late,
const LATEST: u64 = PAST + 1;
/// up to here: the longest time to live, and clocks that differ.
const EARLIEST: u64 = 26;
/// An hour is looked up at most once in this time.
const PAUSE: Duration = Duration::from_secs(60);
