//! What later versions add to cards.

use alloc::vec::Vec;

use super::error::CardError;
use super::signed::take;

/// Entries of a type and a value, types ascending. What is unknown is kept, since it is signed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Extensions {
    entries: Vec<u8>,
    features: Features,
}

/// What else an account can do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Features {
    /// It takes part in groups.
    pub groups: bool,
}

impl Extensions {
    /// The entries that announce `features`: none, if there is nothing to announce.
    pub(super) fn of(features: Features) -> Self {
        let entries = match features {
            Features { groups: true } => [FEATURES, 0, 1, GROUPS].to_vec(),
            Features { groups: false } => Vec::new(),
        };
        Self { entries, features }
    }

    pub(super) const fn features(&self) -> Features {
        self.features
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reads the length and the entries that fill it.
    pub(super) fn read(rest: &mut &[u8]) -> Result<Self, CardError> {
        let length = usize::from(u16::from_be_bytes(take(rest)?));
        if !(SHORTEST..=LONGEST).contains(&length) {
            return Err(CardError::Extensions);
        }
        let (entries, behind) = rest.split_at_checked(length).ok_or(CardError::Length)?;
        *rest = behind;
        Self::parse(entries).ok_or(CardError::Extensions)
    }

    /// Writes the length and the entries; nothing, if there are none.
    pub(super) fn write(&self, bytes: &mut Vec<u8>) {
        if let Ok(length @ 1..) = u16::try_from(self.entries.len()) {
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(&self.entries);
        }
    }

    fn parse(entries: &[u8]) -> Option<Self> {
        let (mut features, mut last, mut rest) = (Features::default(), None, entries);
        while let Some((&[kind, high, low], behind)) = rest.split_first_chunk() {
            let (value, behind) =
                behind.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
            if last.is_some_and(|last| last >= kind) {
                return None;
            }
            if kind == FEATURES {
                features.groups = value.first()? & GROUPS != 0;
            }
            (last, rest) = (Some(kind), behind);
        }
        rest.is_empty().then(|| Self { entries: entries.to_vec(), features })
    }
}

/// Type 1 of the extensions (spec/session.md, 3.2), and its first bit.
const FEATURES: u8 = 1;
const GROUPS: u8 = 1;
/// The same section: an entry without a value, and what still fits a message of the smallest class.
const SHORTEST: usize = 3;
const LONGEST: usize = 512;
