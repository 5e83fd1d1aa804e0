//! Nodes that cannot be reached, come anew, or move.

use std::time::Duration;

use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::time::timeout;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::Timing;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::transport::DialFailure;
use whisper_net::transport::DisconnectReason;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

use crate::ends::End;
use crate::ends::PATIENCE;
use crate::ends::config;
use crate::ends::connect;
use crate::ends::identity;
use crate::raw::Raw;

/// A node that waits for an hour after a failure, and for nothing else.
async fn patient(seed: u64) -> End {
    let hour = Duration::from_secs(3_600);
    let timing = Timing {
        connect: Duration::from_secs(25),
        handshake: Duration::from_secs(3),
        retry_local: hour,
        retry_alone: hour,
        check: Duration::from_secs(3),
        ..Timing::default()
    };
    End::with(RlpxConfig { timing, ..config(seed) }).await
}

fn enode(seed: u64, port: u16) -> String {
    let key = hex::encode(identity(seed).public_key().to_bytes());
    format!("enode://{key}@127.0.0.1:{port}?discport=0")
}

/// A port where nothing listens.
async fn dead_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    listener.local_addr().unwrap().port()
}

/// What is told first of an address that is dialled.
async fn failure(address: &str) -> DialFailure {
    let mut node = patient(1).await;
    let name = node.transport.dial(address).unwrap();
    match node.event().await {
        TransportEvent::Unreachable { node, address: told, why, retry_in } => {
            assert_eq!((node, told), (name, address.to_owned()));
            assert!(retry_in >= Timing::default().retry_longest, "{retry_in:?}");
            why
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn why_a_node_is_not_reached_is_told() {
    assert_eq!(failure(&enode(2, dead_port().await)).await, DialFailure::Refused);
    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = mute.local_addr().unwrap().port();
    assert_eq!(failure(&enode(2, port)).await, DialFailure::Mute);
    let mut other = End::new(2).await;
    let port = other.enode().endpoint().unwrap().tcp;
    let wrong_key = enode(3, port);
    let wrong_key = tokio::select! {
        why = failure(&wrong_key) => why,
        event = other.event() => panic!("{event:?}"),
    };
    assert_eq!(wrong_key, DialFailure::HungUp);
    let unknown = enode(2, 1).replace("127.0.0.1", "nowhere.invalid");
    let node: Enode = unknown.parse().unwrap();
    let mut end = patient(1).await;
    end.transport.dial(&node.to_string()).unwrap();
    let told = end.event().await;
    // Where no resolver answers, to look the name up takes longer than to connect may.
    let expected = [DialFailure::UnknownHost, DialFailure::Silent];
    assert!(
        matches!(told, TransportEvent::Unreachable { why, .. } if expected.contains(&why)),
        "{told:?}"
    );
}

#[tokio::test]
async fn a_key_that_two_programs_use_is_told() {
    let mut relay = End::new(2).await;
    let (mut one, mut other) = (End::new(1).await, End::new(1).await);
    connect(&mut one, &mut relay).await;
    other.transport.dial(&relay.url()).unwrap();
    other.connected().await;
    let told = async {
        loop {
            if let TransportEvent::Unreachable { why, .. } = one.event().await {
                return why;
            }
        }
    };
    assert_eq!(told.await, DialFailure::KeyInUse);
}

#[tokio::test]
async fn a_node_that_comes_anew_takes_the_place_of_its_half_open_connection() {
    let mut node = End::new(1).await;
    let mut former = Raw::connect(&node.enode(), 2).await;
    let (old, _) = node.connected().await;
    // The node has no reason yet to take the former connection for dead.
    let _newer = Raw::connect(&node.enode(), 2).await;
    let mut events = [node.heard().await, node.heard().await];
    events.sort_by_key(|event| matches!(event, TransportEvent::Connected { .. }));
    let [TransportEvent::Disconnected { peer, how }, TransportEvent::Connected { peer: new, .. }] =
        events
    else {
        panic!("one goes and one comes")
    };
    assert_eq!((peer, how), (old, DisconnectReason::Replaced));
    assert_ne!(new, old);
    assert_eq!(former.farewell().await, Some(Reason::AlreadyConnected));
}

#[tokio::test]
async fn a_key_that_is_not_proved_takes_no_place() {
    let mut node = End::new(1).await;
    let mut former = Raw::connect(&node.enode(), 2).await;
    let (peer, _) = node.connected().await;
    // A handshake that was recorded, say, and no Hello.
    let _half = Raw::shake_hands(&node.enode(), &identity(2)).await;
    former.write(17, b"still here").await;
    assert_eq!(node.received().await, (peer, 1, b"still here".to_vec()));
}

#[tokio::test]
async fn dialling_again_dials_now_and_at_the_new_address() {
    let (mut alice, mut bob) = (patient(1).await, End::new(2).await);
    let former = enode(2, dead_port().await);
    for _ in 0..2 {
        let name = alice.transport.dial(&former).unwrap();
        match alice.event().await {
            TransportEvent::Unreachable { node, .. } => assert_eq!(node, name),
            other => panic!("{other:?}"),
        }
    }
    let name = alice.transport.dial(&format!(" {}\n", bob.url())).unwrap();
    assert_eq!(alice.connected().await.1.node, Some(name));
    bob.connected().await;
}

#[tokio::test]
async fn when_the_network_changes_what_waits_is_dialled_and_dead_connections_end() {
    let mut alice = patient(1).await;
    let port = dead_port().await;
    alice.transport.dial(&enode(2, port)).unwrap();
    assert!(matches!(alice.event().await, TransportEvent::Unreachable { .. }));
    // A peer that answers no Ping, as one behind a router that has forgotten the connection.
    let _dead = Raw::connect(&alice.enode(), 3).await;
    let (dead, _) = alice.connected().await;
    let mut bob = End::again(2, port).await;
    alice.transport.network_changed();
    let (living, _) = alice.connected().await;
    bob.connected().await;
    assert_eq!(alice.disconnected(dead).await, DisconnectReason::TimedOut);
    alice.transport.network_changed();
    bob.transport.dial(&alice.url()).unwrap();
    let quiet = timeout(Duration::from_secs(5), alice.heard()).await;
    assert!(quiet.is_err(), "{living:?} answers and stays: {quiet:?}");
}

/// A node that has begun a handshake with one that says nothing, and would wait for an hour.
async fn waiting(mute: &TcpListener) -> (End, TcpStream) {
    let hour = Duration::from_secs(3_600);
    let timing =
        Timing { handshake: hour, retry_local: hour, retry_alone: hour, ..config(0).timing };
    let mut node = End::with(RlpxConfig { timing, ..config(1) }).await;
    node.transport.dial(&enode(2, mute.local_addr().unwrap().port())).unwrap();
    (node, dialled(mute).await)
}

async fn dialled(mute: &TcpListener) -> TcpStream {
    timeout(PATIENCE, mute.accept()).await.expect("it is dialled").unwrap().0
}

#[tokio::test]
async fn an_attempt_by_the_former_network_is_begun_anew() {
    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (mut node, _former) = waiting(&mute).await;
    node.transport.network_changed();
    dialled(&mute).await;
}

#[tokio::test]
async fn a_transport_closes_without_waiting_for_what_it_dials() {
    let mute = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (mut node, _socket) = waiting(&mute).await;
    node.close().await;
}
