//! The rules of headers against Bitcoin's chain: the same code, with another hash and another
//! retarget. The bulk of the data is read when `WHISPER_CHAIN_DATA` names its folder; a few public
//! values are typed in, so that the rules are always tested.

#![allow(clippy::unwrap_used, reason = "a test that cannot run fails")]

mod chain_data;
mod support;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value;
use whisper_core::ledger::BatchError;
use whisper_core::ledger::Bits;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainWork;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderChain;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::HeaderRules;
use whisper_core::ledger::InvalidBits;
use whisper_core::ledger::PowHash;
use whisper_core::ledger::asert;
use whisper_core::ledger::bitcoin;
use whisper_core::time::Timestamp;

use crate::chain_data::MAINNET;
use crate::chain_data::Sha256d;
use crate::chain_data::bitcoin_rules;
use crate::chain_data::file;
use crate::chain_data::headers;
use crate::chain_data::json;
use crate::support::bytes;
use crate::support::number;

const NOW: Timestamp = Timestamp::from_secs(1_760_000_000);
const SIGNET: u32 = 0x1e03_77ae;
const PERIOD: u32 = 600 * 2_016;

fn limit() -> whisper_core::ledger::Target {
    bitcoin_rules(MAINNET).limit
}

/// Accepts headers in the portions that peers send, and gives the tip's height.
fn accept(chain: &mut HeaderChain<Sha256d>, headers: &[Header]) -> Result<u32, BatchError> {
    for part in headers.chunks(2_000) {
        chain.accept(NOW, part)?;
    }
    Ok(chain.tip().height)
}

fn hex_header(hex: &str) -> Header {
    Header::decode(&hex::decode(hex).unwrap().try_into().unwrap())
}

const FIRST: [&str; 3] = [
    "0100000000000000000000000000000000000000000000000000000000000000000000003ba3edfd7a7b12b27ac72c3e67768f617fc81bc3888a51323a9fb8aa4b1e5e4a29ab5f49ffff001d1dac2b7c",
    "010000006fe28c0ab6f1b372c1a6a246ae63f74f931e8365e15a089c68d6190000000000982051fd1e4ba744bbbe680e1fee14677ba1a3c3540bf7b1cdb606e857233e0e61bc6649ffff001d01e36299",
    "010000004860eb18bf1b1620e37e9490fc8a427514416fd75159ab86688e9a8300000000d5fdcc541e25de1c7a5addedf24858b8bb665c9f36ef744ee42c316022c90f9bb0bc6649ffff001d08d2bd61",
];

#[test]
fn bitcoins_first_blocks_are_a_chain() {
    let [genesis, first, second] = FIRST.map(hex_header);
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), genesis).unwrap();
    assert_eq!(accept(&mut chain, &[first, second]), Ok(2));
    let tip = chain.tip();
    assert_eq!(
        tip.id.to_string(),
        "000000006a625f06636b8bb6ac7b960a8d03705d1ace08b1a19da3fdcc99ddbd"
    );
    assert_eq!(tip.work, ChainWork::from(3 * 0x1_0001_0001));
}

#[test]
fn any_flipped_bit_of_a_real_header_is_refused() {
    let [genesis, first, second] = FIRST.map(hex_header);
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), genesis).unwrap();
    for header in [first, second] {
        for bit in 0..640 {
            assert!(chain.check(NOW, &flipped(&header, bit)).is_err(), "bit {bit}");
        }
        assert_eq!(chain.check(NOW, &header), Ok(()));
        accept(&mut chain, &[header]).unwrap();
    }
}

fn flipped(header: &Header, bit: usize) -> Header {
    let mut bytes = header.encode();
    bytes[bit / 8] ^= 1 << (bit % 8);
    Header::decode(&bytes)
}

/// Bitcoin Core, `src/test/pow_tests.cpp`: the retarget at 32,256, the clamp at 68,544, the limit,
/// and the other clamp.
#[test]
fn bitcoins_own_retarget_cases_hold() {
    let cases = [
        (0x1d00_ffff, 1_261_130_161, 1_262_152_739, 0x1d00_d86a),
        (0x1c05_a3f4, 1_279_008_237, 1_279_297_671, 0x1c01_68fd),
        (0x1d00_ffff, 1_231_006_505, 1_233_061_996, 0x1d00_ffff),
        (0x1c38_7f6f, 1_263_163_443, 1_269_211_443, 0x1d00_e1fd),
    ];
    for (bits, first, last, expected) in cases {
        let next = bitcoin(Bits::new(bits), i64::from(last - first), PERIOD, limit());
        assert_eq!(next, Some(Bits::new(expected)));
    }
}

/// CH1: bits that are negative, zero, too large or not in their one form are refused, each as such.
#[test]
fn ch1_bits_that_are_no_target_are_refused_and_never_become_zero() {
    let cases = [
        (0x01fe_dcba, InvalidBits::Negative),
        (0x0492_3456, InvalidBits::Negative),
        (0x0000_0000, InvalidBits::Zero),
        (0x0100_3456, InvalidBits::Zero),
        (0x0080_0000, InvalidBits::Zero),
        (0x0092_3456, InvalidBits::Zero),
        (0xff12_3456, InvalidBits::Overflow),
        (0x2300_0001, InvalidBits::Overflow),
        (0x2200_0100, InvalidBits::Overflow),
        (0x2101_0000, InvalidBits::Overflow),
        (0x0112_3456, InvalidBits::NonCanonical),
        (0x1e00_00ff, InvalidBits::NonCanonical),
    ];
    for (bits, expected) in cases {
        assert_eq!(Bits::new(bits).target(), Err(expected), "{bits:08x}");
    }
    // Every exponent with the mantissas at the edges: what is a target has exactly one form.
    for exponent in 0..=255u32 {
        for mantissa in [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x1_0000, 0x7f_ffff] {
            let bits = Bits::new(exponent << 24 | mantissa);
            if let Ok(target) = bits.target() {
                assert_eq!(target.to_bits(), bits);
                assert!(target.work() >= ChainWork::from(1));
            }
        }
    }
}

#[test]
fn a_target_above_the_limit_is_refused() {
    let [genesis, first, _] = FIRST.map(hex_header);
    let hard =
        HeaderRules { limit: Bits::new(0x1c7f_ffff).target().unwrap(), ..bitcoin_rules(MAINNET) };
    let refused = HeaderChain::<Sha256d>::new(hard, genesis).map(drop);
    assert_eq!(refused, Err(HeaderError::Pow));
    let chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), genesis).unwrap();
    let easy = Header { bits: Bits::new(0x1d01_0000), ..first };
    let expected = Bits::new(MAINNET);
    assert_eq!(chain.check(NOW, &easy), Err(HeaderError::Bits { expected }));
}

#[test]
fn bitcoin_cores_compact_targets_hold() {
    let Some(data) = json("nbits-bitcoin-core.json") else { return };
    for case in data["cases"].as_array().unwrap() {
        let bits = hex_u32(&case["bits"]);
        let read = Bits::new(bits).target();
        if case["overflow"].as_bool().unwrap() {
            assert_eq!(read, Err(InvalidBits::Overflow));
        } else if case["negative"].as_bool().unwrap() {
            assert_eq!(read, Err(InvalidBits::Negative));
        } else if case["target"].as_str().unwrap().bytes().all(|digit| digit == b'0') {
            assert_eq!(read, Err(InvalidBits::Zero));
        } else if hex_u32(&case["reencoded"]) == bits {
            let target = read.unwrap();
            assert_eq!(target.to_string(), case["target"].as_str().unwrap());
            assert_eq!(target.to_bits(), Bits::new(bits));
        } else {
            assert_eq!(read, Err(InvalidBits::NonCanonical));
        }
    }
    let retargets = json("retarget-bitcoin-core.json").unwrap();
    for case in retargets["cases"].as_array().unwrap() {
        let took = number(&case["last_time"]) as i64 - number(&case["first_time"]) as i64;
        let next = bitcoin(Bits::new(hex_u32(&case["bits"])), took, PERIOD, limit());
        assert_eq!(next, Some(Bits::new(hex_u32(&case["next"]))), "{}", case["name"]);
    }
}

#[test]
fn all_real_headers_are_valid() {
    let Some(start) = headers("bitcoin-headers-mainnet-000000-006047.bin") else { return };
    let mut ids: BTreeSet<BlockId> = BTreeSet::new();
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), start[0]).unwrap();
    assert_eq!(accept(&mut chain, &start), Ok(6_047));
    ids.extend(start.iter().map(Header::id::<Sha256d>));

    let signet = headers("bitcoin-headers-signet-000000-002015.bin").unwrap();
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(SIGNET), signet[0]).unwrap();
    assert_eq!(accept(&mut chain, &signet), Ok(2_015));
    ids.extend(signet.iter().map(Header::id::<Sha256d>));

    let later = headers("bitcoin-headers-mainnet-040000-046367.bin").unwrap();
    later_headers_are_valid(&later);
    ids.extend(later.iter().map(Header::id::<Sha256d>));

    for header in epochs().values() {
        let id = header.id::<Sha256d>();
        let target = header.bits.target().unwrap();
        assert!(target <= limit() && target.is_met_by(&id));
        ids.insert(id);
    }
    assert_eq!(ids.len(), 14_651);
    println!("14,651 real headers are valid");
}

/// Headers from 40,000 on: without the first header of their period, the first retarget cannot be
/// judged; from there on all can.
fn later_headers_are_valid(later: &[Header]) {
    let anchor = |from: usize| HeaderAnchor {
        height: 40_000 + from as u32 + 11,
        work: ChainWork::from(1 << 64),
        headers: later[from..from + 12].to_vec(),
    };
    let mut chain =
        HeaderChain::<Sha256d>::from_anchor(bitcoin_rules(MAINNET), &anchor(0)).unwrap();
    assert_eq!(accept(&mut chain, &later[12..320]), Ok(40_319));
    assert_eq!(chain.check(NOW, &later[320]), Err(HeaderError::BeforeAnchor));
    let first = epochs()[&38_304].time;
    let took = i64::from(later[319].time) - i64::from(first);
    assert_eq!(bitcoin(later[319].bits, took, PERIOD, limit()), Some(later[320].bits));
    // An anchor may be as long as its owner likes; this one holds the start of the period.
    let long = HeaderAnchor {
        height: 40_331,
        work: ChainWork::from(1 << 64),
        headers: later[320 - 11..332].to_vec(),
    };
    let mut chain = HeaderChain::<Sha256d>::from_anchor(bitcoin_rules(MAINNET), &long).unwrap();
    assert_eq!(accept(&mut chain, &later[332..]), Ok(46_367));
}

/// The first and last headers of periods, by height.
fn epochs() -> BTreeMap<u32, Header> {
    let data = file("bitcoin-epochs-mainnet-000000-241919.bin").unwrap();
    let (records, rest) = data.as_chunks::<84>();
    assert!(rest.is_empty());
    let read = |record: &[u8; 84]| {
        let height = u32::from_le_bytes(*record.first_chunk().unwrap());
        (height, Header::decode(record.last_chunk().unwrap()))
    };
    let epochs: BTreeMap<_, _> = records.iter().map(read).collect();
    assert_eq!(epochs.len(), 232);
    epochs
}

#[test]
fn every_retarget_of_a_hundred_periods_holds() {
    if file("bitcoin-epochs-mainnet-000000-241919.bin").is_none() {
        return;
    }
    let epochs = epochs();
    let mut checked = 0;
    for (height, first) in epochs.iter().filter(|(height, _)| *height % 2_016 == 0) {
        let last = epochs.get(&(height + 2_015));
        let next = epochs.get(&(height + 2_016));
        let (Some(last), Some(next)) = (last, next) else { continue };
        let took = i64::from(last.time) - i64::from(first.time);
        assert_eq!(bitcoin(last.bits, took, PERIOD, limit()), Some(next.bits), "{height}");
        checked += 1;
    }
    assert!(checked > 100, "{checked}");
}

#[test]
fn chain_work_agrees_with_two_other_clients() {
    let Some(data) = json("bitcoin-checkpoints-mainnet-lt-241920.json") else { return };
    let points: BTreeMap<u64, (Header, ChainWork)> = data
        .as_array()
        .unwrap()
        .iter()
        .map(|point| {
            let header = hex_header(point["header"].as_str().unwrap());
            let target = header.bits.target().unwrap();
            assert_eq!(target.to_string(), point["electrum_target"].as_str().unwrap());
            (number(&point["height"]), (header, big_endian(&point["chainwork"])))
        })
        .collect();
    let mut compared = 0;
    for (height, (header, work)) in &points {
        let Some((next, next_work)) = points.get(&(height + 2_016)) else { continue };
        let mut sum = *work;
        for _ in 0..2_015 {
            sum = sum.saturating_add(header.bits.target().unwrap().work());
        }
        sum = sum.saturating_add(next.bits.target().unwrap().work());
        assert_eq!(sum, *next_work, "{height}");
        compared += 1;
    }
    assert!(compared > 100, "{compared}");
    let start = headers("bitcoin-headers-mainnet-000000-006047.bin").unwrap();
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), start[0]).unwrap();
    accept(&mut chain, &start).unwrap();
    for height in [2_016, 4_032] {
        assert_eq!(chain.at(height).unwrap().work, points[&u64::from(height)].1);
    }
}

#[test]
fn single_steps_agree_with_another_client() {
    let Some(steps) = json("bitcoin-steps-raito.json") else { return };
    for step in steps.as_array().unwrap() {
        let (state, expected) = (&step["chain_state"], &step["expected"]);
        let block = &step["blocks"][0];
        let header = Header {
            version: number(&block["version"]) as u32,
            parent: BlockId::new(reversed(&state["best_block_hash"])),
            tx_root: reversed(&block["merkle_root"]),
            time: number(&block["time"]) as u32,
            bits: Bits::new(number(&block["bits"]) as u32),
            nonce: number(&block["nonce"]) as u32,
        };
        let id = header.id::<Sha256d>();
        let target = header.bits.target().unwrap();
        assert_eq!(id, BlockId::new(reversed(&expected["best_block_hash"])));
        assert!(target.is_met_by(&id));
        let total = |value: &Value| value.as_str().unwrap().parse::<u128>().unwrap();
        let work = ChainWork::from(total(&state["total_work"])).saturating_add(target.work());
        assert_eq!(work, ChainWork::from(total(&expected["total_work"])));
        if (number(&state["block_height"]) + 1).is_multiple_of(2_016) {
            let last = state["prev_timestamps"].as_array().unwrap().last().unwrap();
            let took = number(last) as i64 - number(&state["epoch_start_time"]) as i64;
            let before = total_target(&state["current_target"]);
            let next = bitcoin(before, took, PERIOD, limit());
            assert_eq!(next, Some(header.bits), "{}", step["file"]);
        }
    }
}

/// The compact form of a target written in decimal digits.
fn total_target(value: &Value) -> Bits {
    let mut bytes = [0u8; 32];
    for digit in value.as_str().unwrap().bytes() {
        let mut carry = u16::from(digit - b'0');
        for byte in &mut bytes {
            carry += u16::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
    }
    let len = 32 - bytes.iter().rev().take_while(|byte| **byte == 0).count();
    let top = |back: usize| u32::from(bytes[len - back]);
    let mantissa = top(1) << 16 | top(2) << 8 | top(3);
    let (len, mantissa) =
        if mantissa & 0x80_0000 == 0 { (len, mantissa) } else { (len + 1, mantissa >> 8) };
    Bits::new((len as u32) << 24 | mantissa)
}

#[test]
fn the_official_asert_runs_hold() {
    let Some(data) = json("asert-aserti3-2d-runs01-10.json") else { return };
    let (spacing, half_life) = (number(&data["spacing"]) as u32, number(&data["halflife"]) as u32);
    let limit = Bits::new(hex_u32(&data["limit_bits"])).target().unwrap();
    let mut steps = 0;
    for run in data["runs"].as_array().unwrap() {
        let anchor = Bits::new(number(&run["anchor_bits"]) as u32);
        let (height, time) = (number(&run["anchor_height"]), number(&run["anchor_parent_time"]));
        for block in run["blocks"].as_array().unwrap() {
            let blocks = (number(&block[0]) as i64).wrapping_sub(height as i64);
            let seconds = number(&block[1]) as i64 - time as i64;
            let bits = asert(anchor, seconds, blocks, spacing, half_life, limit);
            assert_eq!(u64::from(bits.as_u32()), number(&block[2]), "{}", run["name"]);
            steps += 1;
        }
    }
    assert_eq!(steps, 3_000);
}

#[test]
fn a_flipped_bit_anywhere_in_the_real_chain_is_refused() {
    let Some(start) = headers("bitcoin-headers-mainnet-000000-006047.bin") else { return };
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), start[0]).unwrap();
    for (at, header) in start.iter().enumerate().skip(1) {
        // Each header with one bit of its own, a few with all.
        let bits = if at % 500 == 0 { 0..640 } else { at * 7_919 % 640..at * 7_919 % 640 + 1 };
        for bit in bits {
            assert!(chain.check(NOW, &flipped(header, bit)).is_err(), "header {at}, bit {bit}");
        }
        chain.accept(NOW, &[*header]).unwrap();
    }
}

/// CH11 on real proof of work: ties keep the first seen, more work wins.
#[test]
fn ch11_btcds_reorganisation_goes_as_btcd_says() {
    let Some(data) = json("blocks/reorg-btcd.json") else { return };
    let blocks: BTreeMap<String, Header> = data["blocks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| {
            let raw = bytes(&block["raw"]);
            (block["name"].as_str().unwrap().to_owned(), Header::decode(raw.first_chunk().unwrap()))
        })
        .collect();
    let mut chain = HeaderChain::<Sha256d>::new(bitcoin_rules(MAINNET), blocks["0"]).unwrap();
    for name in ["1", "2", "3", "4"] {
        assert_eq!(chain.accept(NOW, &[blocks[name]]).unwrap().connected.len(), 1);
    }
    for name in ["3A", "4A"] {
        assert!(chain.accept(NOW, &[blocks[name]]).unwrap().connected.is_empty());
    }
    let update = chain.accept(NOW, &[blocks["5A"]]).unwrap();
    let id = |name: &str| blocks[name].id::<Sha256d>();
    assert_eq!(update.disconnected, [id("4"), id("3")]);
    assert_eq!(update.fork, id("2"));
    assert_eq!(update.connected, [id("3A"), id("4A"), id("5A")]);
}

fn hex_u32(value: &Value) -> u32 {
    u32::from_str_radix(value.as_str().unwrap(), 16).unwrap()
}

/// Bytes that are printed in reverse.
fn reversed(value: &Value) -> [u8; 32] {
    let mut bytes: [u8; 32] = bytes(value).try_into().unwrap();
    bytes.reverse();
    bytes
}

fn big_endian(value: &Value) -> ChainWork {
    ChainWork::from_bytes(&reversed(value))
}

/// A header that is hashed with anything after it has another hash: only 80 bytes are hashed (CH17).
#[test]
fn ch17_only_the_eighty_bytes_are_hashed() {
    let header = hex_header(FIRST[1]);
    let own = header.id::<Sha256d>();
    let longer = [header.encode().as_slice(), &[0]].concat();
    assert_eq!(Sha256d::digest(&header.encode()), *own.as_bytes());
    let twice = |bytes: &[u8]| whisper_core::hash::sha256(&whisper_core::hash::sha256(bytes));
    assert_ne!(twice(&longer), *own.as_bytes());
}
