//! The order of messages: one that has overtaken others waits for them, for a moment.

use std::collections::BTreeMap;
use std::time::Duration;

use whisper_core::session::MessageOrder;
use whisper_core::session::SessionEvent;
use whisper_core::session::SessionId;
use whisper_core::time::Timestamp;

/// Holds messages back while earlier ones of their session are missing: peers hand over what they rate
/// best first, and not what was sent first.
#[derive(Default)]
pub(super) struct InOrder {
    held: BTreeMap<(SessionId, MessageOrder), Held>,
    shown: BTreeMap<SessionId, Shown>,
}

/// How far the messages of a session are shown.
#[derive(Default)]
struct Shown {
    last: Option<MessageOrder>,
    /// How many were missing before the last: they are not waited for again.
    missing: u32,
}

/// A message that waits for earlier ones.
struct Held {
    event: SessionEvent,
    missing: u32,
    until: Timestamp,
}

impl InOrder {
    /// Takes an event, and gives those that are to be shown now.
    pub(super) fn take(&mut self, now: Timestamp, event: SessionEvent) -> Vec<SessionEvent> {
        let mut shown = Vec::new();
        match &event {
            SessionEvent::Message { session, order, missing, .. } => {
                let (session, order, missing) = (*session, *order, *missing);
                let later = self.held.range_mut((session, order)..).map(|(_, held)| held);
                later.take_while(|held| held.session() == Some(session)).for_each(Held::fill);
                self.shown.entry(session).or_default().expect(order);
                let until = now.saturating_add(PATIENCE);
                self.held.insert((session, order), Held { event, missing, until });
                if self.held.len() > MOST_HELD {
                    self.show(session, None, &mut shown);
                }
                self.show_complete(session, &mut shown);
            }
            SessionEvent::Ended { session, .. } => {
                self.show(*session, None, &mut shown);
                self.shown.remove(session);
                shown.push(event);
            }
            SessionEvent::Invited { .. }
            | SessionEvent::Established { .. }
            | SessionEvent::Acknowledged { .. }
            | SessionEvent::Replaced { .. }
            | SessionEvent::ClockSetBack { .. }
            | SessionEvent::Stale { .. }
            | SessionEvent::PeerForked { .. }
            | SessionEvent::Suspect { .. }
            | SessionEvent::Malformed { .. } => shown.push(event),
        }
        shown
    }

    /// Gives what has waited for long enough, and what that has held back.
    pub(super) fn timeout(&mut self, now: Timestamp) -> Vec<SessionEvent> {
        let mut shown = Vec::new();
        // A clock that was set back makes nobody wait for longer.
        let is_due = |held: &Held| held.until <= now || held.until.saturating_since(now) > PATIENCE;
        while let Some((session, order)) =
            self.held.iter().find(|(_, held)| is_due(held)).map(|(key, _)| *key)
        {
            self.show(session, Some(order), &mut shown);
            self.show_complete(session, &mut shown);
        }
        shown
    }

    /// When [`InOrder::timeout`] is due.
    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        self.held.values().map(|held| held.until).min()
    }

    /// Shows the earliest messages of a session while no more are missing before them than before the
    /// last that was shown.
    fn show_complete(&mut self, session: SessionId, shown: &mut Vec<SessionEvent>) {
        let first = (session, MessageOrder::new(0));
        while let Some(((of, order), held)) = self.held.range(first..).next() {
            let given_up = self.shown.get(&session).map_or(0, |shown| shown.missing);
            if *of != session || held.missing > given_up {
                return;
            }
            self.show(session, Some(*order), shown);
        }
    }

    /// Shows the messages of a session, up to a place among them, whatever is missing before.
    fn show(
        &mut self,
        session: SessionId,
        up_to: Option<MessageOrder>,
        shown: &mut Vec<SessionEvent>,
    ) {
        let last = up_to.unwrap_or(MessageOrder::new(u64::MAX));
        let range = (session, MessageOrder::new(0))..=(session, last);
        let keys: Vec<_> = self.held.range(range).map(|(key, _)| *key).collect();
        for (key, held) in keys.into_iter().filter_map(|key| self.held.remove_entry(&key)) {
            self.shown.entry(session).or_default().note(key.1, held.missing);
            shown.push(held.into_event());
        }
    }
}

impl Shown {
    /// Notes that a message has come. If it is late, one less is missing.
    fn expect(&mut self, order: MessageOrder) {
        if self.last.is_some_and(|last| order < last) {
            self.missing = self.missing.saturating_sub(1);
        }
    }

    fn note(&mut self, order: MessageOrder, missing: u32) {
        if self.last.is_none_or(|last| order > last) {
            *self = Self { last: Some(order), missing };
        }
    }
}

impl Held {
    /// Notes that an earlier message has come.
    fn fill(&mut self) {
        self.missing = self.missing.saturating_sub(1);
    }

    fn session(&self) -> Option<SessionId> {
        match &self.event {
            SessionEvent::Message { session, .. } => Some(*session),
            _ => None,
        }
    }

    /// The event, saying how many are still missing.
    fn into_event(mut self) -> SessionEvent {
        if let SessionEvent::Message { missing, .. } = &mut self.event {
            *missing = self.missing;
        }
        self.event
    }
}

/// Messages that were sent in one breath come within this: where a flood begins, an envelope waits for
/// a peer for 5 s at most.
const PATIENCE: Duration = Duration::from_secs(5);
/// Of 64 KiB each, 2 MiB for an account.
const MOST_HELD: usize = 32;

#[cfg(test)]
mod tests {
    use whisper_core::crypto::curve::SecretKey;
    use whisper_core::identity::Identity;
    use whisper_core::session::MessageName;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn message(order: u64, missing: u32) -> SessionEvent {
        let peer = Identity::from_secret(SecretKey::from_bytes(&[7; 32]).unwrap()).public_key();
        SessionEvent::Message {
            session: SessionId::new([1; 32]),
            peer,
            name: MessageName::new(order.to_be_bytes()),
            order: MessageOrder::new(order),
            missing,
            sent_at: NOW,
            data: Vec::new(),
        }
    }

    /// What is shown: the place of each message, and how many are missing before it.
    fn places(shown: Vec<SessionEvent>) -> Vec<(u64, u32)> {
        let place = |event| match event {
            SessionEvent::Message { order, missing, .. } => (order.as_u64(), missing),
            other => panic!("{other:?}"),
        };
        shown.into_iter().map(place).collect()
    }

    #[test]
    fn messages_that_come_in_reverse_are_shown_in_order() {
        let mut order = InOrder::default();
        for number in (1..20).rev() {
            assert_eq!(places(order.take(NOW, message(number, number as u32))), []);
        }
        let shown = places(order.take(NOW, message(0, 0)));
        assert_eq!(shown, (0..20).map(|number| (number, 0)).collect::<Vec<_>>());
        assert_eq!((order.poll_timeout(), order.held.len()), (None, 0));
    }

    #[test]
    fn a_message_that_never_comes_holds_up_the_next_ones_once() {
        let mut order = InOrder::default();
        assert_eq!(places(order.take(NOW, message(0, 0))), [(0, 0)]);
        assert_eq!(places(order.take(NOW, message(3, 2))), []);
        assert_eq!(places(order.take(NOW, message(2, 1))), []);
        let later = NOW.saturating_add(PATIENCE);
        assert_eq!(order.poll_timeout(), Some(later));
        assert_eq!(places(order.timeout(NOW)), []);
        assert_eq!(places(order.timeout(later)), [(2, 1), (3, 1)]);
        assert_eq!(places(order.take(later, message(4, 1))), [(4, 1)]);
        assert_eq!(places(order.take(later, message(6, 2))), [], "another is missing now");
        assert_eq!(places(order.take(later, message(1, 0))), [(1, 0)]);
        assert_eq!(places(order.take(later, message(5, 0))), [(5, 0), (6, 0)]);
    }

    #[test]
    fn what_is_held_back_is_bounded() {
        let mut order = InOrder::default();
        let mut shown = 0;
        for number in 1..1_000 {
            shown += order.take(NOW, message(number * 2, number as u32)).len();
            assert!(order.held.len() <= MOST_HELD);
        }
        assert!(shown > 900);
    }
}
