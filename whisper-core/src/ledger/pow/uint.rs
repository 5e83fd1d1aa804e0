//! Unsigned numbers of 256 bits: as much arithmetic as targets and work need.

use core::array;

/// A number below 2^256: four limbs, the most significant first, so that the derived order is the
/// order of numbers.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::ledger) struct U256([u64; 4]);

impl U256 {
    pub(in crate::ledger) const ZERO: Self = Self([0; 4]);
    pub(in crate::ledger) const ONE: Self = Self([0, 0, 0, 1]);
    pub(in crate::ledger) const MAX: Self = Self([u64::MAX; 4]);

    pub(in crate::ledger) const fn from_u128(number: u128) -> Self {
        Self([0, 0, (number >> 64) as u64, number as u64])
    }

    pub(in crate::ledger) fn from_le_bytes(bytes: &[u8; 32]) -> Self {
        let (limbs, _) = bytes.as_chunks::<8>();
        let mut own = [0; 4];
        for (limb, bytes) in own.iter_mut().rev().zip(limbs) {
            *limb = u64::from_le_bytes(*bytes);
        }
        Self(own)
    }

    pub(in crate::ledger) fn to_le_bytes(self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let (limbs, _) = bytes.as_chunks_mut::<8>();
        for (bytes, limb) in limbs.iter_mut().zip(self.0.iter().rev()) {
            *bytes = limb.to_le_bytes();
        }
        bytes
    }

    /// The number, if it lies below 2^128.
    pub(in crate::ledger) const fn to_u128(self) -> Option<u128> {
        match self.0 {
            [0, 0, high, low] => Some((high as u128) << 64 | low as u128),
            _ => None,
        }
    }

    /// The lowest 64 bits.
    pub(in crate::ledger) const fn low_u64(self) -> u64 {
        let [.., low] = self.0;
        low
    }

    /// The highest 64 bits.
    pub(in crate::ledger) const fn top_u64(self) -> u64 {
        let [top, ..] = self.0;
        top
    }

    /// How many bits it takes to write the number.
    #[expect(clippy::arithmetic_side_effects, reason = "64 bits have at most 64 zeros")]
    pub(in crate::ledger) const fn bits(self) -> u32 {
        match self.0 {
            [0, 0, 0, d] => 64 - d.leading_zeros(),
            [0, 0, c, _] => 128 - c.leading_zeros(),
            [0, b, _, _] => 192 - b.leading_zeros(),
            [a, _, _, _] => 256 - a.leading_zeros(),
        }
    }

    pub(in crate::ledger) fn checked_add(self, other: Self) -> Option<Self> {
        let mut carry = false;
        let mut sum = [0; 4];
        for ((own, a), b) in sum.iter_mut().zip(self.0).zip(other.0).rev() {
            let (partial, first) = a.overflowing_add(b);
            let (total, second) = partial.overflowing_add(u64::from(carry));
            *own = total;
            carry = first || second;
        }
        (!carry).then_some(Self(sum))
    }

    pub(in crate::ledger) fn saturating_add(self, other: Self) -> Self {
        self.checked_add(other).unwrap_or(Self::MAX)
    }

    /// The difference, or zero if `other` is larger.
    pub(in crate::ledger) fn saturating_sub(self, other: Self) -> Self {
        if other >= self { Self::ZERO } else { self.wrapping_sub(other) }
    }

    fn wrapping_sub(self, other: Self) -> Self {
        let mut borrow = false;
        let mut difference = [0; 4];
        for ((own, a), b) in difference.iter_mut().zip(self.0).zip(other.0).rev() {
            let (partial, first) = a.overflowing_sub(b);
            let (total, second) = partial.overflowing_sub(u64::from(borrow));
            *own = total;
            borrow = first || second;
        }
        Self(difference)
    }

    /// The product, or nothing if it does not fit.
    pub(in crate::ledger) fn checked_mul(self, factor: u64) -> Option<Self> {
        match self.widening_mul(factor) {
            (product, 0) => Some(product),
            _ => None,
        }
    }

    /// The product: its lowest 256 bits, and what lies above them.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "a product of 64-bit numbers and one more fit into 128 bits"
    )]
    pub(in crate::ledger) fn widening_mul(self, factor: u64) -> (Self, u64) {
        let mut carry = 0;
        let mut product = [0; 4];
        for (own, limb) in product.iter_mut().zip(self.0).rev() {
            let wide = u128::from(limb) * u128::from(factor) + u128::from(carry);
            *own = wide as u64;
            carry = (wide >> 64) as u64;
        }
        (Self(product), carry)
    }

    /// Quotient and remainder of `above * 2^256 + self`, as far as the quotient fits into 256
    /// bits: `above` must be smaller than `divisor`, and no number can be divided by zero.
    #[expect(clippy::arithmetic_side_effects, reason = "the divisor is larger than `above`")]
    pub(in crate::ledger) fn checked_div(self, above: u64, divisor: u64) -> Option<(Self, u64)> {
        if above >= divisor {
            return None;
        }
        let mut rest = above;
        let mut quotient = [0; 4];
        for (own, limb) in quotient.iter_mut().zip(self.0) {
            if rest == 0 && limb < divisor {
                rest = limb;
                continue;
            }
            let wide = u128::from(rest) << 64 | u128::from(limb);
            *own = (wide / u128::from(divisor)) as u64;
            rest = (wide % u128::from(divisor)) as u64;
        }
        Some((Self(quotient), rest))
    }

    /// The quotient by long division, bit after bit: slow, and right for all numbers. Nothing if
    /// `divisor` is zero.
    pub(in crate::ledger) fn long_div(self, divisor: Self) -> Option<Self> {
        let mut shift = self.bits().checked_sub(divisor.bits());
        if divisor == Self::ZERO {
            return None;
        }
        let mut rest = self;
        let mut quotient = Self::ZERO;
        while let Some(bit) = shift {
            let part = divisor.shl(bit);
            if part <= rest {
                rest = rest.wrapping_sub(part);
                quotient = quotient.or(Self::ONE.shl(bit));
            }
            shift = bit.checked_sub(1);
        }
        Some(quotient)
    }

    pub(in crate::ledger) fn not(self) -> Self {
        Self(self.0.map(|limb| !limb))
    }

    fn or(self, other: Self) -> Self {
        let mut both = self.0;
        for (own, limb) in both.iter_mut().zip(other.0) {
            *own |= limb;
        }
        Self(both)
    }

    /// The number times 2^`bits`, without what does not fit.
    #[expect(clippy::arithmetic_side_effects, reason = "the remainder of 64 is below 64")]
    pub(in crate::ledger) fn shl(self, bits: u32) -> Self {
        let (limbs, bits) = ((bits / 64) as usize, bits % 64);
        Self(array::from_fn(|at| {
            let from = at.saturating_add(limbs);
            let lower =
                if bits == 0 { 0 } else { self.limb(from.saturating_add(1)) >> (64 - bits) };
            self.limb(from) << bits | lower
        }))
    }

    /// The number times 2^`bits`, or nothing if that does not fit.
    pub(in crate::ledger) fn checked_shl(self, bits: u32) -> Option<Self> {
        let fits = self == Self::ZERO || self.bits().saturating_add(bits) <= 256;
        fits.then(|| self.shl(bits))
    }

    /// The number divided by 2^`bits`, rounded down.
    #[expect(clippy::arithmetic_side_effects, reason = "the remainder of 64 is below 64")]
    pub(in crate::ledger) fn shr(self, bits: u32) -> Self {
        let (limbs, bits) = ((bits / 64) as usize, bits % 64);
        Self(array::from_fn(|at| {
            let limb = |back: usize| at.checked_sub(back).map_or(0, |from| self.limb(from));
            let upper = if bits == 0 { 0 } else { limb(limbs.saturating_add(1)) << (64 - bits) };
            limb(limbs) >> bits | upper
        }))
    }

    fn limb(self, at: usize) -> u64 {
        self.0.get(at).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0u32..=256).prop_map(|(limbs, shift)| U256(limbs).shr(shift))
    }

    proptest! {
        #[test]
        fn bytes_round_trip(a in number()) {
            prop_assert_eq!(U256::from_le_bytes(&a.to_le_bytes()).0, a.0);
        }

        #[test]
        fn arithmetic_agrees_with_128_bits(a in 0..u128::MAX / 2, b in 0..u128::MAX / 2) {
            let (wide_a, wide_b) = (U256::from_u128(a), U256::from_u128(b));
            prop_assert_eq!(wide_a.checked_add(wide_b).unwrap().to_u128(), Some(a + b));
            prop_assert_eq!(wide_a.saturating_sub(wide_b).to_u128(), Some(a.saturating_sub(b)));
            prop_assert_eq!(wide_a.cmp(&wide_b), a.cmp(&b));
            let quotient = wide_a.long_div(wide_b).map(|quotient| quotient.to_u128().unwrap());
            prop_assert_eq!(quotient, a.checked_div(b));
        }

        #[test]
        fn a_product_divides_back(a in number(), factor in 1u64..) {
            let (product, above) = a.widening_mul(factor);
            let (quotient, rest) = product.checked_div(above, factor).unwrap();
            prop_assert_eq!((quotient.0, rest), (a.0, 0));
        }

        #[test]
        fn both_divisions_agree(a in number(), divisor in 1u64..) {
            let (quotient, _) = a.checked_div(0, divisor).unwrap();
            let long = a.long_div(U256::from_u128(divisor.into())).unwrap();
            prop_assert_eq!(quotient.0, long.0);
        }

        #[test]
        fn shifts_are_powers_of_two(a in number(), bits in 0u32..64) {
            let factor = 1u64 << bits;
            prop_assert_eq!(a.checked_shl(bits).map(|n| n.0), a.checked_mul(factor).map(|n| n.0));
            prop_assert_eq!(a.shr(bits).0, a.checked_div(0, factor).unwrap().0.0);
            prop_assert_eq!(a.shl(64).shl(bits).0, a.shl(64 + bits).0);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert!(U256::MAX.checked_add(U256::ONE).is_none());
        assert!(U256::MAX.saturating_add(U256::ONE) == U256::MAX);
        assert!(U256::MAX.checked_mul(2).is_none());
        assert!(U256::ONE.checked_shl(256).is_none());
        assert!(U256::ONE.checked_div(0, 0).is_none());
        assert!(U256::ONE.long_div(U256::ZERO).is_none());
    }
}
