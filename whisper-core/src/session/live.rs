//! One session, whatever its mode: what never changes, its state, its channel.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use rand_core::CryptoRng;

use super::channel::Channel;
use super::channel::Content;
use super::channel::Sealed;
use super::contract::MessageName;
use super::contract::MessageOrder;
use super::contract::Outgoing;
use super::contract::Role;
use super::contract::SessionId;
use super::contract::SessionInfo;
use super::contract::SessionState;
use super::contract::SessionTtl;
use super::error::RestoreError;
use super::error::SessionError;
use super::event::Ended;
use super::event::SessionEvent;
use super::record::Fields;
use super::record::Kind;
use super::record::Record;
use super::record::Value;
use super::record::Writer;
use super::signs::Signs;
use super::steadiness::Steadiness;
use crate::envelope::backdate;
use crate::identity::PublicKey;
use crate::pow::Rating;
use crate::time::Timestamp;

/// A session. A step works on a clone.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) facts: Facts,
    pub(super) state: State,
    pub(super) channel: Channel,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Facts {
    pub(super) id: SessionId,
    pub(super) peer: PublicKey,
    pub(super) role: Role,
    pub(super) created_at: Timestamp,
    pub(super) ends_at: Timestamp,
    /// When it was made here, and with how much work the peer asked for it.
    pub(super) arrived_at: Timestamp,
    pub(super) rating: Rating,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct State {
    /// We want to talk on it: we invited, or the peer is a contact, or the user said so.
    pub(super) accepted: bool,
    /// It may be shown: always, but for a bound invitation that may have been passed on by
    /// somebody who cannot derive its keys. One message that opens shows that the peer can.
    pub(super) visible: bool,
    /// A message of the peer has opened on it.
    pub(super) confirmed: bool,
    /// The last time that anything was sent or opened.
    pub(super) active: Timestamp,
    /// Messages to be acknowledged, and when.
    pub(super) owed: Vec<MessageName>,
    pub(super) ack_at: Option<Timestamp>,
    /// What is kept from the user until the session is accepted.
    pub(super) withheld: Vec<Words>,
    pub(super) signs: Signs,
}

/// What the peer says.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Words {
    pub(super) name: MessageName,
    pub(super) order: MessageOrder,
    pub(super) missing: u32,
    pub(super) sent_at: Timestamp,
    pub(super) data: Vec<u8>,
}

impl core::fmt::Debug for Words {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Words({}, {} bytes)", self.name, self.data.len())
    }
}

impl Session {
    pub(super) fn new(facts: Facts, channel: Channel, visible: bool) -> Self {
        let invites = facts.role == Role::Initiator;
        let state = State {
            accepted: invites,
            visible: invites || visible,
            confirmed: false,
            active: facts.arrived_at,
            owed: Vec::new(),
            ack_at: None,
            withheld: Vec::new(),
            signs: Signs::default(),
        };
        Self { facts, state, channel }
    }

    /// Encrypts what is to be said, at the next place of the channel.
    pub(super) fn seal(
        &mut self,
        now: Timestamp,
        ttl: SessionTtl,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<(Outgoing, Option<SessionEvent>), SessionError> {
        let sealed = self.channel.seal(now, content, rng)?;
        let name = matches!(content, Content::App(_)).then_some(sealed.name);
        self.state.active = now;
        if name.is_some() {
            self.state.signs.said(now);
        }
        Ok(self.outgoing(sealed, name, ttl, rng))
    }

    /// What carries a sealed message, and what is to be reported of it.
    pub(super) fn outgoing(
        &self,
        sealed: Sealed,
        message: Option<MessageName>,
        ttl: SessionTtl,
        rng: &mut impl CryptoRng,
    ) -> (Outgoing, Option<SessionEvent>) {
        let Facts { id: session, peer, .. } = self.facts;
        let event = sealed.set_back.then_some(SessionEvent::ClockSetBack { session, peer });
        let outgoing = Outgoing {
            session,
            peer,
            message,
            topic: sealed.topic,
            ttl: ttl.as_duration(),
            jitter: backdate(ttl.as_duration(), rng),
            data: sealed.data,
            seal_again_at: sealed.seal_again_at,
        };
        (outgoing, event)
    }

    /// Notes that a message of the peer has opened.
    pub(super) const fn heard(&mut self, now: Timestamp) {
        self.state.active = now;
        self.state.confirmed = true;
        self.state.visible = true;
        self.state.signs.opened();
    }

    /// Notes that a message is to be acknowledged: within the hour, all at once, so that reading
    /// does not show.
    pub(super) fn owe(&mut self, now: Timestamp, name: MessageName, rng: &mut impl CryptoRng) {
        if self.state.owed.len() >= self.channel.max_acknowledged() {
            self.state.owed.remove(0);
        }
        self.state.owed.push(name);
        self.start_ack(now, rng);
    }

    /// Whether the peer is owed a sign: messages to be acknowledged, or, if it has invited and has
    /// heard nothing yet, the first one.
    pub(super) fn owes_sign(&self) -> bool {
        let is_mute = self.facts.role == Role::Responder && !self.channel.has_sent();
        !self.state.owed.is_empty() || is_mute && self.state.visible
    }

    /// Starts the time until the next acknowledgement, if one is owed and may be given.
    pub(super) fn start_ack(&mut self, now: Timestamp, rng: &mut impl CryptoRng) {
        if self.state.accepted && self.state.ack_at.is_none() && self.owes_sign() {
            let delay = Duration::from_millis(rng.next_u64() % MAX_ACK_DELAY);
            self.state.ack_at = Some(now.saturating_add(delay));
        }
    }

    /// Whether messages go on it as on one that the peer is known to read.
    pub(super) fn is_usable(&self) -> bool {
        match self.facts.role {
            Role::Initiator => self.state.confirmed,
            Role::Responder => self.state.accepted && self.state.visible,
        }
    }

    /// Whether it waits for the user.
    pub(super) fn is_pending(&self) -> bool {
        !self.state.accepted
    }

    /// What comes first among sessions of a peer: the newest, then the lowest name.
    pub(super) fn rank(&self) -> (Timestamp, Reverse<SessionId>) {
        (self.facts.created_at, Reverse(self.facts.id))
    }

    /// What comes first among those that wait: one that has shown itself, more work, the newest.
    pub(super) fn worth(&self) -> (bool, Rating, Timestamp, Reverse<SessionId>) {
        let Facts { rating, arrived_at, id, .. } = self.facts;
        (self.state.visible, rating, arrived_at, Reverse(id))
    }

    /// Why it is over at `now`, if it is.
    pub(super) fn over(&self, now: Timestamp) -> Option<Ended> {
        if now >= self.facts.ends_at {
            Some(Ended::Expired)
        } else {
            (now >= self.idle_at()).then_some(Ended::Idle)
        }
    }

    /// When something is due on it, as far as the last look at the clock shows.
    pub(super) fn deadline(&self, clock: &Steadiness) -> Timestamp {
        let end = self.facts.ends_at.min(self.idle_at()).max(clock.steady_at());
        let ack_at = self.state.ack_at.filter(|_| self.over(clock.last()).is_none());
        let stale_at = self.state.signs.stale_at().map(|at| at.max(clock.steady_at()));
        ack_at.into_iter().chain(stale_at).fold(end, Timestamp::min)
    }

    /// Whether it ends now, or is to acknowledge something.
    pub(super) fn is_due(&self, now: Timestamp, is_steady: bool) -> bool {
        is_steady && (self.over(now).is_some() || self.is_stale(now)) || self.is_ack_due(now)
    }

    /// Whether it is to be told that the peer does not answer.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        self.state.signs.stale_at().is_some_and(|at| at <= now)
    }

    /// Whether an acknowledgement is due. One that lies too far ahead was set by another clock.
    pub(super) fn is_ack_due(&self, now: Timestamp) -> bool {
        let at = self.state.ack_at.filter(|_| self.over(now).is_none());
        at.is_some_and(|at| at <= now || at.saturating_since(now) > TOO_FAR)
    }

    /// What waits for the user waits longer: the user may be away.
    fn idle_at(&self) -> Timestamp {
        let waits = self.is_pending() && self.state.visible;
        self.state.active.saturating_add(if waits { PENDING } else { IDLE })
    }

    pub(super) fn info(&self) -> SessionInfo {
        let state = match (self.facts.role, self.state.accepted) {
            (Role::Initiator, _) if !self.state.confirmed => SessionState::Inviting,
            (_, true) => SessionState::Established,
            (_, false) => SessionState::Pending,
        };
        let Facts { id, peer, role, created_at, ends_at, .. } = self.facts;
        SessionInfo { id, kind: self.channel.kind(), peer, role, state, created_at, ends_at }
    }

    pub(super) fn established(&self) -> SessionEvent {
        SessionEvent::Established { session: self.facts.id, peer: self.facts.peer }
    }

    pub(super) fn invited(&self) -> SessionEvent {
        SessionEvent::Invited { session: self.facts.id, peer: self.facts.peer }
    }

    pub(super) fn stale(&self) -> SessionEvent {
        SessionEvent::Stale { session: self.facts.id, peer: self.facts.peer }
    }

    pub(super) fn ended(&self, why: Ended) -> SessionEvent {
        SessionEvent::Ended { session: self.facts.id, peer: self.facts.peer, why }
    }

    pub(super) fn message(&self, words: Words) -> SessionEvent {
        let Facts { id: session, peer, .. } = self.facts;
        let Words { name, order, missing, sent_at, data } = words;
        SessionEvent::Message { session, peer, name, order, missing, sent_at, data }
    }

    /// How many bytes are kept from the user, each message with what it costs beside its text.
    pub(super) fn withheld_bytes(&self) -> usize {
        let lengths = self.state.withheld.iter().map(|words| words.data.len());
        lengths.fold(0, |sum, length| sum.saturating_add(length).saturating_add(OVERHEAD))
    }
}

// How it is stored.
impl Session {
    pub(super) fn record(&self) -> Record {
        let Self { facts, state, channel } = self;
        Record::written(Kind::Session, facts.id.as_bytes(), |writer| {
            writer.value(ID, facts.id.as_bytes());
            writer.value(PEER, &facts.peer.to_compressed());
            writer.value(ROLE, &[facts.role as u8]);
            writer.field(TIMES, |writer| {
                let times = [facts.created_at, facts.ends_at, facts.arrived_at, state.active];
                times.into_iter().for_each(|time| writer.put_time(time));
            });
            writer.value(RATING, &facts.rating.to_bits().to_be_bytes());
            let flags = [state.accepted, state.visible, state.confirmed];
            writer.value(FLAGS, &flags.map(u8::from));
            if let Some(at) = state.ack_at {
                writer.field(ACK_AT, |writer| writer.put_time(at));
            }
            writer.field(OWED, |writer| {
                state.owed.iter().for_each(|name| writer.put(name.as_bytes()));
            });
            writer.field(WITHHELD, |writer| {
                state.withheld.iter().for_each(|words| words.write(writer));
            });
            state.signs.write(SIGNS, writer);
            channel.write(writer);
        })
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let id = SessionId(fields.read(ID, Value::array)?);
        let peer = PublicKey::from_compressed(&fields.read(PEER, Value::array)?);
        let [role] = fields.read(ROLE, Value::array)?;
        let roles = [Role::Initiator, Role::Responder];
        let role = roles.into_iter().find(|known| *known as u8 == role);
        let (created_at, ends_at, arrived_at, active) = fields.read(TIMES, |value| {
            Ok((value.time()?, value.time()?, value.time()?, value.time()?))
        })?;
        let rating = Rating::from_bits(fields.read(RATING, Value::u64)?);
        let [accepted, visible, confirmed] = fields.read(FLAGS, Value::array::<3>)?;
        if [accepted, visible, confirmed].iter().any(|flag| *flag > 1) {
            return Err(RestoreError::Corrupt);
        }
        let ack_at = fields.find(ACK_AT)?.map(|mut value| value.time());
        let facts = Facts {
            id,
            peer: peer.map_err(|_| RestoreError::Corrupt)?,
            role: role.ok_or(RestoreError::Corrupt)?,
            created_at,
            ends_at,
            arrived_at,
            rating: rating.map_err(|_| RestoreError::Corrupt)?,
        };
        let state = State {
            accepted: accepted == 1,
            visible: visible == 1,
            confirmed: confirmed == 1,
            active,
            ack_at: ack_at.transpose()?,
            owed: fields.take(OWED)?.list(|value| value.array().map(MessageName::new))?,
            withheld: fields.take(WITHHELD)?.list(Words::read)?,
            signs: Signs::read(SIGNS, fields)?,
        };
        Ok(Self { facts, state, channel: Channel::read(fields)? })
    }
}

impl Words {
    fn write(&self, writer: &mut Writer) {
        writer.put(self.name.as_bytes());
        writer.put(&self.order.as_u64().to_be_bytes());
        writer.put(&self.missing.to_be_bytes());
        writer.put_time(self.sent_at);
        let length = u32::try_from(self.data.len()).unwrap_or(u32::MAX);
        writer.put(&length.to_be_bytes());
        writer.put(&self.data);
    }

    fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        Ok(Self {
            name: MessageName::new(value.array()?),
            order: MessageOrder::new(value.u64()?),
            missing: value.u32()?,
            sent_at: value.time()?,
            data: {
                let length = usize::try_from(value.u32()?).map_err(|_| RestoreError::Corrupt)?;
                value.bytes(length)?.to_vec()
            },
        })
    }
}

/// One hour, and the millisecond that makes its end possible.
const MAX_ACK_DELAY: u64 = 3_600_001;
/// No acknowledgement waits so long: an hour, and one that is full.
const TOO_FAR: Duration = Duration::from_secs(3 * 3_600);
const IDLE: Duration = Duration::from_secs(86_400);
/// As long as the full mode waits.
const PENDING: Duration = Duration::from_secs(21 * 86_400);
/// What a message that is kept takes beside its text.
const OVERHEAD: usize = 64;

const ID: u8 = 1;
const PEER: u8 = 2;
const ROLE: u8 = 3;
const TIMES: u8 = 4;
const RATING: u8 = 5;
const FLAGS: u8 = 6;
const ACK_AT: u8 = 7;
const OWED: u8 = 8;
const WITHHELD: u8 = 9;
const SIGNS: u8 = 10;
