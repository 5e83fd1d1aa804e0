use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::time::Duration;

use chacha20::ChaCha20Rng;
use chacha20::rand_core::SeedableRng;

use super::channel::Channel;
use super::live::Session;
use super::seed::Keys;
use super::*;
use crate::envelope::Envelope;
use crate::identity::Identity;
use crate::identity::PublicKey;
use crate::message::Message;
use crate::pow::Rating;
use crate::time::Timestamp;

mod alike;
mod clock;
mod limits;
mod properties;
mod refusals;
mod restart;
mod signs;
mod storage;
mod strangers;
pub(super) mod stuck;
mod topics;

const NOW: Timestamp = Timestamp::from_secs(1_750_000_000);

fn after(seconds: u64) -> Timestamp {
    NOW.saturating_add(Duration::from_secs(seconds))
}

/// One side, with what its host would do: store at once, and find no nonce.
struct Party {
    sessions: Sessions,
    store: BTreeMap<RecordKey, Vec<u8>>,
    identity: Arc<Identity>,
    rng: ChaCha20Rng,
}

impl Party {
    fn new(seed: u8) -> Self {
        let mut rng = ChaCha20Rng::from_seed([seed; 32]);
        let identity = Arc::new(Identity::generate(&mut rng));
        let sessions = Sessions::new(identity.clone(), NOW);
        Self { sessions, store: BTreeMap::new(), identity, rng }
    }

    fn key(&self) -> PublicKey {
        self.identity.public_key()
    }

    /// Carries a step out: what it sends, what it tells.
    fn run(
        &mut self,
        now: Timestamp,
        step: Vec<SessionOutput>,
    ) -> (Vec<Envelope>, Vec<SessionEvent>) {
        let (mut sent, mut events) = (vec![], vec![]);
        for output in step {
            match output {
                SessionOutput::Persist(batch) => {
                    self.write(&batch);
                    let outputs = self.sessions.stored(now, batch.id());
                    let (then, next) = self.run(now, outputs);
                    sent.extend(then);
                    events.extend(next);
                }
                SessionOutput::Transmit(outgoing) => {
                    sent.push(outgoing.draft(now).unwrap().seal(0));
                }
                SessionOutput::Event(event) => events.push(event),
                SessionOutput::LookBack(_) => (),
            }
        }
        (sent, events)
    }

    fn write(&mut self, batch: &Batch) {
        for record in batch.records() {
            match record.state() {
                Some(state) => _ = self.store.insert(record.key(), state.to_vec()),
                None => _ = self.store.remove(&record.key()),
            }
        }
    }

    /// The sessions as they would be after a restart.
    fn restored(&self, now: Timestamp) -> Sessions {
        Sessions::restore(self.identity.clone(), now, self.store.values()).unwrap()
    }

    fn invite(&mut self, now: Timestamp, peer: PublicKey, text: &str) -> [Envelope; 2] {
        let options = InviteOptions::default();
        let step = self.sessions.invite(now, peer, options, Some(text), &mut self.rng).unwrap();
        self.run(now, step).0.try_into().unwrap()
    }

    fn invite_strictly(&mut self, now: Timestamp, peer: PublicKey, text: &str) -> Envelope {
        let options = InviteOptions { bind: false, ..InviteOptions::default() };
        let step = self.sessions.invite(now, peer, options, Some(text), &mut self.rng).unwrap();
        self.run(now, step).0.pop().unwrap()
    }

    fn say(&mut self, now: Timestamp, peer: PublicKey, text: &str) -> Envelope {
        let step = self.sessions.send(now, &peer, text.as_bytes(), &mut self.rng).unwrap();
        self.run(now, step).0.pop().unwrap()
    }

    fn close(&mut self, now: Timestamp, peer: PublicKey) -> Vec<Envelope> {
        let step = self.sessions.close(now, &peer, &mut self.rng).unwrap();
        self.run(now, step).0
    }

    /// With a clock that has moved evenly for the last ten minutes.
    fn tick(&mut self, now: Timestamp) -> (Vec<Envelope>, Vec<SessionEvent>) {
        self.sessions.clock.look(now.saturating_sub(Duration::from_secs(600)));
        let step = self.sessions.tick(now, &mut self.rng);
        self.run(now, step)
    }

    fn befriend(&mut self, peer: PublicKey) {
        let step = self.sessions.add_contact(NOW, peer, &mut self.rng).unwrap();
        self.run(NOW, step);
    }

    fn accept(&mut self, now: Timestamp, peer: PublicKey) -> Vec<SessionEvent> {
        let step = self.sessions.accept(now, &peer, &mut self.rng).unwrap();
        self.run(now, step).1
    }

    fn take_invitation(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
    ) -> Result<Vec<SessionEvent>, InvitationError> {
        let message = Message::open_as(envelope.data(), &self.identity).unwrap();
        let step = self.sessions.receive(now, &message, envelope.rating())?;
        Ok(self.run(now, step).1)
    }

    /// Whether an invitation is taken up.
    fn receives(&mut self, now: Timestamp, message: &Message) -> bool {
        let step = self.sessions.receive(now, message, Rating::ZERO);
        step.map(|step| self.run(now, step)).is_ok()
    }

    fn open(
        &mut self,
        now: Timestamp,
        envelope: &Envelope,
    ) -> Result<Vec<SessionEvent>, OpenError> {
        let step = self.sessions.open(now, envelope, &mut self.rng)?;
        Ok(self.run(now, step).1)
    }

    /// What a host does with any envelope; nothing comes of one that is not ours or came before.
    fn hear(&mut self, now: Timestamp, envelope: &Envelope) -> Vec<SessionEvent> {
        match Message::open_as(envelope.data(), &self.identity) {
            Ok(_) => self.take_invitation(now, envelope).unwrap_or_default(),
            Err(_) => self.open(now, envelope).unwrap_or_default(),
        }
    }
}

/// What the peer says in these events.
fn texts(events: &[SessionEvent]) -> Vec<&str> {
    let data = events.iter().filter_map(|event| match event {
        SessionEvent::Message { data, .. } => Some(data),
        _ => None,
    });
    data.map(|data| core::str::from_utf8(data).unwrap()).collect()
}

fn names(events: &[SessionEvent]) -> Vec<&'static str> {
    let name = |event: &SessionEvent| match event {
        SessionEvent::Invited { .. } => "invited",
        SessionEvent::Established { .. } => "established",
        SessionEvent::Message { .. } => "message",
        SessionEvent::Acknowledged { .. } => "acknowledged",
        SessionEvent::Replaced { .. } => "replaced",
        SessionEvent::Malformed { .. } => "malformed",
        SessionEvent::ClockSetBack { .. } => "set back",
        SessionEvent::Stale { .. } => "stale",
        SessionEvent::PeerForked { .. } => "peer forked",
        SessionEvent::Suspect { .. } => "suspect",
        SessionEvent::Ended { .. } => "ended",
    };
    events.iter().map(name).collect()
}

/// The keys of a session of seed mode.
fn keys(session: &Session) -> &Arc<Keys> {
    let Channel::Seed(channel) = &session.channel;
    &channel.keys
}

/// Two who know each other, and talk.
fn talking() -> [Party; 2] {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    for envelope in alice.invite(NOW, bob.key(), "hello") {
        bob.hear(NOW, &envelope);
    }
    let answer = bob.say(NOW, alice.key(), "hi");
    assert_eq!(texts(&alice.hear(NOW, &answer)), ["hi"]);
    [alice, bob]
}

#[test]
fn a_bound_invitation_shows_nothing_until_a_message_opens() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let [invitation, first] = alice.invite(NOW, bob.key(), "hello");
    assert_eq!(invitation.data().len(), 369);
    assert_eq!(bob.take_invitation(NOW, &invitation), Ok(vec![]));
    assert_eq!(bob.sessions.sessions().count(), 0);
    let events = bob.open(NOW, &first).unwrap();
    assert_eq!(names(&events), ["established", "message"]);
    assert_eq!(texts(&events), ["hello"]);
    assert_eq!(bob.sessions.sessions().next().unwrap().state, SessionState::Established);
}

#[test]
fn a_message_that_came_before_its_invitation_is_looked_back_for() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let [invitation, first] = alice.invite(NOW, bob.key(), "hello");
    assert_eq!(bob.open(NOW, &first), Err(OpenError::NotOurs));
    let message = Message::open_as(invitation.data(), &bob.identity).unwrap();
    let step = bob.sessions.receive(NOW, &message, Rating::ZERO).unwrap();
    let outputs = bob.sessions.stored_at_once(NOW, step);
    let [SessionOutput::LookBack(topics)] = &outputs[..] else { panic!("{outputs:?}") };
    assert!(topics.contains(&first.topic()));
    assert_eq!(texts(&bob.open(NOW, &first).unwrap()), ["hello"]);
}

#[test]
fn the_words_of_a_stranger_are_withheld_until_they_are_accepted() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, first] = alice.invite(NOW, bob.key(), "hello");
    let second = alice.say(NOW, bob.key(), "are you there?");
    bob.hear(NOW, &invitation);
    assert_eq!(names(&bob.hear(NOW, &first)), ["invited"]);
    assert_eq!(bob.hear(NOW, &second), []);
    assert_eq!(bob.sessions.sessions().next().unwrap().state, SessionState::Pending);
    let events = bob.accept(NOW, alice.key());
    assert_eq!(texts(&events), ["hello", "are you there?"]);
    assert_eq!(names(&events)[0], "established");
    assert_eq!(bob.sessions.contacts().collect::<Vec<_>>(), [alice.key()]);
    assert_eq!(bob.sessions.accept(NOW, &alice.key(), &mut bob.rng), Err(SessionError::NotInvited));
}

#[test]
fn who_is_refused_learns_nothing_and_cannot_come_back_with_the_same() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    let [invitation, first] = alice.invite(NOW, bob.key(), "hello");
    bob.hear(NOW, &invitation);
    bob.hear(NOW, &first);
    let step = bob.sessions.refuse(&alice.key()).unwrap();
    assert_eq!(bob.run(NOW, step), (vec![], vec![]));
    assert_eq!(bob.take_invitation(NOW, &invitation), Err(InvitationError::Replayed));
    assert_eq!(bob.open(NOW, &first), Err(OpenError::NotOurs));
    assert!(bob.sessions.live.is_empty());
}

#[test]
fn without_a_text_an_empty_message_goes_along() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    bob.befriend(alice.key());
    let options = InviteOptions::default();
    let step = alice.sessions.invite(NOW, bob.key(), options, None, &mut alice.rng).unwrap();
    let (sent, _) = alice.run(NOW, step);
    assert_eq!(bob.hear(NOW, &sent[0]), []);
    assert_eq!(names(&bob.hear(NOW, &sent[1])), ["established"]);
}

#[test]
fn a_strict_invitation_is_seen_at_once() {
    let [mut alice, mut bob, mut carol] = [1, 2, 3].map(Party::new);
    bob.befriend(alice.key());
    let invitation = alice.invite_strictly(NOW, bob.key(), "hello");
    let events = bob.hear(NOW, &invitation);
    assert_eq!((names(&events), texts(&events)), (vec!["established", "message"], vec!["hello"]));

    let invitation = alice.invite_strictly(NOW, carol.key(), "hello");
    assert_eq!(names(&carol.hear(NOW, &invitation)), ["invited"]);
    assert_eq!(texts(&carol.accept(NOW, alice.key())), ["hello"]);
    let answer = carol.say(NOW, alice.key(), "hi");
    assert_eq!(names(&alice.hear(NOW, &answer)), ["established", "message"]);
}

#[test]
fn messages_are_acknowledged_within_the_hour_all_at_once() {
    let [mut alice, mut bob] = talking();
    let mut names = vec![];
    for text in ["one", "two", "three"] {
        let step = alice.sessions.send(NOW, &bob.key(), text.as_bytes(), &mut alice.rng).unwrap();
        for output in alice.sessions.stored_at_once(NOW, step) {
            let SessionOutput::Transmit(outgoing) = output else { panic!("{output:?}") };
            names.extend(outgoing.message);
            bob.hear(NOW, &outgoing.draft(NOW).unwrap().seal(0));
        }
    }
    let due = bob.sessions.poll_timeout().unwrap();
    assert!(due > NOW && due <= after(3_600));
    let (sent, events) = bob.tick(after(3_600));
    assert_eq!((sent.len(), events), (1, vec![]));
    let events = alice.hear(after(3_600), &sent[0]);
    let [SessionEvent::Acknowledged { names: read, .. }] = &events[..] else {
        panic!("{events:?}")
    };
    assert_eq!(read[1..], names, "the first is the text of the invitation");
    assert_eq!(bob.tick(after(3_601)).0, [], "nothing more is owed");
}

#[test]
fn nothing_is_acknowledged_before_the_user_accepts() {
    let [mut alice, mut bob] = [1, 2].map(Party::new);
    for envelope in alice.invite(NOW, bob.key(), "hello") {
        bob.hear(NOW, &envelope);
    }
    assert_eq!(bob.tick(after(4_000)).0, []);
    bob.accept(after(4_000), alice.key());
    assert_eq!(bob.tick(after(4_000 + 3_600)).0.len(), 1);
}

#[test]
fn when_both_invite_at_once_both_settle_on_the_newer_session() {
    for (early, late) in [(0, 1), (1, 0)] {
        let [mut alice, mut bob] = [1, 2].map(Party::new);
        let ours = alice.invite(after(early), bob.key(), "from Alice");
        let theirs = bob.invite(after(late), alice.key(), "from Bob");
        let events = ours.iter().flat_map(|envelope| bob.hear(after(2), envelope));
        assert_eq!(names(&events.collect::<Vec<_>>()), ["established", "message"]);
        theirs.iter().for_each(|envelope| _ = alice.hear(after(2), envelope));
        // One message each way and both are confirmed.
        let envelope = alice.say(after(2), bob.key(), "1");
        bob.hear(after(2), &envelope);
        let envelope = bob.say(after(2), alice.key(), "2");
        assert_eq!(texts(&alice.hear(after(2), &envelope)), ["2"]);
        let current = |party: &Party, peer| {
            party.sessions.live.current(after(2), &peer).map(|session| session.facts)
        };
        let [ours, theirs] = [current(&alice, bob.key()), current(&bob, alice.key())];
        assert_eq!(ours.unwrap().id, theirs.unwrap().id);
        assert_eq!(ours.unwrap().created_at, after(1));
    }
}

#[test]
fn closing_ends_all_sessions_of_both_and_wipes_their_keys() {
    let [mut alice, mut bob] = talking();
    let keys: Vec<_> =
        bob.sessions.live.values().map(|session| Arc::downgrade(keys(session))).collect();
    let second = alice.invite(after(1), bob.key(), "another");
    second.iter().for_each(|envelope| _ = bob.hear(after(1), envelope));

    let sent = alice.close(after(2), bob.key());
    assert_eq!(sent.len(), 2);
    assert_ne!(sent[0].topic(), sent[1].topic());
    assert!(alice.sessions.live.is_empty());
    // The first is lost.
    let events = bob.hear(after(2), &sent[1]);
    assert_eq!(names(&events), ["ended", "ended"]);
    assert!(bob.sessions.live.is_empty() && bob.sessions.watch.topics.is_empty());
    assert!(keys.iter().all(|keys| keys.strong_count() == 0));
    assert_eq!(
        bob.sessions.send(after(2), &alice.key(), b"", &mut bob.rng),
        Err(SessionError::NoSession)
    );
}

#[test]
fn a_session_made_after_the_close_was_said_outlives_it() {
    let [mut alice, mut bob] = talking();
    let sent = alice.close(after(1), bob.key());
    let again = alice.invite(after(2), bob.key(), "again");
    again.iter().for_each(|envelope| _ = bob.hear(after(2), envelope));
    assert_eq!(names(&bob.hear(after(2), &sent[0])), ["ended"]);
    assert_eq!(texts(&alice.hear(after(2), &bob.say(after(2), alice.key(), "ok"))), ["ok"]);
}

#[test]
fn a_new_session_takes_the_place_of_the_old_and_that_is_told() {
    let [mut alice, mut bob] = talking();
    let again = alice.invite(after(10), bob.key(), "again");
    let events: Vec<_> = again.iter().flat_map(|envelope| bob.hear(after(10), envelope)).collect();
    assert_eq!(names(&events), ["established", "message", "replaced"]);
}

#[test]
fn burning_wipes_everything_without_a_word() {
    let [mut alice, bob] = talking();
    let keys: Vec<_> =
        alice.sessions.live.values().map(|session| Arc::downgrade(keys(session))).collect();
    let step = alice.sessions.burn();
    assert!(keys.iter().all(|keys| keys.strong_count() == 0), "before anything is stored");
    assert_eq!(alice.run(NOW, step), (vec![], vec![]));
    assert_eq!(alice.sessions.sessions().count(), 0);
    assert_eq!(alice.sessions.poll_timeout(), None);
    let restored = alice.restored(NOW);
    assert!(restored == alice.sessions && restored.contacts().eq([bob.key()]));
}
