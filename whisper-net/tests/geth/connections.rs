//! Who dials whom, how long it holds, and what happens when one side goes.

use std::time::Duration;

use tokio::time;
use whisper_net::DeliveryState;
use whisper_net::transport::Direction;

use crate::ours::Ours;
use crate::ours::Pair;
use crate::ours::join;
use crate::ours::next;
use crate::ours::to_group;
use crate::peer::Geth;
use crate::peer::Options;

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn we_dial_the_reference() {
    let mut pair = Pair::connected().await;

    let peer = pair.ours.peer().await;
    assert_eq!(peer.facts.direction, Direction::Outbound);
    assert!(peer.facts.client.starts_with("geth-peer/"), "{}", peer.facts.client);
    let seen = pair.geth.peers().await.remove(0);
    assert_eq!(seen["inbound"], true);
    assert!(seen["caps"].as_array().expect("a list").contains(&"shh/6".into()), "{seen}");
    pair.exchange("we dialled").await;
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn the_reference_dials_us() {
    let ours = Ours::start(&[]).await;
    let mut geth = Geth::start(Options::default()).await;
    geth.add_peer(ours.enode()).await;
    let mut pair = Pair::of(ours, geth).await;

    assert_eq!(pair.ours.peer().await.facts.direction, Direction::Inbound);
    assert_eq!(pair.geth.peers().await.remove(0)["inbound"], false);
    pair.exchange("it dialled").await;
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum, and takes a minute: needs Go and gcc"]
async fn pings_keep_an_idle_connection() {
    let mut pair = Pair::connected().await;
    // Twice as long as either side waits for a sign of life.
    time::sleep(Duration::from_secs(61)).await;
    assert_eq!(pair.ours.peer().await.info.peer, pair.peer, "the same connection");
    pair.exchange("after a minute").await;
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum, and waits for a second dial: needs Go and gcc"]
async fn a_restarted_reference_is_found_again() {
    let node_key = Some(hex::encode([0x0e; 32]));
    let geth = Geth::start(Options { node_key: node_key.clone(), ..Options::default() }).await;
    let listen = address(geth.enode());
    let mut pair = Pair::of(Ours::start(&[geth.enode()]).await, geth).await;
    pair.exchange("before").await;

    pair.geth.kill().await;
    pair.ours.gone().await;
    let waiting = pair.ours.node.post(to_group("while it was away"));
    assert_eq!(waiting.state(), DeliveryState::Waiting);
    let mut geth = Geth::start(Options { node_key, listen, ..Options::default() }).await;
    let key = join(&mut geth).await;
    let peer = pair.ours.ready().await;
    waiting.await.expect("it has come back");
    geth.message("group", b"while it was away").await;
    next(&mut pair.heard).await;

    let mut pair = Pair { geth, peer, key, ..pair };
    pair.exchange("after").await;
}

/// The socket address in an enode URL.
fn address(enode: &str) -> String {
    let (_, host) = enode.split_once('@').expect("an enode URL");
    host.split('?').next().expect("at least one part").into()
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn the_reference_hears_our_goodbye() {
    let mut pair = Pair::connected().await;
    pair.ours.node.shutdown().await;
    let event = pair.geth.event(|e| e["event"] == "peer" && e["what"] == "drop").await;
    assert_eq!(event["why"], "client quitting");
}
