//! Envelopes, proof of work, topics and RLP, held against what go-ethereum v1.9.20 computes.

mod support;

use serde_json::Value;
use whisper_core::envelope::Envelope;
use whisper_core::packet;
use whisper_core::pow::Rating;
use whisper_core::pow::Search;
use whisper_core::pow::Work;
use whisper_core::rlp::DecodeError;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;

use support::array;
use support::bytes;
use support::cases;
use support::double;
use support::load;
use support::name;
use support::number;

const SET: &str = "whisper-v6";

#[test]
fn b6_envelopes_are_read_hashed_and_rated_as_the_reference_does() {
    let Some(file) = load(SET, "whisper-v6-envelopes.json") else { return };
    for case in cases(&file, "cases", 73) {
        let encoded = written(case);
        let envelope = decode(case, &encoded);
        assert_eq!(envelope.encode(), encoded, "{}", name(case));
        assert_eq!(envelope.expiry(), number(&case["expiry"]));
        assert_eq!(envelope.ttl(), number(&case["ttl"]));
        assert_eq!(envelope.nonce(), number(&case["nonce"]));
        assert_eq!(envelope.topic(), topic(&case["topic"]));
        assert_eq!(envelope.data(), data(case));
        assert_eq!(envelope.hash().as_bytes(), &array(&case["hash"]), "{}", name(case));
        assert_eq!(envelope.size() as u64, number(&case["size"]));
        assert_eq!(envelope.encoded_len() as u64, number(&case["rlp_len"]));
        assert_eq!(envelope.short_len() as u64, number(&case["short_rlp_len"]));
        assert_eq!(u64::from(envelope.work().bits()), number(&case["leading_zeros"]));
        assert_eq!(Search::new(&short(case)).hash(envelope.nonce()), array(&case["pow_hash"]));
        blooms_agree(case);
        ratings_agree(case, &envelope);
    }
}

fn ratings_agree(case: &Value, envelope: &Envelope) {
    let pow = double(&case["pow_f64"]);
    if envelope.ttl() == 0 {
        // F4: the reference divides by zero here.
        assert!(pow.is_infinite() && envelope.rating().as_f64().is_finite(), "{}", name(case));
    } else {
        assert_eq!(envelope.rating().to_bits(), pow.to_bits(), "{}", name(case));
    }
    for entry in case["pow_with_diff"].as_array().expect("a list") {
        let diff = number(&entry["diff"]);
        let Ok(lived) = u32::try_from(envelope.ttl() + diff) else {
            // F5: the reference wraps here; such an envelope is none of ours.
            assert!(envelope.issued().is_none(), "{}", name(case));
            continue;
        };
        let pow = double(&entry["pow_f64"]).to_bits();
        let rating = Rating::compute(envelope.work(), envelope.short_len(), lived.into());
        assert_eq!(rating.to_bits(), pow, "{} + {diff}", name(case));
        // An envelope that is `n` seconds ahead is divided by its TTL and `n + 1`.
        if let (Some(issued), Some(ahead @ 1..)) = (envelope.issued(), diff.checked_sub(1)) {
            let now = Timestamp::from_secs(issued - ahead);
            assert_eq!(envelope.rating_at(now).to_bits(), pow, "{} + {diff}", name(case));
        }
    }
}

#[test]
fn the_work_for_a_rating_is_the_references() {
    let Some(file) = load(SET, "whisper-v6-pow.json") else { return };
    for case in cases(&file, "target_bits", 65) {
        let (size, ttl) = (number(&case["size"]) as usize, number(&case["ttl"]));
        let target = rating(&case["pow_f64"]);
        match ttl {
            // Nothing of ours is ever made with it.
            0 => assert_eq!(number(&case["bits"]), 1, "{case}"),
            _ => assert_eq!(
                target.work_for(size, ttl).max(Work::new(1)),
                Work::new(number(&case["bits"]) as u16),
                "{case}"
            ),
        }
    }
}

#[test]
fn the_search_finds_the_references_nonce() {
    let Some(file) = load(SET, "whisper-v6-pow.json") else { return };
    for case in cases(&file, "seal", 12) {
        let work = Work::new(number(&case["target_bits"]) as u16);
        let nonce = number(&case["nonce"]);
        let search = Search::new(&short(case));
        assert_eq!(search.find(0..u64::MAX, work), Some(nonce), "{}", name(case));
        assert_eq!(search.find(0..nonce, work), None);

        let envelope = decode(case, &written(case));
        let target = rating(&case["pow_target_f64"]);
        assert_eq!(envelope.hash().as_bytes(), &array(&case["hash"]), "{}", name(case));
        assert_eq!(envelope.rating().to_bits(), double(&case["pow_f64"]).to_bits());
        assert_eq!(envelope.rating() >= target, case["reaches_target_pow"] == true);
    }
}

#[test]
fn topics_set_the_references_bits() {
    let Some(file) = load(SET, "whisper-v6-topics.json") else { return };
    assert_eq!(Bloom::FULL, bloom(&file["full_node_bloom"]));
    for case in cases(&file, "topics", 85) {
        blooms_agree(case);
        let differs =
            Bloom::of(topic(&case["topic"])) != Bloom::of_as_reference(topic(&case["topic"]));
        assert_eq!(differs, case["differs"] == true, "{case}");
        let mut expected = Bloom::EMPTY;
        for index in case["indexes"].as_array().expect("three of them") {
            let index = number(index) as usize;
            let mut bits = [0; 64];
            bits[index / 8] = 1 << (index % 8);
            expected = expected.union(&Bloom::from_bytes(bits));
        }
        assert_eq!(Bloom::of(topic(&case["topic"])), expected, "{case}");
    }
}

#[test]
fn filters_of_many_topics_are_the_references() {
    let Some(file) = load(SET, "whisper-v6-topics.json") else { return };
    for case in cases(&file, "aggregates", 12) {
        let topics = case["topics"].as_array().expect("a list");
        let union = |of: fn(Topic) -> Bloom| {
            topics.iter().fold(Bloom::EMPTY, |all, next| all.union(&of(topic(next))))
        };
        assert_eq!(union(Bloom::of_as_reference), bloom(&case["bloom"]));
        assert_eq!(union(Bloom::of), bloom(&case["bloom_eip627"]));
    }
}

#[test]
fn f11_filters_of_both_forms_match_as_in_the_reference() {
    let Some(file) = load(SET, "whisper-v6-topics.json") else { return };
    for case in cases(&file, "matches", 51) {
        // No filter is what a full one is: it matches everything.
        let filter = if case["filter"].is_null() { Bloom::FULL } else { bloom(&case["filter"]) };
        let topic = topic(&case["topic"]);
        assert_eq!(filter.admits(topic), case["match"] == true, "{case}");
        assert_eq!(filter.matches(&Bloom::of(topic)), case["match_eip627_sample"] == true);
    }
}

#[test]
fn rlp_is_accepted_and_refused_as_by_the_reference() {
    let Some(file) = load(SET, "whisper-v6-rlp.json") else { return };
    for case in cases(&file, "cases", 52) {
        let payload = bytes(&case["payload"]);
        let read = match case["target"].as_str() {
            Some("envelope") => Envelope::decode(&payload).map(|envelope| vec![envelope]),
            Some("envelopes") => read_all(&payload),
            _ => panic!("{}: unknown target", name(case)),
        };
        match case["required"].as_str() {
            Some("accept") => assert_eq!(read.map(hashes), Ok(known(case)), "{}", name(case)),
            Some("reject") => assert!(read.is_err(), "{}", name(case)),
            // Only what follows the value is in doubt; ours refuses it.
            Some("either") => assert_eq!(read, Err(DecodeError::Trailing), "{}", name(case)),
            _ => panic!("{}: unknown verdict", name(case)),
        }
    }
}

fn decode(case: &Value, encoded: &[u8]) -> Envelope {
    Envelope::decode(encoded).unwrap_or_else(|error| panic!("{}: {error}", name(case)))
}

fn read_all(payload: &[u8]) -> Result<Vec<Envelope>, DecodeError> {
    let mut rest = packet::check_messages(payload)?;
    let mut envelopes = Vec::new();
    while !rest.is_empty() {
        envelopes.push(Envelope::read(&mut rest).expect("the packet was checked"));
    }
    Ok(envelopes)
}

fn hashes(envelopes: Vec<Envelope>) -> Vec<[u8; 32]> {
    envelopes.into_iter().map(|envelope| *envelope.hash().as_bytes()).collect()
}

/// The hashes that the reference computed.
fn known(case: &Value) -> Vec<[u8; 32]> {
    match case["geth"]["hashes"].as_array() {
        Some(hashes) => hashes.iter().map(array).collect(),
        None => vec![array(&case["geth"]["hash"])],
    }
}

fn blooms_agree(case: &Value) {
    let topic = topic(&case["topic"]);
    assert_eq!(Bloom::of_as_reference(topic), bloom(&case["bloom"]), "{topic}");
    assert_eq!(Bloom::of(topic), bloom(&case["bloom_eip627"]), "{topic}");
}

/// The encoding of a case: written from its fields, and compared where it is given.
fn written(case: &Value) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.list(|list| {
        write_short(case, list);
        list.uint(number(&case["nonce"]));
    });
    if case["rlp"].is_string() {
        assert_eq!(writer.as_bytes(), bytes(&case["rlp"]), "{}", name(case));
    }
    writer.into_bytes()
}

/// The four items that the work is done on.
fn short(case: &Value) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.list(|list| write_short(case, list));
    writer.into_bytes()
}

fn write_short(case: &Value, list: &mut Writer) {
    list.uint(number(&case["expiry"]))
        .uint(number(&case["ttl"]))
        .bytes(&bytes(&case["topic"]))
        .bytes(&data(case));
}

fn data(case: &Value) -> Vec<u8> {
    let fill = &case["data_fill"];
    match fill.is_null() {
        true => bytes(&case["data"]),
        false => bytes(&fill["byte"]).repeat(number(&fill["len"]) as usize),
    }
}

fn topic(value: &Value) -> Topic {
    Topic::new(array(value))
}

fn bloom(value: &Value) -> Bloom {
    Bloom::from_bytes(array(value))
}

fn rating(value: &Value) -> Rating {
    Rating::new(double(value)).expect("a rating")
}
