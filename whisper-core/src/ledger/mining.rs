//! What goes into the next block, and the search for its nonce.

pub(super) mod draft;
pub(super) mod mempool;
pub(super) mod miner;
