//! Messages against what go-ethereum's Whisper and Status' fork made of them.

mod support;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use chacha20::rand_core::TryCryptoRng;
use chacha20::rand_core::TryRng;
use serde_json::Value;
use whisper_core::crypto::DecryptError;
use whisper_core::crypto::Secret;
use whisper_core::crypto::aead::AesGcm;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::crypto::curve::SecretKey;
use whisper_core::envelope::Envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::SymmetricKey;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Inbox;
use whisper_core::inbox::Key;
use whisper_core::message;
use whisper_core::message::Kind;
use whisper_core::message::Message;
use whisper_core::message::Padding;
use whisper_core::message::Recipient;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;

use support::array;
use support::bytes;
use support::cases;
use support::load;
use support::name;

#[test]
fn passwords_become_the_references_keys() {
    let Some(file) = load("whisper-v6", "whisper-v6-passwords.json") else { return };
    for case in cases(&file, "cases", 20) {
        // The key itself shows nowhere: what it opens tells it.
        let key = SymmetricKey::from_password(case["password"].as_str().expect("a text"));
        let expected = SymmetricKey::from_bytes(&array(&case["key"])).expect("not zero");
        assert_eq!(key.id(), expected.id(), "{}", case["password"]);
    }
}

#[test]
fn messages_of_the_reference_open() {
    let Some(file) = load("whisper-v6", "whisper-v6-messages.json") else { return };
    for case in cases(&file, "cases", 83) {
        let data = bytes(&case["envelope"]["data"]);
        let message = match symmetric_key(case) {
            Some(key) => Message::open(&data, &key),
            None => Message::open_as(&data, &identity(&case["recipient_private_key"])),
        };
        let message = message.unwrap_or_else(|error| panic!("{}: {error}", name(case)));
        assert_eq!(message.payload(), bytes(&case["payload"]), "{}", name(case));
        assert_eq!(message.padding(), bytes(&case["padding"]), "{}", name(case));
        assert_eq!(message.signer(), key_or_null(&case["signer_public_key"]), "{}", name(case));
        let kind = match symmetric_key(case) {
            Some(_) => Kind::Symmetric,
            None => Kind::Asymmetric,
        };
        assert_eq!(message.kind(), kind, "{}", name(case));
    }
}

#[test]
fn messages_of_the_reference_are_rebuilt_byte_for_byte() {
    let Some(file) = load("whisper-v6", "whisper-v6-messages.json") else { return };
    for case in cases(&file, "cases", 83) {
        let padding = bytes(&case["padding"]);
        let padding = if padding.is_empty() { Padding::Absent } else { Padding::Given(&padding) };
        let signer = &case["signer_private_key"];
        let signer = (!signer.is_null()).then(|| identity(signer));
        let key = symmetric_key(case);
        let (recipient, drawn) = match &key {
            Some(key) => (Recipient::Symmetric(key), bytes(&case["salt"])),
            None => (
                Recipient::PublicKey(public_key(&case["recipient_public_key"])),
                [bytes(&case["ecies_ephemeral_private_key"]), bytes(&case["ecies_iv"])].concat(),
            ),
        };
        let mut rng = Script(drawn);
        let payload = bytes(&case["payload"]);
        let data = message::encrypt(&payload, padding, signer.as_ref(), recipient, &mut rng);
        assert_eq!(data.as_ref(), Ok(&bytes(&case["envelope"]["data"])), "{}", name(case));
        assert!(rng.0.is_empty(), "{}: not all was drawn", name(case));
    }
}

#[test]
fn what_the_reference_must_refuse_is_refused() {
    let Some(file) = load("whisper-v6", "whisper-v6-message-negatives.json") else { return };
    for case in cases(&file, "cases", 100) {
        let opened = open_by_raw_key(case);
        match case["required"].as_str() {
            Some("reject") => assert_eq!(opened, Err(DecryptError), "{}", name(case)),
            Some("accept") => {
                let message = opened.unwrap_or_else(|error| panic!("{}: {error}", name(case)));
                let expected = &case["expect"];
                assert_eq!(message.payload(), bytes(&expected["payload"]), "{}", name(case));
                assert_eq!(message.padding(), bytes(&expected["padding"]), "{}", name(case));
                let signer = key_or_null(&expected["signer_public_key"]);
                assert_eq!(message.signer(), signer, "{}", name(case));
            }
            _ => panic!("{}: neither accept nor reject", name(case)),
        }
    }
}

#[test]
fn filters_match_what_they_must() {
    let Some(file) = load("whisper-v6", "whisper-v6-filters.json") else { return };
    let filters = cases(&file, "filters", 18);
    for scenario in cases(&file, "scenarios", 15) {
        let expected = if scenario["ours"].is_null() { "matched" } else { "ours" };
        let Some(expected) = scenario[expected].as_array() else {
            // The reference's answer varies from run to run, and it is not ours that differs.
            assert_eq!(scenario["stable"], false, "{}", name(scenario));
            continue;
        };
        let (mut inbox, names) = install(filters, &scenario["installed"]);
        let envelope = Envelope::decode(&bytes(&scenario["envelope"])).expect("an envelope");
        let direct = scenario["p2p"] == true;
        let delivery = inbox.open(&envelope, direct, envelope.rating());
        let mut matched: Vec<_> = delivery
            .iter()
            .flat_map(|delivery| &delivery.filters)
            .map(|id| names[id].as_str())
            .collect();
        matched.sort_unstable();
        assert_eq!(matched, *expected, "{}", name(scenario));
    }
}

fn install(filters: &[Value], installed: &Value) -> (Inbox, BTreeMap<FilterId, String>) {
    let mut inbox = Inbox::new();
    let mut names = BTreeMap::new();
    for filter in filters {
        let name = &filter["name"];
        if *installed == "all" || installed.as_array().is_some_and(|list| list.contains(name)) {
            let id = inbox.add(as_filter(filter));
            names.insert(id, name.as_str().expect("a name").to_owned());
        }
    }
    (inbox, names)
}

fn as_filter(value: &Value) -> Filter {
    let key = match value["sym_key"].is_null() {
        true => Key::from(Arc::new(identity(&value["private_key"]))),
        false => Arc::new(symmetric(&value["sym_key"])).into(),
    };
    let min_rating = value["min_pow"].as_str().and_then(|text| text.parse().ok());
    Filter {
        topics: (value["topics"].as_array().expect("a list").iter())
            .map(|topic| Topic::new(array(topic)))
            .collect(),
        min_rating: Rating::new(min_rating.expect("a number")).expect("a rating"),
        signer: key_or_null(&value["sig_public_key"]),
        direct: value["allow_p2p"] == true,
        ..Filter::new(key)
    }
}

/// Opens with a key as the case has it: of the wrong length or all zero, where ours cannot be.
fn open_by_raw_key(case: &Value) -> Result<Message, DecryptError> {
    let data = bytes(&case["data"]);
    let key = Secret::from_slice(&bytes(&case["key"])).ok_or(DecryptError)?;
    if case["kind"] == "asym" {
        let secret = SecretKey::from_secret(key).expect("a private key");
        return Message::open_as(&data, &Identity::from_secret(secret));
    }
    match SymmetricKey::from_secret(&key) {
        Ok(key) => Message::open(&data, &key),
        Err(_) => {
            let plaintext = AesGcm::new(&key).open(&data)?;
            Message::parse(plaintext, Kind::Symmetric).map_err(|_| DecryptError)
        }
    }
}

fn symmetric_key(case: &Value) -> Option<SymmetricKey> {
    (case["encryption"] == "symmetric").then(|| symmetric(&case["sym_key"]))
}

fn symmetric(value: &Value) -> SymmetricKey {
    SymmetricKey::from_bytes(&array(value)).expect("not zero")
}

fn identity(value: &Value) -> Identity {
    Identity::from_secret(SecretKey::from_bytes(&array(value)).expect("a private key"))
}

fn public_key(value: &Value) -> PublicKey {
    PublicKey::from_uncompressed(&bytes(value)).expect("a public key")
}

fn key_or_null(value: &Value) -> Option<PublicKey> {
    (!value.is_null()).then(|| public_key(value))
}

/// A source that gives these bytes, in order, and no more.
struct Script(Vec<u8>);

impl TryRng for Script {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        panic!("only bytes are drawn")
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.copy_from_slice(&self.0.drain(..bytes.len()).collect::<Vec<_>>());
        Ok(())
    }
}

impl TryCryptoRng for Script {}
