//! Bounded room for envelopes, shared out among those who brought them.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::cmp::Reverse;

use crate::inbox;
use crate::pool;
use crate::pool::Origin;
use crate::pow::Rating;

use super::contract::Arrival;

/// Envelopes in the order they came.
///
/// Where there is no room, the origin that brought most gives way: its lowest rated envelope goes, by
/// the number that a pool evicts by, and of equals the newest. A reader that is slower than envelopes
/// come gives all origins the same part of its time. So no origin keeps out what others bring.
#[derive(Debug)]
pub struct Backlog {
    limits: Limits,
    arrivals: BTreeMap<u64, Arrival>,
    shares: BTreeMap<Origin, Share>,
    /// The shares by their weight.
    heaviest: BTreeSet<(usize, Origin)>,
    bytes: usize,
    next: u64,
    /// Whose envelope was taken last: of those that have cost the same, the next is behind it.
    served: Option<Origin>,
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
    /// The bytes of its envelopes, and for each the bytes that its place could hold.
    weight: usize,
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
            served: None,
        }
    }

    /// Appends an envelope, and gives those that had to go, with their numbers: perhaps this one.
    pub fn push(&mut self, arrival: Arrival) -> Vec<(u64, Arrival)> {
        let number = self.next;
        self.next = number.saturating_add(1);
        self.bytes = self.bytes.saturating_add(arrival.envelope.size());
        let weight = self.weight(&arrival);
        self.change_share(arrival.origin, |share| {
            share.weight = share.weight.saturating_add(weight);
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

    /// Takes what a reader has time for: all, if it has time for all, else some of each origin, as much
    /// as costs the same. In the order they came.
    ///
    /// An envelope costs one step, and one that may be for an identity as many as there are
    /// `identities`: each of them tries an agreement, which is worth some hundred other trials.
    pub fn take(&mut self, steps: usize, identities: usize) -> Vec<Arrival> {
        let cost = |arrival: &Arrival| match inbox::may_be_asymmetric(arrival.envelope.data()) {
            true => identities.max(1),
            false => 1,
        };
        let numbers = self.fair(steps, cost);
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
        let weight = self.weight(&arrival);
        self.change_share(arrival.origin, |share| {
            share.weight = share.weight.saturating_sub(weight);
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

    /// The oldest of each origin, then the next of those that cost least so far, until they cost
    /// enough; one at least.
    fn fair(&mut self, steps: usize, cost: impl Fn(&Arrival) -> usize) -> BTreeSet<u64> {
        let mut numbers = BTreeSet::new();
        let mut left = steps;
        let served = self.served;
        let turn = |origin| (served.is_some_and(|served| origin <= served), origin);
        let mut spent: BTreeSet<_> =
            self.shares.keys().map(|origin| (0_usize, turn(*origin))).collect();
        let mut queues: BTreeMap<_, _> =
            self.shares.iter().map(|(origin, share)| (*origin, share.numbers.iter())).collect();
        while left > 0 {
            let Some((before, (_, origin))) = spent.pop_first() else { break };
            let next = queues.get_mut(&origin).and_then(Iterator::next);
            let Some(number) = next else { continue };
            let cost = self.arrivals.get(number).map_or(1, &cost);
            left = left.saturating_sub(cost);
            numbers.insert(*number);
            self.served = Some(origin);
            spent.insert((before.saturating_add(cost), turn(origin)));
        }
        numbers
    }

    /// What an envelope counts against its origin: a place is worth as many bytes as there are for it.
    fn weight(&self, arrival: &Arrival) -> usize {
        let bytes = self.limits.bytes.min(MOST_BYTES);
        let place = bytes.checked_div(self.limits.envelopes).unwrap_or_default();
        arrival.envelope.size().saturating_add(place)
    }

    fn change_share(&mut self, origin: Origin, change: impl FnOnce(&mut Share)) {
        let share = self.shares.entry(origin).or_default();
        self.heaviest.remove(&(share.weight, origin));
        change(share);
        if share.numbers.is_empty() {
            self.shares.remove(&origin);
        } else {
            self.heaviest.insert((share.weight, origin));
        }
    }
}

/// No backlog holds more, whatever its limit: so weights can be added up.
const MOST_BYTES: usize = 1 << 30;

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
        assert_eq!(nonces(&backlog.take(1_000, 1)), (0..100).collect::<Vec<_>>());
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
            let least =
                backlog.take(64, 1).iter().map(|kept| kept.envelope.rating()).min().unwrap();
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
        let kept = backlog.take(10, 1);
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
            let few = backlog.take(20, 1);
            let honest = few.iter().filter(|one| one.origin == origin);
            assert_eq!(honest.count(), 10, "and it is read in turn");
        }
    }

    #[test]
    fn d20_an_origin_whose_envelopes_cost_agreements_gets_no_more_time_than_others() {
        let mut backlog = Backlog::new(Limits { envelopes: 1_000, bytes: usize::MAX });
        // The first may be for any of a hundred identities: 64 hashes were paid for each.
        for nonce in 0..200 {
            let draft = Draft::new(NOW, Duration::from_secs(50), Topic::default(), vec![4; 369]);
            let envelope = Arc::new(draft.unwrap().seal(nonce));
            backlog.push(Arrival::admitted(envelope, Origin::Network(Network::Shared(1))));
            backlog.push(arrival(nonce, 80, 50, 2));
        }
        let two = Origin::Network(Network::Shared(2));
        let batch = backlog.take(400, 100);
        let cheap = batch.iter().filter(|arrival| arrival.origin == two).count();
        assert_eq!((cheap, batch.len() - cheap), (200, 2));
        assert_eq!(backlog.take(50, 100).len(), 1, "one at least, whatever it costs");
    }

    #[test]
    fn d20_origins_take_turns_over_batches_however_short_these_are() {
        let mut backlog = Backlog::new(Limits { envelopes: 64, bytes: usize::MAX });
        for nonce in 0..30 {
            backlog.push(arrival(nonce, 80, 50, nonce % 3));
        }
        let served: Vec<_> = (0..6).flat_map(|_| backlog.take(1, 1)).collect();
        let origins: Vec<_> = served.iter().map(|arrival| arrival.origin).collect();
        let in_turn = [0, 1, 2, 0, 1, 2].map(|from| Origin::Network(Network::Shared(from)));
        assert_eq!(origins, in_turn);
    }

    #[test]
    fn d20_a_place_is_worth_bytes_so_that_many_small_ones_give_way_to_few_large_ones() {
        let mut backlog = Backlog::new(Limits { envelopes: 64, bytes: 64 << 10 });
        // Eight that are large, then a flood of what is hardly anything.
        (0..8).for_each(|nonce| drop(backlog.push(arrival(nonce, 1_000, 50, 1))));
        (0..200).for_each(|nonce| drop(backlog.push(arrival(nonce, 0, 50, 2))));
        let one = Origin::Network(Network::Shared(1));
        let kept = backlog.take(64, 1);
        assert_eq!(kept.iter().filter(|arrival| arrival.origin == one).count(), 8);
    }

    #[test]
    fn what_was_read_counts_for_no_share_any_more() {
        let mut backlog = Backlog::new(Limits { envelopes: 64, bytes: usize::MAX });
        (0..60).for_each(|nonce| drop(backlog.push(arrival(nonce, 80, 50, 1))));
        assert_eq!(backlog.take(50, 1).len(), 50);
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
