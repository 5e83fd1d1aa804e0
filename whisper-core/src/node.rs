//! The relay engine: `shh/6` as a state machine that does no I/O and reads no clock.
//!
//! A driver owns sockets and time. It feeds the node one [`Input`] after the other, each with the
//! time, and carries out the [`Output`]s of each step before it begins the next, as the borrow
//! checker demands. Between inputs it sleeps until [`Node::poll_timeout`].
//!
//! ```
//! use whisper_core::node::{Config, Direction, Input, Node, Output};
//! use whisper_core::peer::Network;
//! use whisper_core::peer::PeerId;
//! use whisper_core::time::Timestamp;
//!
//! let mut node = Node::new(Config::default(), [7; 32]);
//! let now = Timestamp::from_secs(1_600_000_000);
//! let peer = PeerId::new(1);
//! let (direction, network) = (Direction::Outbound, Network::Alone(peer));
//! for output in node.handle(now, Input::Connected { peer, direction, network }) {
//!     if let Output::Transmit { peer, code, payload } = output {
//!         println!("send packet {code} of {} bytes to {peer:?}", payload.len());
//!     }
//! }
//! assert!(node.poll_timeout().is_some_and(|deadline| deadline > now));
//! ```
//!
//! The node relays what it cannot read: it holds no key.

mod admission;
mod answers;
mod budget;
mod config;
mod connection;
mod connections;
mod contract;
mod demand;
mod dice;
mod forward;
mod held;
mod intake;
mod line;
mod scatter;
mod skew;
mod stem;
mod window;

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use self::admission::Policy;
use self::connections::Arrival;
use self::connections::Connections;
use self::demand::Demand;
use self::held::Chance;
use self::held::Held;
use self::stem::Stems;
use crate::envelope::Envelope;
use crate::packet;
use crate::packet::Status;
use crate::packet::code;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pool::Gone;
use crate::pool::Limits;
use crate::pool::Pool;
use crate::pool::PoolError;
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
pub use self::stem::Stem;

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
    held: Held,
    chance: Chance,
    connections: Connections,
    stems: Option<Stems>,
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
            held: Held::new(config.pool_bytes / 8),
            chance: Chance::new(&secret),
            connections: Connections::new(&config, &secret),
            stems: config.stem.and_then(|stem| Stems::new(stem, &secret, config.pool_bytes)),
            config,
            now: Timestamp::default(),
            busy: false,
        }
    }

    /// Takes one step.
    pub fn handle(&mut self, now: Timestamp, input: Input<'_>) -> Outputs<'_> {
        self.advance(now);
        match input {
            Input::Connected { peer, direction, network } => {
                self.connect(peer, direction, network);
            }
            Input::Disconnected(peer) => {
                self.connections.remove(peer);
            }
            Input::Received { peer, code, payload } => self.receive(peer, code, payload),
            Input::Written { peer, bytes } => self.written(peer, bytes),
            Input::Timeout => {}
        }
        self.finish()
    }

    /// Takes a sealed envelope of our own into the pool, from where it goes to all who want it; with
    /// [stems](Stem) first to a relay, and into the pool when it has come back or is flooded.
    ///
    /// # Errors
    /// [`Rejection`]: peers would say the same.
    pub fn publish(
        &mut self,
        now: Timestamp,
        envelope: Envelope,
    ) -> Result<Outputs<'_>, Rejection> {
        self.advance(now);
        self.begin(envelope)?;
        Ok(self.finish())
    }

    /// Holds a sealed envelope of our own for some random part of `span`, then takes it into the pool.
    /// Until then no peer can tell that it is here.
    ///
    /// # Errors
    /// [`Rejection`]: peers would say the same, or too many are held.
    pub fn publish_within(
        &mut self,
        now: Timestamp,
        envelope: Envelope,
        span: Duration,
    ) -> Result<Outputs<'_>, Rejection> {
        self.advance(now);
        self.judge(&envelope)?;
        let hash = envelope.hash();
        let stems = |stems: &Stems| stems.store.contains(&hash);
        if self.held.contains(&hash) || self.stems.as_ref().is_some_and(stems) {
            return Err(Rejection::Duplicate);
        }
        let due = self.chance.within(now, span);
        if !self.held.insert(due, envelope) {
            return Err(Rejection::Waiting);
        }
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
        self.send_past(now, peer, packet::encode_direct(envelope))
    }

    /// Sends envelopes to one peer in one packet, past pool and network: the answer of an archive.
    /// Status' nodes and ours take a list, go-ethereum takes one envelope a packet.
    ///
    /// # Errors
    /// [`SettingError`] if the peer is not ready or not able to take it.
    pub fn send_direct_all(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        envelopes: &[Arc<Envelope>],
    ) -> Result<Outputs<'_>, SettingError> {
        self.send_past(now, peer, packet::encode_messages(envelopes))
    }

    fn send_past(
        &mut self,
        now: Timestamp,
        peer: PeerId,
        packet: Vec<u8>,
    ) -> Result<Outputs<'_>, SettingError> {
        self.advance(now);
        let max = self.config.max_message_size;
        if packet.len() > max {
            return Err(SettingError::TooLarge { max });
        }
        let connection = self.connections.get(peer).filter(|connection| connection.is_ready());
        if !connection.ok_or(SettingError::UnknownPeer)?.window.has_room() {
            return Err(SettingError::Busy);
        }
        self.connections.transmit(now, peer, code::DIRECT, packet);
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
        let packet = packet::encode_bloom(&bloom.unwrap_or(Bloom::FULL));
        self.connections.announce(now, code::BLOOM, &packet);
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
        self.connections.get_mut(peer).ok_or(SettingError::UnknownPeer)?.trusted = trusted;
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
        let (peers, pool) = (self.connections.deadline(), self.pool.next_expiry());
        let has_peers = !self.connections.peers.is_empty();
        let stems = self.stems.as_ref().and_then(|stems| stems.deadline(has_peers));
        let due = [peers, pool, self.held.deadline(), self.demand.deadline(&self.pool), stems];
        let earliest = due.into_iter().flatten().min()?;
        Some(earliest.max(self.now.saturating_add(TICK)))
    }

    /// What is known about each peer.
    pub fn peers(&self) -> impl Iterator<Item = PeerInfo> {
        self.connections.info(self.now)
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
            self.connections.shift_back(back);
            self.held.shift_back(back);
            self.demand.shift_back(back);
            self.stems.iter_mut().for_each(|stems| stems.shift_back(back));
        }
        self.now = now;
    }

    fn connect(&mut self, peer: PeerId, direction: Direction, network: Network) {
        if self.connections.insert(self.now, peer, direction, network) {
            let status = Status {
                min_rating: self.min_rating(),
                bloom: self.bloom(),
                light: self.config.light,
                acknowledges: self.config.acknowledges,
                stems: self.connections.stems,
            };
            self.connections.transmit(self.now, peer, code::STATUS, status.encode());
        }
    }

    fn written(&mut self, peer: PeerId, bytes: usize) {
        let Some(connection) = self.connections.get_mut(peer) else { return };
        for hash in connection.window.written(self.now, bytes) {
            if let Some(slot) = self.pool.find(&hash) {
                self.pool.mark_sent(slot);
            }
            self.connections.emit(Event::Sent { hash, to: peer });
        }
        self.look_again_for(peer);
    }

    /// Does what is due, sends what there is room for, and hands out what was asked for.
    fn finish(&mut self) -> Outputs<'_> {
        // A slice at a time, so that no step takes long.
        let expired = self.pool.expire(self.now, EXPIRED_PER_STEP);
        expired.iter().for_each(|gone| self.tell_gone(gone));
        self.connections.cut_the_late(self.now);
        self.work_off_backlogs();
        self.release_due();
        self.tend_stems();
        self.adapt_demand();
        self.connections.line_up_due(self.now, &self.pool);
        self.connections.rescan(self.now, &self.pool, self.config.light);
        self.connections.flush(self.now, &self.pool);
        self.connections.outputs()
    }

    /// Says of an envelope of ours that it is not in the pool any more.
    fn tell_gone(&mut self, gone: &Gone) {
        self.connections.end_waits(&self.pool, gone.slot);
        if gone.is_own() {
            // What has expired makes room first.
            let expired = gone.envelope.expiry() < self.now.as_secs();
            let why = if expired { Departure::Expired } else { Departure::Evicted };
            self.connections.emit(Event::Gone { hash: gone.envelope.hash(), why });
        }
    }

    /// Takes an envelope into the pool and offers it on.
    fn admit(&mut self, arrival: Arrival, envelope: Envelope) -> Result<(), Rejection> {
        let rating = self.judge(&envelope)?;
        self.release(arrival, Arc::new(envelope), rating)
    }

    /// The rating under which an envelope may enter, unless it may not or is here already.
    fn judge(&self, envelope: &Envelope) -> Result<Rating, Rejection> {
        let rating = self.policy.judge(self.now, envelope)?;
        let is_known = self.pool.find(&envelope.hash()).is_some();
        if is_known { Err(Rejection::Duplicate) } else { Ok(rating) }
    }

    /// Takes an envelope that was judged into the pool and offers it on.
    fn release(
        &mut self,
        arrival: Arrival,
        envelope: Arc<Envelope>,
        rating: Rating,
    ) -> Result<(), Rejection> {
        let Arrival { from, origin, .. } = arrival;
        let from = from.filter(|_| !origin.is_own());
        let inserted = self.pool.insert(self.now, Arc::clone(&envelope), rating, origin);
        let inserted = inserted.map_err(|error| match error {
            PoolError::OwnShareFull => Rejection::Waiting,
            PoolError::Full => Rejection::PoolFull,
        })?;
        inserted.evicted.iter().for_each(|gone| self.tell_gone(gone));
        self.connections.emit(Event::Admitted { envelope, from });
        self.connections.offer(self.now, &self.pool, inserted.slot, arrival, self.config.light);
        Ok(())
    }

    /// Takes what was held and is due into the pool. What is known by then came back from others.
    fn release_due(&mut self) {
        while let Some(envelope) = self.held.pop(self.now) {
            let hash = envelope.hash();
            if let Err(why) = self.begin(envelope) {
                self.tell_lost(hash, why);
            }
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
        let packet = packet::encode_min_rating(min);
        self.connections.announce(self.now, code::MIN_RATING, &packet);
    }

    /// Whether budgets bind everybody.
    const fn is_contended(&self) -> bool {
        self.busy || self.pool.is_contended()
    }
}

#[cfg(test)]
mod tests;

/// The least a deadline lies ahead.
const TICK: Duration = Duration::from_millis(1);
/// How many envelopes expire in one step: some 0.3 ms of work.
const EXPIRED_PER_STEP: usize = 1_024;
/// How many envelopes of one packet are judged in one step.
const ENVELOPES_PER_STEP: usize = 1_024;
