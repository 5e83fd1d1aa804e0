//! The post queue: keeps every post from the moment it is handed in until its envelope is gone.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Departure;
use whisper_core::node::Event;
use whisper_core::node::Rejection;
use whisper_core::packet::Refusal;
use whisper_core::time::Timestamp;

use super::PostId;
use super::demand::Choice;
use super::demand::PeerDemand;
use super::intake::Arrived;
use super::intake::Intake;
use super::intake::PendingPost;
use super::intake::Progress;
use super::miner::Miner;
use super::state::DeliveryState;
use super::state::PostError;
use super::state::StateSender;

/// Keeps posts: those to be looked at, those that wait for a peer, those that are worked on, those in
/// the pool. All but the last leave in the order in which they came, as far as their work allows.
pub(crate) struct PostQueue {
    intake: Intake,
    miner: Miner,
    fresh: VecDeque<PendingPost>,
    /// No ready peer takes them. They are older than all that is fresh.
    waiting: Vec<PendingPost>,
    working: BTreeMap<PostId, Progress>,
    published: BTreeMap<EnvelopeHash, Tracked>,
    /// Whether what has left is safe only once it has come back: one peer has had it.
    awaits_return: bool,
}

/// An envelope that this node holds.
struct Tracked {
    sent: usize,
    first_sent: Option<Timestamp>,
    /// How many peers had had it when it came into the pool, from where it is flooded.
    sent_before: Option<usize>,
    has_spread: bool,
    acknowledged: usize,
    refused: usize,
    /// Why the last peer that did refused it.
    refusal: Refusal,
    state: StateSender,
}

impl PostQueue {
    pub(crate) fn new(intake: Intake, threads: NonZeroUsize, awaits_return: bool) -> Self {
        Self {
            intake,
            miner: Miner::new(threads),
            fresh: VecDeque::new(),
            waiting: Vec::new(),
            working: BTreeMap::new(),
            published: BTreeMap::new(),
            awaits_return,
        }
    }

    /// Waits for an envelope that is ready to be published, or until [`PostQueue::work`] should be
    /// called again. Safe to cancel.
    pub(crate) async fn next(&mut self, now: impl Fn() -> Timestamp) -> Option<Ready> {
        let mined = tokio::select! {
            arrived = self.intake.next() => {
                self.take(arrived);
                return None;
            }
            mined = self.miner.next(now) => mined?,
        };
        let progress = self.working.remove(&mined.id)?;
        Some(Ready { envelope: mined.envelope, progress })
    }

    fn take(&mut self, arrived: Arrived) {
        self.fresh.extend(arrived.posts);
        for (id, submission) in arrived.replaced {
            let mut posts = self.waiting.iter_mut().chain(&mut self.fresh);
            if let Some(post) = posts.find(|post| post.id == id) {
                post.submission = submission;
            }
        }
        arrived.cancelled.into_iter().for_each(|id| self.cancel(id));
    }

    /// Gives a post up, unless its envelope is in the pool.
    fn cancel(&mut self, id: PostId) {
        self.miner.cancel(id);
        let is_it = |post: &PendingPost| post.id == id;
        let progress = if let Some(index) = self.waiting.iter().position(is_it) {
            Some(self.waiting.remove(index).progress)
        } else if let Some(index) = self.fresh.iter().position(is_it) {
            self.fresh.remove(index).map(|post| post.progress)
        } else {
            self.working.remove(&id)
        };
        if let Some(progress) = progress {
            progress.state.send_replace(DeliveryState::Cancelled);
        }
    }

    /// Lets [`PostQueue::work`] look at everything again, since peers may take what they did not.
    pub(crate) fn reconsider(&mut self) {
        for post in self.waiting.drain(..).rev() {
            self.fresh.push_front(post);
        }
    }

    /// Whether [`PostQueue::work`] has something to do.
    pub(crate) fn has_work(&self) -> bool {
        !self.fresh.is_empty() && self.miner.has_room()
    }

    /// Begins the work on what has a peer to go to.
    pub(crate) fn work(&mut self, now: Timestamp, demand: &PeerDemand) {
        while self.has_work() {
            if !self.miner.is_measured() {
                return self.miner.measure();
            }
            let Some(post) = self.fresh.pop_front() else { return };
            let miner = &self.miner;
            let cost = |rating| miner.expected(post.submission.draft.work_for(rating));
            match demand.choose(&post.submission, cost) {
                None => self.waiting.push(post),
                Some(choice) => self.begin(now, post, choice),
            }
        }
    }

    fn begin(&mut self, now: Timestamp, post: PendingPost, choice: Result<Choice, PostError>) {
        let PendingPost { id, submission, progress } = post;
        if let Err(PostError::TooMuchWork { .. }) = choice {
            // The machine may have been busy: the next post is judged by how it is then.
            self.miner.measure();
        }
        let begun = choice.and_then(|choice| {
            self.miner.add(id, now, submission, choice.target)?;
            Ok(choice.into_state())
        });
        match begun {
            Ok(state) => {
                progress.state.send_replace(state);
                self.working.insert(id, progress);
            }
            Err(why) => drop(progress.state.send_replace(DeliveryState::Failed(why))),
        }
    }

    /// Notes that an envelope is in the pool, or why it is not.
    pub(crate) fn published(
        &mut self,
        hash: EnvelopeHash,
        progress: Progress,
        outcome: Result<(), Rejection>,
    ) {
        let Progress { state, .. } = progress;
        match outcome {
            Ok(()) => {
                state.send_replace(DeliveryState::Published);
                self.published.insert(hash, Tracked::new(state));
            }
            Err(why) => {
                state.send_replace(DeliveryState::Failed(PostError::Rejected(why)));
            }
        }
    }

    /// Notes that an envelope of ours is in the pool.
    pub(crate) fn admitted(&mut self, hash: &EnvelopeHash) {
        if let Some(tracked) = self.published.get_mut(hash) {
            tracked.sent_before.get_or_insert(tracked.sent);
        }
    }

    /// Notes what became of an envelope.
    pub(crate) fn note(&mut self, now: Timestamp, event: &Event) {
        let count = |counted: &mut usize| *counted = counted.saturating_add(1);
        match event {
            Event::Sent { hash, .. } => self.update(hash, |tracked| {
                tracked.first_sent.get_or_insert(now);
                count(&mut tracked.sent);
            }),
            Event::Acknowledged { hash, .. } => {
                self.update(hash, |tracked| count(&mut tracked.acknowledged));
            }
            Event::Refused { hash, why, .. } => self.update(hash, |tracked| {
                count(&mut tracked.refused);
                tracked.refusal = *why;
            }),
            Event::Spread { hash, .. } => self.update(hash, |tracked| tracked.has_spread = true),
            Event::Gone { hash, why } => {
                if let Some(tracked) = self.published.remove(hash)
                    && let Some(end) = tracked.end(*why)
                {
                    tracked.state.send_replace(end);
                }
            }
            Event::Ready(_)
            | Event::Admitted { .. }
            | Event::Direct { .. }
            | Event::Requested { .. }
            | Event::Relays { .. } => (),
        }
    }

    fn update(&mut self, hash: &EnvelopeHash, note: impl Fn(&mut Tracked)) {
        if let Some(tracked) = self.published.get_mut(hash) {
            note(tracked);
            tracked.state.send_replace(tracked.state());
        }
    }

    /// Whether nothing waits or is worked on, and all that was published is safe: it was sent to
    /// somebody, and has come back or had the time to be flooded where only a relay has had it.
    pub(crate) fn is_drained(&self, now: Timestamp) -> bool {
        let idle = self.fresh.is_empty() && self.waiting.is_empty() && self.working.is_empty();
        let is_flooded = |since: Timestamp| now.saturating_since(since) >= FLOODED;
        idle && self.published.values().all(|tracked| {
            let is_safe = !self.awaits_return || tracked.has_spread;
            tracked.first_sent.is_some_and(|since| is_safe || is_flooded(since))
        })
    }

    /// Takes nothing more, and fails what no peer would take now.
    pub(crate) fn wind_up(&mut self, demand: &PeerDemand) {
        let arrived = self.intake.close();
        self.take(arrived);
        self.reconsider();
        self.fresh.retain(|post| {
            let stays = demand.has_taker(&post.submission);
            if !stays {
                post.progress.state.send_replace(DeliveryState::Failed(PostError::Closed));
            }
            stays
        });
    }
}

impl Drop for PostQueue {
    /// Fails all that no peer has.
    fn drop(&mut self) {
        let arrived = self.intake.close();
        self.take(arrived);
        self.reconsider();
        let pending = self.fresh.drain(..).map(|post| post.progress);
        let working = std::mem::take(&mut self.working).into_values();
        let unpublished = pending.chain(working).map(|progress| progress.state);
        let published = std::mem::take(&mut self.published).into_values();
        let unsent = published.filter(|tracked| tracked.sent == 0).map(|tracked| tracked.state);
        for state in unpublished.chain(unsent) {
            state.send_replace(DeliveryState::Failed(PostError::Closed));
        }
    }
}

impl Tracked {
    const fn new(state: StateSender) -> Self {
        Self {
            sent: 0,
            first_sent: None,
            sent_before: None,
            has_spread: false,
            acknowledged: 0,
            refused: 0,
            refusal: Refusal::Other,
            state,
        }
    }

    /// What is said when it is gone, unless all is said: nobody has had it, or only relays that did
    /// not bring it back, and there was no place to flood it from.
    fn end(&self, why: Departure) -> Option<DeliveryState> {
        let is_flooded = self.sent_before.is_some_and(|before| before < self.sent);
        let is_safe = is_flooded || self.has_spread || self.acknowledged > 0;
        if self.sent == 0 {
            Some(DeliveryState::Expired)
        } else if why == Departure::Evicted && !is_safe {
            Some(DeliveryState::Failed(PostError::Rejected(Rejection::PoolFull)))
        } else {
            None
        }
    }

    fn state(&self) -> DeliveryState {
        if self.has_spread {
            DeliveryState::Spread
        } else if self.acknowledged > 0 {
            DeliveryState::Acknowledged { by: self.acknowledged }
        } else if self.refused > 0 {
            DeliveryState::Refused { by: self.refused, why: self.refusal }
        } else {
            DeliveryState::Sent { peers: self.sent }
        }
    }
}

/// An envelope that is ready to be published.
pub(crate) struct Ready {
    pub(crate) envelope: Envelope,
    pub(crate) progress: Progress,
}

impl Choice {
    fn into_state(self) -> DeliveryState {
        let likely = self.expected.as_secs_f64() * NINETEEN_OF_TWENTY;
        let likely = Duration::try_from_secs_f64(likely).unwrap_or(Duration::MAX);
        let Self { target, expected, left_out } = self;
        DeliveryState::Working { target, expected, likely, left_out }
    }
}

/// By then a relay that swallows envelopes has been found out, and what it had is flooded.
const FLOODED: Duration = Duration::from_secs(30);
/// The search has no memory: 95 of 100 end within -ln(0.05) times their expected length.
const NINETEEN_OF_TWENTY: f64 = 2.995_732;
