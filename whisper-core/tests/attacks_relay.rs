//! Rows of the catalogue of attacks in which a peer, or our own program, misuses a setting.

use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Violation;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::InvalidRating;
use whisper_core::pow::Rating;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;

const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
const PEER: PeerId = PeerId::new(1);

#[test]
fn b5_no_number_that_is_none_becomes_a_setting() {
    let numbers = [f64::NAN, -f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, -f64::MIN_POSITIVE];
    for number in numbers {
        assert_eq!(Rating::new(number), Err(InvalidRating), "{number}");
        assert_eq!(Rating::from_bits(number.to_bits()), Err(InvalidRating), "{number}");
    }
    // A setting takes a `Rating` and nothing else, so this is the worst that can be set.
    let mut node = node(Rating::ZERO);
    let huge = Rating::new(f64::MAX).expect("a rating");
    let _ = node.set_min_rating(NOW, huge).count();
    assert!(node.publish(at(11), letter(1)).is_err(), "after the tolerance");
    let _ = node.set_min_rating(NOW, Rating::new(-0.0).expect("zero")).count();
    assert!(node.publish(NOW, letter(2)).is_ok());
}

#[test]
fn b14_a_filter_of_any_other_size_is_cut() {
    for size in [0, 1, 63, 65, 128] {
        let mut node = ready();
        let payload = bytes(&vec![0xff; size]);
        let outputs = receive(&mut node, NOW, code::BLOOM, &payload);
        let [Output::Disconnect(PEER, Violation::Announcement(_))] = outputs[..] else {
            panic!("{size}: {outputs:?}");
        };
    }
    let mut node = ready();
    assert_eq!(receive(&mut node, NOW, code::BLOOM, &bytes(&[0; 64])), []);
    assert_eq!(node.peers().next().and_then(|peer| peer.bloom), Some(Bloom::EMPTY));
}

#[test]
fn b14_a_filter_that_flips_a_thousand_times_is_acted_on_once_in_five_seconds() {
    let mut node = ready();
    assert_eq!(receive(&mut node, NOW, code::BLOOM, &bytes(Bloom::EMPTY.as_bytes())), []);
    assert!(node.publish(NOW, letter(1)).is_ok_and(|mut outputs| !outputs.any(|o| is_sent(&o))));
    let (mut sent, mut rescans) = (0, 0);
    for flip in 0..1_000_u64 {
        let now = NOW.saturating_add(Duration::from_millis(flip));
        let bloom = if flip % 2 == 0 { Bloom::FULL } else { Bloom::EMPTY };
        let outputs = receive(&mut node, now, code::BLOOM, &bytes(bloom.as_bytes()));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Disconnect(..))));
        sent += outputs.iter().filter(|output| is_sent(output)).count();
        // Each time something was due, but not before five seconds have passed.
        rescans += usize::from(node.poll_timeout().is_some_and(|due| due < at(5)));
    }
    assert!(sent <= 1, "what was sent once is not sent again: {sent}");
    assert_eq!(rescans, 0);
    let _ = receive(&mut node, at(2), code::BLOOM, &bytes(Bloom::FULL.as_bytes()));
    let later: Vec<_> = node.handle(at(6), Input::Timeout).collect();
    assert_eq!(sent + later.iter().filter(|output| is_sent(output)).count(), 1);
}

#[test]
fn b14_by_the_filter_that_we_had_peers_may_send_for_ten_seconds_and_are_not_blamed_after() {
    let mut node = ready();
    let other = Bloom::of(Topic::new([9, 9, 9, 9]));
    let _ = node.set_bloom(NOW, Some(other)).count();
    for (seconds, taken) in [(0, true), (9, true), (10, false), (15, false)] {
        let now = at(seconds);
        let draft = Draft::new(now, Duration::from_secs(50), Topic::new([1; 4]), vec![7; 64]);
        let envelope = draft.expect("a good draft").seal(seconds);
        let packet = packet::encode_messages(&[envelope.clone().into()]);
        let outputs = receive(&mut node, now, code::MESSAGES, &packet);
        assert!(!outputs.iter().any(|output| matches!(output, Output::Disconnect(..))));
        assert_eq!(node.pool().find(&envelope.hash()).is_some(), taken, "after {seconds} s");
    }
}

#[test]
fn d18_codes_123_to_127_of_a_stranger_are_ignored_whatever_they_carry() {
    let mut node = ready();
    let envelope = letter(3);
    let bodies = [
        vec![],
        vec![0xff; 9],
        vec![0xfb, 0xff, 0xff, 0xff, 0xff],
        packet::encode_direct(&envelope),
        vec![0xc0; 100_000],
    ];
    let before = state(&node);
    for code in 123..=127 {
        for body in &bodies {
            let outputs = receive(&mut node, NOW, code, body);
            let only_throttled = |output: &Output| matches!(output, Output::Throttle(PEER, _));
            assert!(outputs.iter().all(only_throttled), "{code}: {outputs:?}");
        }
    }
    assert_eq!(state(&node), before);
    let _ = node.set_trusted(NOW, PEER, true).expect("it is connected").count();
    let outputs = receive(&mut node, NOW, 127, &bodies[3]);
    assert_eq!(outputs.len(), 1, "of a trusted peer it is looked at: {outputs:?}");
}

/// What the peer could have changed: all that is known of it, and what is held.
fn state(node: &Node) -> String {
    let peers: Vec<_> = node.peers().collect();
    format!("{peers:?} {} {:?}", node.pool().len(), node.poll_timeout())
}

fn node(min_rating: Rating) -> Node {
    Node::new(Config { min_rating, ..Config::default() }, [7; 32])
}

fn ready() -> Node {
    let mut node = node(Rating::ZERO);
    let _ = node
        .handle(
            NOW,
            Input::Connected {
                peer: PEER,
                direction: Direction::Inbound,
                network: Network::Alone(PEER),
            },
        )
        .count();
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    };
    let _ = receive(&mut node, NOW, code::STATUS, &status.encode());
    node
}

fn receive(node: &mut Node, now: Timestamp, code: u8, payload: &[u8]) -> Vec<Output> {
    node.handle(now, Input::Received { peer: PEER, code, payload })
        .filter(|output| !matches!(output, Output::Event(_) | Output::Throttle(..)) || code >= 123)
        .collect()
}

fn is_sent(output: &Output) -> bool {
    matches!(output, Output::Transmit { code: code::MESSAGES, .. })
}

fn letter(nonce: u64) -> Envelope {
    let draft = Draft::new(NOW, Duration::from_secs(50), Topic::new([1; 4]), vec![7; 64]);
    draft.expect("a good draft").seal(nonce)
}

fn at(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(bytes);
    writer.into_bytes()
}
