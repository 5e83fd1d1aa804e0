//! What the sessions of an identity share: contacts, settings, invitations that came.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::time::Duration;

use super::contract::Role;
use super::contract::SessionId;
use super::contract::SessionTtl;
use super::error::RestoreError;
use super::live::Facts;
use super::record::Fields;
use super::record::Kind;
use super::record::Record;
use super::record::Value;
use crate::identity::PublicKey;
use crate::time::Timestamp;

/// What is not of one session.
#[derive(Debug, PartialEq)]
pub(super) struct Account {
    pub(super) settings: Settings,
    pub(super) contacts: BTreeSet<PublicKey>,
    pub(super) seen: Seen,
}

impl Account {
    pub(super) fn new(now: Timestamp) -> Self {
        let settings = Settings {
            ttl: SessionTtl::default(),
            budget: Budget::default(),
            refused_before: now.saturating_sub(BEFORE_START),
        };
        Self { settings, contacts: BTreeSet::new(), seen: Seen::default() }
    }

    /// Whether a session of the peer's may have been taken up by an earlier start of this program: its
    /// invitation was made before this one. What was sent on it then is not known.
    pub(super) fn may_have_used(&self, facts: &Facts) -> bool {
        let start = self.settings.refused_before.saturating_add(BEFORE_START);
        facts.role == Role::Responder && facts.created_at.as_secs() < start.as_secs()
    }

    /// Takes in a record of one of its kinds.
    pub(super) fn restore(
        &mut self,
        kind: Kind,
        fields: &mut Fields<'_>,
    ) -> Result<(), RestoreError> {
        let new = match kind {
            Kind::Account => {
                self.settings = Settings::read(fields)?;
                true
            }
            Kind::Contact => {
                let key = PublicKey::from_compressed(&fields.read(1, Value::array)?);
                self.contacts.insert(key.map_err(|_| RestoreError::Corrupt)?)
            }
            Kind::Seen => {
                let (id, created_at, until) = fields.read(1, |value| {
                    Ok((SessionId(value.array()?), value.time()?, value.time()?))
                })?;
                self.seen.insert(id, Times { created_at, until })
            }
            Kind::Session | Kind::Message => return Err(RestoreError::Corrupt),
        };
        if new { Ok(()) } else { Err(RestoreError::Repeated) }
    }
}

/// The part of an account that is one record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Settings {
    pub(super) ttl: SessionTtl,
    pub(super) budget: Budget,
    /// Invitations that were made earlier are refused: they may have come before, unseen by this
    /// program, or may be forgotten.
    pub(super) refused_before: Timestamp,
}

impl Settings {
    pub(super) fn record(&self) -> Record {
        Record::written(Kind::Account, &[], |writer| {
            writer.value(1, &[self.ttl as u8]);
            writer.field(2, |writer| {
                writer.put_time(self.budget.all.since);
                writer.put_time(self.budget.strangers.since);
            });
            writer.field(3, |writer| writer.put_time(self.refused_before));
        })
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        let [ttl] = fields.read(1, Value::array)?;
        let ttls = [SessionTtl::Minute, SessionTtl::TenMinutes, SessionTtl::Hour, SessionTtl::Day];
        let ttl = ttls.into_iter().find(|known| *known as u8 == ttl);
        let mut budget = Budget::default();
        (budget.all.since, budget.strangers.since) =
            fields.read(2, |value| Ok((value.time()?, value.time()?)))?;
        let refused_before = fields.read(3, Value::time)?;
        Ok(Self { ttl: ttl.ok_or(RestoreError::Corrupt)?, budget, refused_before })
    }
}

/// A contact, as it is stored.
pub(super) fn contact(peer: &PublicKey, is_contact: bool) -> Record {
    let name = peer.to_compressed();
    match is_contact {
        true => Record::written(Kind::Contact, &name, |writer| writer.value(1, &name)),
        false => Record::removed(Kind::Contact, &name),
    }
}

/// Invitations that came, and how long they could come again.
#[derive(Debug, Default)]
pub(super) struct Seen {
    times: BTreeMap<SessionId, Times>,
    /// The same, the oldest first.
    oldest: BTreeSet<(Timestamp, SessionId)>,
    /// When to look for those that cannot come again.
    next_look: Timestamp,
}

/// When an invitation was made, and when its session ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Times {
    pub(super) created_at: Timestamp,
    pub(super) until: Timestamp,
}

impl Times {
    pub(super) fn record(&self, id: &SessionId) -> Record {
        Record::written(Kind::Seen, id.as_bytes(), |writer| {
            writer.field(1, |writer| {
                writer.put(id.as_bytes());
                writer.put_time(self.created_at);
                writer.put_time(self.until);
            });
        })
    }
}

impl Seen {
    pub(super) fn contains(&self, id: &SessionId) -> bool {
        self.times.contains_key(id)
    }

    pub(super) fn insert(&mut self, id: SessionId, times: Times) -> bool {
        self.oldest.insert((times.created_at, id));
        self.times.insert(id, times).is_none()
    }

    pub(super) fn remove(&mut self, id: &SessionId) {
        if let Some(times) = self.times.remove(id) {
            self.oldest.remove(&(times.created_at, *id));
        }
    }

    /// The oldest, if there are as many as may be.
    pub(super) fn surplus(&self) -> Option<(Timestamp, SessionId)> {
        self.oldest.first().copied().filter(|_| self.times.len() >= MAX_SEEN)
    }

    /// Those that cannot come again, at a look at the clock; once an hour, if the clock is steady.
    pub(super) fn over(&mut self, now: Timestamp, is_steady: bool) -> Vec<SessionId> {
        let next = now.saturating_add(HOUR);
        if !is_steady || now < self.next_look && self.next_look <= next {
            return Vec::new();
        }
        self.next_look = next;
        self.times.iter().filter(|(_, times)| times.until <= now).map(|(id, _)| *id).collect()
    }
}

impl PartialEq for Seen {
    fn eq(&self, other: &Self) -> bool {
        self.times == other.times
    }
}

/// How many invitations are looked at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Budget {
    /// Of anybody: 20 per second.
    all: Bucket,
    /// Of strangers: 10 per minute.
    strangers: Bucket,
}

impl Budget {
    /// The budget without a token for an invitation, if there is one. Strangers who get none leave
    /// those of the contacts alone.
    pub(super) fn after_one(mut self, now: Timestamp, stranger: bool) -> Option<Self> {
        self.all.since = self.all.after_one(now)?;
        if stranger {
            self.strangers.since = self.strangers.after_one(now)?;
        }
        Some(self)
    }

    /// When there is a token for an invitation of a stranger, as of `now`.
    pub(super) fn strangers_at(&self, now: Timestamp) -> Timestamp {
        self.all.ready_at(now).max(self.strangers.ready_at(now))
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            all: Bucket::new(20, Duration::from_millis(50)),
            strangers: Bucket::new(10, Duration::from_secs(6)),
        }
    }
}

/// Tokens that come back one by one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Bucket {
    most: u32,
    every: Duration,
    /// The bucket is as full as the time since then says.
    since: Timestamp,
}

impl Bucket {
    const fn new(most: u32, every: Duration) -> Self {
        Self { most, every, since: Timestamp::from_millis(0) }
    }

    /// What `since` becomes when a token is taken, if there is one.
    fn after_one(&self, now: Timestamp) -> Option<Timestamp> {
        // A clock that was set back finds a full bucket rather than none for years.
        let earliest = now.saturating_sub(self.every.saturating_mul(self.most));
        let since = if self.since > now { earliest } else { self.since.max(earliest) };
        Some(since.saturating_add(self.every)).filter(|taken| *taken <= now)
    }

    /// When there is a token, as of `now`.
    fn ready_at(&self, now: Timestamp) -> Timestamp {
        let ready = self.since.saturating_add(self.every);
        if self.since > now { now } else { ready.max(now) }
    }
}

const HOUR: Duration = Duration::from_secs(3_600);
/// Invitations that are remembered: some 100 bytes each.
const MAX_SEEN: usize = 65_536;
/// An invitation that was made so long before these sessions began is taken: it may have been on its
/// way. What was recorded within this time and is sent again looks the same.
const BEFORE_START: Duration = Duration::from_secs(600);
