//! The way from the loop to the engine: it never makes the loop wait, and stays short since peers who
//! fill it are left unread.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;
use whisper_core::peer::PeerId;

use crate::driver::lodger::Lodger;
use crate::driver::lodger::News;

/// The end that the engine reads.
pub(super) struct Queue {
    news: mpsc::UnboundedReceiver<News>,
    weights: Weights,
}

pub(super) fn channel() -> (Lodger, Queue) {
    let (sender, news) = mpsc::unbounded_channel();
    let weights = Weights::default();
    let queue = Queue { news, weights: weights.clone() };
    let lodger: Lodger = Box::new(move |news| {
        let full = weights.add(&news) > WEIGHT_MAX;
        // If nobody reads, the runtime is going down.
        let _ = sender.send(news);
        full.then_some(PAUSE)
    });
    (lodger, queue)
}

impl Queue {
    /// Whether nothing waits to be read.
    pub(super) fn is_empty(&self) -> bool {
        self.news.is_empty()
    }

    /// Waits for news and takes some; none, if there will be no more. Safe to cancel.
    pub(super) async fn next(&mut self) -> Vec<News> {
        let mut batch = Vec::new();
        self.news.recv_many(&mut batch, BATCH).await;
        batch.iter().for_each(|news| self.weights.take(news));
        batch
    }
}

/// How many bytes of each peer's wait.
#[derive(Clone, Default)]
struct Weights(Arc<Mutex<BTreeMap<PeerId, usize>>>);

impl Weights {
    /// Adds news; what its peer's weigh now.
    fn add(&self, news: &News) -> usize {
        let Some((peer, weight)) = weight(news) else { return 0 };
        let mut all = self.lock();
        let own = all.entry(peer).or_default();
        *own = own.saturating_add(weight);
        *own
    }

    fn take(&self, news: &News) {
        let Some((peer, weight)) = weight(news) else { return };
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

fn weight(news: &News) -> Option<(PeerId, usize)> {
    match news {
        News::Received { peer, payload, .. } => {
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
/// News between two looks at what else is to be done.
const BATCH: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_sends_more_than_is_read_is_left_unread_and_nobody_else() {
        let (mut lodger, mut queue) = channel();
        let [busy, quiet] = [1, 2].map(PeerId::new);
        let mut packet =
            |peer, bytes| lodger(News::Received { peer, code: 13, payload: vec![0; bytes] });
        let fills = (0..40).position(|_| packet(busy, 200_000).is_some());
        assert_eq!(fills, Some(20));
        assert_eq!(packet(quiet, 10), None);
        assert_eq!(queue.next().await.len(), 22);
        assert_eq!(packet(busy, 10), None, "what was read weighs no more");
    }
}
