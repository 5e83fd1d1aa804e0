//! Whole nodes, over a network in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use common::ORIGIN;
use common::TOPIC;
use common::config;
use common::connect;
use common::identity;
use common::is_quiet;
use common::key;
use common::message;
use common::pair;
use common::rating;
use common::ready;
use common::start;
use common::within;
use rand_core::Rng;
use whisper_core::envelope::Draft;
use whisper_core::inbox::Filter;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::node::Direction;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::PeerId;
use whisper_net::Clock;
use whisper_net::Closed;
use whisper_net::Config;
use whisper_net::DirectError;
use whisper_net::Entropy;
use whisper_net::Event;
use whisper_net::Lagged;
use whisper_net::NoEntropy;
use whisper_net::Post;
use whisper_net::PostError;
use whisper_net::StartError;
use whisper_net::Undelivered;
use whisper_net::memory::MemoryNetwork;
use whisper_net::peering::NodeName;
use whisper_net::peering::Peering;
use whisper_net::transport::AddressError;
use whisper_net::transport::DialError;
use whisper_net::transport::Goodbye;
use whisper_net::transport::PeerFacts;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

#[tokio::test(start_paused = true)]
async fn a_message_for_a_public_key_is_opened_by_its_holder_only() {
    let (alice, bob) = pair(&MemoryNetwork::new()).await;
    let (for_bob, for_carol, signer) = (identity(), identity(), identity());
    let mut hers = bob.subscribe(Filter::new(for_carol)).await.unwrap();
    let mut his = bob.subscribe(Filter::new(for_bob.clone())).await.unwrap();
    let post = Post { signer: Some(signer.clone()), ..Post::to(for_bob.public_key(), "hello") };
    within(alice.post(post)).await.unwrap();
    let received = message(&mut his).await;
    assert_eq!(received.message.payload(), b"hello");
    assert_eq!(received.message.signer(), Some(signer.public_key()));
    assert!(!received.direct);
    assert!(is_quiet(&mut hers).await);
    let counts = hers.counts().await.unwrap();
    assert_eq!((counts.matched, counts.not_opened), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_message_for_a_shared_key_reaches_all_who_look_at_its_topic() {
    let network = MemoryNetwork::new();
    let (alice, bob) = pair(&network).await;
    let carol = start(&network, "carol");
    connect(&carol, &bob).await;
    let key = key();
    let mut filter = Filter::new(key.clone());
    filter.topics = vec![TOPIC];
    let mut own = alice.subscribe(filter.clone()).await.unwrap();
    let mut near = bob.subscribe(filter.clone()).await.unwrap();
    let mut far = carol.subscribe(filter.clone()).await.unwrap();
    within(alice.post(Post::to_all(key, TOPIC, "to all"))).await.unwrap();
    for reader in [&mut own, &mut near, &mut far] {
        let received = message(reader).await;
        assert_eq!((received.message.payload(), received.topic), (&b"to all"[..], TOPIC));
        assert!(is_quiet(reader).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_subscription_finds_what_the_pool_held_before_it() {
    let (alice, bob) = pair(&MemoryNetwork::new()).await;
    let key = key();
    let mut early = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    within(alice.post(Post::to_all(key.clone(), TOPIC, "to all"))).await.unwrap();
    message(&mut early).await;
    let mut late = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    let mut own = alice.subscribe(Filter::new(key)).await.unwrap();
    for reader in [&mut late, &mut own] {
        assert_eq!(message(reader).await.message.payload(), b"to all");
    }
    for reader in [&mut early, &mut late, &mut own] {
        assert!(is_quiet(reader).await, "it has had it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_is_told_how_much_it_missed_where_it_is_missing() {
    let network = MemoryNetwork::new();
    let mut small = config(&network, "alice");
    small.backlog = 3;
    let alice = whisper_net::start(small).unwrap();
    let bob = start(&network, "bob");
    connect(&alice, &bob).await;
    let key = key();
    let mut slow = alice.subscribe(Filter::new(key.clone())).await.unwrap();
    let mut quick = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    for text in ["1", "2", "3", "4", "5"] {
        within(bob.post(Post::to_all(key.clone(), TOPIC, text))).await.unwrap();
        message(&mut quick).await;
    }
    while slow.counts().await.unwrap().matched < 5 {
        tokio::task::yield_now().await;
    }
    for text in ["1", "2", "3"] {
        assert_eq!(message(&mut slow).await.message.payload(), text.as_bytes());
    }
    assert!(matches!(slow.next().await, Some(Err(Lagged(2)))));
    within(bob.post(Post::to_all(key, TOPIC, "6"))).await.unwrap();
    assert_eq!(message(&mut slow).await.message.payload(), b"6");
}

#[tokio::test(start_paused = true)]
async fn a_direct_message_is_taken_from_who_is_trusted_and_passed_on_to_nobody() {
    let network = MemoryNetwork::new();
    let (alice, bob, carol) =
        (start(&network, "alice"), start(&network, "bob"), start(&network, "carol"));
    let mut at_alice = alice.events().await.unwrap();
    let mut at_bob = bob.events().await.unwrap();
    alice.dial("memory:bob").await.unwrap();
    let (to_bob, to_alice) = (ready(&mut at_alice).await, ready(&mut at_bob).await);
    connect(&bob, &carol).await;
    let key = key();
    let mut filter = Filter::new(key.clone());
    filter.direct = true;
    let mut direct = bob.subscribe(filter.clone()).await.unwrap();
    let mut beyond = carol.subscribe(filter).await.unwrap();
    let mut network_only = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    let post = |text| Post::to_all(key.clone(), TOPIC, text);
    alice.send_direct(to_bob, post("unwanted")).await.unwrap();
    assert!(is_quiet(&mut direct).await);
    bob.set_trusted(to_alice, true).await.unwrap();
    alice.send_direct(to_bob, post("wanted")).await.unwrap();
    let received = message(&mut direct).await;
    assert_eq!(received.message.payload(), b"wanted");
    assert!(received.direct);
    assert!(is_quiet(&mut beyond).await && is_quiet(&mut network_only).await);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_sends_what_was_posted() {
    let (alice, bob) = pair(&MemoryNetwork::new()).await;
    let key = key();
    let mut reader = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    let posts: Vec<_> =
        (0..20).map(|n| alice.post(Post::to_all(key.clone(), TOPIC, vec![n]))).collect();
    within(alice.shutdown()).await;
    for delivery in posts {
        delivery.await.unwrap();
    }
    let mut seen = Vec::new();
    for _ in 0..20 {
        seen.push(message(&mut reader).await.message.payload()[0]);
    }
    seen.sort_unstable();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
    assert_eq!(alice.peers().await.unwrap_err(), Closed);
}

// In real time: tokio's does not pass while somebody works.
#[tokio::test]
async fn a_shutdown_takes_no_longer_than_it_may() {
    let network = MemoryNetwork::new();
    let mut config = config(&network, "alice");
    config.drain = Duration::from_millis(20);
    let alice = whisper_net::start(config).unwrap();
    let bob = start(&network, "bob");
    connect(&alice, &bob).await;
    let endless = Post { patience: Duration::MAX, ..Post::to(identity().public_key(), "hello") };
    let endless = alice.post(Post { target: Some(rating(1e15)), ..endless });
    within(alice.shutdown()).await;
    assert_eq!(endless.await, Err(Undelivered::Failed(PostError::Closed)));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_takes_the_node_with_it() {
    let network = MemoryNetwork::new();
    let (alice, bob) = pair(&network).await;
    let mut messages = alice.subscribe(Filter::new(key())).await.unwrap();
    let mut events = alice.events().await.unwrap();
    let mut at_bob = bob.events().await.unwrap();
    ready(&mut at_bob).await;
    let clone = alice.clone();
    drop(alice);
    assert!(clone.peers().await.is_ok());
    drop(clone);
    assert!(within(messages.next()).await.is_none());
    while within(events.next()).await.is_some() {}
    assert!(messages.counts().await.is_err());
    assert!(matches!(within(at_bob.next()).await, Some(Ok(Event::Disconnected { .. }))));
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_late_for_events_is_told_of_the_peers_that_are_there() {
    let (alice, _bob) = pair(&MemoryNetwork::new()).await;
    let mut late = alice.events().await.unwrap();
    let Some(Ok(Event::Connected { peer, facts })) = within(late.next()).await else { panic!() };
    assert_eq!(facts.endpoint, "memory:bob");
    assert_eq!(ready(&mut late).await, peer);
}

#[tokio::test(start_paused = true)]
async fn a_peer_comes_and_goes_in_the_order_of_events() {
    let network = MemoryNetwork::new();
    let (alice, bob) = (start(&network, "alice"), start(&network, "bob"));
    let mut events = alice.events().await.unwrap();
    alice.dial("memory:bob").await.unwrap();
    let Some(Ok(Event::Connected { peer, facts })) = events.next().await else { panic!() };
    assert_eq!(facts.endpoint, "memory:bob");
    assert!(matches!(events.next().await, Some(Ok(Event::Ready(ready))) if ready == peer));
    let peers = alice.peers().await.unwrap();
    assert_eq!((peers.len(), peers[0].info.peer), (1, peer));
    alice.disconnect(peer).await.unwrap();
    assert!(
        matches!(events.next().await, Some(Ok(Event::Disconnected { peer: gone, .. })) if gone == peer)
    );
    assert!(alice.peers().await.unwrap().is_empty());
    assert_eq!(alice.stats().await.unwrap().peers, 0);
    let direct = alice.send_direct(peer, Post::to(identity().public_key(), "gone")).await;
    assert!(matches!(direct, Err(DirectError::Peer(_))));
    drop(bob);
}

#[tokio::test(start_paused = true)]
async fn c8_a_node_does_not_start_without_randomness() {
    for failing in 0..3 {
        let mut config = config(&MemoryNetwork::new(), "alice");
        config.entropy = common::failing_at(failing);
        assert_eq!(whisper_net::start(config).err(), Some(StartError::NoEntropy(NoEntropy)));
    }
}

#[tokio::test(start_paused = true)]
async fn c8_a_node_without_randomness_ends_even_if_something_is_unread() {
    let network = MemoryNetwork::new();
    let is_dry = Arc::new(AtomicBool::new(false));
    let (reads, os) = (Arc::clone(&is_dry), Entropy::os());
    let mut settings = config(&network, "bob");
    settings.entropy = Entropy::from_source(move |bytes| {
        if reads.load(Ordering::Relaxed) {
            return Err(NoEntropy);
        }
        os.rng()?.fill_bytes(bytes);
        Ok(())
    });
    let (alice, bob) = (start(&network, "alice"), whisper_net::start(settings).unwrap());
    connect(&alice, &bob).await;
    let key = key();
    let mut reader = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    is_dry.store(true, Ordering::Relaxed);
    within(alice.post(Post::to_all(key, TOPIC, "hello"))).await.unwrap();
    assert!(is_quiet(&mut reader).await);
    within(bob.shutdown()).await;
}

#[test]
fn a_node_does_not_start_outside_a_runtime() {
    let config = Config::new(MemoryNetwork::new().transport("alice"));
    assert_eq!(whisper_net::start(config).err(), Some(StartError::NoRuntime));
}

#[tokio::test(start_paused = true)]
async fn a_node_does_not_start_with_an_address_that_is_none() {
    let mut config = config(&MemoryNetwork::new(), "alice");
    config.entropy = Entropy::os();
    config.dial = vec!["memory:bob".to_owned(), "bob".to_owned()];
    let expected =
        StartError::Dial { index: 1, source: DialError::Malformed(AddressError::Scheme) };
    assert_eq!(whisper_net::start(config).err(), Some(expected));
}

#[tokio::test(start_paused = true)]
async fn b12_a_message_in_another_envelope_is_shown_once() {
    let network = MemoryNetwork::new();
    let bob = start(&network, "bob");
    let key = key();
    let mut reader = bob.subscribe(Filter::new(key.clone())).await.unwrap();
    let rng = &mut Entropy::os().rng().unwrap();
    let readers = Recipient::Symmetric(&key);
    let data = encrypt(b"once", Padding::Aligned, None, readers, rng).unwrap();
    let envelopes = (10..14).map(|ttl| {
        let draft = Draft::new(ORIGIN, Duration::from_secs(ttl), TOPIC, data.clone()).unwrap();
        Arc::new(draft.seal_rated(rating(0.001)).unwrap())
    });
    let packet = packet::encode_messages(&envelopes.collect::<Vec<_>>());

    // Mallory is no node, only a wire.
    let mut mallory = network.transport("mallory");
    mallory.dial("memory:bob").unwrap();
    let mut events = Vec::new();
    poll_fn(|cx| mallory.poll_events(cx, &mut events)).await;
    let Some(TransportEvent::Connected { peer, .. }) = events.first() else { panic!("{events:?}") };
    let status = Status {
        min_rating: rating(0.0),
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    };
    mallory.send(*peer, Protocol::WHISPER, code::STATUS, status.encode());
    mallory.send(*peer, Protocol::WHISPER, code::MESSAGES, packet);
    tokio::spawn(async move {
        loop {
            poll_fn(|cx| mallory.poll_events(cx, &mut events)).await;
            events.clear();
        }
    });

    assert_eq!(message(&mut reader).await.message.payload(), b"once");
    assert!(is_quiet(&mut reader).await);
    assert_eq!(bob.stats().await.unwrap().admitted_envelopes, 4);
}

#[tokio::test(start_paused = true)]
async fn more_addresses_than_the_transport_keeps_do_not_stop_the_start() {
    struct Small;
    impl Transport for Small {
        fn share(&mut self, _: &Peering) {}
        fn poll_events(&mut self, _: &mut Context<'_>, _: &mut Vec<TransportEvent>) -> Poll<usize> {
            Poll::Pending
        }
        fn offer(&mut self, _: Protocol) {}
        fn send(&mut self, _: PeerId, _: Protocol, _: u8, _: Vec<u8>) {}
        fn throttle(&mut self, _: PeerId, _: Duration) {}
        fn disconnect(&mut self, _: PeerId, _: Goodbye) {}
        fn dial(&mut self, _: &str) -> Result<NodeName, DialError> {
            Err(DialError::Full)
        }
    }
    let dial = vec!["one".to_owned(), "another".to_owned()];
    let node = whisper_net::start(Config { dial, ..Config::new(Small) }).unwrap();
    assert!(node.peers().await.unwrap().is_empty());
}

/// A wire that reads on whatever it is told, and hands in all at once.
struct Hasty {
    events: Vec<TransportEvent>,
}

impl Transport for Hasty {
    fn share(&mut self, _: &Peering) {}
    fn poll_events(&mut self, _: &mut Context<'_>, to: &mut Vec<TransportEvent>) -> Poll<usize> {
        to.append(&mut self.events);
        if to.is_empty() { Poll::Pending } else { Poll::Ready(to.len()) }
    }
    fn offer(&mut self, _: Protocol) {}
    fn send(&mut self, peer: PeerId, protocol: Protocol, _: u8, payload: Vec<u8>) {
        self.events.push(TransportEvent::Written { peer, protocol, bytes: payload.len() });
    }
    fn throttle(&mut self, _: PeerId, _: Duration) {}
    fn disconnect(&mut self, _: PeerId, _: Goodbye) {}
    fn dial(&mut self, _: &str) -> Result<NodeName, DialError> {
        Err(DialError::Full)
    }
}

#[tokio::test(start_paused = true)]
async fn a6_a_wire_that_hands_in_more_than_was_asked_for_gets_no_more_than_the_budget() {
    let peer = PeerId::new(1);
    let received = |code, payload| {
        let protocol = Protocol::WHISPER;
        TransportEvent::Received { peer, protocol, code, payload }
    };
    let facts = PeerFacts::new("hasty", Direction::Inbound);
    let status = Status {
        min_rating: rating(0.0),
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    };
    let mut events =
        vec![TransportEvent::Connected { peer, facts }, received(code::STATUS, status.encode())];
    for packet in 0..20_u64 {
        let ttl = Duration::from_secs(600);
        let envelope =
            |n: u64| Draft::new(ORIGIN, ttl, TOPIC, vec![0]).unwrap().seal(packet * 500 + n);
        let envelopes: Vec<_> = (0..500).map(|n| Arc::new(envelope(n))).collect();
        events.push(received(code::MESSAGES, packet::encode_messages(&envelopes)));
    }
    let mut config = Config::new(Hasty { events });
    config.node.min_rating = rating(0.0);
    config.clock = Clock::paused_from(ORIGIN);
    let node = whisper_net::start(config).unwrap();
    tokio::time::sleep(Duration::from_millis(10)).await;
    let admitted = node.stats().await.unwrap().admitted_envelopes;
    assert!((900..1_600).contains(&admitted), "{admitted}");
    tokio::time::sleep(Duration::from_secs(10)).await;
    let admitted = node.stats().await.unwrap().admitted_envelopes;
    assert!((2_500..3_600).contains(&admitted), "200 a second: {admitted}");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(node.stats().await.unwrap().admitted_envelopes, 10_000, "and all in the end");
}

#[tokio::test(start_paused = true)]
async fn a_rating_that_no_envelope_can_reach_is_refused_at_the_start() {
    let mut config = config(&MemoryNetwork::new(), "alice");
    config.node.min_rating = rating(1e300);
    assert_eq!(whisper_net::start(config).err(), Some(StartError::MinRating));
}
