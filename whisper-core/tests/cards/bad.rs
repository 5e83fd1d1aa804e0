//! Cards that are refused, each for one rule.

use serde_json::Value;
use serde_json::json;
use whisper_core::session::card::Card;
use whisper_core::session::card::CardError;
use whisper_core::session::card::Cert;
use whisper_core::session::card::PublicCard;
use whisper_core::session::card::ShortCard;

use super::error_name;
use super::good::base_bytes;
use super::patches;
use super::raw::Raw;
use super::raw::Spoil;
use super::raw::extensions;
use super::raw::identity;
use super::raw::kem;
use super::raw::one_time;
use super::raw::x;

struct Bad {
    id: String,
    form: &'static str,
    base: &'static str,
    bytes: Vec<u8>,
    error: CardError,
}

impl Bad {
    fn card(id: &str, base: &'static str, raw: &Raw, error: CardError) -> Self {
        Self { id: id.to_owned(), form: "card", base, bytes: raw.to_bytes(), error }
    }

    fn bytes(form: &'static str, id: &str, base: &'static str, bytes: Vec<u8>) -> Self {
        Self { id: id.to_owned(), form, base, bytes, error: CardError::Length }
    }

    fn to_json(&self) -> Value {
        let refused = match self.form {
            "card" => Card::from_bytes(&self.bytes).map(|_| ()),
            "cert" => Cert::from_bytes(&self.bytes).map(|_| ()),
            "short" => ShortCard::from_bytes(&self.bytes).map(|_| ()),
            "tail" => {
                let (cert, tail) = self.bytes.split_at(Cert::LENGTH);
                let cert = Cert::from_bytes(cert).expect("a certificate");
                ShortCard::from_tail(&cert, tail.try_into().expect("a tail")).map(|_| ())
            }
            _ => PublicCard::of(identity("iB").public_key()).read(&self.bytes).map(|_| ()),
        };
        assert_eq!(refused, Err(self.error), "{}", self.id);
        json!({
            "id": self.id,
            "form": self.form,
            "base": self.base,
            "patches": patches(&base_bytes(self.base), &self.bytes),
            "error": error_name(&self.error),
        })
    }
}

pub(crate) fn cases() -> Vec<Value> {
    let all = [keys(), ids_and_dates(), kem_keys(), behind(), signatures(), lengths()];
    all.iter().flatten().map(Bad::to_json).collect()
}

fn keys() -> Vec<Bad> {
    let mut bad = Vec::new();
    let mut plain = |id: &str, raw: &Raw, error| bad.push(Bad::card(id, "plain", raw, error));
    for version in [0, 2, 255] {
        let raw = Raw { version, ..Raw::plain() };
        plain(&format!("version {version}"), &raw, CardError::Version { found: version });
    }
    for (id, first) in [("uncompressed", 4), ("infinity", 0), ("hybrid", 6)] {
        let mut raw = Raw::plain();
        raw.identity[0] = first;
        plain(&format!("I is {id}"), &raw, CardError::Identity);
    }
    for (id, x) in no_points() {
        let mut raw = Raw::plain();
        raw.identity[1..].copy_from_slice(&x);
        plain(&format!("I: {id}"), &raw, CardError::Identity);
        let raw = Raw { long_term: x, ..Raw::plain() };
        plain(&format!("D: {id}"), &raw, CardError::LongTermKey);
        plain(&format!("P: {id}"), &Raw { prekey: x, ..Raw::plain() }, CardError::Prekey);
    }
    for flag in [0x10, 0x20, 0x40, 0x80] {
        let raw = Raw { flags: 2 | flag, ..Raw::plain() };
        plain(&format!("flag {flag:#x}"), &raw, CardError::Reserved);
    }
    plain("P = D", &Raw { prekey: x("dB"), ..Raw::plain() }, CardError::SameKeys);
    bad
}

/// x coordinates that stand for no point: 7 is no square; p + 1 would be 1, which is on the curve.
fn no_points() -> [(&'static str, [u8; 32]); 3] {
    let mut beyond = [0xff; 32];
    beyond[27..].copy_from_slice(&[0xfe, 0xff, 0xff, 0xfc, 0x30]);
    [("x = 0", [0; 32]), ("x = p + 1", beyond), ("x of ff", [0xff; 32])]
}

fn ids_and_dates() -> Vec<Bad> {
    let plain = Raw::plain;
    let [from, until] = plain().dates;
    [
        ("P id 0", Raw { prekey_id: 0, ..plain() }, CardError::ZeroId),
        (
            "certificate's dates reversed",
            Raw { cert_dates: [1_700_000_000, 1_699_999_999], ..plain() },
            CardError::Dates,
        ),
        ("P's dates reversed", Raw { dates: [from, from - 1], ..plain() }, CardError::Dates),
        ("P for 14 days and a second", Raw { dates: [from, until + 1], ..plain() }, {
            CardError::TooLong
        }),
    ]
    .map(|(id, raw, error)| Bad::card(id, "plain", &raw, error))
    .into()
}

fn kem_keys() -> Vec<Bad> {
    let with = |change: fn(&mut Vec<u8>)| {
        let mut raw = Raw::plain();
        change(&mut raw.kem);
        raw
    };
    let first = with(|kem| {
        kem[0] = 0x01;
        kem[1] = kem[1] & 0xf0 | 0x0d;
    });
    let last = with(|kem| {
        kem[1_150] = kem[1_150] & 0x0f | 0x10;
        kem[1_151] = 0xd0;
    });
    let shorter = with(|kem| {
        kem.pop();
    });
    let mut other = Raw::plain().to_bytes();
    other[183..1_367].copy_from_slice(&kem("kA"));
    let mut other = Bad::bytes("card", "another valid K", "plain", other);
    other.error = CardError::CardSignature;
    vec![
        Bad::card("K: coefficient 0 is 3329", "plain", &first, CardError::KemKey),
        Bad::card("K: coefficient 767 is 3329", "plain", &last, CardError::KemKey),
        Bad::card("K of ff", "plain", &with(|kem| kem.fill(0xff)), CardError::KemKey),
        Bad::card("K of 1,183 bytes", "plain", &shorter, CardError::Length),
        other,
    ]
}

fn behind() -> Vec<Bad> {
    let mut bad = Vec::new();
    let one_time_raw = |key, id| Raw { behind: one_time(key, id), ..Raw::one_time() };
    let long = extensions(&[(7, &[9; 510])]);
    let overrun = [&[0, 4, 1, 0][..], &[2, 1]].concat();
    for (id, raw, error) in [
        ("O: x = 0", one_time_raw([0; 32], 1), CardError::OneTimeKey),
        ("O id 0", one_time_raw(x("oB"), 0), CardError::ZeroId),
        ("O = P", one_time_raw(x("pB"), 1), CardError::SameKeys),
        ("O = D", one_time_raw(x("dB"), 1), CardError::SameKeys),
        ("O without its flag", Raw { flags: 2, ..Raw::one_time() }, CardError::Length),
    ] {
        bad.push(Bad::card(id, "one_time", &raw, error));
    }
    for (id, behind) in [
        ("extensions of 0 bytes", vec![0, 0]),
        ("extensions of 2 bytes", vec![0, 2, 9, 0]),
        ("extensions of 513 bytes", long),
        ("a type twice", extensions(&[(2, &[1]), (2, &[1])])),
        ("types descending", extensions(&[(3, &[1]), (2, &[1])])),
        ("an entry beyond the end", overrun),
        ("two bytes behind the last entry", vec![0, 5, 9, 0, 0, 9, 0]),
        ("features without a byte", extensions(&[(1, &[])])),
    ] {
        let raw = Raw { behind, ..Raw::extended() };
        bad.push(Bad::card(id, "extended", &raw, CardError::Extensions));
    }
    let unflagged = Raw { flags: 2, ..Raw::extended() };
    bad.push(Bad::card("extensions without their flag", "extended", &unflagged, CardError::Length));
    bad
}

fn signatures() -> Vec<Bad> {
    let mut bad = Vec::new();
    let spoils: [(&str, Spoil); 7] = [
        ("high s", raise),
        ("r = 0", |own| own[..32].fill(0)),
        ("s = 0", |own| own[32..].fill(0)),
        ("r = n", |own| own[..32].copy_from_slice(&ORDER)),
        ("s = n", |own| own[32..].copy_from_slice(&ORDER)),
        ("a bit of r", |own| own[31] ^= 1),
        ("a bit of s", |own| own[63] ^= 1),
    ];
    for (id, spoil) in spoils {
        let none: Spoil = |_| ();
        let cert = Raw { spoil: [spoil, none], ..Raw::plain() };
        let id = |what: &str| format!("{what}: {id}");
        bad.push(Bad::card(&id("certificate"), "plain", &cert, CardError::CertSignature));
        let card = Raw { spoil: [none, spoil], ..Raw::plain() };
        bad.push(Bad::card(&id("card"), "plain", &card, CardError::CardSignature));
    }
    let forged = Raw { signer: identity("iA"), ..Raw::plain() };
    bad.push(Bad::card("signed by another", "plain", &forged, CardError::CertSignature));
    bad
}

/// The other s of the same signature: n - s.
fn raise(signature: &mut [u8; 64]) {
    let mut borrow = 0;
    for (place, order) in signature[32..].iter_mut().zip(&ORDER).rev() {
        let difference = i16::from(*order) - i16::from(*place) - borrow;
        borrow = i16::from(difference < 0);
        *place = u8::try_from(difference.rem_euclid(256)).expect("a byte");
    }
}

fn lengths() -> Vec<Bad> {
    let (plain, short) = (Raw::plain().to_bytes(), Raw::plain().to_short_bytes());
    let longer = |bytes: &[u8]| [bytes, &[0]].concat();
    let shorter = |bytes: &[u8]| bytes[..bytes.len() - 1].to_vec();
    let mut bad = vec![
        Bad::bytes("card", "a byte short", "plain", shorter(&plain)),
        Bad::bytes("card", "a byte long", "plain", longer(&plain)),
        Bad::bytes("card", "nothing", "plain", Vec::new()),
        Bad::bytes("cert", "certificate: a byte short", "plain", plain[..137].to_vec()),
        Bad::bytes("cert", "certificate: a byte long", "plain", plain[..139].to_vec()),
        Bad::bytes("short", "short card: a byte long", "short", longer(&short)),
    ];
    let mut hash = short.clone();
    hash[183] ^= 1;
    let mut padded = [&plain[..], &[0; 614]].concat();
    padded[2_044] = 1;
    let mut one_time = Raw::one_time().to_bytes();
    one_time.resize(2_045, 0);
    let tail = Raw { flags: 10, ..Raw::plain() }.to_short_bytes();
    let others = [
        ("short", "short card: another H(K)", "short", hash, CardError::CardSignature),
        ("tail", "tail: the flag of extensions", "short", tail, CardError::Reserved),
        ("public", "public card: padding", "plain", padded, CardError::Length),
        ("public", "public card with O", "one_time", one_time, CardError::OneTimeKey),
    ];
    bad.extend(
        others.map(|(form, id, base, bytes, error)| Bad {
            error,
            ..Bad::bytes(form, id, base, bytes)
        }),
    );
    bad
}

/// The order of the curve, from SEC 2.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];
