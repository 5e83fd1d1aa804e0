//! What a peer can see of what is held: nothing, and no difference between our own and others'.

use alloc::format;

use super::*;

const Q: PeerId = PeerId::new(50);

/// What leaves for these peers, and who is left unread: all that they can see.
fn seen(
    outputs: Vec<(Timestamp, Output)>,
    by: impl Fn(PeerId) -> bool,
) -> Vec<(Timestamp, Output)> {
    let is_seen = |output: &Output| match output {
        Output::Transmit { peer, .. } | Output::Throttle(peer, _) | Output::Disconnect(peer, _) => {
            by(*peer)
        }
        Output::Event(_) => false,
    };
    outputs.into_iter().filter(|(_, output)| is_seen(output)).collect()
}

/// A way to bring two nodes into a state before the stem.
type Before = fn(&mut Node);

fn nothing(_: &mut Node) {}

fn relays_away(node: &mut Node) {
    for relay in [R1, R2] {
        let _ = node.handle(SETTLED, Input::Disconnected(relay)).count();
    }
    join(node, SETTLED, PeerId::new(13), Direction::Outbound, &offer());
}

fn relays_full(node: &mut Node) {
    for number in 0..4 {
        let large = lasting(100 + number, 600, 60_000);
        receive(node, SETTLED, ALICE, MESSAGES, &one(&large));
    }
}

/// The same node with an envelope of its own, and with the same one of a stem whose route is the same.
fn own_and_forwarded(
    secret: u8,
    before: Before,
    deaf: bool,
) -> Option<[Vec<(Timestamp, Output)>; 2]> {
    let bringer = {
        let node = settled_as(stemming(), secret, &[R1, R2], &[]);
        let stems = node.stems.as_ref().unwrap();
        let route = |edge| stems.routes.seat(&stems.dice, edge, &stems.seats);
        edges(&node, false).take(20).find(|peer| route(Some(*peer)) == route(None))?
    };
    let seen = [false, true].map(|forwarded| {
        let mut node = settled_as(stemming(), secret, &[R1, R2], &[ALICE, BOB, bringer]);
        before(&mut node);
        let now = later(10);
        let first = match forwarded {
            false => publish(&mut node, now, note(1)),
            true => receive(&mut node, now, bringer, STEM, &one(&note(1))),
        };
        let mut outputs: Vec<_> = first.into_iter().map(|output| (now, output)).collect();
        let mut step = now;
        while let Some(due) = node.poll_timeout().filter(|due| *due <= later(60_000)) {
            outputs.extend(node.handle(due, Input::Timeout).map(|output| (due, output)));
            if !deaf {
                outputs.extend(take_all(&mut node, due).into_iter().map(|output| (due, output)));
            }
            assert!(due > step || step == now);
            step = due;
        }
        // Somebody new looks through the pool.
        let network = Network::Alone(Q);
        let input = Input::Connected { peer: Q, direction: Direction::Inbound, network };
        let _ = node.handle(later(60_000), input).count();
        let scan = receive(&mut node, later(60_000), Q, code::STATUS, &offer());
        outputs.extend(scan.into_iter().map(|output| (later(60_000), output)));
        seen(outputs, |_| true)
    });
    Some(seen)
}

#[test]
fn k10_an_own_envelope_and_one_of_a_stem_leave_alike() {
    let mut compared = 0;
    for secret in 0..8 {
        for (before, deaf) in [
            (nothing as Before, false),
            (relays_away, false),
            (relays_full, false),
            (nothing, true),
        ] {
            let Some([own, forwarded]) = own_and_forwarded(secret, before, deaf) else { continue };
            assert_eq!(own, forwarded, "secret {secret}");
            assert!(own.len() > 2, "{own:?}");
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");
}

#[test]
fn k11_nothing_shows_what_is_held() {
    let mut node = settled(&[R1, R2], &[ALICE]);
    let peers = |node: &Node| node.peers().filter(|peer| peer.peer == ALICE).collect::<Vec<_>>();
    let (before, demand) = (peers(&node), node.advised_rating());
    let _ = publish(&mut node, SETTLED, note(1));
    take_all(&mut node, SETTLED);
    assert_eq!((peers(&node), node.advised_rating()), (before, demand));
    assert_eq!((node.pool().len(), node.pool().bytes()), (0, 0));
    assert!(node.pool().find(&note(1).hash()).is_none());
    // A new peer, a changed bloom, a lowered demand.
    let mut outputs = Vec::new();
    let input =
        Input::Connected { peer: Q, direction: Direction::Inbound, network: Network::Alone(Q) };
    outputs.extend(node.handle(later(1), input).collect::<Vec<_>>());
    outputs.extend(receive(&mut node, later(1), Q, code::STATUS, &offer()));
    let bloom = packet::encode_bloom(&Bloom::FULL);
    outputs.extend(receive(&mut node, later(2), ALICE, code::BLOOM, &bloom));
    outputs.extend(bare(run(&mut node, later(3_900))));
    let acknowledged = packet::encode_acknowledgement(&keccak256(&one(&note(1))));
    outputs.extend(receive(
        &mut node,
        later(3_900),
        ALICE,
        code::BATCH_ACKNOWLEDGED,
        &acknowledged,
    ));
    assert_eq!(went(&outputs, MESSAGES), []);
    assert_eq!(went(&outputs, STEM), []);
    let debug = format!("{:?}", node.peers().collect::<Vec<_>>());
    assert!(!debug.contains(&hex::encode(note(1).hash().as_bytes())));
}

/// Who has the envelope before a peer probes for it.
#[derive(Clone, Copy, Debug)]
enum Role {
    Outsider,
    Holder,
    Author,
}

/// What all but the relays see within three seconds of a probe, before any embargo ends.
fn probed(
    role: Role,
    config: Config,
    probe: impl Fn(&mut Node, PeerId),
    ends: bool,
) -> Vec<(Timestamp, Output)> {
    let plain = settled(&[R1, R2], &[]);
    let bringer = edges(&plain, false).nth(1).unwrap();
    let prober = edges(&plain, ends).next().unwrap();
    let mut node = settled_as(config, 7, &[R1, R2], &[ALICE, bringer, prober]);
    match role {
        Role::Outsider => {}
        Role::Holder => drop(receive(&mut node, SETTLED, bringer, STEM, &one(&note(1)))),
        Role::Author => drop(publish(&mut node, SETTLED, note(1))),
    }
    let was_held = held(&node);
    assert_eq!(was_held, usize::from(!matches!(role, Role::Outsider)));
    take_all(&mut node, SETTLED);
    let _ = node.handle(later(100), Input::Timeout).count();
    probe(&mut node, prober);
    let before = Vec::from_iter(node.handle(later(100), Input::Timeout).map(|o| (later(100), o)));
    let outputs = before.into_iter().chain(run(&mut node, later(3_100))).collect();
    seen(outputs, |peer| peer != R1 && peer != R2)
}

fn compare(config: Config, probe: impl Fn(&mut Node, PeerId) + Copy, ends: bool) -> usize {
    let [outsider, holder, author] =
        [Role::Outsider, Role::Holder, Role::Author].map(|role| probed(role, config, probe, ends));
    assert_eq!(outsider, holder);
    assert_eq!(outsider, author);
    outsider.len()
}

/// The outputs stay where they are: the step after the probe hands them out.
fn bring(node: &mut Node, peer: PeerId, code: u8, envelope: &Envelope) {
    let payload = one(envelope);
    drop(node.handle(later(100), Input::Received { peer, code, payload: &payload }));
}

fn tight() -> Config {
    let envelopes = Budget { per_second: 1, burst: 2 };
    Config { budgets: Some(Budgets { envelopes, ..Budgets::default() }), ..stemming() }
}

#[test]
fn k11b_a_probe_by_a_stem_finds_neither_holder_nor_author() {
    let probe = |node: &mut Node, peer| bring(node, peer, STEM, &note(1));
    compare(stemming(), probe, false);
    assert!(compare(stemming(), probe, true) > 0, "the edge ends: it is flooded");
    let again = |node: &mut Node, peer| (0..3).for_each(|_| bring(node, peer, STEM, &note(1)));
    assert!(compare(tight(), again, false) > 0, "it is throttled");
    compare(tight(), again, true);
    let full = |node: &mut Node, peer| {
        (10..74).for_each(|number| bring(node, peer, STEM, &note(number)));
        bring(node, peer, STEM, &note(1));
    };
    assert!(compare(stemming(), full, false) > 0, "its share is full: it is flooded");
    // It brings what is held, and then fills its share.
    let last = |node: &mut Node, peer| {
        bring(node, peer, STEM, &note(1));
        (10..74).for_each(|number| bring(node, peer, STEM, &note(number)));
    };
    assert!(compare(stemming(), last, false) > 0, "one of them has no place");
}

#[test]
fn k10_who_fill_their_shares_leave_the_stems_of_other_edges_alone() {
    // In all they bring more than the store may have held in their shares together.
    for pool_bytes in [stemming().pool_bytes, 16 * 1_024 * 1_024] {
        let config = Config { pool_bytes, ..stemming() };
        let mut node = settled_as(config, 7, &[R1, R2], &[]);
        let on: Vec<PeerId> = edges(&node, false).take(20).collect();
        let (bringer, probers) = on.split_first().unwrap();
        for peer in &on {
            join(&mut node, SETTLED, *peer, Direction::Inbound, &offer());
        }
        let (mut number, mut flooded) = (100, 0);
        for prober in probers {
            for _ in 0..5 {
                let large = lasting(number, 60, 60_000);
                receive(&mut node, SETTLED, *prober, STEM, &one(&large));
                take_all(&mut node, SETTLED);
                flooded += usize::from(node.pool().find(&large.hash()).is_some());
                number += 1;
            }
        }
        assert!(flooded >= probers.len(), "their shares are full: {flooded}");
        // As one of its own, and one as large: only its edge counts.
        for (number, length) in [(1, 40), (2, 60_000)] {
            let [own, other] = [number, number + 10].map(|number| lasting(number, 60, length));
            let outputs = publish(&mut node, SETTLED, own);
            let passed = went(&outputs, STEM).len();
            take_all(&mut node, SETTLED);
            let outputs = receive(&mut node, SETTLED, *bringer, STEM, &one(&other));
            assert_eq!((passed, went(&outputs, STEM).len()), (1, 1), "{pool_bytes} {length}");
            take_all(&mut node, SETTLED);
        }
    }
}

/// Whether a prober is cut or left unread that has annoyed so often, and then brings what begins here
/// or is new.
fn judged(code: u8, scatters: bool, config: Config, (annoys, brings): (u32, u32)) -> Vec<Output> {
    let prober = edges(&settled(&[R1, R2], &[]), false).next().unwrap();
    let mut node = settled_as(config, 7, &[R1, R2], &[prober]);
    if scatters {
        let rating = node.judge(&note(1)).unwrap();
        node.release(Arrival::OWN, Arc::new(note(1)), rating).unwrap();
        assert!(node.connections.is_scattering(node.pool().find(&note(1).hash()).unwrap()));
        let _ = node.connections.outputs().count();
    }
    let hush = |node: &mut Node| receive(node, SETTLED, prober, STEM, &[0xc1, 0x80]);
    (0..annoys).for_each(|_| drop(hush(&mut node)));
    let bring = |_| receive(&mut node, SETTLED, prober, code, &one(&note(1)));
    let mut outputs: Vec<Output> = (0..brings).flat_map(bring).collect();
    outputs.extend(hush(&mut node));
    let is_told = |output: &Output| matches!(output, Output::Throttle(..) | Output::Disconnect(..));
    outputs.into_iter().filter(is_told).collect()
}

#[test]
fn k11b_points_and_price_do_not_tell_what_begins_here() {
    let roomy = Config { budgets: None, ..stemming() };
    for code in [STEM, MESSAGES] {
        assert_eq!(judged(code, false, roomy, (19, 1)), [], "forgiven one point");
        assert_eq!(judged(code, true, roomy, (19, 1)), [], "points, {code}");
        let paid = judged(code, false, tight(), (0, 2));
        assert!(paid.iter().any(|output| matches!(output, Output::Throttle(..))));
        assert_eq!(judged(code, true, tight(), (0, 2)), paid, "price, {code}");
    }
}

#[test]
fn k11b_a_probe_by_the_flood_finds_neither_holder_nor_author() {
    let probe = |node: &mut Node, peer| bring(node, peer, MESSAGES, &note(1));
    for ends in [false, true] {
        assert!(compare(stemming(), probe, ends) > 1, "relayed at once and acknowledged");
        let twice = |node: &mut Node, peer| {
            bring(node, peer, STEM, &note(1));
            bring(node, peer, MESSAGES, &note(1));
        };
        assert!(compare(stemming(), twice, ends) > 1);
    }
    let full = |node: &mut Node, peer| {
        for number in 0..40 {
            let ttl = Duration::from_secs(600);
            let better =
                crate::envelope::Draft::new(SETTLED, ttl, Topic::new([number; 4]), vec![9; 300]);
            let better = better.unwrap().seal_rated(Rating::new(0.005).unwrap()).unwrap();
            bring(node, peer, MESSAGES, &better);
        }
        bring(node, peer, MESSAGES, &note(1));
        bring(node, peer, STEM, &note(1));
    };
    let small = Config { pool_bytes: 16 * 1_024, guarded: false, ..stemming() };
    assert!(compare(small, full, true) > 40, "the pool is full of better ones");
}
