//! Headers and the numbers in them: every 80 bytes are a header and back, targets and what follows
//! from them agree with numbers of any length, and a chain takes a header or names the first rule
//! that it breaks. The first byte tells what of the header is made right before.

use whisper_core::hash::keccak256;
use whisper_core::ledger::Bits;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Header;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::InvalidBits;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Target;
use whisper_core::ledger::asert;
use whisper_core::ledger::bitcoin;

use crate::rules;
use crate::rules::Big;
use crate::rules::Rule;
use crate::rules::View;
use crate::rules::ensure;
use crate::rules::u32_at;
use crate::world::WORLD;

pub(crate) fn run(data: &[u8]) {
    let Some((&mode, rest)) = data.split_first() else { return };
    if let Some(numbers) = rest.first_chunk() {
        retargets(numbers);
    }
    let Some(bytes) = rest.first_chunk::<80>() else { return };
    let mut bytes = *bytes;
    repair(mode, &mut bytes);
    reads(&bytes);
    compact(u32_at(&bytes, 72));
    joins(&bytes);
}

fn reads(bytes: &[u8; 80]) {
    let header = Header::decode(bytes);
    assert_eq!(header.encode(), *bytes);
    assert_eq!(header.parent.as_bytes()[..], bytes[4..36]);
    assert_eq!(header.tx_root, bytes[36..68]);
    let numbers = [header.version, header.time, header.bits.as_u32(), header.nonce];
    assert_eq!(numbers, [0, 68, 72, 76].map(|at| u32_at(bytes, at)));
    assert_eq!(*header.id::<Keccak256>().as_bytes(), keccak256(bytes));
    assert_eq!(header.timestamp().as_secs(), header.time.into());
}

/// Compact bits, the target that they are, its work.
fn compact(bits: u32) -> Option<Target> {
    let target = match (Bits::new(bits).target(), rules::target(bits)) {
        (Ok(target), Ok(number)) => {
            assert_eq!(hex(&number), target.to_string());
            assert_eq!(target.to_bits().as_u32(), bits);
            assert_eq!(rules::compact(&number), bits);
            target
        }
        (Err(error), Err(rule)) => {
            let same = match error {
                InvalidBits::Overflow => "overflow",
                InvalidBits::Zero => "zero",
                InvalidBits::Negative => "negative",
                _ => "another form",
            };
            assert_eq!(same, rule);
            return None;
        }
        (own, naive) => panic!("{bits:08x}: {own:?}, {naive:?}"),
    };
    let number = rules::target(bits).expect("it was one");
    let next = number.plus(&Big::from(1));
    let work = Big::new(&target.work().to_bytes());
    let all = Big::from(1).up(256);
    assert!(work.times(&next) <= all && work.plus(&Big::from(1)).times(&next) > all);
    let mut id = number.0.clone();
    id.resize(32, 0);
    let id: [u8; 32] = id.try_into().expect("it fits");
    assert!(target.is_met_by(&BlockId::new(id)));
    let mut above = next.0;
    above.resize(32, 0);
    let above: [u8; 32] = above.try_into().expect("no target is 2^256 - 1");
    assert!(!target.is_met_by(&BlockId::new(above)));
    Some(target)
}

/// What bits follow from earlier ones, by both rules.
fn retargets(numbers: &[u8; 32]) {
    let [bits, limit, spacing, half_life] = [0, 4, 8, 12].map(|at| u32_at(numbers, at));
    let seconds = i64::from_le_bytes(numbers[16..24].try_into().expect("eight bytes"));
    let blocks = i64::from_le_bytes(numbers[24..].try_into().expect("eight bytes"));
    compact(bits);
    let Some(limit) = compact(limit) else { return };
    let highest = rules::target(limit.to_bits().as_u32()).expect("it is one");
    let clamp = |number: Big| rules::compact(&number.max(Big::from(1)).min(highest.clone()));
    // As it comes, and near what occurs.
    for (seconds, blocks) in [(seconds, blocks), (seconds % 100_000, blocks % 1_000)] {
        let next = asert(Bits::new(bits), seconds, blocks, spacing, half_life, limit);
        let expected = clamp(exponential(bits, seconds, blocks, spacing, half_life));
        assert_eq!(next.as_u32(), expected, "{bits:08x} after {seconds} s, {blocks} blocks");
        let (period, took) = (i64::from(spacing), seconds);
        let proportional = rules::target(bits).ok().filter(|_| period > 0).map(|number| {
            let took = took.max(period / 4).min(4 * period);
            clamp(number.times(&Big::from(took as u128)).over(period as u64))
        });
        let next = bitcoin(Bits::new(bits), took, spacing, limit);
        assert_eq!(next.map(Bits::as_u32), proportional);
    }
}

/// The specification's `asert`, 2.6, without a bound on the numbers.
fn exponential(bits: u32, seconds: i64, blocks: i64, spacing: u32, half_life: u32) -> Big {
    let late = i128::from(seconds) - i128::from(spacing) * (i128::from(blocks) + 1);
    let x = late * 65_536 / i128::from(half_life.max(1));
    let (s, f) = (x.div_euclid(65_536), x.rem_euclid(65_536) as u128);
    let cubic = 195_766_423_245_049 * f + 971_821_376 * f.pow(2) + 5_127 * f.pow(3) + (1 << 47);
    let (size, mantissa) = (bits >> 24, u128::from(bits & 0x007f_ffff));
    let whole = mantissa >> (8 * 3_u32.saturating_sub(size));
    let product = Big::from(whole * (65_536 + (cubic >> 48))).up(8 * size.saturating_sub(3));
    // Beyond that all digits are gone, or all targets are below.
    let shift = (s - 16).clamp(-3_000, 3_000) as i32;
    if shift < 0 { product.down(shift.unsigned_abs()) } else { product.up(shift as u32) }
}

fn hex(number: &Big) -> String {
    let mut digits = number.0.clone();
    digits.resize(32, 0);
    digits.iter().rev().map(|digit| format!("{digit:02x}")).collect()
}

/// Makes right what the mode says: version, parent, bits, time, work.
fn repair(mode: u8, bytes: &mut [u8; 80]) {
    let view = &WORLD.views[usize::from(bytes[4] % 8)];
    if mode & 1 != 0 {
        bytes[..4].copy_from_slice(&1u32.to_le_bytes());
    }
    if mode & 2 != 0 {
        bytes[4..36].copy_from_slice(&view.id);
    }
    if mode & 4 != 0 {
        bytes[72..76].copy_from_slice(&view.bits.to_le_bytes());
    }
    if mode & 8 != 0 {
        let after = i16::from_le_bytes([bytes[68], bytes[69]]);
        let time = view.times.last().map(|last| last.saturating_add_signed(after.into()));
        bytes[68..72].copy_from_slice(&time.unwrap_or(0).to_le_bytes());
    }
    // Every other hash will do, and some that will not are to be tried as well.
    let first = u32_at(bytes, 76);
    for tries in 0..u32::from(mode >> 4) {
        if keccak256(bytes)[31] < 0x80 {
            break;
        }
        bytes[76..].copy_from_slice(&first.wrapping_add(tries).to_le_bytes());
    }
}

/// Gives the header to a chain.
fn joins(bytes: &[u8; 80]) {
    let header = Header::decode(bytes);
    let id = header.id::<Keccak256>();
    let mut chain = WORLD.ledger().headers().clone();
    let (tip, known) = (chain.tip(), chain.get(&id).is_some());
    let parent = WORLD.views.iter().find(|view| view.id == bytes[4..36]);
    let expected = if known { Ok(()) } else { judge(bytes, parent) };
    let judged = chain.check(WORLD.now(), &header);
    assert_eq!(judged.as_ref().map_err(HeaderError::rule), expected.as_ref().map_err(|rule| *rule));
    let taken = chain.accept(WORLD.now(), &[header]);
    assert_eq!(taken.as_ref().map(drop).map_err(|error| error.source), judged);
    if taken.is_err() || known {
        assert_eq!((chain.tip(), chain.side_len()), (tip, 0), "a refusal changes something");
        assert_eq!(chain.get(&id).is_some(), known);
        return;
    }
    let parent = parent.expect("there was one");
    let entry = chain.get(&id).expect("it was taken");
    assert_eq!((entry.header, entry.height), (header, parent.height() + 1));
    // Each block of regtest stands for two hashes.
    assert_eq!(entry.work, u128::from(2 * (entry.height + 1)).into());
    assert_eq!(chain.tip().id, if entry.work > tip.work { id } else { tip.id });
    let mut times = parent.times.clone();
    times.push(header.time);
    let view = View { times, ..parent.clone() };
    assert_eq!(chain.median_time(&id), Some(view.median()));
    assert_eq!(chain.next_bits(&id), Some(header.bits));
}

fn judge(bytes: &[u8; 80], parent: Option<&View>) -> Result<(), Rule> {
    ensure(u32_at(bytes, 0) == 1, "header-version")?;
    parent.ok_or("header-parent")?.judge_header(bytes, WORLD.now().as_secs())
}
