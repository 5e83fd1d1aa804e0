//! The connections of a node, and what goes out over them.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use super::TICK;
use super::budget::Allowance;
use super::config::Budgets;
use super::config::Config;
use super::connection;
use super::connection::Connection;
use super::contract::Direction;
use super::contract::Event;
use super::contract::Output;
use super::contract::Outputs;
use super::contract::PeerInfo;
use super::contract::Violation;
use super::dice::Dice;
use super::scatter::Scatter;
use super::stem::Candidate;
use super::stem::Member;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::packet;
use crate::packet::Status;
use crate::packet::code;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pool::Entry;
use crate::pool::Origin;
use crate::pool::Pool;
use crate::pool::Slot;
use crate::pow::Rating;
use crate::time::Timestamp;

/// All connections, the budgets of their networks, and the outputs of the step.
#[derive(Debug)]
pub(super) struct Connections {
    pub(super) peers: BTreeMap<PeerId, Connection>,
    /// Whether batches are acknowledged, with peers that do so too.
    pub(super) acknowledges: bool,
    budgets: Option<Budgets>,
    /// Kept until they are full again, so that a new connection begins with what the last one left.
    allowances: BTreeMap<Network, Allowance>,
    /// Whether envelopes are taken by stems and passed on, with peers that do so too.
    pub(super) stems: bool,
    /// Whether peers have become ready or have gone since this was last looked at.
    pub(super) roster_changed: bool,
    /// What begins here, where the author of an envelope is hidden.
    pub(super) scatter: Option<Scatter>,
    outputs: VecDeque<Output>,
}

/// How an envelope has come into the pool.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    /// The peer that brought it, or nobody.
    pub(super) from: Option<PeerId>,
    pub(super) origin: Origin,
    /// Whether it begins its flood here. Then it is for all, also for the one that brought it: that
    /// may have no other peer.
    pub(super) begins: bool,
    /// The peer that had it from us before, to flood it.
    pub(super) handed: Option<PeerId>,
}

impl Arrival {
    /// One of ours, which begins here.
    pub(super) const OWN: Self =
        Self { from: None, origin: Origin::Own, begins: true, handed: None };
}

impl Connections {
    pub(super) fn new(config: &Config, secret: &[u8; 32]) -> Self {
        Self {
            peers: BTreeMap::new(),
            acknowledges: config.acknowledges,
            budgets: config.budgets,
            allowances: BTreeMap::new(),
            stems: config.stem.is_some_and(|stem| stem.relays > 0),
            roster_changed: false,
            scatter: config.stem.map(|stem| Scatter::new(Dice::new(secret), stem.scatter)),
            outputs: VecDeque::new(),
        }
    }

    /// Adds a connection, unless its number is known.
    pub(super) fn insert(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        direction: Direction,
        network: Network,
    ) -> bool {
        let is_new = !self.peers.contains_key(&peer);
        if is_new {
            self.forget_full_allowances(now);
            if let Some(budgets) = &self.budgets {
                self.allowances.entry(network).or_insert_with(|| Allowance::full(budgets, now));
            }
            self.peers.insert(peer, Connection::new(now, direction, network));
        }
        is_new
    }

    pub(super) fn remove(&mut self, peer: PeerId) -> bool {
        self.roster_changed = true;
        self.peers.remove(&peer).is_some()
    }

    pub(super) fn get(&self, peer: PeerId) -> Option<&Connection> {
        self.peers.get(&peer)
    }

    pub(super) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Connection> {
        self.peers.get_mut(&peer)
    }

    /// What has been asked for and not been carried out.
    pub(super) const fn outputs(&mut self) -> Outputs<'_> {
        Outputs::new(&mut self.outputs)
    }

    pub(super) fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }

    pub(super) fn transmit(&mut self, now: Timestamp, peer: PeerId, code: u8, payload: Vec<u8>) {
        if let Some(connection) = self.peers.get_mut(&peer) {
            connection.window.sent(now, payload.len(), Vec::new());
            self.outputs.push_back(Output::Transmit { peer, code, payload });
        }
    }

    /// Sends a packet of envelopes past the line of a peer; those in `own` are ours.
    pub(super) fn transmit_envelopes(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        code: u8,
        payload: Vec<u8>,
        own: Vec<EnvelopeHash>,
    ) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        if code == code::MESSAGES && connection.acknowledges() && self.acknowledges {
            connection.expect_answer(&payload, own.clone());
        }
        connection.window.sent(now, payload.len(), own);
        self.outputs.push_back(Output::Transmit { peer, code, payload });
    }

    /// Sends a packet to every peer.
    pub(super) fn announce(&mut self, now: Timestamp, code: u8, payload: &[u8]) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.transmit(now, peer, code, payload.to_vec()));
    }

    pub(super) fn cut(&mut self, peer: PeerId, violation: Violation) {
        if self.remove(peer) {
            self.outputs.push_back(Output::Disconnect(peer, violation));
        }
    }

    pub(super) fn penalise(&mut self, peer: PeerId, points: u32) {
        if self.get_mut(peer).is_some_and(|connection| connection.penalise(points)) {
            self.cut(peer, Violation::Unwanted);
        }
    }

    /// Cuts those that have said nothing or taken nothing for too long.
    pub(super) fn cut_the_late(&mut self, now: Timestamp) {
        let late = |(peer, connection): (&PeerId, &Connection)| {
            if !connection.is_ready() && connection.status_due() <= now {
                return Some((*peer, Violation::Silent));
            }
            let stalled = connection.window.stalls_at().is_some_and(|at| at <= now);
            stalled.then_some((*peer, Violation::Stalled))
        };
        let late: Vec<_> = self.peers.iter().filter_map(late).collect();
        late.into_iter().for_each(|(peer, violation)| self.cut(peer, violation));
    }

    /// The budgets that bind a peer now: those that came to us and are not trusted always, everybody
    /// while the node is contended.
    pub(super) fn allowance(&mut self, peer: PeerId, contended: bool) -> Option<&mut Allowance> {
        let connection = self.peers.get(&peer)?;
        let stranger = connection.direction == Direction::Inbound && !connection.trusted;
        self.allowances.get_mut(&connection.network).filter(|_| contended || stranger)
    }

    /// Leaves a peer unread that is over its budget, or of which a packet waits.
    pub(super) fn throttle(&mut self, now: Timestamp, peer: PeerId, contended: bool) {
        let debt = self.allowance(peer, contended).and_then(|own| own.in_debt_until(now));
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        let waits = !connection.backlog.is_empty();
        if waits {
            let tick = now.saturating_add(TICK);
            // A few envelopes at a time, not one as soon as it is paid for.
            connection.backlog_due = debt.map_or(tick, |debt| debt.saturating_add(INSTALMENT));
        }
        let until = debt.max(waits.then(|| now.saturating_add(TICK)));
        self.outputs.extend(until.map(|until| Output::Throttle(peer, until)));
    }

    /// Offers a new envelope to all but the one that brought it; to that one too, and to each at a
    /// moment of its own, if the envelope begins here.
    pub(super) fn offer(
        &mut self,
        now: Timestamp,
        pool: &Pool,
        slot: Slot,
        arrival: Arrival,
        light: bool,
    ) {
        let Some(entry) = pool.get(slot) else { return };
        let relayed = entry.is_own() || !light || arrival.begins;
        let mut scatter = self.scatter.as_mut().filter(|_| arrival.begins);
        let waits = scatter.as_mut().is_some_and(|scatter| scatter.begin(slot, arrival.from));
        for (peer, connection) in &mut self.peers {
            let brought = Some(*peer) == arrival.from && !arrival.begins;
            let brought = brought || Some(*peer) == arrival.handed;
            connection.window.line.replace(slot, brought);
            if brought || !relayed || !connection.wants(now, entry) {
                continue;
            }
            match scatter.as_mut().filter(|_| waits) {
                Some(scatter) => {
                    scatter.wait(now, slot, entry.envelope(), *peer);
                }
                None => connection.window.line.push(entry.rating(), slot),
            }
        }
    }

    /// Whether the envelope in `slot` begins its flood here, and peers wait for it.
    pub(super) fn is_scattering(&self, slot: Slot) -> bool {
        self.scatter.as_ref().is_some_and(|scatter| scatter.contains(slot))
    }

    /// The ready peers, as those who may have an envelope next.
    pub(super) fn candidates(
        &self,
        now: Timestamp,
        envelope: &Envelope,
        rating: Rating,
    ) -> Vec<Candidate> {
        let ready = self.peers.iter().filter_map(|(peer, connection)| {
            let status = connection.status()?;
            Some(Candidate {
                peer: *peer,
                direction: connection.direction,
                stems: status.stems,
                light: status.light,
                wants: connection::wants(&status, now, envelope, rating),
                has_room: connection.window.is_open(),
            })
        });
        ready.collect()
    }

    /// The ready peers, as possible relays.
    pub(super) fn members(&self) -> Vec<Member> {
        let ready = self.peers.iter().filter_map(|(peer, connection)| {
            let Status { stems, light, .. } = connection.status()?;
            Some(Member { peer: *peer, direction: connection.direction, stems, light })
        });
        ready.collect()
    }

    /// Relays the envelope in `slot` as any other from now on: others do, and who did not would have
    /// begun with it.
    pub(super) fn end_waits(&mut self, pool: &Pool, slot: Slot) {
        let Some(scatter) = &mut self.scatter else { return };
        for peer in scatter.end(slot) {
            let connection = self.peers.get_mut(&peer);
            if let Some((connection, entry)) = connection.zip(pool.get(slot)) {
                connection.window.line.push(entry.rating(), slot);
            }
        }
    }

    /// Lines up what peers have waited for.
    pub(super) fn line_up_due(&mut self, now: Timestamp, pool: &Pool) {
        let Some(scatter) = &mut self.scatter else { return };
        for _ in 0..CELLS_PER_STEP {
            let is_here = |peer| self.peers.contains_key(&peer);
            let Some((slot, peer)) = scatter.pop(now, is_here) else { break };
            let connection = self.peers.get_mut(&peer);
            if let Some((connection, entry)) = connection.zip(pool.get(slot)) {
                connection.window.line.push(entry.rating(), slot);
            }
        }
    }

    /// Offers the pool to those that are new or have come to want more, a slice at a time so that no
    /// step takes long.
    pub(super) fn rescan(&mut self, now: Timestamp, pool: &Pool, light: bool) {
        self.peers.values_mut().for_each(|connection| connection.rescan_if_due(now));
        let scanning = self.peers.values().filter(|peer| peer.window.line.is_scanning()).count();
        let cells = CELLS_PER_STEP.checked_div(scanning).unwrap_or_default().max(1);
        for (peer, connection) in &mut self.peers {
            let Some(status) = connection.status() else { continue };
            if connection.window.line.is_scanning() {
                let scatter = &mut self.scatter;
                // Who connects anew, or changes what it wants, waits for what begins here as others do.
                let mut waits = |slot, entry: &Entry| {
                    let scatter = scatter.as_mut();
                    scatter.is_some_and(|all| all.wait(now, slot, entry.envelope(), *peer))
                };
                let wanted = |slot, entry: &Entry| {
                    let relayed = entry.is_own() || !light;
                    let wants = connection::wants(&status, now, entry.envelope(), entry.rating());
                    relayed && wants && !waits(slot, entry)
                };
                connection.window.line.scan(pool, cells, wanted);
            }
        }
    }

    /// Hands out packets while windows have room.
    pub(super) fn flush(&mut self, now: Timestamp, pool: &Pool) {
        for (peer, connection) in &mut self.peers {
            let Some(status) = connection.status() else { continue };
            let wanted =
                |entry: &Entry| connection::wants(&status, now, entry.envelope(), entry.rating());
            while let Some(batch) = connection.window.next_batch(pool, wanted) {
                let payload = packet::encode_messages(&batch.envelopes);
                if status.acknowledges && self.acknowledges {
                    connection.expect_answer(&payload, batch.own.clone());
                }
                connection.window.sent(now, payload.len(), batch.own);
                let (peer, code) = (*peer, code::MESSAGES);
                self.outputs.push_back(Output::Transmit { peer, code, payload });
            }
        }
    }

    /// The next moment at which something is due on a connection.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let waits = self.scatter.as_ref().and_then(Scatter::deadline);
        self.peers.values().filter_map(Connection::deadline).chain(waits).min()
    }

    /// What is known about each peer.
    pub(super) fn info(&self, now: Timestamp) -> impl Iterator<Item = PeerInfo> {
        let we = (self.acknowledges, self.stems);
        self.peers.iter().map(move |(peer, connection)| connection.info(*peer, now, we))
    }

    /// Moves all moments back, after the clock was set back by as much.
    pub(super) fn shift_back(&mut self, by: Duration) {
        self.peers.values_mut().for_each(|connection| connection.shift_back(by));
        self.allowances.values_mut().for_each(|allowance| allowance.shift_back(by));
        self.scatter.iter_mut().for_each(|scatter| scatter.shift_back(by));
    }

    /// Forgets the budgets of networks that are gone, once they are full. If too many are gone that
    /// are not, they are forgotten all the same.
    fn forget_full_allowances(&mut self, now: Timestamp) {
        let used: BTreeSet<Network> = self.peers.values().map(|peer| peer.network).collect();
        let many = self.allowances.len() >= used.len().saturating_add(MOST_REMEMBERED);
        self.allowances.retain(|network, allowance| {
            used.contains(network) || !many && !allowance.is_full(now)
        });
    }
}

/// How many cells of the pool all scans of one step look at: some 0.3 ms of work.
const CELLS_PER_STEP: usize = 16 * 1_024;
/// How much longer than until its debt is paid a packet waits whose rest is judged then.
const INSTALMENT: Duration = Duration::from_millis(50);
/// Chosen: more networks than that do not come and go while a budget fills, some eight seconds.
const MOST_REMEMBERED: usize = 1_024;
