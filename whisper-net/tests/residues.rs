//! C15: what is left in memory of the keys that this crate handles. What is searched, and what is
//! out of reach, stands in `memory`.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

#[path = "../../whisper-core/tests/memory/mod.rs"]
mod memory;

use std::sync::Arc;

use rand_core::Rng;
use whisper_core::crypto::Secret;
use whisper_core::identity::Identity;
use whisper_net::Entropy;
use whisper_net::keyfile;

use memory::Dealer;
use memory::Needle;
use memory::alone;
use memory::assert_gone;

#[test]
fn c15_what_seeds_an_operation_is_gone_with_it_and_so_is_what_it_drew() {
    let _alone = alone();
    let seed = Arc::new(Needle::drawn(31));
    let source = seed.clone();
    let entropy = Entropy::from_source(move |bytes| {
        source.reveal(bytes);
        Ok(())
    });
    let identity = Identity::generate(&mut entropy.rng().unwrap());
    let key = Needle::of(identity.secret().expose());
    assert_eq!(key.count(), 1, "alive, in its box only");
    let mut rng = entropy.rng().unwrap();
    // It works out a whole block; the test itself keeps less of it than what is searched for.
    std::hint::black_box(rng.next_u32());
    drop((rng, identity));
    assert!(entropy.check().is_err(), "it draws, and is stuck");
    assert_gone(&[("seed", &seed), ("key", &key)]);
}

#[test]
fn c15_a_key_file_leaves_neither_the_key_nor_its_digits() {
    let _alone = alone();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let source = Needle::drawn(33);
    let entropy = Entropy::from_source(move |bytes| {
        source.reveal(bytes);
        Ok(())
    });
    let identity = keyfile::load_or_create(&path, &entropy).unwrap();
    let created = Needle::of(identity.secret().expose());
    let digits = digits_of(&identity);
    drop(identity);
    assert_gone(&[("created", &created), ("its digits", &digits)]);
    let identity = keyfile::load(&path).unwrap();
    assert_eq!(created.count(), 1, "alive, in its box only");
    drop(identity);
    assert_gone(&[("loaded", &created), ("its digits", &digits)]);
}

/// The file's text, one digit at a time.
fn digits_of(identity: &Identity) -> Needle {
    let mut digits = zeroize::Zeroizing::new(Vec::with_capacity(64));
    for byte in identity.secret().expose() {
        for nibble in [byte >> 4, byte & 15] {
            digits.push(char::from_digit(nibble.into(), 16).unwrap() as u8);
        }
    }
    Needle::of(&digits)
}

#[cfg(feature = "rlpx")]
#[test]
fn c15_a_handshake_and_its_channel_leave_no_key_when_both_are_over() {
    use whisper_net::rlpx::frame::HEADER;
    use whisper_net::rlpx::handshake::Auth;
    use whisper_net::rlpx::handshake::initiate;

    let _alone = alone();
    let dealt: Vec<_> = (40..52).map(Needle::drawn).collect();
    let [alice_key, bob_key] = [&dealt[0], &dealt[1]];
    let [alice, bob] = [alice_key, bob_key].map(|key| Identity::generate(&mut Dealer::of(&[key])));
    // Nonce, ephemeral key, length of the padding; for the cipher, another such key and an IV.
    let [mut hers, mut his] =
        [&dealt[2..7], &dealt[7..12]].map(|dealt| Dealer::of(&dealt.iter().collect::<Vec<_>>()));
    let [alice_ephemeral, bob_ephemeral] = [&dealt[3], &dealt[8]];
    let [agreed, aes, mac] = secrets(alice_ephemeral, bob_ephemeral, &dealt[2], &dealt[7]);
    let between = Needle::of(alice.agree(&bob.public_key()).expose());
    zeroize::zeroize_stack::<65_536>();
    assert_gone(&[("agreed", &agreed), ("aes", &aes), ("mac", &mac), ("between", &between)]);

    let waiting = initiate(&alice, &bob.public_key(), &mut hers);
    let auth = Auth::open(&bob, waiting.auth()).unwrap();
    assert_eq!(alice_ephemeral.count(), 1, "alive, in its box only");
    let (ack, (mut egress, bobs_ingress)) = auth.answer(&mut his);
    let (alices_egress, mut ingress) = waiting.receive(&ack).unwrap();
    let mut wire = Vec::new();
    egress.write(16, &[7; 300], &mut wire).unwrap();
    let (header, body) = wire.split_first_chunk_mut::<HEADER>().unwrap();
    let header = ingress.header(header).unwrap();
    assert_eq!(ingress.body(header, body).unwrap().payload, [7; 300]);
    // As a connection does: its halves go to tasks of their own.
    let moved = vec![Some((egress, bobs_ingress)), Some((alices_egress, ingress))];
    drop(moved);
    let ephemeral = [("hers", alice_ephemeral), ("his", bob_ephemeral)];
    let cipher = [("hers, of the cipher", &dealt[5]), ("his, of the cipher", &dealt[10])];
    let shared = [("agreed", &agreed), ("aes", &aes), ("mac", &mac), ("between", &between)];
    assert_gone(&[&ephemeral[..], &cipher, &shared].concat());
    drop((alice, bob));
    assert_gone(&[("alice", alice_key), ("bob", bob_key)]);
}

/// What both will derive, worked out apart, so that the stack can be wiped.
#[cfg(feature = "rlpx")]
#[inline(never)]
fn secrets(one: &Needle, other: &Needle, nonce: &Needle, answer: &Needle) -> [Needle; 3] {
    use whisper_core::crypto::curve::SecretKey;
    use whisper_net::rlpx::secrets::Secrets;

    let key = |needle: &Needle| {
        SecretKey::from_secret(Secret::fill_with(|own| needle.reveal(own))).unwrap()
    };
    let agreed = key(one).agree(&key(other).public_key());
    let nonces = [nonce, answer].map(|needle| {
        let mut bytes = [0; 32];
        needle.reveal(&mut bytes);
        bytes
    });
    let secrets = Secrets::derive(&agreed, &nonces[0], &nonces[1]);
    [agreed.expose(), secrets.aes().expose(), secrets.mac().expose()].map(|key| Needle::of(key))
}
