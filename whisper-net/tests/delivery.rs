//! What becomes of posts.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::time::Duration;

use common::ORIGIN;
use common::TOPIC;
use common::config;
use common::connect;
use common::failing_at;
use common::key;
use common::pair;
use common::rating;
use common::ready;
use common::start;
use common::within;
use whisper_core::envelope::EnvelopeError;
use whisper_core::message::MessageError;
use whisper_core::packet::Refusal;
use whisper_core::pow::Rating;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;
use whisper_net::Clock;
use whisper_net::Delivery;
use whisper_net::DeliveryState;
use whisper_net::Handle;
use whisper_net::NoEntropy;
use whisper_net::Post;
use whisper_net::PostError;
use whisper_net::Undelivered;
use whisper_net::memory::MemoryNetwork;

fn post() -> Post {
    Post::to_all(key(), TOPIC, "hello")
}

/// A post that some quarter of a million tries are needed for: a fifth of a second or so.
fn hard() -> Post {
    Post { target: Some(rating(10.0)), patience: Duration::MAX, ..post() }
}

/// A post that takes longer than anybody lives.
fn endless() -> Post {
    Post { target: Some(rating(1e15)), patience: Duration::MAX, ..post() }
}

/// Waits for a state.
async fn until(delivery: &Delivery, wanted: impl Fn(&DeliveryState) -> bool) -> DeliveryState {
    within(delivery.until(wanted)).await.expect("it comes to that state")
}

async fn working(delivery: &Delivery) -> (Rating, Duration, Duration, usize) {
    match until(delivery, |state| matches!(state, DeliveryState::Working { .. })).await {
        DeliveryState::Working { target, expected, likely, left_out } => {
            (target, expected, likely, left_out.len())
        }
        other => panic!("{other:?}"),
    }
}

async fn failure(delivery: Delivery) -> PostError {
    match within(delivery).await {
        Err(Undelivered::Failed(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_waits_for_a_peer_and_leaves_with_it() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    let delivery = alice.post(post());
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(delivery.state(), DeliveryState::Waiting);
    connect(&alice, &bob).await;
    within(delivery.sent()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_acknowledges_is_heard() {
    let (alice, _bob) = pair(&MemoryNetwork::new()).await;
    let mut delivery = alice.post(post());
    until(&delivery, |state| *state == DeliveryState::Acknowledged { by: 1 }).await;
    let begin = tokio::time::Instant::now();
    while within(delivery.changed()).await.is_some() {}
    assert_eq!(delivery.state(), DeliveryState::Acknowledged { by: 1 });
    assert!(begin.elapsed() < Duration::from_secs(1), "it does not wait for the envelope's end");
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_until_it_is_sent_takes_no_state_from_those_who_follow_it() {
    let (alice, _bob) = pair(&MemoryNetwork::new()).await;
    let mut delivery = alice.post(post());
    // The acknowledgement is here before anybody asks.
    while delivery.state() != (DeliveryState::Acknowledged { by: 1 }) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    within(delivery.sent()).await.unwrap();
    assert_eq!(within(delivery.changed()).await, Some(DeliveryState::Acknowledged { by: 1 }));
    assert_eq!(within(delivery.changed()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_clock_is_late_refuses() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut late = config(&network, "bob");
    late.clock = Clock::paused_from(ORIGIN.saturating_sub(Duration::from_secs(100)));
    let bob = whisper_net::start(late).unwrap();
    connect(&alice, &bob).await;
    let delivery = alice.post(post());
    until(&delivery, |state| *state == DeliveryState::Refused { by: 1, why: Refusal::Future })
        .await;
}

#[tokio::test(start_paused = true)]
async fn one_that_demands_too_much_does_not_stop_the_others() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut peers = Vec::new();
    for (name, min) in [("bob", 0.001), ("carol", 0.002), ("adversary", 1e12)] {
        let mut settings = config(&network, name);
        settings.node.min_rating = rating(min);
        peers.push(whisper_net::start(settings).unwrap());
        connect(&alice, &peers[peers.len() - 1]).await;
    }
    // A tenth of a second of work: what is done at once may never be seen to be worked on.
    let delivery = alice.post(Post { ttl: Duration::from_secs(100_000), ..post() });
    let (target, expected, likely, left_out) = working(&delivery).await;
    assert_eq!((target, left_out), (rating(0.003_125), 1));
    assert!(likely > expected * 2 && likely < expected * 4);
    until(&delivery, |state| *state == DeliveryState::Acknowledged { by: 2 }).await;
}

#[tokio::test(start_paused = true)]
async fn a_target_that_nobody_takes_fails_and_names_the_one_that_helps() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut strict = config(&network, "bob");
    strict.node.min_rating = rating(0.2);
    let bob = whisper_net::start(strict).unwrap();
    connect(&alice, &bob).await;
    let why = failure(alice.post(Post { target: Some(rating(0.1)), ..post() })).await;
    assert!(matches!(why, PostError::RatedTooLow { lowest, .. } if lowest == rating(0.2)));
    assert!(why.to_string().contains("no peer accepts a rating below 0.2; work for about "));
}

#[tokio::test(start_paused = true)]
async fn more_work_than_there_is_patience_for_is_not_begun() {
    let (alice, _bob) = pair(&MemoryNetwork::new()).await;
    let long = Post { target: Some(rating(1e9)), ..post() };
    let why = failure(alice.post(long)).await;
    let PostError::TooMuchWork { target, expected } = why else { panic!("{why:?}") };
    assert_eq!(target, rating(1e9));
    assert!(expected > Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn a_post_can_be_given_up_before_the_node_has_seen_it() {
    let alice = start(&MemoryNetwork::new(), "alice");
    // The node may look at either first: once in two times at the wrong one.
    for _ in 0..64 {
        let delivery = alice.post(post());
        delivery.cancel();
        assert_eq!(within(delivery.sent()).await, Err(Undelivered::Cancelled));
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_can_be_given_up_while_it_waits_and_while_it_is_worked_on() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    let waiting = alice.post(post());
    waiting.cancel();
    assert_eq!(within(waiting.sent()).await, Err(Undelivered::Cancelled));
    connect(&alice, &bob).await;
    let worked_on = alice.post(endless());
    working(&worked_on).await;
    worked_on.cancel();
    assert_eq!(within(worked_on.sent()).await, Err(Undelivered::Cancelled));
    within(alice.post(post())).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_dropped_delivery_lets_its_post_go_on() {
    let (alice, bob) = pair(&MemoryNetwork::new()).await;
    let key = key();
    let mut reader = bob.subscribe(whisper_core::inbox::Filter::new(key.clone())).await.unwrap();
    drop(alice.post(Post::to_all(key, TOPIC, "hello")));
    assert_eq!(common::message(&mut reader).await.message.payload(), b"hello");
}

#[tokio::test(start_paused = true)]
async fn an_envelope_that_no_peer_takes_expires() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    let mut events = alice.events().await.unwrap();
    alice.dial("memory:bob").await.unwrap();
    let peer = ready(&mut events).await;
    // Long enough for the peer to go first.
    let delivery = alice.post(Post { target: Some(rating(60.0)), ..hard() });
    working(&delivery).await;
    alice.disconnect(peer).await.unwrap();
    until(&delivery, |state| *state == DeliveryState::Published).await;
    assert_eq!(within(delivery).await, Err(Undelivered::Expired));
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_does_not_want_the_topic_does_not_count() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut choosy = config(&network, "bob");
    choosy.node.bloom = Some(Bloom::of(Topic::new([0xff; 4])));
    let bob = whisper_net::start(choosy).unwrap();
    connect(&alice, &bob).await;
    let delivery = alice.post(post());
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(delivery.state(), DeliveryState::Waiting);
    bob.set_bloom(None).await.unwrap();
    within(delivery.sent()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_made_fails_at_once() {
    let alice = start(&MemoryNetwork::new(), "alice");
    let failed = |post| alice.post(post).state();
    let short = Post { ttl: Duration::from_secs(9), ..post() };
    let expected = PostError::Envelope(EnvelopeError::Ttl);
    assert_eq!(failed(short), DeliveryState::Failed(expected));
    let large = Post { payload: vec![0; 0x100_0000], ..post() };
    let expected = PostError::Message(MessageError::TooLarge { max: 0xff_ffff });
    assert_eq!(failed(large), DeliveryState::Failed(expected));
}

#[tokio::test(start_paused = true)]
async fn what_is_posted_in_one_breath_arrives_in_order_and_whole() {
    let (alice, bob) = pair(&MemoryNetwork::new()).await;
    let key = key();
    let filter = whisper_core::inbox::Filter::new(key.clone());
    let mut reader = bob.subscribe(filter).await.unwrap();
    let texts: Vec<String> = (0..1_500).map(|number| number.to_string()).collect();
    for text in &texts {
        let post =
            Post { target: Some(rating(0.001)), ..Post::to_all(key.clone(), TOPIC, &**text) };
        drop(alice.post(post));
    }
    for text in &texts {
        assert_eq!(common::message(&mut reader).await.message.payload(), text.as_bytes());
    }
}

#[tokio::test(start_paused = true)]
async fn strangers_that_demand_much_neither_stop_posts_nor_make_them_dear() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut strangers = Vec::new();
    let demands = [("honest", 0.005), ("dear", 1.0), ("boundless", 1e14), ("endless", 1e14)];
    for (name, min) in demands {
        let mut settings = config(&network, name);
        settings.node.min_rating = rating(min);
        strangers.push(whisper_net::start(settings).unwrap());
    }
    for stranger in &strangers {
        connect(stranger, &alice).await;
    }
    // Long enough for the work to be seen.
    let delivery = alice.post(Post { ttl: Duration::from_secs(100_000), ..post() });
    let (target, _, _, left_out) = working(&delivery).await;
    assert_eq!((target, left_out), (rating(0.012_5), 3));
    within(delivery.sent()).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn peers_that_we_dialled_decide_what_a_post_costs() {
    let network = MemoryNetwork::new();
    let alice = start(&network, "alice");
    let mut peers = Vec::new();
    for (name, min) in [("dialled", 0.01), ("low", 0.001), ("lower", 0.000_1), ("dear", 0.1)] {
        let mut settings = config(&network, name);
        settings.node.min_rating = rating(min);
        let peer = whisper_net::start(settings).unwrap();
        match name {
            "dialled" => connect(&alice, &peer).await,
            _ => connect(&peer, &alice).await,
        }
        peers.push(peer);
    }
    // Long enough for the work to be seen.
    let delivery = alice.post(Post { ttl: Duration::from_secs(100_000), ..post() });
    let (target, _, _, left_out) = working(&delivery).await;
    assert_eq!((target, left_out), (rating(0.012_5), 1));
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_bounded_and_room_can_be_waited_for() {
    let alice = start(&MemoryNetwork::new(), "alice");
    let large = || Post { payload: vec![0; 1 << 20], ..post() };
    let deliveries: Vec<Delivery> = (0..15).map(|_| alice.post(large())).collect();
    assert_eq!(failure(alice.post(large())).await, PostError::QueueFull);
    let mut waits = std::pin::pin!(alice.post_when_ready(large()));
    assert!(tokio::time::timeout(Duration::from_secs(60), &mut waits).await.is_err());
    deliveries[0].cancel();
    assert_eq!(within(waits).await.state(), DeliveryState::Waiting);
    assert_eq!(deliveries[1].state(), DeliveryState::Waiting);
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nothing_is_taken() {
    let (alice, _bob) = pair(&MemoryNetwork::new()).await;
    alice.shutdown().await;
    assert_eq!(failure(alice.post(post())).await, PostError::Closed);
}

#[tokio::test(start_paused = true)]
async fn what_no_peer_has_at_the_end_fails() {
    let alice: Handle = start(&MemoryNetwork::new(), "alice");
    let waiting = alice.post(post());
    alice.shutdown().await;
    assert_eq!(failure(waiting).await, PostError::Closed);
    let bob = start(&MemoryNetwork::new(), "bob");
    let waiting = bob.post(post());
    drop(bob);
    assert_eq!(failure(waiting).await, PostError::Closed);
}

#[tokio::test(start_paused = true)]
async fn c8_a_post_without_randomness_fails_alone() {
    let network = MemoryNetwork::new();
    let mut settings = config(&network, "alice");
    // A start takes three readings.
    settings.entropy = failing_at(3);
    let (alice, bob) = (whisper_net::start(settings).unwrap(), start(&network, "bob"));
    connect(&alice, &bob).await;
    let why = failure(alice.post(post())).await;
    assert_eq!(why, PostError::NoEntropy(NoEntropy));
    within(alice.post(post())).await.unwrap();
}
