//! The way into the post queue, from any thread.

use std::sync::Arc;

use super::PostId;
use super::delivery::Delivery;
use super::intake::Intake;
use super::intake::Room;
use super::intake::Shared;
use super::intake::Submission;
use super::state::DeliveryState;
use super::state::PostError;
use super::state::StateSender;

/// The application's end. Clones lead to the same queue and do not keep the node alive.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Shared>);

/// Both ends of the way into a queue.
pub(crate) fn channel() -> (Outbox, Intake) {
    let shared = Arc::new(Shared::new());
    (Outbox(Arc::clone(&shared)), Intake::new(shared))
}

impl Outbox {
    /// Waits until a submission of so many bytes has room, in the order of asking; gives none once the
    /// node has ended. Safe to cancel.
    pub(crate) async fn room(&self, bytes: usize) -> Option<Room> {
        self.0.room(bytes).await
    }

    /// Hands a submission in, into the room it was given or into what is free. The delivery says what
    /// becomes of it, also if it is refused.
    pub(crate) fn send(&self, submission: Submission, room: Option<Room>) -> Delivery {
        let room = match room {
            Some(room) => Ok(room),
            None => self.0.free_room(submission.draft.data().len()),
        };
        let (id, delivery, sender) = self.delivery();
        match room {
            Ok(room) => self.0.push(id, submission, room, sender),
            Err(why) => drop(sender.send_replace(DeliveryState::Failed(why))),
        }
        delivery
    }

    /// Sends this in place of what was handed in, if no nonce is searched for that yet.
    pub(crate) fn replace(&self, delivery: &Delivery, submission: Submission) {
        self.0.replace(delivery.id(), submission);
    }

    /// A delivery that has failed before it began.
    pub(crate) fn fail(&self, why: PostError) -> Delivery {
        let (_, delivery, sender) = self.delivery();
        sender.send_replace(DeliveryState::Failed(why));
        delivery
    }

    fn delivery(&self) -> (PostId, Delivery, StateSender) {
        let id = self.0.next_id();
        let (delivery, sender) = Delivery::new(id, &self.0);
        (id, delivery, sender)
    }
}
