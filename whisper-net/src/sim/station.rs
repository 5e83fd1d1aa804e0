//! A site: who is there, by which clock, and its ends of its connections.

use std::collections::BTreeMap;
use std::collections::VecDeque;

use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::actor::Actor;

/// The number of a site: they count from 0.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Site(pub(super) usize);

impl Site {
    /// How many sites there were before this one.
    pub const fn index(self) -> usize {
        self.0
    }
}

/// What is at a site.
pub(super) struct Station {
    /// Nobody while it is stopped.
    pub(super) actor: Option<Box<dyn Actor>>,
    /// How far the clock is ahead, in milliseconds.
    pub(super) ahead: i64,
    /// Only sites of one island are connected.
    pub(super) island: usize,
    pub(super) lines: BTreeMap<PeerId, Line>,
    /// Until when it is at work on what it has read, in true time.
    pub(super) busy: Timestamp,
    /// The deadline that the agenda has, in true time.
    pub(super) due: Option<Timestamp>,
}

impl Station {
    pub(super) fn new(actor: Box<dyn Actor>) -> Self {
        Self {
            actor: Some(actor),
            ahead: 0,
            island: 0,
            lines: BTreeMap::new(),
            busy: Timestamp::default(),
            due: None,
        }
    }

    /// What the clock of this site shows at a true time.
    pub(super) const fn shown(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_millis(time.as_millis().saturating_add_signed(self.ahead))
    }

    /// The true time at which the clock of this site shows `shown`.
    pub(super) const fn truly(&self, shown: Timestamp) -> Timestamp {
        let behind = self.ahead.saturating_neg();
        Timestamp::from_millis(shown.as_millis().saturating_add_signed(behind))
    }
}

/// One end of a connection.
pub(super) struct Line {
    pub(super) link: usize,
    pub(super) to: Site,
    pub(super) known_there_as: PeerId,
    /// When the last packet on the way out arrives: none overtakes another.
    pub(super) arrives: Timestamp,
    /// Bytes that the socket has taken and the other end has not read.
    pub(super) unread: usize,
    /// What the socket has not taken.
    pub(super) queue: VecDeque<Packet>,
    /// What has come and is not read.
    pub(super) inbox: VecDeque<Packet>,
    /// This end is not read before.
    pub(super) throttled: Timestamp,
    /// Whether the agenda knows when to read on.
    pub(super) wakes: bool,
}

impl Line {
    pub(super) const fn new(link: usize, to: Site, known_there_as: PeerId, now: Timestamp) -> Self {
        Self {
            link,
            to,
            known_there_as,
            arrives: now,
            unread: 0,
            queue: VecDeque::new(),
            inbox: VecDeque::new(),
            throttled: now,
            wakes: false,
        }
    }

    /// What the socket takes next, if it has room for it; a packet larger than `buffer` goes alone.
    pub(super) fn take(&mut self, buffer: usize) -> Option<Packet> {
        let length = self.queue.front()?.payload.len();
        let room = self.unread == 0 || self.unread.saturating_add(length) <= buffer;
        let packet = room.then(|| self.queue.pop_front()).flatten()?;
        self.unread = self.unread.saturating_add(length);
        Some(packet)
    }
}

/// A packet on its way.
pub(super) struct Packet {
    pub(super) code: u8,
    pub(super) payload: Vec<u8>,
}
