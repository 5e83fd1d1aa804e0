//! The sessions of one peer: which is current, which give way, which are over.

use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use super::super::contract::MessageName;
use super::super::contract::Role;
use super::super::contract::SessionId;
use super::super::error::RestoreError;
use super::super::event::Ended;
use super::super::record::Value;
use super::super::record::Writer;
use super::contract::Heard;
use super::due::DAY;
use super::stored::put_option;
use super::stored::take_option;
use crate::time::Timestamp;

/// How far a session is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Stage {
    /// We invited, and nothing came back yet.
    Inviting,
    /// The peer invited, and the user has not answered.
    Pending,
    /// The peer invited and we agree; nothing has been opened on it since.
    Unconfirmed,
    /// The peer has answered.
    Confirmed,
    /// What was sent on it a day ago has no answer. Messages go on it, and in invitations too.
    Stale,
    /// The state of this session was found to be an old one: it only receives.
    Suspect,
    /// The peer has closed it: it only receives what was sent before.
    Closing,
}

/// A session as it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Listing {
    /// Its name.
    pub session: SessionId,
    /// Which side we are.
    pub role: Role,
    /// When it was made, by the initiator's clock.
    pub created_at: Timestamp,
    /// How far it is.
    pub stage: Stage,
}

/// All sessions of a peer that live.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Roster(Vec<Entry>);

/// A session.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Entry {
    pub(super) session: SessionId,
    pub(super) role: Role,
    pub(super) created_at: Timestamp,
    /// Never [`Stage::Stale`]: that follows from the time.
    pub(super) stage: Stage,
    /// When something was last sent or opened on it.
    pub(super) active: Timestamp,
    /// When the first message went that nothing has been opened after.
    pub(super) unanswered: Option<Timestamp>,
    /// When it ends because another is current, or because the peer has closed it.
    pub(super) ends_at: Option<Timestamp>,
    /// The name of what our invitation says: all that is opened here acknowledges it.
    pub(super) text: Option<MessageName>,
    /// What the peer's invitation says, until the user accepts it.
    pub(super) withheld: Option<Heard>,
}

impl Entry {
    pub(super) fn new(
        now: Timestamp,
        session: SessionId,
        created_at: Timestamp,
        stage: Stage,
    ) -> Self {
        let role = match stage {
            Stage::Inviting => Role::Initiator,
            _ => Role::Responder,
        };
        Self {
            session,
            role,
            created_at,
            stage,
            active: now,
            unanswered: None,
            ends_at: None,
            text: None,
            withheld: None,
        }
    }

    /// Whether messages may go on it.
    pub(super) fn is_usable(&self) -> bool {
        matches!(self.stage, Stage::Unconfirmed | Stage::Confirmed)
    }

    /// Whether what was sent on it a day ago has no answer.
    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        let since = self.unanswered.filter(|_| self.is_usable());
        since.is_some_and(|since| now.saturating_since(since) >= DAY)
    }

    /// Notes that something went on it; `awaits` an answer if the peer is to acknowledge it.
    pub(super) fn spoke(&mut self, now: Timestamp, awaits: bool) {
        self.active = now;
        if awaits {
            self.unanswered.get_or_insert(now);
        }
    }

    fn rank(&self) -> (Timestamp, Reverse<SessionId>) {
        (self.created_at, Reverse(self.session))
    }

    fn end(&self) -> (Timestamp, Ended) {
        let idle = match self.stage {
            Stage::Pending => PENDING,
            _ => IDLE,
        };
        let ends = [
            (self.active.saturating_add(idle), Ended::Idle),
            (self.created_at.saturating_add(AGE), Ended::Expired),
            (self.ends_at.unwrap_or(NEVER), Ended::Evicted),
        ];
        ends.into_iter().min_by_key(|(at, _)| *at).unwrap_or((NEVER, Ended::Idle))
    }
}

impl Roster {
    /// The session that messages go on.
    pub(super) fn current(&self) -> Option<SessionId> {
        let usable = self.0.iter().filter(|entry| entry.is_usable());
        usable.max_by_key(|entry| entry.rank()).map(|entry| entry.session)
    }

    pub(super) fn get(&self, session: SessionId) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.session == session)
    }

    pub(super) fn get_mut(&mut self, session: SessionId) -> Option<&mut Entry> {
        self.0.iter_mut().find(|entry| entry.session == session)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.0.iter()
    }

    pub(super) fn entries_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.0.iter_mut()
    }

    /// How many of our invitations have no answer.
    pub(super) fn unanswered(&self) -> usize {
        self.0.iter().filter(|entry| entry.stage == Stage::Inviting).count()
    }

    /// Puts a session in, and gives the one that goes because there are too many of its role: the
    /// oldest, of those that we began not the current one. Of the peer's, those that wait for the
    /// user are counted for themselves.
    pub(super) fn insert(&mut self, entry: Entry) -> Option<Entry> {
        let (role, pending) = (entry.role, entry.stage == Stage::Pending);
        self.0.push(entry);
        let current = self.current().filter(|_| role == Role::Initiator);
        let of_role = |entry: &&Entry| {
            let waits = entry.stage == Stage::Pending;
            entry.role == role && waits == pending
        };
        let most = match role {
            Role::Initiator => MAX_INITIATED,
            Role::Responder => MAX_ACCEPTED,
        };
        if self.0.iter().filter(of_role).count() <= most {
            return None;
        }
        let spare = self.0.iter().filter(of_role).filter(|entry| Some(entry.session) != current);
        let oldest = spare.min_by_key(|entry| entry.rank()).map(|entry| entry.session)?;
        self.remove(oldest)
    }

    pub(super) fn remove(&mut self, session: SessionId) -> Option<Entry> {
        let at = self.0.iter().position(|entry| entry.session == session)?;
        Some(self.0.swap_remove(at))
    }

    /// Takes all out.
    pub(super) fn take_all(&mut self) -> Vec<Entry> {
        core::mem::take(&mut self.0)
    }

    /// Takes out what is over.
    pub(super) fn take_over(&mut self, now: Timestamp) -> Vec<(Entry, Ended)> {
        let over = |entry: &mut Entry| entry.end().0 <= now;
        let over = self.0.extract_if(.., over).map(|entry| {
            let (_, why) = entry.end();
            (entry, why)
        });
        over.collect()
    }

    /// When the next one is over.
    pub(super) fn next_end(&self) -> Option<Timestamp> {
        self.0.iter().map(|entry| entry.end().0).min()
    }

    /// Notes that the clock was set back.
    pub(super) fn set_back(&mut self, now: Timestamp) {
        for entry in &mut self.0 {
            entry.active = entry.active.min(now);
            entry.unanswered = entry.unanswered.map(|since| since.min(now));
        }
    }

    /// Notes that the peer has answered our newest key on the current session: the others are of use
    /// only for what is still on its way.
    pub(super) fn outlive(&mut self, now: Timestamp, current: SessionId) {
        for entry in &mut self.0 {
            let loses = entry.session != current && entry.stage != Stage::Pending;
            match loses {
                true => _ = entry.ends_at.get_or_insert(now.saturating_add(LOSER)),
                false => entry.ends_at = None,
            }
        }
    }
}

// How they are stored.
impl Roster {
    pub(super) fn write(&self, writer: &mut Writer) {
        self.0.iter().for_each(|entry| entry.write(writer));
    }

    pub(super) fn read(value: Value<'_>) -> Result<Self, RestoreError> {
        value.list(Entry::read).map(Self)
    }
}

impl Entry {
    fn write(&self, writer: &mut Writer) {
        writer.put(self.session.as_bytes());
        let stage = STAGES.iter().position(|stage| *stage == self.stage).unwrap_or_default();
        writer.put(&[self.role as u8, u8::try_from(stage).unwrap_or_default()]);
        [self.created_at, self.active].into_iter().for_each(|time| writer.put_time(time));
        put_option(writer, self.unanswered, Writer::put_time);
        put_option(writer, self.ends_at, Writer::put_time);
        put_option(writer, self.text, |writer, name| writer.put(name.as_bytes()));
        put_option(writer, self.withheld.as_ref(), |writer, heard| heard.write(writer));
    }

    fn read(value: &mut Value<'_>) -> Result<Self, RestoreError> {
        let session = SessionId::new(value.array()?);
        let [role, stage] = value.array()?;
        let roles = [Role::Initiator, Role::Responder];
        let role = roles.into_iter().find(|known| *known as u8 == role);
        let stage = STAGES.get(usize::from(stage)).copied();
        Ok(Self {
            session,
            role: role.ok_or(RestoreError::Corrupt)?,
            stage: stage.ok_or(RestoreError::Corrupt)?,
            created_at: value.time()?,
            active: value.time()?,
            unanswered: take_option(value, Value::time)?,
            ends_at: take_option(value, Value::time)?,
            text: take_option(value, |value| value.array().map(MessageName::new))?,
            withheld: take_option(value, Heard::read)?,
        })
    }
}

/// By the numbers under which they are stored.
const STAGES: [Stage; 6] = [
    Stage::Inviting,
    Stage::Pending,
    Stage::Unconfirmed,
    Stage::Confirmed,
    Stage::Suspect,
    Stage::Closing,
];
/// Sessions that one side began; spec 3.11.
const MAX_ACCEPTED: usize = 8;
pub(super) const MAX_INITIATED: usize = 32;
/// spec 3.9.
const LOSER: Duration = Duration::from_secs(7 * DAY.as_secs());
pub(super) const CLOSING: Duration = DAY;
const PENDING: Duration = Duration::from_secs(21 * DAY.as_secs());
const IDLE: Duration = Duration::from_secs(30 * DAY.as_secs());
const AGE: Duration = Duration::from_secs(180 * DAY.as_secs());
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);
