//! The only home of key bytes.

use alloc::boxed::Box;
use core::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;
use zeroize::ZeroizeOnDrop;

/// `N` secret bytes: boxed so that a move moves only the pointer, wiped on drop, never printed,
/// never cloned, compared in constant time.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret<const N: usize>(Box<[u8; N]>);

impl<const N: usize> Secret<N> {
    /// Lets `fill` write the bytes in place, in a box of zeros: no copy stays on the stack that
    /// nobody would wipe.
    pub fn fill_with(fill: impl FnOnce(&mut [u8; N])) -> Self {
        let mut secret = Self(Box::new([0; N]));
        fill(&mut secret.0);
        secret
    }

    /// Draws the bytes.
    pub fn generate(rng: &mut impl CryptoRng) -> Self {
        Self::fill_with(|bytes| rng.fill_bytes(bytes))
    }

    /// Copies the bytes, if there are exactly `N`. Whoever holds the original wipes it.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        (bytes.len() == N).then(|| Self::fill_with(|own| own.copy_from_slice(bytes)))
    }

    /// The bytes, for as long as a cipher needs them.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }
}

impl<const N: usize> fmt::Debug for Secret<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl<const N: usize> PartialEq for Secret<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_slice().ct_eq(other.0.as_slice()).into()
    }
}

impl<const N: usize> Eq for Secret<N> {}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;

    #[test]
    fn a_secret_prints_nothing() {
        let secret = Secret::<4>::fill_with(|bytes| *bytes = [7; 4]);
        assert_eq!(format!("{secret:?}"), "Secret(..)");
    }

    #[test]
    fn only_the_right_length_becomes_a_secret() {
        assert!(Secret::<4>::from_slice(&[1; 3]).is_none());
        assert!(Secret::<4>::from_slice(&[1; 5]).is_none());
        assert_eq!(Secret::<4>::from_slice(&[1; 4]).unwrap().expose(), &[1; 4]);
    }
}
