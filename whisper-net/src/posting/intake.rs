//! The way into the post queue: bounded, in order, from any thread.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::TryAcquireError;
use whisper_core::envelope::Draft;
use whisper_core::identity::PublicKey;
use whisper_core::pow::Rating;

use super::PostId;
use super::delivery::Delivery;
use super::delivery::DeliveryState;
use super::delivery::PostError;
use super::delivery::StateSender;

/// What is to be sent, and how.
pub(crate) struct Submission {
    pub(crate) draft: Draft,
    /// How much older than it is the envelope says to be.
    pub(crate) backdate: Duration,
    pub(crate) target: Option<Rating>,
    pub(crate) patience: Duration,
    /// Where the search begins, drawn at random.
    pub(crate) nonce: u64,
    /// Submissions to one peer's sessions leave in the order in which they were handed in, whatever
    /// work each needs.
    pub(crate) lane: Option<PublicKey>,
}

/// A submission on its way through the queue.
pub(super) struct PendingPost {
    pub(super) id: PostId,
    pub(super) submission: Submission,
    pub(super) progress: Progress,
}

/// Tells the delivery of a post how far it is, and holds its room until the envelope is published.
pub(crate) struct Progress {
    pub(super) state: StateSender,
    _room: Room,
}

/// Room for one submission in the queue.
pub(crate) struct Room {
    _permit: OwnedSemaphorePermit,
}

/// The application's end. Clones lead to the same queue, and none keeps the node alive.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// The queue's end.
pub(crate) struct Intake(Arc<Shared>);

pub(super) struct Shared {
    room: Arc<Semaphore>,
    state: Mutex<State>,
    bell: Notify,
}

#[derive(Default)]
struct State {
    next_id: u64,
    arrived: Arrived,
    closed: bool,
}

/// What has come in since the last look.
#[derive(Default)]
pub(super) struct Arrived {
    pub(super) posts: Vec<PendingPost>,
    /// Each was handed in before it was cancelled: look at the posts first.
    pub(super) cancelled: Vec<PostId>,
}

/// Both ends of the way into a queue.
pub(crate) fn channel() -> (Outbox, Intake) {
    let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
    let shared = Arc::new(Shared { room, state: Mutex::default(), bell: Notify::new() });
    (Outbox(Arc::clone(&shared)), Intake(shared))
}

impl Outbox {
    /// Waits until a submission of so many bytes has room. Those who wait are served in order; none
    /// once the node has ended. Safe to cancel.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room> {
        let room = Arc::clone(&self.0.room).acquire_many_owned(price(bytes)).await;
        room.ok().map(|permit| Room { _permit: permit })
    }

    /// Hands a submission in, into the room it was given or into what is free. The delivery tells all,
    /// that it is refused included.
    pub(crate) fn send(&self, submission: Submission, room: Option<Room>) -> Delivery {
        let room = match room {
            Some(room) => Ok(room),
            None => self.free_room(submission.draft.data().len()),
        };
        let mut state = self.0.lock();
        let (id, delivery, sender) = self.delivery(&mut state);
        match room {
            Ok(room) if !state.closed => {
                let progress = Progress { state: sender, _room: room };
                state.arrived.posts.push(PendingPost { id, submission, progress });
                self.0.bell.notify_one();
            }
            Ok(_) => drop(sender.send_replace(DeliveryState::Failed(PostError::Closed))),
            Err(why) => drop(sender.send_replace(DeliveryState::Failed(why))),
        }
        delivery
    }

    /// A delivery that has failed before it began.
    pub(crate) fn fail(&self, why: PostError) -> Delivery {
        let (_, delivery, sender) = self.delivery(&mut self.0.lock());
        sender.send_replace(DeliveryState::Failed(why));
        delivery
    }

    fn free_room(&self, bytes: usize) -> Result<Room, PostError> {
        match Arc::clone(&self.0.room).try_acquire_many_owned(price(bytes)) {
            Ok(permit) => Ok(Room { _permit: permit }),
            Err(TryAcquireError::NoPermits) => Err(PostError::QueueFull),
            Err(TryAcquireError::Closed) => Err(PostError::Closed),
        }
    }

    fn delivery(&self, state: &mut State) -> (PostId, Delivery, StateSender) {
        let id = PostId(state.next_id);
        state.next_id = state.next_id.saturating_add(1);
        let (delivery, sender) = Delivery::new(id, &self.0);
        (id, delivery, sender)
    }
}

impl Intake {
    /// Waits until something has come in. Safe to cancel.
    pub(super) async fn next(&self) -> Arrived {
        loop {
            let arrived = std::mem::take(&mut self.0.lock().arrived);
            if !arrived.posts.is_empty() || !arrived.cancelled.is_empty() {
                return arrived;
            }
            self.0.bell.notified().await;
        }
    }

    /// Refuses from now on what is handed in, and gives what has come in before.
    pub(super) fn close(&self) -> Arrived {
        self.0.room.close();
        let mut state = self.0.lock();
        state.closed = true;
        std::mem::take(&mut state.arrived)
    }
}

impl Shared {
    pub(super) fn cancel(&self, id: PostId) {
        let mut state = self.lock();
        if !state.closed {
            state.arrived.cancelled.push(id);
        }
        drop(state);
        self.bell.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The room that a message takes, in KiB. The largest takes all.
fn price(bytes: usize) -> u32 {
    let kib = u32::try_from(bytes / 1_024).unwrap_or(ROOM_KIB);
    kib.saturating_add(1).min(ROOM_KIB)
}

/// A quarter of the default pool: some 16,000 short messages.
const ROOM_KIB: u32 = 16 * 1_024;
