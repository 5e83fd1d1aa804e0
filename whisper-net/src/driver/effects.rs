//! Everything around the relay engine: carries out its outputs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use whisper_core::envelope::Envelope;
use whisper_core::mailbox::Arrival;
use whisper_core::mailbox::Reviewer;
use whisper_core::node;
use whisper_core::node::Output;
use whisper_core::node::Violation;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pool::Origin;
use whisper_core::pool::Pool;
use whisper_core::time::Timestamp;

use super::relays::RelayBook;
use super::unread::Unread;
use crate::events::Event;
use crate::peering::after;
use crate::posting::PostQueue;
use crate::stream::Audience;
use crate::stream::Feed;
use crate::transport::DisconnectReason;
use crate::transport::Goodbye;
use crate::transport::PeerFacts;
use crate::transport::Protocol;
use crate::transport::Transport;
use crate::worker::Queue;

/// Everything around the relay engine.
pub(crate) struct Effects {
    pub(super) transport: Box<dyn Transport>,
    pub(super) posts: PostQueue,
    pub(super) facts: BTreeMap<PeerId, PeerFacts>,
    pub(super) totals: Totals,
    /// What the relay does not read yet.
    pub(super) unread: Unread,
    queue: Arc<Queue>,
    /// Looks through the pool for filters that came later.
    pub(super) reviewer: Reviewer,
    /// What this step has for the worker; handed over once, at its end.
    arrivals: Vec<Arrival>,
    pub(super) relays: RelayBook,
    /// Whether relays that were kept go before those that the engine has.
    pub(super) prefers_others: bool,
    audience: Audience<Event>,
    watchers: Audience<Arc<Envelope>>,
    /// Whether a post that waits may have become possible.
    demand_changed: bool,
}

/// What was counted since the start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) packets_received: u64,
    pub(crate) bytes_received: u64,
    pub(crate) packets_sent: u64,
    pub(crate) bytes_sent: u64,
    pub(crate) admitted: u64,
}

impl Effects {
    pub(crate) fn new(
        transport: Box<dyn Transport>,
        posts: PostQueue,
        queue: Arc<Queue>,
        relays: RelayBook,
    ) -> Self {
        // The engine learns of those that are to be waited for before anybody connects.
        let prefers_others = !relays.is_empty();
        Self {
            transport,
            posts,
            facts: BTreeMap::new(),
            totals: Totals::default(),
            unread: Unread::default(),
            queue,
            reviewer: Reviewer::default(),
            arrivals: Vec::new(),
            relays,
            prefers_others,
            audience: Audience::new(),
            watchers: Audience::new(),
            demand_changed: false,
        }
    }

    /// Carries out one output of the engine.
    pub(super) fn carry_out(&mut self, now: Timestamp, output: Output) {
        match output {
            Output::Transmit { peer, code, payload } => {
                self.send(peer, Protocol::WHISPER, code, payload);
            }
            Output::Throttle(peer, until) => {
                let span = until.saturating_since(now);
                self.unread.throttle(peer, after(Instant::now(), span));
                self.throttle(peer);
            }
            Output::Disconnect(peer, why) => {
                tracing::debug!(reason = %why, "peer dismissed");
                self.report(&Event::Dismissed { peer, why });
                self.transport.disconnect(peer, goodbye(why));
            }
            Output::Event(event) => self.hear(now, event),
        }
    }

    pub(super) fn send(&mut self, peer: PeerId, protocol: Protocol, code: u8, payload: Vec<u8>) {
        self.totals.packets_sent += 1;
        self.totals.bytes_sent += payload.len() as u64;
        self.transport.send(peer, protocol, code, payload);
    }

    /// Leaves a peer unread for a while, as the handler of a protocol asks for.
    pub(super) fn pause(&mut self, peer: PeerId, span: Duration) {
        self.unread.pause(peer, after(Instant::now(), span));
        self.throttle(peer);
    }

    /// Leaves a peer unread for as long as the relay and the handlers have asked for.
    pub(super) fn throttle(&mut self, peer: PeerId) {
        let span = self.unread.span(Instant::now(), peer);
        self.transport.throttle(peer, span);
    }

    pub(super) fn speaks(&self, peer: PeerId, protocol: Protocol) -> bool {
        self.facts.get(&peer).is_some_and(|facts| facts.protocols.contains(&protocol))
    }

    /// Where a peer comes from, as shares and budgets count it.
    pub(super) fn network(&self, peer: PeerId) -> Network {
        let origin = self.facts.get(&peer).and_then(PeerFacts::origin);
        origin.map_or(Network::Alone(peer), Network::Shared)
    }

    fn hear(&mut self, now: Timestamp, event: node::Event) {
        match event {
            node::Event::Ready(peer) => {
                self.demand_changed = true;
                self.prefers_others |= self.relays.is_kept(peer);
                self.report(&Event::Ready(peer));
            }
            node::Event::Admitted { envelope, from } => {
                self.totals.admitted += 1;
                self.watchers.tell(&envelope, envelope.size());
                if from.is_none() {
                    self.posts.admitted(&envelope.hash());
                }
                let origin = from.map_or(Origin::Own, |peer| Origin::Network(self.network(peer)));
                self.arrivals.push(Arrival::admitted(envelope, origin));
            }
            node::Event::Direct { envelope, from } => {
                self.arrivals.push(Arrival::direct(envelope, from));
            }
            node::Event::Relays { peers, until } => {
                self.prefers_others |= self.relays.drawn(now, &peers, until);
            }
            own => self.posts.note(now, &own),
        }
    }

    pub(super) fn connected(&mut self, peer: PeerId, facts: PeerFacts) {
        self.relays.connected(peer, &facts);
        self.report(&Event::Connected { peer, facts: Box::new(facts.clone()) });
        self.facts.insert(peer, facts);
        metrics::gauge!("whisper_peers").set(self.facts.len() as f64);
    }

    pub(super) fn disconnected(&mut self, peer: PeerId, how: DisconnectReason) {
        self.relays.disconnected(peer);
        self.facts.remove(&peer);
        self.unread.forget(peer);
        self.report(&Event::Disconnected { peer, how });
        metrics::gauge!("whisper_peers").set(self.facts.len() as f64);
    }

    /// Adds a listener.
    pub(super) fn listen(&mut self, feed: Feed<Event>) {
        self.audience.add(feed);
    }

    /// Adds a listener to what is relayed.
    pub(super) fn watch(&mut self, feed: Feed<Arc<Envelope>>) {
        self.watchers.add(feed);
    }

    pub(super) fn report(&mut self, event: &Event) {
        self.audience.tell(event, 0);
    }

    /// Hands the worker a slice of the pool for new filters, unless it has enough to read.
    pub(super) fn review(&mut self, pool: &Pool) {
        if !self.reviewer.is_idle() && self.queue.len() <= REVIEWED {
            self.queue.extend(self.reviewer.slice(pool, REVIEWED));
        }
    }

    /// Hands the worker what this step had for it.
    pub(super) fn finish_step(&mut self) {
        if !self.arrivals.is_empty() {
            metrics::counter!("whisper_envelopes_admitted").increment(self.arrivals.len() as u64);
            self.queue.extend(self.arrivals.drain(..));
        }
    }

    pub(super) const fn note_changed_demand(&mut self) {
        self.demand_changed = true;
    }

    /// Whether posts are to be worked on, after all that this step has changed.
    pub(super) fn has_posts_to_work_on(&mut self) -> bool {
        if std::mem::take(&mut self.demand_changed) {
            self.posts.reconsider();
        }
        self.posts.has_work()
    }
}

impl Drop for Effects {
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// The word that the wires have for it.
const fn goodbye(why: Violation) -> Goodbye {
    match why {
        Violation::LightPair => Goodbye::Useless,
        _ => Goodbye::Violation,
    }
}

/// Cells of the pool in one slice: a millisecond's work for the loop.
const REVIEWED: usize = 2_048;
