use chacha20::ChaCha20Rng;
use proptest::prelude::*;
use rand_core::SeedableRng;

use super::*;
use crate::rlpx::frame::HEADER;

fn rng(seed: u64) -> ChaCha20Rng {
    ChaCha20Rng::seed_from_u64(seed)
}

fn pair(rng: &mut ChaCha20Rng) -> (Identity, Identity) {
    (Identity::generate(rng), Identity::generate(rng))
}

/// A frame from one half to the other.
fn passes((egress, ingress): (&mut Egress, &mut Ingress)) -> bool {
    let mut wire = Vec::new();
    egress.write(16, b"status", &mut wire).unwrap();
    let (header, rest) = wire.split_first_chunk_mut::<HEADER>().unwrap();
    ingress
        .header(header)
        .and_then(|header| ingress.body(header, rest))
        .is_ok_and(|packet| packet.payload == b"status")
}

#[test]
fn both_ends_of_a_handshake_understand_each_other() {
    for seed in 0..20 {
        let mut rng = rng(seed);
        let (alice, bob) = pair(&mut rng);
        let waiting = initiate(&alice, &bob.public_key(), &mut rng);
        let auth = Auth::open(&bob, waiting.auth()).unwrap();
        assert_eq!(auth.remote(), alice.public_key());
        let (ack, (mut bob_out, mut bob_in)) = auth.answer(&mut rng);
        let (mut alice_out, mut alice_in) = waiting.receive(&ack).unwrap();
        assert!(passes((&mut alice_out, &mut bob_in)) && passes((&mut bob_out, &mut alice_in)));
    }
}

#[test]
fn d1_a_replayed_auth_is_answered_but_its_first_frame_is_refused() {
    let mut rng = rng(1);
    let (alice, bob) = pair(&mut rng);
    let waiting = initiate(&alice, &bob.public_key(), &mut rng);
    let recorded = waiting.auth().to_vec();
    let (ack, _) = Auth::open(&bob, &recorded).unwrap().answer(&mut rng);
    let (mut genuine, _) = waiting.receive(&ack).unwrap();
    let (_, (_, mut second)) = Auth::open(&bob, &recorded).unwrap().answer(&mut rng);
    assert!(!passes((&mut genuine, &mut second)));
}

#[test]
fn d2_a_size_out_of_bounds_is_refused_before_anything_is_read() {
    for size in [0_u16, 1, 209, 306, 2_049, 65_535] {
        let refused = Err(HandshakeError::Size(size.into()));
        assert_eq!(Message::Auth.remaining(size.to_be_bytes()), refused);
    }
    for size in [0_u16, 1, 209, 2_049, 65_535] {
        let refused = Err(HandshakeError::Size(size.into()));
        assert_eq!(Message::Ack.remaining(size.to_be_bytes()), refused);
    }
    for size in [307_u16, 2_048] {
        assert_eq!(Message::Auth.remaining(size.to_be_bytes()), Ok(size.into()));
    }
    for size in [210_u16, 215, 2_048] {
        assert_eq!(Message::Ack.remaining(size.to_be_bytes()), Ok(size.into()));
    }
}

#[test]
fn an_auth_is_long_enough_for_go_ethereum() {
    let mut rng = rng(2);
    let (alice, bob) = pair(&mut rng);
    for _ in 0..50 {
        // Too short a packet would be waited for until it times out (trap 8).
        let packet = initiate(&alice, &bob.public_key(), &mut rng).auth;
        assert!((384..=583).contains(&packet.len()), "{}", packet.len());
    }
}

#[test]
fn bytes_behind_a_packet_do_not_belong_to_it() {
    let mut rng = rng(3);
    let (alice, bob) = pair(&mut rng);
    let waiting = initiate(&alice, &bob.public_key(), &mut rng);
    let mut longer = waiting.auth().to_vec();
    longer.push(0);
    assert!(matches!(Auth::open(&bob, &longer), Err(HandshakeError::Size(_))));
    let (ack, _) = Auth::open(&bob, waiting.auth()).unwrap().answer(&mut rng);
    let shorter = ack.split_last().unwrap().1;
    assert_eq!(waiting.receive(shorter).unwrap_err(), HandshakeError::Truncated);
}

#[test]
fn stages_print_no_secret() {
    let mut rng = rng(4);
    let (alice, bob) = pair(&mut rng);
    let waiting = initiate(&alice, &bob.public_key(), &mut rng);
    assert_eq!(format!("{waiting:?}"), "AwaitAck(..)");
    let (_, channel) = Auth::open(&bob, waiting.auth()).unwrap().answer(&mut rng);
    assert_eq!(format!("{channel:?}"), "(Egress(..), Ingress(..))");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_flipped_bit_of_an_auth_is_refused(seed: u64, at: prop::sample::Index, bit in 0_u8..8) {
        let mut rng = rng(seed);
        let (alice, bob) = pair(&mut rng);
        let mut packet = initiate(&alice, &bob.public_key(), &mut rng).auth;
        let at = at.index(packet.len());
        packet[at] ^= 1 << bit;
        prop_assert!(Auth::open(&bob, &packet).is_err());
    }

    #[test]
    fn no_bytes_make_the_recipient_panic(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let bob = Identity::generate(&mut rng(5));
        prop_assert!(Auth::open(&bob, &bytes).is_err());
        // Bytes that reach the parser behind the cipher.
        let packet = seal(&bob.public_key(), bytes, &mut rng(6));
        let _ = Auth::open(&bob, &packet);
    }
}
