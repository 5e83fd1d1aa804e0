//! The way to the desk, for whoever has an envelope to be sent.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use whisper_core::envelope::Draft;
use whisper_core::pow::Rating;

use super::PostId;
use super::delivery::Cancellations;
use super::delivery::Delivery;
use super::delivery::DeliveryState;
use super::delivery::PostError;
use super::queue::Order;
use crate::driver::Command;

/// The way to the desk. Clones lead to the same desk, and none keeps the node alive.
#[derive(Clone)]
pub(crate) struct Outbox {
    commands: mpsc::WeakSender<Command>,
    cancellations: Arc<Cancellations>,
    next: Arc<AtomicU64>,
}

/// What is to be sent, and how.
pub(crate) struct Parcel {
    pub(crate) draft: Draft,
    /// How much older than it is the envelope says to be.
    pub(crate) backdate: Duration,
    pub(crate) target: Option<Rating>,
    pub(crate) patience: Duration,
    /// Where the search begins, drawn at random.
    pub(crate) nonce: u64,
}

impl Outbox {
    pub(crate) fn new(
        commands: mpsc::WeakSender<Command>,
        cancellations: Arc<Cancellations>,
    ) -> Self {
        Self { commands, cancellations, next: Arc::default() }
    }

    /// Hands a parcel in. The delivery tells all, that it is refused included.
    pub(crate) fn send(&self, parcel: Parcel) -> Delivery {
        let (id, delivery, state) = self.delivery();
        let order = Order { id, parcel, state: state.clone() };
        let command: Command = Box::new(move |driver| driver.take_order(order));
        let failure = match self.commands.upgrade().map(|commands| commands.try_send(command)) {
            Some(Ok(())) => return delivery,
            Some(Err(TrySendError::Full(_))) => PostError::QueueFull,
            Some(Err(TrySendError::Closed(_))) | None => PostError::Closed,
        };
        state.send_replace(DeliveryState::Failed(failure));
        delivery
    }

    /// A delivery that has failed before it began.
    pub(crate) fn fail(&self, why: PostError) -> Delivery {
        let (_, delivery, state) = self.delivery();
        state.send_replace(DeliveryState::Failed(why));
        delivery
    }

    fn delivery(&self) -> (PostId, Delivery, super::delivery::StateSender) {
        let id = PostId::new(self.next.fetch_add(1, Ordering::Relaxed));
        let (delivery, state) = Delivery::new(id, &self.cancellations);
        (id, delivery, state)
    }
}
