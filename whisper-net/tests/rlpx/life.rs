//! Connections from their beginning to their end.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio::time::timeout;
use whisper_core::peer::PeerId;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::Timing;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::transport::AddressError;
use whisper_net::transport::DialError;
use whisper_net::transport::Direction;
use whisper_net::transport::DisconnectReason;
use whisper_net::transport::Goodbye;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

use crate::ends::End;
use crate::ends::config;
use crate::ends::connect;
use crate::ends::identity;
use crate::raw::Raw;

#[tokio::test]
async fn packets_go_both_ways_in_order() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    let (there, back) = connect(&mut alice, &mut bob).await;
    let large = vec![7; 1 << 20];
    for (code, payload) in [(0, b"status".to_vec()), (1, large.clone()), (127, Vec::new())] {
        alice.transport.send(there, Protocol::WHISPER, code, payload.clone());
        assert_eq!(bob.received().await, (back, code, payload.clone()));
        bob.transport.send(back, Protocol::WHISPER, code, payload.clone());
        assert_eq!(alice.received().await, (there, code, payload));
    }
    for number in 0..2_000_u32 {
        alice.transport.send(there, Protocol::WHISPER, 1, number.to_be_bytes().to_vec());
    }
    for number in 0..2_000_u32 {
        assert_eq!(bob.received().await.2, number.to_be_bytes());
    }
}

#[tokio::test]
async fn what_the_socket_has_taken_is_told() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    let (there, _) = connect(&mut alice, &mut bob).await;
    for length in [0, 1, 100_000, 1 << 20, 5] {
        alice.transport.send(there, Protocol::WHISPER, 1, vec![7; length]);
    }
    alice.written(there, 100_000 + (1 << 20) + 6).await;
}

#[tokio::test]
async fn a_flood_does_not_hold_up_what_goes_the_other_way() {
    // The frames take a while to make, and nobody pings meanwhile.
    let timing = Timing { idle: Duration::from_secs(600), ..config(0).timing };
    let mut node = End::with(RlpxConfig { timing, ..config(1) }).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    let flood: Vec<u8> = (0..50_000).flat_map(|_| raw.frame(17, b"flood")).collect();
    let flood = async { raw.socket.write_all(&flood).await.unwrap() };
    let watch = async {
        node.transport.send(peer, Protocol::WHISPER, 1, b"answer".to_vec());
        let mut before = 0;
        while let TransportEvent::Received { .. } = node.event().await {
            before += 1;
        }
        assert!(before < 10_000, "{before} packets came before one was written");
        for _ in before..50_000 {
            node.received().await;
        }
    };
    tokio::join!(flood, watch);
}

#[tokio::test]
async fn each_side_knows_who_the_other_is() {
    let mut alice = End::with(RlpxConfig { client: "alice\n".to_owned(), ..config(1) }).await;
    let mut bob = End::new(2).await;
    alice.transport.dial(&bob.url()).unwrap();
    let (_, facts) = alice.connected().await;
    assert_eq!(facts.direction, Direction::Outbound);
    assert_eq!((facts.endpoint, facts.public_key), (bob.url(), Some(bob.enode().public_key())));
    assert_eq!(facts.client, "whisper/v0.1");
    let (_, facts) = bob.connected().await;
    assert_eq!(facts.direction, Direction::Inbound);
    assert_eq!(facts.client, r"alice\x0a");
    assert_eq!(facts.endpoint, Enode::new(identity(1).public_key()).to_string());
    assert!(facts.address.unwrap().ip().is_loopback() && !facts.trusted);
}

#[tokio::test]
async fn each_side_learns_once_that_a_connection_is_over() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    for why in [Goodbye::Requested, Goodbye::Requested] {
        let (there, back) = connect(&mut alice, &mut bob).await;
        alice.transport.disconnect(there, why);
        alice.transport.disconnect(there, why);
        alice.transport.send(there, Protocol::WHISPER, 1, b"too late".to_vec());
        assert_eq!(alice.disconnected(there).await, DisconnectReason::Local);
        assert_eq!(bob.disconnected(back).await, DisconnectReason::Remote);
    }
}

#[tokio::test]
async fn why_a_connection_ends_is_said_in_the_words_of_the_wire() {
    let mut node = End::new(1).await;
    for (why, reason) in [
        (Goodbye::Requested, Reason::Requested),
        (Goodbye::Violation, Reason::Subprotocol),
        (Goodbye::Useless, Reason::UselessPeer),
        (Goodbye::Quitting, Reason::Quitting),
    ] {
        let mut raw = Raw::connect(&node.enode(), 2).await;
        let (peer, _) = node.connected().await;
        node.transport.disconnect(peer, why);
        assert_eq!(raw.farewell().await, Some(reason));
        drop(raw);
        node.disconnected(peer).await;
    }
}

#[tokio::test]
async fn a_lost_peer_is_dialled_again() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    let (there, _) = connect(&mut alice, &mut bob).await;
    let endpoint = bob.enode().endpoint().cloned().unwrap();
    drop(bob);
    assert_eq!(alice.disconnected(there).await, DisconnectReason::Remote);
    let mut bob = End::again(2, endpoint.tcp).await;
    let (again, _) = alice.connected().await;
    assert_ne!(again, there);
    bob.connected().await;
}

#[tokio::test]
async fn a_suspended_node_has_no_connections_until_it_goes_on() {
    let timing = Timing { retry_local: Duration::from_millis(10), ..Timing::default() };
    let mut alice = End::with(RlpxConfig { timing, ..config(1) }).await;
    let mut bob = End::new(2).await;
    let (there, back) = connect(&mut alice, &mut bob).await;
    alice.transport.set_suspended(true);
    assert_eq!(alice.disconnected(there).await, DisconnectReason::Local);
    bob.disconnected(back).await;
    let mut carol = End::new(3).await;
    carol.transport.dial(&alice.url()).unwrap();
    // Alice would have dialled twenty times, and Carol have come in.
    assert!(timeout(Duration::from_millis(200), alice.event()).await.is_err());
    alice.transport.set_suspended(false);
    let mut peers = [alice.connected().await.1.public_key, alice.connected().await.1.public_key];
    peers.sort_unstable();
    let mut expected = [bob.enode().public_key(), carol.enode().public_key()].map(Some);
    expected.sort_unstable();
    assert_eq!(peers, expected);
}

#[tokio::test]
async fn nodes_that_dial_each_other_end_up_with_one_connection() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    alice.transport.dial(&bob.url()).unwrap();
    bob.transport.dial(&alice.url()).unwrap();
    // Each may have both for a moment. What the node with the greater key has dialled stays.
    let [there, back] = [settled(&mut alice).await, settled(&mut bob).await];
    alice.transport.send(there, Protocol::WHISPER, 1, b"still there?".to_vec());
    assert_eq!(bob.received().await, (back, 1, b"still there?".to_vec()));
}

/// The only connection of a node once nothing happens any more.
async fn settled(node: &mut End) -> PeerId {
    let mut peers = BTreeSet::new();
    while let Ok(event) = timeout(Duration::from_secs(1), node.heard()).await {
        match event {
            TransportEvent::Connected { peer, .. } => peers.insert(peer),
            TransportEvent::Disconnected { peer, .. } => peers.remove(&peer),
            other => panic!("{other:?}"),
        };
    }
    assert_eq!(peers.len(), 1);
    peers.into_iter().next().unwrap()
}

#[tokio::test]
async fn goodbye_is_said_behind_all_that_was_sent() {
    let (mut alice, node) = (End::new(1).await, End::new(2).await);
    let mut raw = Raw::connect(&alice.enode(), 3).await;
    let (peer, _) = alice.connected().await;
    for number in 0..100 {
        alice.transport.send(peer, Protocol::WHISPER, 1, vec![number; 10_000]);
    }
    let read = async {
        for number in 0..100 {
            let packet = raw.read().await.expect("a packet");
            assert_eq!((packet.code, packet.payload), (17, vec![number; 10_000]));
        }
        assert_eq!(raw.farewell().await, Some(Reason::Quitting));
        drop(raw);
    };
    tokio::join!(alice.close(), read);
    drop(node);
}

#[tokio::test]
async fn a_dropped_transport_cuts_its_connections() {
    let (mut alice, mut bob) = (End::new(1).await, End::new(2).await);
    let (_, back) = connect(&mut alice, &mut bob).await;
    drop(alice);
    assert_eq!(bob.disconnected(back).await, DisconnectReason::Remote);
}

#[tokio::test]
async fn pings_keep_both_ends_alive() {
    let timing = Timing {
        ping: Duration::from_millis(200),
        idle: Duration::from_secs(2),
        ..config(0).timing
    };
    let mut alice = End::with(RlpxConfig { timing: timing.clone(), ..config(1) }).await;
    // Bob sends no Ping of his own: his Pongs are enough.
    let quiet = Timing { ping: Duration::from_secs(60), ..timing };
    let mut bob = End::with(RlpxConfig { timing: quiet, ..config(2) }).await;
    let (there, back) = connect(&mut alice, &mut bob).await;
    let silence = Duration::from_secs(3);
    let nothing = timeout(silence, async {
        tokio::select! { event = alice.event() => event, event = bob.event() => event }
    });
    assert!(nothing.await.is_err(), "nothing happens");
    alice.transport.send(there, Protocol::WHISPER, 1, b"alive".to_vec());
    assert_eq!(bob.received().await, (back, 1, b"alive".to_vec()));
}

#[tokio::test]
async fn a_throttled_peer_is_not_read_and_does_not_count_as_dead() {
    let timing = Timing { idle: Duration::from_secs(1), ..config(0).timing };
    let mut node = End::with(RlpxConfig { timing, ..config(1) }).await;
    let mut raw = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    let (start, span) = (Instant::now(), Duration::from_secs(2));
    node.transport.throttle(peer, span);
    raw.write(17, b"first").await;
    raw.write(17, b"second").await;
    assert_eq!(node.received().await.2, b"first");
    assert!(start.elapsed() >= span, "{:?}", start.elapsed());
    assert_eq!(node.received().await.2, b"second");
    // A later call replaces an earlier one.
    node.transport.throttle(peer, Duration::from_secs(3_600));
    node.transport.throttle(peer, Duration::ZERO);
    raw.write(17, b"third").await;
    assert_eq!(node.received().await.2, b"third");
}

#[tokio::test]
async fn addresses_that_cannot_be_dialled_are_refused() {
    let mut node = End::new(1).await;
    let key = hex::encode(identity(2).public_key().to_bytes());
    for (address, why) in [
        ("".to_owned(), AddressError::Scheme),
        ("memory:bob".to_owned(), AddressError::Scheme),
        ("enode://abc@127.0.0.1:1".to_owned(), AddressError::Key),
        (format!("enode://{key}"), AddressError::Host),
        (format!("enode://{key}@127.0.0.1:0"), AddressError::NoPort),
    ] {
        assert_eq!(node.transport.dial(&address), Err(DialError::Malformed(why)), "{address}");
    }
    assert_eq!(node.transport.dial(&node.url()), Err(DialError::OwnAddress));
    let node_at = |n: u64| {
        let key = hex::encode(identity(n).public_key().to_bytes());
        format!("enode://{key}@127.0.0.1:1")
    };
    let full = (2..300).find(|n| node.transport.dial(&node_at(*n)).is_err());
    assert_eq!(full, Some(258));
    assert_eq!(node.transport.dial(&node_at(258)), Err(DialError::Full));
    assert!(node.transport.dial(&node_at(2)).is_ok());
}
