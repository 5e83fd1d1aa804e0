//! What happens to the ledger.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use whisper_core::ledger::BlockId;
use whisper_core::ledger::Status;
use whisper_core::ledger::TxId;
use whisper_core::ledger::sync::PeerInfo;
use whisper_core::peer::PeerId;

use super::fault::StoreError;

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
    /// The ledger has ended, since it cannot be stored. It is the last event, and never missed.
    Failed(StoreError),
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

/// What the peers that are there have said of their chains, for later listeners.
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
