//! The one error of the bindings.

use std::fmt;

use whisper_core::crypto::DecryptError;
use whisper_core::crypto::curve::InvalidKey;
use whisper_core::envelope::EnvelopeError;
use whisper_core::ledger::BatchError;
use whisper_core::ledger::HeaderError;
use whisper_core::ledger::InvalidName;
use whisper_core::ledger::ProofError;
use whisper_core::message::MessageError;
use whisper_core::node::Rejection;
use whisper_core::node::SettingError;
use whisper_core::pow::InvalidRating;
use whisper_core::rlp::DecodeError;
use whisper_core::session::SessionError;
use whisper_net::Closed;
use whisper_net::ConversationError;
use whisper_net::DirectError;
use whisper_net::NoEntropy;
use whisper_net::PostError;
use whisper_net::StartError;
use whisper_net::Undelivered;
use whisper_net::keyfile::KeyfileError;
use whisper_net::ledger::LightError;
use whisper_net::ledger::QuestionError;
use whisper_net::rlpx::ListenError;
use whisper_net::transport::DialError;

/// Why something cannot be done. Texts are for people; programs ask for the code. Nothing secret
/// stands in it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error, uniffi::Error)]
#[uniffi::export(Display)]
#[non_exhaustive]
pub enum WhisperError {
    /// Bytes or text that are not what they should be.
    #[error("not {what}: {reason}")]
    Malformed {
        /// What was expected.
        what: String,
        /// What is wrong.
        reason: String,
    },
    /// A number or a length of time is out of bounds.
    #[error("{reason}")]
    OutOfRange {
        /// Which, and what the bounds are.
        reason: String,
    },
    /// More than fits.
    #[error("at most {max} bytes fit")]
    TooLarge {
        /// The largest size, in bytes.
        max: u64,
    },
    /// The key does not open it, or it was changed on its way. Which, nobody can tell.
    #[error("this key does not open it")]
    NotOpened,
    /// The system gives no randomness. Nothing was done.
    #[error("the system gives no randomness; nothing was done")]
    NoEntropy,
    /// An envelope that this node does not take, a post that no peer would, or a ledger that the node is
    /// not set for.
    #[error("{reason}")]
    Refused {
        /// Why, and what helps.
        reason: String,
    },
    /// More work is needed than the post has patience for.
    #[error("{reason}")]
    TooMuchWork {
        /// How much, and what helps.
        reason: String,
    },
    /// An envelope died before any peer had it.
    #[error("the envelope died before any peer had it; post it again once there are peers")]
    Expired,
    /// The app has given it up.
    #[error("cancelled")]
    Cancelled,
    /// The node, or what belongs to it, has ended.
    #[error("{what} has ended; start another")]
    Ended {
        /// What.
        what: String,
    },
    /// Not now: try again later.
    #[error("{reason}")]
    Unavailable {
        /// What is missing.
        reason: String,
    },
    /// The conversation does not allow it.
    #[error("{reason}")]
    Conversation {
        /// What stands against it.
        reason: String,
    },
    /// The address, the socket or the file does not do.
    #[error("{reason}")]
    Io {
        /// What is wrong, and what helps.
        reason: String,
    },
    /// Headers or proofs that do not hold.
    #[error("{reason}")]
    Unproven {
        /// The first part that does not fit.
        reason: String,
    },
    /// An earlier call met a defect of this library and may have left half of its work behind.
    #[error("an earlier call failed inside; make a new object")]
    Poisoned,
}

#[uniffi::export]
impl WhisperError {
    /// A number that stands for the kind of error and never changes.
    pub fn code(&self) -> u32 {
        match self {
            Self::Malformed { .. } => 1,
            Self::OutOfRange { .. } => 2,
            Self::TooLarge { .. } => 3,
            Self::NotOpened => 4,
            Self::NoEntropy => 5,
            Self::Refused { .. } => 6,
            Self::TooMuchWork { .. } => 7,
            Self::Expired => 8,
            Self::Cancelled => 9,
            Self::Ended { .. } => 10,
            Self::Unavailable { .. } => 11,
            Self::Conversation { .. } => 12,
            Self::Io { .. } => 13,
            Self::Unproven { .. } => 14,
            Self::Poisoned => 15,
        }
    }

    /// Whether it may go well later, with nothing changed: a call that is made again, or what is posted
    /// or sent again. What has expired stays so: asking the same delivery again changes nothing.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NoEntropy | Self::Expired | Self::Unavailable { .. })
    }
}

impl WhisperError {
    pub(crate) fn malformed(what: &str, reason: impl fmt::Display) -> Self {
        Self::Malformed { what: what.to_owned(), reason: reason.to_string() }
    }

    pub(crate) fn ended(what: &str) -> Self {
        Self::Ended { what: what.to_owned() }
    }

    fn refused(reason: impl fmt::Display) -> Self {
        Self::Refused { reason: reason.to_string() }
    }

    fn unavailable(reason: impl fmt::Display) -> Self {
        Self::Unavailable { reason: reason.to_string() }
    }

    fn too_large(max: usize) -> Self {
        Self::TooLarge { max: max as u64 }
    }

    pub(crate) fn io(reason: impl fmt::Display) -> Self {
        Self::Io { reason: reason.to_string() }
    }
}

impl From<NoEntropy> for WhisperError {
    fn from(_: NoEntropy) -> Self {
        Self::NoEntropy
    }
}

impl From<Closed> for WhisperError {
    fn from(_: Closed) -> Self {
        Self::ended("the node")
    }
}

impl From<DecryptError> for WhisperError {
    fn from(_: DecryptError) -> Self {
        Self::NotOpened
    }
}

impl From<InvalidKey> for WhisperError {
    fn from(error: InvalidKey) -> Self {
        Self::malformed("a key", error)
    }
}

impl From<InvalidName> for WhisperError {
    fn from(error: InvalidName) -> Self {
        Self::malformed("a name", error)
    }
}

impl From<DecodeError> for WhisperError {
    fn from(error: DecodeError) -> Self {
        Self::malformed("an envelope", error)
    }
}

impl From<InvalidRating> for WhisperError {
    fn from(error: InvalidRating) -> Self {
        Self::OutOfRange { reason: error.to_string() }
    }
}

impl From<MessageError> for WhisperError {
    fn from(error: MessageError) -> Self {
        match error {
            MessageError::TooLarge { max } => Self::too_large(max),
            other => Self::OutOfRange { reason: other.to_string() },
        }
    }
}

impl From<EnvelopeError> for WhisperError {
    fn from(error: EnvelopeError) -> Self {
        Self::OutOfRange { reason: error.to_string() }
    }
}

impl From<Rejection> for WhisperError {
    fn from(error: Rejection) -> Self {
        match error {
            Rejection::TooLarge { max } => Self::too_large(max),
            Rejection::PoolFull | Rejection::Waiting => Self::unavailable(error),
            other => Self::refused(other),
        }
    }
}

impl From<SettingError> for WhisperError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::TooLarge { max } => Self::too_large(max),
            other => Self::unavailable(other),
        }
    }
}

impl From<DirectError> for WhisperError {
    fn from(error: DirectError) -> Self {
        match error {
            DirectError::Post(error) => error.into(),
            DirectError::Peer(error) => error.into(),
            _ => Self::ended("the node"),
        }
    }
}

impl From<PostError> for WhisperError {
    fn from(error: PostError) -> Self {
        match error {
            PostError::NoEntropy(error) => error.into(),
            PostError::Message(error) => error.into(),
            PostError::Envelope(error) => error.into(),
            PostError::Rejected(error) => error.into(),
            PostError::TooMuchWork { .. } => Self::TooMuchWork { reason: error.to_string() },
            PostError::QueueFull => Self::unavailable(error),
            PostError::Closed => Self::ended("the node"),
            other => Self::refused(other),
        }
    }
}

impl From<Undelivered> for WhisperError {
    fn from(error: Undelivered) -> Self {
        match error {
            Undelivered::Expired => Self::Expired,
            Undelivered::Cancelled => Self::Cancelled,
            Undelivered::Failed(error) => error.into(),
            other => Self::refused(other),
        }
    }
}

impl From<SessionError> for WhisperError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::TooLarge { max } => Self::too_large(max),
            SessionError::Entropy => Self::NoEntropy,
            SessionError::HourFull { .. } | SessionError::Busy => Self::unavailable(error),
            other => Self::Conversation { reason: other.to_string() },
        }
    }
}

impl From<ConversationError> for WhisperError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::NoEntropy(error) => error.into(),
            ConversationError::Session(error) => error.into(),
            ConversationError::Closed(error) => error.into(),
            other => Self::Conversation { reason: other.to_string() },
        }
    }
}

impl From<StartError> for WhisperError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::NoEntropy(error) => error.into(),
            StartError::Dial { source: DialError::Malformed(_), .. } => {
                Self::malformed("an address", error)
            }
            other => Self::io(other),
        }
    }
}

impl From<KeyfileError> for WhisperError {
    fn from(error: KeyfileError) -> Self {
        match error {
            KeyfileError::NoEntropy(error) => error.into(),
            other => Self::io(other),
        }
    }
}

impl From<ListenError> for WhisperError {
    fn from(error: ListenError) -> Self {
        Self::io(error)
    }
}

impl From<DialError> for WhisperError {
    fn from(error: DialError) -> Self {
        match error {
            DialError::Malformed(_) => Self::malformed("an address", error),
            // RLPx opens connections for as long as the node runs.
            DialError::Unsupported => Self::ended("the node"),
            other => Self::io(other),
        }
    }
}

impl From<HeaderError> for WhisperError {
    fn from(error: HeaderError) -> Self {
        Self::Unproven { reason: error.to_string() }
    }
}

impl From<BatchError> for WhisperError {
    fn from(error: BatchError) -> Self {
        Self::Unproven { reason: error.to_string() }
    }
}

impl From<ProofError> for WhisperError {
    fn from(error: ProofError) -> Self {
        Self::Unproven { reason: error.to_string() }
    }
}

impl From<LightError> for WhisperError {
    fn from(error: LightError) -> Self {
        match error {
            LightError::Closed(_) => Self::ended("the ledger"),
            other => Self::Unproven { reason: other.to_string() },
        }
    }
}

impl From<QuestionError> for WhisperError {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Closed(_) => Self::ended("the ledger"),
            other => Self::unavailable(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_never_change() {
        let reason = String::new;
        let all = [
            WhisperError::Malformed { what: reason(), reason: reason() },
            WhisperError::OutOfRange { reason: reason() },
            WhisperError::TooLarge { max: 0 },
            WhisperError::NotOpened,
            WhisperError::NoEntropy,
            WhisperError::Refused { reason: reason() },
            WhisperError::TooMuchWork { reason: reason() },
            WhisperError::Expired,
            WhisperError::Cancelled,
            WhisperError::Ended { what: reason() },
            WhisperError::Unavailable { reason: reason() },
            WhisperError::Conversation { reason: reason() },
            WhisperError::Io { reason: reason() },
            WhisperError::Unproven { reason: reason() },
            WhisperError::Poisoned,
        ];
        let codes: Vec<u32> = all.iter().map(WhisperError::code).collect();
        assert_eq!(codes, (1..=15).collect::<Vec<_>>());
        let again: Vec<u32> =
            all.iter().filter(|error| error.is_retryable()).map(WhisperError::code).collect();
        assert_eq!(again, [5, 8, 11]);
    }
}
