//! A search of this process's own memory for key bytes.
//!
//! Searched is all that the process may write: heap, globals, and every stack, that of the testing
//! thread included, beyond its pointer too. Out of reach, and so not covered: registers, pages that
//! went back to the kernel or to a disk, and copies that are not 16 bytes of a key in a row, such as
//! the limbs of field elements and the later round keys of a cipher.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::convert::Infallible;
use std::fs;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use rand_core::TryCryptoRng;
use rand_core::TryRng;
use zeroize::Zeroize;

/// Bytes to search for. They are kept under a mask, so that the search does not find itself.
pub(crate) struct Needle {
    masked: Vec<u8>,
}

impl Needle {
    /// Notes what `secret` holds.
    pub(crate) fn of(secret: &[u8]) -> Self {
        let mut masked = Vec::with_capacity(secret.len());
        masked.extend(secret.iter().map(|byte| byte ^ MASK));
        Self { masked }
    }

    /// 32 bytes that only depend on `seed`, and come to stand nowhere but here.
    pub(crate) fn drawn(seed: u64) -> Self {
        let step =
            |state: u64| state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
        let states = std::iter::successors(Some(step(seed)), |state| Some(step(*state)));
        // A byte below the order of the curve in front, whatever comes behind it.
        let bytes = states.skip(8).map(|state| (state >> 33) as u8).take(31);
        Self { masked: std::iter::once(0x33 ^ MASK).chain(bytes).collect() }
    }

    /// Writes the bytes in place.
    pub(crate) fn reveal(&self, into: &mut [u8]) {
        into.iter_mut().zip(&self.masked).for_each(|(byte, masked)| *byte = masked ^ MASK);
    }

    /// In how many places 16 bytes of it in a row stand, forwards or backwards: on processors like
    /// this one, big numbers lie in memory from their low end.
    pub(crate) fn count(&self) -> usize {
        let backwards: Vec<u8> = self.masked.iter().rev().copied().collect();
        let windows: Vec<_> =
            [&self.masked, &backwards].iter().flat_map(|n| n.windows(16)).collect();
        let mut begins = vec![false; 1 << 16];
        windows.iter().for_each(|window| begins[pair(window[0] ^ MASK, window[1] ^ MASK)] = true);
        let (mut places, mut last) = (0, 0);
        search(|address, bytes| {
            for at in candidates(bytes, &begins) {
                let found = bytes.get(at..at + 16).unwrap_or_default();
                let same = |window: &&[u8]| {
                    window.iter().map(|byte| byte ^ MASK).eq(found.iter().copied())
                };
                if windows.iter().any(same) {
                    places += usize::from(address + at > last + 16);
                    last = address + at;
                }
            }
        });
        places
    }
}

/// Where two bytes stand that some window begins with. Pages of zeros, which most are, are passed
/// over quickly; a window may begin in one of them.
fn candidates(bytes: &[u8], begins: &[bool]) -> Vec<usize> {
    let mut all = Vec::new();
    for start in (0..bytes.len()).step_by(ZEROS.len()) {
        let end = bytes.len().min(start + ZEROS.len());
        if bytes[start..end] == ZEROS[..end - start] {
            continue;
        }
        let from = start.saturating_sub(15);
        let page = &bytes[from..end];
        for (at, (first, second)) in page.iter().zip(&page[1..]).enumerate() {
            if begins[pair(*first, *second)] {
                all.push(from + at);
            }
        }
    }
    all
}

fn pair(first: u8, second: u8) -> usize {
    usize::from(first) << 8 | usize::from(second)
}

/// Shows all writable memory in pieces, each with its address; its own buffer left out.
fn search(mut look: impl FnMut(usize, &[u8])) {
    let memory = File::open("/proc/self/mem").expect("a process may read itself");
    let maps = fs::read_to_string("/proc/self/maps").expect("a process may know itself");
    let mut buffer = vec![0; PIECE];
    let own = buffer.as_ptr() as usize..buffer.as_ptr() as usize + PIECE;
    for range in maps.lines().filter_map(writable) {
        // Pieces overlap, so that nothing hides on a border; a place may be shown twice.
        for start in range.clone().step_by(PIECE - 16) {
            let end = range.end.min(start + PIECE);
            for part in without(start..end, &own) {
                let bytes = &mut buffer[..part.len()];
                if memory.read_exact_at(bytes, part.start as u64).is_ok() {
                    look(part.start, bytes);
                }
            }
        }
    }
    buffer.zeroize();
}

/// The addresses of a line of `/proc/self/maps`, if they may be read and written.
fn writable(line: &str) -> Option<Range<usize>> {
    let mut words = line.split_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |digits| usize::from_str_radix(digits, 16).ok();
    words.next()?.starts_with("rw").then_some(address(start)?..address(end)?)
}

fn without(range: Range<usize>, hole: &Range<usize>) -> [Range<usize>; 2] {
    if hole.end <= range.start || range.end <= hole.start {
        return [range.clone(), range.end..range.end];
    }
    [range.start..hole.start.max(range.start), hole.end.min(range.end)..range.end]
}

/// One search at a time: another test would come and go in memory meanwhile.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[track_caller]
pub(crate) fn assert_gone(needles: &[(&str, &Needle)]) {
    let left: Vec<_> = needles.iter().map(|(name, needle)| (*name, needle.count())).collect();
    assert!(left.iter().all(|(_, places)| *places == 0), "left in memory: {left:?}");
}

/// Deals the bytes of its needles, one for each draw, in place; then ones.
pub(crate) struct Dealer<'a>(std::vec::IntoIter<&'a Needle>);

impl<'a> Dealer<'a> {
    pub(crate) fn of(needles: &[&'a Needle]) -> Self {
        Self(Vec::from(needles).into_iter())
    }
}

impl TryRng for Dealer<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(1)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(1)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        match self.0.next() {
            Some(needle) => needle.reveal(bytes),
            None => bytes.fill(1),
        }
        Ok(())
    }
}

impl TryCryptoRng for Dealer<'_> {}

static ZEROS: [u8; 4_096] = [0; 4_096];
const MASK: u8 = 0xa5;
const PIECE: usize = 1 << 16;
