//! What happens to the ledger, as a stream.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use futures_core::Stream;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Status;
use whisper_core::ledger::TxId;
use whisper_core::ledger::sync::PeerInfo;
use whisper_core::peer::PeerId;

use super::fault::StoreError;
use crate::gap::Feed;
use crate::gap::Next;
use crate::gap::Tap;

/// Something that happened to the ledger.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LedgerEvent {
    /// The chain has changed, and that is stored.
    Changed(Arc<Change>),
    /// The change that follows takes back more blocks than chance explains: stop and ask.
    DeepReorg {
        /// How many.
        depth: usize,
    },
    /// A transaction waits for a block.
    Pending(TxId),
    /// A peer has said which chain it has.
    Ready {
        /// Which peer.
        peer: PeerId,
        /// What it said.
        status: Status,
    },
    /// A block that was stored once is needed and not to be had.
    Unavailable(BlockId),
    /// The ledger has ended, since it cannot be stored.
    Failed(StoreError),
    /// The reader was too slow and has missed so many events.
    Gap(u64),
}

/// How the chain has changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// What left the chain, from the old tip downwards.
    pub disconnected: Vec<BlockId>,
    /// The last block that old and new chain share.
    pub fork: BlockId,
    /// What joined the chain, upwards to the new tip.
    pub connected: Vec<BlockId>,
    /// Transactions that left the chain and wait again.
    pub returned: Vec<TxId>,
    /// Height of the new tip.
    pub height: u32,
}

/// The stream of a ledger's events. It ends with the ledger.
pub struct LedgerEvents(Tap<LedgerEvent>);

impl LedgerEvents {
    pub(super) const fn new(tap: Tap<LedgerEvent>) -> Self {
        Self(tap)
    }

    /// The next event; nothing once the ledger has ended. Safe to cancel.
    pub async fn next(&mut self) -> Option<LedgerEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<LedgerEvent>> {
        self.0.poll_next(cx).map(|next| match next? {
            Next::Item(event) => Some(event),
            Next::Gap(missed) => Some(LedgerEvent::Gap(missed)),
        })
    }
}

impl Stream for LedgerEvents {
    type Item = LedgerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<LedgerEvent>> {
        self.poll(cx)
    }
}

impl fmt::Debug for LedgerEvents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LedgerEvents").finish_non_exhaustive()
    }
}

/// What the peers that are there have said of their chains, for whoever listens later.
#[derive(Default)]
pub(super) struct Greetings(BTreeMap<PeerId, Status>);

impl Greetings {
    /// Notes what a peer has said.
    pub(super) fn note(
        &mut self,
        peer: PeerId,
        status: Status,
        there: impl Iterator<Item = PeerInfo>,
    ) {
        self.keep(there);
        self.0.insert(peer, status);
    }

    /// What those have said that are still there.
    pub(super) fn of(
        &mut self,
        there: impl Iterator<Item = PeerInfo>,
    ) -> impl Iterator<Item = (PeerId, Status)> {
        self.keep(there);
        self.0.iter().map(|(peer, status)| (*peer, *status))
    }

    fn keep(&mut self, there: impl Iterator<Item = PeerInfo>) {
        let there: BTreeSet<PeerId> = there.map(|info| info.peer).collect();
        self.0.retain(|peer, _| there.contains(peer));
    }
}

/// All who listen.
pub(super) struct Audience<T>(Vec<Feed<T>>);

impl<T: Clone> Audience<T> {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(super) fn add(&mut self, feed: Feed<T>) {
        self.0.push(feed);
    }

    pub(super) fn tell(&mut self, event: &T) {
        self.0.retain(|feed| !feed.is_closed());
        self.0.iter().for_each(|feed| feed.push(event.clone()));
    }
}
