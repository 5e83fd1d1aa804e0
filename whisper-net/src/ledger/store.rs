//! The ledger on disk: one transaction for each change of the chain.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use redb::Builder;
use redb::Database;
use redb::Durability;
use redb::ReadableDatabase;
use redb::ReadableTable;
use redb::ReadableTableMetadata;
use redb::StorageBackend;
use redb::Table;
use redb::TableDefinition;
use redb::WriteTransaction;
use redb::backends::InMemoryBackend;
use whisper_core::ledger::Archive;
use whisper_core::ledger::Backup;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::ChainUpdate;
use whisper_core::ledger::Header;
use whisper_core::ledger::NameRecord;
use whisper_core::ledger::Params;
use whisper_core::ledger::StoreOp;
use whisper_core::ledger::TxId;

use super::fault::Damage;
use super::fault::OpenError;
use super::fault::StoreError;

/// What the file is, and whose: format and first block.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
const BLOCKS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("blocks");
const UNDOS: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("undos");
/// The chain by height: each block's name and header. The last is the tip.
const CHAIN: TableDefinition<'_, u32, (&[u8; 32], &[u8; 80])> = TableDefinition::new("chain");
/// Height and index of the chain's transactions.
const TXS: TableDefinition<'_, &[u8; 32], (u32, u32)> = TableDefinition::new("txs");
const NAMES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("handles");

/// Counted up whenever an older file would be misread.
const FORMAT: &[u8] = b"whisper ledger 1";

/// Pages that are kept in memory.
const CACHE: usize = 32 << 20;

/// A file with a chain in it, or the like of it in memory.
pub(super) struct Store {
    database: Database,
}

impl Store {
    /// Opens a file, or begins one; without a path all is in memory and ends with the process.
    pub(super) fn open(path: Option<&Path>, params: &Params) -> Result<Self, OpenError> {
        match path {
            Some(path) => Self::new(builder().create(path)?, params),
            None => Self::over(InMemoryBackend::new(), params),
        }
    }

    /// A store over something else than a file.
    pub(super) fn over(backend: impl StorageBackend, params: &Params) -> Result<Self, OpenError> {
        Self::new(builder().create_with_backend(backend)?, params)
    }

    fn new(database: Database, params: &Params) -> Result<Self, OpenError> {
        let store = Self { database };
        store.claim(params)?;
        Ok(store)
    }

    /// Marks a new file as this network's, or checks that an old one is.
    fn claim(&self, params: &Params) -> Result<(), OpenError> {
        let genesis = params.genesis_id();
        let begun = self.begin()?;
        let is_new = begun.list_tables().map_err(StoreError::from)?.next().is_none();
        {
            let mut meta = begun.open_table(META).map_err(|_| OpenError::Foreign)?;
            if is_new {
                meta.insert("format", FORMAT).map_err(StoreError::from)?;
                meta.insert("genesis", genesis.as_bytes().as_slice()).map_err(StoreError::from)?;
            }
            let is = |key: &str, expected: &[u8]| {
                let found = meta.get(key).map_err(StoreError::from)?;
                Ok::<_, StoreError>(found.is_some_and(|found| found.value() == expected))
            };
            if !is("format", FORMAT)? {
                return Err(OpenError::Foreign);
            }
            if !is("genesis", genesis.as_bytes())? {
                return Err(OpenError::OtherNetwork);
            }
            drop(Tables::open(&begun).map_err(|_| OpenError::Foreign)?);
        }
        Ok(begun.commit().map_err(StoreError::from)?)
    }

    /// What a ledger is restored from. Blocks off the chain are forgotten: their headers are, too.
    pub(super) fn backup(&self, params: &Params, recheck: u32) -> Result<Backup, StoreError> {
        let begun = self.begin()?;
        let (mut headers, mut tip) = (Vec::new(), params.genesis_id());
        let mut records = Vec::new();
        {
            let mut tables = Tables::open(&begun)?;
            let mut ids = BTreeSet::new();
            for entry in tables.chain.iter()? {
                let (_, entry) = entry?;
                let (id, header) = entry.value();
                headers.push(Header::decode(header));
                tip = BlockId::new(*id);
                ids.insert(*id);
            }
            for entry in tables.names.iter()? {
                let (_, record) = entry?;
                records.push(
                    NameRecord::decode(record.value())
                        .ok_or(StoreError::Damaged(Damage::Record))?,
                );
            }
            if tables.blocks.len()? > ids.len() as u64 {
                tables.blocks.retain(|id, _| ids.contains(id))?;
                tables.undos.retain(|id, _| ids.contains(id))?;
            }
        }
        begun.commit()?;
        Ok(Backup { headers, tip, records, recheck })
    }

    /// Writes a change of the chain, all of it or nothing.
    pub(super) fn write(&self, update: &ChainUpdate) -> Result<(), StoreError> {
        let begun = self.begin()?;
        {
            let mut tables = Tables::open(&begun)?;
            for op in &update.store {
                tables.apply(op)?;
            }
        }
        Ok(begun.commit()?)
    }

    /// Height and index of a transaction of the chain.
    pub(super) fn place_of(&self, id: &TxId) -> Result<Option<(u32, u32)>, StoreError> {
        let txs = self.database.begin_read()?.open_table(TXS)?;
        Ok(txs.get(id.as_bytes())?.map(|place| place.value()))
    }

    fn begin(&self) -> Result<WriteTransaction, StoreError> {
        let mut begun = self.database.begin_write()?;
        begun.set_durability(Durability::Immediate)?;
        // Posts are data of strangers: the second phase keeps them from passing for a commit, and
        // opening the file after a crash takes no time.
        begun.set_quick_repair(true);
        Ok(begun)
    }

    fn read(
        &self,
        table: TableDefinition<'_, &[u8; 32], &[u8]>,
        id: &BlockId,
    ) -> Result<Option<Arc<[u8]>>, StoreError> {
        let table = self.database.begin_read()?.open_table(table)?;
        Ok(table.get(id.as_bytes())?.map(|bytes| bytes.value().into()))
    }
}

impl Archive for Store {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        // The ledger tells what it misses.
        self.read(BLOCKS, id).ok().flatten()
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        self.read(UNDOS, id).ok().flatten()
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE);
    builder
}

/// The tables, open for writing.
struct Tables<'a> {
    blocks: Table<'a, &'static [u8; 32], &'static [u8]>,
    undos: Table<'a, &'static [u8; 32], &'static [u8]>,
    chain: Table<'a, u32, (&'static [u8; 32], &'static [u8; 80])>,
    txs: Table<'a, &'static [u8; 32], (u32, u32)>,
    names: Table<'a, &'static [u8], &'static [u8]>,
}

impl<'a> Tables<'a> {
    fn open(begun: &'a WriteTransaction) -> Result<Self, StoreError> {
        Ok(Self {
            blocks: begun.open_table(BLOCKS)?,
            undos: begun.open_table(UNDOS)?,
            chain: begun.open_table(CHAIN)?,
            txs: begun.open_table(TXS)?,
            names: begun.open_table(NAMES)?,
        })
    }

    fn apply(&mut self, op: &StoreOp) -> Result<(), StoreError> {
        match op {
            StoreOp::Block { id, bytes, .. } => {
                self.blocks.insert(id.as_bytes(), &**bytes)?;
            }
            StoreOp::Connect { id, height, undo, records, txs } => {
                let block = self.blocks.get(id.as_bytes())?;
                let header = block.as_ref().and_then(|block| block.value().first_chunk::<80>());
                let header = header.ok_or(StoreError::Damaged(Damage::Block))?;
                self.chain.insert(height, (id.as_bytes(), header))?;
                drop(block);
                self.undos.insert(id.as_bytes(), &**undo)?;
                for record in records {
                    self.set(record)?;
                }
                for (tx, index) in txs.iter().zip(1..) {
                    self.txs.insert(tx.as_bytes(), (*height, index))?;
                }
            }
            StoreOp::Disconnect { height, records, txs, .. } => {
                self.chain.remove(height)?;
                for (name, before) in records {
                    match before {
                        Some(record) => self.set(record)?,
                        None => drop(self.names.remove(name.as_bytes())?),
                    }
                }
                for tx in txs {
                    self.txs.remove(tx.as_bytes())?;
                }
            }
            StoreOp::Settle { id } => drop(self.undos.remove(id.as_bytes())?),
            StoreOp::Forget { id } => {
                self.blocks.remove(id.as_bytes())?;
                self.undos.remove(id.as_bytes())?;
            }
        }
        Ok(())
    }

    fn set(&mut self, record: &NameRecord) -> Result<(), StoreError> {
        self.names.insert(record.name.as_bytes(), record.encode().as_slice())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
