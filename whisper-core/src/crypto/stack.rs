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
/// Enough for hashes, and for the key schedules of ciphers, found in the same way.
pub(super) const CIPHER: usize = 8_192;
