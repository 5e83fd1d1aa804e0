//! What a session encrypts with: the one place that tells modes apart.

use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::contract::MessageName;
use super::contract::MessageOrder;
use super::contract::SessionKind;
use super::error::OpenError;
use super::error::RestoreError;
use super::error::SessionError;
use super::record::Fields;
use super::record::Value;
use super::record::Writer;
use super::seed;
use super::signs::Fork;
use super::watch::Lane;
use super::watch::Place;
use crate::time::Timestamp;
use crate::topic::Topic;

/// Keys and counters of a session. A step works on a clone, which shares the keys: they are wiped
/// with the last of them.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Channel {
    Seed(seed::Channel),
}

/// What one side says to the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Content {
    /// The application's bytes.
    App(Vec<u8>),
    /// Names of messages that were read.
    Ack(Vec<MessageName>),
    /// The end of all sessions between the two.
    Close,
    /// Nothing: it is sent so that something is.
    Cover,
}

/// A message on its way out.
pub(super) struct Sealed {
    pub(super) name: MessageName,
    pub(super) topic: Topic,
    pub(super) data: Vec<u8>,
    /// When the hour of the topic ends.
    pub(super) seal_again_at: Option<Timestamp>,
    /// Whether the clock stands more than an hour before an earlier sending.
    pub(super) set_back: bool,
}

/// A message that was opened.
pub(super) struct Opened {
    /// The channel once it is.
    pub(super) channel: Channel,
    pub(super) name: MessageName,
    pub(super) order: MessageOrder,
    pub(super) missing: u32,
    pub(super) sent_at: Timestamp,
    /// Nothing, if it breaks a rule.
    pub(super) content: Option<Content>,
    /// Whether somebody else goes on with what is the peer's or ours.
    pub(super) fork: Option<Fork>,
}

impl Channel {
    /// Encrypts what is to be said, at the next place.
    pub(super) fn seal(
        &mut self,
        now: Timestamp,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SessionError> {
        match self {
            Self::Seed(channel) => channel.seal(now, content, rng),
        }
    }

    /// Encrypts a message again that this side has sealed, at a place of its own.
    pub(super) fn seal_again(
        &mut self,
        now: Timestamp,
        data: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SessionError> {
        match self {
            Self::Seed(channel) => channel.seal_again(now, data, rng),
        }
    }

    /// Decrypts data that came under the topic of a place; the channel itself stays as it is.
    pub(super) fn open(&self, place: Place, data: &[u8]) -> Result<Opened, OpenError> {
        match self {
            Self::Seed(channel) => channel.open(place, data),
        }
    }

    /// Whether this side has sent anything.
    pub(super) const fn has_sent(&self) -> bool {
        match self {
            Self::Seed(channel) => channel.has_sent(),
        }
    }

    /// What the peer's topics come from, by number.
    pub(super) fn lanes(&self) -> impl Iterator<Item = (u8, &dyn Lane)> {
        match self {
            Self::Seed(channel) => core::iter::once((0, channel.lane())),
        }
    }

    pub(super) fn kind(&self) -> SessionKind {
        match self {
            Self::Seed(channel) => channel.kind(),
        }
    }

    /// How many messages one acknowledgement names.
    pub(super) const fn max_acknowledged(&self) -> usize {
        match self {
            Self::Seed(_) => seed::MAX_ACKNOWLEDGED,
        }
    }

    /// Writes its fields.
    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Seed(channel) => {
                writer.value(MODE, &[SEED]);
                channel.write(writer);
            }
        }
    }

    /// Reads its fields.
    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        match fields.read(MODE, Value::array)? {
            [SEED] => seed::Channel::read(fields).map(Self::Seed),
            _ => Err(RestoreError::Corrupt),
        }
    }
}

/// The type of the field that names the mode; those of the modes follow.
const MODE: u8 = 32;
const SEED: u8 = 0;
