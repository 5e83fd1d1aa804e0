use alloc::vec;
use core::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::*;
use crate::envelope::Draft;
use crate::message::Padding;
use crate::message::Recipient;
use crate::message::encrypt;
use crate::time::Timestamp;

const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);
const TOPIC: Topic = Topic::new(*b"news");
const OTHER: Topic = Topic::new(*b"chat");

fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

fn key(seed: u8) -> Arc<SymmetricKey> {
    Arc::new(SymmetricKey::generate(&mut rng(seed)))
}

fn identity(seed: u8) -> Arc<Identity> {
    Arc::new(Identity::generate(&mut rng(seed)))
}

fn wrap(data: Vec<u8>, topic: Topic) -> Envelope {
    Draft::new(NOW, Duration::from_secs(50), topic, data).unwrap().seal(0)
}

fn envelope(recipient: Recipient<'_>, signer: Option<&Identity>, topic: Topic) -> Envelope {
    wrap(encrypt(b"hello", Padding::Aligned, signer, recipient, &mut rng(9)).unwrap(), topic)
}

fn on(topics: &[Topic], key: impl Into<Key>) -> Filter {
    Filter { topics: topics.to_vec(), ..Filter::new(key) }
}

fn matches(inbox: &mut Inbox, envelope: &Envelope) -> Vec<FilterId> {
    let delivery = inbox.open(envelope, false, envelope.rating());
    delivery.map_or(vec![], |delivery| delivery.filters)
}

#[test]
fn a_message_reaches_every_filter_that_wants_it_once() {
    let mut inbox = Inbox::new();
    let key = key(1);
    let here = inbox.add(on(&[TOPIC], key.clone()));
    let _elsewhere = inbox.add(on(&[OTHER], key.clone()));
    let twice = inbox.add(on(&[TOPIC, OTHER, TOPIC], key.clone()));
    let anywhere = inbox.add(Filter::new(key.clone()));
    let envelope = envelope(Recipient::Symmetric(&key), None, TOPIC);
    assert_eq!(matches(&mut inbox, &envelope), [here, twice, anywhere]);
}

#[test]
fn a_key_is_tried_once_however_many_filters_and_topics_share_it() {
    let mut inbox = Inbox::new();
    for topics in [&[TOPIC][..], &[], &[TOPIC, OTHER]] {
        // The same bytes behind another pointer are the same key.
        inbox.add(on(topics, key(1)));
    }
    assert_eq!(inbox.any_topic.len(), 1);
    assert_eq!(inbox.by_topic[&TOPIC].len(), 1);
    assert_eq!(inbox.by_topic[&TOPIC].values().next().unwrap().slots.len(), 2);
}

#[test]
fn the_facts_of_the_envelope_come_with_the_message() {
    let mut inbox = Inbox::new();
    let [alice, bob] = [1, 2].map(identity);
    inbox.add(Filter::new(bob.clone()));
    let recipient = Recipient::PublicKey(bob.public_key());
    let envelope = envelope(recipient, Some(&alice), OTHER);
    let delivery = inbox.open(&envelope, false, envelope.rating()).unwrap();
    let received = &delivery.received;
    assert_eq!(received.message.signer(), Some(alice.public_key()));
    assert_eq!(received.key, KeyName::Identity(bob.public_key()));
    assert_eq!(received.hash, envelope.hash());
    assert_eq!((received.issued, received.ttl), (Some(1_600_000_000), 50));
    assert_eq!((received.topic, received.rating), (OTHER, envelope.rating()));
}

#[test]
fn an_expected_signer_must_have_signed() {
    let mut inbox = Inbox::new();
    let [alice, carol] = [1, 3].map(identity);
    let key = key(1);
    let filter = Filter { signer: Some(alice.public_key()), ..on(&[TOPIC], key.clone()) };
    let id = inbox.add(filter);
    let recipient = Recipient::Symmetric(&key);
    assert_eq!(matches(&mut inbox, &envelope(recipient, Some(&alice), TOPIC)), [id]);
    assert_eq!(matches(&mut inbox, &envelope(recipient, Some(&carol), TOPIC)), []);
    assert_eq!(matches(&mut inbox, &envelope(recipient, None, TOPIC)), []);
    let counts = inbox.counts(id).unwrap();
    assert_eq!((counts.matched, counts.other_signer), (1, 2));
}

#[test]
fn direct_messages_reach_only_filters_that_admit_them_and_are_not_rated() {
    let mut inbox = Inbox::new();
    let key = key(1);
    let min_rating = Rating::new(1e9).unwrap();
    let public = inbox.add(on(&[TOPIC], key.clone()));
    let direct = inbox.add(Filter { direct: true, min_rating, ..on(&[TOPIC], key.clone()) });
    let envelope = envelope(Recipient::Symmetric(&key), None, TOPIC);
    let delivery = inbox.open(&envelope, true, Rating::ZERO).unwrap();
    assert_eq!(delivery.filters, [direct]);
    assert!(delivery.received.direct);
    assert_eq!(matches(&mut inbox, &envelope), [public]);
    assert_eq!(inbox.counts(public).unwrap(), Counts { matched: 1, ..Counts::default() });
    let expected = Counts { matched: 1, rated_too_low: 1, ..Counts::default() };
    assert_eq!(inbox.counts(direct).unwrap(), expected);
}

#[test]
fn a_filter_counts_what_it_saw_since_it_was_added() {
    let mut inbox = Inbox::new();
    let [ours, theirs] = [1, 2].map(key);
    let first = inbox.add(on(&[TOPIC, OTHER], ours.clone()));
    let for_us = envelope(Recipient::Symmetric(&ours), None, TOPIC);
    let for_others = envelope(Recipient::Symmetric(&theirs), None, TOPIC);
    let elsewhere = envelope(Recipient::Symmetric(&ours), None, Topic::new([0; 4]));
    matches(&mut inbox, &for_us);
    let second = inbox.add(on(&[TOPIC], ours));
    for envelope in [&for_us, &for_others, &elsewhere] {
        matches(&mut inbox, envelope);
    }
    let expected = Counts { matched: 2, not_opened: 1, topic_missed: 1, ..Counts::default() };
    assert_eq!(inbox.counts(first), Some(expected));
    assert_eq!(inbox.counts(second), Some(Counts { matched: 1, ..expected }));
}

#[test]
fn a_removed_filter_leaves_nothing_behind() {
    let mut inbox = Inbox::new();
    let key = key(1);
    let keep = inbox.add(on(&[TOPIC], key.clone()));
    for topics in [&[TOPIC, OTHER][..], &[]] {
        let id = inbox.add(on(topics, key.clone()));
        assert!(inbox.remove(id).is_some());
        assert!(inbox.remove(id).is_none());
        assert_eq!(inbox.counts(id), None);
    }
    assert!(inbox.any_topic.is_empty());
    assert_eq!(inbox.by_topic.keys().collect::<Vec<_>>(), [&TOPIC]);
    assert_eq!(matches(&mut inbox, &envelope(Recipient::Symmetric(&key), None, TOPIC)), [keep]);
    inbox.remove(keep);
    assert!(inbox.by_topic.is_empty());
}

#[test]
fn an_id_is_never_used_twice() {
    let mut inbox = Inbox::new();
    let first = inbox.add(Filter::new(key(1)));
    inbox.remove(first);
    assert_ne!(inbox.add(Filter::new(key(1))), first);
}

#[test]
fn the_bloom_admits_every_topic_and_all_if_a_filter_does() {
    let mut inbox = Inbox::new();
    assert_eq!(inbox.bloom(), Bloom::EMPTY);
    let lossy = Topic::new([0, 1, 2, 0]);
    inbox.add(on(&[lossy, OTHER], key(1)));
    assert_eq!(inbox.bloom(), Bloom::of(lossy).union(&Bloom::of(OTHER)));
    let any = inbox.add(Filter::new(key(1)));
    assert!(inbox.bloom().is_full());
    inbox.remove(any);
    assert!(inbox.bloom().admits(OTHER) && !inbox.bloom().is_full());
}

#[test]
fn what_is_cut_or_empty_is_for_nobody() {
    let mut inbox = Inbox::new();
    let bob = identity(2);
    inbox.add(Filter::new(bob.clone()));
    inbox.add(Filter::new(key(1)));
    let data = envelope(Recipient::PublicKey(bob.public_key()), None, TOPIC).data().to_vec();
    for length in [0, 1, 11, 12, 27, 28, 97, 98, 112, 113, data.len() - 1] {
        assert_eq!(matches(&mut inbox, &wrap(data[..length].to_vec(), TOPIC)), [], "{length}");
    }
}
