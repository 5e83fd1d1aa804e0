//! What a message says: kinds 0 to 6 and their data.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::size::MAX_DATA;
use super::size::SMALLEST;
use super::size::class_for;
use crate::session::card::Card;
use crate::session::contract::MessageName;

/// What one side says to the other.
#[derive(Clone, Eq, PartialEq)]
pub enum Content {
    /// The application's bytes, at most [`MAX_DATA`].
    App(Vec<u8>),
    /// The names of messages that were opened: 1 to [`MAX_ACKNOWLEDGED`].
    Ack(Vec<MessageName>),
    /// The end of all sessions between the two.
    Close,
    /// Anything, dropped by whoever reads it: it is sent so that something is.
    Cover(Vec<u8>),
    /// The sender's card, whole and without a one-time prekey.
    Card(Box<Card>),
    /// A part of something large.
    Chunk(Chunk),
    /// What was said before under another name.
    Resend(MessageName, Resent),
}

/// What is said again.
#[derive(Clone, Eq, PartialEq)]
pub enum Resent {
    /// The application's bytes.
    App(Vec<u8>),
    /// A part of something large.
    Chunk(Chunk),
}

/// A part of something large.
#[derive(Clone, Eq, PartialEq)]
pub struct Chunk {
    /// What it is a part of: drawn by the sender.
    pub id: [u8; 8],
    /// Which part, from 0.
    pub index: u16,
    /// How many parts there are: 2 to 256.
    pub total: u16,
    /// The bytes: 1 to 63,988.
    pub data: Vec<u8>,
}

impl Content {
    /// Whether the peer acknowledges it.
    pub const fn is_acknowledged(&self) -> bool {
        match self {
            Self::App(_) | Self::Card(_) | Self::Chunk(_) | Self::Resend(..) => true,
            Self::Ack(_) | Self::Close | Self::Cover(_) => false,
        }
    }

    /// Whether an invitation may carry it.
    pub(super) const fn invites(&self) -> bool {
        match self {
            Self::App(_) | Self::Cover(_) | Self::Chunk(_) | Self::Resend(..) => true,
            Self::Ack(_) | Self::Close | Self::Card(_) => false,
        }
    }

    /// The class of a message that says this; none if it is too large, or not of its form.
    pub(super) fn class(&self) -> Option<usize> {
        match self {
            Self::App(data) | Self::Cover(data) | Self::Resend(_, Resent::App(data)) => {
                class_for(data.len())
            }
            Self::Chunk(chunk) | Self::Resend(_, Resent::Chunk(chunk)) => {
                chunk.is_valid().then(|| class_for(chunk.length()))?
            }
            Self::Ack(names) => (1..=MAX_ACKNOWLEDGED).contains(&names.len()).then_some(SMALLEST),
            Self::Card(card) => card.one_time_key().is_none().then_some(SMALLEST),
            Self::Close => Some(SMALLEST),
        }
    }

    /// The number that stands for the kind.
    pub(super) const fn kind(&self) -> u8 {
        match self {
            Self::App(_) => APP,
            Self::Ack(_) => ACK,
            Self::Close => CLOSE,
            Self::Cover(_) => COVER,
            Self::Card(_) => Self::CARD,
            Self::Chunk(_) => CHUNK,
            Self::Resend(..) => RESEND,
        }
    }

    /// How many bytes of data it has.
    pub(super) fn length(&self) -> usize {
        match self {
            Self::App(data) | Self::Cover(data) => data.len(),
            Self::Ack(names) => names.len().saturating_mul(8),
            Self::Close => 0,
            Self::Card(card) => card.to_bytes().len(),
            Self::Chunk(chunk) => chunk.length(),
            Self::Resend(_, Resent::App(data)) => data.len().saturating_add(RESENT),
            Self::Resend(_, Resent::Chunk(chunk)) => chunk.length().saturating_add(RESENT),
        }
    }

    /// Writes the data.
    pub(super) fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::App(data) | Self::Cover(data) => bytes.extend_from_slice(data),
            Self::Ack(names) => {
                names.iter().for_each(|name| bytes.extend_from_slice(name.as_bytes()));
            }
            Self::Close => (),
            Self::Card(card) => bytes.extend_from_slice(&card.to_bytes()),
            Self::Chunk(chunk) => chunk.put(bytes),
            Self::Resend(name, resent) => {
                bytes.extend_from_slice(name.as_bytes());
                match resent {
                    Resent::App(data) => {
                        bytes.push(APP);
                        bytes.extend_from_slice(data);
                    }
                    Resent::Chunk(chunk) => {
                        bytes.push(CHUNK);
                        chunk.put(bytes);
                    }
                }
            }
        }
    }

    /// Reads data of a kind; nothing, if the kind is unknown or the data not of its form.
    pub(super) fn read(kind: u8, data: &[u8]) -> Option<Self> {
        let content = match kind {
            APP => Self::App(data.to_vec()),
            ACK => Self::Ack(names(data)?),
            CLOSE => data.is_empty().then_some(Self::Close)?,
            COVER => Self::Cover(data.to_vec()),
            Self::CARD => Self::Card(Box::new(Card::from_bytes(data).ok()?)),
            CHUNK => Self::Chunk(Chunk::read(data)?),
            RESEND => {
                let (name, rest) = data.split_first_chunk()?;
                let (kind, rest) = rest.split_first()?;
                let resent = match *kind {
                    APP => Resent::App(rest.to_vec()),
                    CHUNK => Resent::Chunk(Chunk::read(rest)?),
                    _ => return None,
                };
                Self::Resend(MessageName::new(*name), resent)
            }
            _ => return None,
        };
        content.class().is_some().then_some(content)
    }

    /// The one kind that never has a block of the KEM beside it: there is no room.
    pub(super) const CARD: u8 = 4;
}

/// Texts are not for logs.
impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Content(kind {}, {} bytes)", self.kind(), self.length())
    }
}

impl Chunk {
    fn length(&self) -> usize {
        self.data.len().saturating_add(CHUNK_HEADER)
    }

    const fn is_valid(&self) -> bool {
        let counted = self.index < self.total && self.total >= 2 && self.total <= MAX_CHUNKS;
        counted && !self.data.is_empty()
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.id);
        bytes.extend_from_slice(&self.index.to_be_bytes());
        bytes.extend_from_slice(&self.total.to_be_bytes());
        bytes.extend_from_slice(&self.data);
    }

    fn read(data: &[u8]) -> Option<Self> {
        let (id, rest) = data.split_first_chunk()?;
        let (index, rest) = rest.split_first_chunk()?;
        let (total, rest) = rest.split_first_chunk()?;
        Some(Self {
            id: *id,
            index: u16::from_be_bytes(*index),
            total: u16::from_be_bytes(*total),
            data: rest.to_vec(),
        })
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chunk({} of {}, {} bytes)", self.index, self.total, self.data.len())
    }
}

impl fmt::Debug for Resent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(data) => write!(f, "Resent({} bytes)", data.len()),
            Self::Chunk(chunk) => write!(f, "Resent({chunk:?})"),
        }
    }
}

fn names(data: &[u8]) -> Option<Vec<MessageName>> {
    let (names, rest) = data.as_chunks::<8>();
    rest.is_empty().then(|| names.iter().map(|name| MessageName::new(*name)).collect())
}

const APP: u8 = 0;
const ACK: u8 = 1;
const CLOSE: u8 = 2;
const COVER: u8 = 3;
const CHUNK: u8 = 5;
const RESEND: u8 = 6;
/// Id, index, total.
const CHUNK_HEADER: usize = 12;
const MAX_CHUNKS: u16 = 256;
/// Name and kind of what is said again.
const RESENT: usize = 9;
/// How many names one acknowledgement has: spec/session.md, 3.7.
pub const MAX_ACKNOWLEDGED: usize = 64;
const _: () = assert!(CHUNK_HEADER + 63_988 == MAX_DATA);

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    fn chunk(index: u16, total: u16, bytes: usize) -> Vec<u8> {
        let numbers = [index.to_be_bytes(), total.to_be_bytes()].concat();
        [&[1; 8][..], &numbers, &vec![2; bytes]].concat()
    }

    fn resent(kind: u8, data: &[u8]) -> Vec<u8> {
        [&[3; 8][..], &[kind], data].concat()
    }

    #[test]
    fn data_of_each_kind_is_read_as_it_was_written() {
        let good = [
            (APP, vec![]),
            (APP, vec![1; MAX_DATA]),
            (ACK, vec![1; 8]),
            (ACK, vec![1; 8 * MAX_ACKNOWLEDGED]),
            (CLOSE, vec![]),
            (COVER, vec![9; 3]),
            (CHUNK, chunk(0, 2, 1)),
            (CHUNK, chunk(255, 256, 63_988)),
            (RESEND, resent(APP, &[])),
            (RESEND, resent(APP, &[7; MAX_DATA])),
            (RESEND, resent(CHUNK, &chunk(1, 2, 63_988))),
        ];
        for (kind, data) in good {
            let content = Content::read(kind, &data).expect("a good form");
            let mut written = Vec::new();
            content.put(&mut written);
            assert_eq!((content.kind(), content.length()), (kind, data.len()));
            assert!(written == data, "kind {kind}");
        }
    }

    #[test]
    fn e18_data_that_is_not_of_its_kinds_form_is_none() {
        let bad = [
            (APP, vec![1; MAX_DATA + 1]),
            (ACK, vec![]),
            (ACK, vec![1; 9]),
            (ACK, vec![1; 8 * (MAX_ACKNOWLEDGED + 1)]),
            (CLOSE, vec![0]),
            (Content::CARD, vec![1; 1_431]),
            (CHUNK, chunk(0, 2, 0)),
            (CHUNK, chunk(0, 1, 1)),
            (CHUNK, chunk(2, 2, 1)),
            (CHUNK, chunk(0, 257, 1)),
            (CHUNK, chunk(0, 2, 63_989)),
            (RESEND, vec![3; 8]),
            (RESEND, resent(ACK, &[1; 8])),
            (RESEND, resent(RESEND, &resent(APP, &[]))),
            (RESEND, resent(CHUNK, &chunk(2, 2, 1))),
            (7, vec![1]),
            (8, vec![1]),
            (u8::MAX, vec![1]),
        ];
        for (kind, data) in bad {
            assert!(Content::read(kind, &data).is_none(), "kind {kind}, {} bytes", data.len());
        }
    }
}
