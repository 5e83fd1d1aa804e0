use proptest::prelude::*;
use whisper_core::crypto::Secret;

use super::*;

fn keys() -> Secrets {
    let key = |byte| Secret::fill_with(|key| *key = [byte; 32]);
    Secrets::new(key(1), key(2))
}

fn channel(snappy: bool) -> (Egress, Ingress) {
    let mut hash = Keccak::new();
    hash.update(b"the same on both sides");
    let (mut egress, mut ingress) =
        (Egress::new(&keys(), hash.clone()), Ingress::new(&keys(), hash));
    if snappy {
        egress.compress();
        ingress.decompress();
    }
    (egress, ingress)
}

fn frame(egress: &mut Egress, code: u64, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    egress.write(code, payload, &mut wire).unwrap();
    wire
}

fn read(ingress: &mut Ingress, wire: &mut [u8]) -> Result<Packet, FrameError> {
    let (header, rest) = wire.split_first_chunk_mut::<HEADER>().ok_or(FrameError::Forged)?;
    let header = ingress.header(header)?;
    ingress.body(header, rest)
}

/// A frame of data that `Egress::write` would not write, genuine in all other respects.
fn crafted(egress: &mut Egress, data: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    egress.seal(&mut data.to_vec(), &mut wire).unwrap();
    wire
}

#[test]
fn the_fill_takes_part_in_the_keystream() {
    // Trap 10: whoever forgets the fill is out of step at the second frame.
    let (mut egress, mut ingress) = channel(false);
    for length in 0..100 {
        let payload = vec![7; length];
        let mut wire = frame(&mut egress, 16, &payload);
        assert_eq!(wire.len() % 16, 0);
        assert_eq!(read(&mut ingress, &mut wire).unwrap().payload, payload);
    }
}

#[test]
fn header_bytes_behind_the_size_are_not_looked_at() {
    let (mut egress, mut ingress) = channel(false);
    let mut header = [0xff; BLOCK];
    header[..3].copy_from_slice(&[0, 0, 1]);
    egress.stream.apply_keystream(&mut header);
    let mac = egress.mac.header(&header);
    let read = ingress.header(&[header, mac].concat().try_into().unwrap());
    assert_eq!(read.unwrap().remaining(), 32);
}

#[test]
fn ids_above_127_take_two_bytes() {
    // Trap 13: shh 126 and 127 are 142 and 143.
    for (code, snappy) in [(142, true), (143, false), (u64::MAX, true)] {
        let (mut egress, mut ingress) = channel(snappy);
        let mut wire = frame(&mut egress, code, b"direct");
        assert_eq!(read(&mut ingress, &mut wire).unwrap().code, code);
    }
}

#[test]
fn d3_a_huge_header_is_refused_before_memory_is_taken() {
    let (mut egress, mut ingress) = channel(false);
    ingress.limit(1024, 1024);
    let mut wire = frame(&mut egress, 16, &[0; 1024]);
    assert_eq!(read(&mut ingress, &mut wire), Err(FrameError::TooLarge { max: 1024 }));

    let (mut egress, mut ingress) = channel(false);
    ingress.limit(1024, 1024);
    let mut header = encode_header(MAX_FRAME).unwrap();
    egress.stream.apply_keystream(&mut header);
    let mac = egress.mac.header(&header);
    let refused = ingress.header(&[header, mac].concat().try_into().unwrap());
    assert_eq!(refused.unwrap_err(), FrameError::TooLarge { max: 1024 });
}

#[test]
fn d3_an_empty_frame_and_an_id_that_is_a_list_are_refused() {
    for data in [&[][..], &[0xc0], &[0xc1, 0x01], &[0x00], &[0x81, 0x01], &[0x82, 0x00, 0x81]] {
        let (mut egress, mut ingress) = channel(false);
        let mut wire = crafted(&mut egress, data);
        assert_eq!(read(&mut ingress, &mut wire), Err(FrameError::Code), "{data:02x?}");
    }
}

#[test]
fn a7_a_length_that_lies_gets_no_memory() {
    let four_gib = [0xff, 0xff, 0xff, 0xff, 0x0f];
    let sixteen_mib = [0x80, 0x80, 0x80, 0x08];
    let one_mib = [0x80, 0x80, 0x40];
    for (length, error) in [
        (&four_gib[..], FrameError::TooLarge { max: 1 << 20 }),
        (&sixteen_mib, FrameError::TooLarge { max: 1 << 20 }),
        // Allowed, but a kilobyte cannot hold it.
        (&one_mib, FrameError::Compression),
    ] {
        let (mut egress, mut ingress) = channel(true);
        ingress.limit(MAX_FRAME, 1 << 20);
        let data = [&[0x11], length, &[0; 1024]].concat();
        let mut wire = crafted(&mut egress, &data);
        assert_eq!(read(&mut ingress, &mut wire), Err(error));
    }
}

#[test]
fn the_best_compression_there_is_passes() {
    for payload in [vec![0; 1 << 20], vec![7; MAX_FRAME], Vec::new()] {
        let (mut egress, mut ingress) = channel(true);
        let mut wire = frame(&mut egress, 17, &payload);
        assert_eq!(read(&mut ingress, &mut wire).unwrap().payload, payload);
    }
}

#[test]
fn a_packet_that_no_frame_holds_leaves_the_channel_as_it_was() {
    let (mut egress, mut ingress) = channel(false);
    let mut wire = Vec::new();
    let refused = Err(FrameError::TooLarge { max: MAX_FRAME });
    assert_eq!(egress.write(17, &vec![0; MAX_FRAME + 1], &mut wire), refused);
    assert_eq!(egress.write(17, &vec![0; MAX_FRAME], &mut wire), refused);
    assert!(wire.is_empty());
    let mut wire = frame(&mut egress, 17, b"small");
    assert_eq!(read(&mut ingress, &mut wire).unwrap().payload, b"small");
}

#[test]
fn a_raw_disconnect_is_understood_although_packets_are_compressed() {
    // Trap 16.
    for payload in [&[0xc1, 0x07][..], &[0xc1, 0x80], &[0x04], &[0xc0]] {
        let (mut egress, mut ingress) = channel(true);
        let data = [&[1], payload].concat();
        let mut wire = crafted(&mut egress, &data);
        assert_eq!(read(&mut ingress, &mut wire).unwrap().payload, payload);
    }
}

#[test]
fn d4_both_directions_share_one_keystream() {
    // F9, trap 27: documented, and here for all to see.
    let (mut one, _) = channel(false);
    let (mut other, _) = channel(false);
    let (first, second) = ([0x55; 64], [0xaa; 64]);
    let (first_wire, second_wire) = (frame(&mut one, 17, &first), frame(&mut other, 17, &second));
    let streams = first_wire.iter().zip(&second_wire).map(|(a, b)| a ^ b);
    // Of the bodies, the message id is the same in both.
    let bodies: Vec<_> = streams.skip(HEADER + 1).take(64).collect();
    assert_eq!(bodies, [0xff; 64]);
}

#[test]
fn a_repeated_frame_is_refused() {
    let (mut egress, mut ingress) = channel(false);
    let wire = frame(&mut egress, 17, b"once");
    assert!(read(&mut ingress, &mut wire.clone()).is_ok());
    assert_eq!(read(&mut ingress, &mut wire.clone()), Err(FrameError::Forged));
}

proptest! {
    #[test]
    fn packets_survive_the_wire(
        packets in prop::collection::vec((0_u64..300, prop::collection::vec(any::<u8>(), 0..300)), 1..8),
        snappy: bool,
    ) {
        let (mut egress, mut ingress) = channel(snappy);
        let mut wire = Vec::new();
        for (code, payload) in &packets {
            egress.write(*code, payload, &mut wire).unwrap();
        }
        let mut rest = &mut wire[..];
        for (code, payload) in packets {
            let (header, tail) = rest.split_first_chunk_mut::<HEADER>().unwrap();
            let header = ingress.header(header).unwrap();
            let (body, tail) = tail.split_at_mut(header.remaining());
            prop_assert_eq!(ingress.body(header, body), Ok(Packet { code, payload }));
            rest = tail;
        }
        prop_assert_eq!(egress.mac_digest(), ingress.mac_digest());
    }

    #[test]
    fn any_flipped_bit_is_refused(
        payload in prop::collection::vec(any::<u8>(), 0..200),
        snappy: bool,
        at: prop::sample::Index,
        bit in 0_u8..8,
    ) {
        let (mut egress, mut ingress) = channel(snappy);
        let mut wire = frame(&mut egress, 17, &payload);
        let at = at.index(wire.len());
        wire[at] ^= 1 << bit;
        prop_assert_eq!(read(&mut ingress, &mut wire), Err(FrameError::Forged));
    }

    #[test]
    fn no_data_makes_the_reader_panic(data in prop::collection::vec(any::<u8>(), 1..400), snappy: bool) {
        // Genuine MACs around arbitrary data: what a peer can do.
        let (mut egress, mut ingress) = channel(snappy);
        ingress.limit(300, 1_000);
        let mut wire = crafted(&mut egress, &data);
        if let Ok(packet) = read(&mut ingress, &mut wire) {
            prop_assert!(packet.payload.len() <= 1_000);
        }
    }
}
