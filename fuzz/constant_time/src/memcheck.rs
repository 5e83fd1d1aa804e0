//! What memcheck is told and asked.
//!
//! It finds each branch and each index that depends on bytes that were never written. A secret that
//! it takes for such bytes is followed through everything that is computed from it.

unsafe extern "C" {
    fn ask_hide(at: *const u8, bytes: usize);
    fn ask_show(at: *const u8, bytes: usize);
    safe fn ask_findings() -> u32;
    safe fn ask_is_there() -> u32;
}

/// Whether this runs under valgrind.
pub(crate) fn is_there() -> bool {
    ask_is_there() > 0
}

/// How many places it has found.
pub(crate) fn findings() -> u32 {
    ask_findings()
}

/// From now on these bytes are secret.
pub(crate) fn hide(bytes: &[u8]) {
    // SAFETY: the request reads no memory and writes none, whatever the bytes are.
    unsafe { ask_hide(bytes.as_ptr(), bytes.len()) }
}

/// From now on everybody may know them.
pub(crate) fn show(bytes: &[u8]) {
    // SAFETY: as above.
    unsafe { ask_show(bytes.as_ptr(), bytes.len()) }
}
