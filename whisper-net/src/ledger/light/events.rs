//! What happens to a light ledger.

use whisper_core::ledger::BlockId;
use whisper_core::ledger::Status;
use whisper_core::peer::PeerId;

/// Something that happened to a light ledger.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LightEvent {
    /// The chain has a new tip.
    Tip {
        /// The newest block.
        id: BlockId,
        /// Its height.
        height: u32,
    },
    /// A peer has said which chain it has. If that has more work, its headers come next: questions
    /// wait for them.
    Ready {
        /// Which peer.
        peer: PeerId,
        /// What it said.
        status: Status,
    },
}
