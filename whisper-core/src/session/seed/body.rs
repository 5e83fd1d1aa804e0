//! What a session message says: `kind (1) ‖ sent_at (4) ‖ seq (4) ‖ n (4) ‖ data (n) ‖ zeros`.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::channel::number;
use crate::session::carrier;
use crate::session::channel::Content;
use crate::session::contract::MessageName;
use crate::session::error::SessionError;

/// A message that came out of an envelope.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Body {
    pub(super) sent_at: u32,
    pub(super) sequence: u32,
    /// Nothing, if it breaks a rule.
    pub(super) content: Option<Said>,
}

/// What the message says, with the numbers that travel.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Said {
    App(Vec<u8>),
    Ack(BTreeSet<u32>),
    Close,
    Cover,
}

impl Said {
    /// The same with names for those numbers that `keep`.
    pub(super) fn named(
        self,
        keep: impl FnMut(&u32) -> bool,
        name: impl FnMut(u32) -> MessageName,
    ) -> Content {
        match self {
            Self::App(data) => Content::App(data),
            Self::Ack(numbers) => {
                Content::Ack(numbers.into_iter().filter(keep).map(name).collect())
            }
            Self::Close => Content::Close,
            Self::Cover => Content::Cover,
        }
    }
}

impl Body {
    /// Lays out the payload, filled with zeros to the smallest class that holds it.
    pub(super) fn encode(
        content: &Content,
        sent_at: u32,
        sequence: u32,
    ) -> Result<Vec<u8>, SessionError> {
        let numbers: Vec<u8>;
        let (kind, data): (u8, &[u8]) = match content {
            Content::App(data) => (APP, data),
            Content::Ack(names) => {
                numbers = names.iter().flat_map(|name| number(name).to_be_bytes()).collect();
                (ACK, &numbers)
            }
            Content::Close => (CLOSE, &[]),
            Content::Cover => (COVER, &[]),
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

    /// Reads a payload; nothing, if it is too short to be one.
    pub(super) fn decode(payload: &[u8]) -> Option<Self> {
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

fn read(kind: u8, length: u32, rest: &[u8]) -> Option<Said> {
    let (data, zeros) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    if zeros.iter().any(|byte| *byte != 0) {
        return None;
    }
    match kind {
        APP => Some(Said::App(data.to_vec())),
        ACK => {
            let numbers = data.chunks(4).map(|bytes| bytes.try_into().ok().map(u32::from_be_bytes));
            let numbers = numbers.collect::<Option<BTreeSet<_>>>()?;
            (!numbers.is_empty()).then_some(Said::Ack(numbers))
        }
        CLOSE => data.is_empty().then_some(Said::Close),
        COVER => Some(Said::Cover),
        _ => None,
    }
}

const APP: u8 = 0;
const ACK: u8 = 1;
const CLOSE: u8 = 2;
const COVER: u8 = 3;
const HEADER: usize = 13;
/// As many numbers as fit the smallest class, so that acknowledging does not show.
pub(in crate::session) const MAX_ACKNOWLEDGED: usize = (1_024 - 3 - HEADER) / 4;
/// What the largest class leaves.
const MAX_DATA: usize = 65_536 - 3 - HEADER;
