//! A simulated network of nodes of the shipping engine, some of them spies, and what they see.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::envelope::backdate;
use whisper_core::node::Config;
use whisper_core::node::Event;
use whisper_core::node::Node;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_examples::Failure;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::liars::Echo;
use whisper_net::sim::liars::Hole;
use whisper_net::sim::liars::Prober;
use whisper_net::sim::watchers::Sighting;
use whisper_net::sim::watchers::Spy;
use whisper_net::sim::watchers::Watcher;
use whisper_net::sim::watchers::take_sightings;

use crate::dice::Dice;
use crate::estimate::Knowledge;
use crate::estimate::Seen;
use crate::floods::Sight;
use crate::floods::first_copies;
use crate::graph::Graph;
use crate::mechanism::Mechanism;
use crate::stems::Stems;

/// What a network is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) adversary: Adversary,
    pub(crate) messages: usize,
    /// How many nodes write them, in turn; all honest ones where there is none.
    pub(crate) authors: Option<usize>,
    pub(crate) mechanism: Mechanism,
}

/// Who wants to know.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Adversary {
    /// So many of the nodes, which keep the rules.
    Spies(usize),
    /// One more node, which dials all others and keeps the rules.
    Supernode,
    /// So many of the nodes, which swallow stems.
    Holes(usize),
    /// So many of the nodes, which return stems to who sent them.
    Echoes(usize),
    /// So many of the nodes, which send stems to everybody to see who has them.
    Probers(usize),
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) knowledge: Knowledge,
    pub(crate) messages: Vec<Message>,
    /// How many copies of an envelope a spy is sent on average.
    pub(crate) copies: f64,
    /// Copies on stems: from whom, and how long ago their envelopes say that they were made.
    pub(crate) handed: Vec<Handed>,
}

/// One message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) author: usize,
    pub(crate) seen: Seen,
    /// How long until it was in the first pool, in seconds.
    pub(crate) until_flood: Option<f64>,
    /// How long it took to each honest node but its author, in seconds.
    pub(crate) delays: Vec<f64>,
}

/// A copy that a spy was handed by a stem.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Handed {
    /// Whether who handed it has written it.
    pub(crate) is_own: bool,
    /// How long ago it says that it was made, in seconds.
    pub(crate) age: f64,
    /// How long ago it was published, and the fraction of a second at which it was.
    pub(crate) since: f64,
    pub(crate) fraction: f64,
}

impl Plan {
    /// Lets honest nodes write in turn, one message a second.
    pub(crate) fn run(self) -> Result<Observed, Failure> {
        match self.adversary {
            Adversary::Spies(_) | Adversary::Supernode => self.run_with(Watcher::new),
            Adversary::Holes(_) => self.run_with(Hole::new),
            Adversary::Echoes(_) => self.run_with(Echo::new),
            Adversary::Probers(_) => self.run_with(Prober::new),
        }
    }

    fn run_with<S: Spy>(self, build: impl Fn(Node) -> S) -> Result<Observed, Failure> {
        let mut run = Run::new(self, build);
        run.world.run(WARM_UP);
        run.observe::<S>();
        run.dice.shuffle(&mut run.honest);
        let authors = self.authors.unwrap_or(run.honest.len()).min(run.honest.len());
        for number in 0..self.messages {
            run.publish(run.honest[number % authors])?;
            run.world.run(PAUSE);
            run.observe::<S>();
        }
        run.world.run(COOL_DOWN);
        run.observe::<S>();
        Ok(run.finish())
    }

    /// How many of the nodes are spies.
    const fn spies(self) -> usize {
        match self.adversary {
            Adversary::Supernode => 0,
            Adversary::Spies(count)
            | Adversary::Holes(count)
            | Adversary::Echoes(count)
            | Adversary::Probers(count) => count,
        }
    }
}

/// A network while it runs.
struct Run {
    plan: Plan,
    world: World,
    dice: Dice,
    sites: Vec<Site>,
    is_spy: Vec<bool>,
    honest: Vec<usize>,
    /// The relays of each node, as it told them last.
    relays: Vec<Vec<usize>>,
    sent: BTreeMap<EnvelopeHash, Sent>,
    copies: usize,
    handed: Vec<Handed>,
}

/// What is known of a message while the network runs.
struct Sent {
    at: Timestamp,
    message: Message,
    sights: Vec<Sight>,
}

impl Run {
    fn new<S: Spy>(plan: Plan, build: impl Fn(Node) -> S) -> Self {
        let mut world = World::new(plan.seed);
        world.set_latencies(LATENCIES, NOISE);
        let mut dice = Dice::new(plan.seed, 0);
        let mut numbers: Vec<usize> = (0..plan.nodes).collect();
        dice.shuffle(&mut numbers);
        let (spies, honest) = numbers.split_at(plan.spies());
        let config: Config = plan.mechanism.config();
        let mut sites = Vec::new();
        let mut is_spy = vec![false; plan.nodes];
        spies.iter().for_each(|spy| is_spy[*spy] = true);
        for is_spy in &is_spy {
            sites.push(if *is_spy { world.add_around(config, &build) } else { world.add(config) });
        }
        for (from, to) in dialled(plan.nodes, &mut dice) {
            world.connect(sites[from], sites[to]);
        }
        if plan.adversary == Adversary::Supernode {
            let supernode = world.add_around(config, &build);
            sites.iter().for_each(|site| world.connect(supernode, *site));
            sites.push(supernode);
            is_spy.push(true);
        }
        Self {
            plan,
            world,
            dice,
            relays: vec![Vec::new(); sites.len()],
            sites,
            is_spy,
            honest: honest.to_vec(),
            sent: BTreeMap::new(),
            copies: 0,
            handed: Vec::new(),
        }
    }

    fn publish(&mut self, author: usize) -> Result<(), Failure> {
        // Not at whole seconds.
        let millis = self.dice.below(1_000) as u64;
        self.world.run(Duration::from_millis(millis));
        let (site, at) = (self.sites[author], self.world.now());
        let topic = Topic::random(self.dice.rng());
        let content = (0..DATA).map(|_| self.dice.below(256) as u8).collect();
        let issued = at.saturating_sub(backdate(TTL, self.dice.rng()));
        let envelope = Draft::new(issued, TTL, topic, content)?.seal_rated(Rating::ZERO)?;
        let message = Message { author, ..Message::default() };
        self.sent.insert(envelope.hash(), Sent { at, message, sights: Vec::new() });
        self.world.publish(site, envelope)?;
        Ok(())
    }

    /// Takes what was recorded and seen.
    fn observe<S: Spy>(&mut self) {
        for record in self.world.take_records() {
            match record.what {
                What::Told(Event::Admitted { envelope, .. }) => {
                    self.admitted(record.site.index(), envelope.hash(), record.at);
                }
                What::Told(Event::Relays { peers, .. }) => {
                    let far_ends = peers.iter().flatten().map(|peer| self.world.far_end(*peer));
                    self.relays[record.site.index()] = far_ends.map(Site::index).collect();
                }
                _ => {}
            }
        }
        let spies = self.sites.iter().filter(|site| self.is_spy[site.index()]);
        let spies: Vec<Site> = spies.copied().collect();
        for sighting in take_sightings::<S>(&mut self.world, &spies) {
            self.saw(&sighting);
        }
    }

    fn admitted(&mut self, node: usize, hash: EnvelopeHash, at: Timestamp) {
        let Some(Sent { at: sent, message, .. }) = self.sent.get_mut(&hash) else { return };
        let delay = at.saturating_since(*sent).as_secs_f64();
        message.until_flood.get_or_insert(delay);
        if !self.is_spy[node] && node != message.author {
            message.delays.push(delay);
        }
    }

    fn saw(&mut self, sighting: &Sighting) {
        let Some(Sent { at, message, sights }) = self.sent.get_mut(&sighting.hash) else { return };
        let from = sighting.peer.index();
        let is_stem = sighting.code == code::STEM;
        self.copies += usize::from(!is_stem);
        if self.is_spy[from] {
            return;
        }
        let sight = Sight { at: seconds(sighting.at), spy: sighting.site.index(), from };
        if !is_stem {
            return sights.push(sight);
        }
        message.seen.handed = match message.seen.handed {
            Some(first) if first.at <= sight.at => Some(first),
            _ => Some(sight),
        };
        self.handed.push(Handed {
            is_own: from == message.author,
            age: sighting.age.as_secs_f64(),
            since: sighting.at.saturating_since(*at).as_secs_f64(),
            fraction: (at.as_millis() % 1_000) as f64 / 1_000.0,
        });
    }

    fn finish(self) -> Observed {
        let Self { plan, world, is_spy, relays, sent, copies, handed, .. } = self;
        let manner = plan.mechanism.manner();
        let spies = is_spy.iter().filter(|is_spy| **is_spy).count();
        let copies = copies as f64 / (spies * sent.len()).max(1) as f64;
        let mut sent: Vec<Sent> = sent.into_values().collect();
        sent.sort_by_key(|sent| sent.at);
        let messages = sent.into_iter().map(|Sent { mut message, sights, .. }| {
            message.seen.flood = first_copies(sights);
            message
        });
        let messages = messages.collect();
        let graph = Graph::of(&world, manner.noise);
        let stems = Stems { relays, ends: plan.mechanism.ends() };
        let knowledge = Knowledge { graph, is_spy, manner, stems };
        Observed { knowledge, messages, copies, handed }
    }
}

/// Who dials whom: each node [`DIALS`] others, none twice.
fn dialled(nodes: usize, dice: &mut Dice) -> Vec<(usize, usize)> {
    let mut linked = std::collections::BTreeSet::new();
    let mut dialled = Vec::new();
    for from in 0..nodes {
        let mut made = 0;
        // A small network may have fewer others.
        for _ in 0..100 * DIALS {
            let to = dice.below(nodes);
            if made < DIALS && to != from && linked.insert((from.min(to), from.max(to))) {
                dialled.push((from, to));
                made += 1;
            }
        }
    }
    dialled
}

fn seconds(time: Timestamp) -> f64 {
    time.as_millis() as f64 / 1_000.0
}

/// How many others each node dials: the mean degree is twice as many.
const DIALS: usize = 4;
/// As between continents and within one.
const LATENCIES: RangeInclusive<Duration> = Duration::from_millis(20)..=Duration::from_millis(200);
/// What a packet takes at most beside the latency of its connection.
pub(crate) const NOISE: Duration = Duration::from_millis(5);
/// Until all have said who they are.
const WARM_UP: Duration = Duration::from_secs(60);
/// Between two messages.
const PAUSE: Duration = Duration::from_secs(1);
/// Until the last message is everywhere, whatever stems had to be awaited.
const COOL_DOWN: Duration = Duration::from_secs(60);
/// What sessions use.
const TTL: Duration = Duration::from_secs(600);
/// Bytes that an envelope carries; nothing here depends on them.
const DATA: usize = 64;
