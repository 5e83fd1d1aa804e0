//! The relay engine: `shh/6` as a state machine that does no I/O and reads no clock.
//!
//! A driver owns sockets and time. It feeds the node one [`Input`] after the other, each with the
//! time, and carries out the [`Output`]s of each step before it begins the next, as the borrow
//! checker demands. Between inputs it sleeps until [`Node::poll_timeout`].
//!
//! ```
//! use whisper_core::node::{Config, Direction, Input, Node, Output};
//! use whisper_core::peer::PeerId;
//! use whisper_core::time::Timestamp;
//!
//! let mut node = Node::new(Config::default(), [7; 32]);
//! let now = Timestamp::from_secs(1_600_000_000);
//! let peer = PeerId::new(1);
//! for output in node.handle(now, Input::Connected { peer, direction: Direction::Outbound }) {
//!     if let Output::Transmit { peer, code, payload } = output {
//!         println!("send packet {code} of {} bytes to {peer:?}", payload.len());
//!     }
//! }
//! assert!(node.poll_timeout().is_some_and(|deadline| deadline > now));
//! ```
//!
//! The node relays what it cannot read: it holds no key.

mod admission;
mod budget;
mod config;
mod connection;
mod contract;
mod demand;
mod intake;
mod line;
mod skew;
mod window;

use alloc::collections::BTreeMap;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::time::Duration;

use self::admission::Policy;
use self::connection::Connection;
use self::demand::Demand;
use crate::envelope::Envelope;
use crate::packet;
use crate::packet::Status;
use crate::packet::code;
use crate::peer::PeerId;
use crate::pool::Entry;
use crate::pool::Limits;
use crate::pool::Pool;
use crate::pool::Slot;
use crate::pow::Rating;
use crate::time::Timestamp;
use crate::topic::Bloom;

pub use self::config::Budget;
pub use self::config::Budgets;
pub use self::config::Config;
pub use self::contract::Departure;
pub use self::contract::Direction;
pub use self::contract::Event;
pub use self::contract::Input;
pub use self::contract::Output;
pub use self::contract::Outputs;
pub use self::contract::PeerInfo;
pub use self::contract::Rejection;
pub use self::contract::SettingError;
pub use self::contract::Violation;
pub use self::skew::Skew;

/// A node of the network.
///
/// After [`Output::Disconnect`] it has forgotten the peer; input for a peer that it does not know
/// and a second [`Input::Connected`] are ignored.
#[derive(Debug)]
pub struct Node {
    config: Config,
    policy: Policy,
    demand: Demand,
    pool: Pool,
    peers: BTreeMap<PeerId, Connection>,
    outputs: VecDeque<Output>,
    now: Timestamp,
    busy: bool,
}

impl Node {
    /// A node without peers. `secret` keeps others from choosing where the pool files what they
    /// send: draw it anew for each node.
    pub fn new(config: Config, secret: [u8; 32]) -> Self {
        Self {
            policy: Policy::new(&config),
            demand: Demand::default(),
            pool: Pool::new(Limits { bytes: config.pool_bytes, guarded: config.guarded }, secret),
            config,
            peers: BTreeMap::new(),
            outputs: VecDeque::new(),
            now: Timestamp::default(),
            busy: false,
        }
    }

    /// Takes one step.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Outputs<'_> {
        self.advance(now);
        match input {
            Input::Connected { peer, direction } => self.connect(peer, direction),
            Input::Disconnected(peer) => {
                self.peers.remove(&peer);
            }
            Input::Received { peer, code, payload } => self.receive(peer, code, payload),
            Input::Written { peer, bytes } => self.written(peer, bytes),
            Input::Timeout => {}
        }
        self.finish()
    }

    /// Takes a sealed envelope of our own into the pool, from where it goes to all who want it.
    ///
    /// # Errors
    /// [`Rejection`]: peers would say the same.
    pub fn publish(
        &mut self,
        now: Timestamp,
        envelope: Envelope,
    ) -> Result<Outputs<'_>, Rejection> {
        self.advance(now);
        self.admit(None, envelope)?;
        Ok(self.finish())
    }

    /// Sends an envelope to one peer, past pool and network. It takes it if it trusts us.
    ///
    /// # Errors
    /// [`SettingError`] if the peer is not ready or not able to take it.
    pub fn send_direct(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        envelope: &Envelope,
    ) -> Result<Outputs<'_>, SettingError> {
        self.advance(now);
        let max = self.config.max_message_size;
        if envelope.encoded_len() > max {
            return Err(SettingError::TooLarge { max });
        }
        let connection = self.peers.get(&peer).filter(|connection| connection.is_ready());
        let connection = connection.ok_or(SettingError::UnknownPeer)?;
        if !connection.window.has_room() {
            return Err(SettingError::Busy);
        }
        self.transmit(peer, code::DIRECT, packet::encode_direct(envelope));
        Ok(self.finish())
    }

    /// Sets the least rating that is taken, and tells the peers. What they send by the old one is
    /// tolerated for ten seconds. While the pool is nearly full more may be demanded than this.
    pub fn set_min_rating(&mut self, now: Timestamp, min: Rating) -> Outputs<'_> {
        self.advance(now);
        self.config.min_rating = min;
        self.require(self.demand.least(min));
        self.finish()
    }

    /// Sets the topics that are wanted, all of them where there is none, and tells the peers. What
    /// they send by the old ones is tolerated for ten seconds.
    pub fn set_bloom(&mut self, now: Timestamp, bloom: Option<Bloom>) -> Outputs<'_> {
        self.advance(now);
        self.policy.bloom.set(now, bloom);
        self.announce(code::BLOOM, &packet::encode_bloom(&bloom.unwrap_or(Bloom::FULL)));
        self.finish()
    }

    /// Sets whether envelopes of others are not relayed. Only peers that connect from now on are
    /// told: the protocol has no packet for it.
    pub fn set_light(&mut self, now: Timestamp, light: bool) -> Outputs<'_> {
        self.advance(now);
        self.config.light = light;
        self.finish()
    }

    /// Sets whether direct messages of a peer are taken, and whether budgets bind it.
    ///
    /// # Errors
    /// [`SettingError::UnknownPeer`] if it is not connected.
    pub fn set_trusted(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        trusted: bool,
    ) -> Result<Outputs<'_>, SettingError> {
        self.advance(now);
        self.peers.get_mut(&peer).ok_or(SettingError::UnknownPeer)?.trusted = trusted;
        Ok(self.finish())
    }

    /// Says that the host has more work than it can do: budgets bind every peer until it has not.
    pub fn set_busy(&mut self, now: Timestamp, busy: bool) -> Outputs<'_> {
        self.advance(now);
        self.busy = busy;
        self.finish()
    }

    /// When to call [`Node::handle`] with [`Input::Timeout`], if nothing else comes first. Always
    /// later than the last step.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let peers = self.peers.values().filter_map(Connection::deadline);
        let own = [self.pool.next_expiry(), self.demand.deadline(&self.pool)];
        let earliest = peers.chain(own.into_iter().flatten()).min()?;
        Some(earliest.max(self.now.saturating_add(TICK)))
    }

    /// What is known about each peer.
    pub fn peers(&self) -> impl Iterator<Item = PeerInfo> {
        let acknowledges = self.config.acknowledges;
        let now = self.now;
        self.peers.iter().map(move |(peer, connection)| connection.info(*peer, now, acknowledges))
    }

    /// The envelopes that are held.
    pub const fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The least rating that is taken now: the one that was set, or more while space is short.
    pub const fn min_rating(&self) -> Rating {
        *self.policy.min_rating.current()
    }

    /// What an envelope of ours should be rated to find a place in pools like this one: what is
    /// demanded, and four times what the worst here counts while the pool is nearly full.
    pub fn advised_rating(&self) -> Rating {
        let advised = self.demand.advised(&self.pool).filter(|_| self.config.guarded);
        self.min_rating().max(advised.unwrap_or_default())
    }

    /// The topics that are wanted; all of them where there is none.
    pub const fn bloom(&self) -> Option<Bloom> {
        *self.policy.bloom.current()
    }

    /// Notes the time. Where the clock was set back, all that peers wait for moves with it, once, so
    /// that it neither stalls nor frees anybody.
    fn advance(&mut self, now: Timestamp) {
        let back = self.now.saturating_since(now);
        if back > Duration::ZERO {
            self.peers.values_mut().for_each(|connection| connection.shift_back(back));
            self.demand.shift_back(back);
        }
        self.now = now;
    }

    fn connect(&mut self, peer: PeerId, direction: Direction) {
        if self.peers.contains_key(&peer) {
            return;
        }
        let budgets = self.config.budgets.as_ref();
        self.peers.insert(peer, Connection::new(self.now, direction, budgets));
        let status = Status {
            min_rating: self.min_rating(),
            bloom: self.bloom(),
            light: self.config.light,
            acknowledges: self.config.acknowledges,
        };
        self.transmit(peer, code::STATUS, status.encode());
    }

    fn written(&mut self, peer: PeerId, bytes: usize) {
        let Some(connection) = self.peers.get_mut(&peer) else { return };
        for (slot, hash) in connection.window.written(self.now, bytes) {
            self.pool.mark_sent(slot);
            self.outputs.push_back(Output::Event(Event::Sent { hash, to: peer }));
        }
    }

    /// Does what is due, sends what there is room for, and hands out what was asked for.
    fn finish(&mut self) -> Outputs<'_> {
        self.expire();
        self.cut_the_late();
        self.work_off_backlogs();
        self.adapt_demand();
        self.rescan();
        self.flush();
        Outputs(&mut self.outputs)
    }

    /// Removes what has expired, a slice at a time so that no step takes long.
    fn expire(&mut self) {
        for gone in self.pool.expire(self.now, EXPIRED_PER_STEP) {
            if gone.is_own() {
                self.gone(&gone.envelope, Departure::Expired);
            }
        }
    }

    fn gone(&mut self, envelope: &Envelope, why: Departure) {
        self.emit(Event::Gone { hash: envelope.hash(), why });
    }

    fn cut_the_late(&mut self) {
        let now = self.now;
        let late = |connection: &Connection| {
            if !connection.is_ready() && connection.status_due() <= now {
                return Some(Violation::Silent);
            }
            let stalled = connection.window.stalls_at().is_some_and(|at| at <= now);
            stalled.then_some(Violation::Stalled)
        };
        while let Some((peer, violation)) =
            self.peers.iter().find_map(|(peer, connection)| Some((*peer, late(connection)?)))
        {
            self.cut(peer, violation);
        }
    }

    /// Demands more while the pool is nearly full, and less when it is not any more.
    fn adapt_demand(&mut self) {
        if self.config.guarded {
            self.demand.look(self.now, &self.pool, self.config.min_rating);
            let least = self.demand.least(self.config.min_rating);
            if least != self.min_rating() {
                self.require(least);
            }
        }
    }

    /// Takes nothing below `min` from now on, and tells the peers.
    fn require(&mut self, min: Rating) {
        self.policy.min_rating.set(self.now, min);
        self.announce(code::MIN_RATING, &packet::encode_min_rating(min));
    }

    /// Offers the pool to those that are new or have come to want more, a slice at a time so that no
    /// step takes long.
    fn rescan(&mut self) {
        let (now, light) = (self.now, self.config.light);
        self.peers.values_mut().for_each(|connection| connection.rescan_if_due(now));
        let scanning = || self.peers.values().filter(|peer| peer.window.line.is_scanning());
        let cells = CELLS_PER_STEP.checked_div(scanning().count()).unwrap_or_default().max(1);
        for connection in self.peers.values_mut() {
            let Some(status) = connection.status() else { continue };
            if connection.window.line.is_scanning() {
                let wanted = |entry: &Entry| {
                    (entry.is_own() || !light) && connection::wants(&status, now, entry)
                };
                connection.window.line.scan(&self.pool, cells, wanted);
            }
        }
    }

    /// Offers a new envelope to all but the one that brought it.
    fn offer(&mut self, slot: Slot, from: Option<PeerId>) {
        let Some(entry) = self.pool.get(slot) else { return };
        let relayed = entry.is_own() || !self.config.light;
        for (peer, connection) in &mut self.peers {
            connection.window.line.replace(slot, Some(*peer) == from);
            if relayed && connection.wants(self.now, entry) {
                connection.window.line.push(entry.rating(), slot);
            }
        }
    }

    /// Hands out packets while windows have room.
    fn flush(&mut self) {
        let now = self.now;
        for (peer, connection) in &mut self.peers {
            let Some(status) = connection.status() else { continue };
            let wanted = |entry: &Entry| connection::wants(&status, now, entry);
            while let Some(batch) = connection.window.next_batch(&self.pool, wanted) {
                let payload = packet::encode_messages(&batch.envelopes);
                if status.acknowledges && self.config.acknowledges {
                    let own = batch.own.iter().map(|(_, hash)| *hash).collect();
                    connection.expect_answer(&payload, own);
                }
                connection.window.sent(now, payload.len(), batch.own);
                let (peer, code) = (*peer, code::MESSAGES);
                self.outputs.push_back(Output::Transmit { peer, code, payload });
            }
        }
    }

    fn announce(&mut self, code: u8, payload: &[u8]) {
        let peers: Vec<PeerId> = self.peers.keys().copied().collect();
        peers.into_iter().for_each(|peer| self.transmit(peer, code, payload.to_vec()));
    }

    fn transmit(&mut self, peer: PeerId, code: u8, payload: Vec<u8>) {
        if let Some(connection) = self.peers.get_mut(&peer) {
            connection.window.sent(self.now, payload.len(), Vec::new());
            self.outputs.push_back(Output::Transmit { peer, code, payload });
        }
    }

    fn cut(&mut self, peer: PeerId, violation: Violation) {
        if self.peers.remove(&peer).is_some() {
            self.outputs.push_back(Output::Disconnect(peer, violation));
        }
    }

    fn emit(&mut self, event: Event) {
        self.outputs.push_back(Output::Event(event));
    }
}

#[cfg(test)]
mod tests;

/// The least a deadline lies ahead.
const TICK: Duration = Duration::from_millis(1);
/// How many envelopes expire in one step: some 0.3 ms of work.
const EXPIRED_PER_STEP: usize = 1_024;
/// How many cells of the pool all scans of one step look at: some 0.3 ms of work.
const CELLS_PER_STEP: usize = 16 * 1_024;
