//! One session in seed mode.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::time::Duration;

use rand_core::CryptoRng;

use crate::identity::PublicKey;
use crate::time::Timestamp;

use super::body::Content;
use super::body::MAX_ACKED;
use crate::session::carrier;
use super::chain::Receiving;
use super::chain::Sending;
use crate::session::contract::Ended;
use crate::session::contract::Outgoing;
use crate::session::contract::Role;
use crate::session::contract::SessionError;
use crate::session::contract::SessionEvent;
use crate::session::contract::SessionId;
use crate::session::contract::SessionInfo;
use crate::session::contract::SessionKind;
use crate::session::contract::SessionState;
use crate::session::contract::SessionTtl;
use super::invitation::Invitation;
use super::keys::Keys;

/// A session: what never changes, the keys, and the state. A step works on a clone, which shares
/// the keys: they are wiped with the last of them.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::session) struct Session {
    pub(in crate::session) facts: Facts,
    pub(in crate::session) keys: Arc<Keys>,
    pub(in crate::session) state: State,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::session) struct Facts {
    pub(in crate::session) id: SessionId,
    pub(in crate::session) peer: PublicKey,
    pub(in crate::session) role: Role,
    pub(in crate::session) bound: bool,
    pub(in crate::session) created_at: Timestamp,
    pub(in crate::session) ends_at: Timestamp,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::session) struct State {
    /// We want to talk on it: we invited, or the peer is a contact, or the user said so.
    pub(in crate::session) accepted: bool,
    /// It may be told of: always, but for a bound invitation that may have been passed on by
    /// somebody who cannot derive its keys. One message that opens shows that he can.
    pub(in crate::session) visible: bool,
    /// A message of the peer has opened on it.
    pub(in crate::session) confirmed: bool,
    pub(in crate::session) sending: Sending,
    pub(in crate::session) receiving: Receiving,
    /// The last time that anything was sent or opened.
    pub(in crate::session) active: Timestamp,
    /// Messages to be acknowledged, and when.
    pub(in crate::session) owed: Vec<u32>,
    pub(in crate::session) ack_at: Option<Timestamp>,
    /// What is kept from the user until he accepts.
    pub(in crate::session) withheld: Vec<SessionEvent>,
}

impl Session {
    pub(in crate::session) fn new(
        now: Timestamp,
        invitation: &Invitation,
        keys: Keys,
        peer: PublicKey,
        role: Role,
    ) -> Self {
        let created_at = Timestamp::from_secs(invitation.created_at.into());
        let lifetime = Duration::from_secs(invitation.lifetime.into());
        let invites = role == Role::Initiator;
        Self {
            facts: Facts {
                id: invitation.id,
                peer,
                role,
                bound: invitation.bound,
                created_at,
                ends_at: created_at.saturating_add(lifetime),
            },
            keys: Arc::new(keys),
            state: State {
                accepted: invites,
                visible: invites || !invitation.bound,
                confirmed: false,
                sending: Sending::default(),
                receiving: Receiving::default(),
                active: now,
                owed: Vec::new(),
                ack_at: None,
                withheld: Vec::new(),
            },
        }
    }

    /// Encrypts what is to be said, at the next place of the chain.
    pub(in crate::session) fn seal(
        &mut self,
        now: Timestamp,
        ttl: SessionTtl,
        content: &Content,
        rng: &mut impl CryptoRng,
    ) -> Result<Outgoing, SessionError> {
        let mut sending = self.state.sending.clone();
        let slot = sending.advance(now)?;
        let sent_at = u32::try_from(now.as_secs()).unwrap_or(u32::MAX);
        let payload = content.encode(sent_at, slot.sequence)?;
        let data = carrier::seal(&payload, &self.keys.sending.key, rng)?;
        self.state.sending = sending;
        self.state.active = now;
        Ok(Outgoing {
            session: self.facts.id,
            peer: self.facts.peer,
            sequence: Some(slot.sequence),
            topic: self.keys.sending.topic(slot.epoch, slot.index),
            ttl: ttl.as_duration(),
            jitter: jitter(rng),
            data,
        })
    }

    /// Notes that a message is to be acknowledged: within the hour, all at once, so that reading
    /// does not show.
    pub(in crate::session) fn owe(&mut self, now: Timestamp, sequence: u32, rng: &mut impl CryptoRng) {
        if self.state.owed.len() >= MAX_ACKED {
            self.state.owed.remove(0);
        }
        self.state.owed.push(sequence);
        self.start_ack(now, rng);
    }

    /// Starts the time until the next acknowledgement, if one is owed and may be given.
    pub(in crate::session) fn start_ack(&mut self, now: Timestamp, rng: &mut impl CryptoRng) {
        if self.state.accepted && self.state.ack_at.is_none() && !self.state.owed.is_empty() {
            let delay = Duration::from_millis(rng.next_u64() % MAX_ACK_DELAY);
            self.state.ack_at = Some(now.saturating_add(delay));
        }
    }

    /// Whether messages go on it as on one that the peer is known to read.
    pub(in crate::session) fn is_usable(&self) -> bool {
        match self.facts.role {
            Role::Initiator => self.state.confirmed,
            Role::Responder => self.state.accepted && self.state.visible,
        }
    }

    /// Whether it waits for the user.
    pub(in crate::session) fn is_pending(&self) -> bool {
        !self.state.accepted
    }

    /// What comes first among sessions of a peer: the newest, then the lowest name.
    pub(in crate::session) fn rank(&self) -> (Timestamp, Reverse<SessionId>) {
        (self.facts.created_at, Reverse(self.facts.id))
    }

    /// Why it is over at `now`, if it is.
    pub(in crate::session) fn over(&self, now: Timestamp) -> Option<Ended> {
        if now >= self.facts.ends_at {
            Some(Ended::Expired)
        } else {
            (now >= self.idle_at()).then_some(Ended::Idle)
        }
    }

    /// When something is due on it.
    pub(in crate::session) fn deadline(&self) -> Timestamp {
        let end = self.facts.ends_at.min(self.idle_at());
        self.state.ack_at.map_or(end, |at| at.min(end))
    }

    /// What waits for the user waits longer: he may be away.
    fn idle_at(&self) -> Timestamp {
        let waits = self.is_pending() && self.state.visible;
        self.state.active.saturating_add(if waits { PENDING } else { IDLE })
    }

    pub(in crate::session) fn info(&self) -> SessionInfo {
        let state = match (self.facts.role, self.state.accepted) {
            (Role::Initiator, _) if !self.state.confirmed => SessionState::Inviting,
            (_, true) => SessionState::Established,
            (_, false) => SessionState::Pending,
        };
        SessionInfo {
            id: self.facts.id,
            kind: SessionKind::Seed,
            peer: self.facts.peer,
            role: self.facts.role,
            state,
            bound: self.facts.bound,
            fixed_topic: self.keys.sending.is_fixed(),
            created_at: self.facts.created_at,
            ends_at: self.facts.ends_at,
        }
    }

    pub(in crate::session) fn established(&self) -> SessionEvent {
        SessionEvent::Established { session: self.facts.id, peer: self.facts.peer }
    }

    pub(in crate::session) fn invited(&self) -> SessionEvent {
        SessionEvent::Invited { session: self.facts.id, peer: self.facts.peer }
    }

    pub(in crate::session) fn ended(&self, why: Ended) -> SessionEvent {
        SessionEvent::Ended { session: self.facts.id, peer: self.facts.peer, why }
    }

    pub(in crate::session) fn message(
        &self,
        sequence: Option<u32>,
        sent_at: u32,
        data: Vec<u8>,
    ) -> SessionEvent {
        let sent_at = Timestamp::from_secs(sent_at.into());
        let Facts { id: session, peer, .. } = self.facts;
        SessionEvent::Message { session, peer, sequence, sent_at, data }
    }

    /// How many bytes are kept from the user.
    pub(in crate::session) fn withheld_bytes(&self) -> usize {
        let length = |event: &SessionEvent| match event {
            SessionEvent::Message { data, .. } => data.len(),
            _ => 0,
        };
        self.state.withheld.iter().map(length).fold(0, usize::saturating_add)
    }
}

/// 0 to 4 seconds.
pub(in crate::session) fn jitter(rng: &mut impl CryptoRng) -> Duration {
    Duration::from_secs((rng.next_u32() % 5).into())
}

/// One hour, and the millisecond that makes its end possible.
const MAX_ACK_DELAY: u64 = 3_600_001;
const IDLE: Duration = Duration::from_secs(86_400);
/// As long as the full mode waits.
const PENDING: Duration = Duration::from_secs(21 * 86_400);
