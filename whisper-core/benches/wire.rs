//! What every envelope costs: reading, hashing, checking, and the search that made it.

#![allow(missing_docs, reason = "the macros of criterion write public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Encoded;
use whisper_core::envelope::Envelope;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::packet;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::rlp::Reader;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
const TTL: Duration = Duration::from_secs(50);

/// A draft that carries a payload of so many bytes as a symmetric message: padded to 256, and 28.
fn draft(payload: usize, number: u32) -> Draft {
    let mut data = vec![0x5a; (payload + 3).next_multiple_of(256) + 28];
    data[..4].copy_from_slice(&number.to_be_bytes());
    Draft::new(NOW, TTL, Topic::new(number.to_be_bytes()), data).unwrap()
}

fn search(c: &mut Criterion) {
    let mut group = c.benchmark_group("pow/search/portable");
    for payload in [32, 256, 1_024] {
        let search: Search = draft(payload, 0).search();
        let nonces = 1_000;
        group.throughput(Throughput::Elements(nonces));
        group.bench_function(payload.to_string(), |b| {
            b.iter(|| search.find(black_box(0)..nonces, Work::MAX));
        });
    }
    group.finish();

    let mut group = c.benchmark_group("pow/verify/single");
    for payload in [32, 256, 1_024] {
        let draft = draft(payload, 0);
        group.bench_function(payload.to_string(), |b| {
            b.iter(|| black_box(&draft).search().work_of(7));
        });
    }
    group.finish();
}

fn codec(c: &mut Criterion) {
    let envelope = draft(256, 0).seal(7);
    let bytes = envelope.encode();
    c.bench_function("rlp/encode/256", |b| b.iter(|| black_box(&envelope).encode()));
    c.bench_function("rlp/decode_zero_copy/256", |b| {
        b.iter(|| Encoded::read(&mut Reader::new(black_box(&bytes))).map(|_| ()));
    });
    c.bench_function("envelope/hash/256", |b| b.iter(|| Envelope::decode(black_box(&bytes))));

    let envelopes: Vec<_> = (0..1_000).map(|number| Arc::new(draft(256, number).seal(7))).collect();
    let bundle = packet::encode_messages(&envelopes);
    let mut group = c.benchmark_group("wire/bundle1000_decode_hash_pow");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("256", |b| {
        b.iter(|| {
            let mut reader = packet::check_messages(black_box(&bundle)).unwrap();
            let mut rating = Rating::ZERO;
            while !reader.is_empty() {
                rating = rating.max(Envelope::read(&mut reader).unwrap().rating());
            }
            rating
        });
    });
    group.finish();
}

/// A node without a rating to keep, one peer, and so many envelopes in its pool.
fn full_node(envelopes: u32) -> Node {
    let config = Config {
        min_rating: Rating::ZERO,
        budgets: None,
        pool_bytes: 1 << 30,
        ..Config::default()
    };
    let mut node = Node::new(config, [7; 32]);
    let peer = PeerId::new(1);
    node.handle(
        NOW,
        Input::Connected { peer, direction: Direction::Outbound, network: Network::Alone(peer) },
    )
    .for_each(drop);
    let payload = packet::Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    }
    .encode();
    node.handle(NOW, Input::Received { peer, code: code::STATUS, payload: &payload })
        .for_each(drop);
    for first in (0..envelopes).step_by(1_000) {
        let batch: Vec<_> =
            (first..first + 1_000).map(|number| Arc::new(draft(256, number).seal(7))).collect();
        let payload = packet::encode_messages(&batch);
        let input = Input::Received { peer, code: code::MESSAGES, payload: &payload };
        node.handle(NOW, input).for_each(drop);
    }
    node
}

fn idle(c: &mut Criterion) {
    let mut node = full_node(100_000);
    assert_eq!(node.pool().len(), 100_000);
    c.bench_function("node/idle_tick/100k", |b| {
        b.iter(|| node.handle(NOW, Input::Timeout).for_each(drop));
    });
}

criterion_group!(benches, search, codec, idle);
criterion_main!(benches);
