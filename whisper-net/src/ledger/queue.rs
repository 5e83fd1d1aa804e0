//! The way from the loop to the engine: it never makes the loop wait, and stays short since peers
//! that fill it are left unread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;
use whisper_core::peer::PeerId;
use whisper_core::time::Timestamp;

use crate::handler::Handler;
use crate::handler::PeerCommand;
use crate::handler::PeerEvent;

/// The end that the engine reads.
pub(super) struct Queue {
    events: mpsc::UnboundedReceiver<PeerEvent>,
    weights: Weights,
}

/// The end that the loop of the node fills.
pub(super) struct Intake {
    events: mpsc::UnboundedSender<PeerEvent>,
    weights: Weights,
}

pub(super) fn channel() -> (Box<Intake>, Queue) {
    let (sender, events) = mpsc::unbounded_channel();
    let weights = Weights::default();
    let intake = Intake { events: sender, weights: weights.clone() };
    (Box::new(intake), Queue { events, weights })
}

impl Handler for Intake {
    fn handle(&mut self, _now: Timestamp, event: PeerEvent) -> Vec<PeerCommand> {
        let full = self.weights.add(&event).filter(|(_, weight)| *weight > WEIGHT_MAX);
        // Without a reader the runtime is going down.
        let _ = self.events.send(event);
        full.map(|(peer, _)| PeerCommand::Throttle(peer, PAUSE)).into_iter().collect()
    }
}

impl Queue {
    /// Whether nothing waits to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Waits for events and takes some; nothing if there will be no more. Safe to cancel.
    pub(super) async fn next(&mut self) -> Option<Vec<PeerEvent>> {
        let mut batch = Vec::new();
        self.events.recv_many(&mut batch, BATCH).await;
        batch.iter().for_each(|event| self.weights.take(event));
        (!batch.is_empty()).then_some(batch)
    }
}

/// How many bytes of each peer's wait.
#[derive(Clone, Default)]
struct Weights(Arc<Mutex<BTreeMap<PeerId, usize>>>);

impl Weights {
    /// Adds a packet; what those of its peer weigh now.
    fn add(&self, event: &PeerEvent) -> Option<(PeerId, usize)> {
        let (peer, weight) = weight(event)?;
        let mut all = self.lock();
        let own = all.entry(peer).or_default();
        *own = own.saturating_add(weight);
        Some((peer, *own))
    }

    fn take(&self, event: &PeerEvent) {
        let Some((peer, weight)) = weight(event) else { return };
        let mut all = self.lock();
        if let Some(own) = all.get_mut(&peer) {
            *own = own.saturating_sub(weight);
            if *own == 0 {
                all.remove(&peer);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<PeerId, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn weight(event: &PeerEvent) -> Option<(PeerId, usize)> {
    match event {
        PeerEvent::Received { peer, payload, .. } => {
            Some((*peer, payload.len().saturating_add(OVERHEAD)))
        }
        _ => None,
    }
}

/// What a packet weighs beside its payload.
const OVERHEAD: usize = 128;
/// As much as a peer may be asked for at once: sixteen full blocks.
const WEIGHT_MAX: usize = 4 << 20;
/// How long a peer is left unread that has filled its part: a few blocks are checked meanwhile.
const PAUSE: Duration = Duration::from_millis(200);
/// Events between two looks at what else is to be done.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sends_more_than_is_read_is_left_unread_and_nobody_else() {
        let (mut intake, mut queue) = channel();
        let [busy, quiet] = [1, 2].map(PeerId::new);
        let mut packet = |peer, bytes| {
            let payload = vec![0; bytes];
            intake.handle(Timestamp::from_secs(0), PeerEvent::Received { peer, code: 13, payload })
        };
        let fills =
            (0..40).position(|_| packet(busy, 200_000) == [PeerCommand::Throttle(busy, PAUSE)]);
        assert_eq!(fills, Some(20));
        assert_eq!(packet(quiet, 10), []);
        assert_eq!(queue.next().await.map(|batch| batch.len()), Some(22));
        assert_eq!(packet(busy, 10), [], "what was read weighs no more");
    }
}
