//! What the ledger's directory says of a handle.

use whisper_core::identity::PublicKey;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Record;

use crate::error::WhisperError;

/// What stands under a handle, and how well that is proven.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct HandleAnswer {
    /// The record; nothing if nobody has the handle, which is proven as well.
    pub record: Option<HandleRecord>,
    /// Height of the block that it is proven from.
    pub height: u32,
    /// How many blocks confirm it, that one included. Do not trust a key that has changed before it
    /// is buried deep.
    pub confirmations: u32,
}

/// An entry of the directory.
#[derive(Clone, Debug, Eq, PartialEq, uniffi::Record)]
pub struct HandleRecord {
    /// The handle.
    pub handle: String,
    /// Whether the handle is in use; a revoked one belongs to nobody.
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

impl HandleAnswer {
    pub(crate) fn new(record: Option<&Record>, proven: Proven) -> Result<Self, WhisperError> {
        Ok(Self {
            record: record.map(HandleRecord::new).transpose()?,
            height: proven.height,
            confirmations: proven.confirmations,
        })
    }
}

impl HandleRecord {
    fn new(record: &Record) -> Result<Self, WhisperError> {
        Ok(Self {
            handle: record.handle.to_string(),
            active: record.active,
            owner: record.public_key()?,
            sequence: record.seq,
            claimed: record.claimed,
            changed: record.changed,
        })
    }
}
