//! What was found wrong in other implementations, tried on our node (`F` as in the threat model).

use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::node::Config;
use whisper_core::node::Direction;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::node::Output;
use whisper_core::node::Rejection;
use whisper_core::node::Violation;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::peer::Network;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::rlp::Writer;
use whisper_core::time::Timestamp;
use whisper_core::topic::Bloom;
use whisper_core::topic::Topic;

const START: u64 = 1_600_000_000;
const NOW: Timestamp = Timestamp::from_secs(START);
const HONEST: PeerId = PeerId::new(1);
const SLOW: PeerId = PeerId::new(2);

#[test]
fn f4_no_number_of_envelopes_without_time_to_live_gets_in() {
    // The reference rates them infinitely.
    let mut node = node(Rating::new(1e9).expect("a rating"));
    for ahead in 0..=10 {
        for nonce in 0..50 {
            let envelope = envelope(START + ahead, 0, nonce);
            assert!(envelope.rating().as_f64().is_finite());
            assert_eq!(node.publish(NOW, envelope).err(), Some(Rejection::ZeroTtl));
        }
    }
}

#[test]
fn f5_all_pairs_of_edge_values_are_judged_as_if_numbers_had_no_end() {
    let times = [0, 1, 10, 21, START, u64::from(u32::MAX) - 10, u64::from(u32::MAX)];
    let near =
        |time: u64| [time.saturating_sub(21), time.saturating_sub(1), time, time + 1, time + 11];
    let fits = |time: &u64| *time <= u64::from(u32::MAX);
    let edges: Vec<u64> = times.into_iter().flat_map(near).filter(fits).collect();
    for now in times {
        for expiry in &edges {
            for ttl in edges.iter().chain(&[50, 172_800, 172_801]) {
                let mut node = node(Rating::ZERO);
                let result = node.publish(Timestamp::from_secs(now), envelope(*expiry, *ttl, 0));
                let result = result.map(|_| ());
                let expected = judged(now.into(), (*expiry).into(), (*ttl).into());
                assert_eq!(result, expected, "now {now}, expiry {expiry}, ttl {ttl}");
            }
        }
    }
}

fn judged(now: i128, expiry: i128, ttl: i128) -> Result<(), Rejection> {
    let issued = expiry - ttl;
    match () {
        () if issued < 0 || issued > now + 10 => Err(Rejection::Future),
        () if expiry < now - 20 => Err(Rejection::VeryOld),
        () if ttl == 0 => Err(Rejection::ZeroTtl),
        () if ttl > 172_800 => Err(Rejection::TtlTooLong),
        () if expiry < now => Err(Rejection::Expired),
        () => Ok(()),
    }
}

/// The node cannot know: what is inside is a session's business.
#[test]
fn f7_a_rewrapped_message_is_another_envelope() {
    let mut node = node(Rating::ZERO);
    let draft = |topic| Draft::new(NOW, Duration::from_secs(50), topic, vec![7; 64]);
    let original = draft(Topic::new([1; 4])).expect("a good draft").seal(0);
    let again = draft(Topic::new([2; 4])).expect("a good draft").seal(0);
    assert_eq!(original.data(), again.data());
    assert_ne!(original.hash(), again.hash());
    assert!(node.publish(NOW, original.clone()).is_ok());
    assert!(node.publish(NOW, again).is_ok());
    assert_eq!(node.publish(NOW, original).err(), Some(Rejection::Duplicate));
}

#[test]
fn f11_peers_of_either_form_of_filter_are_served_and_not_blamed() {
    let topic = Topic::new([0, 1, 2, 0]);
    for form in [Bloom::of(topic), Bloom::of_as_reference(topic)] {
        // As their filter …
        let mut node = node(Rating::ZERO);
        introduce(&mut node, HONEST, Some(form));
        let letter = letter(topic, 1);
        let outputs: Vec<_> = node.publish(NOW, letter.clone()).expect("a good one").collect();
        assert!(is_sent(&outputs, HONEST));
        // … and as ours, with which the old one is not tolerated any more.
        let mut node = Node::new(Config { bloom: Some(form), ..config(Rating::ZERO) }, [7; 32]);
        introduce(&mut node, HONEST, None);
        let payload = packet::encode_messages(&[Arc::new(letter)]);
        let input = Input::Received { peer: HONEST, code: code::MESSAGES, payload: &payload };
        let outputs: Vec<_> = node.handle(NOW, input).collect();
        assert!(
            outputs.iter().any(|output| matches!(output, Output::Event(Event::Admitted { .. })))
        );
    }
}

#[test]
fn f12_an_envelope_is_rated_by_its_size_without_the_nonce() {
    let letter = letter(Topic::new([1; 4]), 1 << 60);
    assert_eq!(letter.encoded_len(), letter.short_len() + 9);
    let rating = Rating::compute(letter.work(), letter.short_len(), letter.ttl());
    assert_eq!(letter.rating(), rating);
    // At the border the full size would make the difference.
    assert!(node(rating).publish(NOW, letter).is_ok());
}

#[test]
fn f13_a_peer_that_takes_nothing_stalls_nobody_and_is_cut() {
    let mut node = node(Rating::ZERO);
    introduce(&mut node, HONEST, None);
    introduce(&mut node, SLOW, None);
    let mut to_slow = 0;
    for number in 0..200 {
        let topic = Topic::new([1; 4]);
        let draft = Draft::new(NOW, Duration::from_secs(50), topic, vec![0; 30_000]);
        let envelope = Arc::new(draft.expect("a good draft").seal(number));
        let payload = packet::encode_messages(&[envelope]);
        // It comes from a third peer, who is gone at once.
        let from = PeerId::new(100 + number);
        introduce(&mut node, from, None);
        let input = Input::Received { peer: from, code: code::MESSAGES, payload: &payload };
        let outputs: Vec<_> = node.handle(NOW, input).collect();
        let _ = node.handle(NOW, Input::Disconnected(from));
        assert!(is_sent(&outputs, HONEST), "{number}");
        to_slow += usize::from(is_sent(&outputs, SLOW));
        let _ = node.handle(NOW, Input::Written { peer: HONEST, bytes: payload.len() });
    }
    // One mebibyte, and what was begun below it.
    assert!(to_slow < 40, "{to_slow}");
    let unwritten = node.peers().find(|peer| peer.peer == SLOW).map(|peer| peer.unwritten);
    assert!(unwritten.is_some_and(|bytes| bytes < 1024 * 1024 + 64 * 1024));
    let late = Timestamp::from_secs(START + 20);
    let _ = node.handle(NOW, Input::Written { peer: HONEST, bytes: usize::MAX });
    let outputs: Vec<_> = node.handle(late, Input::Timeout).collect();
    assert!(outputs.contains(&Output::Disconnect(SLOW, Violation::Stalled)));
    assert!(node.peers().any(|peer| peer.peer == HONEST));
}

fn config(min_rating: Rating) -> Config {
    Config { min_rating, budgets: None, ..Config::default() }
}

fn node(min_rating: Rating) -> Node {
    Node::new(config(min_rating), [7; 32])
}

fn introduce(node: &mut Node, peer: PeerId, bloom: Option<Bloom>) {
    let _ = node.handle(
        NOW,
        Input::Connected { peer, direction: Direction::Inbound, network: Network::Alone(peer) },
    );
    let status =
        Status { min_rating: Rating::ZERO, bloom, light: false, acknowledges: false, stems: false };
    let payload = status.encode();
    let _ = node.handle(NOW, Input::Received { peer, code: code::STATUS, payload: &payload });
    // What that took is carried out.
    let _ = node.handle(NOW, Input::Timeout).count();
}

fn is_sent(outputs: &[Output], to: PeerId) -> bool {
    let is = |output: &Output| matches!(output, Output::Transmit { peer, code: code::MESSAGES, .. } if *peer == to);
    outputs.iter().any(is)
}

fn letter(topic: Topic, nonce: u64) -> Envelope {
    let draft = Draft::new(NOW, Duration::from_secs(50), topic, vec![0; 64]);
    draft.expect("a good draft").seal(nonce)
}

fn envelope(expiry: u64, ttl: u64, nonce: u64) -> Envelope {
    let mut writer = Writer::new();
    writer.list(|list| {
        list.uint(expiry).uint(ttl).bytes(&[1, 2, 3, 4]).bytes(&[]).uint(nonce);
    });
    Envelope::decode(writer.as_bytes()).expect("an envelope")
}
