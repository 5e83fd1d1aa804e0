//! What goes wrong with a ledger's file, and what to do about it.

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;

use redb::CommitError;
use redb::DatabaseError;
use redb::SetDurabilityError;
use redb::StorageError;
use redb::TableError;
use redb::TransactionError;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::RestoreError;

/// Why a ledger cannot be opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
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
    Damaged(Damage),
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

/// What is wrong with a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The pages of the database do not fit together.
    #[error("its pages do not fit together")]
    Pages,
    /// The file ends too soon.
    #[error("it ends too soon")]
    Short,
    /// The tables are not those of a ledger.
    #[error("its tables are not those of a ledger")]
    Tables,
    /// A record of the directory cannot be read.
    #[error("a record cannot be read")]
    Record,
    /// A block's bytes are missing.
    #[error("the bytes of a block are missing")]
    Block,
    /// What is stored is not a valid chain.
    #[error(transparent)]
    Chain(RestoreError),
}

impl From<DatabaseError> for OpenError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::DatabaseAlreadyOpen => Self::Busy,
            DatabaseError::UpgradeRequired(_) => Self::Foreign,
            DatabaseError::Storage(error) => Self::from(error),
            _ => Self::Damaged(Damage::Pages),
        }
    }
}

impl From<StorageError> for OpenError {
    fn from(error: StorageError) -> Self {
        match error {
            // A file without the mark of a database.
            StorageError::Io(error) if error.kind() == io::ErrorKind::InvalidData => Self::Foreign,
            StorageError::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Self::Damaged(Damage::Short)
            }
            StorageError::Io(error) => Self::Io(error.kind()),
            _ => Self::Damaged(Damage::Pages),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Io(kind) => Self::Io(kind),
            StoreError::Damaged(damage) => Self::Damaged(damage),
        }
    }
}

impl From<RestoreError> for OpenError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Genesis(error) => Self::Network(error),
            RestoreError::Header(error) if matches!(error.source, HeaderError::TooNew { .. }) => {
                Self::Clock
            }
            other => Self::Damaged(Damage::Chain(other)),
        }
    }
}

/// The file takes no more: the disk is full, or gone. The ledger ends; what was written before is
/// whole.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The system refuses.
    #[error("the ledger cannot be stored ({0}): see to the disk and start again")]
    Io(io::ErrorKind),
    /// The file is not whole.
    #[error("the ledger cannot be stored, its file is damaged ({0}): move it away and start again")]
    Damaged(Damage),
}

impl From<StorageError> for StoreError {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Io(error) => Self::Io(error.kind()),
            StorageError::PreviousIo => Self::Io(io::ErrorKind::Other),
            _ => Self::Damaged(Damage::Pages),
        }
    }
}

impl From<TableError> for StoreError {
    fn from(error: TableError) -> Self {
        match error {
            TableError::Storage(error) => error.into(),
            _ => Self::Damaged(Damage::Tables),
        }
    }
}

impl From<TransactionError> for StoreError {
    fn from(error: TransactionError) -> Self {
        match error {
            TransactionError::Storage(error) => error.into(),
            _ => Self::Damaged(Damage::Pages),
        }
    }
}

impl From<CommitError> for StoreError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Storage(error) => error.into(),
            _ => Self::Damaged(Damage::Pages),
        }
    }
}

impl From<SetDurabilityError> for StoreError {
    fn from(_: SetDurabilityError) -> Self {
        Self::Damaged(Damage::Pages)
    }
}

/// Why a ledger does not answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerEnded {
    /// It could not be stored. The node that it ran on goes on without it.
    #[error("the ledger has ended: {0}")]
    Failed(StoreError),
    /// Its node has ended, or another ledger has taken its place.
    #[error("the ledger has ended with its node, or another one has taken its place")]
    Closed,
}

/// Why the storage of a ledger has failed, once it has: shared by the engine and its callers.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure(Arc<OnceLock<StoreError>>);

impl Failure {
    /// Notes the first failure.
    pub(super) fn note(&self, error: StoreError) {
        self.0.get_or_init(|| error);
    }

    /// Whether there was one.
    pub(super) fn is_noted(&self) -> bool {
        self.0.get().is_some()
    }

    /// Why a ledger that does not answer has ended.
    pub(super) fn ended(&self) -> LedgerEnded {
        self.0.get().map_or(LedgerEnded::Closed, |error| LedgerEnded::Failed(*error))
    }
}
