//! Who is let in.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use whisper_net::rlpx::Limits;
use whisper_net::rlpx::ListenError;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::transport::Transport;

use crate::ends::End;
use crate::ends::config;
use crate::ends::connect;
use crate::ends::identity;
use crate::raw;
use crate::raw::Raw;

/// What somebody hears instead of a Hello.
async fn refusal(node: &End, seed: u64) -> Option<Reason> {
    Raw::shake_hands(&node.enode(), &identity(seed)).await.farewell().await
}

#[tokio::test]
async fn refusals_come_in_place_of_hello() {
    let limits = Limits { max_inbound: 1, ..Limits::default() };
    let trusted = vec![identity(4).public_key()];
    let mut node = End::with(RlpxConfig { limits, trusted, ..config(1) }).await;
    assert_eq!(refusal(&node, 1).await, Some(Reason::ConnectedToSelf));
    let _first = Raw::connect(&node.enode(), 2).await;
    node.connected().await;
    assert_eq!(refusal(&node, 3).await, Some(Reason::TooManyPeers));
    let _trusted = Raw::connect(&node.enode(), 4).await;
    assert!(node.connected().await.1.trusted);
}

#[tokio::test]
async fn outbound_places_are_left_when_inbound_ones_are_taken() {
    let limits = Limits { max_inbound: 1, ..Limits::default() };
    let mut node = End::with(RlpxConfig { limits, ..config(1) }).await;
    let _first = Raw::connect(&node.enode(), 2).await;
    node.connected().await;
    let mut other = End::new(3).await;
    connect(&mut node, &mut other).await;
}

#[tokio::test]
async fn a_place_is_free_again_when_its_peer_has_gone() {
    let limits = Limits { max_inbound: 1, ..Limits::default() };
    let mut node = End::with(RlpxConfig { limits, ..config(1) }).await;
    for seed in [2, 3, 2] {
        let raw = Raw::connect(&node.enode(), seed).await;
        let (peer, _) = node.connected().await;
        drop(raw);
        node.disconnected(peer).await;
        // The place is given back right behind the event.
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_comes_too_often_is_closed_without_a_byte() {
    let limits = Limits { exempt_local: false, ..Limits::default() };
    let mut node = End::with(RlpxConfig { limits, ..config(1) }).await;
    let _raw = Raw::connect(&node.enode(), 2).await;
    node.connected().await;
    let mut socket = raw::dial(&node.enode()).await;
    let mut answer = Vec::new();
    assert!(matches!(socket.read_to_end(&mut answer).await, Ok(0) | Err(_)));
}

#[tokio::test]
async fn d8_slow_handshakes_hold_up_nobody() {
    let mut slow = config(1);
    slow.limits.max_handshakes = 2;
    slow.timing.handshake = Duration::from_secs(3_600);
    let mut node = End::with(slow).await;
    let mut idlers = Vec::new();
    for _ in 0..8 {
        let mut socket = raw::dial(&node.enode()).await;
        socket.write_all(&[1]).await.unwrap();
        idlers.push(socket);
    }
    let mut other = End::new(2).await;
    connect(&mut other, &mut node).await;
}

#[tokio::test]
async fn a_busy_port_is_named_with_what_to_do() {
    let node = End::new(1).await;
    let port = node.enode().endpoint().unwrap().tcp;
    let address = ([127, 0, 0, 1], port).into();
    let listen = Some(address);
    let config = RlpxConfig { listen, ..RlpxConfig::new(Arc::new(identity(2))) };
    let error = RlpxTransport::bind(config).await.unwrap_err();
    assert_eq!(error, ListenError::PortBusy(address));
    assert_eq!(
        error.to_string(),
        format!(
            "port {port} is in use: stop the program that listens on 127.0.0.1:{port}, or choose \
             another port (0 takes any that is free)"
        )
    );
    let listen = Some(([203, 0, 113, 7], 0).into());
    let config = RlpxConfig { listen, ..RlpxConfig::new(Arc::new(identity(2))) };
    assert!(matches!(RlpxTransport::bind(config).await, Err(ListenError::NoSuchAddress(_))));
}

#[tokio::test]
async fn a_node_that_only_dials_has_no_address() {
    let mut alice = End::with(RlpxConfig::new(Arc::new(identity(1)))).await;
    assert_eq!(alice.transport.addresses(), [""; 0]);
    let mut bob = End::new(2).await;
    connect(&mut alice, &mut bob).await;
}
