//! Bad networks and lost devices, drawn at random: whatever was said is shown, and one session stays.

use std::collections::BTreeSet;
use std::time::Duration;

use chacha20::rand_core::Rng;

use crate::couple::Couple;
use crate::couple::DAY;
use crate::couple::HOUR;

/// What happens in the middle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Nothing,
    Wiped,
    RolledBack,
}

fn survive(seed: u64, fate: Fate) {
    let mut couple = Couple::talking(seed);
    couple.loss = couple.rng.next_u64() % 500;
    couple.repeats = couple.rng.next_u64() % 200;
    // Late hours are not watched here: see `hours`.
    couple.delay = Duration::from_secs(1 + couple.rng.next_u64() % 7_200);
    let mut said = [BTreeSet::new(), BTreeSet::new()];
    let mut shown = [BTreeSet::new(), BTreeSet::new()];
    let mut count = 0_u32;
    let who = usize::from(couple.rng.next_u64().is_multiple_of(2));
    let mut store = couple.parties[who].store.clone();
    for step in 0..24 {
        let speaker = usize::from(couple.rng.next_u64().is_multiple_of(2));
        count += 1;
        couple.say(speaker, &count.to_be_bytes());
        said[speaker].insert(count);
        let pause = Duration::from_secs(60 + couple.rng.next_u64() % 20_000);
        couple.wait(pause);
        if step == 6 {
            store = couple.parties[who].store.clone();
        }
        if step == 12 {
            // What its owner had not got across is lost with it.
            said[who].clear();
            match fate {
                Fate::Nothing => {}
                Fate::Wiped => {
                    let now = couple.now;
                    couple.parties[who].wipe(now);
                    meet(&mut couple);
                }
                Fate::RolledBack => couple.parties[who].store = store.clone(),
            }
        }
    }
    (couple.loss, couple.repeats, couple.delay) = (0, 0, Duration::from_secs(5));
    for _ in 0..10 {
        for speaker in [0, 1] {
            count += 1;
            couple.say(speaker, &count.to_be_bytes());
            said[speaker].insert(count);
            couple.wait(6 * HOUR);
            answer(&mut couple);
        }
    }
    couple.wait(2 * DAY);
    for (shown, texts) in shown.iter_mut().zip(couple.shown()) {
        let numbers = texts.into_iter().filter_map(|text| text.try_into().ok());
        shown.extend(numbers.map(u32::from_be_bytes));
    }
    for (said, shown) in said.iter().zip([&shown[1], &shown[0]]) {
        let unheard: Vec<_> = said.difference(shown).collect();
        assert!(unheard.is_empty(), "{fate:?} {seed}: never shown: {unheard:?}");
    }
    let current = couple.parties.each_ref().map(|party| party.store.dialogue.current());
    assert!(current[0].is_some() && current[0] == current[1], "{fate:?} {seed}: {current:?}");
}

/// They show each other their cards.
fn meet(couple: &mut Couple) {
    for who in [0, 1] {
        let card = couple.parties[1 - who].card();
        let out = couple.parties[who].hear_card(couple.now, card);
        couple.post(who, out);
    }
}

/// Whoever is asked, accepts.
fn answer(couple: &mut Couple) {
    for who in [0, 1] {
        if !couple.parties[who].store.dialogue.is_accepted() {
            let pending = couple.parties[who].store.dialogue.sessions(couple.now).next().is_some();
            if pending {
                couple.accept(who);
            }
        }
    }
}

#[test]
fn loss_repeats_and_delay_lose_no_text() {
    (0..4).for_each(|seed| survive(100 + seed, Fate::Nothing));
}

#[test]
fn who_lost_everything_is_found_again() {
    (0..4).for_each(|seed| survive(200 + seed, Fate::Wiped));
}

#[test]
fn who_goes_on_from_an_earlier_state_is_found_again() {
    (0..4).for_each(|seed| survive(300 + seed, Fate::RolledBack));
}
