//! Handshakes and frames, held against what go-ethereum v1.9.20 puts on the wire.

#![cfg(feature = "rlpx")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use serde_json::Value;
use whisper_core::crypto::Secret;
use whisper_core::hash::Keccak;
use whisper_core::hash::sha256;
use whisper_core::identity::Identity;
use whisper_core::rlp::Writer;
use whisper_net::rlpx::frame::Egress;
use whisper_net::rlpx::frame::FrameError;
use whisper_net::rlpx::frame::HEADER;
use whisper_net::rlpx::frame::Ingress;
use whisper_net::rlpx::frame::Packet;
use whisper_net::rlpx::handshake;
use whisper_net::rlpx::handshake::Auth;
use whisper_net::rlpx::handshake::HandshakeError;
use whisper_net::rlpx::handshake::Message;
use whisper_net::rlpx::secrets::Secrets;

use support::Script;
use support::accepted;
use support::array;
use support::bytes;
use support::cases;
use support::expect_count;
use support::given_or_generated;
use support::identity;
use support::load;
use support::name;
use support::number;
use support::public_key;
use support::secret;
use support::secret_key;

const SET: &str = "rlpx";

#[test]
fn handshakes_are_those_of_the_reference() {
    let Some(file) = load(SET, "rlpx-handshake.json") else { return };
    let mut refused = Vec::new();
    for case in cases(&file, "cases", 25) {
        if !agrees_on_handshake(case) {
            refused.push(name(case));
        }
    }
    assert_eq!(refused, ["legacy-0", "legacy-1", "legacy-2", "max-size"]);
}

#[test]
fn sessions_are_those_of_the_reference() {
    sessions("rlpx-session-plain.json", "session-plain-3");
}

#[test]
fn compressed_sessions_are_those_of_the_reference() {
    sessions("rlpx-session-snappy.json", "session-snappy-3");
}

fn sessions(file: &str, legacy: &str) {
    let Some(file) = load(SET, file) else { return };
    let mut frames = 0;
    for session in cases(&file, "sessions", 4) {
        let handshake = &session["handshake"];
        assert_eq!(agrees_on_handshake(handshake), name(session) != legacy, "{}", name(session));
        for direction in ["i2r", "r2i"] {
            frames += replay(session, direction);
        }
    }
    expect_count("frames", frames, 169);
}

/// Builds and parses both packets, and checks all that is derived from them. Tells whether ours takes
/// them; what it refuses by choice is derived from all the same.
fn agrees_on_handshake(case: &Value) -> bool {
    let (initiator, recipient) = (&case["initiator"], &case["recipient"]);
    let (alice, bob) = (identity(&initiator["static_priv"]), identity(&recipient["static_priv"]));
    assert_eq!(alice.public_key(), public_key(&initiator["static_pub"]), "{}", name(case));
    signs_as_the_reference(case, &alice, &bob);
    derives_as_the_reference(case);
    let (auth, ack) = (bytes(&case["auth"]["packet"]), bytes(&case["ack"]["packet"]));
    let opened = Auth::open(&bob, &auth);
    if case["format"] == "legacy" || auth.len() > 2_050 {
        assert!(opened.is_err(), "{}", name(case));
        return false;
    }
    assert_eq!(opened.unwrap().remote(), alice.public_key(), "{}", name(case));
    builds_as_the_reference(case, (&alice, &bob), (&auth, &ack));
    true
}

fn signs_as_the_reference(case: &Value, alice: &Identity, bob: &Identity) {
    let derived = &case["derived"];
    let agreed = alice.agree(&bob.public_key());
    assert_eq!(agreed, secret(&derived["static_shared_secret"]), "{}", name(case));
    assert_eq!(bob.agree(&alice.public_key()), agreed);
    let ephemeral = identity(&case["initiator"]["ephemeral_priv"]);
    let signature = ephemeral.sign(&array(&derived["signed_digest"]));
    assert_eq!(signature.as_bytes(), &array(&derived["signature"]), "{}", name(case));
    let recovered = signature.recover(&array(&derived["signed_digest"]));
    assert_eq!(recovered, Ok(public_key(&case["initiator"]["ephemeral_pub"])));
}

fn derives_as_the_reference(case: &Value) {
    let derived = &case["derived"];
    let secrets = secrets_of(case);
    assert_eq!(secrets.aes(), &secret(&derived["aes_secret"]), "{}", name(case));
    assert_eq!(secrets.mac(), &secret(&derived["mac_secret"]), "{}", name(case));
    let out = array(&derived["initiator_egress_mac_digest"]);
    let back = array(&derived["initiator_ingress_mac_digest"]);
    let ((egress, ingress), (answer, listen)) = channels(case, &secrets);
    assert_eq!((egress.mac_digest(), ingress.mac_digest()), (&out, &back), "{}", name(case));
    assert_eq!((answer.mac_digest(), listen.mac_digest()), (&back, &out), "{}", name(case));
}

/// Both packets byte for byte: through `seal`, and through the handshake itself where the padding is
/// of the kind that ours draws.
fn builds_as_the_reference(
    case: &Value,
    (alice, bob): (&Identity, &Identity),
    (auth, ack): (&[u8], &[u8]),
) {
    let signature = bytes(&case["derived"]["signature"]);
    let nonces = [&case["initiator"]["nonce"], &case["recipient"]["nonce"]].map(bytes);
    let keys = (alice.public_key().to_bytes(), bytes(&case["recipient"]["ephemeral_pub"]));
    let fields = [&signature[..], &keys.0, &nonces[0]];
    assert_eq!(sealed(&case["auth"], &fields, bob), auth, "{}", name(case));
    let fields = [&keys.1[..], &nonces[1]];
    assert_eq!(sealed(&case["ack"], &fields, alice), ack, "{}", name(case));

    let (Some(auth_script), Some(ack_script)) =
        (script(case, "auth", "initiator"), script(case, "ack", "recipient"))
    else {
        assert!(!name(case).starts_with("genuine") && !name(case).starts_with("session"));
        return;
    };
    let (mut auth_script, mut ack_script) = (auth_script, ack_script);
    let waiting = handshake::initiate(alice, &bob.public_key(), &mut auth_script);
    assert_eq!(waiting.auth(), auth, "{}", name(case));
    let (answer, (_, ingress)) = Auth::open(bob, auth).unwrap().answer(&mut ack_script);
    assert_eq!(answer, ack, "{}", name(case));
    let (egress, _) = waiting.receive(ack).unwrap();
    assert_eq!(egress.mac_digest(), ingress.mac_digest());
    assert_eq!(egress.mac_digest(), &array(&case["derived"]["initiator_egress_mac_digest"]));
    auth_script.finish();
    ack_script.finish();
}

/// A packet with the version, the further elements and the padding of the case.
fn sealed(message: &Value, fields: &[&[u8]], recipient: &Identity) -> Vec<u8> {
    let mut body = Writer::new();
    body.list(|body| {
        fields.iter().for_each(|field| _ = body.bytes(field));
        body.uint(number(&message["version"]));
        let extras = message["extra_elements"].as_array().unwrap();
        extras.iter().for_each(|extra| _ = body.raw(&bytes(extra)));
    });
    let plaintext = [body.as_bytes(), &given_or_generated(message, "padding")].concat();
    if message["plaintext"].is_string() {
        assert_eq!(plaintext, bytes(&message["plaintext"]));
    }
    let mut script =
        Script::new(&[&bytes(&message["ecies_ephemeral_priv"]), &bytes(&message["ecies_iv"])]);
    handshake::seal(&recipient.public_key(), plaintext, &mut script)
}

/// All that a side draws, if it can draw such a packet.
fn script(case: &Value, message: &str, side: &str) -> Option<Script> {
    let message = &case[message];
    let padding = given_or_generated(message, "padding");
    let plain = message["extra_elements"].as_array()?.is_empty() && message["version"] == 4;
    let drawable = (100..300).contains(&padding.len()) && padding.iter().all(|byte| *byte == 0);
    (plain && drawable).then(|| {
        let length = u16::try_from(padding.len() - 100).expect("it is small");
        Script::new(&[
            &bytes(&case[side]["nonce"]),
            &bytes(&case[side]["ephemeral_priv"]),
            &length.to_be_bytes(),
            &bytes(&message["ecies_ephemeral_priv"]),
            &bytes(&message["ecies_iv"]),
        ])
    })
}

fn secrets_of(case: &Value) -> Secrets {
    let ephemeral = secret_key(&case["initiator"]["ephemeral_priv"]);
    let agreed = ephemeral.agree(&public_key(&case["recipient"]["ephemeral_pub"]));
    assert_eq!(agreed, secret(&case["derived"]["ephemeral_shared_secret"]), "{}", name(case));
    Secrets::derive(
        &agreed,
        &array(&case["initiator"]["nonce"]),
        &array(&case["recipient"]["nonce"]),
    )
}

type Channel = (Egress, Ingress);

/// The initiator's channel and the recipient's.
fn channels(case: &Value, secrets: &Secrets) -> (Channel, Channel) {
    let nonces = (array(&case["initiator"]["nonce"]), array(&case["recipient"]["nonce"]));
    let packets = (bytes(&case["auth"]["packet"]), bytes(&case["ack"]["packet"]));
    let (auth, ack) = ((&nonces.0, &packets.0[..]), (&nonces.1, &packets.1[..]));
    (secrets.initiator(auth, ack), secrets.recipient(auth, ack))
}

/// Writes and reads the frames of one direction, and tells how many they were.
fn replay(session: &Value, direction: &str) -> usize {
    let handshake = &session["handshake"];
    let (initiator, recipient) = channels(handshake, &secrets_of(handshake));
    let (mut egress, mut ingress) = match direction {
        "i2r" => (initiator.0, recipient.1),
        _ => (recipient.0, initiator.1),
    };
    let frames = session["frames"].as_array().unwrap();
    let frames = frames.iter().filter(|frame| frame["dir"] == direction);
    let mut count = 0;
    for frame in frames {
        let context = format!("{} {direction} {count}", name(session));
        if frame["snappy"] == true {
            egress.compress();
            ingress.decompress();
        }
        let payload = given_or_generated(frame, "payload");
        let mut wire = Vec::new();
        egress.write(number(&frame["code"]), &payload, &mut wire).unwrap();
        assert_eq!(sha256(&wire), array(&frame["wire_sha256"]), "{context}");
        assert_eq!(wire.len() as u64, number(&frame["wire_len"]), "{context}");
        if frame["wire"].is_string() {
            assert_eq!(wire, bytes(&frame["wire"]), "{context}");
        }
        let packet = read(&mut ingress, &mut wire).unwrap();
        assert_eq!((packet.code, packet.payload == payload), (number(&frame["code"]), true));
        let digest = array(&frame["sender_mac_digest_after"]);
        assert_eq!((egress.mac_digest(), ingress.mac_digest()), (&digest, &digest), "{context}");
        count += 1;
    }
    count
}

fn read(ingress: &mut Ingress, wire: &mut [u8]) -> Result<Packet, FrameError> {
    let (header, rest) = wire.split_first_chunk_mut::<HEADER>().ok_or(FrameError::Forged)?;
    let header = ingress.header(header)?;
    let body = rest.get_mut(..header.remaining()).ok_or(FrameError::Forged)?;
    ingress.body(header, body)
}

fn absorbed(bytes: &[u8]) -> Keccak {
    let mut hash = Keccak::new();
    hash.update(bytes);
    hash
}

fn frame_secrets(case: &Value) -> Secrets {
    Secrets::new(secret(&case["aes_secret"]), secret(&case["mac_secret"]))
}

#[test]
fn single_frames_are_those_of_the_reference() {
    let Some(file) = load(SET, "rlpx-frames.json") else { return };
    for case in cases(&file, "cases", 10) {
        let mut egress =
            Egress::new(&frame_secrets(case), absorbed(&bytes(&case["egress_mac_absorbed"])));
        if case["snappy"] == true {
            egress.compress();
        }
        let mut wire = Vec::new();
        egress.write(number(&case["code"]), &bytes(&case["payload"]), &mut wire).unwrap();
        let parts = ["header_ciphertext", "header_mac", "frame_ciphertext", "frame_mac"];
        assert_eq!(wire, parts.map(|part| bytes(&case[part])).concat(), "{}", name(case));
        assert_eq!(egress.mac_digest(), &array(&case["egress_mac_digest_after"]));
    }
}

#[test]
fn frames_are_refused_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-reject.json") else { return };
    for case in cases(&file, "frames", 31) {
        let mut ingress =
            Ingress::new(&frame_secrets(case), absorbed(&bytes(&case["ingress_mac_absorbed"])));
        if case["snappy"] == true {
            ingress.decompress();
        }
        let packet = read(&mut ingress, &mut bytes(&case["wire"]));
        assert_eq!(packet.is_ok(), accepted(case), "{}: {packet:?}", name(case));
        if let Ok(packet) = packet {
            assert_eq!(packet.code, number(&case["code"]), "{}", name(case));
            assert_eq!(packet.payload, bytes(&case["payload"]), "{}", name(case));
        }
    }
}

/// What the reference takes and ours does not: the form before EIP-8.
const REFUSED_BY_CHOICE: [&str; 5] = [
    "legacy-good",
    "legacy-hash-wrong",
    "legacy-token-flag",
    "ack-legacy-good",
    "ack-legacy-token",
];

#[test]
fn handshake_packets_are_refused_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-reject.json") else { return };
    let mut by_choice = Vec::new();
    for case in cases(&file, "handshake", 48) {
        let own = identity(&case["own_static_priv"]);
        let wire = bytes(&case["packet"]);
        let result = match case["side"].as_str() {
            Some("recipient") => read_auth(&own, &wire),
            _ => read_ack(&own, &wire),
        };
        if REFUSED_BY_CHOICE.contains(&name(case)) {
            assert!(result.is_err() && accepted(case), "{}", name(case));
            by_choice.push(name(case));
            continue;
        }
        assert_eq!(result.is_ok(), accepted(case), "{}: {result:?}", name(case));
        if let Ok(unread) = result {
            assert_eq!(unread as u64, number(&case["unread_bytes"]), "{}", name(case));
        }
    }
    assert_eq!(by_choice, REFUSED_BY_CHOICE);
}

/// Reads a packet as from a socket, and tells how many bytes are left there.
fn read_auth(own: &Identity, wire: &[u8]) -> Result<usize, HandshakeError> {
    let (packet, unread) = take(Message::Auth, wire)?;
    Auth::open(own, packet).map(|_| unread)
}

fn read_ack(own: &Identity, wire: &[u8]) -> Result<usize, HandshakeError> {
    let (packet, unread) = take(Message::Ack, wire)?;
    let mut rng = support::rng(1);
    let anybody = Identity::generate(&mut rng).public_key();
    handshake::initiate(own, &anybody, &mut rng).receive(packet).map(|_| unread)
}

fn take(message: Message, wire: &[u8]) -> Result<(&[u8], usize), HandshakeError> {
    let prefix = wire.first_chunk().ok_or(HandshakeError::Truncated)?;
    let length = message.remaining(*prefix)? + 2;
    let (packet, rest) = wire.split_at_checked(length).ok_or(HandshakeError::Truncated)?;
    Ok((packet, rest.len()))
}

#[test]
fn published_handshakes_are_read() {
    let Some(file) = load(SET, "rlpx-published.json") else { return };
    let example = &file["eip8_handshake"];
    let alice = identity(&example["initiator_static_priv"]);
    let bob = identity(&example["recipient_static_priv"]);
    for case in cases(example, "auth", 3) {
        let opened = Auth::open(&bob, &bytes(&case["packet"])).map(|auth| auth.remote());
        match case["name"] == "Auth1" {
            true => assert!(opened.is_err(), "the form before EIP-8 is refused by choice"),
            false => assert_eq!(opened, Ok(alice.public_key())),
        }
    }
    for case in cases(example, "ack", 3) {
        let received = read_ack(&alice, &bytes(&case["packet"]));
        assert_eq!(received.is_ok(), case["name"] != "Ack1", "{received:?}");
    }
}

#[test]
fn published_secrets_are_derived() {
    let Some(file) = load(SET, "rlpx-published.json") else { return };
    let example = &file["eip8_handshake"];
    let packet = |list: &str| bytes(&example[list][1]["packet"]);
    let nonces = (array(&example["initiator_nonce"]), array(&example["recipient_nonce"]));
    let agreed = secret_key(&example["recipient_ephemeral_priv"])
        .agree(&secret_key(&example["initiator_ephemeral_priv"]).public_key());
    let secrets = Secrets::derive(&agreed, &nonces.0, &nonces.1);
    let expected = &example["derivation_from_Auth2_Ack2_on_recipient"];
    assert_eq!(secrets.aes(), &secret(&expected["aes_secret"]));
    assert_eq!(secrets.mac(), &secret(&expected["mac_secret"]));
    // digest(A) and digest(B) of the worked example in the specification.
    let (egress, ingress) =
        secrets.recipient((&nonces.0, &packet("auth")), (&nonces.1, &packet("ack")));
    let digests = [ingress.mac_digest(), egress.mac_digest()].map(hex::encode);
    assert_eq!(digests[0], "1876ff58fc175e0a177afd2044d57eff497080dc0386a382aa44d9eb2f182aab");
    assert_eq!(digests[1], "7a076efd50d3771655f22190654053ba82f6f47f3123be6a4ba61df58845abc6");
    let seed: Vec<_> = secrets.mac().expose().iter().zip(nonces.1).map(|(a, b)| a ^ b).collect();
    let foo = absorbed(&[&seed[..], &packet("auth"), b"foo"].concat()).finish();
    assert_eq!(foo, array(&expected["ingress_mac_digest_after_absorbing_ascii_foo"]));
}

#[test]
fn the_published_frame_has_our_ciphertexts() {
    let Some(file) = load(SET, "rlpx-published.json") else { return };
    let case = &file["frame_with_constant_mac"];
    // Its MACs are those of a hash that always says 01: only the streams can be compared.
    let keys = Secrets::new(secret(&case["aes_secret"]), Secret::fill_with(|_| ()));
    let mut wire = Vec::new();
    let payload = bytes(&case["payload"]);
    Egress::new(&keys, Keccak::new()).write(number(&case["code"]), &payload, &mut wire).unwrap();
    let published = bytes(&case["wire"]);
    assert_eq!(wire[..16], published[..16]);
    assert_eq!(wire[32..48], published[32..48]);
    assert_eq!(wire.len(), published.len());
}
