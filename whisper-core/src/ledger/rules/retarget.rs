//! How a header's bits follow from the headers before it.

use crate::ledger::pow::Bits;
use crate::ledger::pow::Target;
use crate::ledger::pow::uint::U256;

/// The rule that gives a header's bits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retarget {
    /// The same bits for ever.
    Fixed,
    /// After each block by how long it took: see [`asert`]. The second block repeats the first
    /// one's bits.
    Asert {
        /// Seconds that a block shall take.
        spacing: u32,
        /// Seconds ahead or behind after which the target has halved or doubled.
        half_life: u32,
    },
    /// Bitcoin's rule, kept for Bitcoin's headers: see [`bitcoin`].
    Bitcoin {
        /// Seconds that a block shall take.
        spacing: u32,
        /// Blocks between two adjustments.
        interval: u32,
    },
}

/// What a rule looks at: the newest header of a branch, and the one before.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Parent {
    pub(in crate::ledger) height: u32,
    pub(in crate::ledger) bits: Bits,
    pub(in crate::ledger) time: u32,
    /// The grandparent's time; nothing at genesis.
    pub(in crate::ledger) previous: Option<u32>,
    /// The time of the first header of the parent's period, if the rule has periods.
    pub(in crate::ledger) period: Option<u32>,
}

impl Retarget {
    /// The height at which the period of the header at `height` began, if the rule has periods.
    pub(in crate::ledger) fn period_start(&self, height: u32) -> Option<u32> {
        match *self {
            Self::Bitcoin { interval, .. } => height.checked_sub(height.checked_rem(interval)?),
            Self::Fixed | Self::Asert { .. } => None,
        }
    }

    /// The bits that a child of `parent` must have. Nothing if they follow from a header that is
    /// not known.
    pub(in crate::ledger) fn next_bits(&self, parent: &Parent, limit: Target) -> Option<Bits> {
        match *self {
            Self::Fixed => Some(parent.bits),
            Self::Asert { spacing, half_life } => Some(match parent.previous {
                None => parent.bits,
                Some(previous) => {
                    let took = i64::from(parent.time).saturating_sub(previous.into());
                    asert(parent.bits, took, 0, spacing, half_life, limit)
                }
            }),
            Self::Bitcoin { spacing, interval } => {
                let height = parent.height.checked_add(1)?;
                if height.checked_rem(interval)? != 0 {
                    return Some(parent.bits);
                }
                // From the first to the last block of the period: one interval short, as in Bitcoin.
                let took = i64::from(parent.time).saturating_sub(parent.period?.into());
                bitcoin(parent.bits, took, spacing.checked_mul(interval)?, limit)
            }
        }
    }
}

/// The absolutely scheduled exponentially rising target of BCH (aserti3-2d), from an anchor: the
/// anchor's bits, the seconds since the anchor's parent, the blocks since the anchor. Our ledger
/// anchors each block at its parent, so that an idle chain owes nothing.
///
/// The official vectors hold for this function. It is total: bits that are no target count as zero
/// and give the hardest target there is.
#[expect(
    clippy::arithmetic_side_effects,
    reason = "64-bit numbers in 128 bits: what overflows is clamped"
)]
pub fn asert(
    bits: Bits,
    seconds: i64,
    blocks: i64,
    spacing: u32,
    half_life: u32,
    limit: Target,
) -> Bits {
    let due = i128::from(spacing) * (i128::from(blocks) + 1);
    let ahead = (i128::from(seconds) - due) * 65_536 / i128::from(half_life.max(1));
    let fraction = (ahead & 0xffff) as u128;
    let factor = 65_536 + (cubic(fraction) >> 48);
    let (exponent, mantissa) = bits.split();
    // target · factor · 2^(whole - 16) in one shift, so that no bit is lost between.
    let (mantissa, lifted) = if exponent < 3 {
        (mantissa >> (8 * (3 - exponent)), 0)
    } else {
        (mantissa, 8 * (i128::from(exponent) - 3))
    };
    let product = U256::from_u128(u128::from(mantissa) * factor);
    let shift = lifted + (ahead >> 16) - 16;
    let number = match u32::try_from(shift) {
        Ok(up) => product.checked_shl(up).unwrap_or(U256::MAX),
        Err(_) if shift > 0 => U256::MAX,
        Err(_) => product.shr(u32::try_from(-shift).unwrap_or(u32::MAX)),
    };
    let number = if mantissa == 0 { U256::ZERO } else { number };
    Target::clamped(number, limit).to_bits()
}

/// 2^64 · (2^(x / 65,536) - 1) by aserti3-2d's polynomial, rounded, for x below 65,536.
#[expect(clippy::arithmetic_side_effects, reason = "below 2^64 for such an x")]
const fn cubic(x: u128) -> u128 {
    195_766_423_245_049 * x + 971_821_376 * x * x + 5_127 * x * x * x + (1 << 47)
}

/// Bitcoin's rule: the target times the seconds that a period `took` over those that it should have
/// taken, between a quarter and four times. Nothing if the bits are no target or the period is zero.
pub fn bitcoin(bits: Bits, took: i64, period: u32, limit: Target) -> Option<Bits> {
    let period = i64::from(period);
    let took = took.clamp(period / 4, period.saturating_mul(4));
    let (product, above) = bits.target().ok()?.number().widening_mul(took.unsigned_abs());
    let divisor = period.unsigned_abs();
    if divisor == 0 {
        return None;
    }
    let number = product.checked_div(above, divisor).map_or(U256::MAX, |(number, _)| number);
    Some(Target::clamped(number, limit).to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Bits = Bits::new(0x1d00_ffff);

    fn limit() -> Target {
        LIMIT.target().unwrap()
    }

    #[test]
    fn asert_follows_bchs_first_steps() {
        let steady = asert(LIMIT, 600, 0, 600, 172_800, limit());
        assert_eq!(steady, LIMIT);
        let halved = asert(LIMIT, 600 - 172_800, 0, 600, 172_800, limit());
        assert_eq!(halved, Bits::new(0x1c7f_ff80));
    }

    #[test]
    fn asert_never_leaves_its_range() {
        for bits in [0, 1, 0x0100_0001, 0x207f_ffff, 0xff7f_ffff, u32::MAX] {
            for seconds in [i64::MIN, -1, 0, 1, i64::MAX] {
                for blocks in [i64::MIN, 0, i64::MAX] {
                    let next = asert(Bits::new(bits), seconds, blocks, 120, 7_200, limit());
                    assert!(next.target().unwrap() <= limit());
                }
            }
        }
        assert!(asert(LIMIT, 0, 0, 0, 0, limit()).target().is_ok());
    }

    #[test]
    fn bitcoins_rule_moves_at_most_fourfold() {
        let period = 600 * 2_016;
        let bits = Bits::new(0x1c05_a3f4);
        assert_eq!(bitcoin(bits, 1, period, limit()), Some(Bits::new(0x1c01_68fd)));
        let slow = bitcoin(Bits::new(0x1c38_7f6f), i64::MAX, period, limit());
        assert_eq!(slow, Some(Bits::new(0x1d00_e1fd)));
        assert_eq!(bitcoin(bits, 1, 0, limit()), None);
    }
}
