//! What a ledger asks of the host's storage, and what it tells it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::directory::NameRecord;
use crate::ledger::block::name::Name;
use crate::ledger::block::tx::Tx;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::TxId;

/// Where a host keeps what it was told to store.
pub trait Archive {
    /// A block, as [`StoreOp::Block`] gave it.
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>>;
    /// What it takes to take back a block, as [`StoreOp::Connect`] gave it last. For those that were
    /// settled since it may be gone.
    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>>;
}

impl<A: Archive + ?Sized> Archive for &A {
    fn block(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        (**self).block(id)
    }

    fn undo(&self, id: &BlockId) -> Option<Arc<[u8]>> {
        (**self).undo(id)
    }
}

/// An archive that keeps nothing: the ledger's own memory has to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Archive for Nothing {
    fn block(&self, _: &BlockId) -> Option<Arc<[u8]>> {
        None
    }

    fn undo(&self, _: &BlockId) -> Option<Arc<[u8]>> {
        None
    }
}

/// How a block changed the chain: what left, where it forked, what came.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use = "what is to be stored must be stored before anything else happens"]
pub struct ChainUpdate {
    /// What left the chain, from the old tip downwards.
    pub disconnected: Vec<BlockId>,
    /// The last block that old and new chain share; the tip, if nothing has changed.
    pub fork: BlockId,
    /// What joined the chain, upwards to the new tip.
    pub connected: Vec<BlockId>,
    /// Transactions that left the chain and may still come into a block, oldest first.
    pub returned: Vec<Tx>,
    /// What to write, in this order and in one transaction, before acting on the rest.
    pub store: Vec<StoreOp>,
}

impl ChainUpdate {
    /// The depth beyond which an application should stop and ask: over three hours of blocks.
    pub const DEEP: usize = 100;

    /// Whether the chain has another tip.
    pub const fn is_change(&self) -> bool {
        !self.connected.is_empty()
    }

    /// How many blocks were taken back, if more than [`ChainUpdate::DEEP`]. Nothing stops such a
    /// change: nodes that refused it would part from the others.
    pub fn deep(&self) -> Option<usize> {
        Some(self.disconnected.len()).filter(|depth| *depth > Self::DEEP)
    }
}

/// Something for the host to write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum StoreOp {
    /// A block whose body is the one that its header commits to.
    Block {
        /// Its name.
        id: BlockId,
        /// Its height.
        height: u32,
        /// The block, encoded.
        bytes: Arc<[u8]>,
    },
    /// The block is on the chain now, on top of the one before.
    Connect {
        /// Its name.
        id: BlockId,
        /// Its height.
        height: u32,
        /// What it takes to take it back.
        undo: Arc<[u8]>,
        /// Records that it set.
        records: Vec<NameRecord>,
        /// Its transactions; the first has index 1.
        txs: Vec<TxId>,
    },
    /// The newest block of the chain is taken back.
    Disconnect {
        /// Its name.
        id: BlockId,
        /// Its height.
        height: u32,
        /// Records as they were before.
        records: Vec<(Name, Option<NameRecord>)>,
        /// Its transactions.
        txs: Vec<TxId>,
    },
    /// The block lies so deep that its undo need not be kept: see [`Ledger::UNDOS`](super::Ledger::UNDOS).
    Settle {
        /// Its name.
        id: BlockId,
    },
    /// The block lies off the chain, on a branch that is given up: nothing of it need be kept.
    Forget {
        /// Its name.
        id: BlockId,
    },
}
