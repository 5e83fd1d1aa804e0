//! Networks of nodes, in virtual time. A seed that fails is printed.

mod sim;

use std::collections::BTreeMap;
use std::time::Duration;

use sim::World;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Departure;
use whisper_core::node::Event;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_envelope_reaches_every_node_of_a_connected_graph_exactly_once() {
    for seed in 0..8 {
        let mut world = crowd(seed, 32, 32, relay());
        let mut published = Vec::new();
        for number in 0..4 {
            let author = world.below(32);
            published.push(publish(&mut world, author, number));
            let pause = world.below(400) as u64;
            world.run(Duration::from_millis(pause));
        }
        world.run(10 * SECOND);
        for hash in published {
            for node in 0..32 {
                assert_eq!(world.admissions(node, hash), 1, "seed {seed}, node {node}");
            }
        }
        nothing_is_sent_twice(&world, seed);
        assert!(world.cuts.is_empty(), "seed {seed}: {:?}", world.cuts);
    }
}

/// Two nodes that hear of an envelope from others may send it to each other; neither does so twice,
/// and nobody sends it back to who brought it.
fn nothing_is_sent_twice(world: &World, seed: u64) {
    let mut sent = BTreeMap::new();
    for way in &world.traffic {
        *sent.entry(way).or_insert(0) += 1;
    }
    assert!(sent.values().all(|times| *times == 1), "seed {seed}");
    assert!(!world.origins.is_empty());
    assert!(world.origins.iter().all(|way| !sent.contains_key(way)), "seed {seed}: sent back");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let mut world = crowd(seed, 12, 12, relay());
        for number in 0..3 {
            let author = world.below(12);
            publish(&mut world, author, number);
            world.run(SECOND);
        }
        let states: Vec<_> = (0..12).map(|at| format!("{:?}", world.node(at))).collect();
        (world.events, world.traffic, states)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn who_joins_late_gets_what_is_still_alive() {
    for seed in 0..4 {
        let mut world = crowd(seed, 8, 4, relay());
        let early = publish(&mut world, 0, 1);
        world.run(30 * SECOND);
        let middle = publish(&mut world, 1, 2);
        world.run(25 * SECOND);
        let late = world.add(relay(), Duration::ZERO);
        world.connect(late, 7);
        world.run(5 * SECOND);
        assert_eq!(world.admissions(late, early), 0, "seed {seed}");
        assert_eq!(world.admissions(late, middle), 1, "seed {seed}");
    }
}

#[test]
fn everybody_forgets_what_has_expired_and_the_author_is_told() {
    let mut world = crowd(3, 8, 8, relay());
    let hash = publish(&mut world, 2, 1);
    world.run(60 * SECOND);
    assert!((0..8).all(|at| world.node(at).pool().is_empty()));
    let gone = Event::Gone { hash, why: Departure::Expired };
    let told: Vec<_> = world.events.iter().filter(|(_, _, event)| *event == gone).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].1, 2);
}

#[test]
fn the_author_hears_once_from_each_neighbour() {
    let mut world = World::new(5);
    (0..4).for_each(|_| {
        world.add(relay(), Duration::ZERO);
    });
    (1..4).for_each(|other| world.connect(0, other));
    world.run(SECOND);
    let hash = publish(&mut world, 0, 1);
    world.run(5 * SECOND);
    let count = |is: fn(&Event, EnvelopeHash) -> bool| {
        world.events.iter().filter(|(_, at, event)| *at == 0 && is(event, hash)).count()
    };
    assert_eq!(count(|event, own| matches!(event, Event::Sent { hash, .. } if *hash == own)), 3);
    let acknowledged =
        count(|event, own| matches!(event, Event::Acknowledged { hash, .. } if *hash == own));
    assert_eq!(acknowledged, 3);
    assert_eq!(count(|event, own| matches!(event, Event::Refused { hash, .. } if *hash == own)), 0);
}

#[test]
fn a_light_node_gets_everything_and_passes_nothing_on() {
    let mut world = World::new(6);
    let light = Config { light: true, ..relay() };
    let nodes = [relay(), light, relay()].map(|config| world.add(config, Duration::ZERO));
    world.connect(nodes[0], nodes[1]);
    world.connect(nodes[1], nodes[2]);
    world.run(SECOND);
    let foreign = publish(&mut world, nodes[0], 1);
    let own = publish(&mut world, nodes[1], 2);
    world.run(10 * SECOND);
    assert_eq!(nodes.map(|at| world.admissions(at, foreign)), [1, 1, 0]);
    assert_eq!(nodes.map(|at| world.admissions(at, own)), [1, 1, 1]);
}

#[test]
fn clocks_that_differ_a_little_cut_nobody_and_lose_nothing() {
    for seed in 0..4 {
        let mut world = World::new(seed);
        for _ in 0..10 {
            let ahead = world.below(9_000) as u64;
            world.add(relay(), Duration::from_millis(ahead));
        }
        world.connect_at_random(10, 10);
        world.run(SECOND);
        let hash = publish(&mut world, 0, 1);
        world.run(10 * SECOND);
        assert!((0..10).all(|at| world.admissions(at, hash) == 1), "seed {seed}");
        // At the end of its life some have forgotten it and others have not.
        world.run(60 * SECOND);
        assert!((0..10).all(|at| world.admissions(at, hash) == 1), "seed {seed}");
        assert!(world.cuts.is_empty(), "seed {seed}: {:?}", world.cuts);
    }
}

#[test]
fn f13_peers_that_come_and_go_all_the_time_lose_nothing_and_break_nothing() {
    for seed in 0..2 {
        let mut world = crowd(seed, 10, 0, relay());
        let mut published = Vec::new();
        for number in 0..400 {
            let (one, other) = (world.below(10), world.below(10));
            match number % 2 {
                // The tree that holds all together is redrawn at the end.
                0 => world.disconnect(one, other),
                _ if one != other => world.connect(one, other),
                _ => {}
            }
            if number % 40 == 0 {
                published.push(publish(&mut world, one, number));
            }
            world.run(Duration::from_millis(5));
        }
        world.connect_at_random(10, 0);
        world.run(20 * SECOND);
        for hash in published {
            assert!((0..10).all(|at| world.admissions(at, hash) == 1), "seed {seed}");
        }
    }
}

/// Nodes that are connected and have said who they are.
fn crowd(seed: u64, nodes: usize, more: usize, config: Config) -> World {
    let mut world = World::new(seed);
    (0..nodes).for_each(|_| {
        world.add(config, Duration::ZERO);
    });
    world.connect_at_random(nodes, more);
    world.run(2 * SECOND);
    world
}

fn relay() -> Config {
    Config { min_rating: rating(0.001), ..Config::default() }
}

fn publish(world: &mut World, author: usize, number: u32) -> EnvelopeHash {
    let envelope = letter(world.time_at(author), number);
    let hash = envelope.hash();
    world.publish(author, envelope);
    hash
}

fn letter(now: Timestamp, number: u32) -> Envelope {
    let topic = Topic::new(number.to_be_bytes());
    let draft = Draft::new(now, 50 * SECOND, topic, vec![0; 60]).expect("a good draft");
    // Nine seconds ahead must still be enough.
    let work = draft.work_for(rating(0.002));
    let nonce = draft.search().find(0..u64::MAX, work).expect("some nonce does it");
    draft.seal(nonce)
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}
