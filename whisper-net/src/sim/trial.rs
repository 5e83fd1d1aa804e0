//! What an attack does to a network: one run, measured.

mod outcome;
mod tally;

use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::node::Config;
use whisper_core::node::Event;
use whisper_core::node::Node;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

pub use self::outcome::Outcome;
pub use self::outcome::Sample;

use self::tally::Tally;
use super::Actor;
use super::Record;
use super::Site;
use super::What;
use super::World;
use crate::memory::Faults;
use crate::posting::PeerDemand;

/// A network under attack: honest nodes that publish messages, and adversaries among their peers.
///
/// ```
/// use std::time::Duration;
///
/// use whisper_core::node::Config;
/// use whisper_core::pow::Rating;
/// use whisper_net::sim::adversaries::Deaf;
/// use whisper_net::sim::trial::Trial;
///
/// let node = Config { min_rating: Rating::new(1e-4)?, ..Config::default() };
/// let span = Duration::from_secs(20);
/// let outcome = Trial { node, span, nodes: 8, degree: 3, ..Trial::default() }.run(|_| Deaf::default());
/// assert!(outcome.delivered > 0.99);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the run is drawn from.
    pub seed: u64,
    /// How many honest nodes there are.
    pub nodes: usize,
    /// How many connections with each other they have.
    pub degree: usize,
    /// How they are set.
    pub node: Config,
    /// What goes wrong on connections.
    pub faults: Faults,
    /// What they run on.
    pub machines: Machines,
    /// What they publish together.
    pub traffic: Traffic,
    /// How many adversaries there are.
    pub adversaries: usize,
    /// How many honest nodes each adversary dials.
    pub reach: usize,
    /// How long the attack lasts.
    pub span: Duration,
    /// How long an adversary that was cut stays away, until it comes back as somebody else.
    pub returns: Duration,
}

/// What honest nodes run on.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Machines {
    /// How long a node works on an envelope that it has read, whatever becomes of it.
    pub pace: Duration,
    /// How far the clocks of one half of the nodes, and of adversaries, are ahead.
    pub clocks: Duration,
}

/// What honest nodes publish, each as well rated as its node and most neighbours demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Traffic {
    /// How many messages a second, of all nodes together.
    pub per_second: u32,
    /// How much data one carries, in bytes.
    pub data: usize,
    /// How long one lives.
    pub ttl: Duration,
}

impl Default for Trial {
    /// 24 nodes of degree 8 that publish two messages a second for a minute; eight adversaries with three
    /// victims each.
    fn default() -> Self {
        let traffic = Traffic { per_second: 2, data: 300, ttl: Duration::from_secs(50) };
        Self {
            seed: 0,
            nodes: 24,
            degree: 8,
            node: Config::default(),
            faults: World::FAULTS,
            machines: Machines::default(),
            traffic,
            adversaries: 8,
            reach: 3,
            span: Duration::from_secs(60),
            returns: Duration::from_secs(5),
        }
    }
}

impl Trial {
    /// Runs it with adversaries that `adversary` makes, each from a seed. After the attack there is time for
    /// what is still on its way.
    pub fn run<A: Actor>(&self, mut adversary: impl FnMut(u64) -> A) -> Outcome {
        let mut world = World::new(self.seed);
        world.set_faults(self.faults.clone());
        world.set_pace(self.machines.pace);
        let nodes: Vec<_> = (0..self.nodes).map(|_| world.add(self.node)).collect();
        let ahead = self.machines.clocks.as_millis() as i64;
        nodes.iter().skip(1).step_by(2).for_each(|site| world.set_clock(*site, ahead));
        world.connect_at_random(&nodes, self.degree);
        world.run(WARM_UP);
        world.take_records();
        for number in 0..self.adversaries {
            let site = world.add_actor(adversary(self.seed.wrapping_mul(1_000) + number as u64));
            world.set_clock(site, ahead);
            for victim in 0..self.reach {
                world.connect(site, nodes[(number * self.reach + victim) % nodes.len()]);
            }
        }
        let tally = Tally::new(self.traffic.ttl);
        let mut run = Run { trial: self, world, nodes, tally, away: Vec::new() };
        let samples = (0..self.span.as_secs()).map(|_| run.second()).collect();
        for _ in 0..COOL_DOWN.as_secs() {
            run.world.run(SECOND);
            run.observe();
        }
        run.tally.outcome(samples, self.nodes)
    }
}

/// A trial that runs.
struct Run<'a> {
    trial: &'a Trial,
    world: World,
    nodes: Vec<Site>,
    tally: Tally,
    /// Adversaries that were cut: when they come back, who they are, and to whom.
    away: Vec<(Timestamp, Site, Site)>,
}

impl Run<'_> {
    /// Lets a second pass, and looks at what it brought.
    fn second(&mut self) -> Sample {
        self.let_them_return();
        let messages = self.trial.traffic.per_second;
        for _ in 0..messages {
            self.publish();
            self.world.run(SECOND / messages);
        }
        if messages == 0 {
            self.world.run(SECOND);
        }
        self.observe();
        self.tally.sample(&self.world, &self.nodes)
    }

    fn let_them_return(&mut self) {
        let now = self.world.now();
        let (due, away) = self.away.drain(..).partition(|(due, ..)| *due <= now);
        self.away = away;
        let due: Vec<(Timestamp, Site, Site)> = due;
        due.into_iter().for_each(|(_, adversary, victim)| self.world.connect(adversary, victim));
    }

    fn publish(&mut self) {
        let author = self.nodes[self.world.below(self.nodes.len())];
        let now = self.world.time_at(author);
        let Traffic { data, ttl, .. } = self.trial.traffic;
        let mut content = vec![0; data];
        content.iter_mut().for_each(|byte| *byte = self.world.below(256) as u8);
        let draft = Draft::new(now, ttl, Topic::new(*b"news"), content);
        let Ok(draft) = draft else { return };
        let cost = |rating| {
            Duration::from_secs_f64((draft.work_for(rating).expected_tries() / SPEED).min(1e9))
        };
        let guarded = self.trial.node.guarded;
        let target = self.world.node(author).and_then(|node| match guarded {
            true => demanded(node).for_all(PATIENCE, cost),
            false => Some(half(node)).filter(|target| cost(*target) <= PATIENCE),
        });
        let sealed = target.map(|target| (draft.work_for(target).expected_tries(), target));
        let sealed =
            sealed.and_then(|(tries, target)| Some((tries, draft.seal_rated(target).ok()?)));
        let Some((tries, envelope)) = sealed else { return self.tally.given_up() };
        self.tally.published(envelope.hash(), self.world.now(), tries);
        // What its own node refuses is lost like what no other takes.
        let _ = self.world.publish(author, envelope);
    }

    fn observe(&mut self) {
        for Record { at, site, what } in self.world.take_records() {
            match what {
                What::Told(Event::Admitted { envelope, from: Some(_) }) => {
                    self.tally.admitted(site, envelope.hash(), at);
                }
                What::Cut(peer, _) => {
                    let other = self.world.far_end(peer);
                    let honest = self.nodes.contains(&other);
                    if self.nodes.contains(&site) {
                        self.tally.cut(honest);
                    }
                    let back = at.saturating_add(self.trial.returns);
                    match (self.nodes.contains(&site), honest) {
                        (true, false) => self.away.push((back, other, site)),
                        // One that hangs up comes back too.
                        (false, true) => self.away.push((back, site, other)),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
    }
}

/// What the peers of a node demand, as the posting of a running node has it.
fn demanded(node: &Node) -> PeerDemand {
    let (own, advised) = (node.min_rating(), node.advised_rating());
    PeerDemand { own, advised, peers: node.peers().collect() }
}

/// What at least half of all ready peers demand, whoever they are.
fn half(node: &Node) -> Rating {
    let mut peers: Vec<_> =
        node.peers().filter(|peer| peer.ready).map(|peer| peer.min_rating).collect();
    peers.sort_unstable();
    let median = peers.get(peers.len().saturating_sub(1) / 2).copied().unwrap_or_default();
    median.max(node.advised_rating())
}

const SECOND: Duration = Duration::from_secs(1);
/// How many tries a second an honest node makes: scaled down, as ratings in trials are.
const SPEED: f64 = 10_000.0;
/// How long an honest node works on one message at most.
const PATIENCE: Duration = Duration::from_secs(10);
/// Until all have said who they are.
const WARM_UP: Duration = Duration::from_secs(3);
/// Until the last message is everywhere or lost.
const COOL_DOWN: Duration = Duration::from_secs(20);
