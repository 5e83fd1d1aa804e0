//! Which card of a peer counts.

use super::*;

fn later(count: u64) -> Timestamp {
    NOW.saturating_add(days(count))
}

#[test]
fn the_newest_whole_card_counts_whatever_the_order() {
    let mut owner = Owner::new(1);
    let cards = [0, 7, 14].map(|count| owner.card(later(count)));
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let mut known = KnownCards::new(owner.cert(NOW));
        for place in order {
            let newest = known.whole().is_none_or(|own| {
                own.prekey_validity().not_before() < cards[place].prekey_validity().not_before()
            });
            let expected = if newest { Heard::New } else { Heard::Old };
            assert_eq!(known.hear_card(later(14), cards[place].clone()), Ok(expected));
        }
        assert_eq!(known.whole(), Some(&cards[2]));
    }
}

#[test]
fn of_cards_that_are_equally_new_the_last_one_counts() {
    let mut owner = Owner::new(1);
    let (one, other) = (owner.card(NOW), owner.one_time_card());
    let mut known = KnownCards::new(owner.cert(NOW));
    for card in [&one, &other, &one] {
        assert_eq!(known.hear_card(NOW, card.clone()), Ok(Heard::New));
        assert_eq!(known.whole(), Some(card));
    }
}

#[test]
fn a_short_card_stands_beside_the_whole_one_until_that_is_as_new() {
    let mut owner = Owner::new(1);
    let cards = [0, 7].map(|count| owner.card(later(count)));
    let mut known = KnownCards::new(owner.cert(NOW));
    assert_eq!(known.hear_card(NOW, cards[0].clone()), Ok(Heard::New));
    assert_eq!(known.hear_short(NOW, cards[0].to_short()), Ok(Heard::Old));
    assert_eq!(known.short(), None);
    assert_eq!(known.hear_short(later(7), cards[1].to_short()), Ok(Heard::New));
    assert_eq!(known.hear_card(later(7), cards[0].clone()), Ok(Heard::New));
    assert_eq!(known.short(), Some(&cards[1].to_short()), "the older whole one leaves it");
    assert_eq!(known.whole(), Some(&cards[0]));
    assert_eq!(known.hear_card(later(7), cards[1].clone()), Ok(Heard::New));
    assert_eq!((known.whole(), known.short()), (Some(&cards[1]), None));
}

#[test]
fn a_card_from_a_clock_that_was_ahead_does_not_stand_in_the_way() {
    let mut owner = Owner::new(1);
    let (ahead, good) = (owner.card(later(300)), owner.card(NOW));
    let mut known = KnownCards::new(owner.cert(NOW));
    assert_eq!(known.hear_card(NOW, ahead.clone()), Err(NotKept::NotYetValid));
    assert_eq!(known.hear_short(NOW, ahead.to_short()), Err(NotKept::NotYetValid));
    assert_eq!(known.hear_cert(NOW, &owner.cert(later(300))), Err(NotKept::NotYetValid));
    assert_eq!(known.hear_card(NOW, good), Ok(Heard::New));
    assert_eq!(known.short(), None);
}

#[test]
fn a_newer_certificate_with_another_key_is_told_and_an_older_one_refused() {
    let mut owner = Owner::new(1);
    let card = owner.card(NOW);
    let mut known = KnownCards::new(owner.cert(NOW));
    assert_eq!(known.hear_card(NOW, card.clone()), Ok(Heard::New));
    owner.long_term = XOnlySecretKey::generate(&mut owner.rng);
    assert_eq!(known.hear_card(NOW, owner.card(NOW)), Err(NotKept::OtherKey));
    assert_eq!(known.whole(), Some(&card));
    assert_eq!(known.hear_cert(later(1), &owner.cert(later(1))), Ok(Heard::KeyChanged));
    assert_eq!(known.whole(), None, "nothing goes out under the former key");
    assert_eq!(known.cert().long_term(), owner.long_term.public_key());
    assert_eq!(known.hear_card(later(1), card), Err(NotKept::OtherKey));
}

#[test]
fn the_card_of_somebody_else_is_refused() {
    let (owner, mut other) = (Owner::new(1), Owner::new(2));
    let mut known = KnownCards::new(owner.cert(NOW));
    let card = other.card(NOW);
    assert_eq!(known.hear_short(NOW, card.to_short()), Err(NotKept::Stranger));
    assert_eq!(known.hear_card(NOW, card), Err(NotKept::Stranger));
}
