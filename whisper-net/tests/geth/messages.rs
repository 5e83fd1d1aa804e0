//! Messages of every kind, both ways.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use serde_json::json;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_net::Post;
use whisper_net::Subscription;

use crate::ours::Pair;
use crate::ours::TOPIC;
use crate::ours::group;
use crate::ours::identity;
use crate::ours::next;
use crate::ours::uncompressed;
use crate::peer::hexed;

const SIZES: [usize; 9] = [0, 1, 187, 188, 255, 256, 4_096, 65_535, 65_536];
const OURS: [u8; 32] = [0x11; 32];
const THEIRS: [u8; 32] = [0x22; 32];

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn messages_of_every_kind_and_size_pass_to_the_reference() {
    let mut pair = Pair::connected().await;
    let theirs = pair.geth.key_pair(&THEIRS).await;
    pair.geth.subscribe("own", json!({ "key_pair": theirs })).await;
    let (ours, reader) = (identity(&OURS), identity(&THEIRS).public_key());

    for (seed, kind) in kinds().enumerate() {
        let payload = seeded(seed as u64, kind.size);
        let (filter, mut post) = match kind.symmetric {
            true => ("group", Post::to_all(group(), TOPIC, payload.clone())),
            false => ("own", Post::to(reader, payload.clone())),
        };
        post.signer = kind.signed.then(|| Arc::clone(&ours));
        pair.ours.node.post(post).await.unwrap_or_else(|why| panic!("{kind:?}: {why}"));
        let message = pair.geth.message(filter, &payload).await;
        assert_eq!(message["length"], kind.size, "{kind:?}");
        assert_eq!(message["from"], signer(kind, &ours), "{kind:?}");
        assert_eq!(message["ttl"], 50, "{kind:?}");
    }
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn messages_of_every_kind_and_size_come_from_the_reference() {
    let mut pair = Pair::connected().await;
    let theirs = pair.geth.key_pair(&THEIRS).await;
    let (ours, writer) = (identity(&OURS), identity(&THEIRS).public_key());
    let mut own = subscribe(&pair, Filter::new(Arc::clone(&ours))).await;

    for (seed, kind) in kinds().enumerate() {
        let mut post = json!({ "topic": format!("0x{TOPIC}"), "seed": seed, "length": kind.size });
        match kind.symmetric {
            true => post["symmetric_key"] = json!(pair.key),
            false => post["to"] = json!(hexed(&ours.public_key().to_uncompressed())),
        }
        if kind.signed {
            post["signer"] = json!(theirs);
        }
        pair.geth.must("post", post).await;
        let heard = if kind.symmetric { &mut pair.heard } else { &mut own };
        let received = next(heard).await;
        assert_eq!(received.message.payload(), seeded(seed as u64, kind.size), "{kind:?}");
        assert_eq!(received.message.signer(), kind.signed.then_some(writer), "{kind:?}");
        assert_eq!(received.topic, TOPIC, "{kind:?}");
    }
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn a_password_is_the_same_key_to_both() {
    let mut pair = Pair::connected().await;
    for password in ["", "a", "Schwäbische Käsespätzle", &"long ".repeat(100)] {
        let there = pair.geth.password(password).await;
        let here = Arc::new(SymmetricKey::from_password(password));
        pair.geth.subscribe(password, json!({ "symmetric_key": there })).await;
        let mut heard = subscribe(&pair, Filter::new(Arc::clone(&here))).await;

        let payload = format!("by {password:?}");
        let post = Post::to_all(here, TOPIC, payload.clone());
        pair.ours.node.post(post).await.expect("the peer takes it");
        pair.geth.message(password, payload.as_bytes()).await;
        assert_eq!(next(&mut heard).await.message.payload(), payload.as_bytes(), "our own");

        let post = json!({ "symmetric_key": there, "payload": "0x6f6b" });
        pair.geth.must("post", post).await;
        assert_eq!(next(&mut heard).await.message.payload(), b"ok");
    }
}

#[tokio::test]
#[ignore = "builds and runs go-ethereum: needs Go and gcc"]
async fn a_long_life_is_kept_to_the_second() {
    let mut pair = Pair::connected().await;
    let ttl = Duration::from_secs(2 * 24 * 3600);
    let post = Post { ttl, ..Post::to_all(group(), TOPIC, "for two days") };
    pair.ours.node.post(post).await.expect("the peer takes it");
    assert_eq!(pair.geth.message("group", b"for two days").await["ttl"], ttl.as_secs());
}

/// One way to send a message.
#[derive(Clone, Copy, Debug)]
struct Kind {
    size: usize,
    symmetric: bool,
    signed: bool,
}

fn kinds() -> impl Iterator<Item = Kind> {
    let ways = [(true, false), (true, true), (false, false), (false, true)];
    SIZES.into_iter().flat_map(move |size| {
        ways.into_iter().map(move |(symmetric, signed)| Kind { size, symmetric, signed })
    })
}

fn signer(kind: Kind, identity: &Identity) -> Value {
    match kind.signed {
        true => json!(uncompressed(identity.public_key())),
        false => Value::Null,
    }
}

/// Makes the payload that the Go program makes of the same numbers.
fn seeded(seed: u64, length: usize) -> Vec<u8> {
    let blocks = (0..length.div_ceil(32) as u64).flat_map(|block| {
        let mut input = [0; 16];
        input[..8].copy_from_slice(&seed.to_be_bytes());
        input[8..].copy_from_slice(&block.to_be_bytes());
        keccak256(&input)
    });
    blocks.take(length).collect()
}

async fn subscribe(pair: &Pair, filter: Filter) -> Subscription {
    pair.ours.node.subscribe(filter).await.expect("the node lives")
}
