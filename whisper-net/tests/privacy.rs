//! Who wrote it is hidden, and what is written arrives all the same.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use rand_core::Rng;
use rand_core::SeedableRng;
use tokio::time;
use whisper_core::inbox::Filter;
use whisper_core::node::Rejection;
use whisper_net::Config;
use whisper_net::DeliveryState;
use whisper_net::Entropy;
use whisper_net::Handle;
use whisper_net::Post;
use whisper_net::PostError;
use whisper_net::Privacy;
use whisper_net::memory::MemoryNetwork;

use common::TOPIC;
use common::config;
use common::connect;
use common::identity;
use common::key;
use common::message;
use common::within;

/// The same throws in every run.
fn seeded(seed: u64) -> Entropy {
    let rng = Mutex::new(chacha20::ChaCha20Rng::seed_from_u64(seed));
    Entropy::from_source(move |bytes| {
        rng.lock().unwrap().fill_bytes(bytes);
        Ok(())
    })
}

fn hidden(network: &MemoryNetwork, name: &str) -> Config {
    let seed = name.bytes().map(u64::from).sum();
    Config { privacy: Privacy::Stem, entropy: seeded(seed), ..config(network, name) }
}

fn start(network: &MemoryNetwork, name: &str) -> Handle {
    whisper_net::start(hidden(network, name)).unwrap()
}

#[tokio::test(start_paused = true)]
async fn k14_of_two_nodes_each_is_read_within_six_seconds() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    connect(&alice, &bob).await;
    let (alice_key, bob_key) = (identity(), identity());
    let mut at_alice = alice.subscribe(Filter::new(Arc::clone(&alice_key))).await.unwrap();
    let mut at_bob = bob.subscribe(Filter::new(Arc::clone(&bob_key))).await.unwrap();
    let six = Duration::from_secs(6);
    let began = time::Instant::now();
    let there = alice.post(Post::to(bob_key.public_key(), "there"));
    assert_eq!(message(&mut at_bob).await.message.payload(), b"there");
    let back = bob.post(Post::to(alice_key.public_key(), "back"));
    assert_eq!(message(&mut at_alice).await.message.payload(), b"back");
    assert!(began.elapsed() < six * 2, "{:?}", began.elapsed());
    // The one who dialled sees its own come back, before its time is over.
    within(there.until(|state| *state == DeliveryState::Spread)).await.unwrap();
    assert!(began.elapsed() < six * 2);
    within(back.sent()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_relay_swallows_arrives_by_the_others() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    // A relay that nobody can reach beyond alice takes the stem and has nobody to pass it on to.
    let (near, far) = (start(&network, "near"), start(&network, "far"));
    connect(&alice, &near).await;
    connect(&far, &near).await;
    let reader = identity();
    let mut heard = far.subscribe(Filter::new(Arc::clone(&reader))).await.unwrap();
    let delivery = alice.post(Post::to(reader.public_key(), "all the same"));
    assert_eq!(message(&mut heard).await.message.payload(), b"all the same");
    within(delivery.until(|state| *state == DeliveryState::Spread)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_until_what_was_posted_has_come_back() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    connect(&alice, &bob).await;
    let delivery = alice.post(Post::to_all(key(), TOPIC, "goodbye"));
    within(delivery.sent()).await.unwrap();
    alice.shutdown().await;
    assert_eq!(delivery.state(), DeliveryState::Spread);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_no_longer_than_it_may_for_what_does_not_come_back() {
    let network = MemoryNetwork::new();
    let config = Config { drain: Duration::from_secs(2), ..hidden(&network, "alice") };
    let alice = whisper_net::start(config).unwrap();
    let bob =
        whisper_net::start(Config { privacy: Privacy::Fast, ..hidden(&network, "bob") }).unwrap();
    connect(&alice, &bob).await;
    // Bob floods it, and has nobody to flood it to.
    let delivery = alice.post(Post::to_all(key(), TOPIC, "goodbye"));
    within(delivery.sent()).await.unwrap();
    let began = time::Instant::now();
    alice.shutdown().await;
    assert!((1.9..3.5).contains(&began.elapsed().as_secs_f64()), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn k14_a_restart_keeps_the_relays() {
    let network = MemoryNetwork::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relays");
    let relays: Vec<Handle> = (0..6).map(|at| start(&network, &format!("relay-{at}"))).collect();
    let start_alice = || {
        let relays_file = Some(path.clone());
        whisper_net::start(Config { relays_file, ..hidden(&network, "alice") }).unwrap()
    };
    let mut kept = Vec::new();
    for run in 0..3 {
        let alice = start_alice();
        for relay in &relays {
            alice.dial(relay.local_address().unwrap()).await.unwrap();
        }
        time::sleep(Duration::from_secs(40)).await;
        kept.push(std::fs::read_to_string(&path).unwrap());
        if run == 1 {
            alice.redraw_relays().await.unwrap();
            time::sleep(Duration::from_secs(1)).await;
        }
        alice.shutdown().await;
    }
    assert_eq!(kept[0].split_whitespace().count(), 5, "until when, and two relays: {kept:?}");
    assert!(kept[0] == kept[1] && kept[1] != kept[2], "{kept:?}");
}

#[tokio::test(start_paused = true)]
async fn k4b_nothing_leaves_because_an_envelope_was_opened() {
    let mut left = Vec::new();
    for opens in [true, false] {
        let network = MemoryNetwork::new();
        let [writer, reader, other] =
            ["writer", "reader", "other"].map(|name| start(&network, name));
        connect(&writer, &reader).await;
        connect(&reader, &other).await;
        let (here, elsewhere) = (identity(), identity());
        let (_talks, mut events) = reader.converse(Arc::clone(&here)).await.unwrap();
        let (talks, _events) = writer.converse(identity()).await.unwrap();
        time::sleep(Duration::from_secs(40)).await;
        let before = reader.stats().await.unwrap().packets_sent;
        let to = if opens { here.public_key() } else { elsewhere.public_key() };
        within(talks.invite(to, "hello").await.unwrap()).await.unwrap();
        time::sleep(Duration::from_secs(60)).await;
        left.push(reader.stats().await.unwrap().packets_sent - before);
        let opened = time::timeout(Duration::from_secs(1), events.next()).await.is_ok();
        assert_eq!(opened, opens);
    }
    assert_eq!(left[0], left[1]);
    assert!(left[0] > 0, "it was relayed");
}

#[tokio::test(start_paused = true)]
async fn k14_an_outage_of_eleven_minutes_keeps_the_relays() {
    let network = MemoryNetwork::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relays");
    let relays_file = Some(path.clone());
    let alice = whisper_net::start(Config { relays_file, ..hidden(&network, "alice") }).unwrap();
    let names: Vec<String> = (0..6).map(|at| format!("relay-{at}")).collect();
    let relays: Vec<Handle> = names.iter().map(|name| start(&network, name)).collect();
    for relay in &relays {
        alice.dial(relay.local_address().unwrap()).await.unwrap();
    }
    time::sleep(Duration::from_secs(40)).await;
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.split_whitespace().count(), 5, "{kept}");
    for relay in relays {
        relay.shutdown().await;
    }
    // One that dials us is here all the time.
    let bob = start(&network, "bob");
    bob.dial(alice.local_address().unwrap()).await.unwrap();
    time::sleep(Duration::from_secs(660)).await;
    // Others are back first, and stand in.
    let (first, last): (Vec<_>, Vec<_>) =
        names.iter().partition(|name| !kept.contains(name.as_str()));
    let _first: Vec<Handle> = first.into_iter().map(|name| start(&network, name)).collect();
    time::sleep(Duration::from_secs(120)).await;
    let _last: Vec<Handle> = last.into_iter().map(|name| start(&network, name)).collect();
    time::sleep(Duration::from_secs(900)).await;
    let after = std::fs::read_to_string(&path).unwrap();
    for (before, after) in kept.lines().zip(after.lines()) {
        assert!(after.starts_with(before), "{before}: {after}");
    }
    assert!(after.len() > kept.len() && !after.contains("bob"), "{after}");
}

#[tokio::test(start_paused = true)]
async fn k14_a_peer_that_dials_takes_no_place_after_a_restart() {
    let network = MemoryNetwork::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("relays");
    let start_alice = || {
        let relays_file = Some(path.clone());
        whisper_net::start(Config { relays_file, ..hidden(&network, "alice") }).unwrap()
    };
    let alice = start_alice();
    let relays = ["relay-0", "relay-1"].map(|name| start(&network, name));
    for relay in &relays {
        alice.dial(relay.local_address().unwrap()).await.unwrap();
    }
    time::sleep(Duration::from_secs(40)).await;
    let kept = std::fs::read_to_string(&path).unwrap();
    assert_eq!(kept.split_whitespace().count(), 5, "{kept}");
    alice.shutdown().await;
    for relay in relays {
        relay.shutdown().await;
    }
    let (alice, bob) = (start_alice(), start(&network, "bob"));
    bob.dial(alice.local_address().unwrap()).await.unwrap();
    time::sleep(Duration::from_secs(900)).await;
    assert_eq!(std::fs::read_to_string(&path).unwrap(), kept);
}

#[tokio::test(start_paused = true)]
async fn what_no_relay_brings_back_and_a_full_pool_refuses_is_said_to_be_lost() {
    let network = MemoryNetwork::new();
    let mut config = hidden(&network, "alice");
    (config.node.pool_bytes, config.node.guarded) = (16 * 1_024, false);
    let alice = whisper_net::start(config).unwrap();
    let near = start(&network, "near");
    let filler =
        whisper_net::start(Config { privacy: Privacy::Fast, ..hidden(&network, "filler") })
            .unwrap();
    connect(&alice, &near).await;
    connect(&filler, &alice).await;
    time::sleep(Duration::from_secs(40)).await;
    let long = Duration::from_secs(600);
    let better = common::rating(0.05);
    for number in 0..80_u8 {
        let post = Post::to_all(key(), TOPIC, vec![number; 300]);
        let post = Post { ttl: long, target: Some(better), ..post };
        within(filler.post(post).sent()).await.unwrap();
    }
    let post = Post::to_all(key(), TOPIC, "lost");
    let post = Post { ttl: long, target: Some(common::rating(0.001)), ..post };
    let delivery = alice.post(post);
    within(delivery.sent()).await.unwrap();
    let lost = DeliveryState::Failed(PostError::Rejected(Rejection::PoolFull));
    within(delivery.until(|state| *state == lost)).await.unwrap();
}
