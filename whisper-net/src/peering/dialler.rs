//! Whom to dial, and when again.

use std::time::Duration;

use tokio::time::Instant;

use super::after;
use super::failure::DialFailure;
use super::limits::Timing;
use super::name::NodeName;

/// An address of a node, as one wire writes it.
pub trait Target: Clone + Eq {
    /// The node that is expected there.
    fn name(&self) -> NodeName;
    /// Whether it is on this machine or in a private network, where nobody counts attempts.
    fn is_local(&self) -> bool;
}

/// The addresses that a node keeps dialling, one for each node. It decides and does nothing: time
/// comes from outside.
#[derive(Debug)]
pub struct Dialler<A> {
    timing: Timing,
    entries: Vec<Entry<A>>,
}

#[derive(Debug)]
struct Entry<A> {
    address: A,
    /// Attempts in a row that led to nothing that lasted.
    failures: u32,
    /// Endings in a row because the node's key was connected from elsewhere.
    clashes: u32,
    state: State,
    /// The last reason that was reported.
    reported: Option<DialFailure>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// It is dialled at `due`; while there is no other peer at `alone`, if that is earlier.
    Waits { due: Instant, alone: Instant },
    /// An attempt or a connection lives.
    Busy,
    /// The same, and its address or the network has changed meanwhile: it is dialled as soon as that
    /// ends.
    Superseded,
}

/// What became of an attempt.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// How long the connection stood.
    pub lived: Duration,
    /// Why there is no connection, unless it ended in peace.
    pub why: Option<DialFailure>,
}

/// What comes of the end of an attempt.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Why there is no connection, if that was not reported before.
    pub change: Option<DialFailure>,
    /// The time until the next attempt.
    pub retry_in: Duration,
}

impl<A: Target> Dialler<A> {
    /// A dialler without addresses.
    pub const fn new(timing: Timing) -> Self {
        Self { timing, entries: Vec::new() }
    }

    /// Dials `address` now, as if nothing had ever failed, and keeps at it. It replaces another
    /// address of the same node. Whether an attempt at that one may be given up.
    pub fn add(&mut self, now: Instant, address: A) -> bool {
        let state = State::Waits { due: now, alone: now };
        let new = Entry { address, failures: 0, clashes: 0, state, reported: None };
        let Some(entry) = self.entry(&new.address.name()) else {
            self.entries.push(new);
            return false;
        };
        let moved = entry.address != new.address;
        let is_busy = !matches!(entry.state, State::Waits { .. });
        let state = match entry.state {
            State::Superseded => State::Superseded,
            State::Busy if moved => State::Superseded,
            State::Busy => State::Busy,
            State::Waits { .. } => state,
        };
        *entry = Entry { state, ..new };
        is_busy && moved
    }

    /// Dials the node no more.
    pub fn forget(&mut self, name: &NodeName) {
        self.entries.retain(|entry| entry.address.name() != *name);
    }

    /// Dials all addresses now that wait for a time, as if nothing had ever failed, and others once
    /// their attempt or connection is over. Attempts may be given up.
    pub fn hurry(&mut self, now: Instant) {
        for entry in &mut self.entries {
            entry.failures = 0;
            entry.clashes = 0;
            entry.state = match entry.state {
                State::Waits { .. } => State::Waits { due: now, alone: now },
                State::Busy | State::Superseded => State::Superseded,
            };
        }
    }

    /// An address whose time has come. Each of them ends in [`Dialler::ended`] or
    /// [`Dialler::postpone`]. `alone` says that this node has no peer.
    pub fn next(&mut self, now: Instant, alone: bool) -> Option<A> {
        let entry =
            self.entries.iter_mut().find(|entry| entry.due(alone).is_some_and(|due| due <= now))?;
        entry.state = State::Busy;
        Some(entry.address.clone())
    }

    /// When the next address's time comes.
    pub fn next_due(&self, alone: bool) -> Option<Instant> {
        self.entries.iter().filter_map(|entry| entry.due(alone)).min()
    }

    /// The address cannot be dialled now: its node is connected already.
    pub fn postpone(&mut self, now: Instant, name: &NodeName, jitter: u8) {
        let timing = self.timing.clone();
        if let Some(entry) = self.entry(name) {
            let wait = spread(entry.retry(&timing), jitter);
            entry.wait(now, wait, wait);
        }
    }

    /// An attempt, or the connection that it led to, is over. `alone` says that this node has no peer.
    pub fn ended(
        &mut self,
        now: Instant,
        name: &NodeName,
        outcome: Outcome,
        (alone, jitter): (bool, u8),
    ) -> Option<Verdict> {
        let timing = self.timing.clone();
        let entry = self.entry(name)?;
        if matches!(entry.state, State::Superseded) {
            entry.wait(now, Duration::ZERO, Duration::ZERO);
            return None;
        }
        let wait = spread(entry.delay(&timing, outcome), jitter);
        let if_alone = match outcome.why {
            // To hurry would do no good, and harm to the node that uses the key.
            Some(DialFailure::KeyInUse | DialFailure::OwnKey) => wait,
            _ => wait.min(spread(timing.retry_alone, jitter)),
        };
        entry.wait(now, wait, if_alone);
        if outcome.why.is_none() {
            // A connection stood: any reason that comes now is a change.
            entry.reported = None;
        }
        let why = outcome.why.filter(|why| *why != DialFailure::KeyInUse || entry.clashes > 1);
        let change = why.filter(|why| entry.reported != Some(*why));
        entry.reported = change.or(entry.reported);
        Some(Verdict { change, retry_in: if alone { if_alone } else { wait } })
    }

    fn entry(&mut self, name: &NodeName) -> Option<&mut Entry<A>> {
        self.entries.iter_mut().find(|entry| entry.address.name() == *name)
    }
}

impl<A: Target> Entry<A> {
    const fn due(&self, alone: bool) -> Option<Instant> {
        match self.state {
            State::Waits { alone: due, .. } if alone => Some(due),
            State::Waits { due, .. } => Some(due),
            State::Busy | State::Superseded => None,
        }
    }

    fn wait(&mut self, now: Instant, wait: Duration, if_alone: Duration) {
        self.state = State::Waits { due: after(now, wait), alone: after(now, if_alone) };
    }

    fn delay(&mut self, timing: &Timing, outcome: Outcome) -> Duration {
        let in_use = outcome.why == Some(DialFailure::KeyInUse);
        self.clashes = if in_use { self.clashes.saturating_add(1) } else { 0 };
        match outcome.why {
            Some(DialFailure::Useless | DialFailure::WrongKey | DialFailure::OwnKey) => {
                return timing.retry_useless;
            }
            Some(DialFailure::Full | DialFailure::Dismissed) => return timing.retry_full,
            // At first it may be a peer by another connection, which it has opened itself.
            Some(DialFailure::KeyInUse) if self.clashes > 1 => return timing.retry_full,
            Some(DialFailure::KeyInUse | DialFailure::Connected) => self.failures = 0,
            _ if outcome.lived >= LASTING => self.failures = 0,
            _ => {}
        }
        let wait = self.retry(timing).saturating_mul(1 << self.failures.min(MAX_DOUBLINGS));
        self.failures = self.failures.saturating_add(1);
        wait.min(timing.retry_longest)
    }

    fn retry(&self, timing: &Timing) -> Duration {
        if self.address.is_local() { timing.retry_local } else { timing.retry }
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
    use super::*;

    #[derive(Clone, Debug, Eq, PartialEq)]
    struct At {
        node: u8,
        port: u16,
        local: bool,
    }

    impl Target for At {
        fn name(&self) -> NodeName {
            NodeName::new([self.node])
        }

        fn is_local(&self) -> bool {
            self.local
        }
    }

    const FAR: At = At { node: 1, port: 1, local: false };
    const NEAR: At = At { node: 1, port: 1, local: true };

    fn failed(why: DialFailure) -> Outcome {
        Outcome { lived: Duration::ZERO, why: Some(why) }
    }

    /// The waits in seconds after these outcomes of dialling one address.
    fn waits(address: &At, outcomes: &[Outcome], alone: bool) -> Vec<u64> {
        let mut now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, address.clone());
        let mut waits = Vec::new();
        for outcome in outcomes {
            assert_eq!(dialler.next(now, alone), Some(address.clone()));
            let verdict = dialler.ended(now, &address.name(), *outcome, (alone, 0)).unwrap();
            let due = dialler.next_due(alone).unwrap();
            assert_eq!(due.duration_since(now), verdict.retry_in);
            waits.push(verdict.retry_in.as_secs());
            now = due;
        }
        waits
    }

    #[test]
    fn waits_double_up_to_the_longest_and_begin_anew_after_a_connection_that_lasted() {
        let refused = failed(DialFailure::Refused);
        let lasted = Outcome { lived: LASTING, why: None };
        let outcomes = [refused, refused, refused, refused, refused, refused, lasted, refused];
        assert_eq!(waits(&FAR, &outcomes, false), [35, 70, 140, 280, 560, 600, 35, 70]);
        assert_eq!(waits(&NEAR, &outcomes[..3], false), [1, 2, 4]);
    }

    #[test]
    fn while_there_is_no_other_peer_no_wait_is_longer_than_a_minute() {
        for why in [DialFailure::Refused, DialFailure::Full, DialFailure::WrongKey] {
            let waits = waits(&FAR, &[failed(why); 6], true);
            assert!(waits.iter().all(|wait| *wait <= 60), "{why:?}: {waits:?}");
        }
    }

    #[test]
    fn what_a_node_says_decides_when_it_is_dialled_again() {
        let outcomes = [
            DialFailure::Useless,
            DialFailure::WrongKey,
            DialFailure::Full,
            DialFailure::Dismissed,
            DialFailure::Network,
        ];
        assert_eq!(waits(&FAR, &outcomes.map(failed), false), [3_600, 3_600, 300, 300, 35]);
        let in_use = failed(DialFailure::KeyInUse);
        assert_eq!(waits(&FAR, &[in_use, in_use, in_use], true), [35, 300, 300]);
    }

    #[test]
    fn waits_are_spread_by_a_quarter() {
        let wait = Duration::from_secs(1_020);
        assert_eq!(spread(wait, 0), wait);
        assert_eq!(spread(wait, u8::MAX), wait + wait / 4);
    }

    #[test]
    fn each_reason_is_reported_once_until_it_changes() {
        let now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, NEAR);
        let mut change = |outcome| {
            dialler.hurry(now);
            dialler.next(now, true).unwrap();
            dialler.ended(now, &NEAR.name(), outcome, (true, 0)).unwrap().change
        };
        let [refused, silent] = [DialFailure::Refused, DialFailure::Silent].map(failed);
        assert_eq!(change(refused), Some(DialFailure::Refused));
        assert_eq!(change(refused), None);
        assert_eq!(change(silent), Some(DialFailure::Silent));
        assert_eq!(change(refused), Some(DialFailure::Refused));
        // A connection stood meanwhile: what comes after it is a change.
        assert_eq!(change(Outcome { lived: LASTING, why: None }), None);
        assert_eq!(change(refused), Some(DialFailure::Refused));
    }

    #[test]
    fn a_key_that_is_in_use_elsewhere_is_reported_the_second_time() {
        let now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, NEAR);
        let mut at = now;
        let mut change = || {
            at = dialler.next_due(false).unwrap();
            dialler.next(at, false).unwrap();
            let outcome = Outcome { lived: LASTING, why: Some(DialFailure::KeyInUse) };
            dialler.ended(at, &NEAR.name(), outcome, (false, 0)).unwrap().change
        };
        assert_eq!(change(), None, "both ends may have dialled at once");
        assert_eq!(change(), Some(DialFailure::KeyInUse));
    }

    #[test]
    fn dialling_again_dials_now_and_replaces_the_address() {
        let now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, FAR);
        dialler.next(now, false);
        dialler.ended(now, &FAR.name(), failed(DialFailure::Full), (false, 0));
        let moved = At { port: 2, ..FAR };
        assert!(!dialler.add(now, moved.clone()), "no attempt is under way");
        assert_eq!(dialler.next(now, false), Some(moved.clone()));
        // An attempt that is under way leads to the former address.
        assert!(!dialler.add(now, moved), "the same address");
        assert!(dialler.add(now, FAR));
        assert_eq!(dialler.ended(now, &FAR.name(), Outcome::default(), (false, 0)), None);
        assert_eq!(dialler.next(now, false), Some(FAR));
        assert_eq!(dialler.entries.len(), 1);
    }

    #[test]
    fn hurry_makes_all_due_that_wait_and_forgets_their_failures() {
        let now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, FAR);
        assert_eq!(dialler.next(now, false), Some(FAR));
        dialler.hurry(now);
        assert_eq!(dialler.next_due(false), None, "it is being dialled");
        dialler.ended(now, &FAR.name(), Outcome::default(), (false, 0));
        assert_eq!(dialler.next(now, false), Some(FAR), "that was by the former network");
        dialler.ended(now, &FAR.name(), Outcome::default(), (false, 0));
        dialler.hurry(now);
        assert_eq!(dialler.next(now, false), Some(FAR));
        dialler.ended(now, &FAR.name(), Outcome::default(), (false, 0));
        assert_eq!(dialler.next_due(false), Some(now + Duration::from_secs(35)));
    }

    #[test]
    fn a_forgotten_address_is_dialled_no_more() {
        let now = Instant::now();
        let mut dialler = Dialler::new(Timing::default());
        dialler.add(now, NEAR);
        dialler.forget(&NEAR.name());
        assert_eq!(dialler.next(now, true), None);
        assert_eq!(dialler.ended(now, &NEAR.name(), Outcome::default(), (true, 0)), None);
        assert_eq!(dialler.next_due(true), None);
    }
}
