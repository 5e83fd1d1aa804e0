//! What goes wrong with a ledger's file, and what to do about it.

use std::io;

use redb::DatabaseError;
use redb::StorageError;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::RestoreError;

/// Why a ledger cannot be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Another program, or another node of this one, has the file.
    #[error("the ledger's file is in use: end the program that has it, or name another file")]
    Busy,
    /// The file is something else.
    #[error("the file is no ledger of this version: name another, or move this one away")]
    Foreign,
    /// The file is that of another network.
    #[error("the file holds another network's ledger: name another file for this one")]
    OtherNetwork,
    /// The file is not whole.
    #[error(
        "the ledger's file is damaged ({0}): move it away and start again, the chain comes anew from \
         peers"
    )]
    Damaged(String),
    /// The chain is later than the clock says.
    #[error("the stored chain is ahead of the clock: set the clock and start again")]
    Clock,
    /// The system does not let us.
    #[error("the ledger's file cannot be opened ({0}): see to its folder and its permissions")]
    Io(io::ErrorKind),
    /// The network's own first block breaks its rules.
    #[error("the network is not valid: {0}")]
    Network(HeaderError),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Busy,
            DatabaseError::UpgradeRequired(_) => Self::Foreign,
            DatabaseError::Storage(error) => Self::from(error),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        match error {
            // A file without the mark of a database.
            StorageError::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Foreign,
            StorageError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged(error.to_string())
            }
            StorageError::Io(error) => Self::Io(error.kind()),
            other => Self::Damaged(other.to_string()),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        Self::Damaged(error.0)
    }
}

impl From<RestoreError> for OpenError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Genesis(error) => Self::Network(error),
            RestoreError::Header(error) if matches!(error.source, HeaderError::TooNew { .. }) => {
                Self::Clock
            }
            other => Self::Damaged(other.to_string()),
        }
    }
}

/// The file takes no more: the disk is full, or gone. The ledger ends; what was written before is
/// whole.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the ledger cannot be stored ({0}): see to the disk and start again")]
pub struct StoreError(pub(super) String);

impl StoreError {
    pub(super) fn damaged(what: &str) -> Self {
        Self(what.to_owned())
    }
}

macro_rules! from_redb {
    ($($error:ident),*) => {
        $(impl From<redb::$error> for StoreError {
            fn from(error: redb::$error) -> Self {
                Self(error.to_string())
            }
        })*
    };
}

from_redb!(CommitError, SetDurabilityError, StorageError, TableError, TransactionError);
