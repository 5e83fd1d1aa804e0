//! The names of the directory.

use core::fmt;
use core::str::FromStr;

use crate::ledger::hash::TAG_NAME;
use crate::ledger::hash::keccak;

/// A name in the directory: 3 to 32 of `a-z`, `0-9` and `-`, no `-` at the ends.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Name {
    bytes: [u8; Self::MAX],
    len: u8,
}

impl Name {
    /// The most characters a name has.
    pub const MAX: usize = 32;
    /// The fewest characters a name has.
    pub const MIN: usize = 3;
    /// No name sorts before the first or after the second of these, which are not names themselves.
    pub(in crate::ledger) const BOUNDS: (Self, Self) = (
        Self { bytes: [0; Self::MAX], len: 0 },
        Self { bytes: [u8::MAX; Self::MAX], len: u8::MAX },
    );

    /// Takes a name as it stands in a transaction.
    ///
    /// # Errors
    /// [`InvalidName`] if length or alphabet are wrong, or a `-` stands at an end.
    pub fn from_bytes(text: &[u8]) -> Result<Self, InvalidName> {
        let is_fine = |byte: &u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let ends_well = !text.starts_with(b"-") && !text.ends_with(b"-");
        if text.len() < Self::MIN || !ends_well || !text.iter().all(is_fine) {
            return Err(InvalidName);
        }
        let mut bytes = [0; Self::MAX];
        bytes.get_mut(..text.len()).ok_or(InvalidName)?.copy_from_slice(text);
        Ok(Self { bytes, len: u8::try_from(text.len()).map_err(|_| InvalidName)? })
    }

    /// The characters.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or_default()
    }

    /// The characters.
    pub fn as_str(&self) -> &str {
        str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// Where the name stands in the directory's tree.
    pub fn key(&self) -> [u8; 32] {
        keccak(&[&TAG_NAME, self.as_bytes()])
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        Self::from_bytes(text.as_bytes())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

/// Characters that are not a name.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a name is 3 to 32 of a-z, 0-9 and -, with no - at its ends")]
pub struct InvalidName;

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn names_are_short_plain_words() {
        for fine in ["abc", "a-b", "0-9", &"z".repeat(32)] {
            assert_eq!(fine.parse::<Name>().unwrap().to_string(), fine);
        }
        for wrong in ["", "ab", "-ab", "ab-", "Abc", "a b", "ä-b", "a_b", &"z".repeat(33)] {
            assert_eq!(wrong.parse::<Name>(), Err(InvalidName), "{wrong}");
        }
        assert_eq!(format!("{:?}", "abc".parse::<Name>().unwrap()), "Name(abc)");
    }
}
