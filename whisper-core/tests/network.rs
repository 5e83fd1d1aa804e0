//! Networks of nodes, in virtual time. A seed that fails is printed.

use std::collections::BTreeMap;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Departure;
use whisper_core::node::Event;
use whisper_core::node::Node;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;
use whisper_net::sim::Record;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::for_each_seed;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_envelope_reaches_every_node_of_a_connected_graph_exactly_once() {
    for_each_seed(8, |seed| {
        let (mut world, nodes) = crowd(seed, 32, 4, relay());
        world.record_packets(true);
        let mut published = Vec::new();
        for number in 0..4 {
            let author = nodes[world.below(32)];
            published.push(publish(&mut world, author, number));
            let pause = world.below(400) as u64;
            world.run(Duration::from_millis(pause));
        }
        world.run(10 * SECOND);
        let records = world.take_records();
        for hash in published {
            assert!(nodes.iter().all(|node| admissions(&records, *node, hash) == 1));
        }
        nothing_is_sent_twice(&world, &records);
        assert_eq!(cuts(&records), Vec::<&What>::new());
    });
}

/// Two nodes that hear of an envelope from others may send it to each other; neither does so twice,
/// and nobody sends it back to who brought it.
fn nothing_is_sent_twice(world: &World, records: &[Record]) {
    let mut sent = BTreeMap::new();
    let mut brought = Vec::new();
    for Record { site, what, .. } in records {
        match what {
            What::Sent { peer, code: code::MESSAGES, payload } => {
                for hash in hashes_in(payload) {
                    *sent.entry((*site, world.far_end(*peer), hash)).or_insert(0) += 1;
                }
            }
            What::Told(Event::Admitted { envelope, from: Some(from) }) => {
                brought.push((*site, world.far_end(*from), envelope.hash()));
            }
            _ => {}
        }
    }
    assert!(!brought.is_empty());
    assert!(sent.values().all(|times| *times == 1), "sent twice");
    assert!(brought.iter().all(|way| !sent.contains_key(way)), "sent back");
}

fn hashes_in(payload: &[u8]) -> Vec<EnvelopeHash> {
    let mut rest = packet::check_messages(payload).expect("nodes send what is well-formed");
    let mut hashes = Vec::new();
    while let Ok(envelope) = Envelope::read(&mut rest) {
        hashes.push(envelope.hash());
    }
    hashes
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let run = |seed| {
        let (mut world, nodes) = crowd(seed, 12, 4, relay());
        world.record_packets(true);
        for number in 0..3 {
            let author = nodes[world.below(12)];
            publish(&mut world, author, number);
            world.run(SECOND);
        }
        let states: Vec<_> = nodes.iter().map(|at| format!("{:?}", world.node(*at))).collect();
        (world.take_records(), states)
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn who_joins_late_gets_what_is_still_alive() {
    for_each_seed(4, |seed| {
        let (mut world, nodes) = crowd(seed, 8, 3, relay());
        let early = publish(&mut world, nodes[0], 1);
        world.run(30 * SECOND);
        let middle = publish(&mut world, nodes[1], 2);
        world.run(25 * SECOND);
        let late = world.add(relay());
        world.connect(late, nodes[7]);
        world.run(5 * SECOND);
        let records = world.take_records();
        assert_eq!(admissions(&records, late, early), 0);
        assert_eq!(admissions(&records, late, middle), 1);
    });
}

#[test]
fn everybody_forgets_what_has_expired_and_the_author_is_told() {
    let (mut world, nodes) = crowd(3, 8, 4, relay());
    let hash = publish(&mut world, nodes[2], 1);
    world.run(60 * SECOND);
    assert!(nodes.iter().all(|at| world.node(*at).is_some_and(|node| node.pool().is_empty())));
    let gone = What::Told(Event::Gone { hash, why: Departure::Expired });
    let records = world.take_records();
    let told: Vec<_> = records.iter().filter(|record| record.what == gone).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].site, nodes[2]);
}

#[test]
fn the_author_hears_once_from_each_neighbour() {
    let mut world = World::new(5);
    let nodes: Vec<_> = (0..4).map(|_| world.add(relay())).collect();
    nodes[1..].iter().for_each(|other| world.connect(nodes[0], *other));
    world.run(SECOND);
    let hash = publish(&mut world, nodes[0], 1);
    world.run(5 * SECOND);
    let records = world.take_records();
    let hears = |peer: PeerId, event: fn(EnvelopeHash, PeerId) -> Event| {
        let told = What::Told(event(hash, peer));
        records.iter().filter(|record| record.site == nodes[0] && record.what == told).count()
    };
    let peers = world.node(nodes[0]).into_iter().flat_map(Node::peers);
    let peers: Vec<_> = peers.map(|info| info.peer).collect();
    assert_eq!(peers.len(), 3);
    for peer in peers {
        assert_eq!(hears(peer, |hash, to| Event::Sent { hash, to }), 1);
        assert_eq!(hears(peer, |hash, by| Event::Acknowledged { hash, by }), 1);
        let refused = records.iter().filter(
            |record| matches!(record.what, What::Told(Event::Refused { by, .. }) if by == peer),
        );
        assert_eq!(refused.count(), 0);
    }
}

#[test]
fn a_light_node_gets_everything_and_passes_nothing_on() {
    let mut world = World::new(6);
    let light = Config { light: true, ..relay() };
    let nodes = [relay(), light, relay()].map(|config| world.add(config));
    world.connect(nodes[0], nodes[1]);
    world.connect(nodes[1], nodes[2]);
    world.run(SECOND);
    let foreign = publish(&mut world, nodes[0], 1);
    let own = publish(&mut world, nodes[1], 2);
    world.run(10 * SECOND);
    let records = world.take_records();
    assert_eq!(nodes.map(|at| admissions(&records, at, foreign)), [1, 1, 0]);
    assert_eq!(nodes.map(|at| admissions(&records, at, own)), [1, 1, 1]);
}

#[test]
fn clocks_that_differ_a_little_cut_nobody_and_lose_nothing() {
    for_each_seed(4, |seed| {
        let mut world = World::new(seed);
        let nodes: Vec<_> = (0..10).map(|_| world.add(relay())).collect();
        for node in &nodes {
            let ahead = world.below(9_000) as i64;
            world.set_clock(*node, ahead);
        }
        world.connect_at_random(&nodes, 4);
        world.run(SECOND);
        let hash = publish(&mut world, nodes[0], 1);
        // At the end of its life some have forgotten it and others have not.
        world.run(70 * SECOND);
        let records = world.take_records();
        assert!(nodes.iter().all(|at| admissions(&records, *at, hash) == 1));
        assert_eq!(cuts(&records), Vec::<&What>::new());
    });
}

#[test]
fn f13_peers_that_come_and_go_all_the_time_lose_nothing_and_break_nothing() {
    for_each_seed(2, |seed| {
        let (mut world, nodes) = crowd(seed, 10, 2, relay());
        let mut published = Vec::new();
        for number in 0..400 {
            let (one, other) = (nodes[world.below(10)], nodes[world.below(10)]);
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
        world.connect_at_random(&nodes, 2);
        world.run(20 * SECOND);
        let records = world.take_records();
        for hash in published {
            assert!(nodes.iter().all(|at| admissions(&records, *at, hash) == 1));
        }
    });
}

#[test]
fn a_network_that_was_parted_and_one_that_was_killed_catch_up() {
    for_each_seed(4, |seed| {
        let (mut world, nodes) = crowd(seed, 12, 4, relay());
        let (west, east) = nodes.split_at(6);
        world.split(&[west, east]);
        world.run(SECOND);
        let hash = publish(&mut world, west[0], 1);
        world.run(5 * SECOND);
        let before = world.take_records();
        assert!(east.iter().all(|at| admissions(&before, *at, hash) == 0));
        world.restart(west[1], relay());
        world.heal();
        world.run(10 * SECOND);
        let after = world.take_records();
        assert!(east.iter().all(|at| admissions(&after, *at, hash) == 1));
        assert_eq!(admissions(&after, west[1], hash), 1);
    });
}

/// Nodes that are connected and have said who they are.
fn crowd(seed: u64, nodes: usize, degree: usize, config: Config) -> (World, Vec<Site>) {
    let mut world = World::new(seed);
    let nodes: Vec<_> = (0..nodes).map(|_| world.add(config)).collect();
    world.connect_at_random(&nodes, degree);
    world.run(2 * SECOND);
    (world, nodes)
}

fn relay() -> Config {
    Config { min_rating: rating(0.001), ..Config::default() }
}

fn publish(world: &mut World, author: Site, number: u32) -> EnvelopeHash {
    let topic = Topic::new(number.to_be_bytes());
    let draft = Draft::new(world.time_at(author), 50 * SECOND, topic, vec![0; 60]);
    // Nine seconds ahead must still be enough.
    let envelope = draft.expect("a good draft").seal_rated(rating(0.002)).expect("little work");
    world.publish(author, envelope).expect("a good envelope is taken")
}

/// How often a node admitted an envelope.
fn admissions(records: &[Record], at: Site, wanted: EnvelopeHash) -> usize {
    let admitted = |record: &&Record| {
        record.site == at
            && matches!(&record.what, What::Told(Event::Admitted { envelope, .. })
                if envelope.hash() == wanted)
    };
    records.iter().filter(admitted).count()
}

fn cuts(records: &[Record]) -> Vec<&What> {
    let is_cut = |what: &&What| matches!(what, What::Cut(..));
    records.iter().map(|record| &record.what).filter(is_cut).collect()
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}
