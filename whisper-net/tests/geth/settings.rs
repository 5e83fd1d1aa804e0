//! What each side demands may change while it runs, and the other obeys.

use serde_json::json;
use whisper_core::pow::Rating;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;
use whisper_net::DeliveryState;
use whisper_net::Post;
use whisper_net::PostError;
use whisper_net::Undelivered;

use crate::ours::Pair;
use crate::ours::TOPIC;
use crate::ours::group;
use crate::ours::next;
use crate::ours::to_group;
use crate::peer::hexed;

/// Shares no bit of its bloom with [`TOPIC`].
const OTHER: Topic = Topic::new([0x81, 0x92, 0xa3, 0x00]);

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn we_obey_a_rating_that_the_reference_raises() {
    let mut pair = Pair::connected().await;
    assert_eq!(pair.ours.peer().await.info.min_rating, 0.001);
    pair.geth.must("set-pow", json!({ "pow": 1.0 })).await;
    pair.ours.peer_until(|peer| peer.info.min_rating == 1.0).await;

    let cheap = Post { target: Some(rating(0.3)), ..to_group("too cheap") };
    let refused = pair.ours.node.post(cheap).await;
    let Err(Undelivered::Failed(PostError::RatedTooLow { lowest, .. })) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(lowest, 1.0);
    pair.ours.node.post(to_group("dear enough")).await.expect("the peer takes it");
    let message = pair.geth.message("group", b"dear enough").await;
    assert!(message["pow"].as_f64() >= Some(1.0), "{message}");
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn the_reference_obeys_a_rating_that_we_raise() {
    let mut pair = Pair::connected().await;
    pair.ours.node.set_min_rating(rating(20.0)).await.expect("the node lives");
    pair.ours.node.post(to_group("read after the change")).await.expect("the peer takes it");
    pair.geth.message("group", b"read after the change").await;
    next(&mut pair.heard).await;

    // Fifteen bits apart: mining for the cheap one never finds what the other demands.
    pair.say("too cheap", 0.001).await;
    pair.say("dear enough", 30.0).await;
    let received = next(&mut pair.heard).await;
    assert_eq!(received.message.payload(), b"dear enough");
    assert!(received.rating >= rating(30.0));
    assert_eq!(pair.ours.peer().await.info.peer, pair.peer, "nobody was cut");
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn we_obey_the_bloom_filter_of_the_reference() {
    let mut pair = Pair::connected().await;
    assert_eq!(pair.ours.peer().await.info.bloom, None);
    let wanted = Bloom::of_as_reference(TOPIC);
    pair.geth.must("set-bloom", json!({ "bloom": hexed(wanted.as_bytes()) })).await;
    pair.ours.peer_until(|peer| peer.info.bloom == Some(wanted)).await;

    let unwanted = pair.ours.node.post(Post::to_all(group(), OTHER, "unwanted"));
    pair.ours.node.post(to_group("wanted")).await.expect("the peer takes it");
    pair.geth.message("group", b"wanted").await;
    assert!(!pair.geth.has_message("group", b"unwanted"));
    assert_eq!(unwanted.state(), DeliveryState::Waiting);
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn the_reference_obeys_our_bloom_filter() {
    let mut pair = Pair::connected().await;
    let all = whisper_core::inbox::Filter::new(group());
    let mut heard = pair.ours.node.subscribe(all).await.expect("the node lives");
    pair.ours.node.set_bloom(Some(Bloom::of(TOPIC))).await.expect("the node lives");
    pair.ours.node.post(to_group("read after the change")).await.expect("the peer takes it");
    pair.geth.message("group", b"read after the change").await;
    next(&mut heard).await;

    let key = pair.key.clone();
    let unwanted =
        json!({ "symmetric_key": key, "topic": format!("0x{OTHER}"), "payload": "0x00" });
    pair.geth.must("post", unwanted).await;
    pair.say("wanted", 0.001).await;
    assert_eq!(next(&mut heard).await.message.payload(), b"wanted");
    assert_eq!(pair.ours.peer().await.info.peer, pair.peer, "nobody was cut");
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}
