//! C15: what is left of keys in memory once their owner is gone. What is searched, and what is out
//! of reach, stands in `memory`.
#![cfg(target_os = "linux")]

mod memory;

use std::hint::black_box;
use std::sync::Arc;
use std::sync::Mutex;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;
use whisper_core::crypto::Secret;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::crypto::ecies;
use whisper_core::crypto::kdf;
use whisper_core::envelope::Envelope;
use whisper_core::hash::sha256;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::message::Message;
use whisper_core::session::InviteOptions;
use whisper_core::session::SessionOutput;
use whisper_core::session::Sessions;
use whisper_core::time::Timestamp;
use zeroize::Zeroize;
use zeroize::Zeroizing;

use memory::Dealer;
use memory::Needle;
use memory::alone;
use memory::assert_gone;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

#[test]
fn c15_the_search_finds_what_stands_on_the_heap_on_the_stack_and_in_a_global() {
    static GLOBAL: Mutex<[u8; 32]> = Mutex::new([0; 32]);
    let _alone = alone();
    let needle = Needle::drawn(1);
    assert_eq!(needle.count(), 0);
    let mut heap = vec![0; 32];
    needle.reveal(&mut heap);
    assert_eq!(needle.count(), 1);
    let mut stack = [0; 32];
    needle.reveal(&mut stack);
    stack.reverse();
    black_box(&mut stack);
    assert_eq!(needle.count(), 2);
    // Half of it is enough.
    let mut half = [0; 32];
    needle.reveal(&mut half);
    half[..8].fill(0);
    half[24..].fill(0);
    GLOBAL.lock().expect("a lock").copy_from_slice(&half);
    half.zeroize();
    assert_eq!(needle.count(), 3);
    heap.zeroize();
    assert_eq!(needle.count(), 2);
    stack.zeroize();
    GLOBAL.lock().expect("a lock").zeroize();
    assert_eq!(needle.count(), 0);
}

#[test]
fn c15_a_secret_stands_in_one_place_and_then_in_none() {
    let _alone = alone();
    let needle = Needle::drawn(2);
    let secret = Secret::<32>::fill_with(|own| needle.reveal(own));
    let moved = vec![Some(secret)];
    assert_eq!(needle.count(), 1);
    drop(moved);
    assert_gone(&[("secret", &needle)]);
}

#[test]
fn c15_an_identity_leaves_neither_its_key_nor_what_it_agreed_on() {
    let _alone = alone();
    let (needle, other) = (Needle::drawn(3), public_key(4));
    let identity = Identity::generate(&mut Dealer::of(&[&needle]));
    let agreed = Needle::of(identity.agree(&other).expose());
    black_box(identity.sign(&[7; 32]));
    assert_eq!(needle.count(), 1, "alive, in its box only");
    assert_gone(&[("agreed", &agreed)]);
    drop(identity);
    assert_gone(&[("key", &needle)]);
}

#[test]
fn c15_a_private_key_that_is_no_number_below_the_order_is_wiped_too() {
    let _alone = alone();
    let mut needle = Needle::drawn(5);
    let mut bytes = Zeroizing::new([0xff; 32]);
    needle.reveal(&mut bytes[16..]);
    needle = Needle::of(&bytes[16..]);
    assert!(SecretKey::from_bytes(&bytes).is_err());
    bytes.zeroize();
    assert_gone(&[("key", &needle)]);
}

#[test]
fn c15_a_symmetric_key_leaves_nothing() {
    let _alone = alone();
    let needle = Needle::drawn(6);
    let key = {
        let secret = Secret::fill_with(|own| needle.reveal(own));
        SymmetricKey::from_secret(&secret).expect("not zero")
    };
    let key = Arc::new(key);
    let sealed = key.aead().seal(&[7; 300], &mut Dealer::of(&[]));
    assert_eq!(key.aead().open(&sealed).map(|opened| opened.len()), Ok(300));
    // While it lives, its schedule holds the key, once or twice: that is the processor's business.
    drop(key);
    assert_gone(&[("key", &needle)]);
}

#[test]
fn c15_a_key_from_a_password_leaves_nothing() {
    let _alone = alone();
    let needle = Needle::of(kdf::pbkdf2_sha256(b"a good password", &[], 65_356).expose());
    assert_gone(&[("derived", &needle)]);
    let key = SymmetricKey::from_password("a good password");
    drop(key);
    assert_gone(&[("key", &needle)]);
}

#[test]
fn c15_deriving_keys_leaves_neither_what_goes_in_nor_what_comes_out() {
    let _alone = alone();
    let needle = Needle::drawn(7);
    let secret = Secret::<32>::fill_with(|own| needle.reveal(own));
    let out = Needle::of(
        kdf::hkdf_sha256::<32>(&[1; 16], &[secret.expose(), &[2; 32]], &[b"info"]).expose(),
    );
    let tag = kdf::hmac_sha256(secret.expose(), &[b"one", b"two"]);
    black_box(tag);
    drop(secret);
    assert_gone(&[("in", &needle), ("out", &out)]);
}

#[test]
fn c15_encrypting_for_a_public_key_leaves_none_of_the_keys_in_between() {
    let _alone = alone();
    let (own, ephemeral, iv) = (Needle::drawn(8), Needle::drawn(9), Needle::drawn(10));
    let identity = Identity::generate(&mut Dealer::of(&[&own]));
    let data =
        ecies::encrypt(&identity.public_key(), &[7; 300], &[], &mut Dealer::of(&[&ephemeral, &iv]));
    let point = PublicKey::from_uncompressed(&data[..65]).expect("a point");
    let [agreed, cipher, mac] = ecies_keys(&identity.agree(&point));
    zeroize::zeroize_stack::<65_536>();
    let keys = [("ephemeral", &ephemeral), ("agreed", &agreed), ("cipher", &cipher), ("mac", &mac)];
    assert_gone(&keys);
    assert_eq!(ecies::decrypt(identity.secret(), &data, &[]).map(|opened| opened.len()), Ok(300));
    assert_gone(&keys);
    drop(identity);
    assert_gone(&[("own", &own)]);
}

/// By the book, apart, so that the stack can be wiped.
#[inline(never)]
fn ecies_keys(agreed: &Secret<32>) -> [Needle; 3] {
    let input = Zeroizing::new([&[0, 0, 0, 1], agreed.expose().as_slice()].concat());
    let both = Zeroizing::new(sha256(&input));
    let mac = Zeroizing::new(sha256(&both[16..]));
    [Needle::of(agreed.expose()), Needle::of(&both[..16]), Needle::of(&*mac)]
}

#[test]
fn c15_sessions_leave_no_key_when_they_are_closed_burnt_or_dropped() {
    for end in ["close", "burn", "drop"] {
        let _alone = alone();
        let mut talk = Talk::begin();
        let needles = talk.needles();
        zeroize::zeroize_stack::<65_536>();
        let [forth, back, ..] = &needles;
        assert_gone(&[("forth, before it was bound", forth), ("back", back)]);
        assert!(needles[4..].iter().all(|topics| topics.count() > 0), "alive");
        match end {
            "close" => talk.close(),
            "burn" => talk.burn(),
            _ => drop(talk),
        }
        let names = ["forth", "back", "bound forth", "bound back", "topics forth", "topics back"];
        assert_gone(&names.into_iter().zip(&needles).collect::<Vec<_>>());
    }
}

/// Alice has invited Bob, and he has heard her.
struct Talk {
    alice: Sessions,
    bob: Sessions,
    own: Arc<Identity>,
    peer: PublicKey,
    sent: Vec<Envelope>,
}

impl Talk {
    fn begin() -> Self {
        let mut rng = ChaCha20Rng::from_seed([21; 32]);
        let [alice, own] = [(); 2].map(|()| Arc::new(Identity::generate(&mut rng)));
        let peer = alice.public_key();
        let mut talk = Self {
            alice: Sessions::new(alice, NOW),
            bob: Sessions::new(own.clone(), NOW),
            own,
            peer,
            sent: vec![],
        };
        let options = InviteOptions::default();
        let key = talk.own.public_key();
        let step = talk.alice.invite(NOW, key, options, Some("hi"), &mut rng).expect("a first");
        for output in talk.alice.stored_at_once(NOW, step) {
            if let SessionOutput::Transmit(outgoing) = output {
                talk.sent.push(outgoing.draft(NOW).expect("a good draft").seal(0));
            }
        }
        let invitation = Message::open_as(talk.sent[0].data(), &talk.own).expect("it is for Bob");
        let step =
            talk.bob.receive(NOW, &invitation, talk.sent[0].rating()).expect("a good invitation");
        drop(invitation);
        talk.bob.stored_at_once(NOW, step);
        let step = talk.bob.open(NOW, &talk.sent[1], &mut rng).expect("it opens");
        talk.bob.stored_at_once(NOW, step);
        let step = talk.bob.accept(NOW, &talk.peer, &mut rng).expect("she has invited");
        talk.bob.stored_at_once(NOW, step);
        talk
    }

    /// The keys as they were sent, those of the messages, and those of the topics; derived apart.
    #[inline(never)]
    fn needles(&self) -> [Needle; 6] {
        let invitation = Message::open_as(self.sent[0].data(), &self.own).expect("it is for Bob");
        let payload = invitation.payload();
        let (id, sent) = (&payload[6..22], [&payload[30..62], &payload[62..94]]);
        let shared = self.own.agree(&self.peer);
        let bound = [0_u8, 1].map(|way| {
            let material = [sent[usize::from(way)], shared.expose()];
            kdf::hkdf_sha256::<32>(id, &material, &[b"WSS1/key", &[way]])
        });
        let topics = bound
            .each_ref()
            .map(|key| kdf::hkdf_sha256::<32>(id, &[key.expose()], &[b"WSS1/topickey"]));
        let [first, second] = sent.map(Needle::of);
        let [third, fourth] = bound.map(|key| Needle::of(key.expose()));
        let [fifth, sixth] = topics.map(|key| Needle::of(key.expose()));
        [first, second, third, fourth, fifth, sixth]
    }

    /// Each ends it on his own side.
    fn close(&mut self) {
        let mut rng = ChaCha20Rng::from_seed([22; 32]);
        let key = self.own.public_key();
        let step = self.alice.close(NOW, &key, &mut rng).expect("there is one");
        self.alice.stored_at_once(NOW, step);
        let step = self.bob.close(NOW, &self.peer, &mut rng).expect("there is one");
        self.bob.stored_at_once(NOW, step);
    }

    fn burn(&mut self) {
        self.alice.burn();
        self.bob.burn();
    }
}

fn public_key(seed: u64) -> PublicKey {
    Identity::generate(&mut Dealer::of(&[&Needle::drawn(seed)])).public_key()
}
