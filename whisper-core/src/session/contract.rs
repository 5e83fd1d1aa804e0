//! What goes into the sessions and what comes out.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::event::SessionEvent;
use super::record::Batch;
use crate::envelope::Draft;
use crate::envelope::EnvelopeError;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

/// What a step asks for, in order.
#[derive(Debug, Eq, PartialEq)]
pub enum SessionOutput {
    /// Store this, then answer [`Sessions::stored`](super::Sessions::stored), which gives what else
    /// the step does. Batches are written in the order in which they come.
    Persist(Batch),
    /// Find a nonce for this and publish it.
    Transmit(Outgoing),
    /// Report this to the application.
    Event(SessionEvent),
    /// These topics are watched from now on, or their envelopes were refused while a step was
    /// outstanding: give every envelope that came under one of them, and that nothing opened, to
    /// [`Sessions::open`](super::Sessions::open) again.
    LookBack(Vec<Topic>),
}

/// An encrypted message on its way to an envelope.
#[derive(Clone, Eq, PartialEq)]
pub struct Outgoing {
    /// The session it belongs to.
    pub session: SessionId,
    /// The recipient.
    pub peer: PublicKey,
    /// The message that the peer will acknowledge, as [`SessionEvent::Acknowledged`] names it;
    /// `None` for an invitation, an acknowledgement, a goodbye, and an empty message.
    pub message: Option<MessageName>,
    /// Where the peer finds it.
    pub topic: Topic,
    /// How long the envelope lives.
    pub ttl: Duration,
    /// How much earlier than now the envelope says to be made:
    /// [`backdate`](crate::envelope::backdate).
    pub jitter: Duration,
    /// The encrypted message.
    pub data: Vec<u8>,
    pub(super) seal_again_at: Option<Timestamp>,
}

impl Outgoing {
    /// The draft of the envelope. Re-date the envelope by calling this again.
    ///
    /// # Errors
    /// [`EnvelopeError`] if envelopes cannot expire so late.
    pub fn draft(&self, now: Timestamp) -> Result<Draft, EnvelopeError> {
        let issued = now.saturating_sub(self.jitter);
        Draft::new(issued, self.ttl, self.topic, self.data.clone())
    }

    /// When the hour of its topic ends. An envelope that is dated later may not be found: give this
    /// to [`Sessions::seal_again`](super::Sessions::seal_again) instead. `None` if the topic holds
    /// at any time.
    pub const fn seal_again_at(&self) -> Option<Timestamp> {
        self.seal_again_at
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("session", &self.session)
            .field("message", &self.message)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish_non_exhaustive()
    }
}

/// The name of a session. A session of seed mode has the 16 random bytes of its invitation, followed
/// by zeros.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub(super) [u8; 32]);

impl SessionId {
    /// The name with these bytes, as [`SessionId::as_bytes`] gave them.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// The name of a message in its session and direction. The order of names means nothing: see
/// [`MessageOrder`].
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageName([u8; 8]);

impl MessageName {
    /// The name with these bytes, as [`MessageName::as_bytes`] gave them.
    pub const fn new(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for MessageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MessageName({self})")
    }
}

/// The place of a message among those of the same session and direction: a later message has a
/// greater one.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct MessageOrder(u64);

impl MessageOrder {
    /// The order with this number, as [`MessageOrder::as_u64`] gave it.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// A number that compares as the order does. Numbers of successive messages need not follow each
    /// other.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

/// What a session promises.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionKind {
    /// The paper's: signed set-up, one key per direction, no forward secrecy.
    Seed {
        /// Whether the keys are bound to both identities.
        bound: bool,
        /// Whether all messages come under one topic.
        fixed_topic: bool,
    },
}

/// Which side of a session we are.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Role {
    /// We invited.
    Initiator,
    /// We were invited.
    Responder,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionState {
    /// We invited, and nothing came back yet.
    Inviting,
    /// A stranger invited us, and we have not answered.
    Pending,
    /// Both may send.
    Established,
}

/// A session as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its name.
    pub id: SessionId,
    /// What it promises.
    pub kind: SessionKind,
    /// The other side.
    pub peer: PublicKey,
    /// Which side we are.
    pub role: Role,
    /// How far it is.
    pub state: SessionState,
    /// When it was made, by the initiator's clock.
    pub created_at: Timestamp,
    /// When its keys are wiped, at the latest; ten minutes later if the clock moves oddly.
    pub ends_at: Timestamp,
}

/// How long the envelopes of sessions live: one choice for all of them, so that it does not tell them
/// apart.
///
/// It tells accounts apart, as every peer sees it: the more of them keep the ten minutes, the less.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum SessionTtl {
    /// 60 seconds.
    Minute,
    /// 600 seconds.
    #[default]
    TenMinutes,
    /// 3,600 seconds.
    Hour,
    /// 86,400 seconds.
    Day,
}

impl SessionTtl {
    /// The time.
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(match self {
            Self::Minute => 60,
            Self::TenMinutes => 600,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        })
    }
}
