//! What peers say about themselves, and the ciphers below it, held against go-ethereum v1.9.20.

#![cfg(feature = "rlpx")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::net::IpAddr;

use serde_json::Value;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::Signature;
use whisper_core::crypto::ecies;
use whisper_core::hash::sha256;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;
use whisper_net::peering::is_local;
use whisper_net::rlpx::Enode;
use whisper_net::rlpx::Host;
use whisper_net::rlpx::capability::Capability;
use whisper_net::rlpx::capability::Offer;
use whisper_net::rlpx::capability::negotiate;
use whisper_net::rlpx::disconnect::Reason;
use whisper_net::rlpx::hello::Hello;
use whisper_net::rlpx::hello::HelloError;
use whisper_net::rlpx::hello::uses_snappy;

use support::Script;
use support::accepted;
use support::array;
use support::bytes;
use support::cases;
use support::identity;
use support::load;
use support::name;
use support::number;
use support::public_key;
use support::secret;
use support::secret_key;

const SET: &str = "rlpx";

#[test]
fn ecies_is_that_of_the_reference() {
    let Some(file) = load(SET, "rlpx-ecies.json") else { return };
    for case in cases(&file, "ecies", 12) {
        let recipient = identity(&case["recipient_priv"]);
        assert_eq!(recipient.public_key(), public_key(&case["recipient_pub"]));
        let shared = secret_key(&case["ephemeral_priv"]).agree(&recipient.public_key());
        assert_eq!(shared, secret(&case["z"]), "{}", name(case));
        let keys = kdf(shared.expose(), 32);
        assert_eq!(keys[..16], bytes(&case["k_e"]), "{}", name(case));
        assert_eq!(keys[16..], bytes(&case["k_m"]), "{}", name(case));
        assert_eq!(sha256(&keys[16..]), array(&case["hmac_key"]), "{}", name(case));
        let (plaintext, mac_data) = (bytes(&case["plaintext"]), bytes(&case["shared_mac_data"]));
        let mut script = Script::new(&[&bytes(&case["ephemeral_priv"]), &bytes(&case["iv"])]);
        let sealed = ecies::encrypt(&recipient.public_key(), &plaintext, &mac_data, &mut script);
        assert_eq!(sealed, bytes(&case["ciphertext"]), "{}", name(case));
        assert!(sealed.ends_with(&bytes(&case["tag"])));
        script.finish();
        let opened = ecies::decrypt(recipient.secret(), &sealed, &mac_data);
        assert_eq!(opened, Ok(plaintext), "{}", name(case));
    }
}

#[test]
fn signatures_are_those_of_the_reference() {
    let Some(file) = load(SET, "rlpx-ecies.json") else { return };
    for case in cases(&file, "signatures", 12) {
        let (key, digest) = (identity(&case["priv"]), array(&case["digest"]));
        let signature = key.sign(&digest);
        assert_eq!(signature.as_bytes(), &array(&case["signature"]), "{}", name(case));
        assert_eq!(signature.recover(&digest), Ok(public_key(&case["pub"])));
    }
    for case in cases(&file, "high_s", 3) {
        let recovered =
            Signature::from_bytes(array(&case["signature"])).recover(&array(&case["digest"]));
        let expected = case["recovers_to_pub"].as_bool().unwrap();
        assert_eq!(recovered == Ok(public_key(&case["pub"])), expected, "{}", name(case));
    }
}

#[test]
fn agreement_and_derivation_are_those_of_the_reference() {
    let Some(file) = load(SET, "rlpx-ecies.json") else { return };
    for case in cases(&file, "ecdh", 6) {
        for (own, other) in [("a", "b"), ("b", "a")] {
            let own = secret_key(&case[format!("priv_{own}")]);
            let other = public_key(&case[format!("pub_{other}")]);
            assert_eq!(own.agree(&other), secret(&case["x"]));
        }
    }
    for case in cases(&file, "kdf", 8) {
        let length = usize::try_from(number(&case["len"])).unwrap();
        assert_eq!(kdf(&bytes(&case["z"]), length), bytes(&case["out"]));
    }
}

#[test]
fn published_agreement_is_ours() {
    let Some(file) = load(SET, "rlpx-published.json") else { return };
    for case in cases(&file, "kdf", 4) {
        let length = usize::try_from(number(&case["len"])).unwrap();
        assert_eq!(kdf(case["z_ascii"].as_str().unwrap().as_bytes(), length), bytes(&case["out"]));
    }
    for case in cases(&file, "ecdh", 2) {
        let other = match case["pub_b"].is_string() {
            true => public_key(&case["pub_b"]),
            false => secret_key(&case["priv_b"]).public_key(),
        };
        assert_eq!(secret_key(&case["priv_a"]).agree(&other), secret(&case["x"]));
    }
    for case in cases(&file, "ecdh_padding", 2) {
        assert_eq!(secret_key(&case["priv"]).public_key(), public_key(&case["pub"]));
    }
}

/// The concatenation KDF, as far as its first block written out in `ecies`.
fn kdf(z: &[u8], length: usize) -> Vec<u8> {
    let block = |n: u32| sha256(&[&n.to_be_bytes(), z].concat());
    (1..).flat_map(block).take(length).collect()
}

fn capabilities(value: &Value) -> Vec<Capability> {
    let list = value.as_array().expect("a list of capabilities");
    list.iter().map(capability).collect()
}

fn capability(value: &Value) -> Capability {
    Capability::new(value["name"].as_str().unwrap(), number(&value["version"]))
}

#[test]
fn hellos_are_written_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-p2p.json") else { return };
    for case in cases(&file, "hello_encode", 5) {
        let hello = Hello {
            version: number(&case["version"]),
            client: case["client"].as_str().unwrap().into(),
            capabilities: capabilities(&case["caps"]),
            listen_port: number(&case["listen_port"]),
            public_key: array(&case["node_id"]),
        };
        let payload = hello.encode();
        assert_eq!(payload, bytes(&case["payload"]), "{}", name(case));
        assert_eq!(Hello::decode(&payload), Ok(hello), "{}", name(case));
    }
}

#[test]
fn first_packets_are_read_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-p2p.json") else { return };
    for case in cases(&file, "hello_decode", 32) {
        let first = Hello::read_first(number(&case["code"]), &bytes(&case["payload"]));
        assert_eq!(first.is_ok(), accepted(case), "{}: {first:?}", name(case));
        match first {
            Ok(hello) => {
                assert_eq!(hello.version, number(&case["version"]), "{}", name(case));
                assert_eq!(hello.client, bytes(&case["client"]), "{}", name(case));
                assert_eq!(hello.capabilities, capabilities(&case["caps"]), "{}", name(case));
                assert_eq!(hello.listen_port, number(&case["listen_port"]), "{}", name(case));
                assert_eq!(hello.public_key, array(&case["node_id"]), "{}", name(case));
            }
            Err(HelloError::Refused(reason)) => {
                assert_eq!(reason.code(), number(&case["disconnect_reason"]), "{}", name(case));
            }
            // The reason that goes out instead.
            Err(error) => {
                let reason = (error == HelloError::InvalidIdentity).then_some(7);
                assert_eq!(case["disconnect_reason"].as_u64(), reason, "{}", name(case));
            }
        }
    }
}

#[test]
fn compression_is_switched_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-p2p.json") else { return };
    for case in cases(&file, "snappy_switch", 12) {
        let (own, remote) = (number(&case["own_version"]), number(&case["remote_version"]));
        // The reference asks the other side's version only, since its own is always 5.
        let reference = case["go_ethereum_uses_snappy"].as_bool().unwrap();
        assert_eq!(uses_snappy(own, remote), reference && own >= 5, "{own} {remote}");
    }
}

#[test]
fn message_ids_are_shared_out_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-p2p.json") else { return };
    for case in cases(&file, "capability_matching", 15) {
        let offers: Vec<_> = case["local"]
            .as_array()
            .unwrap()
            .iter()
            .map(|offer| Offer::new(capability(offer), number(&offer["length"])))
            .collect();
        let shared = negotiate(&offers, &capabilities(&case["remote"]));
        assert_eq!(shared.is_empty(), case["useless_peer"].as_bool().unwrap(), "{}", name(case));
        let expected = case["result"].as_array().map_or(&[][..], Vec::as_slice);
        assert_eq!(shared.len(), expected.len(), "{}", name(case));
        for (shared, expected) in shared.iter().zip(expected) {
            assert_eq!(shared.capability, capability(expected), "{}", name(case));
            assert_eq!(shared.offset, number(&expected["offset"]), "{}", name(case));
            assert_eq!(shared.length, number(&expected["length"]), "{}", name(case));
            let (first, last) = (number(&expected["first_id"]), number(&expected["last_id"]));
            assert_eq!(shared.code_of(first), Some(0));
            assert_eq!(shared.code_of(last), Some(shared.length - 1));
            assert_eq!((shared.code_of(first - 1), shared.code_of(last + 1)), (None, None));
        }
    }
}

#[test]
fn base_messages_are_those_of_the_reference() {
    let Some(file) = load(SET, "rlpx-p2p.json") else { return };
    for case in cases(&file, "base_messages", 15) {
        let payload = bytes(&case["payload"]);
        match number(&case["code"]) {
            1 => assert_eq!(Reason::decode(&payload).encode(), payload, "{case}"),
            _ => assert_eq!(payload, [0xc0], "{case}"),
        }
    }
    for case in cases(&file, "message_ids", 17) {
        let encoded = bytes(&case["encoded"]);
        assert_eq!(Writer::new().uint(number(&case["code"])).as_bytes(), encoded);
        assert_eq!(Reader::new(&encoded).uint(), Ok(number(&case["code"])));
    }
}

#[test]
fn nodes_are_named_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-nodes.json") else { return };
    for case in cases(&file, "identity", 6) {
        let key = identity(&case["priv"]).public_key();
        assert_eq!(key, public_key(&case["pub"]));
        assert_eq!(PublicKey::from_compressed(&array(&case["pub_compressed"])), Ok(key));
        assert_eq!(key.to_compressed(), array(&case["pub_compressed"]));
        assert_eq!(Enode::new(key).node_id(), array(&case["node_id"]));
    }
}

#[test]
fn enode_urls_are_read_as_by_the_reference() {
    let Some(file) = load(SET, "rlpx-nodes.json") else { return };
    for case in cases(&file, "enode_url", 30) {
        let parsed = case["input"].as_str().unwrap().parse::<Enode>();
        assert_eq!(parsed.is_ok(), accepted(case), "{case}: {parsed:?}");
        let Ok(node) = parsed else { continue };
        assert_eq!(node.node_id(), array(&case["node_id"]), "{case}");
        assert_eq!(node.to_string(), case["formatted"].as_str().unwrap());
        assert_eq!(node.to_string().parse(), Ok(node.clone()));
        assert_eq!(node.endpoint().is_none(), case["incomplete"].as_bool().unwrap(), "{case}");
        let Some(endpoint) = node.endpoint() else { continue };
        let ip: IpAddr = case["ip"].as_str().unwrap().parse().unwrap();
        assert_eq!(endpoint.host, Host::Ip(ip), "{case}");
        assert_eq!(u64::from(endpoint.tcp), number(&case["tcp"]), "{case}");
        assert_eq!(u64::from(endpoint.udp), number(&case["udp"]), "{case}");
    }
}

#[test]
fn addresses_are_local_as_for_the_reference() {
    let Some(file) = load(SET, "rlpx-nodes.json") else { return };
    for case in cases(&file, "relay_ip", 95) {
        let Ok(address) = case["addr"].as_str().unwrap().parse() else { continue };
        assert_eq!(is_local(address), case["addr_is_lan"].as_bool().unwrap(), "{case}");
    }
}
