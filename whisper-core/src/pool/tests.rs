#![allow(clippy::arithmetic_side_effects, reason = "tests may stop")]

use alloc::vec;
use core::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::hash::keccak256;
use crate::rlp::Writer;

const START: u64 = 1_600_000_000;
const NOW: Timestamp = Timestamp::from_secs(START);

/// An envelope with `len` bytes of data that lives for `ttl` from `issued` on; `nonce` makes it
/// differ from others, and gives it some work.
fn level(envelope: &Envelope) -> usize {
    super::level(envelope, true)
}

fn envelope(issued: u64, ttl: u64, len: usize, nonce: u64) -> Arc<Envelope> {
    let mut writer = Writer::new();
    writer.list(|items| {
        items.uint(issued + ttl).uint(ttl).bytes(b"news").bytes(&vec![7; len]).uint(nonce);
    });
    Arc::new(Envelope::decode(writer.as_bytes()).unwrap())
}

/// The same, with exactly so much work, found from `nonce` on.
fn worked(ttl: u64, len: usize, bits: u16, nonce: u64) -> Arc<Envelope> {
    (nonce << 20..)
        .map(|nonce| envelope(START, ttl, len, nonce))
        .find(|e| e.work().bits() == bits)
        .unwrap()
}

fn cost(envelope: &Envelope) -> usize {
    envelope.encoded_len() + OVERHEAD
}

fn pool(bytes: usize) -> Pool {
    Pool::new(Limits { bytes, guarded: true }, [0x5a; 32])
}

fn insert(
    pool: &mut Pool,
    envelope: &Arc<Envelope>,
    origin: Origin,
) -> Result<Inserted, PoolError> {
    pool.insert(NOW, Arc::clone(envelope), envelope.rating(), origin)
}

const fn peer(number: u64) -> Origin {
    Origin::Network(Network::Shared(number))
}

/// Counts everything anew, along each of the lists.
fn check(pool: &Pool) {
    let records: Vec<&Record> =
        pool.wheel.walk(&pool.slab).filter_map(|i| pool.slab.get(i)).collect();
    assert!(records.is_sorted_by_key(|record| record.expiry));
    assert_eq!(records.len(), pool.len());
    assert_eq!(records.iter().map(|record| record.cost).sum::<usize>(), pool.bytes());
    assert!(pool.bytes() <= pool.limits().bytes);
    let waiting = records.iter().filter(|record| record.entry.is_waiting());
    assert_eq!(waiting.map(|record| record.cost).sum::<usize>(), pool.waiting_bytes);
    assert!(pool.waiting_bytes <= pool.limits().bytes / 8);

    let best_first: Vec<usize> = pool.iter_best_first().map(|(_, e)| level(e.envelope())).collect();
    assert!(best_first.is_sorted_by(|a, b| a >= b));
    assert_eq!(best_first.len(), pool.len());
    let of_peers = |share: &Share| share.levels.walk(&pool.slab).count();
    let own = records.iter().filter(|record| record.entry.is_own()).count();
    assert_eq!(pool.shares.values().map(of_peers).sum::<usize>() + own, pool.len());
    for record in records {
        let slot = pool.find(&record.entry.envelope.hash()).unwrap();
        assert!(Arc::ptr_eq(pool.get(slot).unwrap().envelope(), &record.entry.envelope));
    }
}

#[test]
fn b8_neither_dust_nor_flashes_gain_anything() {
    let plain = worked(10, 200, 0, 0);
    assert!(worked(1, 2, 0, 0).rating() > plain.rating());
    assert!(level(&worked(1, 2, 0, 0)) <= level(&plain) + 32, "at most by what 256 rounds up");
    assert_eq!(level(&worked(1, 2, 0, 0)), level(&worked(10, 2, 0, 0)));
    assert_eq!(level(&worked(10, 2, 0, 0)), level(&plain));
}

#[test]
fn levels_follow_the_number_that_eviction_goes_by() {
    assert_eq!(level(&worked(10, 2, 1, 0)), level(&worked(10, 2, 0, 0)) + 32);
    assert_eq!(level(&worked(20, 2, 1, 0)), level(&worked(10, 2, 0, 0)));
    assert!(level(&worked(172_800, 1_000_000, 0, 0)) > 0);
}

#[test]
fn b10_lowest_rated_goes_first() {
    // Two days, little work: the attack. It fills the pool, and gives way to whatever is honest.
    let mut pool = pool(1 << 20);
    for nonce in 0..2_000 {
        insert(&mut pool, &worked(172_800, 100, 0, nonce), peer(nonce % 9)).unwrap();
    }
    assert!(pool.is_contended());
    for nonce in 0..200 {
        let evicted =
            insert(&mut pool, &worked(50, 400, 0, nonce), peer(10 + nonce % 9)).unwrap().evicted;
        assert!(evicted.iter().all(|gone| gone.envelope.ttl() == 172_800));
    }
    let refused = (5_000..)
        .find_map(|nonce| insert(&mut pool, &worked(172_800, 100, 0, nonce), peer(20)).err());
    assert_eq!(refused, Some(PoolError::Full), "not better than the worst");
    assert!(pool.bytes() + 600 > pool.limits().bytes, "nor was there room");
    check(&pool);
}

#[test]
fn b11_no_peer_takes_more_than_a_quarter_when_space_is_short() {
    let mut pool = pool(1 << 20);
    let honest =
        |pool: &Pool| pool.iter_best_first().filter(|(_, e)| e.origin() != peer(1)).count();
    for nonce in 0.. {
        if pool.is_contended() {
            break;
        }
        insert(&mut pool, &worked(1_000, 500, 0, nonce), peer(2 + nonce % 8)).unwrap();
    }
    let before = honest(&pool);
    for nonce in 0..5_000 {
        let _ = insert(&mut pool, &envelope(START, 10, 14, nonce), peer(1));
        let share = pool.shares.get(&Network::Shared(1)).map_or(0, |share| share.bytes);
        assert!(share <= pool.limits().bytes / 4, "{share}");
    }
    assert!(honest(&pool) + 2 > before, "what was free is a quarter, and nearly enough for it");
    check(&pool);
}

#[test]
fn a_peer_above_its_share_gives_its_own_worst_for_better() {
    let mut pool = pool(64 << 10);
    let bits = |nonce| (nonce % 2) as u16;
    let refused = (0..).find_map(|nonce| {
        insert(&mut pool, &worked(1_000, 100, bits(nonce), nonce), peer(1)).err()
    });
    assert_eq!(refused, Some(PoolError::Full), "alone it fills three quarters");
    assert!(pool.bytes() + 600 > pool.limits().bytes / 4 * 3);
    insert(&mut pool, &worked(100_000, 100, 0, 0), peer(2)).unwrap();
    let evicted = insert(&mut pool, &worked(1_000, 100, 2, 0), peer(1)).unwrap().evicted;
    assert_eq!(evicted.len(), 1);
    assert_eq!((evicted[0].envelope.work().bits(), evicted[0].envelope.ttl()), (0, 1_000));
    let worse = insert(&mut pool, &worked(1_000, 100, 0, 9_000), peer(1));
    assert_eq!(worse.map(|_| ()), Err(PoolError::Full));
    assert!(insert(&mut pool, &worked(1_000, 100, 0, 9_001), peer(3)).is_ok());
    check(&pool);
}

/// How many of these keys share one of a thousand places, at most.
fn fullest(keys: impl Iterator<Item = u64>) -> usize {
    let mut places = vec![0_usize; 1_024];
    keys.for_each(|key| places[key as usize % 1_024] += 1);
    places.into_iter().max().unwrap()
}

#[test]
fn b13_probes_stay_bounded_under_hashes_that_collide_under_another_secret() {
    let hash = |start: u64, rest: u64| {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&start.to_le_bytes());
        bytes[8..16].copy_from_slice(&rest.to_le_bytes());
        EnvelopeHash::new(bytes)
    };
    let (mut ours, theirs) = (Index::new(&keccak256(b"ours")), Index::new(&keccak256(b"theirs")));
    let collides = |hash: &EnvelopeHash| theirs.key(hash) % 1_024 == 7;
    let ground: Vec<_> = (0..).map(|i| hash(i, 0)).filter(collides).take(20_000).collect();
    assert_eq!(fullest(ground.iter().map(|h| theirs.key(h))), 20_000);
    // On average 20 meet in one place; that 60 do is less likely than one in a thousand million.
    assert!(fullest(ground.iter().map(|h| ours.key(h))) < 60);
    // What proof of work and grinding give away for nothing: equal low or high halves.
    assert!(fullest((0..20_000).map(|i| ours.key(&hash(i << 32 | 0xabcd, 0)))) < 60);
    assert!(fullest((0..20_000).map(|i| ours.key(&hash(0xabcd << 32 | i, 0)))) < 60);

    let keys: Vec<u64> = ground.iter().map(|h| ours.key(h)).collect();
    for (index, key) in keys.iter().enumerate() {
        ours.insert(*key, index as u32, |index| keys[index as usize]);
    }
    let mut compared = 0;
    for (index, key) in keys.iter().enumerate() {
        let found = ours.find(*key, |held| {
            compared += 1;
            held == index as u32
        });
        assert_eq!(found, Some(index as u32));
    }
    assert!(compared < 2 * keys.len(), "{compared} comparisons");
}

#[test]
fn b17_a_hundred_thousand_in_one_second_expire_in_slices() {
    let mut pool = pool(1 << 30);
    for nonce in 0..100_000 {
        insert(&mut pool, &envelope(START, 50, 14, nonce), peer(nonce % 7)).unwrap();
    }
    let end = Timestamp::from_secs(START + 50);
    assert!(pool.expire(end, usize::MAX).is_empty(), "its last second has begun, not ended");
    let after = pool.next_expiry().unwrap();
    assert_eq!(after, Timestamp::from_secs(START + 51));
    for left in (0..100_000_usize).rev().step_by(1_000) {
        assert_eq!(pool.next_expiry(), Some(after));
        assert_eq!(pool.expire(after, 1_000).len(), 1_000);
        assert_eq!(pool.len(), left / 1_000 * 1_000);
    }
    assert_eq!((pool.next_expiry(), pool.bytes()), (None, 0));
    check(&pool);
}

#[test]
fn own_that_wait_are_never_evicted_and_fill_at_most_an_eighth() {
    let mut pool = pool(64 << 10);
    let mut own = Vec::new();
    let refused = (0..).find_map(|nonce| {
        insert(&mut pool, &worked(100_000, 100, 0, nonce), Origin::Own)
            .map(|inserted| own.push(inserted.slot))
            .err()
    });
    assert_eq!(refused, Some(PoolError::OwnShareFull));
    assert!(pool.bytes() <= 8 << 10 && pool.bytes() + 512 > 8 << 10);
    for nonce in 0..1_000 {
        let _ = insert(&mut pool, &envelope(START, 10, 100, nonce), peer(nonce % 9));
    }
    assert!(own.iter().all(|slot| pool.get(*slot).is_some()));

    pool.mark_sent(own[0]);
    assert!(pool.get(own[0]).unwrap().is_sent());
    let evicted = insert(&mut pool, &worked(10, 100, 8, 0), peer(10)).unwrap().evicted;
    assert_eq!(
        evicted.iter().map(|gone| (gone.slot, gone.is_own())).collect::<Vec<_>>(),
        [(own[0], true)]
    );
    check(&pool);
}

#[test]
fn a_stale_slot_misses_though_its_number_is_used_again() {
    let mut pool = pool(64 << 10);
    let old = insert(&mut pool, &envelope(START, 10, 0, 0), peer(1)).unwrap().slot;
    assert_eq!(pool.expire(Timestamp::from_secs(START + 11), 9).len(), 1);
    let new = insert(&mut pool, &envelope(START, 20, 0, 0), Origin::Own).unwrap().slot;
    assert_eq!(new.index(), old.index());
    pool.mark_sent(old);
    assert!(pool.get(old).is_none() && !pool.get(new).unwrap().is_sent());
}

#[test]
fn what_fits_into_no_pool_is_refused_and_nothing_goes_for_it() {
    let mut pool = pool(64 << 10);
    for nonce in 0..1_000 {
        let _ = insert(&mut pool, &envelope(START, 1_000, 100, nonce), peer(nonce % 9));
    }
    let (len, bytes) = (pool.len(), pool.bytes());
    let huge = insert(&mut pool, &worked(10, 70_000, 4, 0), peer(1));
    assert_eq!(huge.map(|_| ()), Err(PoolError::Full));
    assert_eq!((pool.len(), pool.bytes()), (len, bytes));
}

#[test]
fn a_clock_that_jumps_and_comes_back_loses_nothing_and_keeps_nothing_too_long() {
    let mut pool = pool(64 << 10);
    let far = START + 10 * 172_800;
    insert(&mut pool, &envelope(far, 50, 0, 0), peer(1)).unwrap();
    assert!(pool.expire(Timestamp::from_secs(far), 9).is_empty());
    insert(&mut pool, &envelope(START, 50, 0, 0), peer(1)).unwrap();
    assert_eq!(pool.next_expiry(), Some(Timestamp::from_secs(START + 51)));
    assert_eq!(pool.expire(Timestamp::from_secs(START + 51), 9).len(), 1);
    assert_eq!(pool.next_expiry(), Some(Timestamp::from_secs(far + 51)));
}

#[derive(Clone, Debug)]
enum Step {
    Insert { ttl: u64, len: usize, origin: u64 },
    Sent(usize),
    Expire(usize),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (prop_oneof![1..60_u64, 10..4_000_u64, 10..172_800_u64], 0..2_000_usize, 0..9_u64)
            .prop_map(|(ttl, len, origin)| Step::Insert { ttl, len, origin }),
        2 => any::<usize>().prop_map(Step::Sent),
        1 => (0..20_usize).prop_map(Step::Expire),
        2 => (0..30_u64).prop_map(Step::Wait),
    ]
}

/// Slot, envelope, who brought it, and whether it was sent.
type Known = (Slot, Arc<Envelope>, Origin, bool);

/// What a list that is looked through from end to end says about the pool.
#[derive(Debug, Default)]
struct Model {
    entries: Vec<Known>,
    secs: u64,
    nonce: u64,
}

impl Model {
    fn step(&mut self, pool: &mut Pool, step: &Step) {
        let now = NOW.saturating_add(Duration::from_secs(self.secs));
        match *step {
            Step::Insert { ttl, len, origin } => {
                self.nonce += 1;
                let origin = if origin == 0 { Origin::Own } else { peer(origin * origin / 9) };
                self.insert(pool, now, envelope(now.as_secs(), ttl, len, self.nonce), origin);
            }
            Step::Sent(which) if !self.entries.is_empty() => {
                let which = which % self.entries.len();
                self.entries[which].3 = true;
                pool.mark_sent(self.entries[which].0);
            }
            Step::Sent(_) => {}
            Step::Expire(at_most) => {
                let due =
                    self.entries.iter().filter(|entry| entry.1.expiry() < now.as_secs()).count();
                let gone = pool.expire(now, at_most);
                assert_eq!(gone.len(), due.min(at_most));
                assert!(gone.iter().all(|gone| gone.envelope.expiry() < now.as_secs()));
                self.remove(&gone);
            }
            Step::Wait(secs) => self.secs += secs,
        }
        check(pool);
        assert_eq!(pool.len(), self.entries.len());
        let first = self.entries.iter().map(|entry| entry.1.expiry()).min();
        assert_eq!(pool.next_expiry(), first.map(|expiry| Timestamp::from_secs(expiry + 1)));
    }

    fn insert(&mut self, pool: &mut Pool, now: Timestamp, newcomer: Arc<Envelope>, origin: Origin) {
        let (limit, new, rank) = (pool.limits().bytes, cost(&newcomer), level(&newcomer));
        let sum = |which: &dyn Fn(&&Known) -> bool| {
            self.entries.iter().filter(which).map(|entry| cost(&entry.1)).sum::<usize>()
        };
        let expired = |envelope: &Envelope| envelope.expiry() < now.as_secs();
        let missing = (sum(&|_| true) + new).saturating_sub(limit);
        let own = sum(&|entry| entry.2 == Origin::Own && !entry.3);
        let held = sum(&|entry| entry.2 == origin);
        let crowding = origin != Origin::Own
            && held > 0
            && held + new > limit / 4
            && sum(&|_| true) + new > limit - limit / 4;
        let worse = sum(&|entry| {
            let waiting = entry.2 == Origin::Own && !entry.3;
            expired(&entry.1) || !waiting && level(&entry.1) < rank
        });
        let mine_worse = sum(&|entry| entry.2 == origin && level(&entry.1) < rank);

        let result = pool.insert(now, Arc::clone(&newcomer), newcomer.rating(), origin);
        let gone = match result {
            Err(PoolError::OwnShareFull) => {
                return assert!(origin == Origin::Own && own + new > limit / 8);
            }
            Err(PoolError::Full) if crowding => return assert!(mine_worse < held, "all would do"),
            Err(PoolError::Full) => return assert!(worse < missing),
            Ok(Inserted { slot, evicted }) => {
                assert!(origin != Origin::Own || own + new <= limit / 8);
                self.entries.push((slot, newcomer, origin, false));
                evicted
            }
        };
        let freed: usize = gone.iter().map(|gone| cost(&gone.envelope)).sum();
        let largest = gone.iter().map(|gone| cost(&gone.envelope)).max().unwrap_or(0);
        let (worst_first, allowed) = if crowding {
            let excess = (held + new - limit / 4).min(new).max(missing);
            assert!(mine_worse >= excess && freed >= excess && freed - largest < excess);
            (
                false,
                gone.iter()
                    .all(|gone| level(&gone.envelope) < rank && self.brought(gone) == origin),
            )
        } else {
            assert!(worse >= missing && freed >= missing && freed - largest <= missing);
            (true, gone.iter().all(|gone| expired(&gone.envelope) || level(&gone.envelope) < rank))
        };
        assert!(allowed);
        self.remove(&gone);
        let evicted = gone.iter().filter(|gone| !expired(&gone.envelope));
        let survivors = self.entries.iter().filter(|e| (e.2 != Origin::Own || e.3) && worst_first);
        if let (Some(best), Some(worst)) =
            (evicted.map(|gone| level(&gone.envelope)).max(), survivors.map(|e| level(&e.1)).min())
        {
            assert!(best <= worst, "the worst goes first");
        }
    }

    fn brought(&self, gone: &Gone) -> Origin {
        self.entries.iter().find(|entry| entry.0 == gone.slot).unwrap().2
    }

    fn remove(&mut self, gone: &[Gone]) {
        for gone in gone {
            let at = self.entries.iter().position(|entry| entry.0 == gone.slot).unwrap();
            let (_, envelope, origin, _) = self.entries.swap_remove(at);
            assert_eq!(
                (envelope.hash(), origin == Origin::Own),
                (gone.envelope.hash(), gone.is_own())
            );
        }
    }
}

proptest! {
    // 128 times 800 make the 10^5 steps that `B10` asks for.
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn b10_pool_does_as_a_naive_list(steps in proptest::collection::vec(step(), 600..1_000)) {
        let (mut pool, mut model) = (pool(48 << 10), Model::default());
        for step in &steps {
            model.step(&mut pool, step);
        }
        let end = NOW.saturating_add(Duration::from_secs(1 << 30));
        prop_assert_eq!(pool.expire(end, usize::MAX).len(), model.entries.len());
        prop_assert!(pool.is_empty() && pool.bytes() == 0 && pool.next_expiry().is_none());
        prop_assert!(pool.shares.is_empty());
    }
}
