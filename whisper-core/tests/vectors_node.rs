//! The node, held against what go-ethereum v1.9.20 and Status' fork do with the same packets.

mod support;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::hash::keccak256;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::PeerInfo;
use whisper_core::node::Rejection;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;

use support::array;
use support::bytes;
use support::cases;
use support::double;
use support::expect_count;
use support::is_own;
use support::load;
use support::name;
use support::number;

const SET: &str = "whisper-v6";
const PEER: PeerId = PeerId::new(1);
const OTHER: PeerId = PeerId::new(2);

#[test]
fn the_first_packet_is_the_references() {
    let Some(file) = load(SET, "whisper-v6-handshake.json") else { return };
    for case in cases(&file, "emitted", 28) {
        let config = |acknowledges| Config {
            min_rating: rating(double(&case["min_pow_f64"])),
            bloom: bloom(&case["bloom"]),
            light: case["light_client"] == true,
            acknowledges,
            ..Config::default()
        };
        let sent = |config| {
            let mut node = Node::new(config, [7; 32]);
            transmitted(&connect(&mut node, Timestamp::default(), PEER), PEER, code::STATUS)
        };
        assert_eq!(sent(config(false)), [bytes(&case["geth_payload"])], "{case}");
        let status = bytes(&case["status_payload_confirmations_enabled"]);
        assert_eq!(sent(config(true)), [status], "{case}");
    }
}

#[test]
fn a_first_packet_is_judged_as_by_the_reference() {
    let Some(file) = load(SET, "whisper-v6-handshake.json") else { return };
    for case in cases(&file, "received", 48) {
        let config = Config {
            light: case["we_are_light"] == true,
            refuse_light_pairs: case["restrict_light"] == true,
            ..Config::default()
        };
        let mut node = Node::new(config, [7; 32]);
        let now = Timestamp::from_secs(1_600_000_000);
        let _ = connect(&mut node, now, PEER);
        let code = number(&case["code"]) as u8;
        let outputs = receive(&mut node, now, PEER, code, &bytes(&case["payload"]));
        if case["required"] == "accept" {
            assert!(outputs.contains(&Output::Event(Event::Ready(PEER))), "{}", name(case));
            let peer = node.peers().next().expect("the peer is known");
            peer_is(&peer, &case["geth"]["peer"], "pow_requirement_f64", "bloom", name(case));
            let confirms = case["status"]["peer"]["confirmations_enabled"] == true;
            assert_eq!(peer.acknowledges, confirms, "{}", name(case));
        } else {
            assert!(is_cut(&outputs, PEER), "{}", name(case));
            assert_eq!(node.peers().count(), 0);
        }
    }
}

#[test]
fn packets_are_written_as_by_the_reference() {
    let Some(file) = load(SET, "whisper-v6-packets.json") else { return };
    for case in cases(&file, "encodings", 13) {
        let (code, payload) = match case["kind"].as_str() {
            Some("messages") => {
                (code::MESSAGES, packet::encode_messages(&list(&case["envelopes"])))
            }
            Some("pow_requirement") => {
                let rating = rating(double(&case["pow_f64"]));
                (code::MIN_RATING, packet::encode_min_rating(rating))
            }
            Some("bloom") => {
                let bloom = bloom(&case["bloom"]).expect("a filter");
                (code::BLOOM, packet::encode_bloom(&bloom))
            }
            // A request to a mail server is an envelope under another code.
            Some("p2p_request") => (126, packet::encode_direct(&envelope(&case["envelope"]))),
            Some("p2p_message") => {
                (code::DIRECT, packet::encode_direct(&envelope(&case["envelope"])))
            }
            _ => panic!("{}: unknown kind", name(case)),
        };
        assert_eq!(u64::from(code), number(&case["code"]), "{}", name(case));
        assert_eq!(payload, bytes(&case["payload"]), "{}", name(case));
    }
}

/// There is no mail server yet.
const MAIL_SERVER: [&str; 4] =
    ["messages-mailserver", "code-123", "p2p-request-server", "p2p-request-server-garbage"];

#[test]
fn packets_are_judged_as_by_the_reference() {
    let Some(file) = load(SET, "whisper-v6-packets.json") else { return };
    let (waiting, judged): (Vec<_>, Vec<_>) =
        cases(&file, "received", 51).iter().partition(|case| case["mail_server"] == true);
    if is_own() {
        assert_eq!(waiting.into_iter().map(name).collect::<Vec<_>>(), MAIL_SERVER);
    }
    judged.into_iter().for_each(judge_packet);
}

fn judge_packet(case: &Value) {
    let now = Timestamp::from_secs(number(&case["node"]["now"]));
    let mut node = Node::new(config_of(case), [7; 32]);
    introduce(&mut node, now, PEER, true);
    assert!(node.set_trusted(now, PEER, case["trusted"] == true).is_ok());
    let payload = bytes(&case["payload"]);
    let outputs = receive(&mut node, now, PEER, number(&case["code"]) as u8, &payload);

    let cut = is_cut(&outputs, PEER);
    match case["recommended"].as_str() {
        Some("keep") => assert!(!cut, "{}: {outputs:?}", name(case)),
        Some("disconnect") => assert!(cut, "{}", name(case)),
        Some("either") => {}
        _ => panic!("{}: unknown verdict", name(case)),
    }
    // Where it is our choice, as for what follows the list, we cut before anything is believed.
    if !(cut && case["recommended"] == "either") {
        assert_eq!(admitted(&outputs), hashes(&case["geth"]["pool"]), "{}", name(case));
        assert_eq!(node.pool().len(), admitted(&outputs).len(), "{}", name(case));
    }
    if cut {
        return;
    }
    // The reference's light node takes everything for a direct message.
    if case["light_client"] != true {
        // Of the two only Status takes a list of direct messages.
        let queue = if case["geth"]["disconnect"] == true { "status" } else { "geth" };
        let direct = number(&case[queue]["p2p_queue"]) as usize;
        assert_eq!(count_direct(&outputs), direct, "{}", name(case));
    }
    let peer = node.peers().next().expect("the peer was kept");
    peer_is(&peer, &case["geth"], "peer_pow_requirement_f64", "peer_bloom", name(case));
    if case["code"] == 1 {
        acknowledged(case, &outputs, &payload);
        nothing_comes_back(&mut node, now, &outputs, name(case));
        another_peer_gets_them(&mut node, now, case);
    }
}

/// Status' fork answers each packet of envelopes: who was refused, then that all is judged. We leave
/// out the first where nobody was.
fn acknowledged(case: &Value, outputs: &[Output], payload: &[u8]) {
    let theirs = |code: u8| {
        let sent = case["status"]["sent_back"].as_array().expect("a list").iter();
        sent.filter(move |sent| sent["code"] == code).map(|sent| bytes(&sent["payload"]))
    };
    let acknowledgements = transmitted(outputs, PEER, code::BATCH_ACKNOWLEDGED);
    assert_eq!(acknowledgements, theirs(code::BATCH_ACKNOWLEDGED).collect::<Vec<_>>());
    assert_eq!(acknowledgements, [packet::encode_acknowledgement(&keccak256(payload))]);
    let refused = |payloads: Vec<Vec<u8>>| {
        let responses = payloads.iter().map(|payload| packet::decode_response(payload, 99));
        let refused = responses
            .flat_map(|response| response.expect("well-formed").expect("version 1").refused);
        refused.map(|(hash, _)| hash).collect::<BTreeSet<_>>()
    };
    let ours = refused(transmitted(outputs, PEER, code::MESSAGES_RESPONSE));
    assert_eq!(ours, refused(theirs(code::MESSAGES_RESPONSE).collect()), "{}", name(case));
}

/// What a peer has brought it knows; it is never sent back, not even when it asks for everything.
fn nothing_comes_back(node: &mut Node, now: Timestamp, outputs: &[Output], name: &str) {
    assert_eq!(transmitted(outputs, PEER, code::MESSAGES), [[0; 0]; 0], "{name}");
    let later = Timestamp::from_secs(now.as_secs() + 6);
    let all = packet::encode_bloom(&Bloom::FULL);
    let outputs = receive(node, later, PEER, code::BLOOM, &all);
    assert_eq!(transmitted(&outputs, PEER, code::MESSAGES), [[0; 0]; 0], "{name}");
}

/// A light node keeps what it gets for itself.
fn another_peer_gets_them(node: &mut Node, now: Timestamp, case: &Value) {
    let sent: BTreeSet<_> = introduce(node, now, OTHER, false)
        .iter()
        .filter_map(|output| match output {
            Output::Transmit { peer: OTHER, code: code::MESSAGES, payload } => Some(payload),
            _ => None,
        })
        .flat_map(|payload| envelopes_in(payload))
        .collect();
    let relayed =
        if case["light_client"] == true { BTreeSet::new() } else { hashes(&case["geth"]["pool"]) };
    assert_eq!(sent, relayed, "{}", name(case));
}

#[test]
fn b1_b2_b3_envelopes_are_admitted_as_by_the_reference_or_more_strictly() {
    let Some(file) = load(SET, "whisper-v6-admission.json") else { return };
    let all = cases(&file, "cases", 49);
    for case in all {
        let required = case.get("ours").unwrap_or(&case["required"]);
        let required = required.as_array().expect("one entry for each submission");
        let encoded = encoding(&case["envelope"]);
        let envelope = Envelope::decode(&encoded).unwrap_or_else(|_| panic!("{}", name(case)));
        assert_eq!(envelope.hash().as_bytes(), &array(&case["envelope"]["hash"]));
        submit_as_own(case, &envelope, required);
        submit_as_peer(case, envelope, required);
    }
    let stricter = all.iter().filter(|case| case.get("ours").is_some()).count();
    expect_count("cases where ours is stricter", stricter, 5);
}

fn submit_as_own(case: &Value, envelope: &Envelope, required: &[Value]) {
    let (mut node, now) = node_for(case);
    for required in required {
        let verdict = node.publish(now, envelope.clone()).map(|_| ());
        let (cached, class) = match verdict {
            // The reference does not tell a second copy from a first.
            Ok(()) | Err(Rejection::Duplicate) => (true, None),
            Err(Rejection::Expired) => (false, None),
            Err(Rejection::Future) => (false, Some("future")),
            Err(Rejection::VeryOld) => (false, Some("very_old")),
            Err(Rejection::TooLarge { .. }) => (false, Some("huge")),
            Err(Rejection::RatedTooLow { .. }) => (false, Some("low_pow")),
            Err(Rejection::BloomMismatch) => (false, Some("bloom_mismatch")),
            Err(Rejection::ZeroTtl) => (false, Some("zero_ttl")),
            Err(Rejection::TtlTooLong) => (false, Some("ttl_too_long")),
            Err(other) => panic!("{}: {other}", name(case)),
        };
        assert_eq!(cached, required["cached"] == true, "{}: {verdict:?}", name(case));
        assert_eq!(class, required["error_class"].as_str(), "{}", name(case));
    }
}

fn submit_as_peer(case: &Value, envelope: Envelope, required: &[Value]) {
    let (mut node, now) = node_for(case);
    introduce(&mut node, now, PEER, true);
    let hash = envelope.hash();
    let size = envelope.size() as u64;
    let payload = packet::encode_messages(&[Arc::new(envelope)]);
    let max = number(&case["node"]["max_message_size"]);
    for required in required {
        let outputs = receive(&mut node, now, PEER, code::MESSAGES, &payload);
        if payload.len() as u64 > max {
            // The limit of a packet is the limit of an envelope: it strikes first.
            assert!(is_cut(&outputs, PEER) && size + 40 > max, "{}", name(case));
            return;
        }
        assert!(!is_cut(&outputs, PEER), "{}", name(case));
        assert_eq!(node.pool().find(&hash).is_some(), required["cached"] == true, "{}", name(case));
        let refused = transmitted(&outputs, PEER, code::MESSAGES_RESPONSE);
        assert_eq!(refused.is_empty(), required["error_class"].is_null(), "{}", name(case));
    }
}

/// A node that has come to its settings as the case says: what is tolerated was set before.
fn node_for(case: &Value) -> (Node, Timestamp) {
    let settings = &case["node"];
    let now = Timestamp::from_secs(number(&settings["now"]));
    let mut config = config_of(case);
    let (min, wanted) = (config.min_rating, bloom(&settings["bloom"]));
    let tolerated = &settings["min_pow_tolerance"];
    if !tolerated.is_null() {
        config.min_rating = text_rating(tolerated);
    }
    config.bloom = bloom(&settings["bloom_tolerance"]);
    let mut node = Node::new(config, [7; 32]);
    if min != config.min_rating {
        let _ = node.set_min_rating(now, min);
    }
    if wanted != config.bloom {
        let _ = node.set_bloom(now, wanted);
    }
    (node, now)
}

#[test]
fn batch_acknowledgements_are_written_and_read_as_by_status_fork() {
    let Some(file) = load(SET, "whisper-v6-status-ext.json") else { return };
    let all = file["encodings"].as_array().expect("a list");
    let of_code = |code: u8| all.iter().filter(move |case| case["code"] == code);
    for case in of_code(code::BATCH_ACKNOWLEDGED) {
        let hash = keccak256(&bytes(&case["batch"]));
        let payload = bytes(&case["payload"]);
        assert_eq!(hash, array(&case["hash"]));
        assert_eq!(packet::encode_acknowledgement(&hash), payload);
        assert_eq!(packet::decode_acknowledgement(&payload), Ok(hash));
    }
    for case in of_code(code::MESSAGES_RESPONSE) {
        let errors = case["errors"].as_array().expect("a list");
        let hash = |error: &Value| EnvelopeHash::new(array(&error["hash"]));
        let payload = bytes(&case["payload"]);
        let read = packet::decode_response(&payload, 99).expect("well-formed").expect("version 1");
        assert_eq!(read.batch, array(&case["hash"]), "{}", name(case));
        let hashes: Vec<_> = read.refused.iter().map(|(hash, _)| *hash).collect();
        assert_eq!(hashes, errors.iter().map(hash).collect::<Vec<_>>(), "{}", name(case));
        // The code that the document has, and nobody emits, is only read.
        if errors.iter().all(|error| error["code"] == 36) {
            let again = packet::encode_response(&read.batch, &read.refused);
            assert_eq!(again, payload, "{}", name(case));
        }
    }
    expect_count("acknowledgements", of_code(code::BATCH_ACKNOWLEDGED).count(), 1);
    expect_count("responses", of_code(code::MESSAGES_RESPONSE).count(), 3);
}

fn config_of(case: &Value) -> Config {
    let settings = &case["node"];
    Config {
        min_rating: text_rating(&settings["min_pow"]),
        light: case["light_client"] == true || settings["light_client"] == true,
        max_message_size: number(&settings["max_message_size"]) as usize,
        ..Config::default()
    }
}

fn connect(node: &mut Node, now: Timestamp, peer: PeerId) -> Vec<Output> {
    node.handle(
        now,
        Input::Connected { peer, direction: Direction::Inbound, network: Network::Alone(peer) },
    )
    .collect()
}

/// Connects a peer that accepts everything.
fn introduce(node: &mut Node, now: Timestamp, peer: PeerId, acknowledges: bool) -> Vec<Output> {
    let _ = connect(node, now, peer);
    let status =
        Status { min_rating: Rating::ZERO, bloom: None, light: false, acknowledges, stems: false };
    receive(node, now, peer, code::STATUS, &status.encode())
}

fn receive(node: &mut Node, now: Timestamp, peer: PeerId, code: u8, payload: &[u8]) -> Vec<Output> {
    node.handle(now, Input::Received { peer, code, payload }).collect()
}

fn transmitted(outputs: &[Output], to: PeerId, wanted: u8) -> Vec<Vec<u8>> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, payload } if (*peer, *code) == (to, wanted) => Some(payload),
        _ => None,
    });
    sent.cloned().collect()
}

fn is_cut(outputs: &[Output], whom: PeerId) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Disconnect(peer, _) if *peer == whom))
}

fn admitted(outputs: &[Output]) -> BTreeSet<EnvelopeHash> {
    let admitted = outputs.iter().filter_map(|output| match output {
        Output::Event(Event::Admitted { envelope, .. }) => Some(envelope.hash()),
        _ => None,
    });
    admitted.collect()
}

fn count_direct(outputs: &[Output]) -> usize {
    let is_direct = |output: &&Output| matches!(output, Output::Event(Event::Direct { .. }));
    outputs.iter().filter(is_direct).count()
}

fn envelopes_in(payload: &[u8]) -> Vec<EnvelopeHash> {
    let mut rest = packet::check_messages(payload).expect("ours is well-formed");
    let mut hashes = Vec::new();
    while !rest.is_empty() {
        hashes.push(Envelope::read(&mut rest).expect("the packet was checked").hash());
    }
    hashes
}

/// What the reference keeps of a peer: a filter of no bytes, or of nothing but ones, is none.
fn peer_is(peer: &PeerInfo, theirs: &Value, rating: &str, filter: &str, name: &str) {
    assert_eq!(peer.min_rating.as_f64(), double(&theirs[rating]), "{name}");
    let bloom = bloom(&theirs[filter]).filter(|bloom| !bloom.is_full());
    assert_eq!(peer.bloom, bloom, "{name}");
}

fn hashes(value: &Value) -> BTreeSet<EnvelopeHash> {
    let hashes = value.as_array().expect("a list of hashes").iter();
    hashes.map(|hash| EnvelopeHash::new(array(hash))).collect()
}

/// The encoding of an envelope that is given by it, or by its fields if it is long.
fn encoding(envelope: &Value) -> Vec<u8> {
    let fill = &envelope["data_fill"];
    if fill.is_null() {
        return bytes(&envelope["rlp"]);
    }
    let data = bytes(&fill["byte"]).repeat(number(&fill["len"]) as usize);
    let mut writer = Writer::new();
    writer.list(|list| {
        list.uint(number(&envelope["expiry"])).uint(number(&envelope["ttl"]));
        list.bytes(&bytes(&envelope["topic"])).bytes(&data).uint(number(&envelope["nonce"]));
    });
    writer.into_bytes()
}

fn envelope(value: &Value) -> Envelope {
    Envelope::decode(&bytes(value)).expect("a good envelope")
}

fn list(value: &Value) -> Vec<Arc<Envelope>> {
    value.as_array().expect("a list").iter().map(|value| Arc::new(envelope(value))).collect()
}

fn bloom(value: &Value) -> Option<Bloom> {
    let bytes = value.as_str().map(|_| bytes(value)).filter(|bytes| !bytes.is_empty())?;
    Some(Bloom::from_bytes(bytes.try_into().expect("64 bytes")))
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}

fn text_rating(value: &Value) -> Rating {
    rating(value.as_str().expect("a decimal text").parse().expect("a number"))
}
