//! How a dialogue is stored: a record for itself, one for each part of a text, one for each block of
//! names, one for each chunk. A step writes those that it changes.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::super::contract::MessageName;
use super::super::contract::SessionId;
use super::super::error::RestoreError;
use super::super::record::Fields;
use super::super::record::Kind;
use super::super::record::Record;
use super::super::record::Value;
use super::super::record::Writer;
use super::acks::Acks;
use super::cards::Cards;
use super::chunks;
use super::contract::Chunk;
use super::contract::Content;
use super::contract::Heard;
use super::contract::Part;
use super::contract::Place;
use super::contract::TextId;
use super::engine::Dialogue;
use super::engine::Trust;
use super::event::Obstacle;
use super::inviting::Inviting;
use super::names::Block;
use super::names::Names;
use super::outbox;
use super::outbox::Outbox;
use super::roster::Roster;
use crate::identity::PublicKey;

impl Dialogue {
    /// What to store of the dialogue with `peer` after a step that began with `before`, or at the
    /// beginning: records to write and to remove.
    pub fn records(&self, peer: &PublicKey, before: Option<&Self>) -> Vec<Record> {
        let peer = peer.to_compressed();
        let empty = Self::new();
        let old = before.unwrap_or(&empty);
        let mut records = alloc::vec![self.record(&peer)];
        let (now, then) = (self.stored_parts(), old.stored_parts());
        let part = |part: &outbox::Kept<'_>, writer: &mut Writer| part.write(writer);
        difference(&mut records, (&peer, Kind::Message, PART), (&now, &then), part);
        let (now, then) = (self.stored_chunks(), old.stored_chunks());
        difference(&mut records, (&peer, Kind::Message, CHUNK), (&now, &then), chunks::Kept::write);
        let (now, then) = (self.stored_blocks(), old.stored_blocks());
        difference(&mut records, (&peer, Kind::Seen, BLOCK), (&now, &then), |block, writer| {
            block.write(writer);
        });
        records
    }

    /// The dialogue as it was stored: `states` are those of its records that were written last and
    /// not removed, in any order.
    ///
    /// # Errors
    /// [`RestoreError`] if a record is not what a dialogue has written.
    pub fn restore(states: impl IntoIterator<Item: AsRef<[u8]>>) -> Result<Self, RestoreError> {
        let (mut main, mut outbox, mut blocks) = (None, Outbox::default(), Vec::new());
        let mut chunks = chunks::Chunks::default();
        for state in states {
            let (kind, mut fields) = Fields::of(state.as_ref())?;
            match kind {
                Kind::Contact => {
                    let before = main.replace(Self::read(&mut fields)?);
                    if before.is_some() {
                        return Err(RestoreError::Repeated);
                    }
                }
                Kind::Message => {
                    if let Some(part) = fields.find(PART)? {
                        outbox.read_part(part)?;
                    } else {
                        chunks.put(chunks::Kept::read(fields.take(CHUNK)?)?);
                    }
                }
                Kind::Seen => blocks.push(Block::read(fields.take(BLOCK)?)?),
                Kind::Account | Kind::Session => return Err(RestoreError::Corrupt),
            }
            fields.end()?;
        }
        let mut dialogue = main.ok_or(RestoreError::Corrupt)?;
        dialogue.outbox.put_parts(outbox);
        dialogue.names.put_blocks(blocks);
        dialogue.chunks = chunks;
        Ok(dialogue)
    }

    fn stored_parts(&self) -> Named<outbox::Kept<'_>> {
        let name = |(text, index): (TextId, u16)| {
            [&text.0.to_be_bytes()[..], &index.to_be_bytes()].concat()
        };
        self.outbox.parts().map(|(key, part)| (name(key), part)).collect()
    }

    fn stored_chunks(&self) -> Named<chunks::Kept> {
        let name = |(id, index): ([u8; 8], u16)| [&id[..], &index.to_be_bytes()].concat();
        self.chunks.all().map(|(key, chunk)| (name(key), chunk)).collect()
    }

    fn stored_blocks(&self) -> Named<&Block> {
        let blocks = self.names.blocks();
        blocks.map(|(number, block)| (number.to_be_bytes().to_vec(), block)).collect()
    }

    fn record(&self, peer: &[u8]) -> Record {
        Record::written(Kind::Contact, &[peer, b"dialogue"].concat(), |writer| {
            writer.field(1, |writer| {
                let Trust { accepted, verified, changed } = self.trust;
                writer.put(&[accepted, verified, changed].map(u8::from));
                writer.put_time(self.looked_at);
                put_option(writer, self.home, |writer, home| writer.put(home.as_bytes()));
                put_option(writer, self.obstacle, |writer, obstacle| obstacle.write(writer));
                put_option(writer, self.forked_at, Writer::put_time);
            });
            writer.field(2, |writer| self.roster.write(writer));
            writer.field(3, |writer| self.names.write(writer));
            writer.field(4, |writer| self.acks.write(writer));
            writer.field(5, |writer| self.outbox.write(writer));
            writer.field(6, |writer| self.cards.write(writer));
            writer.field(7, |writer| self.inviting.write(writer));
        })
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let mut dialogue = fields.read(1, |value| {
            let trust = Trust {
                accepted: take_flag(value)?,
                verified: take_flag(value)?,
                changed: take_flag(value)?,
            };
            Ok(Self {
                trust,
                looked_at: value.time()?,
                home: take_option(value, |value| value.array().map(SessionId::new))?,
                obstacle: take_option(value, Obstacle::read)?,
                forked_at: take_option(value, Value::time)?,
                ..Self::new()
            })
        })?;
        dialogue.roster = Roster::read(fields.take(2)?)?;
        dialogue.names = Names::read(fields.take(3)?)?;
        dialogue.acks = Acks::read(fields.take(4)?)?;
        dialogue.outbox = fields.read(5, Outbox::read)?;
        dialogue.cards = Cards::read(fields.take(6)?)?;
        dialogue.inviting = fields.read(7, Inviting::read)?;
        Ok(dialogue)
    }
}

/// What is stored for itself, by the end of the name of its record.
type Named<T> = BTreeMap<Vec<u8>, T>;

/// Writes what is new or another, and removes what is gone.
fn difference<T: PartialEq>(
    records: &mut Vec<Record>,
    (peer, kind, field): (&[u8], Kind, u8),
    (now, then): (&Named<T>, &Named<T>),
    write: impl Fn(&T, &mut Writer),
) {
    let full = |name: &[u8]| [peer, &[field], name].concat();
    for (name, item) in now.iter().filter(|(name, item)| then.get(*name) != Some(*item)) {
        records.push(Record::written(kind, &full(name), |writer| {
            writer.field(field, |writer| write(item, writer));
        }));
    }
    let gone = then.keys().filter(|name| !now.contains_key(*name));
    records.extend(gone.map(|name| Record::removed(kind, &full(name))));
}

impl Heard {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(self.name.as_bytes());
        writer.put(&self.place.chain.to_be_bytes());
        writer.put(&self.place.number.to_be_bytes());
        writer.put_time(self.sent_at);
        put_option(writer, self.content.as_ref(), |writer, content| content.write(writer));
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            name: MessageName::new(value.array()?),
            place: Place { chain: value.u32()?, number: value.u32()? },
            sent_at: value.time()?,
            content: take_option(value, Content::read)?,
        })
    }
}

// Numbered as on the wire.
impl Content {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Part(part) => {
                writer.put(&[0]);
                part.write(writer);
            }
            Self::Ack(names) => {
                writer.put(&[1]);
                put_length(writer, names.len());
                names.iter().for_each(|name| writer.put(name.as_bytes()));
            }
            Self::Close => writer.put(&[2]),
            Self::Cover => writer.put(&[3]),
            Self::Card => writer.put(&[4]),
            Self::Resend { name, sent_at, part } => {
                writer.put(&[6]);
                writer.put(name.as_bytes());
                writer.put_time(*sent_at);
                part.write(writer);
            }
        }
    }

    fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(match value.array()? {
            [0] => Self::Part(Part::read(value)?),
            [1] => {
                let count = take_length(value)?;
                let names = (0..count).map(|_| value.array().map(MessageName::new));
                Self::Ack(names.collect::<Result<_, _>>()?)
            }
            [2] => Self::Close,
            [3] => Self::Cover,
            [4] => Self::Card,
            [6] => Self::Resend {
                name: MessageName::new(value.array()?),
                sent_at: value.time()?,
                part: Part::read(value)?,
            },
            _ => return Err(RestoreError::Corrupt),
        })
    }
}

impl Part {
    pub(super) fn write(&self, writer: &mut Writer) {
        match self {
            Self::Whole(data) => {
                writer.put(&[0]);
                put_data(writer, data);
            }
            Self::Chunk(chunk) => {
                writer.put(&[5]);
                chunk.write(writer);
            }
        }
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        match value.array()? {
            [0] => take_data(value).map(Self::Whole),
            [5] => Chunk::read(value).map(Self::Chunk),
            _ => Err(RestoreError::Corrupt),
        }
    }
}

impl Chunk {
    pub(super) fn write(&self, writer: &mut Writer) {
        writer.put(&self.id);
        writer.put(&self.index.to_be_bytes());
        writer.put(&self.total.to_be_bytes());
        put_data(writer, &self.data);
    }

    pub(super) fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let id = value.array()?;
        let [index, total] = [value.array()?, value.array()?].map(u16::from_be_bytes);
        Ok(Self { id, index, total, data: take_data(value)? })
    }
}

/// A value that may be absent.
pub(super) fn put_option<T>(
    writer: &mut Writer,
    value: Option<T>,
    put: impl FnOnce(&mut Writer, T),
) {
    writer.put(&[value.is_some().into()]);
    if let Some(value) = value {
        put(writer, value);
    }
}

pub(super) fn take_option<'a, T>(
    value: &mut Value<'a>,
    take: impl FnOnce(&mut Value<'a>) -> Result<T, RestoreError>,
) -> Result<Option<T>, RestoreError> {
    take_flag(value)?.then(|| take(value)).transpose()
}

pub(super) fn take_flag(value: &mut Value<'_>) -> Result<bool, RestoreError> {
    match value.array()? {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(RestoreError::Corrupt),
    }
}

fn put_length(writer: &mut Writer, length: usize) {
    writer.put(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

fn take_length(value: &mut Value<'_>) -> Result<usize, RestoreError> {
    usize::try_from(value.u32()?).map_err(|_| RestoreError::Corrupt)
}

fn put_data(writer: &mut Writer, data: &[u8]) {
    put_length(writer, data.len());
    writer.put(data);
}

fn take_data(value: &mut Value<'_>) -> Result<Arc<[u8]>, RestoreError> {
    let length = take_length(value)?;
    value.bytes(length).map(Into::into)
}

const PART: u8 = 1;
const CHUNK: u8 = 2;
const BLOCK: u8 = 3;
