//! Who is a relay, for how long, and what a node does that has none.

use super::*;
use crate::envelope::Draft;

const R3: PeerId = PeerId::new(13);
const DAY: u64 = 86_400;

fn holders(node: &Node) -> Vec<Option<PeerId>> {
    node.stems.as_ref().map(|stems| stems.seats.holders().0).unwrap_or_default()
}

fn relays(node: &Node) -> BTreeSet<PeerId> {
    holders(node).into_iter().flatten().collect()
}

fn leave(node: &mut Node, now: Timestamp, peer: PeerId) {
    let _ = node.handle(now, Input::Disconnected(peer)).count();
}

#[test]
fn two_relays_are_drawn_after_thirty_seconds_among_those_that_we_dialled_and_that_offer_it() {
    let mut counts = BTreeMap::<PeerId, u32>::new();
    for secret in 0..200 {
        let mut node = Node::new(stemming(), [secret; 32]);
        for number in 11..16 {
            join(&mut node, NOW, PeerId::new(number), Direction::Outbound, &offer());
        }
        join(&mut node, NOW, ALICE, Direction::Inbound, &offer());
        join(&mut node, NOW, BOB, Direction::Outbound, &status(0.0, true));
        let light = Status { light: true, ..Status::decode(&offer()).unwrap() };
        join(&mut node, NOW, PeerId::new(17), Direction::Outbound, &light.encode());
        run(&mut node, after(29_999));
        assert_eq!(holders(&node), [None, None]);
        let outputs = bare(run(&mut node, after(30_000)));
        let told = |event: &Event| matches!(event, Event::Relays { peers, .. } if *peers == holders(&node));
        assert!(outputs.iter().any(is_event(told)), "{outputs:?}");
        assert_eq!(relays(&node).len(), 2);
        relays(&node).into_iter().for_each(|peer| *counts.entry(peer).or_default() += 1);
    }
    assert_eq!(counts.keys().map(|peer| peer.as_u64()).collect::<Vec<_>>(), [11, 12, 13, 14, 15]);
    assert!(counts.values().all(|count| (55..105).contains(count)), "{counts:?}");
}

#[test]
fn before_that_each_envelope_goes_to_a_peer_of_its_own() {
    let mut node = Node::new(stemming(), [7; 32]);
    for number in 11..16 {
        join(&mut node, NOW, PeerId::new(number), Direction::Outbound, &offer());
    }
    let mut to = BTreeSet::new();
    for number in 0..20 {
        let letter =
            Draft::new(NOW, Duration::from_secs(600), Topic::new([number; 4]), vec![0; 40]);
        let letter = letter.unwrap().seal_rated(Rating::new(0.001).unwrap()).unwrap();
        let outputs = publish(&mut node, NOW, letter);
        let [peer] = went(&outputs, STEM)[..] else { panic!("{outputs:?}") };
        to.insert(peer);
        take_all(&mut node, NOW);
    }
    assert!(to.len() >= 4, "{to:?}");
}

#[test]
fn relays_are_kept_for_seven_to_nine_days() {
    let mut ends = Vec::new();
    for secret in 0..30 {
        let relays = [11, 12, 13, 14, 15, 16].map(PeerId::new);
        let mut node = settled_as(stemming(), secret, &relays, &[]);
        let (first, until) = node.stems.as_ref().unwrap().seats.holders();
        let before = bare(run(&mut node, until.saturating_sub(Duration::from_millis(1))));
        assert!(!before.iter().any(is_event(|event| matches!(event, Event::Relays { .. }))));
        assert_eq!(holders(&node), first);
        let drawn = bare(run(&mut node, until));
        assert!(drawn.iter().any(is_event(|event| matches!(event, Event::Relays { .. }))));
        ends.push((until.saturating_since(SETTLED).as_secs() / 3_600, holders(&node) != first));
    }
    let days: Vec<u64> = ends.iter().map(|(hours, _)| *hours / 24).collect();
    assert!(days.iter().all(|days| (6..9).contains(days)), "{days:?}");
    assert!(days.contains(&7) && days.contains(&8));
    assert!(ends.iter().filter(|(_, changed)| *changed).count() > 20);
    let mut node = settled(&[R1, R2, R3], &[]);
    let drawn = (0..20).map(|number| {
        let _ = node.redraw_relays(later(number)).count();
        relays(&node)
    });
    assert!(drawn.collect::<BTreeSet<_>>().len() > 1);
}

#[test]
fn a_relay_that_is_away_keeps_its_place_for_ten_minutes_and_comes_back_into_it() {
    let mut node = settled(&[R1, R2], &[]);
    join(&mut node, SETTLED, R3, Direction::Outbound, &offer());
    let before = holders(&node);
    leave(&mut node, SETTLED, R1);
    run(&mut node, later(599_999));
    assert_eq!(relays(&node), BTreeSet::from([R2]));
    run(&mut node, later(600_000));
    assert_eq!(relays(&node), BTreeSet::from([R2, R3]));
    let back = PeerId::new(99);
    join(&mut node, later(700_000), back, Direction::Outbound, &offer());
    let until = node.stems.as_ref().unwrap().seats.holders().1;
    let kept: Vec<_> =
        before.iter().map(|was| was.map(|was| if was == R1 { back } else { was })).collect();
    let _ = node.prefer_relays(later(700_000), &kept, until).count();
    assert_eq!(holders(&node), kept);
}

#[test]
fn k14_relays_that_were_kept_over_a_restart_are_waited_for() {
    let until = SETTLED.saturating_add(Duration::from_secs(3 * DAY));
    let mut node = Node::new(stemming(), [7; 32]);
    let _ = node.prefer_relays(NOW, &[None, None], until).count();
    join(&mut node, NOW, R3, Direction::Outbound, &offer());
    run(&mut node, SETTLED);
    assert_eq!(holders(&node), [None, None]);
    let waits = publish(&mut node, SETTLED, note(1));
    assert_eq!((went(&waits, STEM), held(&node)), (vec![], 1));
    join(&mut node, later(1), R1, Direction::Outbound, &offer());
    let outputs: Vec<_> = node.prefer_relays(later(1), &[Some(R1), None], until).collect();
    assert_eq!(went(&outputs, STEM), [R1], "the first that comes gets it");
    run(&mut node, later(600_000));
    assert_eq!(holders(&node)[0], Some(R1));
    assert!(relays(&node).contains(&R3), "the other is replaced, ten minutes after the start");
}

#[test]
fn while_relays_are_away_an_envelope_waits_and_goes_to_any_peer_in_the_end() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    join(&mut node, SETTLED, R3, Direction::Outbound, &offer());
    relays(&node).into_iter().for_each(|relay| leave(&mut node, SETTLED, relay));
    let left = node.peers().filter(|peer| peer.direction == Direction::Outbound).count();
    assert!(left == 1);
    assert_eq!(went(&publish(&mut node, SETTLED, note(1)), STEM), []);
    assert_eq!(went(&bare(run(&mut node, later(3_999))), STEM), []);
    assert_eq!(went(&bare(run(&mut node, later(60_000))), STEM), [R3]);
}

#[test]
fn a_relay_without_room_is_waited_for() {
    let mut node = settled(&[R1], &[ALICE]);
    // More than a first window holds.
    for number in 0..4 {
        let large = lasting(100 + number, 600, 60_000);
        receive(&mut node, SETTLED, ALICE, MESSAGES, &one(&large));
    }
    assert_eq!(went(&publish(&mut node, SETTLED, note(1)), STEM), []);
    assert_eq!(went(&take_all(&mut node, later(1)), STEM), [R1]);
}

#[test]
fn where_nobody_offers_stems_one_peer_floods_for_us() {
    let plain = [R1, R2, R3];
    let mut node = Node::new(stemming(), [7; 32]);
    for peer in plain {
        join(&mut node, NOW, peer, Direction::Outbound, &status(0.0, true));
    }
    join(&mut node, NOW, ALICE, Direction::Inbound, &status(0.0, true));
    run(&mut node, SETTLED);
    let outputs = publish(&mut node, SETTLED, note(1));
    let [peer] = went(&outputs, MESSAGES)[..] else { panic!("{outputs:?}") };
    assert_eq!(sent_to(&outputs, peer, MESSAGES), [one(&note(1))]);
    let acknowledged = packet::encode_acknowledgement(&keccak256(&one(&note(1))));
    take_all(&mut node, SETTLED);
    let outputs = receive(&mut node, SETTLED, peer, code::BATCH_ACKNOWLEDGED, &acknowledged);
    assert_eq!(outputs, [Output::Event(Event::Acknowledged { hash: note(1).hash(), by: peer })]);
    let outputs = publish(&mut node, later(1), note(2));
    assert_eq!(went(&outputs, MESSAGES), [peer], "it is kept");
    let flooded = went(&bare(run(&mut node, later(60_000))), MESSAGES);
    assert!(!flooded.contains(&peer), "it has had both");
    assert_eq!(flooded.iter().collect::<BTreeSet<_>>().len(), 3);
    // Until one comes that offers it.
    join(&mut node, later(60_000), PeerId::new(14), Direction::Outbound, &offer());
    assert_eq!(relays(&node), BTreeSet::from([PeerId::new(14)]));
}

#[test]
fn who_has_dialled_nobody_yet_floods_for_ten_minutes_and_then_takes_relays_that_dialled_it() {
    let mut node = settled(&[], &[ALICE, BOB]);
    let outputs = publish(&mut node, SETTLED, note(1));
    assert!(outputs.iter().any(is_event(|event| matches!(event, Event::Admitted { .. }))));
    assert_eq!(went(&bare(run(&mut node, later(6_000))), MESSAGES).len(), 2);
    run(&mut node, after(629_999));
    assert_eq!(relays(&node), BTreeSet::new(), "they settle as those do that we dialled");
    run(&mut node, after(630_000));
    assert_eq!(relays(&node), BTreeSet::from([ALICE, BOB]));
    let envelope = Draft::new(after(630_000), Duration::from_secs(60), Topic::default(), vec![]);
    let envelope = envelope.unwrap().seal_rated(Rating::new(0.001).unwrap()).unwrap();
    assert_eq!(went(&publish(&mut node, after(630_000), envelope), STEM).len(), 1);
    join(&mut node, after(630_000), R1, Direction::Outbound, &offer());
    run(&mut node, after(670_000));
    assert_eq!(relays(&node), BTreeSet::from([R1]));
}

/// Both relays leave, and for eleven minutes there is nobody whom we dial.
fn after_an_outage(meanwhile: impl Fn(&mut Node)) -> (Node, Vec<Output>) {
    let mut node = settled(&[R1, R2], &[]);
    [R1, R2].into_iter().for_each(|relay| leave(&mut node, SETTLED, relay));
    meanwhile(&mut node);
    let outputs = bare(run(&mut node, later(660_000)));
    (node, outputs)
}

#[test]
fn k14_an_outage_keeps_the_relays_though_another_peer_is_back_first() {
    let before = settled(&[R1, R2], &[]).stems.as_ref().unwrap().seats.holders();
    let (mut node, _) = after_an_outage(|_| ());
    join(&mut node, later(660_000), R3, Direction::Outbound, &offer());
    let quick = bare(run(&mut node, later(689_999)));
    let told = |event: &Event| matches!(event, Event::Relays { .. });
    assert!(!quick.iter().any(is_event(told)), "all may settle again: {quick:?}");
    let waits = publish(&mut node, later(689_999), lasting(1, 3_000, 40));
    assert_eq!(went(&waits, STEM), [], "a relay is waited for");
    [R1, R2].into_iter().for_each(|relay| {
        join(&mut node, later(689_999), relay, Direction::Outbound, &offer());
    });
    let _ = node.prefer_relays(later(689_999), &before.0, before.1).count();
    run(&mut node, later(760_000));
    assert_eq!(node.stems.as_ref().unwrap().seats.holders(), before);
}

#[test]
fn k14_an_outage_makes_no_relay_of_a_peer_that_dials_us() {
    let before = settled(&[R1, R2], &[]).stems.as_ref().unwrap().seats.holders();
    let (mut node, outputs) = after_an_outage(|node| {
        join(node, later(1_000), ALICE, Direction::Inbound, &offer());
    });
    let told = |event: &Event| matches!(event, Event::Relays { .. });
    assert!(!outputs.iter().any(is_event(told)), "{outputs:?}");
    let outputs = bare(run(&mut node, later(3_600_000)));
    assert!(!outputs.iter().any(is_event(told)), "nor later");
    assert_eq!(relays(&node), BTreeSet::new());
    [R1, R2].into_iter().for_each(|relay| {
        join(&mut node, later(3_600_000), relay, Direction::Outbound, &offer());
    });
    let _ = node.prefer_relays(later(3_600_000), &before.0, before.1).count();
    run(&mut node, later(3_700_000));
    assert_eq!(node.stems.as_ref().unwrap().seats.holders(), before);
}

#[test]
fn a_relay_that_comes_back_by_dialling_us_is_waited_for() {
    let mut node = settled(&[R1, R2], &[]);
    let (before, until) = node.stems.as_ref().unwrap().seats.holders();
    join(&mut node, SETTLED, R3, Direction::Outbound, &offer());
    leave(&mut node, SETTLED, R1);
    let back = PeerId::new(99);
    join(&mut node, later(1), back, Direction::Inbound, &offer());
    let kept = |by: PeerId| -> Vec<_> {
        before.iter().map(|was| was.map(|was| if was == R1 { by } else { was })).collect()
    };
    let _ = node.prefer_relays(later(1), &kept(back), until).count();
    assert_eq!(relays(&node), BTreeSet::from([R2]), "it is no relay, and its place is kept");
    run(&mut node, later(600_000));
    assert_eq!(relays(&node), BTreeSet::from([R2]));
    run(&mut node, later(600_001));
    assert_eq!(relays(&node), BTreeSet::from([R2, R3]));
    let dialled = PeerId::new(98);
    join(&mut node, later(700_000), dialled, Direction::Outbound, &offer());
    let _ = node.prefer_relays(later(700_000), &kept(dialled), until).count();
    assert_eq!(holders(&node), kept(dialled));
}

#[test]
fn what_its_only_relay_brings_is_flooded() {
    let mut nodes = (0..).map(|secret| settled_as(stemming(), secret, &[R1], &[ALICE]));
    let goes_on = |node: &Node| !node.stems.as_ref().unwrap().ends(R1);
    let mut node = nodes.find(goes_on).unwrap();
    let outputs = receive(&mut node, SETTLED, R1, STEM, &one(&note(1)));
    assert!(outputs.iter().any(is_event(|event| matches!(event, Event::Admitted { .. }))));
    let mut to = went(&bare(run(&mut node, later(6_000))), MESSAGES);
    to.sort_unstable();
    assert_eq!(to, [ALICE, R1], "the one that brought it too: it may have no other peer");
}

#[test]
fn without_a_peer_an_envelope_waits_for_a_relay_as_long_as_it_lives() {
    let mut node = settled(&[], &[]);
    let _ = publish(&mut node, SETTLED, note(1));
    run(&mut node, later(100_000));
    assert_eq!((held(&node), node.pool().len()), (1, 0));
    let _ = node.handle(
        later(100_000),
        Input::Connected { peer: R1, direction: Direction::Outbound, network: Network::Alone(R1) },
    );
    let outputs = receive(&mut node, later(100_000), R1, code::STATUS, &offer());
    assert_eq!(went(&outputs, STEM), [R1]);
    leave(&mut node, later(100_001), R1);
    let _ = publish(&mut node, later(100_001), note(2));
    run(&mut node, later(590_000));
    assert_eq!(
        (held(&node), node.pool().len()),
        (0, 2),
        "its last twenty seconds are for the flood"
    );
}

#[test]
fn a_light_node_carries_on_what_reaches_it_by_a_stem() {
    let config = Config { light: true, ..stemming() };
    let mut node = settled_as(config, 7, &[R1, R2], &[]);
    let [on, off] = [false, true].map(|ends| edges(&node, ends).next().unwrap());
    for peer in [on, off] {
        join(&mut node, SETTLED, peer, Direction::Inbound, &offer());
    }
    assert_eq!(went(&receive(&mut node, SETTLED, on, STEM, &one(&note(1))), STEM).len(), 1);
    receive(&mut node, SETTLED, off, STEM, &one(&note(2)));
    assert!(went(&bare(run(&mut node, later(5_100))), MESSAGES).len() >= 3);
}
