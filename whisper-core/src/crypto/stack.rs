//! What computing with keys leaves on the stack.

use zeroize::zeroize_stack;

/// Runs `work` in a frame of its own, then overwrites `N` bytes of the stack, where that frame was:
/// ciphers and curves leave copies of keys there. What `work` returns is not wiped, so it should
/// own its secrets by a pointer.
pub fn wiping_stack<const N: usize, T>(work: impl FnOnce() -> T) -> T {
    #[inline(never)]
    fn apart<T>(work: impl FnOnce() -> T) -> T {
        work()
    }
    let result = apart(work);
    zeroize_stack::<N>();
    result
}

/// Enough for one scalar multiplication, found by searching the stack afterwards.
pub(super) const CURVE: usize = 65_536;
/// Enough for AES, found in the same way: where the processor has AVX-512, `aes` lays out the whole
/// key schedule on the stack, four times over, at each call.
pub(super) const CIPHER: usize = 16_384;
/// Enough for ML-KEM-768, found in the same way: matrices of polynomials are kept there.
pub(super) const LATTICE: usize = 65_536;
/// Enough for ChaCha20 and Poly1305, found in the same way.
pub(super) const STREAM: usize = 8_192;
/// Enough for hashes.
pub(crate) const HASH: usize = 8_192;
