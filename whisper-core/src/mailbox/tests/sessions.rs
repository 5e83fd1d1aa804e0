//! Accounts: slow readers, slow disks, late and early envelopes.

use super::*;

fn numbers(said: &Said) -> usize {
    let acknowledged = said.events.iter().map(|event| match event {
        SessionEvent::Acknowledged { names, .. } => names.len(),
        _ => 0,
    });
    acknowledged.sum()
}

#[test]
fn what_a_slow_reader_has_not_taken_is_not_acknowledged_and_comes_later() {
    let [mut alice, mut bob] = talking(false);
    let hello = bob.wait(NOW, after(3_700));
    let acknowledged: usize =
        hello.sent.iter().map(|sent| numbers(&alice.hear(after(3_700), sent))).sum();
    assert_eq!(acknowledged, 1);
    let now = after(3_700);
    bob.mailbox.pause(&bob.key);
    for n in 0..40 {
        let envelope = alice.say(now, bob.key, &alloc::format!("{n}"));
        assert!(bob.hear(now, &envelope).events.is_empty());
    }
    let later = after(9_000);
    let meanwhile = bob.wait(now, later);
    assert!(meanwhile.events.is_empty() && meanwhile.sent.is_empty(), "{meanwhile:?}");
    let mut texts = bob.resume(later).texts();
    assert!(texts.len() < 20, "a slice at a time");
    let rest = bob.wait(later, after(9_001));
    texts.extend(rest.texts());
    assert_eq!(texts, (0..40).map(|n| alloc::format!("{n}")).collect::<Vec<_>>());
    let receipts = bob.wait(later, after(14_000)).sent;
    alice.wait(now, after(14_000));
    let acknowledged: usize =
        receipts.iter().map(|sent| numbers(&alice.hear(after(14_000), sent))).sum();
    assert_eq!(acknowledged, 40);
}

#[test]
fn an_invitation_waits_for_a_slow_reader_too() {
    let [mut alice, mut bob] = [1, 2].map(|seed| Party::new(seed, false));
    bob.mailbox.pause(&bob.key);
    let sessions = |bob: &Party| alloc::format!("{:?}", bob.mailbox.sessions(&bob.key));
    let before = sessions(&bob);
    for envelope in alice.invite(NOW, bob.key, "hello").sent {
        assert!(bob.hear(NOW, &envelope).events.is_empty());
    }
    assert_eq!(sessions(&bob), before, "nothing is opened");
    let mut events = bob.resume(NOW).events;
    events.extend(bob.wait(NOW, after(1)).events);
    assert!(matches!(events[..], [SessionEvent::Invited { .. }]), "{events:?}");
}

#[test]
fn a_pause_of_more_hours_than_are_watched_loses_nothing_that_lives() {
    let [mut alice, mut bob] = talking(false);
    bob.mailbox.pause(&bob.key);
    let envelope = alice.say(NOW, bob.key, "still there?");
    assert!(bob.hear(NOW, &envelope).events.is_empty());
    let later = after(6 * 3_600);
    bob.wait(NOW, later);
    let mut said = bob.resume(later);
    said.events.extend(bob.wait(later, later.saturating_add(Duration::from_secs(1))).events);
    assert_eq!(said.texts(), ["still there?"]);
}

#[test]
fn what_comes_just_after_its_late_hour_was_looked_at_is_found_within_a_minute_though_nothing_happens()
 {
    let [mut alice, mut bob] = talking(false);
    let [first, second] = [0, 3_600].map(|secs| alice.say(after(secs), bob.key, "on time"));
    let third = alice.say(after(3_601), bob.key, "overlooked");
    let now = after(6 * 3_600);
    bob.wait(NOW, now);
    // The look at the hour of the first ends that at the hour of the second.
    for envelope in [&second, &first] {
        assert_eq!(bob.hear(now, envelope).texts(), ["on time"]);
    }
    assert!(bob.hear(now, &third).events.is_empty());
    assert_eq!(bob.wait(now, now.saturating_add(Duration::from_secs(60))).texts(), ["overlooked"]);
    let idle = bob.mailbox.poll_timeout().unwrap();
    assert!(idle > now.saturating_add(Duration::from_secs(120)), "and then it rests");
}

#[test]
fn what_comes_before_its_invitation_waits_for_it() {
    let [mut alice, mut bob] = [1, 2].map(|seed| Party::new(seed, false));
    bob.befriend(NOW, alice.key);
    let invited = alice.invite(NOW, bob.key, "0");
    let mut envelopes: Vec<_> =
        (1..50).map(|n| alice.say(NOW, bob.key, &alloc::format!("{n}"))).collect();
    envelopes.extend(invited.sent.into_iter().rev());
    let mut texts = Vec::new();
    for envelope in &envelopes {
        texts.extend(bob.hear(NOW, envelope).texts());
    }
    let rest = bob.wait(NOW, after(1));
    texts.extend(rest.texts());
    texts.sort_by_key(|text| text.parse::<u32>().unwrap());
    assert_eq!(texts, (0..50).map(|n| alloc::format!("{n}")).collect::<Vec<_>>());
    assert_eq!(bob.mailbox.waiting_len(), 0);
}

#[test]
fn strangers_fill_no_more_than_the_room_there_is() {
    let mut bob = Party::new(2, false);
    let limit = Limits::waiting(1 << 22);
    for _ in 0..2 {
        bob.hear(NOW, &foreign(NOW, 0, CLASS, 0));
        assert_eq!(bob.mailbox.waiting_len(), 1, "none waits twice");
    }
    for nonce in 0..3_000 {
        let envelope = foreign(NOW, nonce as u32, CLASS, nonce);
        bob.hear(NOW, &envelope);
    }
    let most = limit.bytes / (CLASS + 20);
    assert!((most - 1..=most).contains(&bob.mailbox.waiting_len()));
    bob.wait(NOW, after(700));
    assert_eq!(bob.mailbox.waiting_len(), 0, "all have expired");
}

#[test]
fn a_batch_that_is_not_stored_leaves_all_as_it_was() {
    let [mut alice, mut bob] = talking(true);
    let envelope = alice.say(NOW, bob.key, "again");
    let outputs = bob.mailbox.receive(NOW, arrival(&envelope), &mut bob.rng);
    let [Output::Persist { account, batch }] = &outputs[..] else { panic!("{outputs:?}") };
    let told = bob.mailbox.not_stored(NOW, account, batch.id(), &mut bob.rng);
    assert!(told.is_empty());
    assert_eq!(bob.hear(NOW, &envelope).texts(), ["again"]);
}

#[test]
fn nothing_is_told_and_sent_before_it_is_stored() {
    let [mut alice, mut bob] = talking(true);
    let step = Step::Send { peer: bob.key, data: "x".into() };
    let outputs = alice.mailbox.step(NOW, &alice.key, step, &mut alice.rng).unwrap();
    assert!(matches!(outputs[..], [Output::Persist { .. }]), "{outputs:?}");
    let sent = alice.store(NOW, outputs).sent;
    let outputs = bob.mailbox.receive(NOW, arrival(&sent[0]), &mut bob.rng);
    assert!(matches!(outputs[..], [Output::Persist { .. }]), "{outputs:?}");
    assert_eq!(bob.store(NOW, outputs).texts(), ["x"]);
}

#[test]
fn accounts_share_a_mailbox_and_hear_only_their_own() {
    let mut alice = Party::new(1, false);
    let mut bob = Party::new(2, false);
    let carol = Arc::new(Identity::generate(&mut bob.rng));
    let key = carol.public_key();
    bob.mailbox.open_account(NOW, Arc::clone(&carol)).unwrap();
    assert_eq!(bob.mailbox.open_account(NOW, carol), Err(AccountError::Taken));
    for envelope in alice.invite(NOW, key, "hello").sent {
        let outputs = bob.mailbox.receive(NOW, arrival(&envelope), &mut bob.rng);
        assert!(outputs.iter().all(|output| match output {
            Output::Event { account, .. } => *account == key,
            other => panic!("{other:?}"),
        }));
    }
    assert!(bob.mailbox.close_account(&key) && !bob.mailbox.close_account(&key));
    let refused = bob.mailbox.step(NOW, &key, Step::Accept(alice.key), &mut bob.rng);
    assert_eq!(refused.unwrap_err(), StepError::NoAccount);
}
