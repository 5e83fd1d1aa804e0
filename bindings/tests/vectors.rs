//! What go-ethereum made, and the ledger's proofs, read through the bindings' own functions: the same
//! that the tests in Kotlin, Swift and Python read.

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use whisper_bindings::Envelope;
use whisper_bindings::Identity;
use whisper_bindings::Message;
use whisper_bindings::SymmetricKey;
use whisper_bindings::WhisperError;
use whisper_bindings::check_directory;
use whisper_bindings::check_inclusion;

fn cases(file: &str, key: &str, count: usize) -> Vec<Value> {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../whisper-core/tests/vectors");
    let folder = env::var_os("WHISPER_VECTORS").map_or(own, PathBuf::from);
    let bytes = fs::read(folder.join(file)).expect("the file is there");
    let file: Value = serde_json::from_slice(&bytes).expect("vectors are JSON");
    let cases = file[key].as_array().expect("a list of cases").clone();
    assert_eq!(cases.len(), count);
    cases
}

fn bytes(value: &Value) -> Vec<u8> {
    let text = value.as_str().expect("hex digits");
    hex::decode(text.strip_prefix("0x").unwrap_or(text)).expect("hex digits")
}

#[test]
fn envelopes_are_read_hashed_and_rated_as_the_reference_does() {
    let cases = cases("whisper-v6/whisper-v6-envelopes.json", "cases", 73);
    // Long runs of one byte have no encoding here; the core's tests build it.
    let written: Vec<_> = cases.iter().filter(|case| case["rlp"].is_string()).collect();
    assert_eq!(written.len(), 68);
    for case in written {
        let encoded = bytes(&case["rlp"]);
        let envelope = Envelope::decode(&encoded).expect("an envelope");
        let info = envelope.info();
        assert_eq!(info.hash.as_bytes().to_vec(), bytes(&case["hash"]));
        assert_eq!(info.topic.as_bytes().to_vec(), bytes(&case["topic"]));
        assert_eq!(u64::from(info.work), case["leading_zeros"].as_u64().expect("a number"));
        // The reference divides by a time to live of 0; nobody takes such an envelope.
        if info.ttl > 0 {
            assert_eq!(info.rating.to_be_bytes().to_vec(), bytes(&case["pow_f64"]));
        }
        assert_eq!(envelope.encode(), Ok(encoded));
    }
}

fn decrypt(
    case: &Value,
    secret: &Value,
    symmetric: bool,
    data: &Value,
) -> Result<Message, WhisperError> {
    let (secret, data) = (bytes(&case[secret.as_str().expect("a name")]), bytes(data));
    match symmetric {
        true => SymmetricKey::from_secret(&secret)?.decrypt(&data),
        false => Identity::from_secret(&secret)?.decrypt(&data),
    }
}

#[test]
fn messages_of_the_reference_open() {
    for case in cases("whisper-v6/whisper-v6-messages.json", "cases", 83) {
        let symmetric = case["encryption"] == "symmetric";
        let secret = if symmetric { "sym_key" } else { "recipient_private_key" };
        let opened = decrypt(&case, &secret.into(), symmetric, &case["envelope"]["data"]);
        let message = opened.expect("it opens");
        assert_eq!(message.payload, bytes(&case["payload"]));
        assert_eq!(message.padding, bytes(&case["padding"]));
        let signer = message.signer.map(|key| key.to_uncompressed().to_vec());
        let expected = &case["signer_public_key"];
        assert_eq!(signer, expected.is_string().then(|| bytes(expected)));
    }
}

#[test]
fn what_the_reference_must_refuse_is_refused() {
    let mut refused = 0;
    for case in cases("whisper-v6/whisper-v6-message-negatives.json", "cases", 100) {
        match decrypt(&case, &"key".into(), case["kind"] != "asym", &case["data"]) {
            Ok(message) => {
                assert_eq!(case["required"], "accept");
                assert_eq!(message.payload, bytes(&case["expect"]["payload"]));
            }
            Err(WhisperError::NotOpened | WhisperError::Malformed { .. }) => {
                // A key of zeros is none of ours, whatever it opens.
                let is_zero = bytes(&case["key"]).iter().all(|byte| *byte == 0);
                assert!(case["required"] == "reject" || is_zero);
                refused += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(refused > 50);
}

#[test]
fn proofs_of_the_ledger_hold_and_bent_ones_do_not() {
    let (mut inclusion, mut directory) = (0, 0);
    for case in cases("ledger/whisper-ledger-v1.json", "proofs", 26) {
        let check = |root: &[u8]| match case["kind"].as_str() {
            Some("inclusion") => {
                let number = |name: &str| case[name].as_u64().expect("a number") as u32;
                let path = case["path"].as_array().expect("a list").iter().map(bytes).collect();
                let entry = bytes(&case["leaf_data"]);
                check_inclusion(&entry, number("index"), number("size"), path, root)
            }
            _ => {
                let handle = case["handle"].as_str().expect("a handle").to_owned();
                let record = case["record"].is_string().then(|| bytes(&case["record"]));
                check_directory(handle, record, &bytes(&case["proof"]), root)
            }
        };
        let mut root = bytes(&case["root"]);
        assert_eq!(check(&root), Ok(()));
        root[0] ^= 1;
        assert!(matches!(check(&root), Err(WhisperError::Unproven { .. })));
        if case["kind"] == "inclusion" { inclusion += 1 } else { directory += 1 }
    }
    assert_eq!((inclusion, directory), (17, 9));
}
