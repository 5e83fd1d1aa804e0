//! The network in memory keeps the promises of a transport.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

use std::future::poll_fn;
use std::time::Duration;

use tokio::time::Instant;
use whisper_core::peer::PeerId;
use whisper_net::memory::Faults;
use whisper_net::memory::MemoryNetwork;
use whisper_net::memory::MemoryTransport;
use whisper_net::transport::AddressError;
use whisper_net::transport::DialError;
use whisper_net::transport::DisconnectReason;
use whisper_net::transport::Goodbye;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

/// A transport and what it has told and nobody has looked at.
struct Side {
    transport: MemoryTransport,
    events: std::collections::VecDeque<TransportEvent>,
}

impl Side {
    fn new(network: &MemoryNetwork, name: &str) -> Self {
        Self { transport: network.transport(name), events: Default::default() }
    }

    async fn next(&mut self) -> TransportEvent {
        while self.events.is_empty() {
            let mut events = Vec::new();
            poll_fn(|cx| self.transport.poll_events(cx, &mut events)).await;
            self.events.extend(events);
        }
        self.events.pop_front().unwrap()
    }

    async fn connected(&mut self) -> PeerId {
        match self.next().await {
            TransportEvent::Connected { peer, .. } => peer,
            other => panic!("{other:?}"),
        }
    }

    async fn received(&mut self) -> (u8, Vec<u8>) {
        loop {
            match self.next().await {
                TransportEvent::Received { code, payload, .. } => return (code, payload),
                TransportEvent::Written { .. } => (),
                other => panic!("{other:?}"),
            }
        }
    }

    async fn departed(&mut self) -> DisconnectReason {
        loop {
            if let TransportEvent::Disconnected { how, .. } = self.next().await {
                return how;
            }
        }
    }

    async fn is_idle(&mut self, span: Duration) -> bool {
        tokio::time::timeout(span, self.next()).await.is_err()
    }
}

async fn pair(network: &MemoryNetwork) -> (Side, PeerId, Side, PeerId) {
    let mut alice = Side::new(network, "alice");
    let mut bob = Side::new(network, "bob");
    bob.transport.dial("memory:alice").unwrap();
    let to_alice = bob.connected().await;
    let to_bob = alice.connected().await;
    (alice, to_bob, bob, to_alice)
}

#[tokio::test(start_paused = true)]
async fn packets_arrive_whole_in_order_and_after_their_latency() {
    let latency = Duration::from_millis(20)..=Duration::from_millis(80);
    let faults = Faults { latency, ..Faults::default() };
    let (mut alice, _, mut bob, peer) = pair(&MemoryNetwork::with_faults(7, faults)).await;
    let start = Instant::now();
    for code in 0..100 {
        bob.transport.send(peer, Protocol::WHISPER, code, vec![code; 1_000]);
    }
    for code in 0..100 {
        assert_eq!(alice.received().await, (code, vec![code; 1_000]));
    }
    let span = start.elapsed().as_millis();
    assert!((20..=81).contains(&span), "{span}");
}

#[tokio::test(start_paused = true)]
async fn a_socket_takes_no_more_than_its_buffer_ahead_of_the_reader() {
    let faults = Faults { buffer: 10_000, ..Faults::default() };
    let (mut alice, to_bob, mut bob, peer) = pair(&MemoryNetwork::with_faults(0, faults)).await;
    alice.transport.throttle(to_bob, Duration::from_secs(60));
    (0..40).for_each(|code| bob.transport.send(peer, Protocol::WHISPER, code, vec![0; 1_000]));
    let mut written = 0;
    while written < 10_000 {
        match bob.next().await {
            TransportEvent::Written { bytes, .. } => written += bytes,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(written, 10_000);
    assert!(bob.is_idle(Duration::from_secs(5)).await);
    assert!(alice.is_idle(Duration::from_secs(5)).await);
    for code in 0..40 {
        assert_eq!(alice.received().await.0, code);
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_before_a_goodbye_arrives() {
    let (mut alice, _, mut bob, peer) = pair(&MemoryNetwork::new()).await;
    (0..1_000).for_each(|_| bob.transport.send(peer, Protocol::WHISPER, 1, vec![0; 1_000]));
    poll_fn(|cx| {
        let mut events = Vec::new();
        let mut other = Vec::new();
        let _ = alice.transport.poll_events(cx, &mut events);
        alice.events.extend(events);
        let _ = bob.transport.poll_events(cx, &mut other);
        bob.transport.poll_close(cx)
    })
    .await;
    drop(bob);
    for _ in 0..1_000 {
        assert_eq!(alice.received().await.0, 1);
    }
    assert_eq!(alice.departed().await, DisconnectReason::Remote);
}

#[tokio::test(start_paused = true)]
async fn a_goodbye_is_told_once_at_each_end() {
    let (mut alice, to_bob, mut bob, to_alice) = pair(&MemoryNetwork::new()).await;
    bob.transport.disconnect(to_alice, Goodbye::Requested);
    bob.transport.disconnect(to_alice, Goodbye::Requested);
    alice.transport.send(to_bob, Protocol::WHISPER, 1, vec![1]);
    assert_eq!(bob.departed().await, DisconnectReason::Local);
    assert_eq!(alice.departed().await, DisconnectReason::Remote);
    assert!(bob.is_idle(Duration::from_secs(100)).await);
    assert!(alice.is_idle(Duration::from_secs(100)).await);
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_is_dialled_again_under_a_new_number() {
    let faults = Faults { cut: 0.5, ..Faults::default() };
    let (mut alice, _, mut bob, mut peer) = pair(&MemoryNetwork::with_faults(3, faults)).await;
    for _ in 0..10 {
        (0..64).for_each(|_| bob.transport.send(peer, Protocol::WHISPER, 1, vec![1]));
        assert_eq!(bob.departed().await, DisconnectReason::Broken);
        assert_eq!(alice.departed().await, DisconnectReason::Broken);
        let again = bob.connected().await;
        assert!(again > peer);
        alice.connected().await;
        peer = again;
    }
}

#[tokio::test(start_paused = true)]
async fn an_address_is_dialled_until_somebody_is_there() {
    let network = MemoryNetwork::new();
    let mut bob = Side::new(&network, "bob");
    assert_eq!(
        bob.transport.dial("enode://alice"),
        Err(DialError::Malformed(AddressError::Scheme))
    );
    assert_eq!(bob.transport.dial("memory:bob"), Err(DialError::OwnAddress));
    bob.transport.dial("memory:alice").unwrap();
    assert!(bob.is_idle(Duration::from_secs(10)).await);
    let mut alice = Side::new(&network, "alice");
    bob.connected().await;
    alice.connected().await;
}
