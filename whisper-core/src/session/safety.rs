//! Safety numbers: what two people compare to know that nobody stands between them
//! (`spec/session.md`, 3.13).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use subtle::ConstantTimeEq;

use crate::hash::sha256;
use crate::hash::sha512;
use crate::identity::PublicKey;

/// Sixty digits that are the same for both of two identities, and that no other pair has. Their
/// keys for agreement and their prekeys are covered too, since the identities sign them.
///
/// Prints as twelve groups of five. Costs some 10 ms to work out.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    digits: String,
    code: [u8; CODE],
}

impl SafetyNumber {
    /// The number of these two, in either order.
    pub fn of(one: &PublicKey, other: &PublicKey) -> Self {
        let mut both = [one, other].map(PublicKey::to_compressed);
        both.sort_unstable();
        let mut digits = both.map(|identity| fingerprint(&identity));
        digits.sort_unstable();
        Self { digits: digits.concat(), code: code(&both) }
    }

    /// The sixty digits.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// What a QR code of it says.
    pub const fn code(&self) -> &[u8; CODE] {
        &self.code
    }

    /// Whether a code that was scanned is that of the same two, in constant time.
    pub fn matches(&self, scanned: &[u8]) -> bool {
        self.code.as_slice().ct_eq(scanned).into()
    }
}

impl fmt::Display for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, digit) in self.digits.chars().enumerate() {
            let separator = if place % 5 == 0 && place > 0 { " " } else { "" };
            write!(f, "{separator}{digit}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SafetyNumber({self})")
    }
}

/// Thirty digits for one identity. Each round makes it dearer to look for an identity whose digits
/// begin or end like those of another.
fn fingerprint(identity: &[u8; 33]) -> String {
    let mut state = Vec::new();
    for _ in 0..ROUNDS {
        state = sha512(&[&state, &b"WS1/fp"[..], identity].concat()).to_vec();
    }
    let group = |bytes: &[u8]| {
        let value = bytes.iter().fold(0_u64, |value, byte| value << 8 | u64::from(*byte));
        alloc::format!("{:05}", value % 100_000)
    };
    state.chunks(5).take(6).map(group).collect()
}

fn code(both: &[[u8; 33]; 2]) -> [u8; CODE] {
    let mut code = [0; CODE];
    let parts = [&b"WSFP\x01"[..], &sha256(&both.concat())].concat();
    code.iter_mut().zip(parts).for_each(|(own, byte)| *own = byte);
    code
}

/// spec/session.md, 3.13; Signal's number.
const ROUNDS: usize = 5_200;
/// Bytes of the code: a mark, a version, a hash.
const CODE: usize = 4 + 1 + 32;

#[cfg(test)]
mod tests;
