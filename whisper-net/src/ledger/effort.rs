//! The work for a transaction, on several threads, until it is done or nobody waits any more.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::task::JoinSet;
use whisper_core::ledger::TxDraft;

/// Searches a nonce for a draft. Nothing if the runtime goes down first.
pub(super) async fn find(draft: &Arc<TxDraft>, threads: NonZeroUsize) -> Option<u64> {
    // When the caller is cancelled the threads find out by themselves.
    let stop = Stop::default();
    let next = Arc::new(AtomicU64::new(0));
    let mut searches = JoinSet::new();
    for _ in 0..threads.get() {
        let (draft, next, stop) = (Arc::clone(draft), Arc::clone(&next), Arc::clone(&stop.0));
        searches.spawn_blocking(move || {
            while !stop.load(Ordering::Relaxed) {
                let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                let found = draft.find(start..start.saturating_add(CHUNK));
                if found.is_some() {
                    return found;
                }
            }
            None
        });
    }
    while let Some(search) = searches.join_next().await {
        if let Ok(Some(nonce)) = search {
            return Some(nonce);
        }
    }
    None
}

/// Stops the threads when it is dropped.
#[derive(Default)]
struct Stop(Arc<AtomicBool>);

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Hashes between two looks at the stop flag.
const CHUNK: u64 = 4_096;
