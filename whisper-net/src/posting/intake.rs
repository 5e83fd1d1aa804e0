//! What lies on its way into the post queue: bounded and in order.

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
use super::state::DeliveryState;
use super::state::PostError;
use super::state::StateSender;

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

/// Where the queue says how far a post is, and the room that it takes until it is published.
pub(crate) struct Progress {
    pub(super) state: StateSender,
    _room: Room,
}

/// Room for one submission in the queue.
pub(crate) struct Room {
    _permit: Option<OwnedSemaphorePermit>,
}

/// The queue's end.
pub(crate) struct Intake(Arc<Shared>);

/// What both ends share.
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
    /// What is to be sent in place of the submission of a post.
    pub(super) replaced: Vec<(PostId, Submission)>,
    /// Each was handed in before it was cancelled: look at the posts first.
    pub(super) cancelled: Vec<PostId>,
}

impl Room {
    /// Room that is taken from nobody, for what this node sends by itself: its callers bound how much
    /// that is.
    pub(crate) const fn beyond() -> Self {
        Self { _permit: None }
    }
}

impl Intake {
    pub(super) const fn new(shared: Arc<Shared>) -> Self {
        Self(shared)
    }

    /// Waits until something has come in. Safe to cancel.
    pub(super) async fn next(&self) -> Arrived {
        loop {
            let arrived = std::mem::take(&mut self.0.lock().arrived);
            if !arrived.is_empty() {
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

impl Arrived {
    fn is_empty(&self) -> bool {
        self.posts.is_empty() && self.replaced.is_empty() && self.cancelled.is_empty()
    }
}

impl Shared {
    pub(super) fn new() -> Self {
        let room = Arc::new(Semaphore::new(ROOM_KIB as usize));
        Self { room, state: Mutex::default(), bell: Notify::new() }
    }

    /// Waits for room for so many bytes; nothing once the node has ended.
    pub(super) async fn room(&self, bytes: usize) -> Option<Room> {
        let permit = Arc::clone(&self.room).acquire_many_owned(price(bytes)).await;
        permit.ok().map(|permit| Room { _permit: Some(permit) })
    }

    /// Room for so many bytes, if it is free.
    pub(super) fn free_room(&self, bytes: usize) -> Result<Room, PostError> {
        match Arc::clone(&self.room).try_acquire_many_owned(price(bytes)) {
            Ok(permit) => Ok(Room { _permit: Some(permit) }),
            Err(TryAcquireError::NoPermits) => Err(PostError::QueueFull),
            Err(TryAcquireError::Closed) => Err(PostError::Closed),
        }
    }

    /// The name of the next post.
    pub(super) fn next_id(&self) -> PostId {
        let mut state = self.lock();
        let id = PostId(state.next_id);
        state.next_id = state.next_id.saturating_add(1);
        id
    }

    /// Hands a submission in, or says at once that the queue is closed.
    pub(super) fn push(&self, id: PostId, submission: Submission, room: Room, sender: StateSender) {
        let mut state = self.lock();
        if state.closed {
            sender.send_replace(DeliveryState::Failed(PostError::Closed));
            return;
        }
        let progress = Progress { state: sender, _room: room };
        state.arrived.posts.push(PendingPost { id, submission, progress });
        self.bell.notify_one();
    }
    pub(super) fn replace(&self, id: PostId, submission: Submission) {
        let mut state = self.lock();
        if !state.closed {
            state.arrived.replaced.push((id, submission));
        }
        drop(state);
        self.bell.notify_one();
    }

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
