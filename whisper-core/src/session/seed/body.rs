//! What a session message says: `kind (1) ‖ sent_at (4) ‖ seq (4) ‖ n (4) ‖ data (n) ‖ zeros`.

use alloc::vec::Vec;

use crate::session::carrier;
use crate::session::contract::SessionError;

/// What one side tells the other.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::session) enum Content {
    /// The application's bytes.
    App(Vec<u8>),
    /// Numbers of messages that were read.
    Ack(Vec<u32>),
    /// The end of all sessions between the two.
    Close,
    /// Nothing: it is sent so that something is.
    Cover,
}

/// A message that came out of an envelope.
#[derive(Debug, Eq, PartialEq)]
pub(in crate::session) struct Body {
    pub(in crate::session) sent_at: u32,
    pub(in crate::session) sequence: u32,
    /// Nothing, if it breaks a rule.
    pub(in crate::session) content: Option<Content>,
}

impl Content {
    /// Lays out the payload, filled with zeros to the smallest class that holds it.
    pub(in crate::session) fn encode(&self, sent_at: u32, sequence: u32) -> Result<Vec<u8>, SessionError> {
        let (kind, numbers);
        let data: &[u8] = match self {
            Self::App(data) => {
                kind = APP;
                data
            }
            Self::Ack(sequences) => {
                kind = ACK;
                numbers = sequences.iter().flat_map(|n| n.to_be_bytes()).collect::<Vec<_>>();
                &numbers
            }
            Self::Close => {
                kind = CLOSE;
                &[]
            }
            Self::Cover => {
                kind = COVER;
                &[]
            }
        };
        let too_large = SessionError::TooLarge { max: MAX_DATA };
        let length = u32::try_from(data.len()).map_err(|_| too_large)?;
        let room = carrier::room_for(HEADER.saturating_add(data.len())).ok_or(too_large)?;
        let mut payload = Vec::with_capacity(room);
        payload.push(kind);
        payload.extend_from_slice(&sent_at.to_be_bytes());
        payload.extend_from_slice(&sequence.to_be_bytes());
        payload.extend_from_slice(&length.to_be_bytes());
        payload.extend_from_slice(data);
        payload.resize(room, 0);
        Ok(payload)
    }
}

impl Body {
    /// Reads a payload; nothing, if it is too short to be one.
    pub(in crate::session) fn decode(payload: &[u8]) -> Option<Self> {
        let (kind, rest) = payload.split_first()?;
        let (sent_at, rest) = rest.split_first_chunk()?;
        let (sequence, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        Some(Self {
            sent_at: u32::from_be_bytes(*sent_at),
            sequence: u32::from_be_bytes(*sequence),
            content: read(*kind, u32::from_be_bytes(*length), rest),
        })
    }
}

fn read(kind: u8, length: u32, rest: &[u8]) -> Option<Content> {
    let (data, zeros) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    match kind {
        APP => Some(Content::App(data.to_vec())),
        ACK => {
            let numbers = data.chunks(4).map(|bytes| bytes.try_into().ok().map(u32::from_be_bytes));
            let numbers = numbers.collect::<Option<Vec<_>>>()?;
            (!numbers.is_empty()).then_some(Content::Ack(numbers))
        }
        CLOSE => data.is_empty().then_some(Content::Close),
        COVER => Some(Content::Cover),
        _ => None,
    }
}

const APP: u8 = 0;
const ACK: u8 = 1;
const CLOSE: u8 = 2;
const COVER: u8 = 3;
const HEADER: usize = 13;
/// As many numbers as fit the smallest class, so that acknowledging does not show.
pub(in crate::session) const MAX_ACKED: usize = (1_024 - 3 - HEADER) / 4;
/// What the largest class leaves.
pub(in crate::session) const MAX_DATA: usize = 65_536 - 3 - HEADER;
