//! Where asynchronous calls run: one runtime for the process, made when it is needed first.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use tokio::runtime::Builder;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinError;
use tokio::task::JoinHandle;

use crate::cancel::CancelToken;
use crate::cancel::cancelled;
use crate::error::WhisperError;

/// How many asynchronous calls run in this process right now. Those that were given up are gone.
#[uniffi::export]
pub fn running_jobs() -> u64 {
    RUNNING.load(Ordering::SeqCst)
}

/// Runs `job` on the runtime until it is done, the token is cancelled or the caller goes away.
pub(crate) fn run<T: Send + 'static>(
    cancel: Option<Arc<CancelToken>>,
    job: impl Future<Output = Result<T, WhisperError>> + Send + 'static,
) -> impl Future<Output = Result<T, WhisperError>> + Send {
    run_boxed(cancel, Box::pin(job))
}

/// As [`run`]. Boxes keep the library small: all jobs are one type of task, whatever they do.
async fn run_boxed<T: Send + 'static>(
    cancel: Option<Arc<CancelToken>>,
    job: Job<Result<T, WhisperError>>,
) -> Result<T, WhisperError> {
    let runtime = RUNTIME.as_ref().map_err(Clone::clone)?;
    let running = Running::new();
    let (done, outcome) = oneshot::channel();
    let job: Job<()> = Box::pin(async move {
        let outcome = tokio::select! {
            biased;
            error = cancelled(cancel) => Err(error),
            outcome = job => outcome,
        };
        // Whoever has the outcome finds that the job runs no more.
        drop(running);
        let _ = done.send(outcome);
    });
    let mut task = Task(runtime.spawn(job));
    match outcome.await {
        Ok(outcome) => outcome,
        // It has ended without one.
        Err(_) => Err(joined((&mut task.0).await).err().unwrap_or(WhisperError::Cancelled)),
    }
}

/// What a task has come to. A defect goes on to the caller, who gets it as an exception.
pub(crate) fn joined<T>(outcome: Result<T, JoinError>) -> Result<T, WhisperError> {
    match outcome.map_err(JoinError::try_into_panic) {
        Ok(value) => Ok(value),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        Err(Err(_)) => Err(WhisperError::Cancelled),
    }
}

/// Begins a job that goes on whether or not anybody waits for it.
pub(crate) fn go_on<T: Send + 'static>(
    job: impl Future<Output = T> + Send + 'static,
) -> Result<JoinHandle<T>, WhisperError> {
    Ok(RUNTIME.as_ref().map_err(Clone::clone)?.spawn(job))
}

/// Enters the runtime, for what spawns by itself.
pub(crate) fn enter() -> Result<tokio::runtime::EnterGuard<'static>, WhisperError> {
    Ok(RUNTIME.as_ref().map_err(Clone::clone)?.enter())
}

type Job<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A job that ends when nobody waits for it.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts as long as it lives.
struct Running;

impl Running {
    fn new() -> Self {
        RUNNING.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        RUNNING.fetch_sub(1, Ordering::SeqCst);
    }
}

static RUNNING: AtomicU64 = AtomicU64::new(0);

static RUNTIME: LazyLock<Result<Runtime, WhisperError>> = LazyLock::new(|| {
    // Two threads do for a phone; what computes for long has threads of its own.
    let mut builder = Builder::new_multi_thread();
    builder.worker_threads(2).thread_name("whisper").enable_all();
    builder.build().map_err(WhisperError::io)
});
