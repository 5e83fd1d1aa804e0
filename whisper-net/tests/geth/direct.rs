//! Messages to one peer alone, which only those who are trusted may send.

use serde_json::Value;
use serde_json::json;

use crate::ours::Pair;
use crate::ours::TOPIC;
use crate::ours::next;
use crate::ours::to_group;

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn the_reference_takes_our_direct_messages_once_it_trusts_us() {
    let mut pair = Pair::connected().await;
    let (node, peer) = (pair.ours.node.clone(), pair.peer);
    node.send_direct(peer, to_group("not trusted yet")).await.expect("it is connected");
    pair.exchange("read after it").await;
    assert!(!pair.geth.has_message("group", b"not trusted yet"));

    let us = json!({ "enode": pair.ours.enode() });
    pair.geth.must("mark-trusted", us).await;
    node.send_direct(peer, to_group("trusted")).await.expect("it is connected");
    let message = pair.geth.message("group", b"trusted").await;
    let pool = pair.geth.must("pool", json!({})).await;
    assert!(!hashes(&pool).contains(&message["hash"]), "it is not passed on");
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn we_take_direct_messages_of_the_reference_once_we_trust_it() {
    let mut pair = Pair::connected().await;
    whisper(&mut pair, "not trusted yet").await;
    pair.say("read after it", 0.001).await;
    assert_eq!(next(&mut pair.heard).await.message.payload(), b"read after it");

    pair.ours.node.set_trusted(pair.peer, true).await.expect("it is connected");
    let before = pair.ours.node.stats().await.expect("the node lives");
    whisper(&mut pair, "trusted").await;
    let received = next(&mut pair.heard).await;
    assert_eq!(received.message.payload(), b"trusted");
    assert!(received.direct);
    let after = pair.ours.node.stats().await.expect("the node lives");
    assert_eq!(after.pool_envelopes, before.pool_envelopes, "it is not passed on");
}

/// Has the reference send to us alone.
async fn whisper(pair: &mut Pair, text: &str) {
    let message = json!({
        "enode": pair.ours.enode(),
        "symmetric_key": pair.key,
        "topic": format!("0x{TOPIC}"),
        "payload": format!("0x{}", hex::encode(text)),
    });
    pair.geth.must("direct", message).await;
}

fn hashes(pool: &Value) -> &Vec<Value> {
    pool["hashes"].as_array().expect("a list")
}
