//! Every packet of `shh/6`: the first byte is the code. What is read is written, and read again as
//! the same; and a node that gets it, if the top bit of that byte is set, neither panics nor spins.

use std::sync::Arc;

use whisper_core::envelope::Envelope;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Stem;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;

pub(crate) fn run(data: &[u8]) {
    let Some((first, payload)) = data.split_first() else { return };
    let code = first % code::COUNT;
    match code {
        code::STATUS => status(payload),
        code::MESSAGES => messages(payload),
        code::MIN_RATING => min_rating(payload),
        code::BLOOM => bloom(payload),
        code::BATCH_ACKNOWLEDGED => acknowledgement(payload),
        code::MESSAGES_RESPONSE => response(payload),
        code::STEM => stem(payload),
        code::DIRECT => direct(payload),
        _ => {}
    }
    if *first != code {
        introduces(code, payload);
        arrives(code, payload);
    }
}

fn status(payload: &[u8]) {
    let Ok(status) = Status::decode(payload) else { return };
    assert_eq!(Status::decode(&status.encode()), Ok(status));
    assert!(status.min_rating.as_f64() >= 0.0 && status.min_rating.as_f64().is_finite());
    assert!(status.bloom.is_none_or(|bloom| !bloom.is_full()));
}

fn messages(payload: &[u8]) {
    let Ok(rest) = packet::check_messages(payload) else { return };
    assert!(payload.ends_with(rest.rest()));
}

fn min_rating(payload: &[u8]) {
    let Ok(rating) = packet::decode_min_rating(payload) else { return };
    assert_eq!(packet::decode_min_rating(&packet::encode_min_rating(rating)), Ok(rating));
    assert!(rating.as_f64() >= 0.0 && rating.as_f64().is_finite());
}

fn bloom(payload: &[u8]) {
    let Ok(bloom) = packet::decode_bloom(payload) else { return };
    let again = packet::encode_bloom(&bloom);
    assert!(payload.starts_with(&again), "of 64 bytes there is one encoding");
    assert_eq!(packet::decode_bloom(&again), Ok(bloom));
}

fn acknowledgement(payload: &[u8]) {
    let Ok(batch) = packet::decode_acknowledgement(payload) else { return };
    assert!(payload.starts_with(&packet::encode_acknowledgement(&batch)));
}

fn response(payload: &[u8]) {
    let Ok(Some(response)) = packet::decode_response(payload, 8) else { return };
    assert!(response.refused.len() <= 8);
    let again = packet::encode_response(&response.batch, &response.refused);
    assert_eq!(packet::decode_response(&again, 8), Ok(Some(response)));
}

fn stem(payload: &[u8]) {
    let Ok(Some(envelope)) = packet::decode_stem(payload) else { return };
    let envelope = Envelope::decode(envelope.as_bytes()).expect("it was read before");
    assert!(payload.starts_with(&packet::encode_messages(&[Arc::new(envelope)])));
}

fn direct(payload: &[u8]) {
    let Ok(envelopes) = packet::decode_direct(payload) else { return };
    let one = matches!(&envelopes[..], [one] if packet::encode_direct(one) == payload);
    let envelopes: Vec<_> = envelopes.into_iter().map(Arc::new).collect();
    assert!(one || packet::encode_messages(&envelopes) == payload);
}

/// As the first packet of a peer.
fn introduces(code: u8, payload: &[u8]) {
    let mut node = Node::new(config(), [7; 32]);
    step(
        &mut node,
        Input::Connected {
            peer: PEER,
            direction: Direction::Inbound,
            network: Network::Alone(PEER),
        },
    );
    step(&mut node, Input::Received { peer: PEER, code, payload });
    let good = code == code::STATUS && Status::decode(payload).is_ok();
    assert_eq!(node.peers().any(|peer| peer.ready), good);
    assert_eq!(node.peers().count(), usize::from(good));
}

/// From a peer that is trusted and has said who it is, twice in a row.
fn arrives(code: u8, payload: &[u8]) {
    let mut node = Node::new(config(), [7; 32]);
    step(
        &mut node,
        Input::Connected {
            peer: PEER,
            direction: Direction::Inbound,
            network: Network::Alone(PEER),
        },
    );
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: true,
        stems: true,
    }
    .encode();
    step(&mut node, Input::Received { peer: PEER, code: code::STATUS, payload: &status });
    assert!(node.set_trusted(NOW, PEER, true).is_ok());
    for _ in 0..2 {
        step(&mut node, Input::Received { peer: PEER, code, payload });
    }
}

fn step(node: &mut Node, input: Input<'_>) {
    node.handle(NOW, input).for_each(drop);
    assert!(node.poll_timeout().is_none_or(|due| due > NOW));
}

fn config() -> Config {
    let stem = Some(Stem::default());
    Config { min_rating: Rating::ZERO, pool_bytes: 64 * 1024, stem, ..Config::default() }
}

const PEER: PeerId = PeerId::new(1);
const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
