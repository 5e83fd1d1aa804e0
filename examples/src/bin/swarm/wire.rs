//! What the conductor and the members say to each other: a line of JSON each.

use serde::Deserialize;
use serde::Serialize;

/// Milliseconds since 1970 by the machine's own clock, which all processes share.
pub(crate) type Moment = u64;

/// The number of a member of the swarm.
pub(crate) type Number = usize;

/// The number of a message: later ones have greater ones.
pub(crate) type MessageId = u32;

/// What a member is told to do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) enum Command {
    /// From now on its clock shows so many milliseconds more than the machine's.
    Clock { offset: i64 },
    /// It stays connected to this address.
    Dial { address: String },
    /// Its network has changed.
    NetworkChanged,
    /// This public key is a contact.
    Contact { key: String },
    /// It invites a contact, with a message.
    Invite { key: String, id: MessageId },
    /// It says something to a contact.
    Say { key: String, id: MessageId },
    /// It posts for all who know the password, and whose envelope lives for so many seconds.
    Post { id: MessageId, ttl: u64 },
    /// It shuts down as programs should.
    Leave,
}

/// A line of a member.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Report {
    pub(crate) at: Moment,
    pub(crate) what: What,
}

/// What a member reports.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum What {
    /// It runs: its node's key, and its own.
    Started { node: String, key: String },
    /// A connection to this node's key stands.
    Connected { peer: u64, node: String },
    /// It is ready: envelopes go both ways.
    Ready { peer: u64 },
    /// A connection has ended.
    Gone { peer: u64, how: String },
    /// It has cut a peer for what the peer did.
    Cut { peer: u64, why: String },
    /// An address that it dials is not reached.
    Unreachable { address: String, why: String },
    /// It believes that its clock is wrong by so many seconds.
    ClockSuspect { ahead: bool, by: u64 },
    /// A message is on its way, in a session or for all, in so many envelopes.
    Said { id: MessageId, session: Option<String>, envelopes: usize },
    /// A message is not taken, and why.
    NotSaid { id: MessageId, why: String },
    /// How far an envelope of a message is.
    Stage { id: MessageId, envelope: usize, stage: Stage },
    /// A message of a session is shown: with its place, and how many before it are missing.
    Shown { id: MessageId, session: String, order: u64, missing: u32 },
    /// A message for all is shown.
    Found { id: MessageId },
    /// A session is over.
    Ended { session: String, why: String },
    /// So many messages or events were missed by a slow reader.
    Lagged { missed: u64 },
}

/// How far an envelope is.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Stage {
    /// It waits for a peer.
    Waiting,
    /// Its nonce is searched for.
    Working,
    /// It is in the writer's pool.
    Published,
    /// Sockets have taken it.
    Sent,
    /// A peer has taken it.
    Acknowledged,
    /// Peers have refused it, and why.
    Refused(String),
    /// It will never reach anybody, and why.
    Lost(String),
}

/// What the machine's clock shows.
pub(crate) fn moment() -> Moment {
    whisper_net::Clock::system().now().as_millis()
}
