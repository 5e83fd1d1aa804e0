//! What the laboratory of privacy stands on: latencies of connections, and spies who take the time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Stem;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::sim::Site;
use whisper_net::sim::What;
use whisper_net::sim::World;
use whisper_net::sim::liars::Echo;
use whisper_net::sim::liars::Hole;
use whisper_net::sim::liars::Prober;
use whisper_net::sim::watchers::Spy;
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

#[test]
fn k8_k9_liars_on_stems_stop_no_message() {
    for seed in 0..3 {
        let handed = reach_all(seed, Hole::new);
        assert!(handed > 0, "holes are relays of somebody");
        assert!(reach_all(seed, Echo::new) > 0);
        assert!(reach_all(seed, Prober::new) > 0);
    }
}

#[test]
fn a_hole_swallows_stems_and_an_echo_returns_them() {
    let watcher = codes_after_a_stem(Watcher::new);
    assert!(!watcher.is_empty(), "who keeps the rules passes it on");
    assert_eq!(codes_after_a_stem(Hole::new), []);
    assert_eq!(codes_after_a_stem(Echo::new), [code::MESSAGES]);
    // It asks all three peers: twice, and twice oddly dated; besides, it keeps the rules.
    let prober = codes_after_a_stem(Prober::new);
    assert_eq!(prober.iter().filter(|code| **code == code::STEM).count(), {
        12 + watcher.iter().filter(|code| **code == code::STEM).count()
    });
}

/// Lets 20 nodes, half of them liars, write; all honest ones must have all. How many copies of their
/// envelopes the liars were handed by stems.
fn reach_all<S: Spy>(seed: u64, build: impl Fn(Node) -> S) -> usize {
    let mut world = World::new(seed);
    world.set_latencies(millis(20)..=millis(200), millis(5));
    let config = Config { stem: Some(Stem::default()), ..config() };
    let nodes: Vec<_> = (0..10).map(|_| world.add(config)).collect();
    let liars: Vec<_> = (0..10).map(|_| world.add_around(config, &build)).collect();
    world.connect_at_random(&nodes, 4);
    for (node, liar) in nodes.iter().zip(&liars) {
        world.connect(*node, *liar);
        world.connect(*liar, nodes[0]);
    }
    world.run(Duration::from_secs(60));
    world.take_records();
    take_sightings::<S>(&mut world, &liars);
    let sent: Vec<_> = nodes.iter().map(|node| publish(&mut world, *node)).collect();
    // Both timers, at their longest, and the flood.
    world.run(Duration::from_secs(100));
    let mut have = BTreeSet::new();
    for record in world.take_records() {
        if let What::Told(Event::Admitted { envelope, .. }) = record.what {
            have.insert((record.site, envelope.hash()));
        }
    }
    for (node, hash) in nodes.iter().flat_map(|node| sent.iter().map(move |hash| (node, hash))) {
        assert!(have.contains(&(*node, *hash)), "{node:?} misses {hash:?}");
    }
    let sightings = take_sightings::<S>(&mut world, &liars);
    sightings.iter().filter(|seen| seen.code == code::STEM).count()
}

/// With what somebody passes on a stem, who has dialled two peers and is handed it by a third; until a
/// minute after.
fn codes_after_a_stem<S: Spy>(build: impl Fn(Node) -> S) -> Vec<u8> {
    let mut world = World::new(1);
    let liar = world.add_around(Config { stem: Some(Stem::default()), ..config() }, build);
    let mut at = world.now();
    let liar = world.actor_mut::<S>(liar).expect("it is there");
    let acknowledges = false;
    let status =
        Status { min_rating: Rating::ZERO, bloom: None, light: false, acknowledges, stems: true };
    for (number, direction) in
        [Direction::Outbound, Direction::Outbound, Direction::Inbound].into_iter().enumerate()
    {
        let peer = PeerId::new(number as u64);
        let network = Network::Alone(peer);
        step(liar, at, Input::Connected { peer, direction, network });
        let payload = &status.encode();
        step(liar, at, Input::Received { peer, code: code::STATUS, payload });
    }
    pass(liar, &mut at);
    let draft = Draft::new(at, Duration::from_secs(600), Topic::new(*b"news"), vec![7; 20]);
    let envelope = draft.expect("a draft").seal_rated(Rating::ZERO).expect("no work");
    let stem = packet::encode_messages(&[Arc::new(envelope)]);
    let stem = Input::Received { peer: PeerId::new(2), code: code::STEM, payload: &stem };
    let mut outputs = step(liar, at, stem);
    outputs.extend(pass(liar, &mut at));
    let sent = outputs.into_iter().filter_map(|output| match output {
        Output::Transmit { code: code @ (code::STEM | code::MESSAGES), .. } => Some(code),
        _ => None,
    });
    sent.collect()
}

/// Takes a step, and what it sends off its hands.
fn step(actor: &mut impl Spy, at: Timestamp, input: Input<'_>) -> Vec<Output> {
    let mut outputs = actor.handle(at, input);
    let mut done = 0;
    while let Some(output) = outputs.get(done) {
        done += 1;
        if let Output::Transmit { peer, payload, .. } = output {
            let written = Input::Written { peer: *peer, bytes: payload.len() };
            outputs.extend(actor.handle(at, written));
        }
    }
    outputs
}

/// Lets a minute pass.
fn pass(actor: &mut impl Spy, at: &mut Timestamp) -> Vec<Output> {
    let end = at.saturating_add(Duration::from_secs(60));
    let mut outputs = Vec::new();
    while let Some(due) = actor.poll_timeout().filter(|due| *due <= end) {
        *at = due;
        outputs.extend(step(actor, due, Input::Timeout));
    }
    *at = end;
    outputs
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
        Draft::new(world.time_at(from), Duration::from_secs(600), Topic::new(*b"news"), content);
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
