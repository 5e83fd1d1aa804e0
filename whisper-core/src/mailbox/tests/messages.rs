//! Filters, repeats and reviews.

use alloc::vec;

use super::*;
use crate::identity::SymmetricKey;
use crate::inbox::Filter;
use crate::message::Padding;
use crate::message::Recipient;
use crate::message::encrypt;
use crate::pool::Pool;

const TTL: Duration = Duration::from_secs(50);

fn host() -> Party {
    Party::new(9, false)
}

fn wrap(data: &[u8], topic: Topic, nonce: u64) -> Envelope {
    Draft::new(NOW, TTL, topic, data.to_vec()).unwrap().seal(nonce)
}

#[test]
fn one_message_in_ten_envelopes_is_shown_once() {
    let mut host = host();
    let key = Arc::new(SymmetricKey::generate(&mut host.rng));
    host.mailbox.add_filter(Filter::new(Arc::clone(&key)));
    let recipient = Recipient::Symmetric(&key);
    let data = encrypt(b"once", Padding::Aligned, None, recipient, &mut host.rng).unwrap();
    let shown =
        (0..10).map(|nonce| host.hear(NOW, &wrap(&data, Topic::default(), nonce)).delivered);
    assert_eq!(shown.sum::<usize>(), 1);
}

#[test]
fn a_copy_under_another_topic_does_not_suppress_the_original() {
    let mut host = host();
    let key = Arc::new(SymmetricKey::generate(&mut host.rng));
    let [one, other] = [[1; 4], [2; 4]].map(Topic::new);
    for topic in [one, other] {
        host.mailbox.add_filter(Filter { topics: vec![topic], ..Filter::new(Arc::clone(&key)) });
    }
    let recipient = Recipient::Symmetric(&key);
    let data = encrypt(b"original", Padding::Aligned, None, recipient, &mut host.rng).unwrap();
    assert_eq!(host.hear(NOW, &wrap(&data, other, 1)).delivered, 1, "the copy");
    assert_eq!(host.hear(NOW, &wrap(&data, one, 2)).delivered, 1, "the original");
    assert_eq!(host.hear(NOW, &wrap(&data, one, 3)).delivered, 0, "a repeat");
}

#[test]
fn a_message_is_not_shown_again_with_its_point_negated() {
    let mut host = host();
    let identity = Arc::new(Identity::generate(&mut host.rng));
    host.mailbox.add_filter(Filter::new(Arc::clone(&identity)));
    let recipient = Recipient::PublicKey(identity.public_key());
    let mut data = encrypt(b"once", Padding::Aligned, None, recipient, &mut host.rng).unwrap();
    assert_eq!(host.hear(NOW, &wrap(&data, Topic::default(), 0)).delivered, 1);
    negate(&mut data[33..65]);
    let opened = crate::message::Message::open_as(&data, &identity).unwrap();
    assert_eq!(opened.payload(), b"once", "it opens none the less");
    assert_eq!(host.hear(NOW, &wrap(&data, Topic::default(), 0)).delivered, 0);
}

/// `p - y`, of secp256k1.
fn negate(y: &mut [u8]) {
    let mut p = [0xff_u8; 32];
    p[27] = 0xfe;
    p[28..].copy_from_slice(&[0xff, 0xff, 0xfc, 0x2f]);
    let mut borrow = 0_i16;
    for (y, p) in y.iter_mut().zip(p).rev() {
        let difference = i16::from(p) - i16::from(*y) - borrow;
        borrow = i16::from(difference < 0);
        *y = difference.rem_euclid(256) as u8;
    }
}

#[test]
fn a_message_is_remembered_an_hour_beyond_the_last_of_its_envelopes() {
    let mut host = host();
    let key = Arc::new(SymmetricKey::generate(&mut host.rng));
    host.mailbox.add_filter(Filter::new(Arc::clone(&key)));
    let recipient = Recipient::Symmetric(&key);
    let data = encrypt(b"once", Padding::Aligned, None, recipient, &mut host.rng).unwrap();
    let envelope = wrap(&data, Topic::default(), 0);
    assert_eq!(host.hear(NOW, &envelope).delivered, 1);
    assert_eq!(host.hear(after(3_650), &envelope).delivered, 0);
    assert_eq!(host.hear(after(3_651), &envelope).delivered, 1);
}

#[test]
fn a_new_filter_is_tried_on_the_pool_and_shows_others_nothing_again() {
    let mut host = host();
    let key = Arc::new(SymmetricKey::generate(&mut host.rng));
    let mut pool = Pool::new(crate::pool::Limits::default(), [1; 32]);
    let recipient = Recipient::Symmetric(&key);
    let early = host.mailbox.add_filter(Filter::new(Arc::clone(&key)));
    host.mailbox.start_review().unwrap();
    for nonce in 0..10 {
        let data = encrypt(b"early", Padding::Aligned, None, recipient, &mut host.rng).unwrap();
        let envelope = wrap(&data, Topic::default(), nonce);
        assert_eq!(host.hear(NOW, &envelope).delivered, 1);
        let rating = envelope.rating();
        pool.insert(NOW, Arc::new(envelope), rating, Origin::Own).unwrap();
    }
    let late = host.mailbox.add_filter(Filter::new(Arc::clone(&key)));
    let mut reviewer = Reviewer::default();
    reviewer.request(host.mailbox.start_review().unwrap());
    assert!(host.mailbox.start_review().is_none());
    let mut shown = 0;
    while !reviewer.is_idle() {
        let arrivals = reviewer.slice(&pool, 3);
        assert!(arrivals.len() <= 3);
        for arrival in arrivals {
            let outputs = host.mailbox.receive(NOW, arrival, &mut host.rng);
            shown += host.store(NOW, outputs).delivered;
        }
    }
    assert_eq!(shown, 10);
    let counts = [early, late].map(|filter| host.mailbox.counts(filter).unwrap());
    assert_eq!(counts.map(|counts| (counts.matched, counts.topic_missed)), [(10, 0); 2]);
}

#[test]
fn what_is_asked_for_during_a_walk_shares_the_next() {
    let mut mailbox = Mailbox::new(Config { waiting: Limits::waiting(1 << 20), persists: false });
    let mut pool = Pool::new(crate::pool::Limits::default(), [1; 32]);
    for nonce in 0..4 {
        let envelope = wrap(&[7; 9], Topic::default(), nonce);
        let rating = envelope.rating();
        pool.insert(NOW, Arc::new(envelope), rating, Origin::Own).unwrap();
    }
    let mut reviewer = Reviewer::default();
    let key = Arc::new(SymmetricKey::from_password("any"));
    for _ in 0..5 {
        mailbox.add_filter(Filter::new(Arc::clone(&key)));
        reviewer.request(mailbox.start_review().unwrap());
        reviewer.slice(&pool, 1);
    }
    let mut slices = 5;
    while !reviewer.is_idle() {
        reviewer.slice(&pool, 1);
        slices += 1;
    }
    assert_eq!(slices, 3 * 4, "five walks would take 20");
}
