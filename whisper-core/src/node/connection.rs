//! What a node knows of one peer.

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::contract::Direction;
use super::contract::PeerInfo;
use super::intake::Judged;
use super::skew::SkewMeter;
use super::window::Window;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::hash::keccak256;
use crate::packet::Refusal;
use crate::packet::Status;
use crate::packet::code;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pool::Entry;
use crate::pow::Rating;
use crate::time::Timestamp;
use crate::topic::Bloom;

/// One connection.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) direction: Direction,
    pub(super) trusted: bool,
    pub(super) window: Window,
    pub(super) network: Network,
    /// Packets whose envelopes are not all judged yet.
    pub(super) backlog: VecDeque<Packet>,
    /// When to go on with them.
    pub(super) backlog_due: Timestamp,
    pub(super) skew: SkewMeter,
    batches: VecDeque<OwnBatch>,
    owed: Owed,
    status: Option<Status>,
    since: Timestamp,
    penalty: u32,
    rescan: Rescan,
}

/// A packet whose envelopes are not all judged yet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) payload: Vec<u8>,
    pub(super) judged: Judged,
}

/// A packet that carried envelopes of ours, until the peer says that it has judged it.
#[derive(Debug)]
struct OwnBatch {
    hash: [u8; 32],
    own: Vec<EnvelopeHash>,
}

/// How many answers a peer may still send: one of each kind for each packet of envelopes, whoever
/// wrote what is in it.
#[derive(Debug, Default)]
struct Owed {
    acknowledgements: u32,
    responses: u32,
}

/// When the pool is offered anew to a peer that now wants more.
#[derive(Debug, Default)]
struct Rescan {
    wanted: bool,
    last: Option<Timestamp>,
}

impl Connection {
    pub(super) fn new(now: Timestamp, direction: Direction, network: Network) -> Self {
        Self {
            direction,
            trusted: false,
            window: Window::default(),
            network,
            backlog: VecDeque::new(),
            backlog_due: now,
            skew: SkewMeter::default(),
            batches: VecDeque::new(),
            owed: Owed::default(),
            status: None,
            since: now,
            penalty: 0,
            rescan: Rescan::default(),
        }
    }

    /// Takes in the peer's first packet: it is ready now, and is offered all there is.
    pub(super) fn introduce(&mut self, status: Status) {
        self.status = Some(status);
        self.rescan.wanted = true;
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.status.is_some()
    }

    pub(super) fn acknowledges(&self) -> bool {
        self.status.is_some_and(|status| status.acknowledges)
    }

    pub(super) fn stems(&self) -> bool {
        self.status.is_some_and(|status| status.stems)
    }

    /// Whether the peer accepts an envelope of the pool.
    pub(super) fn wants(&self, now: Timestamp, entry: &Entry) -> bool {
        self.status.is_some_and(|status| wants(&status, now, entry.envelope(), entry.rating()))
    }

    /// What the peer accepts, for use while its window is borrowed.
    pub(super) const fn status(&self) -> Option<Status> {
        self.status
    }

    pub(super) fn set_min_rating(&mut self, min: Rating) {
        if let Some(status) = &mut self.status {
            self.rescan.wanted |= min < status.min_rating;
            status.min_rating = min;
        }
    }

    pub(super) fn set_bloom(&mut self, bloom: Bloom) {
        if let Some(status) = &mut self.status {
            self.rescan.wanted = true;
            status.bloom = Some(bloom).filter(|bloom| !bloom.is_full());
        }
    }

    /// Has the pool offered anew, if the peer wants more and has not asked for it just before: one
    /// that changes its topics without end makes us look through the pool once in five seconds.
    pub(super) fn rescan_if_due(&mut self, now: Timestamp) {
        if self.rescan_at().is_some_and(|at| at <= now) {
            self.rescan = Rescan { wanted: false, last: Some(now) };
            self.window.line.request_scan();
        }
    }

    fn rescan_at(&self) -> Option<Timestamp> {
        let earliest = |last: Timestamp| last.saturating_add(RESCAN_PAUSE);
        self.rescan.wanted.then(|| self.rescan.last.map_or(Timestamp::default(), earliest))
    }

    /// Counts what a peer should not do and may have done by mistake; true when it is enough.
    pub(super) fn penalise(&mut self, points: u32) -> bool {
        self.penalty = self.penalty.saturating_add(points);
        self.penalty >= PENALTY_LIMIT
    }

    /// Forgives a little for an envelope that was in order.
    pub(super) fn reward(&mut self) {
        self.penalty = self.penalty.saturating_sub(1);
    }

    /// Notes that a packet of envelopes goes out, for which the peer owes an answer, and remembers
    /// its hash if there are envelopes of ours in it; of more than 64 the oldest is forgotten.
    pub(super) fn expect_answer(&mut self, payload: &[u8], own: Vec<EnvelopeHash>) {
        self.owed.acknowledgements = self.owed.acknowledgements.saturating_add(1);
        self.owed.responses = self.owed.responses.saturating_add(1);
        if own.is_empty() {
            return;
        }
        if self.batches.len() >= BATCHES {
            self.batches.pop_front();
        }
        self.batches.push_back(OwnBatch { hash: keccak256(payload), own });
    }

    /// Whether the peer owes an answer that such a packet would be.
    pub(super) const fn owes(&self, code: u8) -> bool {
        match code {
            code::BATCH_ACKNOWLEDGED => self.owed.acknowledgements > 0,
            code::MESSAGES_RESPONSE => self.owed.responses > 0,
            _ => false,
        }
    }

    /// The own envelopes of a packet that the peer has judged; the packet is forgotten. Nothing, if
    /// the peer owed no acknowledgement.
    pub(super) fn acknowledged(&mut self, batch: &[u8; 32]) -> Option<Vec<EnvelopeHash>> {
        self.owed.acknowledgements = self.owed.acknowledgements.checked_sub(1)?;
        let at = self.batches.iter().position(|own| own.hash == *batch);
        Some(at.and_then(|at| self.batches.remove(at)).map(|own| own.own).unwrap_or_default())
    }

    /// Those of `refused` that were our own and in this packet; they are forgotten. Nothing, if the
    /// peer owed no response.
    pub(super) fn refused(
        &mut self,
        batch: &[u8; 32],
        refused: Vec<(EnvelopeHash, Refusal)>,
    ) -> Option<Vec<(EnvelopeHash, Refusal)>> {
        self.owed.responses = self.owed.responses.checked_sub(1)?;
        let Some(batch) = self.batches.iter_mut().find(|own| own.hash == *batch) else {
            return Some(Vec::new());
        };
        let refused: BTreeMap<EnvelopeHash, Refusal> = refused.into_iter().collect();
        let why = |hash: &EnvelopeHash| refused.get(hash).map(|why| (*hash, *why));
        let out = batch.own.iter().filter_map(why).collect();
        batch.own.retain(|hash| !refused.contains_key(hash));
        Some(out)
    }

    /// The next moment at which something is due, whatever it is.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let status = (!self.is_ready()).then(|| self.status_due());
        let backlog = (!self.backlog.is_empty()).then_some(self.backlog_due);
        let scan = self.window.line.is_scanning().then(Timestamp::default);
        let stall = self.window.stalls_at();
        [status, backlog, self.rescan_at(), scan, stall].into_iter().flatten().min()
    }

    /// By when the peer must have said who it is.
    pub(super) fn status_due(&self) -> Timestamp {
        self.since.saturating_add(STATUS_TIMEOUT)
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        self.since = self.since.saturating_sub(by);
        self.rescan.last = self.rescan.last.map(|last| last.saturating_sub(by));
        self.window.shift_back(by);
        self.backlog_due = self.backlog_due.saturating_sub(by);
    }

    pub(super) fn info(
        &self,
        peer: PeerId,
        now: Timestamp,
        (we_acknowledge, we_stem): (bool, bool),
    ) -> PeerInfo {
        let status = self.status.unwrap_or(UNKNOWN);
        PeerInfo {
            peer,
            direction: self.direction,
            ready: self.is_ready(),
            trusted: self.trusted,
            min_rating: status.min_rating,
            bloom: status.bloom,
            light: status.light,
            acknowledges: status.acknowledges && we_acknowledge,
            stems: status.stems && we_stem,
            unwritten: self.window.unwritten(),
            skew: self.skew.skew(now),
        }
    }
}

/// Whether a peer of this status accepts an envelope of this rating.
pub(super) fn wants(status: &Status, now: Timestamp, envelope: &Envelope, rating: Rating) -> bool {
    rating >= status.min_rating
        && envelope.expiry() >= now.as_secs()
        && envelope.encoded_len() <= LARGEST
        && status.bloom.is_none_or(|bloom| bloom.admits(envelope.topic()))
}

/// What a peer is taken for before it has said who it is.
const UNKNOWN: Status = Status {
    min_rating: Rating::ZERO,
    bloom: None,
    light: false,
    acknowledges: false,
    stems: false,
};
/// The largest envelope that fits into a packet of 1 MiB behind its list header: nothing tells what
/// peers take, this is the default of go-ethereum.
const LARGEST: usize = 1024 * 1024 - 4;
/// The reference waits for ever; Parity and nim-eth wait so long.
const STATUS_TIMEOUT: Duration = Duration::from_secs(5);
/// Chosen: who changes its topics more often gains nothing by it.
const RESCAN_PAUSE: Duration = Duration::from_secs(5);
/// Chosen: fifty envelopes rated too low, and not one in order, are no mistake.
const PENALTY_LIMIT: u32 = 100;
/// How many packets with envelopes of ours are remembered for each peer.
const BATCHES: usize = 64;
