//! Conversations, over a network in memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod common;

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use common::config;
use common::connect;
use common::failing_at;
use common::identity;
use common::is_quiet;
use common::pair;
use common::start;
use common::within;
use tokio::time::Instant;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::Filter;
use whisper_core::packet;
use whisper_core::packet::Status;
use whisper_core::packet::code;
use whisper_core::pow::Rating;
use whisper_core::session::Ended;
use whisper_core::session::SessionError;
use whisper_core::session::SessionTtl;
use whisper_net::Closed;
use whisper_net::ConversationError;
use whisper_net::Conversations;
use whisper_net::Delivery;
use whisper_net::Handle;
use whisper_net::NoEntropy;
use whisper_net::Post;
use whisper_net::SessionEvent;
use whisper_net::Stream;
use whisper_net::memory::MemoryNetwork;
use whisper_net::transport::Protocol;
use whisper_net::transport::Transport;
use whisper_net::transport::TransportEvent;

/// One who talks.
struct Person {
    talks: Conversations,
    hears: Stream<SessionEvent>,
    key: PublicKey,
}

impl Person {
    async fn on(node: &Handle) -> Self {
        Self::named(node, identity()).await
    }

    async fn named(node: &Handle, identity: Arc<Identity>) -> Self {
        let key = identity.public_key();
        let (talks, hears) = node.converse(identity).await.unwrap();
        Self { talks, hears, key }
    }

    async fn next(&mut self) -> SessionEvent {
        within(self.hears.next()).await.unwrap().unwrap()
    }

    async fn is_invited_by(&mut self, other: &Self) {
        let event = self.next().await;
        assert!(
            matches!(event, SessionEvent::Invited { peer, .. } if peer == other.key),
            "{event:?}"
        );
    }

    async fn is_established_with(&mut self, other: &Self) {
        let event = self.next().await;
        assert!(
            matches!(event, SessionEvent::Established { peer, .. } if peer == other.key),
            "{event:?}"
        );
    }

    async fn hears(&mut self, other: &Self, text: &str) {
        let event = self.next().await;
        let SessionEvent::Message { peer, data, .. } = event else { panic!("{event:?}") };
        assert_eq!((peer, data.as_slice()), (other.key, text.as_bytes()));
    }

    async fn hears_nothing(&mut self) {
        let span = Duration::from_secs(60);
        if let Ok(event) = tokio::time::timeout(span, self.hears.next()).await {
            panic!("{event:?}");
        }
    }

    async fn says(&self, other: &Self, text: &str) {
        within(self.talks.send(other.key, text).await.unwrap()).await.unwrap();
    }

    async fn invites(&self, other: &Self, text: &str) {
        within(self.talks.invite(other.key, text).await.unwrap()).await.unwrap();
    }
}

async fn two() -> ((Handle, Person), (Handle, Person)) {
    let (here, there) = pair(&MemoryNetwork::new()).await;
    let (alice, bob) = (Person::on(&here).await, Person::on(&there).await);
    ((here, alice), (there, bob))
}

#[tokio::test(start_paused = true)]
async fn a_stranger_is_heard_once_accepted_and_then_both_talk() {
    let ((_here, mut alice), (_there, mut bob)) = two().await;
    alice.invites(&bob, "hello").await;
    bob.is_invited_by(&alice).await;
    bob.hears_nothing().await;
    alice.says(&bob, "are you there?").await;
    bob.hears_nothing().await;
    bob.talks.accept(alice.key).await.unwrap();
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "hello").await;
    bob.hears(&alice, "are you there?").await;
    bob.says(&alice, "good to hear from you").await;
    alice.is_established_with(&bob).await;
    alice.hears(&bob, "good to hear from you").await;
    alice.says(&bob, "likewise").await;
    bob.hears(&alice, "likewise").await;
    assert_eq!(bob.talks.contacts().await.unwrap(), [alice.key]);
    assert_eq!(alice.talks.sessions().await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_contact_is_heard_at_once() {
    let ((_here, alice), (_there, mut bob)) = two().await;
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.invites(&bob, "it is me").await;
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "it is me").await;
}

#[tokio::test(start_paused = true)]
async fn an_invitation_without_a_text_is_seen_too() {
    let ((_here, alice), (_there, mut bob)) = two().await;
    alice.invites(&bob, "").await;
    bob.is_invited_by(&alice).await;
}

#[tokio::test(start_paused = true)]
async fn who_is_refused_is_told_nothing_and_heard_no_more() {
    let ((_here, mut alice), (_there, mut bob)) = two().await;
    alice.invites(&bob, "hello").await;
    bob.is_invited_by(&alice).await;
    bob.talks.refuse(alice.key).await.unwrap();
    alice.says(&bob, "are you there?").await;
    bob.hears_nothing().await;
    alice.hears_nothing().await;
    let again = bob.talks.accept(alice.key).await;
    assert_eq!(again, Err(ConversationError::Session(SessionError::NotInvited)));
}

#[tokio::test(start_paused = true)]
async fn a_close_ends_it_at_both_ends() {
    let ((_here, mut alice), (_there, mut bob)) = two().await;
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.invites(&bob, "hello").await;
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "hello").await;
    within(alice.talks.close(bob.key).await.unwrap()).await.unwrap();
    let ended =
        |event: &SessionEvent, by| matches!(event, SessionEvent::Ended { why, .. } if *why == by);
    assert!(ended(&alice.next().await, Ended::Closed));
    assert!(ended(&bob.next().await, Ended::ClosedByPeer));
    for (one, other) in [(&alice, &bob), (&bob, &alice)] {
        let error = one.talks.send(other.key, "hello?").await.unwrap_err();
        assert_eq!(error, ConversationError::Session(SessionError::NoSession));
    }
}

#[tokio::test(start_paused = true)]
async fn when_both_invite_at_once_they_end_on_one_session() {
    let ((_here, mut alice), (_there, mut bob)) = two().await;
    let (hers, his) = tokio::join!(
        alice.talks.invite(bob.key, "from alice"),
        bob.talks.invite(alice.key, "from bob")
    );
    within(hers.unwrap()).await.unwrap();
    within(his.unwrap()).await.unwrap();
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "from alice").await;
    alice.is_established_with(&bob).await;
    alice.hears(&bob, "from bob").await;
    let mut sessions = Vec::new();
    for n in 0..4 {
        let sent = alice.talks.send(bob.key, format!("{n}")).await.unwrap();
        sessions.push(sent.session().unwrap());
        within(sent).await.unwrap();
        let sent = bob.talks.send(alice.key, format!("{n}")).await.unwrap();
        sessions.push(sent.session().unwrap());
        within(sent).await.unwrap();
        for person in [&mut alice, &mut bob] {
            while !matches!(person.next().await, SessionEvent::Message { .. }) {}
        }
    }
    assert_eq!(sessions[6], sessions[7]);
}

#[tokio::test(start_paused = true)]
async fn nobody_else_sees_the_invitation_and_the_keys_in_it() {
    let (here, there) = pair(&MemoryNetwork::new()).await;
    let secret = identity();
    let mut snoop = there.subscribe(Filter::new(secret.clone())).await.unwrap();
    let (alice, mut bob) = (Person::on(&here).await, Person::named(&there, secret).await);
    alice.invites(&bob, "hello").await;
    bob.is_invited_by(&alice).await;
    assert!(is_quiet(&mut snoop).await);
}

#[tokio::test(start_paused = true)]
async fn what_comes_before_its_invitation_waits_for_it() {
    let network = MemoryNetwork::new();
    let (here, there) = (start(&network, "here"), start(&network, "there"));
    let (alice, mut bob) = (Person::on(&here).await, Person::on(&there).await);
    bob.talks.add_contact(alice.key).await.unwrap();
    // All wait for a peer together. A peer sends what is best rated first, which may be any order.
    let mut sent = Vec::new();
    sent.push(alice.talks.invite(bob.key, "0").await.unwrap());
    for n in 1..30 {
        sent.push(alice.talks.send(bob.key, format!("{n}")).await.unwrap());
    }
    connect(&here, &there).await;
    for sent in sent {
        within(sent).await.unwrap();
    }
    let mut texts: Vec<u32> = Vec::new();
    while texts.len() < 30 {
        if let SessionEvent::Message { data, .. } = bob.next().await {
            texts.push(String::from_utf8(data).unwrap().parse().unwrap());
        }
    }
    assert_eq!(texts, (0..30).collect::<Vec<_>>(), "shown in the order of sending");
}

#[tokio::test(start_paused = true)]
async fn a_text_that_was_acknowledged_is_never_dropped_by_a_full_queue_afterwards() {
    let network = MemoryNetwork::new();
    let mut settings = config(&network, "there");
    settings.backlog = 4;
    let (here, there) = (start(&network, "here"), whisper_net::start(settings).unwrap());
    connect(&here, &there).await;
    let (mut alice, mut bob) = (Person::on(&here).await, Person::on(&there).await);
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.talks.set_ttl(SessionTtl::Day).await.unwrap();
    alice.invites(&bob, "0").await;
    for n in 1..12 {
        alice.says(&bob, &format!("{n}")).await;
    }
    // The reader is away until all that is going to be acknowledged is.
    let mut acknowledged = 0;
    let away = Duration::from_secs(6 * 3_600);
    while let Ok(Some(event)) = tokio::time::timeout(away, alice.hears.next()).await {
        if let Ok(SessionEvent::Acknowledged { names, .. }) = event {
            acknowledged += names.len();
        }
    }
    assert!((1..12).contains(&acknowledged), "{acknowledged}");
    bob.is_established_with(&alice).await;
    for n in 0..12 {
        bob.hears(&alice, &format!("{n}")).await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_events_nobody_reads_goes_on() {
    let network = MemoryNetwork::new();
    let mut settings = config(&network, "there");
    settings.backlog = 2;
    let (here, there) = (start(&network, "here"), whisper_net::start(settings).unwrap());
    connect(&here, &there).await;
    let (mut alice, Person { talks, hears, key }) =
        (Person::on(&here).await, Person::on(&there).await);
    talks.add_contact(alice.key).await.unwrap();
    drop(hears);
    alice.talks.set_ttl(SessionTtl::Day).await.unwrap();
    within(alice.talks.invite(key, "0").await.unwrap()).await.unwrap();
    for n in 1..6 {
        within(alice.talks.send(key, format!("{n}")).await.unwrap()).await.unwrap();
    }
    let mut acknowledged = 0;
    let away = Duration::from_secs(6 * 3_600);
    while acknowledged < 5 {
        let event = tokio::time::timeout(away, alice.hears.next()).await;
        match event.expect("all is acknowledged").unwrap().unwrap() {
            SessionEvent::Acknowledged { names, .. } => acknowledged += names.len(),
            SessionEvent::Established { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_not_lost_while_the_queue_of_posts_is_full() {
    let ((here, mut alice), (there, mut bob)) = two().await;
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.talks.set_ttl(SessionTtl::Day).await.unwrap();
    alice.invites(&bob, "hello").await;
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "hello").await;
    alice.says(&bob, "are you there?").await;
    bob.hears(&alice, "are you there?").await;
    let peer = here.peers().await.unwrap()[0].info.peer;
    here.disconnect(peer).await.unwrap();
    while !there.peers().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Nobody takes them, and whoever waits for room is given what becomes free.
    let large = || Post::to_all(common::key(), common::TOPIC, vec![0; 1 << 20]);
    let posts: Vec<_> = (0..15).map(|_| there.post(large())).collect();
    let mut waits = std::pin::pin!(there.post_when_ready(large()));
    let hour = Duration::from_secs(3_600);
    assert!(tokio::time::timeout(hour, &mut waits).await.is_err());
    posts.iter().for_each(Delivery::cancel);
    within(waits).await.cancel();
    connect(&here, &there).await;
    let event = tokio::time::timeout(6 * hour, alice.hears.next()).await;
    // The first that she hears of him is what he has acknowledged.
    let event = event.expect("it was acknowledged").unwrap().unwrap();
    assert!(matches!(event, SessionEvent::Established { .. }), "{event:?}");
}

#[tokio::test(start_paused = true)]
async fn an_identity_hears_what_came_before_it_was_there() {
    let (here, there) = pair(&MemoryNetwork::new()).await;
    let (alice, bob) = (Person::on(&here).await, identity());
    within(alice.talks.invite(bob.public_key(), "hello").await.unwrap()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut bob = Person::named(&there, bob).await;
    bob.is_invited_by(&alice).await;
    bob.talks.accept(alice.key).await.unwrap();
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "hello").await;
}

#[tokio::test(start_paused = true)]
async fn what_does_not_fit_is_refused() {
    let ((_here, alice), (_there, bob)) = two().await;
    alice.invites(&bob, "").await;
    let error = alice.talks.send(bob.key, vec![0; 70_000]).await.unwrap_err();
    assert!(matches!(error, ConversationError::Session(SessionError::TooLarge { .. })));
}

#[tokio::test(start_paused = true)]
async fn an_identity_converses_once_at_a_time() {
    let node = start(&MemoryNetwork::new(), "alice");
    let alice = identity();
    let first = node.converse(alice.clone()).await.unwrap();
    assert_eq!(node.converse(alice.clone()).await.unwrap_err(), ConversationError::Taken);
    drop(first);
    assert!(node.converse(alice).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn c8_without_randomness_a_conversation_stays_as_it_was() {
    let network = MemoryNetwork::new();
    let there = start(&network, "there");
    let mut bob = Person::on(&there).await;
    // The start takes three readings; each invitation takes one.
    let mut settings = config(&network, "here");
    settings.entropy = failing_at(3);
    let here = whisper_net::start(settings).unwrap();
    let alice = Person::on(&here).await;
    connect(&here, &there).await;
    let error = alice.talks.invite(bob.key, "hello").await.unwrap_err();
    assert_eq!(error, ConversationError::NoEntropy(NoEntropy));
    assert!(alice.talks.contacts().await.unwrap().is_empty());
    assert!(alice.talks.sessions().await.unwrap().is_empty());
    bob.hears_nothing().await;
    alice.invites(&bob, "hello").await;
    bob.is_invited_by(&alice).await;
}

#[tokio::test]
async fn after_a_shutdown_conversations_are_over() {
    let node = start(&MemoryNetwork::new(), "alice");
    let (talks, _) = node.converse(identity()).await.unwrap();
    within(node.shutdown()).await;
    assert_eq!(talks.contacts().await, Err(ConversationError::Closed(Closed)));
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_peer_for_hours_is_found_by_its_reader() {
    let ((here, alice), (there, mut bob)) = two().await;
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.invites(&bob, "hello").await;
    bob.is_established_with(&alice).await;
    bob.hears(&alice, "hello").await;
    let peer = here.peers().await.unwrap()[0].info.peer;
    here.disconnect(peer).await.unwrap();
    let sent = alice.talks.send(bob.key, "at last").await.unwrap();
    tokio::time::sleep(Duration::from_secs(5 * 3_600)).await;
    connect(&here, &there).await;
    within(sent).await.unwrap();
    bob.hears(&alice, "at last").await;
}

#[tokio::test(start_paused = true)]
async fn e30_messages_that_come_in_reverse_are_heard_in_order_within_a_second() {
    let network = MemoryNetwork::new();
    let (here, relay) = pair(&network).await;
    let there = start(&network, "dora");
    let mut passed = relay.envelopes().await.unwrap();
    let (alice, mut bob) = (Person::on(&here).await, Person::on(&there).await);
    bob.talks.add_contact(alice.key).await.unwrap();
    alice.invites(&bob, "0").await;
    for number in 1..20 {
        alice.says(&bob, &number.to_string()).await;
    }
    let mut envelopes = Vec::new();
    for _ in 0..21 {
        envelopes.push(within(passed.next()).await.unwrap().unwrap());
    }
    envelopes[1..].reverse();

    // A wire without a node.
    let mut wire = network.transport("wire");
    wire.dial("memory:dora").unwrap();
    let mut events = Vec::new();
    poll_fn(|cx| wire.poll_events(cx, &mut events)).await;
    let Some(TransportEvent::Connected { peer, .. }) = events.first() else { panic!("{events:?}") };
    let status = Status {
        min_rating: Rating::ZERO,
        bloom: None,
        light: false,
        acknowledges: false,
        stems: false,
    };
    wire.send(*peer, Protocol::WHISPER, code::STATUS, status.encode());
    for envelope in envelopes {
        let packet = packet::encode_messages(&[envelope]);
        wire.send(*peer, Protocol::WHISPER, code::MESSAGES, packet);
    }
    let start = Instant::now();
    tokio::spawn(async move {
        loop {
            poll_fn(|cx| wire.poll_events(cx, &mut events)).await;
            events.clear();
        }
    });
    bob.is_established_with(&alice).await;
    for number in 0..20 {
        bob.hears(&alice, &number.to_string()).await;
    }
    assert!(start.elapsed() <= Duration::from_secs(1));
}
