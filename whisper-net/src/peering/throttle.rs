//! How often one address may come.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::address;

/// Lets one connection of an address in, then none for a while; and some of a network.
#[derive(Debug)]
pub struct AddressThrottle {
    interval: Duration,
    exempt_local: bool,
    recent: BTreeSet<IpAddr>,
    networks: BTreeMap<IpAddr, usize>,
    /// The same addresses, oldest first.
    order: VecDeque<(Instant, IpAddr)>,
}

impl AddressThrottle {
    /// One connection per address and `interval`. Loopback and private addresses may be exempt.
    pub const fn new(interval: Duration, exempt_local: bool) -> Self {
        Self {
            interval,
            exempt_local,
            recent: BTreeSet::new(),
            networks: BTreeMap::new(),
            order: VecDeque::new(),
        }
    }

    /// Whether a connection from this address may come in now.
    pub fn admits(&mut self, now: Instant, from: IpAddr) -> bool {
        if self.exempt_local && address::is_local(from) {
            return true;
        }
        while self
            .order
            .front()
            .is_some_and(|(since, _)| now.duration_since(*since) >= self.interval)
        {
            self.forget_oldest();
        }
        let (who, network) = (address::subscriber(from), address::network(from));
        let neighbours = self.networks.get(&network).copied().unwrap_or(0);
        if neighbours >= MAX_PER_NETWORK || self.recent.contains(&who) {
            return false;
        }
        if self.order.len() >= MAX_RECENT {
            // It may come again early. That is better than a flood that keeps all others out.
            self.forget_oldest();
        }
        self.recent.insert(who);
        // Read anew: the oldest may have been a neighbour.
        let neighbours = self.networks.entry(network).or_default();
        *neighbours = neighbours.saturating_add(1);
        self.order.push_back((now, who));
        true
    }

    fn forget_oldest(&mut self) {
        let Some((_, who)) = self.order.pop_front() else { return };
        self.recent.remove(&who);
        let network = address::network(who);
        if let Some(count) = self.networks.get_mut(&network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.networks.remove(&network);
            }
        }
    }
}

/// Enough for all customers that honestly come at once behind one router or in one company.
const MAX_PER_NETWORK: usize = 16;

/// Half a megabyte and more of networks that come at once.
const MAX_RECENT: usize = 16_384;

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
    fn a_network_cannot_keep_all_others_out() {
        let mut throttle = AddressThrottle::new(INTERVAL, true);
        let start = Instant::now();
        let flood = (0..2 * MAX_RECENT as u32).map(|n| {
            let [a, b, c, d] = n.to_be_bytes();
            IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, c, d, a, b, 0, 0, 0, 0, 0, 1])
        });
        let admitted = flood.filter(|from| throttle.admits(start, *from)).count();
        assert_eq!(admitted, MAX_PER_NETWORK);
        let others = (0..100_u8).map(|n| IpAddr::from([203, n, 113, 7]));
        assert_eq!(others.filter(|from| throttle.admits(start, *from)).count(), 100);
    }

    #[test]
    fn a_network_counts_as_many_as_are_remembered() {
        let mut throttle = AddressThrottle::new(INTERVAL, true);
        let start = Instant::now();
        let first = 0x0b00_0000;
        for number in 0..MAX_RECENT as u32 {
            throttle.admits(start, IpAddr::from((first + (number << 8)).to_be_bytes()));
        }
        // It takes the place of its own neighbour.
        throttle.admits(start, IpAddr::from((first + 1_u32).to_be_bytes()));
        assert_eq!(throttle.networks.values().sum::<usize>(), MAX_RECENT);
    }

    #[test]
    fn a_flood_of_networks_is_remembered_within_bounds_and_keeps_nobody_out() {
        let mut throttle = AddressThrottle::new(INTERVAL, true);
        let start = Instant::now();
        for number in 0..4 * MAX_RECENT as u32 {
            throttle.admits(start, IpAddr::from((0x0b00_0000 + (number << 8)).to_be_bytes()));
        }
        assert_eq!((throttle.recent.len(), throttle.order.len()), (MAX_RECENT, MAX_RECENT));
        assert!(throttle.admits(start, at("203.0.113.7")));
        assert!(throttle.admits(start + INTERVAL, at("203.0.113.7")));
        assert_eq!((throttle.order.len(), throttle.networks.len()), (1, 1));
    }
}
