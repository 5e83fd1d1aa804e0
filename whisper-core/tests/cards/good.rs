//! Cards that are read, and what is read of them.

use serde_json::Value;
use serde_json::json;
use whisper_core::session::card::Card;
use whisper_core::session::card::CardSettings;
use whisper_core::session::card::Cert;
use whisper_core::session::card::PublicCard;
use whisper_core::session::card::ShortCard;
use whisper_core::time::Timestamp;

use super::patches;
use super::raw::Raw;
use super::raw::extensions;

pub(crate) fn cases() -> Vec<Value> {
    let groups = |settings: CardSettings| settings.features.groups;
    let mut cases: Vec<Value> = [
        ("plain", "plain", Raw::plain()),
        ("with O", "one_time", Raw::one_time()),
        ("with extensions", "extended", Raw::extended()),
        ("light node, seed mode", "plain", Raw { flags: 4, ..Raw::plain() }),
        ("features without groups", "extended", {
            Raw { behind: extensions(&[(1, &[0xfe])]), ..Raw::extended() }
        }),
        ("the longest extensions", "extended", {
            Raw { behind: extensions(&[(7, &[9; 509])]), ..Raw::extended() }
        }),
    ]
    .map(|(id, base, raw)| {
        let bytes = raw.to_bytes();
        let card = Card::from_bytes(&bytes).unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(card.to_bytes(), bytes, "{id}");
        let settings = card.settings();
        json!({
            "id": id,
            "form": "card",
            "base": base,
            "patches": patches(&base_bytes(base), &bytes),
            "random_topics": settings.random_topics,
            "seed_mode": settings.seed_mode,
            "groups": groups(settings),
            "one_time_id": card.one_time_key().map(|key| key.id.get()),
        })
    })
    .into();
    let plain = Raw::plain().to_bytes();
    let card = Card::from_bytes(&plain).expect("a card");
    assert_eq!(Cert::from_bytes(&plain[..138]).as_ref(), Ok(card.cert()));
    cases.push(json!({
        "id": "certificate", "form": "cert", "base": "plain",
        "patches": patches(&plain, &plain[..138]),
    }));
    let short = Raw::plain().to_short_bytes();
    assert_eq!(ShortCard::from_bytes(&short), Ok(card.to_short()));
    cases.push(json!({ "id": "short", "form": "short", "base": "short", "patches": [] }));
    let now = Timestamp::from_secs(1_750_000_000);
    let public = PublicCard::of(card.cert().identity());
    let payload = public.payload(&card).expect("no O");
    assert_eq!(public.read(&payload), Ok(card));
    cases.push(json!({
        "id": "public card on day 20254", "form": "public", "base": "plain",
        "patches": patches(&plain, &payload),
        "key": hex::encode(public.key().expose()),
        "topic": hex::encode(public.topic(now).as_bytes()),
    }));
    cases
}

pub(crate) fn base_bytes(base: &str) -> Vec<u8> {
    match base {
        "plain" => Raw::plain().to_bytes(),
        "one_time" => Raw::one_time().to_bytes(),
        "extended" => Raw::extended().to_bytes(),
        "short" => Raw::plain().to_short_bytes(),
        other => panic!("no such base: {other}"),
    }
}
