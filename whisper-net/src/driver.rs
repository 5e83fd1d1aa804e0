//! The loop: transport, timer and commands go into the relay engine, what it asks for is carried out.

mod effects;
mod handlers;
mod relays;
mod report;
mod skew;
mod unread;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::time::Instant;
use whisper_core::envelope::Envelope;
use whisper_core::mailbox::Review;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::PeerInfo;
use whisper_core::node::SettingError;
use whisper_core::packet;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::topic::Bloom;

pub(crate) use self::effects::Effects;
use self::handlers::Handlers;
pub(crate) use self::relays::RelayBook;
pub use self::report::Peer;
pub use self::report::Stats;
use self::skew::SkewMonitor;
use crate::actor::Command;
use crate::actor::Commands;
use crate::clock::Clock;
use crate::events::Event;
use crate::handler::PeerEvent;
use crate::posting::PeerDemand;
use crate::posting::Ready;
use crate::stream::Feed;
use crate::transport::DialError;
use crate::transport::EVENTS_PER_POLL;
use crate::transport::Goodbye;
use crate::transport::NodeName;
use crate::transport::Protocol;
use crate::transport::TransportEvent;

/// Drives one node, alone in its task.
pub(crate) struct Driver {
    node: Node,
    effects: Effects,
    handlers: Handlers,
    clock: Clock,
    commands: Commands<Self>,
    batch: Vec<TransportEvent>,
    skew: SkewMonitor,
    drain: Duration,
    /// Set once a shutdown is asked for.
    deadline: Option<Instant>,
}

/// Why the loop woke up.
enum Wake {
    Command(Command<Driver>),
    /// How many events are in the batch; 0 once the transport has ended.
    Transport(usize),
    /// An envelope is ready, or posts should be looked at again.
    Posts(Option<Ready>),
    Timer,
    /// The last handle is gone.
    Abandoned,
}

impl Driver {
    pub(crate) fn new(
        node: Node,
        effects: Effects,
        clock: Clock,
        commands: Commands<Self>,
        drain: Duration,
    ) -> Self {
        Self {
            node,
            effects,
            handlers: Handlers::default(),
            clock,
            commands,
            batch: Vec::with_capacity(EVENTS_PER_POLL),
            skew: SkewMonitor::default(),
            drain,
            deadline: None,
        }
    }

    /// Runs until the last handle is gone, a shutdown is asked for, or the transport ends.
    pub(crate) async fn run(mut self) {
        loop {
            let wake = self.wait().await;
            let is_traffic = matches!(wake, Wake::Transport(_));
            if !self.step(wake) {
                break;
            }
            self.read_held();
            self.prefer_relays();
            self.work();
            if let Some(event) = self.skew.look(self.clock.now(), self.node.peers()) {
                self.effects.report(&event);
            }
            self.effects.finish_step();
            self.effects.review(self.node.pool());
            if self.is_done() {
                break;
            }
            if is_traffic {
                // A flood must not starve the other tasks of this thread.
                tokio::task::yield_now().await;
            }
        }
        self.say_goodbye().await;
    }

    async fn wait(&mut self) -> Wake {
        let span = self.until_next_timeout();
        let Effects { transport, posts, .. } = &mut self.effects;
        let batch = &mut self.batch;
        tokio::select! {
            command = self.commands.recv() => command.map_or(Wake::Abandoned, Wake::Command),
            count = poll_fn(|cx| transport.poll_events(cx, batch)) => Wake::Transport(count),
            ready = posts.next(|| self.clock.now()) => Wake::Posts(ready),
            () = tokio::time::sleep(span) => Wake::Timer,
        }
    }

    /// Takes one step; false if it was the last.
    fn step(&mut self, wake: Wake) -> bool {
        match wake {
            Wake::Command(command) => command(self),
            Wake::Transport(0) | Wake::Abandoned => return false,
            Wake::Transport(_) => self.take_batch(),
            Wake::Posts(Some(ready)) => self.publish(ready),
            Wake::Posts(None) => (),
            Wake::Timer => {
                self.feed(Input::Timeout);
                self.time_out_handlers();
            }
        }
        true
    }

    fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        for output in self.node.handle(now, input) {
            self.effects.carry_out(now, output);
        }
    }

    fn take_batch(&mut self) {
        let mut batch = std::mem::take(&mut self.batch);
        for event in batch.drain(..) {
            self.take_event(event);
        }
        self.batch = batch;
    }

    /// Takes what transports handed in of peers that were not to be read, as far as they may be now.
    fn read_held(&mut self) {
        for _ in 0..EVENTS_PER_POLL {
            let Some((peer, (code, payload))) = self.effects.unread.next(Instant::now()) else {
                break;
            };
            self.feed(Input::Received { peer, code, payload: &payload });
            self.effects.throttle(peer);
        }
    }

    fn take_event(&mut self, event: TransportEvent) {
        match event {
            TransportEvent::Connected { peer, facts } => {
                let (direction, trusted) = (facts.direction, facts.trusted);
                self.effects.connected(peer, facts);
                let network = self.effects.network(peer);
                self.feed(Input::Connected { peer, direction, network });
                self.tell_all(peer, &PeerEvent::Connected(peer));
                if trusted {
                    // It has just connected.
                    let _ = self.set_trusted(peer, true);
                }
            }
            TransportEvent::Disconnected { peer, how } => {
                self.tell_all(peer, &PeerEvent::Disconnected(peer));
                self.effects.disconnected(peer, how);
                self.feed(Input::Disconnected(peer));
            }
            TransportEvent::Received { peer, protocol, code, payload } => {
                self.effects.totals.packets_received += 1;
                self.effects.totals.bytes_received += payload.len() as u64;
                if protocol != Protocol::WHISPER {
                    return self.tell(protocol, PeerEvent::Received { peer, code, payload });
                }
                if code != packet::code::MESSAGES {
                    // It may now take what it did not take before.
                    self.effects.note_changed_demand();
                }
                let packet = self.effects.unread.hold(Instant::now(), peer, (code, payload));
                match packet {
                    Some((code, payload)) => {
                        self.feed(Input::Received { peer, code, payload: &payload });
                    }
                    None => self.effects.throttle(peer),
                }
            }
            TransportEvent::Unreachable { node, address, why, retry_in } => {
                let retry_at = self.clock.now().saturating_add(retry_in);
                self.effects.report(&Event::Unreachable { node, address, why, retry_at });
            }
            TransportEvent::Addresses(addresses) => {
                self.effects.report(&Event::Addresses(addresses));
            }
            TransportEvent::Written { peer, protocol: Protocol::WHISPER, bytes } => {
                self.feed(Input::Written { peer, bytes });
            }
            TransportEvent::Written { peer, protocol, bytes } => {
                self.tell(protocol, PeerEvent::Written { peer, bytes });
            }
        }
    }

    /// Begins the work on posts that have become possible.
    fn work(&mut self) {
        if self.effects.has_posts_to_work_on() {
            let demand = self.demand();
            self.effects.posts.work(self.clock.now(), &demand);
        }
    }

    fn demand(&self) -> PeerDemand {
        let (own, advised) = (self.node.min_rating(), self.node.advised_rating());
        PeerDemand { own, advised, peers: self.node.peers().collect() }
    }

    /// Has the relays that were kept take their places, as far as they are here.
    fn prefer_relays(&mut self) {
        let now = self.clock.now();
        while std::mem::take(&mut self.effects.prefers_others) {
            let Some((peers, until)) = self.effects.relays.preferred() else { return };
            for output in self.node.prefer_relays(now, &peers, until) {
                self.effects.carry_out(now, output);
            }
        }
    }

    fn publish(&mut self, ready: Ready) {
        let now = self.clock.now();
        let Ready { envelope, progress } = ready;
        let hash = envelope.hash();
        match self.node.publish(now, envelope) {
            Ok(outputs) => {
                self.effects.posts.published(hash, progress, Ok(()));
                outputs.for_each(|output| self.effects.carry_out(now, output));
            }
            Err(why) => self.effects.posts.published(hash, progress, Err(why)),
        }
    }

    /// Looks at the clock at least once a minute: it may have been set.
    fn until_next_timeout(&self) -> Duration {
        let now = self.clock.now();
        let due = [self.node.poll_timeout(), self.handlers.poll_timeout()].into_iter().flatten();
        let engines = due.min().map(|due| due.saturating_since(now));
        // While it winds up it looks at what has not come back yet.
        let drain = self.deadline.map(|deadline| (deadline - Instant::now()).min(WINDING_UP));
        let review = (!self.effects.reviewer.is_idle()).then_some(REVIEW_PAUSE);
        let held = self.effects.unread.due().map(|due| due - Instant::now());
        [engines, drain, review, held]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(LONGEST_SLEEP)
            .min(LONGEST_SLEEP)
    }

    /// Whether a shutdown was asked for, and all is sent or its time is over.
    fn is_done(&self) -> bool {
        let Some(deadline) = self.deadline else { return false };
        let unwritten = self.node.peers().any(|peer: PeerInfo| peer.unwritten > 0);
        let drained = self.effects.posts.is_drained(self.clock.now());
        (drained && !unwritten) || deadline <= Instant::now()
    }

    async fn say_goodbye(&mut self) {
        let transport = &mut self.effects.transport;
        let mut events = Vec::new();
        let closed = poll_fn(|cx| {
            // A transport may move what is queued only while it is asked for events.
            while let Poll::Ready(1..) = transport.poll_events(cx, &mut events) {
                events.clear();
            }
            transport.poll_close(cx)
        });
        let longest = self.deadline.map_or(GOODBYE, |deadline| deadline - Instant::now());
        let _ = tokio::time::timeout(longest.max(GOODBYE), closed).await;
    }
}

/// What commands do.
impl Driver {
    pub(crate) fn send_direct(
        &mut self,
        peer: PeerId,
        envelope: &Envelope,
    ) -> Result<(), SettingError> {
        let now = self.clock.now();
        let outputs = self.node.send_direct(now, peer, envelope)?;
        outputs.for_each(|output| self.effects.carry_out(now, output));
        Ok(())
    }

    pub(crate) fn set_trusted(&mut self, peer: PeerId, trusted: bool) -> Result<(), SettingError> {
        let now = self.clock.now();
        let outputs = self.node.set_trusted(now, peer, trusted)?;
        outputs.for_each(|output| self.effects.carry_out(now, output));
        Ok(())
    }

    pub(crate) fn set_min_rating(&mut self, min: Rating) {
        let now = self.clock.now();
        for output in self.node.set_min_rating(now, min) {
            self.effects.carry_out(now, output);
        }
        self.effects.note_changed_demand();
    }

    pub(crate) fn set_bloom(&mut self, bloom: Option<Bloom>) {
        let now = self.clock.now();
        for output in self.node.set_bloom(now, bloom) {
            self.effects.carry_out(now, output);
        }
    }

    pub(crate) fn set_light(&mut self, light: bool) {
        let now = self.clock.now();
        for output in self.node.set_light(now, light) {
            self.effects.carry_out(now, output);
        }
    }

    pub(crate) fn set_suspended(&mut self, suspended: bool) {
        self.effects.transport.set_suspended(suspended);
    }

    pub(crate) fn set_busy(&mut self, busy: bool) {
        let now = self.clock.now();
        for output in self.node.set_busy(now, busy) {
            self.effects.carry_out(now, output);
        }
    }

    pub(crate) fn redraw_relays(&mut self) {
        let now = self.clock.now();
        self.effects.relays.forget();
        for output in self.node.redraw_relays(now) {
            self.effects.carry_out(now, output);
        }
    }

    pub(crate) fn dial(&mut self, address: &str) -> Result<NodeName, DialError> {
        self.effects.transport.dial(address)
    }

    pub(crate) fn network_changed(&mut self) {
        self.effects.transport.network_changed();
    }

    pub(crate) fn addresses(&self) -> Vec<String> {
        self.effects.transport.addresses()
    }

    /// The engine learns of it from the transport's event.
    pub(crate) fn disconnect(&mut self, peer: PeerId) {
        self.effects.transport.disconnect(peer, Goodbye::Requested);
    }

    /// Adds a listener. Its first events are those of the peers that are there.
    pub(crate) fn listen(&mut self, feed: Feed<Event>) {
        for Peer { info, facts } in self.peers() {
            feed.push(Event::Connected { peer: info.peer, facts: Box::new(facts) });
            if info.ready {
                feed.push(Event::Ready(info.peer));
            }
        }
        self.effects.listen(feed);
    }

    /// Has the pool looked through for filters that came later than what is in it.
    pub(crate) fn review(&mut self, review: Review) {
        self.effects.reviewer.request(review);
    }

    pub(crate) fn watch(&mut self, feed: Feed<Arc<Envelope>>) {
        self.effects.watch(feed);
    }

    pub(crate) fn peers(&self) -> Vec<Peer> {
        let peers = self.node.peers().filter_map(|info| {
            let facts = self.effects.facts.get(&info.peer)?.clone();
            Some(Peer { info, facts })
        });
        peers.collect()
    }

    pub(crate) fn stats(&self) -> Stats {
        let totals = self.effects.totals;
        Stats {
            peers: self.effects.facts.len(),
            ready_peers: self.node.peers().filter(|peer| peer.ready).count(),
            pool_envelopes: self.node.pool().len(),
            unread_envelopes: 0,
            admitted_envelopes: totals.admitted,
            packets_received: totals.packets_received,
            bytes_received: totals.bytes_received,
            packets_sent: totals.packets_sent,
            bytes_sent: totals.bytes_sent,
        }
    }

    /// Takes no posts any more and ends the loop once all is sent.
    pub(crate) fn shut_down(&mut self) {
        if self.deadline.is_none() {
            self.deadline = Some(Instant::now() + self.drain);
            let demand = self.demand();
            self.effects.posts.wind_up(&demand);
        }
    }
}

/// How often the clock is looked at even if nothing is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Between two looks at what is still on its way, once a shutdown is asked for.
const WINDING_UP: Duration = Duration::from_millis(250);
/// Between two slices of the pool that are looked through.
const REVIEW_PAUSE: Duration = Duration::from_millis(10);
/// How long goodbyes may take without a shutdown.
const GOODBYE: Duration = Duration::from_millis(200);
