use alloc::sync::Arc;
use alloc::vec;

mod archive;
mod budgets;
mod held;
mod scatter;
mod stem;
mod strangers;

use super::*;
use crate::hash::keccak256;
use crate::packet::Refusal;
use crate::topic::Topic;

const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
const ALICE: PeerId = PeerId::new(1);
const BOB: PeerId = PeerId::new(2);

fn after(millis: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_millis(millis))
}

fn config() -> Config {
    Config { min_rating: Rating::new(0.001).unwrap(), ..Config::default() }
}

fn status(min_rating: f64, acknowledges: bool) -> Vec<u8> {
    let min_rating = Rating::new(min_rating).unwrap();
    Status { min_rating, bloom: None, light: false, acknowledges, stems: false }.encode()
}

/// A node with peers that are ready; what that took is thrown away.
fn node_with(config: Config, peers: &[PeerId]) -> Node {
    let mut node = Node::new(config, [7; 32]);
    for peer in peers {
        step(&mut node, outbound(*peer));
        receive(&mut node, NOW, *peer, code::STATUS, &status(0.0, true));
    }
    node
}

fn inbound(peer: PeerId) -> Input<'static> {
    Input::Connected { peer, direction: Direction::Inbound, network: Network::Alone(peer) }
}

fn outbound(peer: PeerId) -> Input<'static> {
    Input::Connected { peer, direction: Direction::Outbound, network: Network::Alone(peer) }
}

fn step(node: &mut Node, input: Input<'_>) -> Vec<Output> {
    node.handle(NOW, input).collect()
}

fn receive(node: &mut Node, now: Timestamp, peer: PeerId, code: u8, payload: &[u8]) -> Vec<Output> {
    node.handle(now, Input::Received { peer, code, payload }).collect()
}

fn letter(number: u8) -> Envelope {
    letter_rated(number, 0.001)
}

fn letter_rated(number: u8, rating: f64) -> Envelope {
    envelope(number, 40, rating)
}

/// One that the pool counts as large as it is.
fn large_letter(number: u8) -> Envelope {
    envelope(number, 300, 0.001)
}

fn envelope(number: u8, length: usize, rating: f64) -> Envelope {
    let ttl = Duration::from_secs(50);
    let draft =
        crate::envelope::Draft::new(NOW, ttl, Topic::new([number; 4]), vec![number; length])
            .unwrap();
    draft.seal_rated(Rating::new(rating).unwrap()).unwrap()
}

fn packet_of(envelopes: &[Envelope]) -> Vec<u8> {
    let envelopes: Vec<_> = envelopes.iter().cloned().map(Arc::new).collect();
    packet::encode_messages(&envelopes)
}

fn sent_to(outputs: &[Output], to: PeerId, wanted: u8) -> Vec<Vec<u8>> {
    let sent = outputs.iter().filter_map(|output| match output {
        Output::Transmit { peer, code, payload } if (*peer, *code) == (to, wanted) => {
            Some(payload.clone())
        }
        _ => None,
    });
    sent.collect()
}

#[test]
fn the_first_packet_is_the_status() {
    let mut node = Node::new(Config::default(), [7; 32]);
    let outputs = step(&mut node, inbound(ALICE));
    let payload = status(0.2, true);
    assert_eq!(outputs, [Output::Transmit { peer: ALICE, code: code::STATUS, payload }]);
    let again = step(&mut node, inbound(ALICE));
    assert_eq!(again, []);
}

#[test]
fn d5_who_sends_no_status_in_five_seconds_is_cut() {
    let mut node = Node::new(Config::default(), [7; 32]);
    step(&mut node, inbound(ALICE));
    assert_eq!(node.poll_timeout(), Some(after(5_000)));
    assert_eq!(node.handle(after(4_999), Input::Timeout).len(), 0);
    let outputs: Vec<_> = node.handle(after(5_000), Input::Timeout).collect();
    assert_eq!(outputs, [Output::Disconnect(ALICE, Violation::Silent)]);
    assert_eq!(node.poll_timeout(), None);
}

#[test]
fn d5_who_sends_anything_before_the_status_is_cut() {
    let mut node = Node::new(Config::default(), [7; 32]);
    step(&mut node, inbound(ALICE));
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &[0xc0]);
    assert_eq!(outputs, [Output::Disconnect(ALICE, Violation::Hasty { code: code::MESSAGES })]);
}

#[test]
fn d5_a_second_status_is_ignored_and_the_twentieth_is_too_much() {
    let mut node = node_with(config(), &[ALICE]);
    for _ in 0..19 {
        assert_eq!(receive(&mut node, NOW, ALICE, code::STATUS, &status(9.0, false)), []);
    }
    assert_eq!(node.peers().next().map(|peer| peer.min_rating), Some(Rating::ZERO));
    let outputs = receive(&mut node, NOW, ALICE, code::STATUS, &[]);
    assert_eq!(outputs, [Output::Disconnect(ALICE, Violation::Unwanted)]);
}

#[test]
fn an_envelope_goes_to_all_but_the_one_that_brought_it() {
    let mut node = node_with(config(), &[ALICE, BOB]);
    let packet = packet_of(&[letter(1)]);
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
    assert_eq!(sent_to(&outputs, ALICE, code::MESSAGES), Vec::<Vec<u8>>::new());
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), core::slice::from_ref(&packet));
    let again = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
    assert_eq!(sent_to(&again, BOB, code::MESSAGES), Vec::<Vec<u8>>::new());
}

#[test]
fn a_light_node_sends_its_own_envelopes_only() {
    let mut node = node_with(Config { light: true, ..config() }, &[ALICE, BOB]);
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet_of(&[letter(1)]));
    assert!(outputs.iter().any(|output| matches!(output, Output::Event(Event::Admitted { .. }))));
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), Vec::<Vec<u8>>::new());
    let outputs: Vec<_> = node.publish(NOW, letter(2)).unwrap().collect();
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), [packet_of(&[letter(2)])]);
}

#[test]
fn a_new_peer_gets_the_pool_best_rated_first() {
    let mut node = node_with(config(), &[]);
    let (low, high) = (letter(1), letter_rated(2, 1.0));
    assert!(node.publish(NOW, low.clone()).is_ok());
    assert!(node.publish(NOW, high.clone()).is_ok());
    step(&mut node, inbound(BOB));
    let outputs = receive(&mut node, NOW, BOB, code::STATUS, &status(0.0, false));
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), [packet_of(&[high, low])]);
}

#[test]
fn a_peer_that_lowers_its_demand_gets_what_it_missed() {
    let mut node = node_with(config(), &[]);
    step(&mut node, inbound(BOB));
    receive(&mut node, NOW, BOB, code::STATUS, &status(5.0, false));
    let outputs: Vec<_> = node.publish(NOW, letter(1)).unwrap().collect();
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), Vec::<Vec<u8>>::new());
    let lower = packet::encode_min_rating(Rating::ZERO);
    receive(&mut node, after(1), BOB, code::MIN_RATING, &lower);
    let due = node.poll_timeout().unwrap();
    assert_eq!(due, after(5_000));
    let outputs: Vec<_> = node.handle(due, Input::Timeout).collect();
    assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), [packet_of(&[letter(1)])]);
}

#[test]
fn an_own_envelope_is_sent_when_the_socket_took_it_and_acknowledged_once() {
    let mut node = node_with(config(), &[BOB]);
    let envelope = letter(1);
    let hash = envelope.hash();
    let unwritten = node.peers().next().map_or(0, |peer| peer.unwritten);
    step(&mut node, Input::Written { peer: BOB, bytes: unwritten });
    let outputs: Vec<_> = node.publish(NOW, envelope).unwrap().collect();
    let packet = sent_to(&outputs, BOB, code::MESSAGES).remove(0);
    assert_eq!(step(&mut node, Input::Written { peer: BOB, bytes: packet.len() - 1 }), []);
    let outputs = step(&mut node, Input::Written { peer: BOB, bytes: 1 });
    assert_eq!(outputs, [Output::Event(Event::Sent { hash, to: BOB })]);

    let acknowledgement = packet::encode_acknowledgement(&keccak256(&packet));
    let outputs = receive(&mut node, NOW, BOB, code::BATCH_ACKNOWLEDGED, &acknowledgement);
    assert_eq!(outputs, [Output::Event(Event::Acknowledged { hash, by: BOB })]);
    assert_eq!(receive(&mut node, NOW, BOB, code::BATCH_ACKNOWLEDGED, &acknowledgement), []);
}

#[test]
fn d17_each_packet_may_be_acknowledged_once_whoever_wrote_what_is_in_it() {
    let mut node = node_with(config(), &[ALICE, BOB]);
    let acknowledge = |node: &mut Node, packet: &[u8]| {
        let acknowledgement = packet::encode_acknowledgement(&keccak256(packet));
        receive(node, NOW, BOB, code::BATCH_ACKNOWLEDGED, &acknowledgement)
    };
    for number in 0..150 {
        let packet = packet_of(&[letter(number)]);
        let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
        assert_eq!(sent_to(&outputs, BOB, code::MESSAGES), core::slice::from_ref(&packet));
        let refusal = packet::encode_response(&keccak256(&packet), &[]);
        assert_eq!(receive(&mut node, NOW, BOB, code::MESSAGES_RESPONSE, &refusal), []);
        assert_eq!(acknowledge(&mut node, &packet), []);
    }
    let cut = Output::Disconnect(BOB, Violation::Unwanted);
    let unasked: Vec<_> = (0..100).flat_map(|_| acknowledge(&mut node, &[])).collect();
    assert_eq!(unasked, [cut]);
}

#[test]
fn what_a_peer_refuses_is_not_acknowledged() {
    let mut node = node_with(config(), &[BOB]);
    let envelope = letter(1);
    let hash = envelope.hash();
    let outputs: Vec<_> = node.publish(NOW, envelope).unwrap().collect();
    let batch = keccak256(&sent_to(&outputs, BOB, code::MESSAGES)[0]);
    let response = packet::encode_response(&batch, &[(hash, Refusal::Old)]);
    let outputs = receive(&mut node, NOW, BOB, code::MESSAGES_RESPONSE, &response);
    assert_eq!(outputs, [Output::Event(Event::Refused { hash, by: BOB, why: Refusal::Old })]);
    let acknowledgement = packet::encode_acknowledgement(&batch);
    assert_eq!(receive(&mut node, NOW, BOB, code::BATCH_ACKNOWLEDGED, &acknowledgement), []);
}

#[test]
fn a_packet_is_acknowledged_with_what_was_refused() {
    let mut node = node_with(config(), &[ALICE]);
    let low =
        crate::envelope::Draft::new(NOW, Duration::from_secs(50), Topic::default(), vec![0; 900]);
    let low = (0..).map(|nonce| low.clone().unwrap().seal(nonce)).find(|low| low.rating() < 0.001);
    let packet = packet_of(&[letter(1), low.unwrap()]);
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet);
    let response = sent_to(&outputs, ALICE, code::MESSAGES_RESPONSE).remove(0);
    assert_eq!(packet::decode_response(&response, 9).unwrap().unwrap().refused.len(), 1);
    let batch = packet::encode_acknowledgement(&keccak256(&packet));
    assert_eq!(sent_to(&outputs, ALICE, code::BATCH_ACKNOWLEDGED), [batch]);
}

#[test]
fn a6_a_long_packet_is_judged_in_slices_and_nothing_is_lost() {
    let mut node = node_with(Config { budgets: None, ..config() }, &[ALICE]);
    let envelopes: Vec<Envelope> = (0..2_500_u32)
        .map(|number| {
            let topic = Topic::new(number.to_be_bytes());
            let draft = crate::envelope::Draft::new(NOW, Duration::from_secs(10), topic, vec![]);
            draft.unwrap().seal(0)
        })
        .filter(|envelope| envelope.rating() >= node.min_rating())
        .collect();
    let outputs = receive(&mut node, NOW, ALICE, code::MESSAGES, &packet_of(&envelopes));
    let admitted = |outputs: &[Output]| {
        let is = |output: &&Output| matches!(output, Output::Event(Event::Admitted { .. }));
        outputs.iter().filter(is).count()
    };
    assert_eq!(admitted(&outputs), 1_024);
    assert!(outputs.contains(&Output::Throttle(ALICE, after(1))));
    let mut total = 1_024;
    while let Some(due) = node.poll_timeout().filter(|due| *due < after(100)) {
        let outputs: Vec<_> = node.handle(due, Input::Timeout).collect();
        assert!(admitted(&outputs) <= 1_024);
        total += admitted(&outputs);
    }
    assert_eq!(total, envelopes.len());
}

#[test]
fn a_peer_that_takes_nothing_for_twenty_seconds_is_cut() {
    let mut node = node_with(config(), &[BOB]);
    let _ = node.handle(after(19_999), Input::Timeout);
    assert_eq!(node.peers().count(), 1);
    let outputs: Vec<_> = node.handle(after(20_000), Input::Timeout).collect();
    assert_eq!(outputs, [Output::Disconnect(BOB, Violation::Stalled)]);
}

#[test]
fn a_clock_that_is_set_back_neither_stalls_nor_frees_a_peer() {
    let mut node = Node::new(Config::default(), [7; 32]);
    step(&mut node, inbound(ALICE));
    let earlier = NOW.saturating_sub(Duration::from_secs(3_600));
    assert_eq!(node.handle(earlier, Input::Timeout).len(), 0);
    assert_eq!(node.poll_timeout(), Some(earlier.saturating_add(Duration::from_secs(5))));
}

#[test]
fn direct_messages_are_taken_from_trusted_peers_only() {
    let mut node = node_with(config(), &[ALICE, BOB]);
    let letter = letter(1);
    let packet = packet::encode_direct(&letter);
    assert_eq!(receive(&mut node, NOW, ALICE, code::DIRECT, &packet), []);
    assert_eq!(receive(&mut node, NOW, ALICE, code::DIRECT, b"nonsense"), []);
    assert!(node.set_trusted(NOW, ALICE, true).is_ok());
    let outputs = receive(&mut node, NOW, ALICE, code::DIRECT, &packet);
    let envelope = Arc::new(letter.clone());
    assert_eq!(outputs, [Output::Event(Event::Direct { envelope, from: ALICE })]);
    assert_eq!(node.pool().len(), 0);
    let outputs: Vec<_> = node.send_direct(NOW, BOB, &letter).unwrap().collect();
    assert_eq!(sent_to(&outputs, BOB, code::DIRECT), [packet]);
}

#[test]
fn settings_are_announced_and_the_old_ones_tolerated() {
    let mut node = node_with(config(), &[ALICE]);
    let higher = Rating::new(1_000.0).unwrap();
    let outputs: Vec<_> = node.set_min_rating(NOW, higher).collect();
    assert_eq!(sent_to(&outputs, ALICE, code::MIN_RATING), [packet::encode_min_rating(higher)]);
    receive(&mut node, after(9_999), ALICE, code::MESSAGES, &packet_of(&[letter(1)]));
    assert_eq!(node.pool().len(), 1);
    receive(&mut node, after(10_000), ALICE, code::MESSAGES, &packet_of(&[letter(2)]));
    assert_eq!(node.pool().len(), 1);
    assert_eq!(
        node.publish(after(10_000), letter(3)).map(|_| ()),
        Err(Rejection::RatedTooLow { min: higher })
    );
}

#[test]
fn an_inbound_peer_over_its_budget_is_throttled() {
    let budget = Budget { per_second: 1, burst: 1 };
    let budgets = Budgets { control: budget, ..Budgets::default() };
    let mut node = Node::new(Config { budgets: Some(budgets), ..config() }, [7; 32]);
    step(&mut node, inbound(ALICE));
    receive(&mut node, NOW, ALICE, code::STATUS, &status(0.0, true));
    let unknown = |node: &mut Node| receive(node, NOW, ALICE, 99, &[0xc0]);
    assert_eq!(unknown(&mut node), []);
    assert_eq!(unknown(&mut node), [Output::Throttle(ALICE, after(1_000))]);
}

#[test]
fn outputs_that_were_dropped_come_with_the_next_step() {
    let mut node = Node::new(Config::default(), [7; 32]);
    drop(node.handle(NOW, inbound(ALICE)));
    assert_eq!(node.handle(NOW, Input::Timeout).len(), 1);
}

#[test]
fn answers_to_our_packets_draw_on_no_budget_of_their_number() {
    let mut node = Node::new(config(), [7; 32]);
    step(&mut node, inbound(BOB));
    receive(&mut node, NOW, BOB, code::STATUS, &status(0.0, true));
    for number in 0..100 {
        let outputs: Vec<_> = node.publish(NOW, letter(number)).unwrap().collect();
        let packet = sent_to(&outputs, BOB, code::MESSAGES).remove(0);
        let batch = packet::encode_acknowledgement(&keccak256(&packet));
        let outputs = receive(&mut node, NOW, BOB, code::BATCH_ACKNOWLEDGED, &batch);
        assert!(matches!(outputs[..], [Output::Event(Event::Acknowledged { .. })]), "{outputs:?}");
    }
}

#[test]
fn a_better_envelope_waits_behind_little_where_a_peer_is_slow() {
    let mut node = node_with(Config { budgets: None, ..config() }, &[BOB]);
    for number in 0..255 {
        let _ = node.publish(NOW, envelope(number, 8_000, 0.001)).map(Iterator::count);
    }
    // The peer takes 32 KiB a second.
    let mut now = NOW;
    let mut reads_on = |node: &mut Node| {
        now = now.saturating_add(Duration::from_millis(100));
        let bytes = node.peers().map(|peer| peer.unwritten).sum::<usize>().min(3_277);
        node.handle(now, Input::Written { peer: BOB, bytes }).collect::<Vec<_>>()
    };
    for _ in 0..80 {
        reads_on(&mut node);
    }
    let better = letter_rated(255, 0.1);
    let sent = Output::Event(Event::Sent { hash: better.hash(), to: BOB });
    assert!(node.publish(after(8_000), better).is_ok());
    let tenths = (1..).find(|_| reads_on(&mut node).contains(&sent)).unwrap();
    assert!(tenths < 20, "{tenths} tenths of a second");
}

#[test]
fn more_is_demanded_while_the_pool_is_nearly_full_and_less_afterwards() {
    let peers: Vec<_> = (1..6).map(PeerId::new).collect();
    // Each brings what it may.
    let fill = |node: &mut Node| {
        let outputs = (0..60).flat_map(|number| {
            let from = peers[usize::from(number) % peers.len()];
            receive(node, NOW, from, code::MESSAGES, &packet_of(&[large_letter(number)]))
        });
        sent_to(&outputs.collect::<Vec<_>>(), BOB, code::MIN_RATING)
    };
    let config = Config { pool_bytes: 30 * 700, ..config() };
    let mut node = node_with(config, &peers);
    let announced = fill(&mut node);
    let raised = node.min_rating();
    assert!(raised.as_f64() >= 2.0 * config.min_rating.as_f64(), "{raised:?}");
    assert_eq!(announced, [packet::encode_min_rating(raised)]);
    assert!(node.advised_rating() >= raised);

    // All has expired; the demand halves every ten seconds, without being asked to.
    let mut now = after(51_000);
    for _ in 0..20 {
        let _ = node.handle(now, Input::Timeout).count();
        for peer in &peers {
            let written = Input::Written { peer: *peer, bytes: usize::MAX };
            let _ = node.handle(now, written).count();
        }
        now = node.poll_timeout().unwrap_or(now);
    }
    assert_eq!(node.min_rating(), config.min_rating);
    assert_eq!(node.advised_rating(), config.min_rating);

    let mut unguarded = node_with(Config { guarded: false, ..config }, &peers);
    assert_eq!(fill(&mut unguarded), Vec::<Vec<u8>>::new());
}

#[test]
fn b9_who_goes_on_below_the_demand_is_cut_once_it_was_told() {
    let mut node = node_with(config(), &[ALICE]);
    let raised = Rating::new(1_000.0).unwrap();
    let _ = node.set_min_rating(NOW, raised).count();
    let flood = |node: &mut Node, now| {
        let outputs = (0..60).flat_map(|number| {
            receive(node, now, ALICE, code::MESSAGES, &packet_of(&[letter(number)]))
        });
        let cut = Output::Disconnect(ALICE, Violation::Unwanted);
        outputs.filter(|output| *output == cut).count()
    };
    assert_eq!(flood(&mut node, after(9_000)), 0);
    let mut node = node_with(config(), &[ALICE]);
    let _ = node.set_min_rating(NOW, raised).count();
    assert_eq!(flood(&mut node, after(10_000)), 1);
}
