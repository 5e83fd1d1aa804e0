//! What the ledger's directory says of a name.

use whisper_core::identity::PublicKey;
use whisper_core::ledger;
use whisper_core::ledger::Proven;

use crate::error::WhisperError;

/// What stands under a name, and how well that is proven.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct NameAnswer {
    /// The record; nothing if nobody has the name, which is proven as well.
    pub record: Option<NameRecord>,
    /// Height of the block that it is proven from.
    pub height: u32,
    /// How many blocks confirm it, that one included. Do not trust a key that has changed before it
    /// is buried deep.
    pub confirmations: u32,
}

/// An entry of the directory.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct NameRecord {
    /// The name.
    pub name: String,
    /// Whether the name is in use; a revoked one belongs to nobody.
    pub active: bool,
    /// The key that answers to it.
    pub owner: PublicKey,
    /// How often it was changed.
    pub sequence: u32,
    /// Height of the block that it was claimed in.
    pub claimed: u32,
    /// Height of the block that it was changed in last.
    pub changed: u32,
}

impl NameAnswer {
    pub(crate) fn new(
        record: Option<&ledger::NameRecord>,
        proven: Proven,
    ) -> Result<Self, WhisperError> {
        Ok(Self {
            record: record.map(NameRecord::new).transpose()?,
            height: proven.height,
            confirmations: proven.confirmations,
        })
    }
}

impl NameRecord {
    fn new(record: &ledger::NameRecord) -> Result<Self, WhisperError> {
        Ok(Self {
            name: record.name.to_string(),
            active: record.active,
            owner: record.public_key()?,
            sequence: record.seq,
            claimed: record.claimed,
            changed: record.changed,
        })
    }
}
