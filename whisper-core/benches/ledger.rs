//! What the ledger costs: headers, trees, blocks, signatures, proofs. Ids as in the performance
//! specification; those of real headers need `WHISPER_CHAIN_DATA`.

#[path = "../tests/chain_data/mod.rs"]
mod chain_data;

use std::hint::black_box;
use std::thread;
use std::time::Duration;

use bitcoin::Work;
use bitcoin::block::Header as Theirs;
use bitcoin::consensus::deserialize;
use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::BatchSize;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use whisper_core::hash::keccak256;
use whisper_core::identity::Identity;
use whisper_core::ledger::Block;
use whisper_core::ledger::BlockMiner;
use whisper_core::ledger::BoardPost;
use whisper_core::ledger::Directory;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderChain;
use whisper_core::ledger::HeaderRules;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Ledger;
use whisper_core::ledger::Name;
use whisper_core::ledger::NextKey;
use whisper_core::ledger::Nothing;
use whisper_core::ledger::Operation;
use whisper_core::ledger::Params;
use whisper_core::ledger::Payload;
use whisper_core::ledger::PowHash;
use whisper_core::ledger::Register;
use whisper_core::ledger::Smt;
use whisper_core::ledger::Template;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::Unchecked;
use whisper_core::ledger::merkle;
use whisper_core::ledger::verify_all;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

use crate::chain_data::Free;
use crate::chain_data::MAINNET;
use crate::chain_data::Sha256d;
use crate::chain_data::bitcoin_rules;

const NOW: Timestamp = Timestamp::from_secs(1_900_000_000);

/// Headers of the main network's rules, but for their work, which the hash below does not ask for.
fn made_headers(count: u32) -> (HeaderRules, Vec<Header>) {
    let rules = Params::main().rules().clone();
    let genesis = *Params::main().genesis_header();
    let mut chain = HeaderChain::<Free>::new(rules.clone(), genesis).expect("a chain");
    let mut headers = vec![genesis];
    for height in 0..count {
        let tip = chain.tip();
        let bits = chain.next_bits(&tip.id).expect("the tip has bits");
        let time = tip.header.time + 60 + height * 7 % 121;
        let header = Header { parent: tip.id, time, bits, nonce: height, ..genesis };
        chain.accept(NOW, &[header]).expect("the header is valid");
        headers.push(header);
    }
    (rules, headers)
}

fn accept<P: PowHash>(rules: &HeaderRules, headers: &[Header]) -> u32 {
    let mut chain = HeaderChain::<P>::new(rules.clone(), headers[0]).expect("a chain");
    for part in headers[1..].chunks(2_000) {
        chain.accept(NOW, part).expect("headers are valid");
    }
    chain.tip().height
}

/// What others offer for the same: decoding, target, link, work; neither bits nor times.
fn rust_bitcoin(headers: &[[u8; 80]]) -> Work {
    let mut parent = None;
    let mut sum: Option<Work> = None;
    for bytes in headers {
        let header: Theirs = deserialize(bytes).expect("a header");
        let id = header.validate_pow(header.target()).expect("the id meets the target");
        assert!(parent.is_none_or(|parent| parent == header.prev_blockhash));
        parent = Some(id);
        sum = Some(sum.map_or(header.work(), |sum| sum + header.work()));
    }
    sum.expect("at least one header")
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("chain/header_batch");
    if let Some(real) = chain_data::headers("bitcoin-headers-mainnet-000000-006047.bin") {
        group.throughput(Throughput::Elements(real.len() as u64));
        let encoded: Vec<[u8; 80]> = real.iter().map(Header::encode).collect();
        group.bench_function("bitcoin_sha256d", |b| {
            b.iter(|| {
                let headers: Vec<Header> = black_box(&encoded).iter().map(Header::decode).collect();
                accept::<Sha256d>(&bitcoin_rules(MAINNET), &headers)
            });
        });
        group.bench_function("rust_bitcoin", |b| b.iter(|| rust_bitcoin(black_box(&encoded))));
        group.bench_function("sha256d_alone", |b| {
            let bytes: Vec<[u8; 80]> = real.iter().map(Header::encode).collect();
            b.iter(|| {
                bytes.iter().map(|header| Sha256d::digest(header)[0]).fold(0, u8::wrapping_add)
            });
        });
    }
    let (rules, made) = made_headers(6_000);
    group.throughput(Throughput::Elements(made.len() as u64));
    group.bench_function("asert_keccak", |b| b.iter(|| accept::<Free>(&rules, black_box(&made))));
    group.finish();
}

fn trees(c: &mut Criterion) {
    let leaves: Vec<[u8; 32]> = (0..100_000u32).map(|at| keccak256(&at.to_le_bytes())).collect();
    c.bench_function("chain/merkle_100k", |b| {
        b.iter(|| merkle::root::<Keccak256>(black_box(&leaves)));
    });
    let records: Vec<Name> =
        (0..1_000).map(|at| format!("handle-{at}").parse().expect("a name")).collect();
    c.bench_function("chain/directory_1000", |b| {
        b.iter(|| {
            let mut tree = Smt::new();
            for name in &records {
                tree.insert(name.key(), [7; 32], *name);
            }
            tree.root()
        });
    });
}

fn author(number: u64) -> Identity {
    Identity::generate(&mut ChaCha20Rng::seed_from_u64(number))
}

fn posts(params: &Params, count: u64, expiry: Timestamp) -> Vec<Tx> {
    let one = |number: u64| {
        let author = author(number);
        let text = "a post of thirty-seven characters, so";
        let payload = Payload::Post(BoardPost { topic: Topic::default(), parent: None, text });
        let draft = TxDraft::new(params, &author.public_key(), expiry, &payload).expect("a draft");
        let nonce = draft.find(0..u64::MAX).expect("some nonce fits");
        draft.sign(nonce, &author).expect("the author signs")
    };
    (0..count).map(one).collect()
}

fn mined(ledger: &Ledger, now: Timestamp, txs: Vec<Tx>) -> Block<Unchecked> {
    let template = Template::new(now, ledger, txs, b"bench").expect("a template");
    BlockMiner::new(template).search(1_000_000).expect("every other hash fits")
}

fn blocks(c: &mut Criterion) {
    let params = Params::regtest();
    let ledger = Ledger::new(params.clone()).expect("a ledger");
    let now = params.genesis_header().timestamp();
    let expiry = now.saturating_add(Duration::from_secs(3_600));
    let block = mined(&ledger, now, posts(&params, 1_000, expiry));
    let checks = ledger.sig_checks(now, &block);
    assert_eq!(checks.len(), 1_000);
    let mut group = c.benchmark_group("chain/verify_block_1000");
    group.sample_size(10).throughput(Throughput::Elements(1_000));
    let accept = |mut ledger: Ledger| {
        assert!(ledger.accept_block(now, block.clone()).expect("it is valid").is_change());
        ledger
    };
    group.bench_function("one_thread", |b| {
        b.iter_batched(|| ledger.clone(), accept, BatchSize::LargeInput);
    });
    group.bench_function("signatures_alone", |b| b.iter(|| verify_all(black_box(&checks)).len()));
    group.bench_function("two_threads", |b| {
        b.iter_batched(
            || ledger.clone(),
            |mut ledger| {
                let (left, right) = checks.split_at(checks.len() / 2);
                thread::scope(|scope| {
                    let other = scope.spawn(|| verify_all(right));
                    ledger.trust(verify_all(left));
                    ledger.trust(other.join().expect("no thread panics"));
                });
                accept(ledger)
            },
            BatchSize::LargeInput,
        );
    });
    let mut known = ledger.clone();
    known.trust(verify_all(&checks));
    group.bench_function("known_signatures", |b| {
        b.iter_batched(|| known.clone(), accept, BatchSize::LargeInput);
    });
    group.finish();
    structure(c, &ledger, now, expiry);
}

/// Header, framing and root without signatures: what a chain of plain hashes guarantees.
fn structure(c: &mut Criterion, ledger: &Ledger, now: Timestamp, expiry: Timestamp) {
    let params = ledger.params();
    let mut group = c.benchmark_group("chain/structure");
    for count in [1, 10] {
        let block = mined(ledger, now, posts(params, count, expiry));
        let bytes = block.bytes().clone();
        group.bench_function(format!("{count}_txs"), |b| {
            b.iter(|| {
                let block = Block::decode(bytes.clone()).expect("a block");
                block.check_structure(params.chain_tag()).expect("its body is right").txs().len()
            });
        });
    }
    group.finish();
}

fn proofs(c: &mut Criterion) {
    let params = Params::regtest();
    let mut ledger = Ledger::new(params.clone()).expect("a ledger");
    let mut now = params.genesis_header().timestamp();
    for round in 0..16u64 {
        now = now.saturating_add(Duration::from_secs(120));
        let expiry = now.saturating_add(Duration::from_secs(3_600));
        let claims = (0..64).map(|at| claim(&params, round * 64 + at, expiry)).collect();
        let block = mined(&ledger, now, claims);
        drop(ledger.accept_block(now, block).expect("the block is valid"));
    }
    let tip = ledger.tip();
    let name: Name = "handle-77".parse().expect("a name");
    let proof = ledger.prove_name(&tip.id, &name, &Nothing).expect("a proof");
    c.bench_function("chain/prove_name", |b| {
        b.iter(|| ledger.directory().prove(black_box(&name)));
    });
    c.bench_function("chain/verify_handle", |b| {
        b.iter(|| proof.verify(black_box(&tip.header), &name).expect("it is right"));
    });
    let directory: Directory = ledger.directory().clone();
    c.bench_function("chain/directory_change", |b| {
        let record = *directory.get(&name).expect("a record");
        b.iter(|| {
            let others = black_box(&directory).clone();
            let register = Register {
                operation: Operation::Revoke,
                seq: record.seq + 1,
                next: NextKey::NONE,
                name,
            };
            others.judge(&register, &record.owner, 99).expect("it may").seq
        });
    });
}

fn claim(params: &Params, number: u64, expiry: Timestamp) -> Tx {
    let author = author(number);
    let name = format!("handle-{number}").parse().expect("a name");
    let register = Register { operation: Operation::Claim, seq: 0, next: NextKey::NONE, name };
    let payload = Payload::Register(register);
    let draft = TxDraft::new(params, &author.public_key(), expiry, &payload).expect("a draft");
    let nonce = draft.find(0..u64::MAX).expect("some nonce fits");
    draft.sign(nonce, &author).expect("the author signs")
}

criterion_group!(benches, headers, trees, blocks, proofs);
criterion_main!(benches);
