//! Whole networks under attack: the claims of the README, held by simulation.
//!
//! Ratings are scaled down so that proofs of work take a moment; what is compared stays in
//! proportion. The pool is 256 KiB, and each attack brings at least ten times what it holds.

use std::time::Duration;

use whisper_core::node::Config;
use whisper_core::pow::Rating;
use whisper_net::memory::Faults;
use whisper_net::sim::World;
use whisper_net::sim::adversaries::Deaf;
use whisper_net::sim::adversaries::Fickle;
use whisper_net::sim::adversaries::Flood;
use whisper_net::sim::adversaries::Flooder;
use whisper_net::sim::adversaries::Liar;
use whisper_net::sim::adversaries::Parrot;
use whisper_net::sim::adversaries::Rewrapper;
use whisper_net::sim::trial::Machines;
use whisper_net::sim::trial::Outcome;
use whisper_net::sim::trial::Trial;

#[test]
fn b10_two_day_envelopes_at_the_least_rating_push_out_no_message() {
    let ttl = Duration::from_secs(172_800);
    let flood = Flood {
        ttl,
        data: 60,
        target: rating(5e-5),
        per_second: 26,
        power: 100_000,
        ..Flood::default()
    };
    let guarded = trial(5e-5).run(|seed| Flooder::new(seed, flood));
    withstands(&guarded);
    assert_eq!(guarded.honest_cut, 0);
    let bare = unguarded(5e-5).run(|seed| Flooder::new(seed, flood));
    assert!(bare.delivered < 0.5, "the attack would work: {} delivered", bare.delivered);
}

#[test]
fn b8_a_flood_at_the_least_rating_pushes_out_no_message() {
    let ttl = Duration::from_secs(10);
    let flood = Flood {
        ttl,
        data: 300,
        target: rating(1e-3),
        per_second: 51,
        power: 2_000,
        ..Flood::default()
    };
    let guarded = trial(1e-3).run(|seed| Flooder::new(seed, flood));
    withstands(&guarded);
    assert_eq!(guarded.honest_cut, 0);
    let bare = unguarded(1e-3).run(|seed| Flooder::new(seed, flood));
    assert!(bare.delivered < 0.6, "the attack would work: {} delivered", bare.delivered);
}

#[test]
fn b11_small_and_short_lived_envelopes_that_are_rated_high_push_out_no_message() {
    let ttl = Duration::from_secs(10);
    let flood = Flood {
        ttl,
        data: 0,
        target: rating(1e-2),
        per_second: 200,
        power: 10_000,
        ..Flood::default()
    };
    let guarded = trial(1e-3).run(|seed| Flooder::new(seed, flood));
    withstands(&guarded);
    let bare = unguarded(1e-3).run(|seed| Flooder::new(seed, flood));
    assert!(bare.delivered < 0.3, "the attack would work: {} delivered", bare.delivered);
}

#[test]
fn b12_messages_in_ever_new_envelopes_push_out_no_message() {
    let again = |_| Rewrapper::new(Duration::from_secs(50), rating(1e-3), 20);
    withstands(&trial(1e-3).run(again));
}

#[test]
fn d8_peers_that_read_nothing_hold_up_nobody_and_are_cut() {
    // A socket takes little that is not read, so that it shows in that time.
    let faults = Faults { buffer: 4 * 1024, ..World::FAULTS };
    let outcome = Trial { faults, ..trial(1e-3) }.run(|_| Deaf::default());
    withstands(&outcome);
    assert!(outcome.adversaries_cut >= 24, "each of them");
    assert_eq!(outcome.honest_cut, 0);
}

/// To want something else is no sign of life: who reads nothing is cut all the same.
#[test]
fn b14_peers_that_change_their_mind_all_the_time_hold_up_nobody() {
    let faults = Faults { buffer: 4 * 1024, ..World::FAULTS };
    let outcome = Trial { faults, ..trial(1e-3) }.run(|_| Fickle::default());
    withstands(&outcome);
    assert!(outcome.p99 <= Duration::from_secs(1), "{:?}", outcome.p99);
    assert!(outcome.adversaries_cut >= 24, "each of them");
    assert_eq!(outcome.honest_cut, 0);
}

/// What a clock explains is no fault: an envelope that lives for a second and is rated just as
/// demanded rates lower where the clock is behind.
#[test]
fn b15_no_honest_node_is_cut_where_clocks_differ() {
    let ttl = Duration::from_secs(1);
    let flood = Flood { ttl, data: 300, target: rating(1e-3), per_second: 10, ..Flood::default() };
    let machines = Machines { clocks: Duration::from_millis(40), ..Machines::default() };
    let latency = Duration::from_millis(1)..=Duration::from_millis(30);
    let faults = Faults { latency, ..World::FAULTS };
    let outcome = Trial { machines, faults, ..trial(1e-3) }.run(|seed| Flooder::new(seed, flood));
    withstands(&outcome);
    assert_eq!(outcome.honest_cut, 0);
}

/// Twelve liars at each node, which has eight honest peers.
#[test]
fn b4_strangers_that_demand_what_nobody_can_pay_silence_nobody() {
    let lie = |_| Liar::new(rating(1e300));
    let guarded = Trial { adversaries: 32, reach: 9, ..trial(1e-3) }.run(lie);
    withstands(&guarded);
    assert!(guarded.tries < 100.0, "{} tries", guarded.tries);
    let bare = Trial { adversaries: 32, reach: 9, ..unguarded(1e-3) }.run(lie);
    assert!(bare.delivered < 0.1, "the attack would work: {} delivered", bare.delivered);
}

/// On machines that have no time for a quarter of what comes.
#[test]
fn a6_what_costs_its_sender_nothing_takes_nobodys_time() {
    let machines = Machines { pace: Duration::from_micros(500), ..Machines::default() };
    let slow = |trial: Trial| Trial { machines, ..trial };
    let expired = Flood { age: Duration::from_secs(15), per_second: 4_000, ..Flood::default() };
    let flood = |seed| Flooder::new(seed, expired);
    let repeat = |_| Parrot::new(4_000);
    for outcome in [slow(trial(1e-3)).run(flood), slow(trial(1e-3)).run(repeat)] {
        withstands(&outcome);
        assert!(outcome.p99 <= Duration::from_secs(1), "{:?}", outcome.p99);
        assert_eq!(outcome.honest_cut, 0);
    }
    for bare in [slow(unguarded(1e-3)).run(flood), slow(unguarded(1e-3)).run(repeat)] {
        let works = bare.delivered < 0.5 || bare.p99 > Duration::from_secs(2);
        assert!(works, "the attack would work: {} within {:?}", bare.delivered, bare.p99);
    }
}

/// Shares and budgets belong to the network of a peer and outlast its connections.
#[test]
fn b11_who_hangs_up_and_comes_back_has_no_second_share() {
    let (ttl, stay) = (Duration::from_secs(10), Some(Duration::from_secs(5)));
    let flood = Flood {
        ttl,
        data: 300,
        target: rating(1e-2),
        per_second: 51,
        power: 20_000,
        stay,
        ..Flood::default()
    };
    let guarded = trial(1e-3).run(|seed| Flooder::new(seed, flood));
    withstands(&guarded);
    assert_eq!(guarded.honest_cut, 0);
    let bare = unguarded(1e-3).run(|seed| Flooder::new(seed, flood));
    assert!(bare.delivered < 0.5, "the attack would work: {} delivered", bare.delivered);
}

fn withstands(outcome: &Outcome) {
    let Outcome { delivered, p99, most_pool_bytes, .. } = outcome;
    assert!(*delivered >= 0.99, "{delivered} delivered");
    assert!(*p99 <= Duration::from_secs(2), "99 of 100 within {p99:?}");
    assert!(*most_pool_bytes <= POOL, "{most_pool_bytes} bytes");
}

/// 24 nodes of degree 8, eight adversaries with three victims each, for half a minute.
fn trial(min_rating: f64) -> Trial {
    let node = Config { min_rating: rating(min_rating), pool_bytes: POOL, ..Config::default() };
    Trial { node, span: Duration::from_secs(30), ..Trial::default() }
}

fn unguarded(min_rating: f64) -> Trial {
    let Trial { node, .. } = trial(min_rating);
    let node = Config { guarded: false, budgets: None, ..node };
    Trial { node, span: Duration::from_secs(15), ..trial(min_rating) }
}

fn rating(value: f64) -> Rating {
    Rating::new(value).expect("a rating")
}

const POOL: usize = 256 * 1024;
