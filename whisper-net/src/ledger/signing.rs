//! The work for a transaction, on several threads, until it is done or given up.

use std::fmt;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;

use tokio::task::JoinSet;
use whisper_core::identity::Identity;
use whisper_core::ledger::Tx;
use whisper_core::ledger::TxDraft;
use whisper_core::ledger::TxError;

use crate::actor::Closed;

/// A transaction in the making: await it. The work begins when it is polled first, and dropping it
/// ends the work.
///
/// A claim on the main network takes some twenty million hashes; [`Signing::hashes`] tells meanwhile
/// how far it is.
#[must_use = "a transaction is not signed until this is awaited"]
pub struct Signing {
    work: Pin<Box<dyn Future<Output = Result<Tx, SignError>> + Send>>,
    hashes: Arc<AtomicU64>,
    expected: u64,
}

impl Signing {
    pub(super) fn new(draft: TxDraft, author: Arc<Identity>, threads: NonZeroUsize) -> Self {
        let (hashes, expected) = (Arc::new(AtomicU64::new(0)), draft.expected_hashes());
        let tried = Arc::clone(&hashes);
        let work = Box::pin(async move {
            let draft = Arc::new(draft);
            let nonce = find(&draft, threads, &tried).await.ok_or(Closed)?;
            Ok(draft.sign(nonce, &author)?)
        });
        Self { work, hashes, expected }
    }

    /// Hashes that were tried so far.
    pub fn hashes(&self) -> u64 {
        self.hashes.load(Ordering::Relaxed)
    }

    /// Hashes that it takes on average. A search has no memory: what was tried before does not bring
    /// the end nearer.
    pub const fn expected_hashes(&self) -> u64 {
        self.expected
    }
}

impl Future for Signing {
    type Output = Result<Tx, SignError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.work.as_mut().poll(cx)
    }
}

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signing")
            .field("hashes", &self.hashes())
            .field("expected", &self.expected)
            .finish()
    }
}

/// Why a transaction is not signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The author is not the draft's.
    #[error(transparent)]
    Tx(#[from] TxError),
    /// The runtime goes down.
    #[error(transparent)]
    Closed(#[from] Closed),
}

/// Searches a nonce for a draft. Nothing if the runtime goes down first.
async fn find(draft: &Arc<TxDraft>, threads: NonZeroUsize, tried: &Arc<AtomicU64>) -> Option<u64> {
    // When the caller is cancelled the threads find out by themselves.
    let stop = Stop::default();
    let next = Arc::new(AtomicU64::new(0));
    let mut searches = JoinSet::new();
    for _ in 0..threads.get() {
        let (draft, stop) = (Arc::clone(draft), Arc::clone(&stop.0));
        let (next, tried) = (Arc::clone(&next), Arc::clone(tried));
        searches.spawn_blocking(move || {
            while !stop.load(Ordering::Relaxed) {
                let start = next.fetch_add(CHUNK, Ordering::Relaxed);
                let found = draft.find(start..start.saturating_add(CHUNK));
                tried.fetch_add(CHUNK, Ordering::Relaxed);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_core::SeedableRng;
    use whisper_core::ledger::NextKey;
    use whisper_core::ledger::Operation;
    use whisper_core::ledger::Params;
    use whisper_core::ledger::Payload;
    use whisper_core::ledger::Register;
    use whisper_core::time::Timestamp;

    use super::*;

    #[tokio::test]
    async fn a_claim_that_takes_long_tells_how_far_it_is() {
        let author = Identity::generate(&mut chacha20::ChaCha20Rng::from_seed([1; 32]));
        let claim = Register {
            operation: Operation::Claim,
            seq: 0,
            next: NextKey::NONE,
            name: "alice".parse().expect("a name"),
        };
        let (key, expiry) = (author.public_key(), Timestamp::from_secs(1_000));
        let draft = TxDraft::new(&Params::main(), &key, expiry, &Payload::Register(claim));
        let draft = draft.expect("a draft");
        let mut signing = Signing::new(draft, Arc::new(author), NonZeroUsize::MIN);
        assert_eq!(signing.hashes(), 0);
        assert!(signing.expected_hashes() > 10_000_000);
        while signing.hashes() == 0 {
            let wait = tokio::time::timeout(Duration::from_millis(10), &mut signing).await;
            assert!(wait.is_err(), "one nonce in twenty million fits");
        }
    }
}
