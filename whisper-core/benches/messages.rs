//! What messages cost: sealing, opening, filters, and the primitives below them.

#![allow(missing_docs, reason = "the macros of criterion write public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run may stop")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use chacha20poly1305::ChaCha20Poly1305;
use chacha20poly1305::KeyInit;
use chacha20poly1305::aead::Aead;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::curve::verify;
use whisper_core::crypto::kdf::hkdf_sha256;
use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_core::inbox::Inbox;
use whisper_core::message::Message;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::message::encrypt;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

/// Who takes part.
struct Cast {
    alice: Identity,
    bob: Arc<Identity>,
    key: SymmetricKey,
    payload: Vec<u8>,
}

impl Cast {
    fn new(payload: usize) -> Self {
        let mut rng = ChaCha20Rng::from_seed([1; 32]);
        Self {
            alice: Identity::generate(&mut rng),
            bob: Arc::new(Identity::generate(&mut rng)),
            key: SymmetricKey::generate(&mut rng),
            payload: vec![0x5a; payload],
        }
    }

    fn seal(&self, asymmetric: bool, signed: bool, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let recipient = match asymmetric {
            true => Recipient::PublicKey(self.bob.public_key()),
            false => Recipient::Symmetric(&self.key),
        };
        let signer = signed.then_some(&self.alice);
        encrypt(&self.payload, Padding::Aligned, signer, recipient, rng).unwrap()
    }

    fn envelope(&self, asymmetric: bool, topic: Topic) -> Envelope {
        let data = self.seal(asymmetric, false, &mut rng());
        let now = Timestamp::from_secs(1_600_000_000);
        Draft::new(now, Duration::from_secs(50), topic, data).unwrap().seal(7)
    }
}

fn seal(c: &mut Criterion) {
    let cast = Cast::new(256);
    let mut rng = rng();
    c.bench_function("seal/sym/256", |b| b.iter(|| cast.seal(false, false, &mut rng)));
    c.bench_function("seal/asym/256", |b| b.iter(|| cast.seal(true, false, &mut rng)));
    c.bench_function("seal/asym_signed/256", |b| b.iter(|| cast.seal(true, true, &mut rng)));
}

fn open(c: &mut Criterion) {
    let mut group = c.benchmark_group("open/sym");
    for payload in [32, 256, 1_024] {
        let cast = Cast::new(payload);
        let data = cast.seal(false, false, &mut rng());
        assert_eq!(Message::open(&data, &cast.key).unwrap().payload(), cast.payload);
        group.bench_function(payload.to_string(), |b| {
            b.iter(|| Message::open(black_box(&data), &cast.key));
        });
    }
    group.finish();

    let cast = Cast::new(256);
    let data = cast.seal(true, true, &mut rng());
    let opened = Message::open_as(&data, &cast.bob).unwrap();
    assert_eq!(opened.signer(), Some(cast.alice.public_key()));
    c.bench_function("open/asym_signed/256", |b| {
        b.iter(|| Message::open_as(black_box(&data), &cast.bob));
    });
    let other = Identity::generate(&mut rng());
    assert!(Message::open_as(&data, &other).is_err());
    c.bench_function("open/fail_asym/256", |b| {
        b.iter(|| Message::open_as(black_box(&data), &other));
    });

    let data = cast.seal(false, true, &mut rng());
    let opened = Message::open(&data, &cast.key).unwrap();
    assert_eq!(opened.signer(), Some(cast.alice.public_key()));
    c.bench_function("open/sym_signed/256", |b| {
        b.iter(|| Message::open(black_box(&data), &cast.key));
    });
    let data = cast.seal(false, false, &mut rng());
    let other = SymmetricKey::from_bytes(&[1; 32]).unwrap();
    assert!(Message::open(&data, &other).is_err());
    c.bench_function("open/fail_sym/256", |b| {
        b.iter(|| Message::open(black_box(&data), &other));
    });
}

fn filters(c: &mut Criterion) {
    let cast = Cast::new(256);
    let topic = Topic::new(*b"news");
    let mut rng = rng();

    let mut inbox = Inbox::new();
    for _ in 0..1_000 {
        let key = Arc::new(SymmetricKey::generate(&mut rng));
        inbox.add(Filter { topics: vec![topic], ..Filter::new(key) });
    }
    let mut group = c.benchmark_group("filters/sym_fail");
    group.throughput(Throughput::Elements(1_000));
    group.bench_function("1000", |b| offer(b, &mut inbox, &cast.envelope(false, topic), false));
    group.finish();

    let mut inbox = Inbox::new();
    for _ in 0..100 {
        inbox.add(Filter::new(Arc::new(Identity::generate(&mut rng))));
    }
    let mut group = c.benchmark_group("filters/asym_fail");
    group.throughput(Throughput::Elements(100));
    group.bench_function("100", |b| offer(b, &mut inbox, &cast.envelope(true, topic), false));
    group.finish();

    let cast = Cast { key: SymmetricKey::from_bytes(&[1; 32]).unwrap(), ..cast };
    let key = Arc::new(SymmetricKey::from_bytes(&[1; 32]).unwrap());
    let mut group = c.benchmark_group("filters/topic_hit");
    for filters in [1_u32, 100, 1_000] {
        let mut inbox = Inbox::new();
        for number in 0..filters {
            let topics = vec![Topic::new(number.to_be_bytes())];
            inbox.add(Filter { topics, ..Filter::new(Arc::clone(&key)) });
        }
        let envelope = cast.envelope(false, Topic::new([0; 4]));
        group.bench_function(filters.to_string(), |b| offer(b, &mut inbox, &envelope, true));
    }
    group.finish();
}

fn offer(b: &mut criterion::Bencher<'_>, inbox: &mut Inbox, envelope: &Envelope, opens: bool) {
    assert_eq!(inbox.open(envelope, false, envelope.rating()).is_some(), opens);
    b.iter(|| inbox.open(black_box(envelope), false, envelope.rating()));
}

fn curve(c: &mut Criterion) {
    let mut rng = rng();
    let [alice, bob] = [(); 2].map(|()| SecretKey::generate(&mut rng));
    let (public, digest) = (alice.public_key(), [3; 32]);
    let signature = alice.sign(&digest);
    let scalars = signature.as_bytes().first_chunk().unwrap();
    assert_eq!(signature.recover(&digest), Ok(public));
    c.bench_function("crypto/ecdsa_sign", |b| b.iter(|| alice.sign(black_box(&digest))));
    c.bench_function("crypto/ecdsa_verify", |b| {
        b.iter(|| verify(&public, black_box(&digest), scalars).unwrap());
    });
    c.bench_function("crypto/ecdsa_recover", |b| {
        b.iter(|| signature.recover(black_box(&digest)).unwrap());
    });
    c.bench_function("crypto/ecdh", |b| b.iter(|| bob.agree(black_box(&public))));
    c.bench_function("crypto/keygen", |b| b.iter(|| SecretKey::generate(&mut rng).public_key()));
}

fn ciphers(c: &mut Criterion) {
    let mut rng = rng();
    let key = Secret::generate(&mut rng);
    let cipher = AesGcm::new(&key);
    let mut group = c.benchmark_group("crypto/aes256gcm");
    for size in [100, 1_024, 65_536] {
        let plaintext = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(size.to_string(), |b| {
            b.iter(|| cipher.seal(black_box(&plaintext), &mut rng));
        });
    }
    group.finish();

    let cipher = ChaCha20Poly1305::new(key.expose().into());
    let mut group = c.benchmark_group("crypto/chacha20poly1305");
    for size in [100, 65_536] {
        let plaintext = vec![0x5a; size];
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_function(size.to_string(), |b| {
            b.iter(|| cipher.encrypt(&[0; 12].into(), black_box(&plaintext[..])).unwrap());
        });
    }
    group.finish();

    c.bench_function("crypto/hkdf_step", |b| {
        b.iter(|| hkdf_sha256::<96>(key.expose(), &[&[1; 32]], &[b"WS1/ratchet", &[2; 32]]));
    });
    let mut group = c.benchmark_group("crypto");
    group.sample_size(20);
    group.bench_function("pbkdf2_65356", |b| {
        b.iter(|| SymmetricKey::from_password(black_box("a password")));
    });
    group.finish();
}

criterion_group!(benches, seal, open, filters, curve, ciphers);
criterion_main!(benches);
