//! What happens to two people, one story after the other.

use whisper_core::session::card::Card;
use whisper_core::session::dialogue::*;
use whisper_core::session::full;

use crate::couple::Couple;
use crate::couple::DAY;
use crate::couple::HOUR;
use crate::party::Mail;

fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn one_message_begins_a_conversation_with_somebody_who_is_away() {
    let mut couple = Couple::new(1);
    couple.say(0, b"hello");
    couple.say(0, b"are you there?");
    couple.wait(3 * DAY);
    // Nothing is shown, and nothing answered, before Bob accepts.
    assert_eq!(couple.shown(), [vec![], vec![]] as [Vec<Vec<u8>>; 2]);
    assert!(couple.recorded.iter().all(|(from, _)| *from == 0));
    couple.accept(1);
    couple.say(1, b"now I am");
    couple.wait(2 * HOUR);
    let [alice, bob] = couple.shown();
    assert_eq!(alice, texts(&["now I am"]));
    // The second invitation did not name the one-time key; both arrived, each text once.
    let mut bob = bob;
    bob.sort();
    assert_eq!(bob, texts(&["are you there?", "hello"]));
    let current = couple.parties.each_ref().map(|party| party.store.dialogue.current());
    assert!(current[0].is_some() && current[0] == current[1]);
}

#[test]
fn acknowledgements_turn_the_ratchet_and_the_kem_heals_it_by_itself() {
    let mut couple = Couple::talking(2);
    for round in 0..6_u8 {
        couple.say(0, &[round]);
        couple.wait(2 * HOUR);
        couple.say(1, &[round]);
        couple.wait(2 * HOUR);
    }
    for party in &couple.parties {
        let current = party.store.dialogue.current().unwrap();
        assert!(party.store.sessions[&current].rounds().mixed >= 6);
    }
    assert_eq!(couple.shown().map(|shown| shown.len()), [6, 6]);
}

#[test]
fn whoever_was_invited_gets_the_whole_card_and_can_invite_in_turn() {
    let mut couple = Couple::talking(3);
    couple.wait(2 * HOUR);
    let alice = couple.parties[0].key();
    let card = couple.parties[1].store.cards.as_ref().and_then(|cards| cards.whole());
    assert_eq!(card.map(|card| card.cert().identity()), Some(alice));
    // Alice loses everything. Bob's next message after a day goes in an invitation too, but to a
    // prekey that is gone, so she publishes her card again.
    let now = couple.now;
    couple.parties[0].wipe(now);
    couple.say(1, b"lost");
    couple.wait(25 * HOUR);
    couple.say(1, b"still there?");
    couple.wait(HOUR);
    assert!(couple.parties[0].stale_cards > 0);
    let card = couple.parties[0].card();
    let out = couple.parties[1].hear_card(couple.now, card);
    couple.post(1, out);
    couple.wait(DAY);
    couple.say(1, b"now?");
    couple.wait(HOUR);
    couple.accept(0);
    couple.wait(3 * HOUR);
    let [mut alice, _] = couple.shown();
    alice.sort();
    assert_eq!(alice, texts(&["lost", "now?", "still there?"]));
    couple.say(0, b"yes");
    couple.wait(HOUR);
    assert_eq!(couple.shown()[1], texts(&["yes"]));
}

#[test]
fn a_long_message_arrives_whole_through_an_invitation_and_through_a_session() {
    let mut couple = Couple::new(4);
    let long: Vec<u8> = (0..200_000_u32).map(|number| number.to_be_bytes()[3]).collect();
    couple.say(0, &long);
    couple.wait(HOUR);
    couple.accept(1);
    couple.say(1, &long);
    couple.wait(HOUR);
    assert_eq!(couple.shown(), [[long.clone()], [long]].map(Vec::from));
}

#[test]
fn e4_both_invite_at_once_and_find_one_session() {
    let mut couple = Couple::new(5);
    let card = couple.parties[0].card();
    couple.parties[1].hear_card(couple.now, card);
    couple.say(0, b"a");
    couple.say(1, b"b");
    couple.wait(HOUR);
    couple.say(0, b"c");
    couple.wait(HOUR);
    let mut shown = couple.shown();
    shown.iter_mut().for_each(|shown| shown.sort());
    assert_eq!(shown, [texts(&["b"]), texts(&["a", "c"])]);
    let current = couple.parties.each_ref().map(|party| party.store.dialogue.current());
    assert!(current[0].is_some() && current[0] == current[1]);
}

#[test]
fn e1_an_invitation_that_is_repeated_begins_nothing_even_after_a_close() {
    let mut couple = Couple::talking(6);
    let invitation = couple.recorded[0].1.clone();
    let before = couple.parties[1].store.sessions.len();
    let now = couple.now;
    assert!(couple.parties[1].take(now, &invitation).is_empty());
    assert_eq!(couple.parties[1].store.sessions.len(), before);
    let out = couple.parties[1].close(now);
    couple.post(1, out);
    couple.wait(HOUR);
    assert!(couple.parties[1].take(couple.now, &invitation).is_empty());
    assert!(couple.parties[1].store.sessions.is_empty());
    assert!(couple.parties[0].events.contains(&DialogueEvent::Closed));
}

#[test]
fn e15_what_was_sent_before_a_close_is_shown_after_it_and_nothing_later() {
    let mut couple = Couple::talking(7);
    couple.say(1, b"one more thing");
    let late: Vec<_> = std::mem::take(&mut couple.mail).into_values().collect();
    let out = couple.parties[1].close(couple.now);
    couple.post(1, out);
    couple.wait(HOUR);
    assert!(couple.parties[0].events.contains(&DialogueEvent::Closed));
    for (to, mail) in late {
        couple.parties[to].take(couple.now, &mail);
    }
    assert_eq!(couple.shown()[0], texts(&["one more thing"]));
    let sent = couple.recorded.len();
    couple.wait(3 * DAY);
    assert!(couple.parties.iter().all(|party| party.store.sessions.is_empty()));
    assert_eq!(couple.recorded.len(), sent);
}

#[test]
fn e27_without_a_card_not_a_byte_goes_out() {
    let mut couple = Couple::new(8);
    couple.say(1, b"whoever you are");
    couple.wait(2 * DAY);
    assert!(couple.recorded.is_empty());
    let card = couple.parties[0].card();
    let out = couple.parties[1].hear_card(couple.now, card);
    couple.post(1, out);
    couple.wait(HOUR);
    couple.accept(0);
    assert_eq!(couple.shown()[0], texts(&["whoever you are"]));
}

#[test]
fn a_one_time_key_that_is_used_up_costs_a_day_and_no_text() {
    let mut couple = Couple::new(9);
    let id = couple.parties[0].store.cards.as_ref().and_then(|cards| cards.whole());
    let id = id.and_then(Card::one_time_key).unwrap().id.get();
    couple.parties[1].store.prekeys.burn(id);
    couple.say(0, b"hello");
    couple.wait(HOUR);
    assert_eq!(couple.parties[1].refused, 1);
    couple.wait(DAY);
    couple.accept(1);
    assert_eq!(couple.shown()[1], texts(&["hello"]));
}

#[test]
fn who_steals_a_phone_opens_nothing_from_before_and_nothing_after_both_have_spoken() {
    let mut couple = Couple::talking(10);
    couple.say(0, b"before");
    couple.wait(2 * HOUR);
    couple.say(1, b"before too");
    couple.wait(2 * HOUR);
    let stolen = couple.parties[1].store.clone();
    let before = couple.recorded.len();
    couple.say(0, b"in between");
    couple.wait(HOUR);
    let between = couple.recorded.len();
    couple.say(1, b"healing");
    couple.wait(2 * HOUR);
    couple.say(0, b"healing too");
    couple.wait(2 * HOUR);
    couple.say(1, b"healed");
    couple.wait(2 * HOUR);
    let after = couple.recorded.len();
    couple.say(0, b"after");
    couple.say(1, b"after too");
    couple.wait(2 * HOUR);
    couple.shown();
    let now = couple.now;
    let mut stolen = stolen;
    let mut opens = |recorded: &[(usize, Mail)]| {
        let mut texts = Vec::new();
        for (_, mail) in recorded {
            let read = (0..20).find_map(|hours| {
                stolen.read(now.saturating_sub(HOUR * hours), mail, &mut couple.rng)
            });
            if let Some(full::Content::App(text)) = read {
                texts.push(text);
            }
        }
        texts
    };
    let recorded = couple.recorded.clone();
    assert_eq!(opens(&recorded[2..before]), texts(&[]));
    assert_eq!(opens(&recorded[before..between]), texts(&["in between"]));
    // He goes along as far as he can.
    opens(&recorded[between..after]);
    assert_eq!(opens(&recorded[after..]), texts(&[]));
}
