//! A post on its way, as its sender follows it.

use std::fmt;
use std::future::Future;
use std::future::IntoFuture;
use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::watch;

use super::PostId;
use super::intake::Shared;
use super::state::DeliveryState;
use super::state::PostError;
use super::state::StateSender;
use super::state::Undelivered;

/// A post on its way. Dropped, it lets the post go on. A clone follows the same post by itself.
///
/// Awaiting it waits until a peer has the envelope, or no peer ever will. [`Delivery::changed`] gives
/// every state on the way.
#[derive(Clone)]
#[must_use = "a post may fail, and only its delivery says so"]
pub struct Delivery {
    id: PostId,
    /// Whether [`Delivery::changed`] has given the final state.
    is_over: bool,
    state: watch::Receiver<DeliveryState>,
    queue: Arc<Shared>,
}

impl Delivery {
    pub(super) fn new(id: PostId, queue: &Arc<Shared>) -> (Self, StateSender) {
        let (sender, receiver) = watch::channel(DeliveryState::Waiting);
        (Self { id, is_over: false, state: receiver, queue: Arc::clone(queue) }, sender)
    }

    pub(super) const fn id(&self) -> PostId {
        self.id
    }

    /// How far it is.
    pub fn state(&self) -> DeliveryState {
        self.state.borrow().clone()
    }

    /// Waits for a state that this has not given yet; nothing after a
    /// [final](DeliveryState::is_final) one, or once the envelope is gone. Quick changes may be
    /// skipped, the final state never is. Safe to cancel.
    pub async fn changed(&mut self) -> Option<DeliveryState> {
        if self.is_over {
            return None;
        }
        self.state.changed().await.ok()?;
        let state = self.state.borrow_and_update().clone();
        self.is_over = state.is_final();
        Some(state)
    }

    /// Waits until its state is one that is `wanted`; nothing once the last is reached and is not.
    /// [`Delivery::changed`] gives all states none the less. Safe to cancel.
    pub async fn until(&self, wanted: impl FnMut(&DeliveryState) -> bool) -> Option<DeliveryState> {
        let mut state = self.state.clone();
        let reached = state.wait_for(wanted).await.ok()?;
        Some(reached.clone())
    }

    /// Waits until a peer has the envelope, as [`Delivery::until`] does. Safe to cancel.
    ///
    /// # Errors
    /// [`Undelivered`] once no peer will ever have it.
    pub async fn sent(&self) -> Result<(), Undelivered> {
        let state = self.until(|state| state.outcome().is_some()).await;
        let outcome = state.and_then(|state| state.outcome());
        outcome.unwrap_or(Err(Undelivered::Failed(PostError::Closed)))
    }

    /// Gives the post up. An envelope that is in the pool already goes on; nothing calls it back.
    pub fn cancel(&self) {
        self.queue.cancel(self.id);
    }
}

impl IntoFuture for Delivery {
    type Output = Result<(), Undelivered>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { self.sent().await })
    }
}

impl fmt::Debug for Delivery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delivery").field("state", &self.state()).finish_non_exhaustive()
    }
}
