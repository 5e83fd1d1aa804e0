//! What is stored of sessions: records of a kind and a version, each a list of fields.
//!
//! ```text
//! version (1) ‖ kind (1) ‖ { type (1) ‖ length (4) ‖ value }*
//! ```
//!
//! Types ascend, none stands twice, every length is checked; an unknown version, kind or type is
//! refused. `spec/session.md`, 3.10, gives the storage's envelope around a record.

use alloc::vec::Vec;
use core::fmt;

use zeroize::Zeroizing;

use super::error::RestoreError;
use crate::hash::sha256;
use crate::time::Timestamp;

/// Records that are written together or not at all.
#[derive(Debug, Eq, PartialEq)]
pub struct Batch {
    pub(super) id: BatchId,
    pub(super) records: Vec<Record>,
}

impl Batch {
    /// What to answer [`Sessions::stored`](super::Sessions::stored) or
    /// [`Sessions::not_stored`](super::Sessions::not_stored) with.
    pub const fn id(&self) -> BatchId {
        self.id
    }

    /// What to write.
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// The number of a batch, never used twice while the program runs.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct BatchId(pub(super) u64);

/// One record: it takes the place of the one with the same key.
#[derive(Eq, PartialEq)]
pub struct Record {
    key: RecordKey,
    state: Option<Zeroizing<Vec<u8>>>,
}

impl Record {
    /// A record to write.
    pub(super) fn written(kind: Kind, name: &[u8], write: impl FnOnce(&mut Writer)) -> Self {
        let mut writer = Writer(Zeroizing::new(Vec::with_capacity(ROOM)));
        writer.put(&[VERSION, kind as u8]);
        write(&mut writer);
        Self { key: RecordKey::new(kind, name), state: Some(writer.0) }
    }

    /// A record to remove.
    pub(super) fn removed(kind: Kind, name: &[u8]) -> Self {
        Self { key: RecordKey::new(kind, name), state: None }
    }

    /// Which record.
    pub const fn key(&self) -> RecordKey {
        self.key
    }

    /// What to write: it holds keys and texts, so encrypt it. `None` if the record is to be removed.
    pub fn state(&self) -> Option<&[u8]> {
        self.state.as_ref().map(|state| &***state)
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let length = self.state().map_or(0, <[u8]>::len);
        f.debug_struct("Record")
            .field("key", &self.key)
            .field("state", &format_args!("{length} bytes"))
            .finish()
    }
}

/// The key of a record in the store of one identity.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct RecordKey([u8; 16]);

impl RecordKey {
    fn new(kind: Kind, name: &[u8]) -> Self {
        let hash = sha256(&[&b"WSS1/record"[..], &[kind as u8], name].concat());
        Self(hash.first_chunk().copied().unwrap_or_default())
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// What a record is about: the kinds of `spec/session.md`, 3.10.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Account = 2,
    Contact = 3,
    Session = 4,
    Seen = 5,
    Message = 6,
}

/// Writes fields. What it held is wiped when it grows.
pub(super) struct Writer(Zeroizing<Vec<u8>>);

impl Writer {
    /// A field. Types must ascend.
    pub(super) fn field(&mut self, kind: u8, write: impl FnOnce(&mut Self)) {
        self.put(&[kind, 0, 0, 0, 0]);
        let start = self.0.len();
        write(self);
        let length = u32::try_from(self.0.len().saturating_sub(start)).unwrap_or(u32::MAX);
        let place = start.saturating_sub(4)..start;
        if let Some(place) = self.0.get_mut(place) {
            place.copy_from_slice(&length.to_be_bytes());
        }
    }

    /// A field of one value.
    pub(super) fn value(&mut self, kind: u8, bytes: &[u8]) {
        self.field(kind, |writer| writer.put(bytes));
    }

    /// Bytes of the field that is being written.
    pub(super) fn put(&mut self, bytes: &[u8]) {
        let needed = self.0.len().saturating_add(bytes.len());
        if needed > self.0.capacity() {
            let room = needed.max(self.0.capacity().saturating_mul(2));
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }

    pub(super) fn put_time(&mut self, time: Timestamp) {
        self.put(&time.as_millis().to_be_bytes());
    }
}

/// Reads the fields of a record, in order.
pub(super) struct Fields<'a>(Value<'a>);

impl<'a> Fields<'a> {
    /// The kind of a record, and its fields.
    pub(super) fn of(state: &'a [u8]) -> Result<(Kind, Self), RestoreError> {
        let mut state = Value(state);
        let [version] = state.array()?;
        if version != VERSION {
            return Err(RestoreError::Version { found: version, known: VERSION });
        }
        let [kind] = state.array()?;
        let kinds = [Kind::Account, Kind::Contact, Kind::Session, Kind::Seen, Kind::Message];
        let known = kinds.into_iter().find(|known| *known as u8 == kind);
        Ok((known.ok_or(RestoreError::Corrupt)?, Self(state)))
    }

    /// The field of this type, if it comes next.
    pub(super) fn find(&mut self, kind: u8) -> Result<Option<Value<'a>>, RestoreError> {
        if self.0.0.first() != Some(&kind) {
            return Ok(None);
        }
        let [_, length @ ..] = self.0.array::<5>()?;
        let length = usize::try_from(u32::from_be_bytes(length));
        self.0.bytes(length.map_err(|_| RestoreError::Corrupt)?).map(|bytes| Some(Value(bytes)))
    }

    /// The field of this type, which must come next.
    pub(super) fn take(&mut self, kind: u8) -> Result<Value<'a>, RestoreError> {
        self.find(kind)?.ok_or(RestoreError::Corrupt)
    }

    /// What the field of this type says, which must come next.
    pub(super) fn read<T>(
        &mut self,
        kind: u8,
        read: impl FnOnce(&mut Value<'a>) -> Result<T, RestoreError>,
    ) -> Result<T, RestoreError> {
        let mut value = self.take(kind)?;
        let item = read(&mut value)?;
        value.end().map(|()| item)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), RestoreError> {
        self.0.end()
    }
}

/// The value of a field, read from the front.
pub(super) struct Value<'a>(&'a [u8]);

impl<'a> Value<'a> {
    pub(super) fn bytes(&mut self, length: usize) -> Result<&'a [u8], RestoreError> {
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(RestoreError::Corrupt)?;
        self.0 = rest;
        Ok(bytes)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], RestoreError> {
        let (bytes, rest) = self.0.split_first_chunk().ok_or(RestoreError::Corrupt)?;
        self.0 = rest;
        Ok(*bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, RestoreError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, RestoreError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, RestoreError> {
        self.u64().map(Timestamp::from_millis)
    }

    /// All values of a list.
    pub(super) fn list<T>(
        mut self,
        item: impl Fn(&mut Self) -> Result<T, RestoreError>,
    ) -> Result<Vec<T>, RestoreError> {
        let mut items = Vec::new();
        while !self.0.is_empty() {
            items.push(item(&mut self)?);
        }
        Ok(items)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), RestoreError> {
        if self.0.is_empty() { Ok(()) } else { Err(RestoreError::Corrupt) }
    }
}

/// The version of the format; spec/session.md, 3.10.
const VERSION: u8 = 1;
/// What most records fit into.
const ROOM: usize = 1_024;
