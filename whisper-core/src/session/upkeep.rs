//! What time does to sessions.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use rand_core::CryptoRng;

use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

use super::seed::body::Content;
use super::seed::chain;
use super::contract::SessionError;
use super::contract::SessionOutput;
use super::engine::Change;
use super::engine::Sessions;
use super::seed::Session;

impl Sessions {
    /// When to call [`Sessions::tick`], if nothing else comes first.
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        let due = self.live.values().filter(|session| !self.is_busy(&session.facts.peer));
        let due = due.map(Session::deadline).min();
        let hours = self.live.keys().filter_map(|id| self.watch.hour(id)).min();
        let turn = hours.map(|hour| chain::start_of(hour.saturating_add(1)));
        due.into_iter().chain(turn).min()
    }

    /// Does what is due: wipes the keys of sessions that are over, acknowledges what was read, and
    /// turns to the topics of another hour.
    pub fn tick(&mut self, now: Timestamp, rng: &mut impl CryptoRng) -> Vec<SessionOutput> {
        self.seen.retain(|_, until| *until > now);
        let due = self.live.values().filter(|session| session.deadline() <= now);
        let peers: BTreeSet<_> = due.map(|session| session.facts.peer).collect();
        let mut outputs = Vec::new();
        for peer in peers {
            if !self.is_busy(&peer) {
                let change = self.due(now, &peer, rng);
                outputs.extend(self.step(change));
            }
        }
        self.watch.end_late();
        let topics = self.turn(now);
        if !topics.is_empty() {
            outputs.push(SessionOutput::LookBack(topics));
        }
        outputs
    }

    /// Watches a late hour, one of [`late_epochs`](super::late_epochs), until the next tick or the
    /// next late hour, and gives its topics: look them up among the envelopes that nothing opened.
    /// None, if that was done within the last minute.
    pub fn look_late(&mut self, now: Timestamp, hour: u64) -> Vec<Topic> {
        if self.watch.look_late(now, hour) { self.turn(now) } else { Vec::new() }
    }

    /// What is due with one peer.
    fn due(&self, now: Timestamp, peer: &PublicKey, rng: &mut impl CryptoRng) -> Change {
        let mut change = Change::new(*peer);
        for session in self.with(peer) {
            if let Some(why) = session.over(now) {
                change.end(session, why);
            } else if session.state.ack_at.is_some_and(|at| at <= now) {
                let mut session = session.clone();
                let sealed = self.acknowledge(now, &mut session, rng);
                change.outputs.extend(sealed);
                change.put.push(session);
            }
        }
        change
    }

    fn acknowledge(
        &self,
        now: Timestamp,
        session: &mut Session,
        rng: &mut impl CryptoRng,
    ) -> Option<SessionOutput> {
        session.state.ack_at = None;
        let content = Content::Ack(core::mem::take(&mut session.state.owed));
        match session.seal(now, self.ttl, &content, rng) {
            Ok(outgoing) => Some(SessionOutput::Transmit(outgoing)),
            Err(SessionError::Exhausted) => None,
            Err(error) => {
                if let Content::Ack(owed) = content {
                    session.state.owed = owed;
                }
                session.state.ack_at = Some(match error {
                    SessionError::HourFull { until } => until.max(now.saturating_add(PAUSE)),
                    _ => now.saturating_add(PAUSE),
                });
                None
            }
        }
    }

    /// Watches, for every session that it is time for, what the hour asks for.
    fn turn(&mut self, now: Timestamp) -> Vec<Topic> {
        let mut topics = Vec::new();
        for (id, session) in &self.live {
            if self.watch.is_outdated(now, id) {
                let next = &session.state.receiving.next;
                topics.extend(self.watch.update(now, *id, &session.keys.receiving, next));
            }
        }
        topics
    }
}

/// When to try again what could not be sent.
const PAUSE: Duration = Duration::from_secs(60);
