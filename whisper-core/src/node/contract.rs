//! What goes into the engine and what comes out of it.

use alloc::sync::Arc;
use alloc::vec::Vec;

use super::skew::Skew;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::packet::Refusal;
use crate::packet::StatusError;
use crate::peer::Network;
use crate::peer::PeerId;
use crate::pow::Rating;
use crate::rlp::DecodeError;
use crate::time::Timestamp;
use crate::topic::Bloom;

/// Something that happened outside.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A connection stands. Its number was never used before.
    Connected {
        /// The number of the connection.
        peer: PeerId,
        /// Who opened it.
        direction: Direction,
        /// Where it comes from.
        network: Network,
    },
    /// A connection is gone.
    Disconnected(PeerId),
    /// A packet arrived.
    Received {
        /// From whom.
        peer: PeerId,
        /// The message code of `shh`, 0 to 127.
        code: u8,
        /// The packet behind the code.
        payload: &'a [u8],
    },
    /// The socket took bytes of what was to be transmitted, in the order it was asked for.
    Written {
        /// To whom.
        peer: PeerId,
        /// Bytes of payloads, counted as they were handed out.
        bytes: usize,
    },
    /// Nothing happened, and [`poll_timeout`](super::Node::poll_timeout) has come.
    Timeout,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Direction {
    /// The peer did. Its budgets always bind.
    Inbound,
    /// We did.
    Outbound,
}

/// Something to be done outside.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Send a packet.
    Transmit {
        /// To whom.
        peer: PeerId,
        /// The message code of `shh`, 0 to 127.
        code: u8,
        /// The packet behind the code.
        payload: Vec<u8>,
    },
    /// Do not read from this peer before that moment: it is over its budget, or a packet of it waits.
    /// What was read before is kept and not handed in, but for one packet that was under way.
    Throttle(PeerId, Timestamp),
    /// Close a connection. The engine has forgotten the peer.
    Disconnect(PeerId, Violation),
    /// Tell the application.
    Event(Event),
}

/// Something the application may care about.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The peer has said who it is: from now on envelopes go both ways.
    Ready(PeerId),
    /// An envelope is now in the pool: whoever holds keys may try them.
    Admitted {
        /// The envelope.
        envelope: Arc<Envelope>,
        /// The peer that brought it, or nobody if it is our own.
        from: Option<PeerId>,
    },
    /// A trusted peer sent this past the pool. It is not relayed.
    Direct {
        /// The envelope.
        envelope: Arc<Envelope>,
        /// The peer that sent it.
        from: PeerId,
    },
    /// A peer asks our archive for something: the envelope says for what.
    Requested {
        /// The envelope. It is not relayed.
        envelope: Arc<Envelope>,
        /// The peer that asks.
        by: PeerId,
    },
    /// An envelope of ours has left for this peer.
    Sent {
        /// Which one.
        hash: EnvelopeHash,
        /// The peer whose socket has taken it.
        to: PeerId,
    },
    /// A peer has taken an envelope of ours.
    Acknowledged {
        /// Which one.
        hash: EnvelopeHash,
        /// The peer.
        by: PeerId,
    },
    /// A peer has refused an envelope of ours.
    Refused {
        /// Which one.
        hash: EnvelopeHash,
        /// The peer.
        by: PeerId,
        /// Why, as the peer says.
        why: Refusal,
    },
    /// An envelope of ours has come back from the network: it has spread. Told once or more, and only
    /// where [stems](super::Stem) hide who wrote it.
    Spread {
        /// Which one.
        hash: EnvelopeHash,
        /// The peer that brought it.
        from: PeerId,
    },
    /// These are the relays from now on: to be kept over restarts, since each new one may learn who
    /// wrote what passes through it first.
    Relays {
        /// Who holds which place.
        peers: Vec<Option<PeerId>>,
        /// When all are drawn anew.
        until: Timestamp,
    },
    /// An envelope of ours has left the pool, or has found no place in it.
    Gone {
        /// Which one.
        hash: EnvelopeHash,
        /// Why.
        why: Departure,
    },
}

/// Why an envelope has left the pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Departure {
    /// Its time was over.
    Expired,
    /// A better one took its place.
    Evicted,
}

/// What one step of a node asks for.
pub type Outputs<'a> = crate::outputs::Outputs<'a, Output>;

/// What a peer did wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// It did not say who it is in time.
    #[error("the peer did not send its status in time")]
    Silent,
    /// It sent something before its status.
    #[error("the peer sent packet {code} before its status")]
    Hasty {
        /// The code of that packet.
        code: u8,
    },
    /// Its status does not do.
    #[error("the peer's status does not do: {0}")]
    Status(StatusError),
    /// It does not relay, and neither do we.
    #[error("neither side relays")]
    LightPair,
    /// It sent a packet that is larger than we take.
    #[error("a packet of {size} bytes is larger than {max}")]
    Oversized {
        /// The size of the packet, in bytes.
        size: usize,
        /// The largest size we take, in bytes.
        max: usize,
    },
    /// It sent a packet of envelopes that is malformed.
    #[error("a packet is malformed: {0}")]
    Malformed(DecodeError),
    /// It announced what is no rating or no bloom filter.
    #[error("an announcement is malformed: {0}")]
    Announcement(StatusError),
    /// It went on sending what we had said we do not take.
    #[error("the peer keeps sending what it was told we do not take")]
    Unwanted,
    /// It took nothing of what we sent for too long.
    #[error("the peer has taken nothing for 20 seconds")]
    Stalled,
}

/// Why an envelope is not in the pool.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Rejection {
    /// It was made in the future.
    #[error("envelope from future")]
    Future,
    /// It died long ago.
    #[error("very old envelope")]
    VeryOld,
    /// It lives for no time at all.
    #[error("envelope without time to live")]
    ZeroTtl,
    /// It lives for more than two days.
    #[error("envelope lives too long")]
    TtlTooLong,
    /// It has just died.
    #[error("expired envelope")]
    Expired,
    /// It is too large.
    #[error("envelope is larger than {max} bytes")]
    TooLarge {
        /// The largest size, in bytes.
        max: usize,
    },
    /// It is rated too low.
    #[error("envelope is rated below {min}")]
    RatedTooLow {
        /// The least rating that is taken.
        min: Rating,
    },
    /// Its topic is not among those we asked for.
    #[error("envelope does not match bloom filter")]
    BloomMismatch,
    /// It is in the pool already.
    #[error("envelope is known")]
    Duplicate,
    /// The pool is full of better ones.
    #[error("the pool is full of better rated envelopes")]
    PoolFull,
    /// Our own envelopes that wait for a first peer fill their share of the pool.
    #[error("too many envelopes of our own wait for a first peer")]
    Waiting,
}

/// Why something that the application asked for cannot be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// There is no such peer, or not any more, or it has not said yet who it is.
    #[error("the peer is not connected and ready")]
    UnknownPeer,
    /// The envelope fits into no packet.
    #[error("an envelope for one peer is at most {max} bytes long")]
    TooLarge {
        /// The largest size, in bytes.
        max: usize,
    },
    /// The peer has not taken yet what was sent before.
    #[error("the peer has not taken yet what was sent before")]
    Busy,
}

/// What is known about a peer.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// The number of its connection.
    pub peer: PeerId,
    /// Who opened the connection.
    pub direction: Direction,
    /// Whether it has said who it is; until then the rest is what everybody is taken for.
    pub ready: bool,
    /// Whether we take direct messages from it.
    pub trusted: bool,
    /// The least rating it accepts.
    pub min_rating: Rating,
    /// The topics it wants; all of them where there is none.
    pub bloom: Option<Bloom>,
    /// Whether it does not relay.
    pub light: bool,
    /// Whether it acknowledges batches, and we do.
    pub acknowledges: bool,
    /// Whether it takes envelopes by stems, and we do.
    pub stems: bool,
    /// Bytes that its socket has not taken yet.
    pub unwritten: usize,
    /// What its envelopes lately said about our clock; nothing if it brought none.
    pub skew: Option<Skew>,
}
