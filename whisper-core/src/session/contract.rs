//! What goes into the sessions and what comes out.

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::envelope::Draft;
use crate::envelope::EnvelopeError;
use crate::identity::PublicKey;
use crate::time::Timestamp;
use crate::topic::Topic;

/// What a step asks for, in order.
#[derive(Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionOutput {
    /// Store this, then answer [`Sessions::stored`](super::Sessions::stored), which says what the
    /// step does.
    Persist(Record),
    /// Find a nonce for this and publish it.
    Transmit(Outgoing),
    /// Tell the application.
    Event(SessionEvent),
    /// These topics are watched from now on: give every envelope that came under one of them before,
    /// and that nothing opened, to [`Sessions::open`](super::Sessions::open) again.
    LookBack(Vec<Topic>),
}

/// What is to be stored before a step takes effect. Its content comes with the storage: as yet it
/// only names the step and whom it concerns.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Record {
    pub(super) id: RecordId,
    pub(super) peer: PublicKey,
}

impl Record {
    /// What to answer with.
    pub const fn id(&self) -> RecordId {
        self.id
    }

    /// Whose sessions it holds.
    pub const fn peer(&self) -> PublicKey {
        self.peer
    }
}

/// The number of a record, never used twice.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct RecordId(pub(super) u64);

/// An envelope before it is one.
#[derive(Clone, Eq, PartialEq)]
pub struct Outgoing {
    /// The session it belongs to.
    pub session: SessionId,
    /// Whom it is for.
    pub peer: PublicKey,
    /// Its number in the session, as [`SessionEvent::Acknowledged`] names it; none for an
    /// invitation.
    pub sequence: Option<u32>,
    /// Where the peer finds it.
    pub topic: Topic,
    /// How long it lives.
    pub ttl: Duration,
    /// How much earlier than now it claims to be made, so that the clock of this machine does not
    /// show.
    pub jitter: Duration,
    /// The encrypted message.
    pub data: Vec<u8>,
}

impl Outgoing {
    /// The draft of the envelope. To date it anew, make it anew.
    ///
    /// # Errors
    /// [`EnvelopeError`] if envelopes cannot expire so late.
    pub fn draft(&self, now: Timestamp) -> Result<Draft, EnvelopeError> {
        let issued = now.saturating_sub(self.jitter);
        Draft::new(issued, self.ttl, self.topic, self.data.clone())
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("session", &self.session)
            .field("sequence", &self.sequence)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish_non_exhaustive()
    }
}

/// Something the application may care about.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub enum SessionEvent {
    /// Somebody who is no contact wants to talk. What he says is withheld until
    /// [`Sessions::accept`](super::Sessions::accept).
    Invited {
        /// The session.
        session: SessionId,
        /// Who asks.
        peer: PublicKey,
    },
    /// The peer has proved that it holds its keys, or, as to a strict invitation, has signed it.
    Established {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The peer says something.
    Message {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The number of the message in its direction; none for the text of an invitation.
        sequence: Option<u32>,
        /// When the peer's clock says it was sent.
        sent_at: Timestamp,
        /// What it says.
        data: Vec<u8>,
    },
    /// The peer has read these messages.
    Acknowledged {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// The numbers of the messages.
        sequences: Vec<u32>,
    },
    /// Messages to this peer now go on another session. The only sign there is that somebody else
    /// may have taken the peer's key.
    Replaced {
        /// The peer.
        peer: PublicKey,
    },
    /// The peer sent what makes no sense; it was dropped, the session lives.
    Malformed {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
    },
    /// The session is over and its keys are wiped.
    Ended {
        /// The session.
        session: SessionId,
        /// The peer.
        peer: PublicKey,
        /// Why.
        why: Ended,
    },
}

impl fmt::Debug for SessionEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, session) = match self {
            Self::Invited { session, .. } => ("Invited", Some(session)),
            Self::Established { session, .. } => ("Established", Some(session)),
            Self::Message { session, .. } => ("Message", Some(session)),
            Self::Acknowledged { session, .. } => ("Acknowledged", Some(session)),
            Self::Replaced { .. } => ("Replaced", None),
            Self::Malformed { session, .. } => ("Malformed", Some(session)),
            Self::Ended { session, .. } => ("Ended", Some(session)),
        };
        let mut text = f.debug_struct(name);
        if let Some(session) = session {
            text.field("session", session);
        }
        match self {
            Self::Message { sequence, data, .. } => text
                .field("sequence", sequence)
                .field("data", &format_args!("{} bytes", data.len())),
            Self::Acknowledged { sequences, .. } => text.field("sequences", sequences),
            Self::Ended { why, .. } => text.field("why", why),
            _ => &mut text,
        };
        text.finish_non_exhaustive()
    }
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Ended {
    /// We closed it.
    Closed,
    /// The peer closed it.
    ClosedByPeer,
    /// Its lifetime is over.
    Expired,
    /// Nothing happened on it for a day.
    Idle,
    /// Newer ones took its place.
    Evicted,
}

/// The name of a session: random bytes, drawn by who invites.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct SessionId(pub(super) [u8; 16]);

impl SessionId {
    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
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

/// What a session promises.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum SessionKind {
    /// The paper's: signed set-up, one key per direction, no forward secrecy.
    Seed,
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
    /// Somebody who is no contact invited us, and we have not answered.
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
    /// With whom.
    pub peer: PublicKey,
    /// Which side we are.
    pub role: Role,
    /// How far it is.
    pub state: SessionState,
    /// Whether its keys are bound to both identities.
    pub bound: bool,
    /// Whether all its messages come under one topic.
    pub fixed_topic: bool,
    /// When it was made, by the initiator's clock.
    pub created_at: Timestamp,
    /// When its keys are wiped, at the latest.
    pub ends_at: Timestamp,
}

/// How a session is to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InviteOptions {
    /// Whether the keys are bound to both identities, as they should be. Without it the set-up is
    /// the paper's to the letter: the text is signed, provable to others, and can be passed on.
    pub bind: bool,
    /// Whether all messages come under one topic, for peers that can do no better. It links them.
    pub fixed_topic: bool,
    /// When the session ends, from 60 seconds to 30 days from now.
    pub lifetime: Duration,
}

impl Default for InviteOptions {
    fn default() -> Self {
        Self { bind: true, fixed_topic: false, lifetime: Duration::from_secs(2_592_000) }
    }
}

/// How long the envelopes of sessions live: one choice for all of them, so that it tells nothing.
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

/// Why a session cannot do what it is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SessionError {
    /// There is no session to send on: invite first.
    #[error("there is no session with this peer")]
    NoSession,
    /// Nobody of this name has asked for anything.
    #[error("this peer has not invited")]
    NotInvited,
    /// It does not fit.
    #[error("at most {max} bytes fit")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// The lifetime is out of bounds.
    #[error("a session lives between 60 seconds and 30 days")]
    Lifetime,
    /// One's own key was given as the peer's.
    #[error("the peer is this identity itself")]
    OwnKey,
    /// There are as many sessions as may be.
    #[error("there are {max} sessions already")]
    TooMany {
        /// The largest number.
        max: usize,
    },
    /// The key of this direction is used up: invite again.
    #[error("the key is used up")]
    Exhausted,
    /// All topics of this hour are used.
    #[error("no more messages fit into this hour")]
    HourFull {
        /// When there is room again.
        until: Timestamp,
    },
    /// The clock stands more than an hour before the last sending.
    #[error("the clock was set back by more than an hour")]
    ClockRollback,
    /// The random source gives what cannot be random.
    #[error("the random source does not work")]
    Entropy,
    /// An earlier step with this peer is not stored yet.
    #[error("an earlier step is not stored yet")]
    Busy,
}

/// Why an invitation is not taken up. Nobody is told: the sender least of all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvitationError {
    /// It is another kind of message.
    #[error("not an invitation")]
    NotAnInvitation,
    /// It breaks a rule of its format.
    #[error("the invitation is malformed")]
    Malformed,
    /// Nobody signed it, or we did.
    #[error("the invitation has no signer but perhaps ourselves")]
    Signer,
    /// It is over, or was made in the future.
    #[error("the invitation is out of its time")]
    OutOfTime,
    /// It came before.
    #[error("the invitation came before")]
    Replayed,
    /// There are too many; it may be tried again.
    #[error("there are too many invitations")]
    TooMany,
    /// An earlier step with this peer is not stored yet; it may be tried again.
    #[error("an earlier step is not stored yet")]
    Busy,
}

/// Why an envelope opens in no session.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is for somebody else, or for a session that is not known yet.
    #[error("no session opens it")]
    NotOurs,
    /// Its message came before, perhaps in another envelope.
    #[error("its message came before")]
    Duplicate,
    /// It opens, and there is nothing sensible in it.
    #[error("its message makes no sense")]
    Malformed,
    /// A session that is not accepted yet holds as much as it may; it may be tried again.
    #[error("its session is not accepted yet")]
    Withheld,
    /// An earlier step with this peer is not stored yet; it may be tried again.
    #[error("an earlier step is not stored yet")]
    Busy,
}
