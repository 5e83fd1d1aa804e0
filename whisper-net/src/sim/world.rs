//! The world: sites, what is on its way between them, and the time.

use std::any::Any;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use rand_core::Rng;
use rand_core::SeedableRng;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Rejection;
use whisper_core::packet;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use super::actor::Actor;
use super::agenda::Agenda;
use super::agenda::Happening;
use super::links::Link;
use super::record::Record;
use super::record::What;
use super::station::Packet;
use super::station::Site;
use super::station::Station;
use crate::memory::Faults;

/// A network of nodes in virtual time.
///
/// It begins on 13 September 2020, and time passes only in [`World::run`].
pub struct World {
    pub(super) now: Timestamp,
    pub(super) stations: Vec<Station>,
    pub(super) agenda: Agenda,
    pub(super) links: Vec<Link>,
    /// Who is at the other end of each connection that ever was.
    pub(super) far_ends: Vec<Site>,
    pub(super) faults: Faults,
    latencies: Option<(RangeInclusive<Duration>, Duration)>,
    /// How long a site works on an envelope that it has read.
    pace: Duration,
    rng: ChaCha20Rng,
    records: Vec<Record>,
    records_packets: bool,
}

impl World {
    /// What goes wrong unless told otherwise: packets take up to 300 ms.
    pub const FAULTS: Faults = Faults {
        latency: Duration::from_millis(1)..=Duration::from_millis(300),
        cut: 0.0,
        buffer: 256 * 1024,
        redial: Duration::from_secs(1),
    };

    /// An empty world.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::from_secs(1_600_000_000),
            stations: Vec::new(),
            agenda: Agenda::default(),
            links: Vec::new(),
            far_ends: Vec::new(),
            faults: Self::FAULTS,
            latencies: None,
            pace: Duration::ZERO,
            rng: ChaCha20Rng::seed_from_u64(seed),
            records: Vec::new(),
            records_packets: false,
        }
    }

    /// Sets what goes wrong on connections from now on.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Gives each connection that is made from now on a latency of its own in whole milliseconds, uniform
    /// in `base`. It is the same both ways and stays when the connection is dialled again. Each packet
    /// takes up to `noise` more. What [`Faults::latency`] says holds for older connections.
    pub fn set_latencies(&mut self, base: RangeInclusive<Duration>, noise: Duration) {
        self.latencies = Some((base, noise));
    }

    /// Sets how long a site works on an envelope that it has read, whatever becomes of it: meanwhile it
    /// reads nothing. None, unless told otherwise.
    pub const fn set_pace(&mut self, pace: Duration) {
        self.pace = pace;
    }

    /// Sets whether packets are recorded, which takes as much memory as they do.
    pub fn record_packets(&mut self, whether: bool) {
        self.records_packets = whether;
    }

    /// Adds a node.
    pub fn add(&mut self, config: Config) -> Site {
        let node = self.node_of(config);
        self.add_actor(node)
    }

    /// Adds somebody who is built around a node, as the [`watchers`](super::watchers) are.
    pub fn add_around<A: Actor>(&mut self, config: Config, build: impl FnOnce(Node) -> A) -> Site {
        let node = self.node_of(config);
        self.add_actor(build(node))
    }

    /// Adds somebody who is no plain node.
    pub fn add_actor(&mut self, actor: impl Actor) -> Site {
        self.stations.push(Station::new(Box::new(actor)));
        Site(self.stations.len() - 1)
    }

    /// Ends whoever is at a site, as when a process is killed: nothing is kept.
    pub fn stop(&mut self, site: Site) {
        self.stations[site.0].actor = None;
        self.file_deadline(site);
        self.links_of(site).into_iter().for_each(|link| self.take_down(link));
    }

    /// Puts a new node where somebody was stopped; its connections are dialled again.
    pub fn restart(&mut self, site: Site, config: Config) {
        self.stop(site);
        self.stations[site.0].actor = Some(Box::new(self.node_of(config)));
    }

    /// Sets the clock of a site, which is right at first: `ahead` in milliseconds, negative where it
    /// is behind.
    pub fn set_clock(&mut self, site: Site, ahead: i64) {
        self.stations[site.0].ahead = ahead;
        self.file_deadline(site);
    }

    /// Has a node publish an envelope.
    ///
    /// # Errors
    /// [`Rejection`] of that node.
    ///
    /// # Panics
    /// When there is no [`Node`] at the site.
    pub fn publish(&mut self, at: Site, envelope: Envelope) -> Result<EnvelopeHash, Rejection> {
        let hash = envelope.hash();
        let mut result = Ok(hash);
        self.with(at, |node: &mut Node, now| match node.publish(now, envelope) {
            Ok(outputs) => outputs.collect(),
            Err(rejection) => {
                result = Err(rejection);
                Vec::new()
            }
        });
        result
    }

    /// Does something with whoever is at a site, and carries out what comes of it.
    ///
    /// ```
    /// # use whisper_core::node::{Config, Node};
    /// # use whisper_core::pow::Rating;
    /// # use whisper_net::sim::World;
    /// let mut world = World::new(1);
    /// let site = world.add(Config::default());
    /// world.with(site, |node: &mut Node, now| node.set_min_rating(now, Rating::ZERO).collect());
    /// assert_eq!(world.node(site).map(Node::min_rating), Some(Rating::ZERO));
    /// ```
    ///
    /// # Panics
    /// When there is no `A` at the site.
    pub fn with<A: Actor>(&mut self, at: Site, act: impl FnOnce(&mut A, Timestamp) -> Vec<Output>) {
        let station = &mut self.stations[at.0];
        let now = station.shown(self.now);
        let actor = station.actor.as_deref_mut().map(|actor| actor as &mut dyn Any);
        let actor = actor.and_then(|actor| actor.downcast_mut()).expect("such an actor is there");
        let outputs = act(actor, now);
        self.carry_out(at, outputs);
    }

    /// Lets `span` pass.
    ///
    /// # Panics
    /// When an actor asks for a step that is already over: a driver would spin.
    pub fn run(&mut self, span: Duration) {
        let end = self.now.saturating_add(span);
        while let Some((time, happening)) = self.agenda.next(end) {
            self.now = self.now.max(time);
            self.happen(happening);
        }
        self.now = end;
    }

    /// The true time.
    pub const fn now(&self) -> Timestamp {
        self.now
    }

    /// The time by the clock of a site.
    pub fn time_at(&self, site: Site) -> Timestamp {
        self.stations[site.0].shown(self.now)
    }

    /// The node at a site, to look at, if there is one.
    pub fn node(&self, site: Site) -> Option<&Node> {
        self.actor(site)
    }

    /// Whoever is at a site, to look at, if it is an `A`.
    pub fn actor<A: Actor>(&self, site: Site) -> Option<&A> {
        let actor = self.stations[site.0].actor.as_deref()?;
        (actor as &dyn Any).downcast_ref()
    }

    /// Whoever is at a site, to change without a step, if it is an `A`.
    pub fn actor_mut<A: Actor>(&mut self, site: Site) -> Option<&mut A> {
        let actor = self.stations[site.0].actor.as_deref_mut()?;
        (actor as &mut dyn Any).downcast_mut()
    }

    /// All sites, also those where nobody is.
    pub fn sites(&self) -> impl Iterator<Item = Site> + use<> {
        (0..self.stations.len()).map(Site)
    }

    /// What was seen since this was last asked.
    pub fn take_records(&mut self) -> Vec<Record> {
        std::mem::take(&mut self.records)
    }

    /// A random number below `end`, which is not 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.rng.next_u64() % end as u64) as usize
    }

    /// The latency of a connection that is being made; without [`World::set_latencies`] none is drawn.
    pub(super) fn draw_latency(&mut self) -> Option<Duration> {
        let (base, _) = self.latencies.clone()?;
        Some(uniform(&base, &mut self.rng))
    }

    /// What a packet takes on its way.
    fn delay(&mut self, link: usize) -> Duration {
        match (self.latency_of(link), &self.latencies) {
            (Some(base), Some((_, noise))) => {
                base + uniform(&(Duration::ZERO..=*noise), &mut self.rng)
            }
            _ => uniform(&self.faults.latency, &mut self.rng),
        }
    }

    fn node_of(&mut self, config: Config) -> Node {
        let mut secret = [0; 32];
        self.rng.fill_bytes(&mut secret);
        Node::new(config, secret)
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives(at, peer, packet) => {
                if let Some(line) = self.stations[at.0].lines.get_mut(&peer) {
                    line.inbox.push_back(packet);
                    self.read(at, peer);
                }
            }
            Happening::Written(at, peer, bytes) => self.step(at, Input::Written { peer, bytes }),
            Happening::Wakes(at, peer) => {
                if let Some(line) = self.stations[at.0].lines.get_mut(&peer) {
                    line.wakes = false;
                    self.read(at, peer);
                }
            }
            Happening::HangsUp(at, peer) => self.hang_up(at, peer),
            Happening::Redial(link) => self.open(link),
            Happening::Due(at) => self.step(at, Input::Timeout),
        }
    }

    /// Reads what has come, until the end is throttled.
    fn read(&mut self, at: Site, peer: PeerId) {
        loop {
            let Station { lines, busy, .. } = &mut self.stations[at.0];
            let busy = *busy;
            let Some(line) = lines.get_mut(&peer) else { return };
            let until = line.throttled.max(busy);
            if until > self.now {
                if !line.wakes && !line.inbox.is_empty() {
                    line.wakes = true;
                    self.agenda.add(until, Happening::Wakes(at, peer));
                }
                return;
            }
            let Some(Packet { code, payload }) = line.inbox.pop_front() else { return };
            let (there, known_there_as) = (line.to, line.known_there_as);
            if let Some(far) = self.stations[there.0].lines.get_mut(&known_there_as) {
                far.unread = far.unread.saturating_sub(payload.len());
                self.write(there, known_there_as);
            }
            if !self.pace.is_zero() {
                let work = self.pace.saturating_mul(envelopes_in(code, &payload));
                self.stations[at.0].busy = self.now.saturating_add(work);
            }
            self.step(at, Input::Received { peer, code, payload: &payload });
        }
    }

    /// Gives the socket what it has room for.
    fn write(&mut self, at: Site, peer: PeerId) {
        while let Some(line) = self.stations[at.0].lines.get_mut(&peer) {
            let Some(packet) = line.take(self.faults.buffer) else { return };
            let (link, bytes) = (line.link, packet.payload.len());
            let delay = self.delay(link);
            let Some(line) = self.stations[at.0].lines.get_mut(&peer) else { return };
            line.arrives = line.arrives.max(self.now.saturating_add(delay));
            let arrival = Happening::Arrives(line.to, line.known_there_as, packet);
            self.agenda.add(self.now, Happening::Written(at, peer, bytes));
            self.agenda.add(line.arrives, arrival);
            if chance(self.faults.cut, &mut self.rng) {
                self.take_down(link);
            }
        }
    }

    pub(super) fn step(&mut self, at: Site, input: Input<'_>) {
        let station = &mut self.stations[at.0];
        let now = station.shown(self.now);
        let Some(actor) = &mut station.actor else { return };
        let outputs = actor.handle(now, input);
        let due = actor.poll_timeout();
        assert!(due.is_none_or(|due| due > now), "{at:?} would spin after {input:?}");
        self.carry_out(at, outputs);
    }

    fn carry_out(&mut self, at: Site, outputs: Vec<Output>) {
        self.file_deadline(at);
        for output in outputs {
            match output {
                Output::Transmit { peer, code, payload } => self.send(at, peer, code, payload),
                Output::Throttle(peer, until) => {
                    let until = self.stations[at.0].truly(until);
                    if let Some(line) = self.stations[at.0].lines.get_mut(&peer) {
                        line.throttled = until;
                    }
                }
                Output::Disconnect(peer, violation) => {
                    let Some(line) = self.stations[at.0].lines.remove(&peer) else { continue };
                    self.record(at, What::Cut(peer, violation));
                    self.cut_down(&line);
                }
                Output::Event(event) => self.record(at, What::Told(event)),
            }
        }
    }

    fn send(&mut self, at: Site, peer: PeerId, code: u8, payload: Vec<u8>) {
        if self.records_packets {
            self.record(at, What::Sent { peer, code, payload: payload.clone() });
        }
        if let Some(line) = self.stations[at.0].lines.get_mut(&peer) {
            line.queue.push_back(Packet { code, payload });
            self.write(at, peer);
        }
    }

    fn record(&mut self, site: Site, what: What) {
        self.records.push(Record { at: self.now, site, what });
    }

    fn file_deadline(&mut self, at: Site) {
        let station = &mut self.stations[at.0];
        let due = station.actor.as_ref().and_then(|actor| actor.poll_timeout());
        let due = due.map(|due| station.truly(due).max(self.now));
        self.agenda.set_deadline(at, station.due, due);
        station.due = due;
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("now", &self.now)
            .field("sites", &self.stations.len())
            .finish_non_exhaustive()
    }
}

/// How many envelopes there are in a packet.
fn envelopes_in(code: u8, payload: &[u8]) -> u32 {
    let mut list = match packet::check_messages(payload) {
        Ok(list) if code == packet::code::MESSAGES => list,
        _ => return 0,
    };
    let mut count = 0;
    while !list.is_empty() && Envelope::read(&mut list).is_ok() {
        count += 1;
    }
    count
}

/// Uniform over whole milliseconds.
fn uniform(range: &RangeInclusive<Duration>, rng: &mut ChaCha20Rng) -> Duration {
    let (least, most) = (range.start().as_millis(), range.end().as_millis());
    let spread = most.saturating_sub(least) as u64;
    *range.start() + Duration::from_millis(rng.next_u64() % (spread + 1))
}

fn chance(probability: f64, rng: &mut ChaCha20Rng) -> bool {
    probability > 0.0 && ((rng.next_u64() >> 11) as f64 / (1_u64 << 53) as f64) < probability
}
