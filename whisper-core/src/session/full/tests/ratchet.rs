//! What the ratchet does, and what it refuses.

use alloc::format;

use super::side::Packet;
use super::side::pair;
use super::side::talking;
use super::*;
use crate::session::full::header::Flags;
use crate::session::full::header::Header;
use crate::session::full::keys::Salt;
use crate::session::full::keys::chain_step;
use crate::session::full::packet::Frame;
use crate::session::full::packet::body_size;
use crate::session::full::ratchet::Turn;
use crate::session::full::round::Block;
use crate::session::full::round::BlockKind;
use crate::session::full::round::Round;
use crate::session::full::session::State;

/// A packet of `side` whose header and body are as `bend` leaves them; the side stays as it is.
pub(super) fn bent(
    side: &mut Side,
    now: Timestamp,
    bend: impl FnOnce(&mut Header, &mut Vec<u8>),
) -> Packet {
    let mut session = side.session.clone();
    let State::Live(ratchet) = &mut session.state else { panic!("it is closing") };
    ratchet.bring_key(now, &session.id, &mut side.rng);
    let slot = ratchet.places.advance(now).unwrap();
    let block = ratchet.round.block();
    let sending = ratchet.sending().unwrap();
    let mut header = Header {
        key: sending.own.public_key().to_bytes(),
        previous: sending.previous,
        number: sending.number,
        flags: Flags { mixed: sending.mixed, block: block.as_ref().map(|block| block.kind) },
    };
    let mut body = app(now, b"bent").fill(block.as_ref(), body_size(2_048)).unwrap().to_vec();
    bend(&mut header, &mut body);
    let mut chain = sending.chain.clone();
    for _ in (sending.number..header.number).take(30_000) {
        chain = chain_step(&chain).1;
    }
    let (message, _) = chain_step(&chain);
    let place = Place { epoch: slot.epoch, index: slot.index };
    let frame = Frame { id: &session.id, key: &sending.header, place };
    let salt = Salt::default();
    let data = frame.seal(&salt, &header, &message, &body, &mut side.rng).unwrap();
    let topic = sending.header.topic(place);
    Packet { topic, data, name: sending.header.name(header.number, &salt) }
}

/// What somebody does to a body.
type Spoil = fn(&mut Vec<u8>);

fn refuses(side: &mut Side, packet: &Packet, why: OpenFailure) {
    let before = side.session.clone();
    assert_eq!(side.open(NOW, packet).unwrap_err(), why);
    assert!(side.session == before);
}

#[test]
fn the_initiator_sends_nothing_before_the_responder_has() {
    let [mut alice, mut bob] = pair(1);
    assert!(!alice.session.can_seal() && bob.session.can_seal());
    assert_eq!(alice.send(NOW, &app(NOW, b"")).unwrap_err(), SealError::Unanswered);
    let packet = bob.say(NOW, b"hello");
    assert_eq!(alice.hear(NOW, &packet).unwrap(), b"hello");
    assert!(alice.session.can_seal());
}

#[test]
fn every_answer_after_the_first_mixes_a_round_of_the_kem_in() {
    let [mut alice, mut bob] = pair(2);
    for round in 0..10 {
        let packet = bob.say(after(round), b"ask");
        assert!(alice.open(after(round), &packet).unwrap().turned);
        assert_eq!(alice.session.rounds().mixed, round as u32);
        let packet = alice.say(after(round), b"answer");
        assert!(bob.open(after(round), &packet).unwrap().turned);
        assert_eq!(bob.session.rounds().mixed, round as u32);
    }
    assert_eq!(alice.session.rounds(), Rounds { mixed: 9, last: Some(after(9)) });
    assert_eq!(bob.session.rounds(), alice.session.rounds());
}

#[test]
fn a_round_is_answered_and_mixed_once_whatever_is_lost_of_it() {
    let [mut alice, mut bob] = pair(3);
    let offers: Vec<_> = (0..3).map(|_| bob.say(NOW, b"offer")).collect();
    // Only the last one comes.
    alice.hear(NOW, &offers[2]).unwrap();
    let answers: Vec<_> = (0..3).map(|_| alice.say(NOW, b"answer")).collect();
    bob.hear(NOW, &answers[1]).unwrap();
    let got = bob.session.clone();
    bob.hear(NOW, &answers[0]).unwrap();
    let (State::Live(before), State::Live(now)) = (&got.state, &bob.session.state) else {
        panic!("it is closing")
    };
    assert_eq!(before.round, now.round);
    let mixed = bob.say(NOW, b"mixed");
    alice.hear(NOW, &mixed).unwrap();
    alice.hear(NOW, &offers[0]).unwrap();
    assert_eq!(alice.session.rounds().mixed, 1);
}

#[test]
fn e23_blocks_of_other_rounds_are_skipped_and_the_text_is_shown() {
    for wrong in [0_u32, 2, u32::MAX] {
        // The responder offers a key of another round.
        let [mut alice, mut bob] = pair(4);
        let packet = bent(&mut bob, NOW, |_, body| {
            body[9 + 4..][..4].copy_from_slice(&wrong.to_be_bytes());
        });
        let opened = alice.open(NOW, &packet).unwrap();
        assert!(opened.content.is_some());
        let State::Live(ratchet) = &alice.session.state else { panic!("it is closing") };
        assert_eq!(ratchet.round, Round::Wait(1));
        // The initiator answers another round.
        let [mut alice, mut bob] = pair(4);
        let packet = bob.say(NOW, b"offer");
        alice.hear(NOW, &packet).unwrap();
        let packet = bent(&mut alice, NOW, |_, body| {
            body[9 + 4..][..4].copy_from_slice(&wrong.to_be_bytes());
        });
        assert!(bob.open(NOW, &packet).unwrap().content.is_some());
        let State::Live(ratchet) = &bob.session.state else { panic!("it is closing") };
        assert!(matches!(ratchet.round, Round::Offer(1, _)));
    }
}

#[test]
fn e24_a_chain_that_mixes_without_an_answer_is_refused() {
    let [mut alice, mut bob] = pair(5);
    let packet = bent(&mut bob, NOW, |header, _| header.flags.mixed = true);
    refuses(&mut alice, &packet, OpenFailure::Refused);
}

#[test]
fn e24_flags_of_the_other_side_are_refused() {
    for mixed in [false, true] {
        let [mut alice, mut bob] = talking(6);
        let flags = Flags { mixed, block: Some(BlockKind::Answer) };
        let packet = bent(&mut bob, NOW, |header, _| header.flags = flags);
        refuses(&mut alice, &packet, OpenFailure::Refused);
        let flags = Flags { mixed, block: Some(BlockKind::Key) };
        let packet = bent(&mut alice, NOW, |header, _| header.flags = flags);
        refuses(&mut bob, &packet, OpenFailure::Refused);
    }
    let [mut alice, mut bob] = talking(6);
    let packet = bent(&mut alice, NOW, |header, _| header.flags.mixed = true);
    refuses(&mut bob, &packet, OpenFailure::Refused);
}

#[test]
fn e24_two_chains_under_one_key_that_differ_in_what_they_mix_are_told_apart() {
    let [mut alice, mut bob] = talking(7);
    let packet = bob.say(NOW, b"mixed");
    alice.hear(NOW, &packet).unwrap();
    let packet = bent(&mut bob, NOW, |header, _| header.flags.mixed = false);
    refuses(&mut alice, &packet, OpenFailure::Forked);
    let packet = bent(&mut bob, NOW, |header, _| header.key[31] ^= 1);
    refuses(&mut alice, &packet, OpenFailure::Forked);
}

#[test]
fn e31_a_restored_copy_of_the_peer_is_noticed() {
    let [mut alice, mut bob] = talking(8);
    let mut copy = Side::new(bob.session.clone(), 80);
    let packet = bob.say(NOW, b"one");
    alice.hear(NOW, &packet).unwrap();
    // The copy draws another key: its chain cannot be taken for the first one's.
    let packet = copy.say(NOW, b"another");
    refuses(&mut alice, &packet, OpenFailure::Forked);
    // A copy made later goes on in the same chain under the same number, and another name.
    let mut copy = Side::new(bob.session.clone(), 81);
    let packet = bob.say(NOW, b"two");
    alice.hear(NOW, &packet).unwrap();
    let packet = copy.say(NOW, b"other two");
    refuses(&mut alice, &packet, OpenFailure::KeyGone { name: packet.name });
}

#[test]
fn c6_a_state_that_was_set_back_repeats_no_key_of_a_cipher() {
    let [mut alice, _] = talking(9);
    let mut copy = Side::new(alice.session.clone(), 90);
    let [one, other] = [alice.say(NOW, b"one"), copy.say(NOW, b"one")];
    assert_eq!(one.topic, other.topic);
    assert_ne!(one.name, other.name);
    assert_ne!(one.data, other.data);
    // Even the headers, inside the same envelope key, differ.
    let State::Live(ratchet) = &alice.session.state else { panic!("it is closing") };
    let Turn::Sending(sending) = &ratchet.turn else { panic!("nothing was sent") };
    let envelope = sending.header.envelope(crate::session::hours::epoch(NOW)).unwrap();
    let [one, other] = [one, other].map(|packet| {
        let message = crate::session::carrier::open(&packet.data, &envelope).unwrap();
        message.payload().to_vec()
    });
    let same = one.iter().zip(&other).filter(|(a, b)| a == b).count();
    assert!(same < one.len() / 50, "{same} bytes of {} are the same", one.len());
}

#[test]
fn e6_a_jump_of_25000_opens_and_one_more_is_refused() {
    let [mut alice, mut bob] = talking(10);
    let packet = bent(&mut alice, NOW, |header, _| header.number = 1 + 25_001);
    refuses(&mut bob, &packet, OpenFailure::SkipLimit);
    let packet = bent(&mut alice, NOW, |header, _| header.number = u32::MAX);
    refuses(&mut bob, &packet, OpenFailure::SkipLimit);
    let packet = bent(&mut alice, NOW, |header, _| header.number = 1 + 25_000);
    assert!(bob.open(NOW, &packet).is_ok());
    let State::Live(ratchet) = &bob.session.state else { panic!("it is closing") };
    assert_eq!(ratchet.receiving.as_ref().unwrap().skipped.len(), 1_000);
}

#[test]
fn e6_a_gap_before_a_new_chain_of_25000_opens_and_one_more_is_refused() {
    for (previous, opens) in [(1 + 25_000, true), (1 + 25_001, false), (u32::MAX, false)] {
        let [mut alice, mut bob] = talking(11);
        let packet = bob.say(NOW, b"turn");
        alice.hear(NOW, &packet).unwrap();
        let packet = bent(&mut alice, NOW, |header, _| header.previous = previous);
        match opens {
            true => assert!(bob.open(NOW, &packet).is_ok()),
            false => refuses(&mut bob, &packet, OpenFailure::SkipLimit),
        }
    }
}

#[test]
fn e6_a_sender_stops_after_24000_messages_without_an_answer() {
    let [mut alice, _] = talking(12);
    let State::Live(ratchet) = &mut alice.session.state else { panic!("it is closing") };
    ratchet.sending().unwrap().number = SENDING_LIMIT - 1;
    alice.say(NOW, b"the last");
    assert_eq!(alice.session.sealed_on_chain(), SENDING_LIMIT);
    assert_eq!(alice.send(NOW, &app(NOW, b"")).unwrap_err(), SealError::Exhausted);
}

#[test]
fn e7_a_forged_header_under_a_stolen_key_moves_nothing() {
    let [alice, mut bob] = talking(13);
    // The thief has the header key and not the chain: the body is another's.
    let State::Live(ratchet) = &alice.session.state else { panic!("it is closing") };
    let Turn::Sending(sending) = &ratchet.turn else { panic!("nothing was sent") };
    let slot = ratchet.places.clone().advance(NOW).unwrap();
    let place = Place { epoch: slot.epoch, index: slot.index };
    let frame = Frame { id: &alice.session.id, key: &sending.header, place };
    let header = Header {
        key: sending.own.public_key().to_bytes(),
        previous: sending.previous,
        number: 20_000,
        flags: Flags { mixed: false, block: None },
    };
    let message = crate::crypto::Secret::generate(&mut rng(1));
    let body = [0; body_size(2_048)];
    let data = frame.seal(&Salt::default(), &header, &message, &body, &mut rng(2)).unwrap();
    let name = sending.header.name(header.number, &Salt::default());
    let packet = Packet { topic: sending.header.topic(place), data, name };
    refuses(&mut bob, &packet, OpenFailure::NotOurs);
}

#[test]
fn e8_messages_of_old_chains_open_until_five_have_followed() {
    let [mut alice, mut bob] = talking(14);
    let mut late = Vec::new();
    for turn in 0..9_u64 {
        let now = after(turn);
        late.push(bob.say(now, format!("late {turn}").as_bytes()));
        let packet = bob.say(now, b"turn");
        alice.hear(now, &packet).unwrap();
        let packet = alice.say(now, b"back");
        bob.hear(now, &packet).unwrap();
    }
    let State::Live(ratchet) = &alice.session.state else { panic!("it is closing") };
    assert_eq!(ratchet.superseded.len(), 5);
    for (turn, packet) in late.iter().enumerate() {
        let heard = alice.hear(after(20), packet);
        match turn < 3 {
            true => assert_eq!(heard, Err(OpenFailure::NotOurs), "{turn}"),
            false => assert_eq!(heard.unwrap(), format!("late {turn}").as_bytes()),
        }
    }
}

#[test]
fn e8_a_session_keeps_2000_keys_and_a_chain_1000() {
    let [mut alice, mut bob] = talking(15);
    for turn in 0..4_u64 {
        let State::Live(ratchet) = &mut alice.session.state else { panic!("it is closing") };
        ratchet.bring_key(NOW, &alice.session.id, &mut rng(turn));
        let packet = bent(&mut alice, NOW, |header, _| header.number += 900);
        bob.open(NOW, &packet).unwrap_or_else(|_| panic!("{turn}"));
        let packet = bob.say(NOW, b"turn");
        alice.hear(NOW, &packet).unwrap();
    }
    let State::Live(ratchet) = &mut bob.session.state else { panic!("it is closing") };
    let kept: Vec<_> = ratchet.chains().map(|chain| chain.skipped.len()).collect();
    assert_eq!(kept.iter().sum::<usize>(), 2_000, "{kept:?}");
}

#[test]
fn e8_a_chain_that_loses_twice_keeps_the_newest_1000_keys() {
    let [mut alice, mut bob] = talking(25);
    let first = alice.say(NOW, b"too old");
    for ahead in [600, 1_300] {
        let packet = bent(&mut alice, NOW, |header, _| header.number += ahead);
        bob.open(NOW, &packet).unwrap();
    }
    let State::Live(ratchet) = &bob.session.state else { panic!("it is closing") };
    assert_eq!(ratchet.receiving.as_ref().unwrap().skipped.len(), 1_000);
    assert_eq!(bob.hear(NOW, &first), Err(OpenFailure::KeyGone { name: first.name }));
}

#[test]
fn a_key_that_nobody_asked_for_in_30_days_is_forgotten() {
    let [mut alice, mut bob] = talking(16);
    let missing = alice.say(NOW, b"missing");
    let packet = alice.say(NOW, b"here");
    bob.hear(NOW, &packet).unwrap();
    let days = |days: u64| after(days * 86_400);
    let mut session = bob.session.clone();
    session.forget(days(30));
    assert!(session == bob.session);
    session.forget(days(30).saturating_add(Duration::from_millis(1)));
    assert!(session != bob.session);
    bob.take(session);
    assert_eq!(bob.hear(NOW, &missing), Err(OpenFailure::KeyGone { name: missing.name }));
}

#[test]
fn e18_what_is_authenticated_and_makes_no_sense_moves_the_session_and_shows_nothing() {
    let spoils: [(&str, Spoil); 6] = [
        ("padding", |body| *body.last_mut().unwrap() = 1),
        ("padding behind the block", |body| body[9 + 4 + 4 + 1_088] = 1),
        ("a length above the room", |body| body[5..9].copy_from_slice(&2_000_u32.to_be_bytes())),
        ("an unknown kind", |body| body[0] = 7),
        ("the last kind", |body| body[0] = 255),
        ("an acknowledgement of no whole name", |body| body[0] = 1),
    ];
    for (what, spoil) in spoils {
        let [mut alice, mut bob] = talking(17);
        let packet = bent(&mut alice, NOW, |_, body| spoil(body));
        let opened = bob.open(NOW, &packet).unwrap_or_else(|_| panic!("{what}"));
        assert_eq!(opened.content, None, "{what}");
        assert_eq!(
            bob.open(NOW, &packet).unwrap_err(),
            OpenFailure::KeyGone { name: packet.name },
            "{what}"
        );
    }
}

#[test]
fn a_key_of_the_kem_that_is_none_shows_nothing_and_is_not_answered() {
    let [mut alice, mut bob] = pair(18);
    let packet = bent(&mut bob, NOW, |_, body| body[9 + 4 + 4..][..1_184].fill(0xff));
    assert_eq!(alice.open(NOW, &packet).unwrap().content, None);
    let State::Live(ratchet) = &alice.session.state else { panic!("it is closing") };
    assert_eq!(ratchet.round, Round::Wait(1));
}

#[test]
fn e26_an_answer_that_is_garbage_stops_one_direction_only() {
    let [mut alice, mut bob] = pair(19);
    let packet = bob.say(NOW, b"offer");
    alice.hear(NOW, &packet).unwrap();
    alice.say(NOW, b"lost");
    let packet = bent(&mut alice, NOW, |_, body| body[9 + 4 + 4] ^= 1);
    assert!(bob.open(NOW, &packet).unwrap().content.is_some());
    // Alice goes on with the right answer, and Bob mixes another secret in.
    alice.say(NOW, b"under the same number");
    let packet = bob.say(NOW, b"mixed");
    let before = alice.session.clone();
    assert_eq!(alice.open(NOW, &packet).unwrap_err(), OpenFailure::NotOurs);
    assert!(alice.session == before);
    let packet = alice.say(NOW, b"still");
    assert_eq!(bob.hear(NOW, &packet).unwrap(), b"still");
}

#[test]
fn a_new_key_while_ours_is_due_and_a_length_of_no_chain_are_refused() {
    let [mut alice, mut bob] = pair(20);
    let packet = bent(&mut bob, NOW, |header, _| header.previous = 1);
    refuses(&mut alice, &packet, OpenFailure::Refused);
    let mut twice = bob.session.clone();
    let packet = bob.say(NOW, b"first");
    alice.hear(NOW, &packet).unwrap();
    // Bob's next chain, although Alice has not answered.
    let State::Live(ratchet) = &mut twice.state else { panic!("it is closing") };
    ratchet.bring_key(NOW, &bob.session.id, &mut rng(1));
    let Turn::Sending(sending) = &ratchet.turn else { panic!("nothing was sent") };
    let peer = sending.own.public_key();
    let State::Live(ours) = &alice.session.state else { panic!("it is closing") };
    ratchet.turn = Turn::Due { peer, header: ours.awaited.header.clone(), previous: 1 };
    let mut twice = Side::new(twice, 21);
    let packet = twice.say(NOW, b"second");
    refuses(&mut alice, &packet, OpenFailure::Refused);
}

#[test]
fn after_a_goodbye_only_what_was_said_before_it_on_its_chain_opens() {
    let [mut alice, mut bob] = talking(22);
    let before = alice.say(NOW, b"before");
    let close = alice.send(NOW, &Body { sent_at: NOW, content: Content::Close }).unwrap();
    let [behind, last] = [b"behind", b"last  "].map(|text| alice.say(NOW, text));
    bob.hear(NOW, &last).unwrap();
    let opened = bob.open(NOW, &close).unwrap();
    assert_eq!(opened.content, Some(Content::Close));
    let closing = bob.session.closing(opened.chain, opened.number).unwrap();
    assert!(!closing.can_seal());
    assert_eq!(closing.lanes().count(), 1);
    let restored = Session::restore(closing.record().state().unwrap()).unwrap();
    assert!(restored == closing);
    bob.take(closing);
    assert_eq!(bob.hear(NOW, &behind), Err(OpenFailure::KeyGone { name: behind.name }));
    assert_eq!(bob.hear(NOW, &before).unwrap(), b"before");
    assert_eq!(bob.send(NOW, &app(NOW, b"")).unwrap_err(), SealError::Unanswered);
    assert!(alice.session.closing(1_000, 0).is_none());
}

#[test]
fn a_block_rides_beside_everything_but_a_card() {
    let [_, mut bob] = pair(23);
    for content in [Content::Close, Content::Cover(Vec::new()), Content::App(Vec::from([1; 544]))] {
        let State::Live(ratchet) = &bob.session.state else { panic!("it is closing") };
        let mut ratchet = ratchet.clone();
        ratchet.bring_key(NOW, &bob.session.id, &mut rng(1));
        let block: Option<Block> = ratchet.round.block();
        let body = Body { sent_at: NOW, content };
        assert!(body.fill(block.as_ref(), body_size(2_048)).is_some());
        assert_eq!(bob.send(NOW, &body).unwrap().data.len(), 2_076);
    }
}
