//! Stems beside nodes that have never heard of them.

use whisper_net::Privacy;

use crate::ours::Ours;
use crate::ours::Pair;
use crate::ours::join;
use crate::ours::next;
use crate::ours::to_group;
use crate::peer::Geth;
use crate::peer::Options;

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn k12_the_reference_keeps_a_node_that_offers_stems_and_floods_what_is_handed_over() {
    let mut near = Geth::start(Options::default()).await;
    let mut far = Geth::start(Options::default()).await;
    near.add_peer(far.enode()).await;
    near.connected().await;
    let key = join(&mut far).await;
    let ours = Ours::start_with(Privacy::Stem, &[near.enode()]).await;
    let mut pair = Pair::of(ours, near).await;
    assert!(!pair.ours.peer().await.info.stems, "the reference offers nothing");

    let delivery = pair.ours.node.post(to_group("handed over"));
    far.message("group", b"handed over").await;
    delivery.await.expect("the peer took it");
    // It speaks to us as before.
    let post = serde_json::json!({
        "symmetric_key": key,
        "topic": "0x01020304",
        "payload": format!("0x{}", hex::encode("and back")),
        "pow_target": 0.001,
    });
    far.must("post", post).await;
    let mut heard = next(&mut pair.heard).await;
    if heard.message.payload() == b"handed over" {
        heard = next(&mut pair.heard).await;
    }
    assert_eq!(heard.message.payload(), b"and back");
    assert_eq!(pair.ours.peer().await.info.peer, pair.peer, "the same connection");
}
