//! Cards as text: links, the texts of QR codes, whole and in parts; references.

use serde_json::Value;
use serde_json::json;
use whisper_core::session::card::Card;
use whisper_core::session::card::Parts;
use whisper_core::session::card::Reference;
use whisper_core::session::card::TextError;

use super::error_name;
use super::raw::Raw;

/// Texts of a kind, and what comes of them: a card, or an error.
pub(crate) fn cases() -> Vec<Value> {
    let card = Card::from_bytes(&Raw::plain().to_bytes()).expect("a card");
    let one_time = Card::from_bytes(&Raw::one_time().to_bytes()).expect("a card");
    let mut cases = vec![
        text_case("link", &card.to_link(), &Ok(card.clone())),
        text_case("QR text", &card.to_qr_text(), &Ok(card.clone())),
        text_case("QR text with O", &one_time.to_qr_text(), &Ok(one_time.clone())),
        parts_case("five parts", &card.to_parts(5), &Ok(Some(card.clone()))),
        parts_case("eight parts", &card.to_parts(8), &Ok(Some(card.clone()))),
    ];
    cases.extend(bad_texts(&card));
    cases.extend(bad_parts(&card, &one_time));
    cases.push(reference(&card));
    cases
}

fn bad_texts(card: &Card) -> Vec<Value> {
    let (link, code) = (card.to_link(), card.to_qr_text());
    let damaged = Err(TextError::Damaged);
    let changed = |text: &str, at: usize, to: &str| {
        let mut text = text.to_owned();
        text.replace_range(at..=at, to);
        text
    };
    let cut = Raw::one_time().to_bytes();
    let flipped = link.chars().map(|letter| match letter {
        '-' => '+',
        '_' => '/',
        other => other,
    });
    [
        ("no prefix", link[5..].to_owned(), Err(TextError::NotACard)),
        ("QR text in small letters", code.to_lowercase(), damaged.clone()),
        ("link with padding", link.clone() + "=", damaged.clone()),
        ("link with a blank", changed(&link, 700, " "), damaged.clone()),
        ("link in the other alphabet", flipped.collect(), damaged.clone()),
        ("QR text with a letter too few", code[..code.len() - 1].to_owned(), damaged.clone()),
        ("QR text: three letters beyond two bytes", changed(&code, 7, ":"), damaged.clone()),
        // 1,467 bytes fill their letters: cut to a length with bits that are left.
        ("link: bits that are left are set", link_of(&cut[..1_466], true), damaged),
        ("link of a card cut short", link_of(&cut[..1_466], false), {
            Err(TextError::Card(whisper_core::session::card::CardError::Length))
        }),
    ]
    .map(|(id, text, expected)| text_case(id, &text, &expected))
    .into()
}

/// A link of any bytes whose number is one less than a multiple of three, its last two bits set.
fn link_of(bytes: &[u8], set: bool) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    assert_eq!(bytes.len() % 3, 2);
    let bits = bytes.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.chain([u8::from(set); 2]).collect();
    let digit = |six: &[u8]| six.iter().fold(0, |value, bit| value << 1 | usize::from(*bit));
    let letters = bits.chunks(6).map(|six| char::from(ALPHABET[digit(six)]));
    "wsc1:".chars().chain(letters).collect()
}

fn bad_parts(card: &Card, other: &Card) -> Vec<Value> {
    let texts = card.to_parts(3);
    let replaced = |from: &str, to: &str| {
        texts.iter().map(|text| text.replacen(from, to, 1)).collect::<Vec<_>>()
    };
    let mixed = [&texts[..2], &other.to_parts(3)[2..]].concat();
    let mut uneven = texts.clone();
    let moved = uneven[0].pop().expect("letters");
    uneven[1].insert(18, moved);
    let name = &texts[0][8..16].to_owned();
    [
        ("parts of two cards", mixed, Ok(None)),
        ("parts of unequal length", uneven, Err(TextError::Parts)),
        ("part number 0", replaced("/1", "/0"), Err(TextError::Damaged)),
        ("nine parts", replaced("3/", "9/"), Err(TextError::Damaged)),
        ("parts with another name", replaced(name, "00000000"), Err(TextError::Parts)),
    ]
    .map(|(id, texts, expected)| parts_case(id, &texts, &expected))
    .into()
}

fn text_case(id: &str, text: &str, expected: &Result<Card, TextError>) -> Value {
    assert_eq!(text.parse::<Card>().as_ref(), expected.as_ref(), "{id}");
    json!({ "id": id, "form": "text", "texts": [text], "gives": outcome(expected.as_ref().map(Some)) })
}

/// All parts are added in their order; what the last one gives counts, or the first error.
fn parts_case(id: &str, texts: &[String], expected: &Result<Option<Card>, TextError>) -> Value {
    let mut parts = Parts::new();
    let given = texts.iter().try_fold(None, |_, text| parts.add(text));
    assert_eq!(&given, expected, "{id}");
    json!({
        "id": id,
        "form": "parts",
        "texts": texts,
        "gives": outcome(expected.as_ref().map(Option::as_ref)),
    })
}

fn reference(card: &Card) -> Value {
    let text = Reference(card.cert().identity()).to_string();
    let key = hex::encode(card.cert().identity().to_compressed());
    json!({ "id": "reference", "form": "reference", "texts": [text], "gives": key })
}

/// The card as hex of its hash, nothing, or the name of an error.
fn outcome(result: Result<Option<&Card>, &TextError>) -> Value {
    match result {
        Ok(Some(card)) => {
            json!(hex::encode(whisper_core::hash::sha256(&card.to_bytes())))
        }
        Ok(None) => Value::Null,
        Err(error) => json!(error_name(error)),
    }
}
