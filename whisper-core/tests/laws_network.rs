//! The laws of the node, in networks: eight nodes and two adversaries, whatever happens to them.
//!
//! `PROPTEST_CASES=5000` runs as many stories.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::envelope::Draft;
use whisper_core::node::Budget;
use whisper_core::node::Budgets;
use whisper_core::node::Config;
use whisper_core::node::Event;
use whisper_core::node::Node;
use whisper_core::node::Violation;
use whisper_core::pow::Rating;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;
use whisper_net::memory::Faults;
use whisper_net::sim::Record;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::adversaries::Babbler;
use whisper_net::sim::adversaries::Deaf;

const NODES: usize = 8;
const POOL: usize = 32 * 1024;

/// Something that happens to a network.
#[derive(Clone, Debug)]
enum Act {
    Publish(usize, u64, usize),
    Connect(usize, usize),
    Disconnect(usize, usize),
    Split(u8),
    Heal,
    Restart(usize),
    Clock(usize, i64),
    MinRating(usize, f64),
    Bloom(usize, bool),
    Busy(usize, bool),
    Trust(usize, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let node = || 0..NODES;
    prop_oneof![
        24 => (node(), 10..200_u64, 0..1_500_usize).prop_map(|(at, ttl, len)| Act::Publish(at, ttl, len)),
        2 => (node(), node()).prop_map(|(one, other)| Act::Connect(one, other)),
        2 => (node(), node()).prop_map(|(one, other)| Act::Disconnect(one, other)),
        1 => any::<u8>().prop_map(Act::Split),
        1 => Just(Act::Heal),
        1 => node().prop_map(Act::Restart),
        // What differs by more than the ten seconds that are tolerated is refused, but not blamed.
        1 => (node(), -30_000..30_000_i64).prop_map(|(at, ahead)| Act::Clock(at, ahead)),
        2 => (node(), 0.0..1e-4_f64).prop_map(|(at, min)| Act::MinRating(at, min)),
        1 => (node(), any::<bool>()).prop_map(|(at, all)| Act::Bloom(at, all)),
        1 => (node(), any::<bool>()).prop_map(|(at, busy)| Act::Busy(at, busy)),
        1 => (node(), any::<bool>()).prop_map(|(at, trusted)| Act::Trust(at, trusted)),
    ]
}

/// Acts, each with the milliseconds that pass after it, and what the rest is drawn from.
fn story() -> impl Strategy<Value = (u64, Vec<(Act, u64)>)> {
    let pause = prop_oneof![12 => 0..300_u64, 3 => 0..3_000_u64, 1 => 0..60_000_u64];
    (any::<u64>(), vec((act(), pause), 1..60))
}

/// A network, and what it has done.
struct Life {
    world: World,
    nodes: Vec<Site>,
    records: Vec<Record>,
}

impl Life {
    fn of((seed, acts): &(u64, Vec<(Act, u64)>)) -> Self {
        let mut world = World::new(*seed);
        world.set_faults(Faults { cut: 0.001, buffer: 8 * 1024, ..World::FAULTS });
        let nodes: Vec<_> = (0..NODES).map(|_| world.add(config())).collect();
        world.connect_at_random(&nodes, 3);
        let adversaries = [world.add_actor(Babbler::new(*seed)), world.add_actor(Deaf::default())];
        for adversary in adversaries {
            for _ in 0..3 {
                let victim = nodes[world.below(NODES)];
                world.connect(adversary, victim);
            }
        }
        let mut life = Self { world, nodes, records: Vec::new() };
        for (number, (act, pause)) in acts.iter().enumerate() {
            life.act(number as u64, act);
            life.world.run(Duration::from_millis(*pause));
            life.records.extend(life.world.take_records());
            life.is_bounded();
        }
        life
    }

    fn act(&mut self, number: u64, act: &Act) {
        let Self { world, nodes, .. } = self;
        match *act {
            Act::Publish(at, ttl, len) => {
                let data = [&number.to_be_bytes()[..], &vec![7; len]].concat();
                let (now, ttl) = (world.time_at(nodes[at]), Duration::from_secs(ttl));
                let draft = Draft::new(now, ttl, topic(number), data).expect("a good draft");
                let target = world.node(nodes[at]).map_or(Rating::ZERO, Node::advised_rating);
                // It may be refused: the pool may be full of better ones, or the topic unwanted.
                if let Ok(envelope) = draft.seal_rated(target) {
                    let _ = world.publish(nodes[at], envelope);
                }
            }
            Act::Connect(one, other) if one != other => world.connect(nodes[one], nodes[other]),
            Act::Connect(..) => {}
            Act::Disconnect(one, other) => world.disconnect(nodes[one], nodes[other]),
            Act::Split(mask) => {
                let apart = |number: &usize| mask >> number & 1 == 1;
                let group: Vec<_> = (0..NODES).filter(apart).map(|number| nodes[number]).collect();
                world.split(&[&group]);
            }
            Act::Heal => world.heal(),
            Act::Restart(at) => world.restart(nodes[at], config()),
            Act::Clock(at, ahead) => world.set_clock(nodes[at], ahead),
            Act::MinRating(at, min) => {
                let min = Rating::new(min).expect("a rating");
                world.with(nodes[at], |node: &mut Node, now| {
                    node.set_min_rating(now, min).collect()
                });
            }
            Act::Bloom(at, all) => {
                let bloom = (!all).then(|| Bloom::of(topic(number)));
                world.with(nodes[at], |node: &mut Node, now| node.set_bloom(now, bloom).collect());
            }
            Act::Busy(at, busy) => {
                world.with(nodes[at], |node: &mut Node, now| node.set_busy(now, busy).collect());
            }
            Act::Trust(at, trusted) => world.with(nodes[at], |node: &mut Node, now| {
                let Some(peer) = node.peers().next() else { return Vec::new() };
                let outputs = node.set_trusted(now, peer.peer, trusted);
                outputs.map(Iterator::collect).unwrap_or_default()
            }),
        }
    }

    /// *Bounded*. *Ahead* the world looks at itself, and *quiet* is that nothing panics.
    fn is_bounded(&self) {
        for node in self.nodes.iter().filter_map(|at| self.world.node(*at)) {
            assert!(node.pool().bytes() <= POOL, "{} bytes", node.pool().bytes());
            assert!(node.peers().all(|peer| peer.unwritten <= 2 * 1024 * 1024));
            let text = format!("{node:?}").len();
            assert!(text < 100_000, "it remembers {text} characters");
        }
    }

    /// Who was cut by an honest node, and why.
    fn cuts(&self) -> impl Iterator<Item = (Site, Violation)> {
        self.records.iter().filter_map(|record| match record.what {
            What::Cut(peer, why) if self.nodes.contains(&record.site) => {
                Some((self.world.far_end(peer), why))
            }
            _ => None,
        })
    }

    fn state(&self) -> Vec<String> {
        let node = |at: &Site| {
            let node = self.world.node(*at)?;
            let pooled = node.pool().iter_best_first().map(|(_, entry)| entry.envelope().hash());
            Some(format!("{node:?} {:?}", pooled.collect::<Vec<_>>()))
        };
        self.nodes.iter().filter_map(node).collect()
    }
}

fn topic(number: u64) -> Topic {
    Topic::new([number as u8 % 4; 4])
}

/// Budgets that bind, so that throttling takes part.
fn config() -> Config {
    let budgets = Budgets {
        bytes: Budget { per_second: 8 * 1024, burst: 64 * 1024 },
        envelopes: Budget { per_second: 10, burst: 20 },
        control: Budget { per_second: 5, burst: 10 },
    };
    let min_rating = Rating::new(1e-5).expect("a rating");
    Config { min_rating, pool_bytes: POOL, budgets: Some(budgets), ..Config::default() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn repeatable_the_same_story_ends_in_the_same_network(story in story()) {
        let (one, other) = (Life::of(&story), Life::of(&story));
        prop_assert_eq!(&one.records, &other.records);
        prop_assert_eq!(one.state(), other.state());
    }

    #[test]
    fn fair_no_honest_node_is_cut_whatever_happens(story in story()) {
        let life = Life::of(&story);
        // To a clock that was set forward everybody seems to have been silent for long.
        let leaps = story.1.iter().any(|(act, _)| matches!(act, Act::Clock(..)));
        let late = |why| matches!(why, Violation::Silent | Violation::Stalled);
        for (who, why) in life.cuts().filter(|(_, why)| !(leaps && late(*why))) {
            prop_assert!(!life.nodes.contains(&who), "{:?} was cut: {}", who, why);
        }
    }

    #[test]
    fn commit_on_success_no_envelope_is_admitted_twice_while_it_is_held(story in story()) {
        let mut life = Life::of(&story);
        // All that is on its way arrives, and nothing new is made.
        life.world.run(Duration::from_secs(5));
        let mut held = std::collections::BTreeMap::new();
        for (at, node) in life.nodes.iter().filter_map(|at| Some((at, life.world.node(*at)?))) {
            for (_, entry) in node.pool().iter_best_first() {
                *held.entry((*at, entry.envelope().hash())).or_insert(0) += 1;
            }
        }
        prop_assert!(held.values().all(|times| *times == 1));
        let told = |record: &&Record| matches!(record.what, What::Told(Event::Admitted { .. }));
        prop_assert!(held.is_empty() || life.records.iter().any(|record| told(&record)));
    }
}
