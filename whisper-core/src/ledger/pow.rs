//! Targets, their compact form, and the work that a chain stands for.

pub(super) mod uint;

use core::fmt;

use uint::U256;

use crate::ledger::hash::BlockId;

/// A target as it stands in a header: one byte of exponent, three of mantissa. It may be nonsense
/// until [`Bits::target`] has read it.
#[derive(Clone, Copy, Eq, Hash, PartialEq)]
pub struct Bits(u32);

impl Bits {
    /// The compact form of this number.
    pub const fn new(bits: u32) -> Self {
        Self(bits)
    }

    /// The number.
    pub const fn as_u32(self) -> u32 {
        self.0
    }

    /// The target that these bits stand for.
    ///
    /// # Errors
    /// [`InvalidBits`] if there is none, or another compact form is the one to use for it. Nothing
    /// is rounded and nothing becomes zero in silence.
    #[expect(clippy::arithmetic_side_effects, reason = "an exponent is below 256")]
    pub fn target(self) -> Result<Target, InvalidBits> {
        let (exponent, mantissa) = self.split();
        let number = if exponent <= 3 {
            U256::from_u128(u128::from(mantissa >> (8 * (3 - exponent))))
        } else {
            let mantissa = U256::from_u128(u128::from(mantissa));
            mantissa.checked_shl(8 * (exponent - 3)).ok_or(InvalidBits::Overflow)?
        };
        if number == U256::ZERO {
            return Err(InvalidBits::Zero);
        }
        if self.0 & SIGN != 0 {
            return Err(InvalidBits::Negative);
        }
        let target = Target(number);
        if target.to_bits() == self { Ok(target) } else { Err(InvalidBits::NonCanonical) }
    }

    /// Exponent and mantissa, the sign left out.
    pub(super) const fn split(self) -> (u32, u32) {
        (self.0 >> 24, self.0 & (SIGN - 1))
    }
}

/// The bit that would make a target negative.
const SIGN: u32 = 0x0080_0000;

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bits({self})")
    }
}

/// Compact bits that are no target.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBits {
    /// The sign is set.
    #[error("the target is negative")]
    Negative,
    /// It takes more than 256 bits.
    #[error("the target does not fit into 256 bits")]
    Overflow,
    /// No hash could ever meet it.
    #[error("the target is zero")]
    Zero,
    /// The same target has a shorter or fuller form.
    #[error("the target is not in its one compact form")]
    NonCanonical,
}

/// The number that a block's id may not exceed; never zero.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Target(U256);

impl Target {
    /// The target that every hash meets.
    pub const EASIEST: Self = Self(U256::MAX);

    /// Whether `id`, read as a little-endian number, lies at or below the target.
    pub fn is_met_by(&self, id: &BlockId) -> bool {
        U256::from_le_bytes(id.as_bytes()) <= self.0
    }

    /// The compact form, rounded down to what its mantissa can hold.
    #[expect(clippy::arithmetic_side_effects, reason = "a number of 256 bits has at most 32 bytes")]
    pub fn to_bits(self) -> Bits {
        let bytes = self.0.bits().div_ceil(8);
        let mantissa = if bytes <= 3 {
            self.0.low_u64() << (8 * (3 - bytes))
        } else {
            self.0.shr(8 * (bytes - 3)).low_u64()
        };
        let mantissa = mantissa as u32;
        // The highest bit of the mantissa is the sign, so a number that would set it moves down.
        if mantissa & SIGN == 0 {
            Bits(bytes << 24 | mantissa)
        } else {
            Bits((bytes + 1) << 24 | mantissa >> 8)
        }
    }

    /// How many hashes it takes on average to meet the target: 2^256 / (target + 1), rounded down.
    pub fn work(&self) -> ChainWork {
        // 2^256 does not fit, so: ⌊2^256 / (t + 1)⌋ = ⌊(2^256 - 1 - t) / (t + 1)⌋ + 1.
        let Some(divisor) = self.0.checked_add(U256::ONE) else {
            return ChainWork(U256::ONE);
        };
        let quotient = quick_quotient(self.0).or_else(|| {
            let rest = self.0.not().long_div(divisor)?;
            rest.checked_add(U256::ONE)
        });
        ChainWork(quotient.unwrap_or(U256::ONE))
    }

    /// The larger of the number and 1, the smaller of that and `limit`.
    pub(super) fn clamped(number: U256, limit: Self) -> Self {
        Self(number.max(U256::ONE)).min(limit)
    }

    pub(super) const fn number(self) -> U256 {
        self.0
    }
}

/// ⌊2^256 / (t + 1)⌋ for the targets that occur: those of at least 2^128 with a mantissa of 24
/// bits. One short division instead of a long one, since every header costs this.
fn quick_quotient(target: U256) -> Option<U256> {
    let shift = target.bits().checked_sub(24)?;
    let mantissa = target.shr(shift);
    if target.bits() <= 128 || mantissa.shl(shift) != target {
        return None;
    }
    let mantissa = mantissa.low_u64();
    let (quotient, rest) = U256::ONE.shl(256_u32.checked_sub(shift)?).checked_div(0, mantissa)?;
    // 2^256 = quotient · t + rest · 2^shift, and 2^256 / t is less than one above 2^256 / (t + 1):
    // the quotient holds for t + 1 as well if the rest covers it, else it is one too large.
    let covered = U256::from_u128(rest.into()).shl(shift) >= quotient;
    Some(if covered { quotient } else { quotient.saturating_sub(U256::ONE) })
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.to_le_bytes().iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({self})")
    }
}

/// The sum of the hashes that a chain stands for on average. The chain with the most is the one to
/// adopt.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct ChainWork(U256);

impl ChainWork {
    /// No work.
    pub const ZERO: Self = Self(U256::ZERO);

    /// The sum of these bytes, little-endian.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(U256::from_le_bytes(bytes))
    }

    /// The sum, little-endian.
    pub fn to_bytes(self) -> [u8; 32] {
        self.0.to_le_bytes()
    }

    /// Both together. Valid headers never reach the end of the range.
    pub fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is above `other`, or nothing.
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl From<u128> for ChainWork {
    fn from(hashes: u128) -> Self {
        Self(U256::from_u128(hashes))
    }
}

impl fmt::Display for ChainWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.to_u128() {
            Some(hashes) => write!(f, "{hashes}"),
            None => {
                f.write_str("0x")?;
                self.0.to_le_bytes().iter().rev().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl fmt::Debug for ChainWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChainWork({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn quick_and_long_division_agree(mantissa in 1u32..SIGN, exponent in 1u32..=32) {
            let Ok(target) = Bits(exponent << 24 | mantissa).target() else { return Ok(()) };
            let long = target.0.not().long_div(target.0.checked_add(U256::ONE).unwrap()).unwrap();
            prop_assert_eq!(target.work().0.to_le_bytes(), long.saturating_add(U256::ONE).to_le_bytes());
        }

        #[test]
        fn bits_and_targets_are_one_to_one(bits: u32) {
            if let Ok(target) = Bits(bits).target() {
                prop_assert_eq!(target.to_bits(), Bits(bits));
            }
        }
    }

    #[test]
    fn known_targets_have_their_work() {
        let work = |bits| Bits(bits).target().unwrap().work();
        assert_eq!(work(0x1d00_ffff), ChainWork::from(0x1_0001_0001));
        assert_eq!(work(0x207f_ffff), ChainWork::from(2));
        assert_eq!(work(0x1e00_ffff), ChainWork::from(0x100_0100));
        assert_eq!(Target(U256::MAX).work(), ChainWork::from(1));
    }

    #[test]
    fn work_saturates_at_the_end_of_its_range() {
        let all = ChainWork::from_bytes(&[0xff; 32]);
        assert_eq!(all.saturating_add(ChainWork::from(1)), all);
        assert_eq!(ChainWork::ZERO.saturating_sub(all), ChainWork::ZERO);
    }
}
