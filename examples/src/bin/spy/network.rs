//! A simulated network of nodes of the shipping engine, some of them spies, and what they see.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Event;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_examples::Failure;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::watchers::Sighting;
use whisper_net::sim::watchers::Watcher;
use whisper_net::sim::watchers::take_sightings;

use crate::dice::Dice;
use crate::estimate::Knowledge;
use crate::estimate::Seen;
use crate::floods::Sight;
use crate::floods::first_copies;
use crate::graph::Graph;
use crate::mechanism::Mechanism;

/// What a network is drawn from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) seed: u64,
    pub(crate) nodes: usize,
    pub(crate) spies: usize,
    pub(crate) messages: usize,
    pub(crate) mechanism: Mechanism,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Observed {
    pub(crate) knowledge: Knowledge,
    pub(crate) messages: Vec<Message>,
    /// How long each message took to each honest node, in seconds.
    pub(crate) delays: Vec<f64>,
    /// How many copies of an envelope a spy is sent on average.
    pub(crate) copies: f64,
}

/// One message.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) author: usize,
    pub(crate) seen: Seen,
}

impl Plan {
    /// Lets honest nodes write in turn, one message a second.
    pub(crate) fn run(self) -> Result<Observed, Failure> {
        let mut run = Run::new(self);
        run.world.run(WARM_UP);
        run.world.take_records();
        run.dice.shuffle(&mut run.honest);
        for number in 0..self.messages {
            run.publish(run.honest[number % run.honest.len()])?;
            run.world.run(PAUSE);
            run.observe();
        }
        run.world.run(COOL_DOWN);
        run.observe();
        Ok(run.finish())
    }
}

/// A network while it runs.
struct Run {
    plan: Plan,
    world: World,
    dice: Dice,
    spies: Vec<Site>,
    honest: Vec<usize>,
    sent: BTreeMap<EnvelopeHash, (usize, Timestamp)>,
    sights: BTreeMap<EnvelopeHash, Vec<Sight>>,
    delays: Vec<f64>,
    copies: usize,
}

impl Run {
    fn new(plan: Plan) -> Self {
        let mut world = World::new(plan.seed);
        world.set_latencies(LATENCIES, NOISE);
        let mut dice = Dice::new(plan.seed, 0);
        let mut numbers: Vec<usize> = (0..plan.nodes).collect();
        dice.shuffle(&mut numbers);
        let (spies, honest) = numbers.split_at(plan.spies);
        let config = plan.mechanism.config();
        let sites: Vec<Site> = (0..plan.nodes)
            .map(|node| {
                if spies.contains(&node) {
                    world.add_around(config, Watcher::new)
                } else {
                    world.add(config)
                }
            })
            .collect();
        for (from, to) in dialled(plan.nodes, &mut dice) {
            world.connect(sites[from], sites[to]);
        }
        Self {
            plan,
            world,
            dice,
            spies: spies.iter().map(|spy| sites[*spy]).collect(),
            honest: honest.to_vec(),
            sent: BTreeMap::new(),
            sights: BTreeMap::new(),
            delays: Vec::new(),
            copies: 0,
        }
    }

    fn publish(&mut self, author: usize) -> Result<(), Failure> {
        let site = self.world.sites().nth(author).ok_or("no such node")?;
        let topic = Topic::random(self.dice.rng());
        let draft = Draft::new(self.world.time_at(site), TTL, topic, vec![0; DATA])?;
        let envelope = draft.seal_rated(Rating::ZERO)?;
        let (hash, at) = (envelope.hash(), self.world.now());
        self.world.publish(site, envelope)?;
        self.sent.insert(hash, (author, at));
        Ok(())
    }

    /// Takes what was recorded and seen.
    fn observe(&mut self) {
        for record in self.world.take_records() {
            if let What::Told(Event::Admitted { envelope, from: Some(_) }) = record.what
                && let Some((_, at)) = self.sent.get(&envelope.hash())
            {
                self.delays.push(record.at.saturating_since(*at).as_secs_f64());
            }
        }
        for sighting in take_sightings::<Watcher>(&mut self.world, &self.spies) {
            self.copies += 1;
            self.sights.entry(sighting.hash).or_default().push(sight(&sighting));
        }
    }

    fn finish(mut self) -> Observed {
        let noise = self.plan.mechanism.manner().noise;
        let mut is_spy = vec![false; self.plan.nodes];
        self.spies.iter().for_each(|spy| is_spy[spy.index()] = true);
        let messages = self.sent.iter().map(|(hash, (author, _))| {
            let mut sights = self.sights.remove(hash).unwrap_or_default();
            sights.retain(|sight| !is_spy[sight.from]);
            Message { author: *author, seen: Seen { flood: first_copies(sights) } }
        });
        let messages = messages.collect();
        let copies = self.copies as f64 / (self.spies.len() * self.sent.len()) as f64;
        let graph = Graph::of(&self.world, noise);
        let knowledge = Knowledge { graph, is_spy, manner: self.plan.mechanism.manner() };
        Observed { knowledge, messages, delays: self.delays, copies }
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

fn sight(sighting: &Sighting) -> Sight {
    let at = sighting.at.as_millis() as f64 / 1_000.0;
    Sight { at, spy: sighting.site.index(), from: sighting.peer.index() }
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
/// Until the last message is everywhere.
const COOL_DOWN: Duration = Duration::from_secs(60);
/// What sessions use.
const TTL: Duration = Duration::from_secs(600);
/// Bytes that an envelope carries; nothing here depends on them.
const DATA: usize = 64;
