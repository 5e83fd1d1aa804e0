//! What is counted over time: connections from an address, packets that cost nothing to send.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::address;

/// The moment `span` after `now`. "Never" is a day: it fits into any clock.
pub(super) fn after(now: Instant, span: Duration) -> Instant {
    now + span.min(DAY)
}

const DAY: Duration = Duration::from_secs(86_400);

/// Lets one connection of an address in, then none for a while.
pub(super) struct AddressThrottle {
    interval: Duration,
    exempt_local: bool,
    recent: BTreeSet<IpAddr>,
    /// The same addresses, oldest first.
    order: VecDeque<(Instant, IpAddr)>,
}

impl AddressThrottle {
    pub(super) const fn new(interval: Duration, exempt_local: bool) -> Self {
        Self { interval, exempt_local, recent: BTreeSet::new(), order: VecDeque::new() }
    }

    /// Whether a connection from this address may come in now.
    pub(super) fn admits(&mut self, now: Instant, from: IpAddr) -> bool {
        if self.exempt_local && address::is_local(from) {
            return true;
        }
        while let Some((since, gone)) = self.order.front() {
            if now.duration_since(*since) < self.interval {
                break;
            }
            self.recent.remove(gone);
            self.order.pop_front();
        }
        let who = address::subscriber(from);
        if self.recent.len() >= MAX_RECENT || !self.recent.insert(who) {
            return false;
        }
        self.order.push_back((now, who));
        true
    }
}

/// Enough that a flood from more addresses than that may be refused as a whole.
const MAX_RECENT: usize = 16_384;

/// Tokens that come back one by one.
pub(super) struct Bucket {
    interval: Duration,
    span: Duration,
    full_at: Instant,
}

impl Bucket {
    /// A full bucket of `burst` tokens, which come back at one per `interval`.
    pub(super) fn new(now: Instant, burst: u32, interval: Duration) -> Self {
        Self { interval, span: interval.saturating_mul(burst), full_at: now }
    }

    /// Takes a token, if there is one.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let full_at = self.full_at.max(now) + self.interval;
        let takes = full_at.duration_since(now) <= self.span;
        if takes {
            self.full_at = full_at;
        }
        takes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(30);

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn d9_an_address_comes_in_once_per_interval() {
        let mut throttle = AddressThrottle::new(INTERVAL, true);
        let start = Instant::now();
        assert!(throttle.admits(start, at("203.0.113.7")));
        // Trying again does not start the time anew.
        assert!(!throttle.admits(start + INTERVAL / 2, at("203.0.113.7")));
        assert!(throttle.admits(start + INTERVAL / 2, at("203.0.113.8")));
        assert!(throttle.admits(start + INTERVAL, at("203.0.113.7")));
        assert!(throttle.admits(start, at("127.0.0.1")) && throttle.admits(start, at("127.0.0.1")));
    }

    #[test]
    fn local_addresses_are_counted_where_that_is_set() {
        let mut throttle = AddressThrottle::new(INTERVAL, false);
        let now = Instant::now();
        assert!(throttle.admits(now, at("127.0.0.1")) && !throttle.admits(now, at("127.0.0.1")));
    }

    #[test]
    fn a_flood_of_addresses_is_remembered_within_bounds() {
        let mut throttle = AddressThrottle::new(INTERVAL, true);
        let start = Instant::now();
        for number in 0..2 * MAX_RECENT as u32 {
            throttle.admits(start, IpAddr::from((0x0b00_0000 + number).to_be_bytes()));
        }
        assert_eq!((throttle.recent.len(), throttle.order.len()), (MAX_RECENT, MAX_RECENT));
        assert!(throttle.admits(start + INTERVAL, at("203.0.113.7")));
        assert_eq!(throttle.order.len(), 1);
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start, 5, Duration::from_secs(1));
        assert_eq!((0..9).filter(|_| bucket.take(start)).count(), 5);
        let later = start + Duration::from_secs(2);
        assert_eq!((0..9).filter(|_| bucket.take(later)).count(), 2);
    }
}
