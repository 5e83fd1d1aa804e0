//! The tree of headers: which chain is the best, what is kept, what is refused.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod chain_data;
mod forge;
mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use whisper_core::ledger::Bits;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderChain;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::HeaderRules;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Params;
use whisper_core::ledger::Retarget;
use whisper_core::ledger::Scan;
use whisper_core::ledger::asert;
use whisper_core::time::Timestamp;

use crate::chain_data::Free;
use crate::forge::REGTEST;
use crate::forge::at;
use crate::forge::headers;

const NOW: Timestamp = Timestamp::from_secs(2_000_000_000);

fn rules(retarget: Retarget) -> HeaderRules {
    HeaderRules {
        version: Some(1),
        limit: Bits::new(0x1e00_ffff).target().unwrap(),
        retarget,
        ahead: Duration::from_secs(600),
        checkpoint: None,
    }
}

const ASERT: Retarget = Retarget::Asert { spacing: 120, half_life: 7_200 };

fn genesis() -> Header {
    Header {
        version: 1,
        parent: BlockId::NONE,
        tx_root: [0; 32],
        time: 1_900_000_000,
        bits: Bits::new(0x1e00_ffff),
        nonce: 0,
    }
}

fn on(parent: &Header, time: u32, bits: Bits, nonce: u32) -> Header {
    Header { version: 1, parent: parent.id::<Free>(), tx_root: [0; 32], time, bits, nonce }
}

/// `count` headers of the limit's difficulty on top of `parent`.
fn branch(parent: &Header, count: u32, nonce: u32) -> Vec<Header> {
    let mut branch: Vec<Header> = Vec::new();
    for _ in 0..count {
        let parent = branch.last().unwrap_or(parent);
        branch.push(on(parent, parent.time + 120, parent.bits, nonce));
    }
    branch
}

fn chain(retarget: Retarget) -> HeaderChain<Free> {
    HeaderChain::new(rules(retarget), genesis()).unwrap()
}

fn accept_all(chain: &mut HeaderChain<Free>, headers: &[Header]) {
    for part in headers.chunks(2_000) {
        chain.accept(NOW, part).unwrap();
    }
}

#[test]
fn a_header_costs_at_most_two_hundred_bytes() {
    const COUNT: u32 = 15_000;
    let headers = branch(&genesis(), COUNT, 0);
    let mut held = None;
    let cost = measure(|| {
        let mut chain = chain(Retarget::Bitcoin { spacing: 120, interval: 100_000 });
        accept_all(&mut chain, &headers);
        held = Some(chain);
    });
    let each = cost.bytes_current / i64::from(COUNT);
    println!("{each} bytes a header");
    assert!((80..=200).contains(&each), "{each}");
}

// --- The model: every rule by its definition, over a plain map.

#[derive(Default)]
struct Model {
    headers: BTreeMap<BlockId, (Header, ChainWork)>,
    tip: Option<(BlockId, ChainWork)>,
}

impl Model {
    fn line(&self, id: &BlockId) -> Vec<Header> {
        let mut line = Vec::new();
        let mut id = *id;
        while let Some((header, _)) = self.headers.get(&id) {
            line.push(*header);
            id = header.parent;
        }
        line
    }

    fn next_bits(line: &[Header]) -> Bits {
        let limit = Bits::new(0x1e00_ffff).target().unwrap();
        match line {
            [parent, grandparent, ..] => {
                let took = i64::from(parent.time) - i64::from(grandparent.time);
                asert(parent.bits, took, 0, 120, 7_200, limit)
            }
            _ => line[0].bits,
        }
    }

    fn median(line: &[Header]) -> u32 {
        let mut times: Vec<u32> = line.iter().take(11).map(|header| header.time).collect();
        times.sort_unstable();
        times[times.len() / 2]
    }

    fn accept(&mut self, header: &Header) -> Result<(), &'static str> {
        let id = header.id::<Free>();
        if self.headers.contains_key(&id) {
            return Ok(());
        }
        let line = self.line(&header.parent);
        if line.is_empty() {
            return Err("header-parent");
        }
        if header.bits != Self::next_bits(&line) {
            return Err("header-bits");
        }
        if header.time <= Self::median(&line) {
            return Err("header-time-old");
        }
        let work = line.iter().fold(header.bits.target().unwrap().work(), |sum, header| {
            sum.saturating_add(header.bits.target().unwrap().work())
        });
        self.headers.insert(id, (*header, work));
        if self.tip.is_none_or(|(_, best)| work > best) {
            self.tip = Some((id, work));
        }
        Ok(())
    }
}

/// A tree of headers, most of them valid, by (parent, seconds after it, whether bits are right).
fn tree() -> impl Strategy<Value = (Vec<Header>, Vec<usize>)> {
    let steps =
        vec((any::<prop::sample::Index>(), -100i64..400, prop::bool::weighted(0.95)), 1..80);
    (steps, vec(any::<prop::sample::Index>(), 0..200)).prop_map(|(steps, order)| {
        let mut model = Model::default();
        let genesis = genesis();
        let work = genesis.bits.target().unwrap().work();
        model.headers.insert(genesis.id::<Free>(), (genesis, work));
        let mut all = vec![genesis];
        for (nonce, (parent, after, right)) in steps.into_iter().enumerate() {
            let parent = all[parent.index(all.len())];
            let line = model.line(&parent.id::<Free>());
            let bits = if line.is_empty() { parent.bits } else { Model::next_bits(&line) };
            let bits = if right { bits } else { Bits::new(bits.as_u32() ^ 1) };
            let time = (i64::from(parent.time) + after) as u32;
            let header = on(&parent, time, bits, nonce as u32);
            model.accept(&header).ok();
            all.push(header);
        }
        let len = all.len();
        (all, order.into_iter().map(|index| index.index(len)).collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Headers in any order, one by one: the same verdicts and the same tip as by the definitions.
    #[test]
    fn any_order_gives_the_best_chain_of_the_model((all, order) in tree()) {
        let mut chain = chain(ASERT);
        let mut model = Model::default();
        let genesis = genesis();
        let (id, work) = (genesis.id::<Free>(), genesis.bits.target().unwrap().work());
        model.headers.insert(id, (genesis, work));
        model.tip = Some((id, work));
        let rest = 0..all.len();
        for index in order.into_iter().chain(rest) {
            let header = all[index];
            let expected = model.accept(&header);
            let actual = chain.accept(NOW, &[header]).map(drop).map_err(|error| error.source.rule());
            prop_assert_eq!(actual, expected);
            let tip = chain.tip();
            prop_assert_eq!(Some((tip.id, tip.work)), model.tip);
            prop_assert_eq!(chain.side_len() + tip.height as usize + 1, model.headers.len());
        }
        for (id, (header, work)) in &model.headers {
            let entry = chain.get(id).unwrap();
            prop_assert_eq!((entry.header, entry.work), (*header, *work));
            let line = model.line(id);
            prop_assert_eq!(chain.median_time(id), Some(Model::median(&line)));
            prop_assert_eq!(chain.next_bits(id), Some(Model::next_bits(&line)));
            for (back, ancestor) in line.iter().enumerate() {
                let found = chain.ancestor(id, entry.height - back as u32).unwrap();
                prop_assert_eq!(found.header, *ancestor);
            }
        }
    }

    /// A whole batch is taken as the same headers one by one are, or not at all.
    #[test]
    fn a_batch_is_all_or_nothing((all, _) in tree()) {
        let mut chain = chain(ASERT);
        let before = chain.tip();
        let mut one_by_one = chain.clone();
        let first_bad = all.iter().position(|header| one_by_one.accept(NOW, &[*header]).is_err());
        match chain.accept(NOW, &all) {
            Ok(update) => {
                prop_assert_eq!(first_bad, None);
                prop_assert_eq!(update.added + 1, all.len());
                prop_assert_eq!(chain.tip().work, one_by_one.tip().work);
            }
            Err(error) => {
                prop_assert_eq!(Some(error.index), first_bad);
                prop_assert_eq!((chain.tip(), chain.side_len()), (before, 0));
                let good = &all[..error.index];
                prop_assert!(chain.accept(NOW, good).is_ok());
            }
        }
    }

    /// The tip's path names what left and what came, in order.
    #[test]
    fn updates_lead_from_the_old_tip_to_the_new((all, order) in tree()) {
        let mut chain = chain(ASERT);
        for index in order {
            let old = chain.tip();
            let Ok(update) = chain.accept(NOW, &[all[index]]) else { continue };
            let path = chain.path(&old.id, &chain.tip().id).unwrap();
            prop_assert_eq!(&path.disconnected, &update.disconnected);
            prop_assert_eq!(&path.connected, &update.connected);
            prop_assert_eq!(path.fork, update.fork);
        }
    }
}

#[test]
fn a_longer_branch_with_less_work_does_not_win() {
    let mut chain = chain(ASERT);
    // Half a day between blocks makes the next ones easy; hard ones weigh more.
    let hard = {
        let mut chain = chain.clone();
        for nonce in 0..40 {
            let tip = chain.tip();
            let bits = chain.next_bits(&tip.id).unwrap();
            chain.accept(NOW, &[on(&tip.header, tip.header.time + 1, bits, nonce)]).unwrap();
        }
        chain
    };
    let easy = branch(&genesis(), 41, 7);
    let strong: Vec<Header> = (1..=40).map(|height| hard.at(height).unwrap().header).collect();
    accept_all(&mut chain, &easy);
    assert_eq!(chain.tip().height, 41);
    accept_all(&mut chain, &strong);
    assert_eq!((chain.tip().height, chain.tip().id), (40, hard.tip().id));
}

/// CH2: bits that are off by one second or one height are refused.
#[test]
fn ch2_bits_of_another_second_or_height_are_refused() {
    let mut chain = chain(ASERT);
    accept_all(&mut chain, &branch(&genesis(), 1, 0));
    let tip = chain.tip();
    let slow = on(&tip.header, tip.header.time + 30, chain.next_bits(&tip.id).unwrap(), 0);
    chain.accept(NOW, &[slow]).unwrap();
    let limit = Bits::new(0x1e00_ffff).target().unwrap();
    let expected = chain.next_bits(&chain.tip().id).unwrap();
    assert_eq!(expected, asert(slow.bits, 30, 0, 120, 7_200, limit));
    for (seconds, blocks) in [(31, 0), (29, 0), (30, 1), (30, -1)] {
        let bits = asert(slow.bits, seconds, blocks, 120, 7_200, limit);
        if bits != expected {
            let refused = chain.check(NOW, &on(&slow, slow.time + 120, bits, 0));
            assert_eq!(refused, Err(HeaderError::Bits { expected }));
        }
    }
}

/// CH2: the step by a shift of 64 bits is the step by big numbers.
#[test]
fn ch2_asert_agrees_with_big_numbers() {
    let limit = Bits::new(0x2100_ffff).target().unwrap();
    let mut seed = 1u64;
    let mut next = |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 20) % below
    };
    for _ in 0..20_000 {
        let bits = Bits::new((next(33) as u32 + 1) << 24 | (next(0x7f_ffff) as u32 + 1));
        let Ok(target) = bits.target() else { continue };
        let took = next(400_000) as i64 - 100_000;
        let own = asert(bits, took, 0, 120, 7_200, limit);
        assert_eq!(
            own.target().unwrap().to_string(),
            big_asert(&target.to_string(), took),
            "{bits} {took}"
        );
    }
}

/// The step as it is written down: target · k, shifted, in 96 bytes, most significant first.
fn big_asert(target: &str, took: i64) -> String {
    let ahead = (took - 120) * 65_536 / 7_200;
    let (whole, fraction) = (ahead >> 16, (ahead & 0xffff) as u128);
    let k = 65_536
        + ((195_766_423_245_049 * fraction
            + 971_821_376 * fraction * fraction
            + 5_127 * fraction * fraction * fraction
            + (1 << 47))
            >> 48);
    // 32 bytes above for what shifts out on the left, 32 below for what shifts out on the right.
    let mut number = vec![0u8; 96];
    number[32..64].copy_from_slice(&hex::decode(target).unwrap());
    let mut carry = 0u128;
    for byte in number.iter_mut().rev() {
        carry += u128::from(*byte) * k;
        *byte = carry as u8;
        carry >>= 8;
    }
    for _ in 0..(whole - 16).unsigned_abs() {
        if whole > 16 {
            double(&mut number);
        } else {
            halve(&mut number);
        }
    }
    let limit = hex::decode(Bits::new(0x2100_ffff).target().unwrap().to_string()).unwrap();
    let (above, number) = (&number[..32], &number[32..64]);
    let clamped = if above.iter().any(|byte| *byte != 0) || number > limit.as_slice() {
        limit.clone()
    } else if number.iter().all(|byte| *byte == 0) {
        [vec![0; 31], vec![1]].concat()
    } else {
        number.to_vec()
    };
    compact_and_back(&clamped)
}

fn double(number: &mut [u8]) {
    let mut carry = 0;
    for byte in number.iter_mut().rev() {
        (*byte, carry) = (*byte << 1 | carry, *byte >> 7);
    }
}

fn halve(number: &mut [u8]) {
    let mut carry = 0;
    for byte in number.iter_mut() {
        (*byte, carry) = (*byte >> 1 | carry, *byte << 7);
    }
}

/// What a compact form keeps of a number: three bytes, or two after one with its highest bit set.
fn compact_and_back(number: &[u8]) -> String {
    let first = number.iter().position(|byte| *byte != 0).unwrap_or(31);
    let keep = if number[first] >= 0x80 { 2 } else { 3 };
    let mut kept = number.to_vec();
    kept.iter_mut().skip(first + keep).for_each(|byte| *byte = 0);
    hex::encode(kept)
}

/// CH3: an attacker who sets the times of a period's ends makes Bitcoin's blocks easy, and ours not.
#[test]
fn ch3_bending_time_at_the_ends_of_periods_pays_in_bitcoins_rule_only() {
    let interval = 72;
    let bitcoin = bend(Retarget::Bitcoin { spacing: 120, interval }, interval);
    let ours = bend(ASERT, interval);
    let start = Bits::new(0x1c00_ffff).target().unwrap();
    // Both ledgers saw the same times. In Bitcoin's every period seemed to last far too long.
    assert!(start.work() > ChainWork::from(1 << 40));
    assert!(bitcoin.work() < ChainWork::from(1 << 32), "{bitcoin}");
    assert!(ours.work() > ChainWork::from(1 << 39), "{ours}");
}

/// Six periods in honest time whose blocks are dated as early as may be, but for the last of each,
/// which is dated as it is. The target at the end.
fn bend(retarget: Retarget, interval: u32) -> whisper_core::ledger::Target {
    let start = Header { bits: Bits::new(0x1c00_ffff), ..genesis() };
    let mut chain = HeaderChain::<Free>::new(rules(retarget), start).unwrap();
    for height in 1..6 * interval {
        let tip = chain.tip();
        let honest = start.time + 120 * height;
        let earliest = chain.median_time(&tip.id).unwrap() + 1;
        let time = if (height + 1) % interval == 0 { honest } else { earliest };
        let bits = chain.next_bits(&tip.id).unwrap();
        chain.accept(NOW, &[on(&tip.header, time.max(earliest), bits, height)]).unwrap();
    }
    chain.next_bits(&chain.tip().id).unwrap().target().unwrap()
}

/// CH4: not after the median, too far ahead, and the end of time.
#[test]
fn ch4_times_outside_their_window_are_refused_each_in_its_way() {
    let mut chain = chain(Retarget::Fixed);
    let branch = branch(&genesis(), 20, 0);
    accept_all(&mut chain, &branch);
    let (tip, median) = (chain.tip().header, branch[14].time);
    let check = |now, time| chain.check(now, &on(&tip, time, tip.bits, 1));
    assert_eq!(check(NOW, median), Err(HeaderError::TimeOld { median }));
    assert_eq!(check(NOW, 0), Err(HeaderError::TimeOld { median }));
    assert_eq!(check(NOW, median + 1), Ok(()));
    let ahead = tip.time + 120;
    assert_eq!(check(at(ahead - 600), ahead), Ok(()));
    let until = at(ahead - 600);
    assert_eq!(check(at(ahead - 601), ahead), Err(HeaderError::TooNew { until }));
    let end = check(NOW, u32::MAX);
    assert!(matches!(end, Err(HeaderError::TooNew { until }) if until > NOW));
    // What was too new is not held against the header: later it comes in.
    let header = on(&tip, ahead, tip.bits, 2);
    assert!(chain.accept(at(ahead - 601), &[header]).is_err());
    assert!(chain.accept(at(ahead), &[header]).is_ok());
}

/// CH8: a million headers beside the chain leave ten thousand.
#[test]
fn ch8_header_spam_is_bounded() {
    let mut chain = chain(Retarget::Fixed);
    let own = branch(&genesis(), 2_000, 0);
    accept_all(&mut chain, &own);
    let fork = own[500];
    let mut last = None;
    for round in 0..500u32 {
        // Many stubs, and some branches that grow a little.
        let from = last.filter(|_| round % 3 != 0).unwrap_or(fork);
        let stub = |nonce| on(&from, from.time + 120, from.bits, round * 10_000 + nonce);
        let batch: Vec<Header> = (1..=2_000).map(stub).collect();
        last = batch.last().copied();
        if let Err(error) = chain.accept(NOW, &batch) {
            assert_eq!(error.source, HeaderError::Orphan, "its parent was dropped");
        }
        assert!(chain.side_len() <= HeaderChain::<Free>::SIDE_MAX);
    }
    assert_eq!(chain.tip().header, own[1_999]);
    // At most 232 bytes each in the map beside the chain: far below 16 MiB.
    const { assert!(HeaderChain::<Free>::SIDE_MAX * 232 < 16 << 20) };
}

/// CH8: what leaves deep is only looked at, until it has shown more work; then it comes in.
#[test]
fn ch8_a_deep_branch_comes_in_only_when_it_has_shown_more_work() {
    let mut chain = chain(Retarget::Fixed);
    accept_all(&mut chain, &branch(&genesis(), 3_000, 0));
    let weak = branch(&genesis(), 2_500, 1);
    let strong = branch(&genesis(), 3_100, 2);
    let refused = chain.accept(NOW, &weak[..2_000]).unwrap_err();
    assert_eq!((refused.index, refused.source), (0, HeaderError::Deep));
    assert_eq!(chain.side_len(), 0);

    let mut scan = Scan::new(&chain, &genesis().id::<Free>()).unwrap();
    scan.accept(NOW, &weak).unwrap();
    assert!(!chain.permit(&scan), "less work does not come in");

    let mut scan = Scan::new(&chain, &genesis().id::<Free>()).unwrap();
    for part in strong.chunks(2_000) {
        scan.accept(NOW, part).unwrap();
    }
    assert_eq!((scan.count(), scan.tip()), (3_100, strong[3_099].id::<Free>()));
    assert!(chain.permit(&scan));
    assert!(chain.accept(NOW, &weak[..2_000]).is_ok(), "a permit does not look at names");
    assert!(chain.accept(NOW, &strong[..2_000]).is_err(), "and is used up by what comes");
    assert!(chain.permit(&scan));
    let first = chain.accept(NOW, &strong[..2_000]).unwrap();
    assert!(first.connected.is_empty());
    let second = chain.accept(NOW, &strong[2_000..]).unwrap();
    assert_eq!((second.disconnected.len(), second.connected.len()), (3_000, 3_100));
    assert_eq!(chain.tip().header, strong[3_099]);
    assert!(chain.side_len() <= HeaderChain::<Free>::SIDE_MAX);
}

#[test]
fn a_scan_judges_as_the_chain_does() {
    let mut chain = chain(ASERT);
    accept_all(&mut chain, &branch(&genesis(), 1, 0));
    assert!(Scan::new(&chain, &BlockId::new([7; 32])).is_none());
    let mut scan = Scan::new(&chain, &genesis().id::<Free>()).unwrap();
    let first = on(&genesis(), genesis().time + 120, genesis().bits, 9);
    let wrong = on(&first, first.time, first.bits, 9);
    let error = scan.accept(NOW, &[first, wrong]).unwrap_err();
    assert_eq!(error.index, 1);
    assert_eq!(scan.count(), 1);
    let orphan = on(&wrong, wrong.time + 1, wrong.bits, 9);
    assert_eq!(scan.accept(NOW, &[orphan]).unwrap_err().source, HeaderError::Orphan);
}

/// CH9: a header whose parent is not known is not kept.
#[test]
fn ch9_orphans_are_not_stored() {
    let mut chain = chain(Retarget::Fixed);
    let orphans = branch(&genesis(), 1_000, 5);
    for orphan in &orphans[1..] {
        let refused = chain.accept(NOW, &[*orphan]).unwrap_err();
        assert_eq!(refused.source, HeaderError::Orphan);
    }
    assert_eq!((chain.side_len(), chain.tip().height), (0, 0));
    assert!(chain.get(&orphans[5].id::<Free>()).is_none());
}

/// CH11: of two chains with the same work the first seen stays.
#[test]
fn ch11_ties_keep_the_first_seen() {
    let mut chain = chain(Retarget::Fixed);
    let (first, second) = (branch(&genesis(), 5, 0), branch(&genesis(), 5, 1));
    accept_all(&mut chain, &first);
    for header in &second {
        assert!(chain.accept(NOW, &[*header]).unwrap().connected.is_empty());
        assert_eq!(chain.tip().header, first[4]);
    }
    let third = branch(&first[0], 4, 2);
    assert!(chain.accept(NOW, &third).unwrap().connected.is_empty());
}

/// CH14: what builds on an invalid block goes with it, and does not come again.
#[test]
fn ch14_descendants_of_a_refused_header_are_refused() {
    let mut chain = chain(Retarget::Fixed);
    let (main, side) = (branch(&genesis(), 10, 0), branch(&genesis(), 6, 1));
    let on_bad = branch(&main[6], 1, 2);
    for headers in [&main, &side, &on_bad] {
        accept_all(&mut chain, headers);
    }
    let bad = main[4].id::<Free>();
    let update = chain.refuse(&bad);
    assert_eq!(chain.tip().header, side[5], "the best of what is left");
    assert!(update.connected.len() == 6 && chain.is_refused(&bad));
    for header in main[4..].iter().chain(&on_bad) {
        assert!(chain.get(&header.id::<Free>()).is_none());
    }
    for header in &main[4..6] {
        assert_eq!(chain.accept(NOW, &[*header]).unwrap_err().source, HeaderError::Refused);
    }
    assert_eq!(chain.accept(NOW, &main[6..]).unwrap_err().source, HeaderError::Orphan);
    let genesis = genesis().id::<Free>();
    chain.refuse(&genesis);
    assert!(chain.get(&genesis).is_some(), "the first header stays");
}

#[test]
fn a_checkpoint_keeps_others_from_its_height() {
    let main = branch(&genesis(), 5, 0);
    let checkpoint = Some((3, main[2].id::<Free>()));
    let rules = HeaderRules { checkpoint, ..rules(Retarget::Fixed) };
    let mut chain = HeaderChain::<Free>::new(rules, genesis()).unwrap();
    let other = branch(&genesis(), 9, 1);
    let refused = chain.accept(NOW, &other).unwrap_err();
    assert_eq!((refused.index, refused.source), (2, HeaderError::Checkpoint));
    assert!(chain.accept(NOW, &main).is_ok());
}

#[test]
fn a_locator_finds_where_chains_part() {
    let mut ours = chain(Retarget::Fixed);
    let mut theirs = ours.clone();
    let shared = branch(&genesis(), 300, 0);
    accept_all(&mut ours, &shared);
    accept_all(&mut theirs, &shared);
    accept_all(&mut ours, &branch(&shared[299], 50, 1));
    accept_all(&mut theirs, &branch(&shared[299], 2_100, 2));
    let locator = ours.locator();
    assert!(locator.len() <= 32 && locator.first() == Some(&ours.tip().id));
    assert_eq!(locator.last(), Some(&genesis().id::<Free>()));
    let headers = theirs.after(&locator, &BlockId::NONE, 2_000);
    assert_eq!(headers.len(), 2_000);
    assert!(ours.accept(NOW, &headers).is_ok());
    assert_eq!(ours.tip().header, headers[1_999]);
    let rest = theirs.after(&ours.locator(), &BlockId::NONE, 2_000);
    ours.accept(NOW, &rest).unwrap();
    assert_eq!(ours.tip().id, theirs.tip().id);
    // Up to a named one, and from the first header on for strangers.
    let stop = theirs.at(5).unwrap().id;
    assert_eq!(theirs.after(&[BlockId::new([9; 32])], &stop, 2_000).len(), 5);
}

#[test]
fn an_anchor_needs_twelve_headers_and_judges_as_the_whole_chain_does() {
    let mut whole = chain(ASERT);
    let mut headers = Vec::new();
    for nonce in 0..60u32 {
        let tip = whole.tip();
        let bits = whole.next_bits(&tip.id).unwrap();
        let header = on(&tip.header, tip.header.time + 60 + nonce * 7 % 90, bits, nonce);
        whole.accept(NOW, &[header]).unwrap();
        headers.push(header);
    }
    let anchor = |from: usize, to: usize| HeaderAnchor {
        height: to as u32 + 1,
        work: whole.at(to as u32 + 1).unwrap().work,
        headers: headers[from..=to].to_vec(),
    };
    let mut short = HeaderChain::<Free>::from_anchor(rules(ASERT), &anchor(18, 29)).unwrap();
    assert_eq!((short.tip().height, short.base()), (30, 19));
    short.accept(NOW, &headers[30..]).unwrap();
    assert_eq!(short.tip(), whole.tip());
    let gap = HeaderAnchor { headers: vec![headers[3], headers[5]], ..anchor(3, 5) };
    let refused = HeaderChain::<Free>::from_anchor(rules(ASERT), &gap).map(drop);
    assert_eq!(refused, Err(HeaderError::Orphan));
    let none = HeaderAnchor { height: 5, work: ChainWork::ZERO, headers: Vec::new() };
    assert!(HeaderChain::<Free>::from_anchor(rules(ASERT), &none).is_err());
    let low = HeaderAnchor { height: 1, ..anchor(3, 5) };
    assert!(HeaderChain::<Free>::from_anchor(rules(ASERT), &low).is_err(), "heights below 0");
}

#[test]
fn a_pruned_chain_goes_on_as_the_whole_one() {
    let mut whole = chain(Retarget::Fixed);
    let mut pruned = chain(Retarget::Fixed);
    let main = branch(&genesis(), 9_000, 0);
    let side = branch(&main[1_000], 100, 1);
    for part in main.chunks(2_000) {
        whole.accept(NOW, part).unwrap();
        pruned.accept(NOW, part).unwrap();
        pruned.accept(NOW, &side).ok();
        pruned.prune(4_320);
    }
    assert_eq!(pruned.tip(), whole.tip());
    assert!((4_320..4_320 + 2_048).contains(&(pruned.tip().height - pruned.base())));
    assert!(pruned.get(&main[10].id::<Free>()).is_none());
    assert_eq!(pruned.side_len(), 0, "what branched off below is gone too");
    assert_eq!(pruned.at(8_000), whole.at(8_000));
    let fork = branch(&main[8_500], 600, 3);
    pruned.accept(NOW, &fork).unwrap();
    assert_eq!(pruned.tip().header, fork[599]);
    assert_eq!(pruned.locator().last(), pruned.at(pruned.base()).map(|entry| entry.id).as_ref());
}

#[test]
fn mined_headers_of_regtest_are_accepted_and_flipped_ones_are_not() {
    let params = Params::regtest();
    let mut chain =
        HeaderChain::<Keccak256>::new(params.rules().clone(), *params.genesis_header()).unwrap();
    let headers = headers(params.genesis_header(), 20, 60, 1);
    chain.accept(NOW, &headers).unwrap();
    assert_eq!(chain.tip().height, 20);
    assert_eq!(headers[0].bits, REGTEST);
    assert!(headers.iter().all(|header| chain.is_on_chain(&header.id::<Keccak256>())));
    let versions = Header { version: 2, ..headers[0] };
    assert_eq!(chain.check(NOW, &versions), Err(HeaderError::Version(2)));
}
