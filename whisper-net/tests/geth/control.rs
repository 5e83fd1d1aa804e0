//! The reference among its own: what these tests expect of it is what it does.

use serde_json::json;

use crate::peer::Geth;
use crate::peer::Options;

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn two_nodes_of_the_reference_understand_each_other() {
    let mut alice = Geth::start(Options::default()).await;
    let mut bob = Geth::start(Options::default()).await;
    alice.add_peer(bob.enode()).await;
    alice.connected().await;
    bob.connected().await;

    let theirs = alice.password("the same words").await;
    let ours = bob.password("the same words").await;
    bob.subscribe("all", json!({ "symmetric_key": ours })).await;
    let post = json!({ "symmetric_key": theirs, "topic": "0x01020304", "payload": "0x68656c6c6f" });
    alice.must("post", post).await;

    let message = bob.message("all", b"hello").await;
    assert_eq!(message["topic"], "0x01020304");
    assert!(message["from"].is_null(), "nobody signed it");
}
