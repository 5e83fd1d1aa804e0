use proptest::prelude::*;

use super::*;

fn hello() -> Hello {
    Hello {
        version: SNAPPY_VERSION,
        client: b"whisper/v1".to_vec(),
        capabilities: vec![Capability::new(*b"shh", 6)],
        listen_port: 0,
        public_key: [7; 64],
    }
}

#[test]
fn a12_a_hello_of_many_capabilities_is_refused() {
    let capabilities = |count: u64| (0..count).map(|version| Capability::new(*b"x", version));
    let with = |count| Hello { capabilities: capabilities(count).collect(), ..hello() };
    assert!(Hello::decode(&with(64).encode()).is_ok());
    let refused = Err(HelloError::TooManyCapabilities { max: 64 });
    assert_eq!(Hello::decode(&with(65).encode()), refused);
    let refused = Err(HelloError::TooLarge { max: 2_048 });
    assert_eq!(Hello::decode(&with(10_000).encode()), refused);
}

#[test]
fn a12_a_client_name_of_a_megabyte_is_refused() {
    let long = Hello { client: vec![b'n'; 1 << 20], ..hello() };
    assert_eq!(Hello::decode(&long.encode()), Err(HelloError::TooLarge { max: 2_048 }));
}

#[test]
fn a12_a_client_name_cannot_forge_a_log() {
    let client = "a\0b\nc\u{1b}[31m\u{202e}\\x".as_bytes().to_vec();
    let name = Hello { client, ..hello() }.client_name();
    assert_eq!(name, r"a\x00b\x0ac\x1b[31m\xe2\x80\xae\\x");
    let long = Hello { client: vec![b'n'; 1_000], ..hello() };
    assert_eq!(long.client_name().len(), 128);
}

#[test]
fn a12_a_key_of_another_length_or_of_zeros_is_no_identity() {
    let zero = Hello { public_key: [0; 64], ..hello() };
    assert_eq!(Hello::decode(&zero.encode()), Err(HelloError::InvalidIdentity));
    let mut payload = Writer::new();
    payload.list(|fields| {
        fields.uint(5).bytes(b"").list(|_| {}).uint(0).bytes(&[7; 63]);
    });
    assert_eq!(Hello::decode(payload.as_bytes()), Err(HelloError::InvalidIdentity));
}

#[test]
fn compression_takes_both_sides() {
    // Trap 16.
    assert!(uses_snappy(5, 5) && uses_snappy(5, 99) && uses_snappy(6, 5));
    assert!(!uses_snappy(4, 5) && !uses_snappy(5, 4) && !uses_snappy(0, 99));
}

#[test]
fn a_refusal_in_place_of_hello_is_understood() {
    // Trap 21.
    let refused = Err(HelloError::Refused(Reason::TooManyPeers));
    assert_eq!(Hello::read_first(1, &[0xc1, 0x04]), refused);
    assert_eq!(Hello::read_first(2, &[0xc0]), Err(HelloError::OutOfTurn));
}

proptest! {
    #[test]
    fn a_hello_survives_the_wire(
        version: u64, listen_port: u64, client in prop::collection::vec(any::<u8>(), 0..200),
        names in prop::collection::btree_set(prop::collection::vec(any::<u8>(), 0..9), 0..9),
    ) {
        let capabilities = names.into_iter().map(|name| Capability::new(name, version)).collect();
        let hello = Hello { version, client, capabilities, listen_port, ..hello() };
        prop_assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
    }

    #[test]
    fn no_payload_makes_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Hello::decode(&bytes);
        let _ = Reason::decode(&bytes);
    }
}
