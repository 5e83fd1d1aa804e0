//! V6 and V12 of `spec/session.md`, 3.16: certificates, cards and their texts, good and bad; safety
//! numbers.
//!
//! The cards are put together here from the text of the specification, with a builder of their own
//! that can break each rule. `WHISPER_WRITE_VECTORS=1` writes them as files; without it the files
//! must be what comes out. `tests/python` reads the same files with a reader of its own.

mod bad;
mod good;
mod raw;
#[path = "../support/mod.rs"]
mod support;
mod texts;

use std::env;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;
use whisper_core::identity::PublicKey;
use whisper_core::session::card::Reference;
use whisper_core::session::safety::SafetyNumber;

use raw::Raw;
use raw::identity;

#[test]
fn cards_and_texts_are_read_as_the_specification_says() {
    let (good, bad, texts) = (good::cases(), bad::cases(), texts::cases());
    assert_eq!([good.len(), bad.len(), texts.len()], [9, 68, 20]);
    let file = json!({
        "source": "tests/cards: built from spec/session.md, 3.2, with the keys of Appendix C",
        "bases": {
            "plain": hex::encode(Raw::plain().to_bytes()),
            "one_time": hex::encode(Raw::one_time().to_bytes()),
            "extended": hex::encode(Raw::extended().to_bytes()),
            "short": hex::encode(Raw::plain().to_short_bytes()),
        },
        "good": good,
        "bad": bad,
        "texts": texts,
    });
    keep("cards.json", &file);
}

#[test]
fn safety_numbers_are_those_of_the_specification() {
    let names = ["iA", "iB", "iC", "iD", "iE"];
    let keys = names.map(|name| identity(name).public_key());
    let mut pairs = Vec::new();
    for (i, one) in keys.iter().enumerate() {
        for other in &keys[..i] {
            let number = SafetyNumber::of(one, other);
            assert_eq!(number, SafetyNumber::of(other, one));
            let compressed = |key: &PublicKey| hex::encode(key.to_compressed());
            pairs.push(json!({
                "one": compressed(one),
                "other": compressed(other),
                "reference": Reference(*one).to_string(),
                "digits": number.digits(),
                "code": hex::encode(number.code()),
            }));
        }
    }
    keep("safety-numbers.json", &json!({ "source": "tests/cards", "pairs": pairs }));
}

/// Writes the file, or asserts that it is there as it would be written.
fn keep(file: &str, value: &Value) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/session");
    let path = folder.join(file);
    let text = serde_json::to_string_pretty(value).expect("it is JSON") + "\n";
    if env::var_os("WHISPER_WRITE_VECTORS").is_some() {
        fs::write(&path, &text).expect("the folder is there");
    }
    let kept = fs::read_to_string(&path).expect("the file is there");
    assert!(kept == text, "{file} is not what comes out: see WHISPER_WRITE_VECTORS");
}

/// The name of an error, without what it carries.
fn error_name(error: &impl core::fmt::Debug) -> String {
    let text = format!("{error:?}");
    text.split_once(" {").map_or(text.clone(), |(name, _)| name.to_owned())
}

/// What to change in `base` so that it becomes `other`: places of `base`, from the front.
fn patches(base: &[u8], other: &[u8]) -> Vec<Value> {
    let patch = |at: usize, cut: usize, put: &[u8]| json!({ "at": at, "cut": cut, "put": hex::encode(put) });
    if base.len() != other.len() {
        let same = |(a, b): &(&u8, &u8)| a == b;
        let front = base.iter().zip(other).take_while(same).count();
        let (base_rest, other_rest) = (&base[front..], &other[front..]);
        let back = base_rest.iter().rev().zip(other_rest.iter().rev()).take_while(same).count();
        let put = &other_rest[..other_rest.len() - back];
        return vec![patch(front, base_rest.len() - back, put)];
    }
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for at in (0..base.len()).filter(|at| base[*at] != other[*at]) {
        match runs.last_mut() {
            // A few bytes that are the same cost less than another change.
            Some((_, end)) if at - *end < 8 => *end = at + 1,
            _ => runs.push((at, at + 1)),
        }
    }
    runs.into_iter().map(|(start, end)| patch(start, end - start, &other[start..end])).collect()
}
