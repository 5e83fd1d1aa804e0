//! The last word of a connection, and what it means.

use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;

use crate::transport::DialFailure;

/// Why somebody ends a connection (devp2p, "Disconnect").
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Somebody asked for it.
    Requested,
    /// The network failed.
    Network,
    /// A packet was malformed or came out of turn.
    Protocol,
    /// No capability is shared.
    UselessPeer,
    /// There is no room.
    TooManyPeers,
    /// Both ends are connected already.
    AlreadyConnected,
    /// The versions do not fit together.
    IncompatibleVersion,
    /// The Hello names no valid key.
    InvalidIdentity,
    /// The program ends.
    Quitting,
    /// The key is not the one that was expected.
    UnexpectedIdentity,
    /// Both ends are the same node.
    ConnectedToSelf,
    /// Something took too long.
    Timeout,
    /// A capability found fault with a packet of its own.
    Subprotocol,
    /// Another number, which is understood and never sent: go-ethereum 1.9.20 crashes on 0x11.
    Unknown(u64),
}

impl Reason {
    /// The reason of a number on the wire.
    pub const fn from_code(code: u64) -> Self {
        match code {
            0x00 => Self::Requested,
            0x01 => Self::Network,
            0x02 => Self::Protocol,
            0x03 => Self::UselessPeer,
            0x04 => Self::TooManyPeers,
            0x05 => Self::AlreadyConnected,
            0x06 => Self::IncompatibleVersion,
            0x07 => Self::InvalidIdentity,
            0x08 => Self::Quitting,
            0x09 => Self::UnexpectedIdentity,
            0x0a => Self::ConnectedToSelf,
            0x0b => Self::Timeout,
            0x10 => Self::Subprotocol,
            other => Self::Unknown(other),
        }
    }

    /// The number to send. An unknown one becomes that of [`Reason::Requested`].
    pub const fn code(self) -> u64 {
        match self {
            Self::Requested | Self::Unknown(_) => 0x00,
            Self::Network => 0x01,
            Self::Protocol => 0x02,
            Self::UselessPeer => 0x03,
            Self::TooManyPeers => 0x04,
            Self::AlreadyConnected => 0x05,
            Self::IncompatibleVersion => 0x06,
            Self::InvalidIdentity => 0x07,
            Self::Quitting => 0x08,
            Self::UnexpectedIdentity => 0x09,
            Self::ConnectedToSelf => 0x0a,
            Self::Timeout => 0x0b,
            Self::Subprotocol => 0x10,
        }
    }

    /// Why there is no connection to a node that says this; nothing if it is no fault.
    pub(super) const fn failure(self) -> Option<DialFailure> {
        match self {
            Self::UselessPeer | Self::IncompatibleVersion => Some(DialFailure::Useless),
            Self::TooManyPeers => Some(DialFailure::Full),
            Self::AlreadyConnected => Some(DialFailure::KeyInUse),
            Self::InvalidIdentity | Self::UnexpectedIdentity => Some(DialFailure::WrongKey),
            Self::ConnectedToSelf => Some(DialFailure::OwnKey),
            Self::Protocol | Self::Subprotocol => Some(DialFailure::Dismissed),
            Self::Requested | Self::Network | Self::Quitting | Self::Timeout | Self::Unknown(_) => {
                None
            }
        }
    }

    /// The payload of a Disconnect.
    pub fn encode(self) -> Vec<u8> {
        let mut payload = Writer::new();
        payload.list(|list| {
            list.uint(self.code());
        });
        payload.into_bytes()
    }

    /// Reads the payload of a Disconnect, as tolerantly as go-ethereum: what has no number in a list
    /// counts as 0, and of several the first counts.
    pub fn decode(payload: &[u8]) -> Self {
        let code = Reader::new(payload).list().and_then(|mut list| list.uint());
        Self::from_code(code.unwrap_or(0))
    }
}

/// The message id of a Disconnect.
pub const CODE: u64 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_but_an_unknown_one_survives_the_wire() {
        for code in 0..=u64::from(u8::MAX) {
            let reason = Reason::from_code(code);
            let again = Reason::decode(&reason.encode());
            match reason {
                Reason::Unknown(_) => assert_eq!(again, Reason::Requested),
                _ => assert_eq!(again, reason),
            }
        }
    }

    #[test]
    fn reason_0x11_is_never_sent() {
        assert!((0..=0x1ff).all(|code| Reason::from_code(code).code() != 0x11));
        assert!((0..=0x1ff).all(|code| Reason::from_code(code).code() <= 0x10));
    }
}
