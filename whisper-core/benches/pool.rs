//! What holding envelopes costs, with few and with many of them: data of 512 bytes, expiries over
//! 600 seconds. Making and hashing the envelopes is not counted.

#![allow(missing_docs, reason = "the macros of criterion write public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::peer::Network;
use whisper_core::pool::Limits;
use whisper_core::pool::OVERHEAD;
use whisper_core::pool::Origin;
use whisper_core::pool::Pool;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

const START: u64 = 1_600_000_000;
/// For how many seconds the expiries of a full pool last.
const SPAN: u64 = 600;
/// So many envelopes are made at a time, off the clock.
const CHUNK: u64 = 10_000;
const MILLION: u64 = 1_000_000;

/// The envelope of this number, in a stream that brings `rate` in each second.
fn envelope(number: u64, rate: u64, ttl: u64) -> Arc<Envelope> {
    let mut data = vec![0x5a; 512];
    data[..8].copy_from_slice(&number.to_be_bytes());
    let now = Timestamp::from_secs(START + number / rate);
    let ttl = Duration::from_secs(ttl);
    Arc::new(Draft::new(now, ttl, Topic::new(*b"news"), data).unwrap().seal(number))
}

fn insert(pool: &mut Pool, envelope: &Arc<Envelope>) -> bool {
    let now = Timestamp::from_secs(envelope.issued().unwrap());
    let origin = Origin::Network(Network::Shared(envelope.nonce() % 25));
    black_box(pool.insert(now, Arc::clone(envelope), envelope.rating(), origin)).is_ok()
}

fn unbounded() -> Pool {
    Pool::new(Limits { bytes: usize::MAX, guarded: true }, [0x5a; 32])
}

/// Runs `iterations` in chunks whose envelopes are made before the clock runs.
fn timed(
    iterations: u64,
    mut make: impl FnMut() -> Arc<Envelope>,
    mut step: impl FnMut(Arc<Envelope>),
) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = iterations;
    while left > 0 {
        let chunk: Vec<_> = (0..left.min(CHUNK)).map(|_| make()).collect();
        left -= chunk.len() as u64;
        let start = Instant::now();
        chunk.into_iter().for_each(&mut step);
        elapsed += start.elapsed();
    }
    elapsed
}

/// One comes in, one expires.
fn insert_steady(c: &mut Criterion) {
    let mut group = c.benchmark_group("pool/insert_steady");
    for (name, count) in [("10k", 10_000), ("100k", 100_000), ("1M", MILLION)] {
        let rate = count / SPAN;
        let (mut pool, mut number) = (unbounded(), 0);
        let mut make = || {
            number += 1;
            envelope(number, rate, SPAN)
        };
        (0..count).for_each(|_| assert!(insert(&mut pool, &make())));
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                timed(iterations, &mut make, |envelope| {
                    assert!(insert(&mut pool, &envelope));
                    let now = Timestamp::from_secs(envelope.expiry() + 1);
                    assert_eq!(black_box(pool.expire(now, 1)).len(), 1);
                })
            });
        });
        assert_eq!(pool.len() as u64, count);
    }
    group.finish();
}

/// The pool is full; what comes in is better than the worst, which goes.
fn insert_evict(c: &mut Criterion) {
    let cost = envelope(MILLION, MILLION, SPAN).encoded_len() + OVERHEAD;
    let limits = Limits { bytes: cost * MILLION as usize, guarded: true };
    let (mut pool, mut number) = (Pool::new(limits, [0x5a; 32]), 0);
    // Each round of a million lives for half as long as the one before: it rates twice as high.
    let mut make = || {
        number += 1;
        envelope(number, MILLION, 1 + (160_000 >> (number / MILLION)) + number % SPAN)
    };
    while insert(&mut pool, &make()) && pool.len() < MILLION as usize {}
    let mut refused = 0_u64;
    c.bench_function("pool/insert_evict/1M", |b| {
        b.iter_custom(|iterations| {
            timed(iterations, &mut make, |envelope| {
                refused += u64::from(!insert(&mut pool, &envelope));
            })
        });
    });
    println!("{refused} of {number} refused");
}

/// What a packet of known envelopes costs.
fn duplicate(c: &mut Criterion) {
    let count = 100_000;
    let mut pool = unbounded();
    let envelopes: Vec<_> = (0..count).map(|number| envelope(number, 166, SPAN)).collect();
    envelopes.iter().for_each(|envelope| assert!(insert(&mut pool, envelope)));
    let hashes: Vec<_> = envelopes.iter().map(|envelope| envelope.hash()).collect();
    let mut at = 0;
    c.bench_function("pool/duplicate/100k", |b| {
        b.iter(|| {
            at = (at + 7_919) % hashes.len();
            pool.find(black_box(&hashes[at])).unwrap()
        });
    });
}

/// A million expire, a thousand at a time; the time is that of one.
fn expire(c: &mut Criterion) {
    let envelopes: Vec<_> = (0..MILLION).map(|n| envelope(n, MILLION / SPAN, SPAN)).collect();
    let end = Timestamp::from_secs(START + 3 * SPAN);
    let mut pool = unbounded();
    c.bench_function("pool/expire/1M", |b| {
        b.iter_custom(|iterations| {
            let mut elapsed = Duration::ZERO;
            let mut left = iterations as usize;
            while left > 0 {
                if pool.is_empty() {
                    envelopes.iter().for_each(|envelope| assert!(insert(&mut pool, envelope)));
                }
                let start = Instant::now();
                left -= black_box(pool.expire(end, left.min(1_000))).len();
                elapsed += start.elapsed();
            }
            elapsed
        });
    });
}

criterion_group! {
    name = pool;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = insert_steady, insert_evict, duplicate, expire
}
criterion_main!(pool);
