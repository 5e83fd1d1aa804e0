//! How a session is stored.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use super::chain::Awaited;
use super::chain::Chain;
use super::keys::HeaderKey;
use super::keys::Key;
use super::ratchet::Ratchet;
use super::ratchet::Sending;
use super::ratchet::Turn;
use super::round::Round;
use super::round::secret;
use super::session::Session;
use super::session::State;
use crate::crypto::x_only::XOnlyPublicKey;
use crate::crypto::x_only::XOnlySecretKey;
use crate::session::contract::Role;
use crate::session::contract::SessionId;
use crate::session::error::RestoreError;
use crate::session::places::Places;
use crate::session::places::put_hours;
use crate::session::record::Fields;
use crate::session::record::Kind;
use crate::session::record::Record;
use crate::session::record::Value;
use crate::session::record::Writer;

impl Session {
    /// A record of this session alone.
    pub fn record(&self) -> Record {
        Record::written(Kind::Session, self.id.as_bytes(), |writer| self.write(writer))
    }

    /// The session of a record that [`Session::record`] gave.
    ///
    /// # Errors
    /// [`RestoreError`] if it was written by a later version, or is not as it was written.
    pub fn restore(state: &[u8]) -> Result<Self, RestoreError> {
        let (kind, mut fields) = Fields::of(state)?;
        if kind != Kind::Session {
            return Err(RestoreError::Corrupt);
        }
        let session = Self::read(&mut fields)?;
        fields.end().map(|()| session)
    }

    /// Writes its fields.
    pub(in crate::session) fn write(&self, writer: &mut Writer) {
        writer.value(ID, self.id.as_bytes());
        writer.value(ROLE, &[self.role as u8]);
        writer.field(CREATED_AT, |writer| writer.put_time(self.created_at));
        match &self.state {
            State::Live(ratchet) => ratchet.write(writer),
            State::Closing(chain) => writer.field(CLOSING, |writer| chain.write(writer)),
        }
    }

    /// Reads its fields.
    pub(in crate::session) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let id = SessionId::new(fields.read(ID, Value::array)?);
        let [role] = fields.read(ROLE, Value::array)?;
        let roles = [Role::Initiator, Role::Responder];
        let role = roles.into_iter().find(|known| *known as u8 == role);
        let role = role.ok_or(RestoreError::Corrupt)?;
        let created_at = fields.read(CREATED_AT, Value::time)?;
        let state = match fields.find(CLOSING)? {
            Some(mut value) => {
                let chain = Chain::read(&mut value)?;
                value.end()?;
                State::Closing(chain)
            }
            None => State::Live(Box::new(Ratchet::read(fields, role)?)),
        };
        Ok(Self { id, role, created_at, state })
    }
}

impl Ratchet {
    fn write(&self, writer: &mut Writer) {
        writer.value(ROOT, self.root.expose());
        writer.field(TURN, |writer| self.turn.write(writer));
        writer.field(PLACES, |writer| {
            self.places.put(writer);
            self.places.put_sealed(writer);
        });
        writer.field(AWAITED, |writer| {
            writer.put(&self.awaited.number.to_be_bytes());
            writer.put(self.awaited.header.secret().expose());
        });
        writer.field(ROUND, |writer| self.round.write(writer));
        if let Some(at) = self.mixed_at {
            writer.field(MIXED_AT, |writer| writer.put_time(at));
        }
        if let Some(chain) = &self.receiving {
            writer.field(RECEIVING, |writer| chain.write(writer));
        }
        writer.field(SUPERSEDED, |writer| {
            self.superseded.iter().for_each(|chain| chain.write(writer));
        });
    }

    fn read(fields: &mut Fields<'_>, role: Role) -> Result<Self, RestoreError> {
        let root = fields.read(ROOT, key)?;
        let turn = fields.read(TURN, Turn::read)?;
        let mut places = fields.take(PLACES)?;
        let clock = (places.u64()?, places.time()?);
        let places = Places::restore(clock, places)?;
        let awaited = fields.read(AWAITED, |value| {
            Ok(Awaited { number: value.u32()?, header: header_key(value)? })
        })?;
        let round = fields.read(ROUND, Round::restore)?;
        if round.role() != role {
            return Err(RestoreError::Corrupt);
        }
        let mixed_at = match fields.find(MIXED_AT)? {
            Some(mut value) => {
                let at = value.time()?;
                value.end()?;
                Some(at)
            }
            None => None,
        };
        let receiving = fields.find(RECEIVING)?;
        let receiving = receiving.map(|value| whole(value, Chain::read)).transpose()?;
        let superseded = fields.take(SUPERSEDED)?.list(Chain::read)?;
        Ok(Self { root, turn, places, awaited, receiving, superseded, round, mixed_at })
    }
}

impl Turn {
    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Invited { own, next } => {
                writer.put(&[INVITED]);
                writer.put(own.expose());
                writer.put(next.secret().expose());
            }
            Self::Due { peer, header, previous } => {
                writer.put(&[DUE]);
                writer.put(&peer.to_bytes());
                writer.put(header.secret().expose());
                writer.put(&previous.to_be_bytes());
            }
            Self::Sending(sending) => {
                writer.put(&[SENDING]);
                writer.put(sending.own.expose());
                writer.put(sending.header.secret().expose());
                writer.put(sending.next.secret().expose());
                writer.put(sending.chain.expose());
                writer.put(&sending.number.to_be_bytes());
                writer.put(&sending.previous.to_be_bytes());
                writer.put(&[u8::from(sending.mixed)]);
            }
        }
    }

    fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let [turn] = value.array()?;
        Ok(match turn {
            INVITED => Self::Invited { own: private(value)?, next: header_key(value)? },
            DUE => {
                let peer = XOnlyPublicKey::from_bytes(&value.array()?);
                Self::Due {
                    peer: peer.map_err(|_| RestoreError::Corrupt)?,
                    header: header_key(value)?,
                    previous: value.u32()?,
                }
            }
            SENDING => Self::Sending(Sending {
                own: private(value)?,
                header: header_key(value)?,
                next: header_key(value)?,
                chain: key(value)?,
                number: value.u32()?,
                previous: value.u32()?,
                mixed: flag(value)?,
            }),
            _ => return Err(RestoreError::Corrupt),
        })
    }
}

impl Chain {
    fn write(&self, writer: &mut Writer) {
        writer.put(&self.number.to_be_bytes());
        writer.put(self.header.secret().expose());
        writer.put(&self.key);
        writer.put(&[u8::from(self.mixed), u8::from(self.chain.is_some())]);
        if let Some(chain) = &self.chain {
            writer.put(chain.expose());
        }
        writer.put(&self.end.to_be_bytes());
        put_length(writer, self.skipped.len());
        for (number, (kept, key)) in &*self.skipped {
            writer.put(&number.to_be_bytes());
            writer.put_time(*kept);
            writer.put(key.expose());
        }
        put_length(writer, self.hours.len());
        put_hours(writer, &self.hours);
    }

    fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let number = value.u32()?;
        let header = header_key(value)?;
        let remote = value.array()?;
        let mixed = flag(value)?;
        let chain = if flag(value)? { Some(key(value)?) } else { None };
        let end = value.u32()?;
        let skipped = map(value, |value| Ok((value.u32()?, (value.time()?, key(value)?))))?;
        let hours = map(value, |value| Ok((value.u64()?, value.u32()?)))?;
        let (skipped, hours) = (Arc::new(skipped), Arc::new(hours));
        Ok(Self { number, header, key: remote, mixed, chain, end, skipped, hours })
    }
}

/// Reads a value to its end.
fn whole<T>(
    mut value: Value<'_>,
    read: impl FnOnce(&mut Value<'_>) -> Result<T, RestoreError>,
) -> Result<T, RestoreError> {
    let item = read(&mut value)?;
    value.end().map(|()| item)
}

fn put_length(writer: &mut Writer, length: usize) {
    writer.put(&u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
}

/// Reads a map: how many entries it has, and each of them.
fn map<K: Ord, V>(
    value: &mut Value<'_>,
    entry: impl Fn(&mut Value<'_>) -> Result<(K, V), RestoreError>,
) -> Result<BTreeMap<K, V>, RestoreError> {
    let length = value.u32()?;
    let entries: Vec<_> = (0..length).map(|_| entry(value)).collect::<Result<_, _>>()?;
    Ok(entries.into_iter().collect())
}

fn key(value: &mut Value<'_>) -> Result<Key, RestoreError> {
    Ok(Arc::new(secret(value)?))
}

fn header_key(value: &mut Value<'_>) -> Result<HeaderKey, RestoreError> {
    secret(value).map(HeaderKey::new)
}

fn private(value: &mut Value<'_>) -> Result<Arc<XOnlySecretKey>, RestoreError> {
    let own = XOnlySecretKey::from_secret(secret(value)?).map_err(|_| RestoreError::Corrupt)?;
    Ok(Arc::new(own))
}

fn flag(value: &mut Value<'_>) -> Result<bool, RestoreError> {
    match value.array()? {
        [0] => Ok(false),
        [1] => Ok(true),
        _ => Err(RestoreError::Corrupt),
    }
}

const ID: u8 = 64;
const ROLE: u8 = 65;
const CREATED_AT: u8 = 66;
const CLOSING: u8 = 67;
const ROOT: u8 = 68;
const TURN: u8 = 69;
const PLACES: u8 = 70;
const AWAITED: u8 = 71;
const ROUND: u8 = 72;
const MIXED_AT: u8 = 73;
const RECEIVING: u8 = 74;
const SUPERSEDED: u8 = 75;

const INVITED: u8 = 0;
const DUE: u8 = 1;
const SENDING: u8 = 2;
