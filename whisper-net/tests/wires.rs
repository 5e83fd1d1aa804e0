//! A node on several wires.

#![cfg(feature = "rlpx")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use whisper_core::identity::Identity;
use whisper_net::Config;
use whisper_net::Entropy;
use whisper_net::Event;
use whisper_net::Handle;
use whisper_net::Post;
use whisper_net::memory::MemoryNetwork;
use whisper_net::rlpx::RlpxConfig;
use whisper_net::rlpx::RlpxTransport;
use whisper_net::transport::AddressError;
use whisper_net::transport::DialError;
use whisper_net::transport::DialFailure;

use crate::common::TOPIC;
use crate::common::connect;
use crate::common::key;
use crate::common::rating;

async fn rlpx() -> RlpxTransport {
    let key = Arc::new(Identity::generate(&mut Entropy::os().rng().unwrap()));
    let listen = Some(([127, 0, 0, 1], 0).into());
    RlpxTransport::bind(RlpxConfig { listen, ..RlpxConfig::new(key) }).await.unwrap()
}

fn start(config: Config) -> Handle {
    let mut config = config;
    config.node.min_rating = rating(0.000_1);
    whisper_net::start(config).unwrap()
}

#[tokio::test]
async fn a_node_on_two_wires_joins_their_networks() {
    let network = MemoryNetwork::new();
    let hub = start(Config::new(network.transport("hub")).and(rlpx().await));
    let [one, other] =
        [start(Config::new(network.transport("one"))), start(Config::new(rlpx().await))];
    let addresses = hub.addresses().await.unwrap();
    assert_eq!(addresses[0], "memory:hub");
    assert!(addresses[1].starts_with("enode://"));
    connect(&one, &hub).await;
    connect(&hub, &other).await;
    let peers = hub.peers().await.unwrap();
    let wires: Vec<_> = peers.iter().map(|peer| peer.facts.wire).collect();
    assert_eq!(wires, ["memory", "rlpx"]);
    assert_ne!(peers[0].info.peer, peers[1].info.peer);

    let _delivery = one.post(Post::to_all(key(), TOPIC, "over the bridge"));
    let arrives = async {
        while other.stats().await.unwrap().pool_envelopes == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrives).await.expect("it is relayed");
    hub.shutdown().await;
}

#[tokio::test]
async fn an_address_is_dialled_by_the_wire_that_knows_its_kind() {
    let network = MemoryNetwork::new();
    let node = start(Config::new(network.transport("node")).and(rlpx().await));
    let foreign = DialError::Malformed(AddressError::Scheme);
    assert_eq!(node.dial("carrier:pigeon").await, Err(foreign));
    let key = DialError::Malformed(AddressError::Key);
    assert_eq!(node.dial("enode://00@127.0.0.1:1").await, Err(key));
    let mut events = node.events().await.unwrap();
    let dead = Identity::generate(&mut Entropy::os().rng().unwrap()).public_key();
    let address = format!("enode://{}@127.0.0.1:1", hex::encode(dead.to_bytes()));
    let name = node.dial(&address).await.unwrap();
    let Event::Unreachable { node: told, why, retry_at, .. } =
        events.next().await.unwrap().unwrap()
    else {
        panic!("nothing else happens")
    };
    assert_eq!((told, why), (name, DialFailure::Refused));
    assert!(retry_at > node.clock().now());
}
