//! What a driver says to the state machines of the ledger, and what they say to it.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::wire::Question;
use super::wire::Status;
use crate::ledger::block::BlockError;
use crate::ledger::block::BodyError;
use crate::ledger::block::header::HeaderError;
use crate::ledger::block::tx::TxError;
use crate::ledger::chain::ChainUpdate;
use crate::ledger::hash::BlockId;
use crate::ledger::hash::TxId;
use crate::ledger::light::client::Proven;
use crate::ledger::light::proof::Proof;
use crate::ledger::light::proof::ProofError;
use crate::ledger::pow::ChainWork;
use crate::peer::PeerId;
use crate::time::Timestamp;

/// Something that has happened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Input<'a> {
    /// A connection was opened, under a number that was never used before.
    Connected(PeerId),
    /// A connection was closed.
    Disconnected(PeerId),
    /// A packet came.
    Received {
        /// The peer that sent it.
        peer: PeerId,
        /// Its code within the capability.
        code: u8,
        /// What follows the code.
        payload: &'a [u8],
    },
    /// A socket has taken bytes of what was to be transmitted.
    Written {
        /// Whose socket.
        peer: PeerId,
        /// How many bytes of payload.
        bytes: usize,
    },
    /// The time that `poll_timeout` named has come, and no other input waits: peers that have
    /// not answered by now are held to be late.
    Timeout,
}

/// Something to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Output {
    /// Send a packet.
    Transmit {
        /// The peer to send it to.
        peer: PeerId,
        /// Its code within the capability.
        code: u8,
        /// What follows the code.
        payload: Vec<u8>,
    },
    /// Do not read this peer's socket before then.
    Throttle(PeerId, Timestamp),
    /// Close the connection. The peer is forgotten already.
    Disconnect(PeerId, Violation),
    /// Tell the application.
    Event(Event),
}

/// Something the application may care about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Event {
    /// A peer has said which chain it has.
    Ready {
        /// Which peer.
        peer: PeerId,
        /// What it said.
        status: Status,
    },
    /// The chain has changed, or a block is to be stored: write it before anything else. Of what left
    /// the chain [`ChainUpdate::returned`] names the transactions that wait for a block again.
    Chain(ChainUpdate),
    /// The change that follows takes back more blocks than chance explains.
    DeepReorg {
        /// How many.
        depth: usize,
    },
    /// A transaction of others waits for a block.
    Pending(TxId),
    /// A block that was stored once is needed and not to be had.
    Unavailable(BlockId),
    /// Headers have a new tip (light nodes).
    Tip {
        /// The newest block.
        id: BlockId,
        /// Its height.
        height: u32,
    },
    /// A question is answered, and the proof is right (light nodes).
    Answered {
        /// The question.
        question: Question,
        /// The proof.
        proof: Box<Proof>,
        /// How well it proves.
        proven: Proven,
    },
    /// No peer that is connected could answer (light nodes).
    Unanswered(Question),
}

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// It said something else first, or said its status twice.
    #[error("the status was not the first packet, or not the only one")]
    StatusOrder,
    /// It is of another network: a useless peer.
    #[error("the peer follows another chain")]
    ForeignGenesis,
    /// A packet is not one of the protocol.
    #[error("a packet is not laid out as its code asks")]
    Malformed,
    /// It sent a header that can never be valid.
    #[error("a header is not valid: {0}")]
    Header(HeaderError),
    /// It keeps sending headers that lead nowhere.
    #[error("headers do not connect")]
    Unconnected,
    /// It sent a body that is not its header's.
    #[error("a block's body is not its header's: {0}")]
    Body(BodyError),
    /// It sent a block that can never be valid.
    #[error("a block is not valid: {0}")]
    Block(BlockError),
    /// It sent a transaction that can never be valid.
    #[error("a transaction is not valid: {0}")]
    Tx(TxError),
    /// It sent a proof that proves nothing.
    #[error("a proof is not right: {0}")]
    Proof(ProofError),
    /// It keeps sending what was not asked for.
    #[error("the peer sends what it was not asked for")]
    Unsolicited,
    /// It keeps letting requests wait.
    #[error("requests are not answered")]
    Stalled,
    /// It asks for more than it takes.
    #[error("more is asked for than is taken")]
    Greedy,
    /// It takes nothing of what is sent.
    #[error("nothing is taken of what is sent")]
    Deaf,
}

/// A peer, and how far it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PeerInfo {
    /// Which connection.
    pub peer: PeerId,
    /// The work of its chain, as far as it has said.
    pub work: Option<ChainWork>,
    /// The height of its chain, as far as it has said.
    pub height: u32,
    /// Blocks that it is asked for.
    pub in_flight: usize,
    /// Bytes that its socket has not taken yet.
    pub unwritten: usize,
}

/// What one step asks for, in order.
pub type Outputs<'a> = crate::outputs::Outputs<'a, Output>;
