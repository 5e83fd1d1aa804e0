//! Many nodes at once, over a network in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::ORIGIN;
use common::TOPIC;
use common::config;
use common::key;
use common::message;
use common::within;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_net::Clock;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Lagged;
use whisper_net::Post;
use whisper_net::Subscription;
use whisper_net::memory::Faults;
use whisper_net::memory::MemoryNetwork;

/// Nodes in a ring with chords, each of which reads the same key.
struct World {
    nodes: Vec<Handle>,
    readers: Vec<Subscription>,
    key: Arc<SymmetricKey>,
}

impl World {
    async fn new(network: &MemoryNetwork, size: usize) -> Self {
        let key = key();
        let mut nodes = Vec::new();
        let mut readers = Vec::new();
        for index in 0..size {
            let node = whisper_net::start(config(network, &index.to_string())).unwrap();
            readers.push(node.subscribe(Filter::new(key.clone())).await.unwrap());
            nodes.push(node);
        }
        for (index, node) in nodes.iter().enumerate() {
            for step in [1, 5] {
                node.dial(&format!("memory:{}", (index + step) % size)).await.unwrap();
            }
        }
        Self { nodes, readers, key }
    }

    /// Waits until every node is ready for all its neighbours.
    async fn settle(&self) {
        for node in &self.nodes {
            while node.stats().await.unwrap().ready_peers < 4 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        }
    }

    fn post(&self, node: usize, text: &str) -> whisper_net::Delivery {
        let ttl = Duration::from_secs(600);
        let post = Post::to_all(self.key.clone(), TOPIC, text);
        self.nodes[node].post(Post { ttl, ..post })
    }
}

#[tokio::test(start_paused = true)]
async fn every_node_reads_every_message_once() {
    let latency = Duration::from_millis(5)..=Duration::from_millis(50);
    let faults = Faults { latency, ..Faults::default() };
    let mut world = World::new(&MemoryNetwork::with_faults(1, faults), 32).await;
    world.settle().await;
    for node in 0..8 {
        within(world.post(node * 4, &node.to_string())).await.unwrap();
    }
    for reader in &mut world.readers {
        let mut seen = BTreeMap::new();
        for _ in 0..8 {
            *seen.entry(message(reader).await.message.payload().to_vec()).or_insert(0) += 1;
        }
        assert!(seen.len() == 8 && seen.values().all(|times| *times == 1), "{seen:?}");
    }
    for node in &world.nodes {
        assert_eq!(node.stats().await.unwrap().admitted_envelopes, 8);
    }
}

#[tokio::test(start_paused = true)]
async fn d19_what_is_posted_arrives_although_connections_break_all_the_time() {
    for seed in 0..4 {
        let faults = Faults {
            latency: Duration::ZERO..=Duration::from_millis(200),
            cut: 0.05,
            redial: Duration::from_millis(500),
            ..Faults::default()
        };
        let mut world = World::new(&MemoryNetwork::with_faults(seed, faults), 12).await;
        for node in 0..12 {
            drop(world.post(node, &node.to_string()));
        }
        for reader in &mut world.readers {
            let mut missing: Vec<_> = (0..12).map(|node| node.to_string()).collect();
            while !missing.is_empty() {
                let Some(Ok(received)) = within(reader.next()).await else {
                    panic!("seed {seed}");
                };
                let text = received.message.payload();
                missing.retain(|missing| missing.as_bytes() != text);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn d20_a_reader_that_has_stopped_does_not_stop_the_relay() {
    let network = MemoryNetwork::new();
    let mut nodes = Vec::new();
    for name in ["from", "via", "to"] {
        let mut settings = config(&network, name);
        settings.backlog = 4;
        settings.node.budgets = None;
        nodes.push(whisper_net::start(settings).unwrap());
    }
    common::connect(&nodes[0], &nodes[1]).await;
    common::connect(&nodes[1], &nodes[2]).await;
    let key = key();
    let mut stopped = nodes[1].subscribe(Filter::new(key.clone())).await.unwrap();
    let mut reader = nodes[2].subscribe(Filter::new(key.clone())).await.unwrap();
    for number in 0..200_u32 {
        within(nodes[0].post(Post::to_all(key.clone(), TOPIC, number.to_be_bytes())))
            .await
            .unwrap();
        assert_eq!(message(&mut reader).await.message.payload(), number.to_be_bytes());
    }
    while stopped.counts().await.unwrap().matched < 200 {
        tokio::task::yield_now().await;
    }
    for number in 0..4_u32 {
        assert_eq!(message(&mut stopped).await.message.payload(), number.to_be_bytes());
    }
    assert!(matches!(stopped.next().await, Some(Err(Lagged(196)))));
}

/// A node whose clock is off by so many seconds, among three that are right and talk.
async fn suspect(offset: i64) -> Option<Event> {
    let network = MemoryNetwork::new();
    let mut odd = config(&network, "odd");
    let mut origin = ORIGIN.saturating_add(Duration::from_secs(100));
    origin = match offset {
        0.. => origin.saturating_add(Duration::from_secs(offset.unsigned_abs())),
        _ => origin.saturating_sub(Duration::from_secs(offset.unsigned_abs())),
    };
    odd.clock = Clock::paused_from(origin);
    let odd = whisper_net::start(odd).unwrap();
    let mut others = Vec::new();
    for name in ["a", "b", "c"] {
        let mut settings = config(&network, name);
        settings.clock = Clock::paused_from(ORIGIN.saturating_add(Duration::from_secs(100)));
        let other = whisper_net::start(settings).unwrap();
        common::connect(&odd, &other).await;
        others.push(other);
    }
    let mut events = odd.events().await.unwrap();
    // More than a few: they are dated back by up to 11 seconds.
    for _ in 0..40 {
        for other in &others {
            drop(other.post(Post::to_all(key(), TOPIC, "tick")));
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let hint = async {
        loop {
            match events.next().await {
                Some(Ok(event @ Event::ClockSuspect { .. })) => return event,
                Some(_) => (),
                None => std::future::pending().await,
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), hint).await.ok()
}

#[tokio::test(start_paused = true)]
async fn b15_a_clock_that_is_wrong_is_noticed_and_one_that_is_right_is_not() {
    let hint = suspect(15).await;
    assert!(matches!(hint, Some(Event::ClockSuspect { ahead: true, by }) if by.as_secs() >= 14));
    let hint = suspect(-25).await;
    assert!(matches!(hint, Some(Event::ClockSuspect { ahead: false, by }) if by.as_secs() >= 24));
    assert!(suspect(0).await.is_none());
    assert!(suspect(5).await.is_none());
}
