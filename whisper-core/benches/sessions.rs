//! What sessions of full mode cost: invitations, messages, steps of the ratchet, topics.

#![allow(missing_docs, reason = "the macros of criterion write public items")]
#![allow(clippy::unwrap_used, reason = "a bench that cannot run may stop")]

use std::hint::black_box;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use criterion::Criterion;
use criterion::criterion_group;
use criterion::criterion_main;
use whisper_core::crypto::Secret;
use whisper_core::crypto::ml_kem::DecapsulationKey;
use whisper_core::crypto::x_only::XOnlySecretKey;
use whisper_core::identity::Identity;
use whisper_core::session::Place;
use whisper_core::session::card::Card;
use whisper_core::session::card::CardSettings;
use whisper_core::session::card::Cert;
use whisper_core::session::full::Accepted;
use whisper_core::session::full::Body;
use whisper_core::session::full::Content;
use whisper_core::session::full::Host;
use whisper_core::session::full::Invited;
use whisper_core::session::full::Inviter;
use whisper_core::session::full::Session;
use whisper_core::session::prekeys::Prekeys;
use whisper_core::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);
const PLACE: Place = Place { epoch: 486_111, index: 0 };

fn rng() -> ChaCha20Rng {
    ChaCha20Rng::from_seed([7; 32])
}

fn text(bytes: usize) -> Body {
    Body { sent_at: NOW, content: Content::App(vec![0x5a; bytes]) }
}

struct Party {
    identity: Identity,
    dh: XOnlySecretKey,
    cert: Cert,
    prekeys: Prekeys,
}

impl Party {
    fn new(seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let (identity, dh) = (Identity::generate(&mut rng), XOnlySecretKey::generate(&mut rng));
        let cert = Cert::sign(NOW, &identity, &dh.public_key());
        Self { identity, dh, cert, prekeys: Prekeys::new(NOW, &mut rng) }
    }

    fn card(&self) -> Card {
        self.prekeys.card(&self.identity, &self.cert, CardSettings::default())
    }

    fn invite(&self, card: &Card) -> Invited {
        let kem = self.prekeys.newest().kem();
        let tail = self.card().to_short().to_tail();
        let inviter = Inviter { dh: &self.dh, cert: &self.cert, kem, tail };
        inviter.invite(NOW, card, false, &text(5), &mut rng()).unwrap()
    }

    fn host(&self) -> Host<'_> {
        Host { identity: self.identity.public_key(), dh: &self.dh }
    }

    fn accept(&self, data: &[u8]) -> Accepted {
        let host = self.host();
        let knock = host.look(data).unwrap();
        let prekey = self.prekeys.find(knock.prekey_id()).unwrap();
        knock.identify(NOW, prekey, None).unwrap().open(NOW).unwrap()
    }
}

/// Opens a message that begins chain `chain`, and gives the session behind it.
fn step(from: &mut Session, to: &mut Session, chain: u32) {
    let data = from.seal(NOW, &text(5), &mut rng()).unwrap().data;
    *to = to.open(NOW, chain, PLACE, &data, &mut rng()).unwrap().session;
}

fn invitations(c: &mut Criterion) {
    let [alice, bob, other] = [1, 2, 3].map(Party::new);
    let card = bob.card();
    c.bench_function("session/invite", |b| b.iter(|| alice.invite(&card)));
    let data = alice.invite(&card).data;
    c.bench_function("session/accept", |b| b.iter(|| bob.accept(&data)));
    c.bench_function("session/miss", |b| b.iter(|| other.host().look(&data).is_err()));
}

fn messages(c: &mut Criterion) {
    let [alice, bob] = [1, 2].map(Party::new);
    let invited = alice.invite(&bob.card());
    let mut theirs = bob.accept(&invited.data).session;
    let mut ours = invited.session;
    step(&mut theirs, &mut ours, 0);
    step(&mut ours, &mut theirs, 0);
    for (name, bytes) in [("544", 544), ("64000", 64_000)] {
        let body = text(bytes);
        let seal = || ours.clone().seal(NOW, &body, &mut rng()).unwrap().data;
        c.bench_function(&format!("session/seal/{name}"), |b| b.iter(seal));
        let data = seal();
        let place = Place { index: 1, ..PLACE };
        let open = || theirs.open(NOW, 0, place, &data, &mut rng()).unwrap();
        c.bench_function(&format!("session/open/{name}"), |b| b.iter(open));
    }
    // A step that mixes a round in: the initiator opens, and encapsulates to the next key.
    let begin = || theirs.clone().seal(NOW, &text(5), &mut rng()).unwrap().data;
    c.bench_function("session/seal/step with the kem", |b| b.iter(begin));
    let data = begin();
    let open = || ours.open(NOW, 1, PLACE, &data, &mut rng()).unwrap();
    c.bench_function("session/open/step with the kem", |b| b.iter(open));
    // A step of the initiator: the responder decapsulates what it brings.
    step(&mut theirs, &mut ours, 1);
    let data = ours.clone().seal(NOW, &text(5), &mut rng()).unwrap().data;
    let open = || theirs.open(NOW, 1, PLACE, &data, &mut rng()).unwrap();
    c.bench_function("session/open/step", |b| b.iter(open));
    let record = || ours.record();
    c.bench_function("session/record", |b| b.iter(record));
}

fn topics(c: &mut Criterion) {
    let [alice, bob] = [1, 2].map(Party::new);
    let session = alice.invite(&bob.card()).session;
    let (_, lane) = session.lanes().next().unwrap();
    c.bench_function("session/topic", |b| b.iter(|| lane.topic(black_box(486_111), 7)));
}

fn kem(c: &mut Criterion) {
    let key = DecapsulationKey::generate(&mut rng());
    let public = key.encapsulation_key();
    let coin = Secret::generate(&mut rng());
    c.bench_function("ml-kem/encapsulate", |b| b.iter(|| public.encapsulate(&coin)));
    let (ciphertext, _) = public.encapsulate(&coin);
    c.bench_function("ml-kem/decapsulate", |b| b.iter(|| key.decapsulate(ciphertext.expose())));
    let generate = || DecapsulationKey::generate(&mut rng()).encapsulation_key();
    c.bench_function("ml-kem/generate", |b| b.iter(generate));
}

criterion_group!(sessions, invitations, messages, topics, kem);
criterion_main!(sessions);
