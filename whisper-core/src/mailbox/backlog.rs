//! Bounded room for envelopes, shared out among those who brought them.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::pool;
use crate::pool::Origin;
use crate::pow::Rating;

use super::contract::Arrival;

/// Envelopes in the order they came.
///
/// Where there is no room, the origin that brought most gives way: its lowest rated envelope goes, by
/// the number that a pool evicts by, and of equals the newest. A reader that is slower than envelopes
/// come takes from all origins in turn. So no origin keeps out what others bring.
#[derive(Debug)]
pub struct Backlog {
    limits: Limits,
    arrivals: BTreeMap<u64, Arrival>,
    shares: BTreeMap<Origin, Share>,
    /// The shares by their bytes.
    heaviest: BTreeSet<(usize, Origin)>,
    bytes: usize,
    next: u64,
}

/// How much a backlog holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Envelopes.
    pub envelopes: usize,
    /// The bytes of their sizes.
    pub bytes: usize,
}

impl Limits {
    /// What may wait to be read beside a pool of so many bytes: a quarter of them, and no more than
    /// a second's work for one key.
    pub const fn unread(pool_bytes: usize) -> Self {
        Self { envelopes: 16_384, bytes: pool_bytes / 4 }
    }

    /// What may wait for a session beside a pool of so many bytes: a quarter of them.
    pub const fn waiting(pool_bytes: usize) -> Self {
        Self { envelopes: 65_536, bytes: pool_bytes / 4 }
    }
}

/// What one origin brought.
#[derive(Debug, Default)]
struct Share {
    bytes: usize,
    numbers: BTreeSet<u64>,
    /// Lowest first. What a trusted peer sent past the pool stays longer.
    ranks: BTreeSet<Rank>,
}

type Rank = (bool, Rating, Reverse<u64>);

impl Backlog {
    /// No envelopes yet.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            arrivals: BTreeMap::new(),
            shares: BTreeMap::new(),
            heaviest: BTreeSet::new(),
            bytes: 0,
            next: 0,
        }
    }

    /// Appends an envelope, and gives those that had to go, with their numbers: perhaps this one.
    pub fn push(&mut self, arrival: Arrival) -> Vec<(u64, Arrival)> {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.bytes = self.bytes.saturating_add(arrival.envelope.size());
        self.change_share(arrival.origin, |share| {
            share.bytes = share.bytes.saturating_add(arrival.envelope.size());
            share.numbers.insert(number);
            share.ranks.insert(rank(number, &arrival));
        });
        self.arrivals.insert(number, arrival);
        let mut shed = Vec::new();
        while self.arrivals.len() > self.limits.envelopes || self.bytes > self.limits.bytes {
            let heaviest = self.heaviest.last().and_then(|(_, origin)| self.shares.get(origin));
            let lowest = heaviest.and_then(|share| share.ranks.first());
            let Some((_, _, Reverse(number))) = lowest.copied() else { break };
            shed.extend(self.remove(number).map(|arrival| (number, arrival)));
        }
        shed
    }

    /// Takes at most so many: all, if there are no more, else some of each origin. In the order
    /// they came.
    pub fn take(&mut self, at_most: usize) -> Vec<Arrival> {
        let numbers = match self.arrivals.len() <= at_most {
            true => self.arrivals.keys().copied().collect(),
            false => self.fair(at_most),
        };
        numbers.into_iter().filter_map(|number| self.remove(number)).collect()
    }

    /// The number that the next envelope gets.
    pub const fn next_number(&self) -> u64 {
        self.next
    }

    /// The envelope of this number.
    pub fn get(&self, number: u64) -> Option<&Arrival> {
        self.arrivals.get(&number)
    }

    /// Takes out the envelope of this number.
    pub fn remove(&mut self, number: u64) -> Option<Arrival> {
        let arrival = self.arrivals.remove(&number)?;
        self.bytes = self.bytes.saturating_sub(arrival.envelope.size());
        self.change_share(arrival.origin, |share| {
            share.bytes = share.bytes.saturating_sub(arrival.envelope.size());
            share.numbers.remove(&number);
            share.ranks.remove(&rank(number, &arrival));
        });
        Some(arrival)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.arrivals.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
    }

    /// The bytes of their sizes.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The oldest of each origin, then the next of each, until there are enough.
    fn fair(&self, at_most: usize) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        let mut origins: Vec<_> = self.shares.values().map(|share| share.numbers.iter()).collect();
        while !origins.is_empty() && numbers.len() < at_most {
            origins.retain_mut(|origin| match origin.next() {
                Some(number) if numbers.len() < at_most => numbers.insert(*number),
                Some(_) | None => false,
            });
        }
        numbers
    }

    fn change_share(&mut self, origin: Origin, change: impl FnOnce(&mut Share)) {
        let share = self.shares.entry(origin).or_default();
        self.heaviest.remove(&(share.bytes, origin));
        change(share);
        if share.numbers.is_empty() {
            self.shares.remove(&origin);
        } else {
            self.heaviest.insert((share.bytes, origin));
        }
    }
}

fn rank(number: u64, arrival: &Arrival) -> Rank {
    (arrival.direct, pool::worth(&arrival.envelope), Reverse(number))
}

#[cfg(test)]
mod tests {
    use alloc::sync::Arc;
    use alloc::vec;
    use core::time::Duration;

    use super::*;
    use crate::envelope::Draft;
    use crate::peer::Network;
    use crate::time::Timestamp;
    use crate::topic::Topic;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn arrival(nonce: u64, length: usize, ttl: u64, from: u64) -> Arrival {
        let draft = Draft::new(NOW, Duration::from_secs(ttl), Topic::default(), vec![0; length]);
        let envelope = Arc::new(draft.unwrap().seal(nonce));
        Arrival::admitted(envelope, Origin::Network(Network::Shared(from)))
    }

    fn nonces(arrivals: &[Arrival]) -> Vec<u64> {
        arrivals.iter().map(|arrival| arrival.envelope.nonce()).collect()
    }

    #[test]
    fn what_fits_comes_out_in_order() {
        let mut backlog = Backlog::new(Limits { envelopes: 100, bytes: usize::MAX });
        for nonce in 0..100 {
            assert!(backlog.push(arrival(nonce, 80, 50, nonce % 3)).is_empty());
        }
        assert_eq!(nonces(&backlog.take(1_000)), (0..100).collect::<Vec<_>>());
        assert_eq!((backlog.len(), backlog.bytes()), (0, 0));
    }

    #[test]
    fn d20_when_it_is_full_the_lowest_rated_go() {
        for limits in [
            Limits { envelopes: 64, bytes: usize::MAX },
            Limits { envelopes: usize::MAX, bytes: 6_400 },
        ] {
            let mut backlog = Backlog::new(limits);
            let shed: usize =
                (0..1_000).map(|nonce| backlog.push(arrival(nonce, 80, 50, 1)).len()).sum();
            assert_eq!((backlog.len(), shed), (64, 936));
            let mut all: Vec<_> = (0..1_000).map(|nonce| arrival(nonce, 80, 50, 1)).collect();
            all.sort_by_key(|arrival| Reverse(pool::worth(&arrival.envelope)));
            let least = backlog.take(64).iter().map(|kept| kept.envelope.rating()).min().unwrap();
            assert_eq!(least, all[63].envelope.rating());
            assert!(backlog.shares.is_empty() && backlog.heaviest.is_empty());
        }
    }

    #[test]
    fn dust_and_flashes_push_out_nothing_that_a_pool_would_keep() {
        let mut backlog = Backlog::new(Limits { envelopes: 10, bytes: usize::MAX });
        // 2^8 tries for 1,000 bytes and 50 s.
        let honest = (0..).find(|nonce| arrival(*nonce, 1_000, 50, 1).envelope.work().bits() >= 8);
        let honest = arrival(honest.unwrap(), 1_000, 50, 1);
        backlog.push(honest.clone());
        for nonce in 0..200 {
            // A thousandth of the size and a fifth of the life, without work to speak of.
            let dust = arrival(nonce, 0, 10, 1);
            if dust.envelope.work().bits() < 4 {
                backlog.push(dust);
            }
        }
        let kept = backlog.take(10);
        assert!(kept.iter().any(|kept| kept.envelope.hash() == honest.envelope.hash()));
    }

    #[test]
    fn d20_the_origin_that_brings_most_gives_way_however_much_work_it_does() {
        let mut rated: Vec<_> = (0..400).map(|nonce| arrival(nonce, 80, 50, 1)).collect();
        rated.sort_by_key(|arrival| arrival.envelope.rating());
        let origin = Origin::Network(Network::Shared(2));
        rated[..10].iter_mut().for_each(|low| low.origin = origin);
        for from in [0, 10] {
            // Before the others, and after them.
            rated.rotate_left(from);
            let mut backlog = Backlog::new(Limits { envelopes: 64, bytes: usize::MAX });
            rated.iter().for_each(|arrival| drop(backlog.push(arrival.clone())));
            let few = backlog.take(20);
            let honest = few.iter().filter(|one| one.origin == origin);
            assert_eq!(honest.count(), 10, "and it is read in turn");
        }
    }

    #[test]
    fn what_was_read_counts_for_no_share_any_more() {
        let mut backlog = Backlog::new(Limits { envelopes: 64, bytes: usize::MAX });
        (0..60).for_each(|nonce| drop(backlog.push(arrival(nonce, 80, 50, 1))));
        assert_eq!(backlog.take(50).len(), 50);
        let shed = (0..60).flat_map(|nonce| backlog.push(arrival(nonce, 80, 50, 2)));
        let two = Origin::Network(Network::Shared(2));
        assert!(shed.map(|(_, arrival)| arrival.origin).all(|origin| origin == two));
    }

    #[test]
    fn of_equals_the_newest_goes_and_last_what_came_past_the_pool() {
        let mut backlog = Backlog::new(Limits { envelopes: 2, bytes: usize::MAX });
        let direct = Arrival { direct: true, ..arrival(0, 1_000, 50, 1) };
        let mut numbers = Vec::new();
        for arrival in [direct, arrival(1, 80, 50, 1), arrival(1, 80, 50, 1)] {
            numbers.extend(backlog.push(arrival).into_iter().map(|(number, _)| number));
        }
        assert_eq!(numbers, [2]);
    }
}
