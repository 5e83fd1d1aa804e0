//! Attacks on the parsers of the wire, by the rows of the attack catalogue.
#![cfg(feature = "rlpx")]

use std::thread;

use allocation_counter::measure;
use chacha20::ChaCha20Rng;
use rand_core::SeedableRng;
use whisper_core::crypto::Secret;
use whisper_core::hash::Keccak;
use whisper_core::identity::Identity;
use whisper_core::rlp::Writer;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::rlpx::frame::Egress;
use whisper_net::rlpx::frame::FrameError;
use whisper_net::rlpx::frame::HEADER;
use whisper_net::rlpx::frame::Ingress;
use whisper_net::rlpx::frame::MAX_FRAME;
use whisper_net::rlpx::handshake::Auth;
use whisper_net::rlpx::handshake::initiate;
use whisper_net::rlpx::handshake::seal;
use whisper_net::rlpx::hello::Hello;
use whisper_net::rlpx::secrets::Secrets;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn channel() -> (Egress, Ingress) {
    let key = |byte| Secret::fill_with(|key| *key = [byte; 32]);
    let secrets = Secrets::new(key(1), key(2));
    (Egress::new(&secrets, Keccak::new()), Ingress::new(&secrets, Keccak::new()))
}

/// A Hello, or nearly: `version`, client, capabilities, port, key, and what follows.
fn hello(client: &[u8], capabilities: &[u8], behind: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.list(|list| {
        list.uint(5).bytes(client).raw(capabilities).uint(0).bytes(&[7; 64]).raw(behind);
    });
    writer.into_bytes()
}

#[test]
fn a1_a_header_that_claims_gigabytes_gets_no_memory() {
    for first in (0xf8_u8..=0xff).chain(0xb8..=0xbf) {
        let width = usize::from((first & 7) + 1);
        let bomb = [&[first], &[0xff; 8][..width]].concat();
        for bytes in [bomb.clone(), hello(b"", &bomb, b""), hello(b"", &[0xc0], &bomb)] {
            let spent = measure(|| {
                assert!(Hello::decode(&bytes).is_err(), "{bytes:02x?}");
                assert_eq!(Reason::decode(&bomb), Reason::Requested);
            });
            assert!(spent.bytes_total <= bytes.len() as u64 + 4_096, "{spent:?}");
        }
    }
}

#[test]
fn a1_a_genuine_header_that_claims_sixteen_megabytes_gets_no_memory() {
    let (mut egress, mut ingress) = channel();
    ingress.limit(1 << 20, 1 << 20);
    let mut wire = Vec::new();
    assert_eq!(egress.write(16, &vec![0; MAX_FRAME - 1], &mut wire), Ok(()));
    let header = wire.first_chunk::<HEADER>().expect("a frame");
    let spent = measure(|| {
        let refused = ingress.header(header).map(|_| ());
        assert_eq!(refused, Err(FrameError::TooLarge { max: 1 << 20 }));
    });
    assert_eq!(spent.bytes_total, 0);
}

#[test]
fn a2_nobody_descends_into_a_list_ten_thousand_deep() {
    let deep = [&[0xc1; 10_000][..], &[0xc0]].concat();
    let shallow = [&[0xc1; 1_500][..], &[0xc0]].concat();
    on_a_small_stack(move || {
        assert!(Hello::decode(&deep).is_err());
        assert!(Hello::decode(&hello(b"", &deep, b"")).is_err());
        assert!(Hello::decode(&hello(b"", &shallow, b"")).is_err());
        assert_eq!(Reason::decode(&deep), Reason::Requested);
        // Elements that are to come may be anything that begins like RLP: they are stepped over.
        assert!(Hello::decode(&hello(b"", &[0xc0], &shallow)).is_ok());
    });
}

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(64 * 1_024).spawn(run).expect("a thread");
    thread.join().expect("it ends well");
}

#[test]
fn a5_elements_that_later_versions_add_are_taken() {
    let more: [&[u8]; 4] = [&[], &[0x80], &[0xc2, 0x80, 0x05], &[0x01, 0x02, 0xc0, 0x82, 9, 9]];
    for more in more {
        assert!(Hello::decode(&hello(b"later", &[0xc0], more)).is_ok(), "{more:02x?}");
        // And bytes behind the list.
        let longer = [&hello(b"later", &[0xc0], more)[..], &[0xff, 0x00]].concat();
        assert!(Hello::decode(&longer).is_ok(), "{more:02x?}");
        assert!(takes_auth(more) && takes_ack(more), "{more:02x?}");
    }
    // What is no RLP is taken nowhere.
    assert!(Hello::decode(&hello(b"later", &[0xc0], &[0x82, 9])).is_err());
    assert!(!takes_auth(&[0x82, 9]) && !takes_ack(&[0x82, 9]));
}

fn takes_auth(more: &[u8]) -> bool {
    let [alice, bob, ephemeral] = [1, 2, 3].map(|seed| Identity::generate(&mut rng(seed)));
    let digest = alice.agree(&bob.public_key()).expose().map(|byte| byte ^ 9);
    let mut body = Writer::new();
    body.list(|body| {
        body.bytes(ephemeral.sign(&digest).as_bytes());
        body.bytes(&alice.public_key().to_bytes()).bytes(&[9; 32]).uint(5).raw(more);
    });
    body.raw(&[0xff; 120]);
    let packet = seal(&bob.public_key(), body.into_bytes(), &mut rng(4));
    Auth::open(&bob, &packet).is_ok_and(|auth| auth.remote() == alice.public_key())
}

fn takes_ack(more: &[u8]) -> bool {
    let [alice, bob, ephemeral] = [1, 2, 3].map(|seed| Identity::generate(&mut rng(seed)));
    let waiting = initiate(&alice, &bob.public_key(), &mut rng(5));
    let mut body = Writer::new();
    body.list(|body| {
        body.bytes(&ephemeral.public_key().to_bytes()).bytes(&[9; 32]).uint(5).raw(more);
    });
    body.raw(&[0xff; 120]);
    waiting.receive(&seal(&alice.public_key(), body.into_bytes(), &mut rng(6))).is_ok()
}

#[test]
fn a7_a_compressed_length_that_lies_gets_no_memory() {
    let four_gib = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let sixteen_mib = [0x80, 0x80, 0x80, 0x08];
    let one_mib = [0x80, 0x80, 0x40];
    for length in [&four_gib[..], &sixteen_mib, &one_mib] {
        // A channel that does not compress writes what one that does would never write.
        let (mut egress, mut ingress) = channel();
        ingress.decompress();
        ingress.limit(MAX_FRAME, 1 << 20);
        let mut wire = Vec::new();
        let payload = [length, &[0; 1_024]].concat();
        assert_eq!(egress.write(17, &payload, &mut wire), Ok(()));
        let (header, body) = wire.split_first_chunk_mut().expect("a frame");
        let header = ingress.header(header).expect("a genuine header");
        let spent = measure(|| assert!(ingress.body(header, body).is_err()));
        assert!(spent.bytes_total <= 1_024 + 4_096, "{length:02x?}: {spent:?}");
    }
}

#[test]
fn a12_many_capabilities_and_long_names_cost_no_more_than_they_are_long() {
    let mut capabilities = Writer::new();
    capabilities.list(|list| {
        for number in 0..10_000 {
            list.list(|pair| _ = pair.bytes(b"x").uint(number));
        }
    });
    let many = hello(b"", capabilities.as_bytes(), b"");
    let long = hello(&vec![b'n'; 1 << 20], &[0xc0], b"");
    let spent = measure(|| assert!(Hello::decode(&many).is_err() && Hello::decode(&long).is_err()));
    assert_eq!(spent.bytes_total, 0);
}
