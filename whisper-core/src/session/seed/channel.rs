//! A session of seed mode: its keys, what was sent when, what was opened already.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use rand_core::CryptoRng;

use super::body::Body;
use super::body::Said;
use super::chain::Receiving;
use super::chain::Sending;
use super::invitation::Invitation;
use super::keys::Direction;
use super::keys::Keys;
use crate::identity::Identity;
use crate::identity::InvalidKey;
use crate::identity::PublicKey;
use crate::session::carrier;
use crate::session::channel;
use crate::session::channel::Content;
use crate::session::channel::Opened;
use crate::session::channel::Sealed;
use crate::session::contract::MessageName;
use crate::session::contract::MessageOrder;
use crate::session::contract::Role;
use crate::session::contract::SessionKind;
use crate::session::error::OpenError;
use crate::session::error::RestoreError;
use crate::session::error::SessionError;
use crate::session::hours::start_of;
use crate::session::places::Slot;
use crate::session::record::Fields;
use crate::session::record::Value;
use crate::session::record::Writer;
use crate::session::signs::Fork;
use crate::session::watch::Lane;
use crate::session::watch::Place;
use crate::time::Timestamp;
use crate::topic::Topic;

/// The keys and counters of a session.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::session) struct Channel {
    id: [u8; 16],
    bound: bool,
    pub(in crate::session) keys: Arc<Keys>,
    sending: Sending,
    receiving: Arc<Receiving>,
}

impl Channel {
    /// The channel that an invitation between `own` and `peer` makes.
    pub(in crate::session) fn new(
        invitation: &Invitation,
        own: &Identity,
        peer: &PublicKey,
        role: Role,
    ) -> Result<Self, InvalidKey> {
        Ok(Self {
            id: invitation.id,
            bound: invitation.bound,
            keys: Arc::new(Keys::derive(invitation, own, peer, role)?),
            sending: Sending::default(),
            receiving: Arc::default(),
        })
    }

    /// The name and the order of the text of an invitation: before all messages.
    pub(in crate::session) fn text(&self) -> (MessageName, MessageOrder) {
        (self.name(u32::MAX), MessageOrder::new(0))
    }

    pub(in crate::session) fn seal(
        &mut self,
        now: Timestamp,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SessionError> {
        let sent_at = u32::try_from(now.as_secs()).map_err(|_| SessionError::Date)?;
        let mut sending = self.sending.clone();
        let sequence = sending.number()?;
        let slot = sending.advance(now)?;
        let payload = Body::encode(content, sent_at, sequence)?;
        let data = carrier::seal(&payload, &self.keys.sending.key, rng)?;
        self.sending = sending;
        Ok(self.sealed(sequence, slot, data))
    }

    pub(in crate::session) fn seal_again(
        &mut self,
        now: Timestamp,
        data: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Result<Sealed, SessionError> {
        let key = &self.keys.sending.key;
        let message = carrier::open(data, key).map_err(|_| SessionError::NoSession)?;
        let body = Body::decode(message.payload()).ok_or(SessionError::NoSession)?;
        let mut sending = self.sending.clone();
        let slot = sending.advance(now)?;
        let data = carrier::seal(message.payload(), key, rng)?;
        self.sending = sending;
        Ok(self.sealed(body.sequence, slot, data))
    }

    pub(in crate::session) fn open(&self, place: Place, data: &[u8]) -> Result<Opened, OpenError> {
        let message =
            carrier::open(data, &self.keys.receiving.key).map_err(|_| OpenError::NotOurs)?;
        let payload = carrier::payload(&message).ok_or(OpenError::Malformed)?;
        let body = Body::decode(payload).ok_or(OpenError::Malformed)?;
        let is_new = self.receiving.is_new(body.sequence);
        // A copy says when the first one was sent, and that was not after all others.
        if !is_new && !self.receiving.is_newest(body.sent_at) {
            return Err(OpenError::Duplicate);
        }
        let mut receiving = Receiving::clone(&self.receiving);
        if is_new {
            receiving.note(body.sequence, body.sent_at, place.epoch, place.index);
        }
        let fork = (!is_new).then_some(Fork::Peer);
        let fork = fork.or_else(|| self.reads_more(&body).then_some(Fork::Own));
        // Numbers that were never sent are dropped: nobody can have read those messages.
        let sent = |number: &u32| *number < self.sending.sealed();
        let name = |number| self.name(number);
        Ok(Opened {
            name: self.name(body.sequence),
            order: MessageOrder::new(u64::from(body.sequence).saturating_add(1)),
            missing: receiving.missing(body.sequence),
            sent_at: Timestamp::from_secs(body.sent_at.into()),
            fork,
            content: body.content.map(|content| content.named(sent, name)),
            channel: channel::Channel::Seed(Self {
                receiving: Arc::new(receiving),
                ..self.clone()
            }),
        })
    }

    /// Whether this side has sent anything.
    pub(in crate::session) const fn has_sent(&self) -> bool {
        self.sending.sealed() > 0
    }

    pub(in crate::session) fn lane(&self) -> &dyn Lane {
        self
    }

    pub(in crate::session) fn kind(&self) -> SessionKind {
        SessionKind::Seed { bound: self.bound, fixed_topic: self.keys.sending.is_fixed() }
    }

    pub(in crate::session) fn write(&self, writer: &mut Writer) {
        let fixed = self.keys.sending.is_fixed();
        writer.value(ID, &self.id);
        writer.value(FLAGS, &[u8::from(self.bound) | u8::from(fixed) << 1]);
        writer.value(SENDING_KEY, self.keys.sending.secret.expose());
        writer.value(RECEIVING_KEY, self.keys.receiving.secret.expose());
        self.sending.write(writer);
        self.receiving.write(writer);
    }

    pub(in crate::session) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let id = fields.read(ID, Value::array)?;
        let [flags] = fields.read(FLAGS, Value::array)?;
        if flags > 3 {
            return Err(RestoreError::Corrupt);
        }
        let mut direction = |kind| {
            let key = fields.read(kind, |value| value.bytes(32))?;
            Direction::restore(&id, key, flags & 2 != 0).ok_or(RestoreError::Corrupt)
        };
        let keys = Keys { sending: direction(SENDING_KEY)?, receiving: direction(RECEIVING_KEY)? };
        Ok(Self {
            id,
            bound: flags & 1 != 0,
            keys: Arc::new(keys),
            sending: Sending::read(fields)?,
            receiving: Arc::new(Receiving::read(fields)?),
        })
    }

    /// Whether the peer acknowledges what was never sent here.
    fn reads_more(&self, body: &Body) -> bool {
        let Some(Said::Ack(numbers)) = &body.content else { return false };
        numbers.last().is_some_and(|last| *last >= self.sending.sealed())
    }

    fn sealed(&self, sequence: u32, slot: Slot, data: Vec<u8>) -> Sealed {
        let keys = &self.keys.sending;
        let ends = start_of(slot.epoch.saturating_add(1));
        Sealed {
            name: self.name(sequence),
            topic: keys.topic(slot.epoch, slot.index),
            data,
            seal_again_at: (!keys.is_fixed()).then_some(ends),
            set_back: slot.set_back,
        }
    }

    /// The name of the message with this number: one pair of people hardly has two sessions whose
    /// ids begin alike.
    fn name(&self, sequence: u32) -> MessageName {
        let mut name = [0; 8];
        let (session, number) = name.split_at_mut(4);
        session.copy_from_slice(self.id.first_chunk::<4>().unwrap_or(&[0; 4]));
        number.copy_from_slice(&sequence.to_be_bytes());
        MessageName::new(name)
    }
}

impl Lane for Channel {
    fn topic(&self, epoch: u64, index: u32) -> Topic {
        self.keys.receiving.topic(epoch, index)
    }

    fn next(&self) -> &BTreeMap<u64, u32> {
        &self.receiving.next
    }

    fn is_fixed(&self) -> bool {
        self.keys.receiving.is_fixed()
    }
}

/// The number in a name.
pub(super) fn number(name: &MessageName) -> u32 {
    name.as_bytes().last_chunk().copied().map_or(u32::MAX, u32::from_be_bytes)
}

const ID: u8 = 33;
const FLAGS: u8 = 34;
const SENDING_KEY: u8 = 35;
const RECEIVING_KEY: u8 = 36;
