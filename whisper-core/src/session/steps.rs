//! Steps, from the moment they are worked out until they are stored.

use alloc::collections::BTreeMap;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use super::account;
use super::account::Settings;
use super::account::Times;
use super::contract::SessionId;
use super::contract::SessionOutput;
use super::error::SessionError;
use super::event::Ended;
use super::event::SessionEvent;
use super::live::Session;
use super::record::Batch;
use super::record::BatchId;
use super::record::Kind;
use super::record::Record;
use crate::identity::PublicKey;
use crate::topic::Topic;

/// The steps whose batch is not stored yet.
#[derive(Debug, Default)]
pub(super) struct Steps {
    outstanding: BTreeMap<BatchId, Change>,
    next: u64,
}

impl Steps {
    /// Puts a step off until its batch is stored.
    pub(super) fn begin(&mut self, change: Change) -> Batch {
        let id = BatchId(self.next);
        self.next = self.next.saturating_add(1);
        let records = change.records();
        self.outstanding.insert(id, change);
        Batch { id, records }
    }

    /// The step that waited for this batch.
    pub(super) fn end(&mut self, batch: BatchId) -> Option<Change> {
        self.outstanding.remove(&batch)
    }

    /// Gives all steps up.
    pub(super) fn end_all(&mut self) -> impl Iterator<Item = Change> + use<> {
        core::mem::take(&mut self.outstanding).into_values()
    }

    /// The outstanding step that concerns this peer: the next one would work on old state.
    pub(super) fn with(&mut self, peer: &PublicKey) -> Option<&mut Change> {
        self.outstanding.values_mut().find(|change| change.peers.contains(peer))
    }

    /// Whether a step that concerns this peer is outstanding.
    pub(super) fn is_busy(&self, peer: &PublicKey) -> bool {
        self.outstanding.values().any(|change| change.peers.contains(peer))
    }

    /// Whether a step that changes the settings is outstanding.
    pub(super) fn are_settings_busy(&self) -> bool {
        self.outstanding.values().any(|change| change.settings.is_some())
    }

    /// Refuses to work on what another step is about to replace.
    pub(super) fn check_free(&self, peer: &PublicKey) -> Result<(), SessionError> {
        if self.is_busy(peer) { Err(SessionError::Busy) } else { Ok(()) }
    }
}

impl PartialEq for Steps {
    fn eq(&self, other: &Self) -> bool {
        self.outstanding.values().eq(other.outstanding.values())
    }
}

/// What a step changes, and what it says when that is done.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Change {
    /// Nobody else's step may work on the sessions of these peers meanwhile.
    pub(super) peers: Vec<PublicKey>,
    pub(super) put: Vec<Session>,
    pub(super) gone: Vec<SessionId>,
    pub(super) settings: Option<Settings>,
    pub(super) seen: Vec<(SessionId, Times)>,
    pub(super) forgotten: Vec<SessionId>,
    pub(super) contact: Option<(PublicKey, bool)>,
    pub(super) outputs: Vec<SessionOutput>,
    /// Topics of envelopes that were refused because this step is outstanding.
    pub(super) refused: BTreeSet<Topic>,
}

impl Change {
    pub(super) fn new(peer: PublicKey) -> Self {
        Self { peers: vec![peer], ..Self::default() }
    }

    pub(super) fn report(&mut self, event: SessionEvent) {
        self.outputs.push(SessionOutput::Event(event));
    }

    /// Takes a session away. The end of one that was never shown is not reported.
    pub(super) fn end(&mut self, session: &Session, why: Ended) {
        self.put.retain(|put| put.facts.id != session.facts.id);
        self.gone.push(session.facts.id);
        if !self.peers.contains(&session.facts.peer) {
            self.peers.push(session.facts.peer);
        }
        if session.state.visible {
            self.report(session.ended(why));
        }
    }

    /// What is to be stored for it.
    fn records(&self) -> Vec<Record> {
        let gone = self.gone.iter().map(|id| Record::removed(Kind::Session, id.as_bytes()));
        let put = self.put.iter().map(Session::record);
        let forgotten = self.forgotten.iter();
        let forgotten = forgotten.map(|id| Record::removed(Kind::Seen, id.as_bytes()));
        let seen = self.seen.iter().map(|(id, times)| times.record(id));
        let contact = self.contact.iter().map(|(peer, is)| account::contact(peer, *is));
        let settings = self.settings.iter().map(Settings::record);
        gone.chain(put).chain(forgotten).chain(seen).chain(contact).chain(settings).collect()
    }
}
