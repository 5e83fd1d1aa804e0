//! Giving up on a call from outside, where dropping its future is not enough: in Swift.

use std::sync::Arc;

use tokio::sync::watch;

use crate::error::WhisperError;

/// Gives up on calls that were made with it: they fail as cancelled, at once, and what they had
/// begun is undone or goes on as their docs say.
#[derive(Debug, uniffi::Object)]
pub struct CancelToken(watch::Sender<bool>);

#[uniffi::export]
impl CancelToken {
    /// A token that is not cancelled yet.
    #[uniffi::constructor]
    pub fn new() -> Arc<Self> {
        Arc::new(Self(watch::Sender::new(false)))
    }

    /// Gives up on all calls that have this token, now and later.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }
}

/// Waits for the token, for ever if there is none.
pub(crate) async fn cancelled(token: Option<Arc<CancelToken>>) -> WhisperError {
    match token {
        Some(token) => {
            // The sender is held here: there is no other outcome.
            let _ = token.0.subscribe().wait_for(|cancelled| *cancelled).await;
            WhisperError::Cancelled
        }
        None => std::future::pending().await,
    }
}
