//! What the laboratory of privacy stands on: latencies of connections, and spies who take the time.

use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Event;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::watchers::Watcher;
use whisper_net::sim::watchers::take_sightings;

#[test]
fn a_connection_keeps_its_latency_both_ways_and_over_redials() {
    for seed in 0..5 {
        let mut world = World::new(seed);
        world.set_latencies(millis(20)..=millis(200), Duration::ZERO);
        let [one, other] = [(); 2].map(|()| world.add(config()));
        world.connect(one, other);
        let latency = world.connections().next().and_then(|connection| connection.latency);
        let latency = latency.expect("one was drawn");
        world.run(Duration::from_secs(2));
        assert_eq!(way(&mut world, one, other), latency);
        assert_eq!(way(&mut world, other, one), latency);
        world.restart(other, config());
        world.run(Duration::from_secs(5));
        assert_eq!(way(&mut world, one, other), latency);
    }
}

#[test]
fn connections_differ_in_latency_and_packets_in_noise() {
    let mut world = World::new(7);
    world.set_latencies(millis(20)..=millis(200), millis(5));
    let nodes: Vec<_> = (0..20).map(|_| world.add(config())).collect();
    nodes.iter().skip(1).for_each(|node| world.connect(nodes[0], *node));
    let latency: Vec<_> = world.connections().filter_map(|one| one.latency).collect();
    assert!(latency.iter().all(|one| (millis(20)..=millis(200)).contains(one)), "{latency:?}");
    assert!(latency.iter().max() > latency.iter().min().map(|least| *least * 2).as_ref());
    world.run(Duration::from_secs(2));
    let ways: Vec<_> = (0..20).map(|_| way(&mut world, nodes[0], nodes[1])).collect();
    let most = latency[0] + millis(5);
    assert!(ways.iter().all(|way| (latency[0]..=most).contains(way)), "{ways:?}");
    assert!(ways.iter().any(|way| *way != ways[0]), "{ways:?}");
}

#[test]
fn connecting_draws_nothing_unless_latencies_are_asked_for() {
    let after = |connects: bool| {
        let mut world = World::new(3);
        let [one, other] = [(); 2].map(|()| world.add(config()));
        [one, other].into_iter().for_each(|site| world.stop(site));
        if connects {
            world.connect(one, other);
        }
        world.below(1_000_000)
    };
    assert_eq!(after(true), after(false));
}

#[test]
fn a_watcher_relays_as_everybody_and_notes_from_whom_each_copy_came() {
    let mut world = World::new(1);
    world.set_latencies(millis(20)..=millis(200), Duration::ZERO);
    let author = world.add(config());
    let spy = world.add_around(config(), Watcher::new);
    let reader = world.add(config());
    world.connect(author, spy);
    world.connect(spy, reader);
    let latency = world.connections().next().and_then(|connection| connection.latency);
    world.run(Duration::from_secs(2));
    let begun = world.now();
    let hash = publish(&mut world, author);
    world.run(Duration::from_secs(2));
    assert!(admitted(&mut world, reader, hash).is_some(), "it relays");
    let seen = take_sightings::<Watcher>(&mut world, &[author, spy]);
    let [copy] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!((copy.site, copy.peer, copy.code, copy.hash), (spy, author, code::MESSAGES, hash));
    assert_eq!(Some(copy.at.saturating_since(begun)), latency);
    assert!(copy.age < Duration::from_secs(2), "{copy:?}");
    assert!(take_sightings::<Watcher>(&mut world, &[spy]).is_empty(), "told once");
}

/// How long an envelope takes from one node to its peer.
fn way(world: &mut World, from: Site, to: Site) -> Duration {
    world.take_records();
    let begun = world.now();
    let hash = publish(world, from);
    world.run(Duration::from_secs(2));
    let arrived = admitted(world, to, hash).expect("it arrives");
    arrived.saturating_since(begun)
}

fn publish(world: &mut World, from: Site) -> EnvelopeHash {
    let content = (0..8).map(|_| world.below(256) as u8).collect();
    let draft =
        Draft::new(world.time_at(from), Duration::from_secs(60), Topic::new(*b"news"), content);
    let envelope = draft.expect("a draft").seal_rated(Rating::ZERO).expect("no work");
    world.publish(from, envelope).expect("taken")
}

/// When a node took an envelope of another, if it did.
fn admitted(world: &mut World, at: Site, hash: EnvelopeHash) -> Option<Timestamp> {
    let records = world.take_records().into_iter();
    let mut taken = records.filter(|record| record.site == at).filter(|record| {
        matches!(&record.what, What::Told(Event::Admitted { envelope, from: Some(_) })
            if envelope.hash() == hash)
    });
    taken.next().map(|record| record.at)
}

fn config() -> Config {
    Config { min_rating: Rating::ZERO, ..Config::default() }
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}
