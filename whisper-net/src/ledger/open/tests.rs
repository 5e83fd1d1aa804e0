use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use redb::StorageBackend;
use redb::backends::InMemoryBackend;
use whisper_core::ledger::Params;

use super::*;
use crate::config::Config;
use crate::ledger::LedgerEnded;
use crate::ledger::LedgerEvent;
use crate::ledger::MiningEnded;
use crate::ledger::StoreError;
use crate::memory::MemoryNetwork;

/// A disk that is full from some time on.
#[derive(Debug)]
struct Disk {
    memory: InMemoryBackend,
    full: Arc<AtomicBool>,
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        self.memory.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.memory.read(offset, out)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.memory.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.memory.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if self.full.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.memory.write(offset, data)
    }
}

#[tokio::test]
async fn a_ledger_whose_disk_is_full_says_so_even_to_a_reader_that_is_slow() {
    let params = Params::regtest();
    let full = Arc::new(AtomicBool::new(false));
    let disk = Disk { memory: InMemoryBackend::new(), full: Arc::clone(&full) };
    let store = Store::over(disk, &params).unwrap();
    let config = LedgerConfig { backlog: 1, ..LedgerConfig::new(params) };
    let node = crate::start(Config::new(MemoryNetwork::new().transport("alice"))).unwrap();
    let ledger = OpenChain::restore(config, store).unwrap().serve(&node).await.unwrap();
    let mut slow = ledger.events().await.unwrap();
    ledger.mine().await.unwrap().found().await.unwrap();
    full.store(true, Ordering::Relaxed);
    let failed = LedgerEnded::Failed(StoreError::Io(io::ErrorKind::StorageFull));
    let mined = ledger.mine().await.unwrap().found().await;
    assert_eq!(mined, Err(MiningEnded::Ended(failed)));
    assert_eq!(ledger.overview().await.unwrap_err(), failed);
    assert!(matches!(slow.next().await, Some(Ok(LedgerEvent::Changed(_)))));
    let last = slow.next().await;
    assert!(matches!(last, Some(Ok(LedgerEvent::Failed(_)))), "{last:?}");
    assert!(slow.next().await.is_none());
    assert_eq!(node.peers().await.map(|peers| peers.len()), Ok(0), "the node goes on");
    node.shutdown().await;
    assert_eq!(ledger.overview().await.unwrap_err(), failed);
}
