//! Whom to dial, and when again.

use std::time::Duration;

use tokio::time::Instant;
use whisper_core::crypto::curve::PublicKey;

use super::address;
use super::config::Timing;
use super::disconnect::Reason;
use super::enode::Enode;
use super::enode::Host;
use super::limits::after;

/// The addresses that a node keeps dialling. It decides and does nothing: time comes from outside.
pub(super) struct Dialler {
    timing: Timing,
    targets: Vec<Target>,
}

struct Target {
    node: Enode,
    /// Attempts in a row that led to nothing that lasted.
    failures: u32,
    /// When it is dialled next; nothing while an attempt or a connection lives.
    due: Option<Instant>,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Outcome {
    /// How long the connection stood.
    pub(super) lived: Duration,
    /// What either side has said.
    pub(super) reason: Option<Reason>,
}

impl Dialler {
    pub(super) const fn new(timing: Timing) -> Self {
        Self { timing, targets: Vec::new() }
    }

    /// Dials `node` at once and keeps at it. One that is known already is left as it is.
    pub(super) fn add(&mut self, now: Instant, node: Enode) {
        if self.targets.iter().all(|target| target.node.public_key() != node.public_key()) {
            self.targets.push(Target { node, failures: 0, due: Some(now) });
        }
    }

    /// Dials it no more.
    pub(super) fn forget(&mut self, key: &PublicKey) {
        self.targets.retain(|target| target.node.public_key() != *key);
    }

    /// Dials everybody now who waits for a time, as if nothing had ever failed.
    pub(super) fn hurry(&mut self, now: Instant) {
        for target in &mut self.targets {
            target.failures = 0;
            target.due = target.due.map(|_| now);
        }
    }

    /// Somebody whose time has come. Each of them ends in [`Dialler::ended`] or [`Dialler::postpone`].
    pub(super) fn next(&mut self, now: Instant) -> Option<Enode> {
        let due = |target: &&mut Target| target.due.is_some_and(|due| due <= now);
        let target = self.targets.iter_mut().find(due)?;
        target.due = None;
        Some(target.node.clone())
    }

    /// When the next one's time comes.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.targets.iter().filter_map(|target| target.due).min()
    }

    /// It cannot be dialled now: it is connected already, or there is no place for it.
    pub(super) fn postpone(&mut self, now: Instant, key: &PublicKey, jitter: u8) {
        let timing = self.timing.clone();
        if let Some(target) = self.target(key) {
            target.due = Some(after(now, spread(target.retry(&timing), jitter)));
        }
    }

    /// An attempt, or the connection that it led to, is over.
    pub(super) fn ended(&mut self, now: Instant, key: &PublicKey, outcome: Outcome, jitter: u8) {
        let timing = self.timing.clone();
        if let Some(target) = self.target(key) {
            let wait = target.wait(&timing, outcome);
            target.due = Some(after(now, spread(wait, jitter)));
        }
    }

    fn target(&mut self, key: &PublicKey) -> Option<&mut Target> {
        self.targets.iter_mut().find(|target| target.node.public_key() == *key)
    }
}

impl Target {
    fn wait(&mut self, timing: &Timing, outcome: Outcome) -> Duration {
        match outcome.reason {
            Some(
                Reason::UselessPeer
                | Reason::UnexpectedIdentity
                | Reason::IncompatibleVersion
                | Reason::InvalidIdentity
                | Reason::ConnectedToSelf,
            ) => return timing.retry_useless,
            Some(Reason::TooManyPeers | Reason::Subprotocol | Reason::Protocol) => {
                return timing.retry_full;
            }
            // It is a peer by another connection, which it may have opened itself.
            Some(Reason::AlreadyConnected) => self.failures = 0,
            _ if outcome.lived >= LASTING => self.failures = 0,
            _ => {}
        }
        let wait = self.retry(timing).saturating_mul(1 << self.failures.min(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        wait.min(timing.retry_longest)
    }

    fn retry(&self, timing: &Timing) -> Duration {
        let host = self.node.endpoint().map(|endpoint| &endpoint.host);
        let local = host.is_some_and(|host| match host {
            Host::Ip(ip) => address::is_local(*ip),
            Host::Name(name) => name == "localhost",
        });
        if local { timing.retry_local } else { timing.retry }
    }
}

/// Up to a quarter longer, so that nodes that lost each other do not dial in step.
fn spread(wait: Duration, jitter: u8) -> Duration {
    wait.saturating_add(wait / 4 / u32::from(u8::MAX) * u32::from(jitter))
}

/// A connection that stood so long was none of the failures that make waits longer.
const LASTING: Duration = Duration::from_secs(30);

/// 2^20 s are more than any longest wait.
const MAX_DOUBLINGS: u32 = 20;

#[cfg(test)]
mod tests {
    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;
    use whisper_core::identity::Identity;

    use super::super::enode::Endpoint;
    use super::*;

    fn node(host: &str) -> Enode {
        let key = Identity::generate(&mut ChaCha20Rng::seed_from_u64(1)).public_key();
        let host = host.parse().unwrap();
        Enode::new(key).at(Endpoint { host, tcp: 30303, udp: 0 })
    }

    /// The waits that follow these outcomes, in seconds.
    fn waits(host: &str, outcomes: &[Outcome]) -> Vec<u64> {
        let (node, start) = (node(host), Instant::now());
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(start, node.clone());
        let waits = outcomes.iter().map(|outcome| {
            let now = dialler.next_due().unwrap();
            assert_eq!(dialler.next(now), Some(node.clone()));
            assert_eq!((dialler.next(now), dialler.next_due()), (None, None));
            dialler.ended(now, &node.public_key(), *outcome, 0);
            dialler.next_due().unwrap().duration_since(now).as_secs()
        });
        waits.collect()
    }

    fn said(reason: Reason) -> Outcome {
        Outcome { reason: Some(reason), ..Outcome::default() }
    }

    #[test]
    fn a_lost_peer_is_tried_after_35_seconds_then_twice_as_long() {
        let failed = Outcome::default();
        assert_eq!(waits("203.0.113.7", &[failed; 8]), [35, 70, 140, 280, 560, 1120, 2240, 3600]);
        assert_eq!(waits("127.0.0.1", &[failed; 3]), [1, 2, 4]);
        let lasted = Outcome { lived: LASTING, reason: None };
        assert_eq!(waits("203.0.113.7", &[failed, failed, lasted, failed]), [35, 70, 35, 70]);
    }

    #[test]
    fn what_a_peer_says_decides_how_long_it_is_left_alone() {
        let words = [
            Reason::UselessPeer,
            Reason::UnexpectedIdentity,
            Reason::TooManyPeers,
            Reason::AlreadyConnected,
            Reason::Quitting,
        ];
        let waited = waits("203.0.113.7", &words.map(said));
        assert_eq!(waited, [3_600, 3_600, 300, 35, 70]);
    }

    #[test]
    fn waits_are_spread_by_a_quarter() {
        let wait = Duration::from_secs(1_020);
        assert_eq!(spread(wait, 0), wait);
        assert_eq!(spread(wait, u8::MAX), wait + wait / 4);
    }

    #[test]
    fn hurry_makes_all_due_that_wait_and_forgets_their_failures() {
        let (node, now) = (node("203.0.113.7"), Instant::now());
        let key = node.public_key();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, node.clone());
        assert_eq!(dialler.next(now), Some(node.clone()));
        dialler.hurry(now);
        assert_eq!(dialler.next_due(), None, "it is being dialled");
        dialler.ended(now, &key, Outcome::default(), 0);
        dialler.hurry(now);
        assert_eq!(dialler.next(now), Some(node));
        dialler.ended(now, &key, Outcome::default(), 0);
        assert_eq!(dialler.next_due(), Some(now + Duration::from_secs(35)));
    }

    #[test]
    fn a_forgotten_address_is_dialled_no_more() {
        let (node, now) = (node("127.0.0.1"), Instant::now());
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, node.clone());
        dialler.add(now, node.clone());
        assert_eq!(dialler.targets.len(), 1);
        dialler.forget(&node.public_key());
        assert_eq!(dialler.next(now), None);
        dialler.ended(now, &node.public_key(), Outcome::default(), 0);
        assert_eq!(dialler.next_due(), None);
    }
}
