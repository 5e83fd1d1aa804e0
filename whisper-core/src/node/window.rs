//! What goes out to one peer: best rated first, and never more than the window unwritten.

use alloc::collections::VecDeque;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use super::line::Line;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::pool::Entry;
use crate::pool::Pool;
use crate::time::Timestamp;
use crate::unwritten::Unwritten;

/// The way out to one peer.
///
/// What has been handed out leaves in that order, whatever comes after it. So the window is narrowed
/// while the peer takes long to read: there is little that a better envelope has to wait behind.
#[derive(Debug)]
pub(super) struct Window {
    pub(super) line: Line,
    in_flight: VecDeque<Flight>,
    /// The own envelopes in flight, each with what was handed out up to its end.
    own: VecDeque<(u64, EnvelopeHash)>,
    handed_out: u64,
    unwritten: Unwritten,
    /// What may be unwritten now, in bytes.
    width: usize,
    /// When it was last narrowed: what was handed out before tells nothing new.
    narrowed: Timestamp,
}

/// Bytes that were handed out together and not taken yet, whoever wrote what is among them.
#[derive(Debug)]
struct Flight {
    bytes: usize,
    since: Timestamp,
}

/// What fits into one packet.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) envelopes: Vec<Arc<Envelope>>,
    pub(super) own: Vec<EnvelopeHash>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            line: Line::default(),
            in_flight: VecDeque::new(),
            own: VecDeque::new(),
            handed_out: 0,
            unwritten: Unwritten::default(),
            width: FIRST,
            narrowed: Timestamp::default(),
        }
    }
}

impl Window {
    /// The next packet of what is lined up and still `wanted`, if the window has room.
    pub(super) fn next_batch(
        &mut self,
        pool: &Pool,
        wanted: impl Fn(&Entry) -> bool,
    ) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut bytes = 0_usize;
        let full = PACKET.min(self.width / 4);
        while self.unwritten.bytes() < self.width && bytes < full {
            let Some(entry) = self.line.peek(pool, &wanted) else { break };
            let length = entry.envelope().encoded_len();
            if bytes > 0 && bytes.saturating_add(length) > full {
                break;
            }
            bytes = bytes.saturating_add(length);
            if entry.is_own() {
                batch.own.push(entry.envelope().hash());
            }
            batch.envelopes.push(Arc::clone(entry.envelope()));
            self.line.pop();
        }
        (!batch.envelopes.is_empty()).then_some(batch)
    }

    /// Notes that a packet of `bytes` was handed out.
    pub(super) fn sent(&mut self, now: Timestamp, bytes: usize, own: Vec<EnvelopeHash>) {
        self.unwritten.sent(now, bytes);
        self.handed_out = self.handed_out.saturating_add(bytes as u64);
        self.own.extend(own.into_iter().map(|hash| (self.handed_out, hash)));
        let alike = |flight: &&mut Flight| now.saturating_since(flight.since) < TOGETHER;
        match self.in_flight.back_mut().filter(alike) {
            Some(flight) => flight.bytes = flight.bytes.saturating_add(bytes),
            None => self.in_flight.push_back(Flight { bytes, since: now }),
        }
    }

    /// Notes that the socket took `bytes`, and returns the own envelopes that have left with them.
    pub(super) fn written(&mut self, now: Timestamp, bytes: usize) -> Vec<EnvelopeHash> {
        self.pace(now);
        let mut left = self.unwritten.written(now, bytes);
        while let Some(flight) = self.in_flight.front_mut() {
            if flight.bytes > left {
                flight.bytes = flight.bytes.saturating_sub(left);
                break;
            }
            left = left.saturating_sub(flight.bytes);
            self.in_flight.pop_front();
        }
        let taken = self.handed_out.saturating_sub(self.unwritten.bytes() as u64);
        let left = self.own.iter().take_while(|(end, _)| *end <= taken).count();
        self.own.drain(..left).map(|(_, hash)| hash).collect()
    }

    /// Narrows or widens the window by how long the peer takes for what was handed out.
    fn pace(&mut self, now: Timestamp) {
        let Some(since) = self.in_flight.front().map(|flight| flight.since) else { return };
        let took = now.saturating_since(since);
        if took > SLOW && since >= self.narrowed {
            self.narrowed = now;
            self.width = (self.width / 2).max(NARROWEST);
        } else if took < QUICK {
            self.width = self.width.saturating_mul(2).min(WINDOW);
        }
    }

    /// Whether there is room for what must not wait behind much.
    pub(super) const fn is_open(&self) -> bool {
        self.unwritten.bytes() < self.width
    }

    /// Whether there is room for another packet.
    pub(super) const fn has_room(&self) -> bool {
        self.unwritten.bytes() < WINDOW
    }

    /// Bytes that the socket has not taken yet.
    pub(super) const fn unwritten(&self) -> usize {
        self.unwritten.bytes()
    }

    /// When the peer is given up, if it takes nothing until then.
    pub(super) fn stalls_at(&self) -> Option<Timestamp> {
        self.unwritten.stalls_at(PATIENCE)
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        self.unwritten.shift_back(by);
        self.narrowed = self.narrowed.saturating_sub(by);
        for flight in &mut self.in_flight {
            flight.since = flight.since.saturating_sub(by);
        }
    }
}

/// What may be unwritten for one peer, in bytes: a slow one costs this and no more.
const WINDOW: usize = 1024 * 1024;
/// What may be unwritten before it is known how fast the peer is.
const FIRST: usize = 64 * 1024;
/// What may be unwritten for the slowest.
const NARROWEST: usize = 16 * 1024;
/// A window through which everything takes longer than this is too wide. Chosen, a quarter of what
/// people wait for without noticing.
const SLOW: Duration = Duration::from_millis(250);
/// A window through which everything takes less may be wider.
const QUICK: Duration = Duration::from_millis(50);
/// What is handed out within so long is remembered together.
const TOGETHER: Duration = Duration::from_millis(20);
/// What one packet of several envelopes holds at most, in bytes, and never more than a quarter of the
/// window. A guess between latency and overhead; a larger envelope goes alone.
const PACKET: usize = 64 * 1024;
/// A peer that takes nothing for so long is given up (go-ethereum's write deadline).
const PATIENCE: Duration = Duration::from_secs(20);
