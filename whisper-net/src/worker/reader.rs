//! The keys, and what is opened with them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use whisper_core::envelope::Envelope;
use whisper_core::inbox::Counts;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Inbox;
use whisper_core::inbox::Received;

use super::queue::Arrival;
use super::waiting::Waiting;
use crate::clock::Clock;
use crate::gap::Feed;

/// The keys of a node, and who gets what they open.
pub(crate) struct Reader {
    clock: Clock,
    inbox: Inbox,
    outlets: BTreeMap<FilterId, Feed<Arc<Received>>>,
    waiting: Waiting,
}

impl Reader {
    pub(crate) fn new(waiting_bytes: usize, clock: Clock) -> Self {
        Self {
            clock,
            inbox: Inbox::new(),
            outlets: BTreeMap::new(),
            waiting: Waiting::new(waiting_bytes),
        }
    }

    /// Adds a filter, and whom to give what it finds.
    pub(crate) fn subscribe(&mut self, filter: Filter, feed: Feed<Arc<Received>>) -> FilterId {
        self.tidy();
        let id = self.inbox.add(filter);
        self.outlets.insert(id, feed);
        id
    }

    /// What a filter has seen.
    pub(crate) fn counts(&self, filter: FilterId) -> Option<Counts> {
        self.inbox.counts(filter)
    }

    /// Tries the keys on what has come. `missed` envelopes went before anybody looked at them.
    pub(crate) fn read(&mut self, arrivals: &[Arrival], missed: u64) {
        if missed > 0 {
            self.outlets.values().for_each(|feed| feed.skip(missed));
        }
        for Arrival { envelope, direct } in arrivals {
            if !self.open(envelope, *direct) && !direct {
                self.waiting.insert(Arc::clone(envelope));
            }
        }
    }

    /// Lets go of what nobody wants any more.
    pub(crate) fn tidy(&mut self) {
        self.waiting.expire(self.clock.now());
        let inbox = &mut self.inbox;
        self.outlets.retain(|id, feed| {
            let stays = !feed.is_closed();
            if !stays {
                inbox.remove(*id);
            }
            stays
        });
    }

    /// When [`Reader::tidy`] is due.
    pub(crate) fn deadline(&self) -> Duration {
        TIDY
    }

    fn open(&mut self, envelope: &Envelope, direct: bool) -> bool {
        let Some(delivery) = self.inbox.open(envelope, direct, envelope.rating()) else {
            return false;
        };
        for id in &delivery.filters {
            if let Some(feed) = self.outlets.get(id) {
                feed.push(Arc::clone(&delivery.received));
            }
        }
        true
    }
}

/// Expired envelopes and abandoned subscriptions are cleared away this often.
const TIDY: Duration = Duration::from_secs(10);
