//! Signs that the peer has lost a session, or that somebody else goes on with it.

use core::time::Duration;

use super::error::RestoreError;
use super::record::Fields;
use super::record::Value;
use super::record::Writer;
use crate::time::Timestamp;

/// What a session notices of its peer, and when that was told.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Signs {
    /// When the first message was sent that nothing has been opened since.
    unanswered: Option<Timestamp>,
    stale: Option<Timestamp>,
    /// When it was told last of each [`Fork`].
    forks: [Option<Timestamp>; 2],
}

/// That two go on with what only one should have.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fork {
    /// The peer has sent a number again, later than all that came before.
    Peer,
    /// The peer has read what was never said here.
    Own,
}

impl Signs {
    /// Notes that something was said that the peer is to acknowledge.
    pub(super) fn said(&mut self, now: Timestamp) {
        self.unanswered.get_or_insert(now);
    }

    /// Notes that something of the peer was opened, or that nothing is waited for any more.
    pub(super) const fn opened(&mut self) {
        self.unanswered = None;
        self.stale = None;
    }

    /// When the session is stale: the peer has answered nothing for a day, and that was not told
    /// within the last one.
    pub(super) fn stale_at(&self) -> Option<Timestamp> {
        let since = self.unanswered?;
        Some(self.stale.map_or(since, |told| told.max(since)).saturating_add(DAY))
    }

    /// Notes that it is told that the session is stale.
    pub(super) const fn tell_stale(&mut self, now: Timestamp) {
        self.stale = Some(now);
    }

    /// Whether a fork is to be told, as it is once a day. Then it has been.
    pub(super) fn tells(&mut self, now: Timestamp, fork: Fork) -> bool {
        let [peer, own] = &mut self.forks;
        let told = match fork {
            Fork::Peer => peer,
            Fork::Own => own,
        };
        // One that lies ahead was told by another clock.
        let is_due = told.is_none_or(|told| now.saturating_since(told) >= DAY || told > now);
        if is_due {
            *told = Some(now);
        }
        is_due
    }

    pub(super) fn write(&self, kind: u8, writer: &mut Writer) {
        let [peer, own] = self.forks;
        writer.field(kind, |writer| {
            for time in [self.unanswered, self.stale, peer, own] {
                // No clock shows the moment zero.
                writer.put_time(time.unwrap_or_default());
            }
        });
    }

    pub(super) fn read(kind: u8, fields: &mut Fields<'_>) -> Result<Self, RestoreError> {
        fields.read(kind, |value| {
            let mut time = || read_time(value);
            Ok(Self { unanswered: time()?, stale: time()?, forks: [time()?, time()?] })
        })
    }
}

fn read_time(value: &mut Value<'_>) -> Result<Option<Timestamp>, RestoreError> {
    Ok(Some(value.time()?).filter(|time| *time != Timestamp::default()))
}

/// `session.md`, 3.9, "Stale", and 3.12, `PeerForked`.
const DAY: Duration = Duration::from_secs(86_400);
