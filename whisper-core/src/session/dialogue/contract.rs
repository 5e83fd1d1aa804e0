//! What goes into a dialogue, and what carries it.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;

use rand_core::CryptoRng;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::event::Obstacle;
use crate::time::Timestamp;

/// Seals what a dialogue says: the sessions of one peer, and invitations to it.
pub trait Carrier {
    /// Seals a content on a session, and gives the name of the message.
    ///
    /// # Errors
    /// [`SealFailure`]; then nothing was sealed.
    fn seal(
        &mut self,
        now: Timestamp,
        session: SessionId,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<MessageName, SealFailure>;

    /// Seals a content in a new invitation, with the one-time key of the peer's card if `one_time`
    /// and if it has one. Only parts, resent parts and [`Content::Cover`] are given.
    ///
    /// # Errors
    /// [`InviteFailure`]; then nothing was sealed.
    fn invite(
        &mut self,
        now: Timestamp,
        content: &Content,
        one_time: bool,
        rng: &mut impl CryptoRng,
    ) -> Result<Invited, InviteFailure>;

    /// Keeps of a session only what opens messages that were sent before the peer closed it: those
    /// of the receiving chain of this place, before it.
    fn retire(&mut self, session: SessionId, place: Place);

    /// Wipes the keys of a session. Its name is to be remembered: see
    /// [`Tombstones`](super::Tombstones).
    fn wipe(&mut self, session: SessionId);
}

/// Why nothing can be sealed on a session.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SealFailure {
    /// As many messages as may be went without an answer: only an invitation goes on.
    Exhausted,
    /// All topics of the hour are used.
    HourFull {
        /// When the next begins.
        until: Timestamp,
    },
    /// The random source gives what cannot be random.
    Entropy,
}

/// Why nobody can be invited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InviteFailure {
    /// There is no whole card of the peer.
    NoCard,
    /// The card of the peer is out of its dates.
    CardExpired,
    /// The random source gives what cannot be random.
    Entropy,
}

/// An invitation that was made.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Invited {
    /// The session that it begins.
    pub session: SessionId,
    /// When, as the invitation says it.
    pub created_at: Timestamp,
    /// The name of what it says.
    pub name: MessageName,
}

/// What one side says to the other (kinds 0 to 6).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Content {
    /// A message of the application, or a part of one.
    Part(Part),
    /// The same again.
    Resend {
        /// The name that it had the first time.
        name: MessageName,
        /// When it went the first time.
        sent_at: Timestamp,
        /// What it said.
        part: Part,
    },
    /// Names of messages that were opened.
    Ack(Vec<MessageName>),
    /// Our newest card; as to one that came, a card that is kept. A card that is not kept comes in
    /// as [`Content::Cover`], so that it is not acknowledged.
    Card,
    /// The end of all sessions between the two.
    Close,
    /// Nothing: it is sent so that something is.
    Cover,
}

/// A message of the application that fits into one of ours, or a chunk of a longer one.
#[derive(Clone, Eq, PartialEq)]
pub enum Part {
    /// The whole.
    Whole(Arc<[u8]>),
    /// A chunk.
    Chunk(Chunk),
}

/// A piece of a message that is too long for one.
#[derive(Clone, Eq, PartialEq)]
pub struct Chunk {
    /// Drawn at random; the same for all chunks of the message.
    pub id: [u8; 8],
    /// Which it is, from 0.
    pub index: u16,
    /// How many there are.
    pub total: u16,
    /// Its bytes.
    pub data: Arc<[u8]>,
}

impl Part {
    /// A message in as few parts as can carry it; `None` if there would be too many.
    pub(super) fn split(data: &[u8], rng: &mut impl CryptoRng) -> Option<Vec<Self>> {
        if data.len() <= MAX_WHOLE {
            return Some(alloc::vec![Self::Whole(data.into())]);
        }
        let mut id = [0; 8];
        rng.fill_bytes(&mut id);
        let total = u16::try_from(data.len().div_ceil(MAX_CHUNK)).ok()?;
        let chunk = |(index, data): (u16, &[u8])| {
            Self::Chunk(Chunk { id, index, total, data: data.into() })
        };
        let fits = total <= MAX_CHUNKS;
        fits.then(|| (0..total).zip(data.chunks(MAX_CHUNK)).map(chunk).collect())
    }

    /// Which of the parts of its text it is.
    pub(super) const fn index(&self) -> u16 {
        match self {
            Self::Whole(_) => 0,
            Self::Chunk(chunk) => chunk.index,
        }
    }

    /// How many bytes it holds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Whole(data) | Self::Chunk(Chunk { data, .. }) => data.len(),
        }
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(data) => write!(f, "Whole({} bytes)", data.len()),
            Self::Chunk(chunk) => chunk.fmt(f),
        }
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, total, data, .. } = self;
        write!(f, "Chunk({index} of {total}, {} bytes)", data.len())
    }
}

/// Where a message stands among those of a session and direction.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Place {
    /// The receiving chain, counted from 0.
    pub chain: u32,
    /// The number in it.
    pub number: u32,
}

/// A message that was opened on a session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Opened {
    /// The session.
    pub session: SessionId,
    /// Whether it answers the newest key of ours: whether a step of the ratchet opened it.
    pub turned: bool,
    /// What it says.
    pub heard: Heard,
}

/// An invitation that was opened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Arrived {
    /// The session that it begins.
    pub session: SessionId,
    /// When, as it says.
    pub created_at: Timestamp,
    /// The card of ours that it was made from.
    pub card: u32,
    /// Whether the peer has another certified key than before, and a newer one.
    pub changed: bool,
    /// What it says.
    pub heard: Heard,
}

/// What somebody says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Heard {
    /// The name of the message itself.
    pub name: MessageName,
    /// Where it stands.
    pub place: Place,
    /// When it was sent, by the peer's clock; a content that goes again names the first time.
    pub sent_at: Timestamp,
    /// What it says; `None` if it breaks a rule.
    pub content: Option<Content>,
}

/// The number of a text that was given to [`Dialogue::send`](super::Dialogue::send). It has one while
/// nothing carries it yet.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TextId(pub u64);

/// When there is something to do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Deadlines {
    /// At once when the clock says so.
    pub prompt: Option<Timestamp>,
    /// Only once the clock can be trusted with what cannot be undone.
    pub patient: Option<Timestamp>,
}

/// Why a dialogue cannot do what it is asked. Go on with the copy from before the step.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DialogueError {
    /// The message is too long even in chunks.
    #[error("a message has at most {max} bytes: send this in parts")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// As much waits already as may.
    #[error("as much waits for this peer as may: send this once something has gone")]
    Waiting(Obstacle),
    /// No invitation of the peer waits, and no new key of it.
    #[error(
        "nothing of this peer waits to be accepted: it may have ended, or was answered already"
    )]
    NothingToAccept,
    /// The random source gives what cannot be random.
    #[error("the random source repeats itself: give one that works")]
    Entropy,
}

/// The most bytes of one part; spec 3.7: its resend fits into an invitation.
pub(super) const MAX_WHOLE: usize = 64_000;
/// The most bytes of a chunk: 64,000 with 12 bytes in front of it.
pub(super) const MAX_CHUNK: usize = 63_988;
/// The most chunks of a message; spec 3.7.
pub(super) const MAX_CHUNKS: u16 = 256;
/// The longest message.
pub(super) const MAX_TEXT: usize = MAX_CHUNK * MAX_CHUNKS as usize;
