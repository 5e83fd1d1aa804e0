//! The desk: keeps every post from the moment it is handed in until its envelope is gone.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use whisper_core::envelope::Draft;
use whisper_core::envelope::Envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::node::Event;
use whisper_core::node::PeerInfo;
use whisper_core::node::Rejection;
use whisper_core::peer::PeerId;
use whisper_core::pow::Rating;
use whisper_core::time::Timestamp;

use super::PostId;
use super::delivery::DeliveryState;
use super::delivery::PostError;
use super::delivery::StateSender;
use super::intake::Parcel;
use super::miner::Miner;

/// A parcel on the desk.
pub(crate) struct Order {
    pub(crate) id: PostId,
    pub(crate) parcel: Parcel,
    pub(crate) state: StateSender,
}

/// Keeps posts: those that wait for a peer, those that are worked on, those in the pool.
pub(crate) struct Desk {
    miner: Miner,
    waiting: Vec<Order>,
    working: BTreeMap<PostId, StateSender>,
    published: BTreeMap<EnvelopeHash, Tracked>,
}

/// An envelope in the pool.
struct Tracked {
    sent: usize,
    acknowledged: usize,
    refused: usize,
    state: StateSender,
}

/// What the desk needs to know of the network.
pub(crate) struct Outlook {
    /// The least rating that this node takes.
    pub(crate) own: Rating,
    /// What an envelope should be rated to find a place.
    pub(crate) advised: Rating,
    pub(crate) peers: Vec<PeerInfo>,
}

impl Desk {
    pub(crate) fn new(threads: NonZeroUsize) -> Self {
        Self {
            miner: Miner::new(threads),
            waiting: Vec::new(),
            working: BTreeMap::new(),
            published: BTreeMap::new(),
        }
    }

    /// Takes an order. Call [`Desk::work`] after it.
    pub(crate) fn take(&mut self, order: Order) {
        let held: usize = self.waiting.iter().map(|order| order.parcel.draft.data().len()).sum();
        let too_many = self.waiting.len().saturating_add(self.working.len()) >= MOST_ORDERS;
        if too_many || held.saturating_add(order.parcel.draft.data().len()) > MOST_BYTES {
            order.state.send_replace(DeliveryState::Failed(PostError::QueueFull));
            return;
        }
        self.waiting.push(order);
    }

    /// Gives a post up, unless its envelope is in the pool.
    pub(crate) fn cancel(&mut self, id: PostId) {
        self.miner.cancel(id);
        let state = match self.waiting.iter().position(|order| order.id == id) {
            Some(index) => Some(self.waiting.swap_remove(index).state),
            None => self.working.remove(&id),
        };
        if let Some(state) = state {
            state.send_replace(DeliveryState::Cancelled);
        }
    }

    /// Whether [`Desk::work`] has something to look at.
    pub(crate) fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Begins the work on what has a peer to go to.
    pub(crate) fn work(&mut self, now: Timestamp, outlook: &Outlook) {
        for order in std::mem::take(&mut self.waiting) {
            match self.plan(now, &order, outlook) {
                Ok(Some((draft, plan))) => {
                    let Order { id, state, parcel } = order;
                    self.miner.add(id, now, &parcel, draft, plan.target);
                    state.send_replace(plan.into_state());
                    self.working.insert(id, state);
                }
                Ok(None) => self.waiting.push(order),
                Err(why) => {
                    order.state.send_replace(DeliveryState::Failed(why));
                }
            }
        }
    }

    fn plan(
        &mut self,
        now: Timestamp,
        order: &Order,
        outlook: &Outlook,
    ) -> Result<Option<(Draft, Plan)>, PostError> {
        let Some(choice) = outlook.choose(order) else { return Ok(None) };
        let issued = now.saturating_sub(order.parcel.backdate);
        let draft = order.parcel.draft.clone().dated(issued)?;
        let expected = |miner: &Miner, rating| miner.expected(draft.work_for(rating));
        let Some(least) = expected(&self.miner, choice.lowest) else {
            self.miner.measure();
            return Ok(None);
        };
        if choice.target < choice.lowest {
            return Err(PostError::RatedTooLow { lowest: choice.lowest, expected: least });
        }
        let target = choice.target;
        let expected = expected(&self.miner, target).unwrap_or(Duration::MAX);
        if expected > order.parcel.patience {
            // The machine may have been busy: the next post is judged by how it is then.
            self.miner.measure();
            return Err(PostError::TooMuchWork { target, expected });
        }
        Ok(Some((draft, Plan { target, expected, left_out: choice.left_out })))
    }

    /// Waits for an envelope that is ready to be published, or until [`Desk::work`] should be called
    /// again. Safe to cancel.
    pub(crate) async fn next(&mut self, now: impl Fn() -> Timestamp) -> Option<Ready> {
        let mined = self.miner.next(now).await?;
        let state = self.working.remove(&mined.id)?;
        Some(Ready { envelope: mined.envelope, state })
    }

    /// Notes that an envelope is in the pool, or why it is not.
    pub(crate) fn published(
        &mut self,
        hash: EnvelopeHash,
        state: StateSender,
        outcome: Result<(), Rejection>,
    ) {
        match outcome {
            Ok(()) => {
                state.send_replace(DeliveryState::Published);
                let tracked = Tracked { sent: 0, acknowledged: 0, refused: 0, state };
                self.published.insert(hash, tracked);
            }
            Err(why) => {
                state.send_replace(DeliveryState::Failed(PostError::Rejected(why)));
            }
        }
    }

    /// Notes what became of an envelope.
    pub(crate) fn note(&mut self, event: &Event) {
        match event {
            Event::Sent { hash, .. } => self.update(hash, |tracked| &mut tracked.sent),
            Event::Acknowledged { hash, .. } => {
                self.update(hash, |tracked| &mut tracked.acknowledged);
            }
            Event::Refused { hash, .. } => self.update(hash, |tracked| &mut tracked.refused),
            Event::Gone { hash, .. } => {
                if let Some(tracked) = self.published.remove(hash).filter(|gone| gone.sent == 0) {
                    tracked.state.send_replace(DeliveryState::Expired);
                }
            }
            _ => (),
        }
    }

    fn update(&mut self, hash: &EnvelopeHash, count: impl Fn(&mut Tracked) -> &mut usize) {
        if let Some(tracked) = self.published.get_mut(hash) {
            let count = count(tracked);
            *count = count.saturating_add(1);
            tracked.state.send_replace(tracked.state());
        }
    }

    /// Whether nothing waits or is worked on, and all that is in the pool was sent to somebody.
    pub(crate) fn is_drained(&self) -> bool {
        let idle = self.waiting.is_empty() && self.working.is_empty();
        idle && self.published.values().all(|tracked| tracked.sent > 0)
    }

    /// Fails what no peer would take now.
    pub(crate) fn give_up_unreachable(&mut self, outlook: &Outlook) {
        self.waiting.retain(|order| {
            let stays = outlook.choose(order).is_some();
            if !stays {
                order.state.send_replace(DeliveryState::Failed(PostError::Closed));
            }
            stays
        });
    }

    /// Fails all that no peer has, at the end.
    pub(crate) fn close(&mut self) {
        let waiting = self.waiting.drain(..).map(|order| order.state);
        let working = std::mem::take(&mut self.working).into_values();
        let unsent = self.published.values().filter(|tracked| tracked.sent == 0);
        let closed = || DeliveryState::Failed(PostError::Closed);
        for state in waiting.chain(working) {
            state.send_replace(closed());
        }
        for tracked in unsent {
            tracked.state.send_replace(closed());
        }
    }
}

impl Tracked {
    fn state(&self) -> DeliveryState {
        if self.acknowledged > 0 {
            DeliveryState::Acknowledged { by: self.acknowledged }
        } else if self.refused > 0 {
            DeliveryState::Refused { by: self.refused }
        } else {
            DeliveryState::Sent { peers: self.sent }
        }
    }
}

/// An envelope that is ready to be published.
pub(crate) struct Ready {
    pub(crate) envelope: Envelope,
    pub(crate) state: StateSender,
}

/// The work that is worth doing.
struct Plan {
    target: Rating,
    expected: Duration,
    left_out: Vec<PeerId>,
}

impl Plan {
    fn into_state(self) -> DeliveryState {
        let likely = self.expected.as_secs_f64() * NINETEEN_OF_TWENTY;
        let likely = Duration::try_from_secs_f64(likely).unwrap_or(Duration::MAX);
        let Self { target, expected, left_out } = self;
        DeliveryState::Working { target, expected, likely, left_out }
    }
}

/// What the peers leave to choose.
struct Choice {
    /// The lowest rating that reaches anybody.
    lowest: Rating,
    target: Rating,
    left_out: Vec<PeerId>,
}

impl Outlook {
    /// Nothing while no ready peer takes the topic.
    fn choose(&self, order: &Order) -> Option<Choice> {
        let takes = |peer: &&PeerInfo| {
            peer.ready && peer.bloom.is_none_or(|bloom| bloom.admits(order.parcel.draft.topic()))
        };
        let takers: Vec<&PeerInfo> = self.peers.iter().filter(takes).collect();
        // Light nodes keep what they get to themselves: where others are, those decide.
        let relays = takers.iter().any(|peer| !peer.light);
        let counted = takers.iter().filter(|peer| !(relays && peer.light));
        let mut demands: Vec<Rating> = counted.map(|peer| peer.min_rating).collect();
        demands.sort_unstable();
        let least = *demands.first()?;
        let half = *demands.get(demands.len().saturating_sub(1) / 2)?;
        let target = order.parcel.target.unwrap_or(half.max(self.advised));
        let left_out = takers.iter().filter(|peer| peer.min_rating > target);
        let left_out = left_out.map(|peer| peer.peer).collect();
        Some(Choice { lowest: least.max(self.own), target, left_out })
    }
}

/// Twenty times as much as is likely to be on the desk of a person.
const MOST_ORDERS: usize = 1_024;
/// What may wait, a quarter of the default pool.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// The search has no memory: 95 of 100 end within -ln(0.05) times their expected length.
const NINETEEN_OF_TWENTY: f64 = 2.995_732;
