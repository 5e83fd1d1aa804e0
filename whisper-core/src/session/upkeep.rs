//! What time does to sessions.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use super::channel::Content;
use super::contract::SessionOutput;
use super::engine::Sessions;
use super::error::SessionError;
use super::hours::epoch;
use super::hours::start_of;
use super::live::Session;
use super::steps::Change;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

impl Sessions {
    /// When to call [`Sessions::tick`], if nothing else comes first. Call it also when the clock was
    /// set.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.live.values().filter(|session| !self.steps.is_busy(&session.facts.peer));
        let due = due.map(|session| session.deadline(&self.clock)).min();
        let turn = self.watch.hour().map(|hour| start_of(hour.saturating_add(1)));
        let turned = self.watch.has_new().then(Timestamp::default);
        due.into_iter().chain(turn).chain(turned).min()
    }

    /// Does what is due: wipes the keys of sessions that are over, acknowledges what was read, invites
    /// anew who does not answer, and turns to the topics of another hour.
    ///
    /// A session ends only at the second look at a clock that has moved evenly for ten minutes: one
    /// that is a day ahead for a moment ends nothing.
    pub fn tick(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Vec<SessionOutput> {
        self.clock.look(now);
        let due = self.live.values().filter(|session| session.is_due(now, self.clock.is_steady()));
        let peers: BTreeSet<_> = due.map(|session| session.facts.peer).collect();
        let mut outputs = Vec::new();
        for peer in peers {
            if !self.steps.is_busy(&peer) {
                let change = self.due(now, &peer, rng);
                outputs.extend(self.step(change));
            }
        }
        let forgotten = self.account.seen.over(now, self.clock.is_steady());
        if !forgotten.is_empty() {
            outputs.extend(self.step(Change { forgotten, ..Change::default() }));
        }
        self.watch.end_late();
        self.watch.update(epoch(now), &self.live);
        let topics = self.watch.take_new();
        if !topics.is_empty() {
            outputs.push(SessionOutput::LookBack(topics));
        }
        outputs
    }

    /// Watches a late hour, one of [`late_epochs`](super::late_epochs), until the next tick or the
    /// next late hour, and gives its topics: look them up among the envelopes that nothing opened.
    /// None, if that was done within the last minute.
    pub fn look_late(&mut self, now: Timestamp, hour: u64) -> Vec<Topic> {
        if !self.watch.look_late(now, hour) {
            return Vec::new();
        }
        let before = self.watch.take_new();
        self.watch.update(epoch(now), &self.live);
        let new = self.watch.take_new();
        self.watch.keep_new(before);
        new
    }

    /// When a late hour may be watched, as of `now`: at once, or a minute after the last time.
    pub fn late_at(&self, now: Timestamp, hour: u64) -> Timestamp {
        self.watch.late_at(now, hour)
    }

    /// What is due with one peer.
    fn due(&self, now: Timestamp, peer: &PublicKey, rng: &mut impl CryptoRng) -> Change {
        let mut change = Change::new(*peer);
        let is_steady = self.clock.is_steady();
        let usable = self.live.with(peer).filter(|session| session.is_usable());
        let current = usable.max_by_key(|session| session.rank());
        let stale = current.filter(|session| is_steady && session.is_stale(now));
        for session in self.live.with(peer).filter(|session| session.is_due(now, is_steady)) {
            match session.over(now).filter(|_| is_steady) {
                Some(why) => change.end(session, why),
                None => {
                    let mut session = session.clone();
                    if is_steady && session.is_stale(now) {
                        // Whether the peer is there shows on the session that messages go on.
                        match stale.is_some_and(|stale| stale.facts.id == session.facts.id) {
                            true => session.state.signs.tell_stale(now),
                            false => session.state.signs.opened(),
                        }
                    }
                    if session.is_ack_due(now) {
                        self.acknowledge(now, &mut session, &mut change, rng);
                    }
                    change.put.push(session);
                }
            }
        }
        if let Some(stale) = stale {
            change.report(stale.stale());
            // The application has been told that the peer does not answer, whether this goes or not.
            _ = self.begin_anew(now, stale, &Content::Cover, &mut change, rng);
        }
        change
    }

    fn acknowledge(
        &self,
        now: Timestamp,
        session: &mut Session,
        change: &mut Change,
        rng: &mut impl CryptoRng,
    ) {
        session.state.ack_at = None;
        let content = match core::mem::take(&mut session.state.owed) {
            names if !names.is_empty() => Content::Ack(names),
            _ if session.owes_sign() => Content::Cover,
            // What was said meanwhile is sign enough.
            _ => return,
        };
        let again = match self.say(now, session, &content, change, rng) {
            Ok(()) | Err(SessionError::Exhausted) => return,
            Err(SessionError::HourFull { until }) => until.max(now.saturating_add(PAUSE)),
            Err(_) => now.saturating_add(PAUSE),
        };
        session.state.ack_at = Some(again);
        if let Content::Ack(owed) = content {
            session.state.owed = owed;
        }
    }
}

/// When to try again what could not be sent.
const PAUSE: Duration = Duration::from_secs(60);
