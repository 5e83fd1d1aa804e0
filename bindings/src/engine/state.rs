//! The engine behind its lock: relay, filters and conversations, and the wires between them.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use rand_core::CryptoRng;
use whisper_core::envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::Delivery;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::inbox::Inbox;
use whisper_core::node;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::session;
use whisper_core::session::InviteOptions;
use whisper_core::session::SessionError;
use whisper_core::session::SessionOutput;
use whisper_core::session::Sessions;
use whisper_core::time::Timestamp;
use whisper_core::topic::Topic;
use whisper_net::Entropy;

use super::output::Output;
use crate::envelope::Draft;
use crate::error::WhisperError;
use crate::time::timestamp;

pub(super) struct State {
    node: Node,
    inbox: Inbox,
    filters: BTreeMap<u64, FilterId>,
    talk: Option<Talk>,
}

/// The conversations of an identity, and the filter that finds its invitations.
struct Talk {
    sessions: Sessions,
    filter: FilterId,
}

impl State {
    pub(super) fn new(
        config: node::Config,
        secret: [u8; 32],
        identity: Option<Arc<Identity>>,
    ) -> Self {
        let mut inbox = Inbox::new();
        let now = timestamp(SystemTime::now());
        let talk = identity.map(|identity| Talk {
            filter: inbox.add(Filter::new(Arc::clone(&identity))),
            sessions: Sessions::new(identity, now),
        });
        Self { node: Node::new(config, secret), inbox, filters: BTreeMap::new(), talk }
    }

    /// One step of the relay, and what is read on the way.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        input: Input<'_>,
    ) -> Result<Vec<Output>, WhisperError> {
        // Drawn first: without randomness nothing has moved.
        let mut rng = Entropy::os().rng()?;
        Ok(self.relay(now, input, &mut rng))
    }

    /// As a step, and what time asks of conversations.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<Vec<Output>, WhisperError> {
        let mut rng = Entropy::os().rng()?;
        let mut outputs = self.relay(now, Input::Timeout, &mut rng);
        if let Some(talk) = &mut self.talk {
            let due = talk.sessions.tick(now, &mut rng);
            outputs.extend(talk.carry_out(now, due, &self.node, &mut rng));
        }
        Ok(outputs)
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let talk = self.talk.as_ref().and_then(|talk| talk.sessions.poll_timeout());
        self.node.poll_timeout().into_iter().chain(talk).min()
    }

    pub(super) fn advised_rating(&self) -> f64 {
        self.node.advised_rating().as_f64()
    }

    pub(super) fn publish(
        &mut self,
        now: Timestamp,
        envelope: &envelope::Envelope,
    ) -> Result<Vec<Output>, WhisperError> {
        let mut rng = Entropy::os().rng()?;
        let asked: Vec<node::Output> = self.node.publish(now, envelope.clone())?.collect();
        Ok(self.read(now, asked, &mut rng))
    }

    pub(super) fn add_filter(&mut self, filter: Filter) -> u64 {
        let id = self.inbox.add(filter);
        self.filters.insert(id.as_u64(), id);
        id.as_u64()
    }

    pub(super) fn remove_filter(&mut self, filter: u64) -> bool {
        self.filters.remove(&filter).and_then(|id| self.inbox.remove(id)).is_some()
    }

    pub(super) fn invite(
        &mut self,
        now: Timestamp,
        peer: PublicKey,
        text: &str,
    ) -> Result<Vec<Output>, WhisperError> {
        let text = Some(text).filter(|text| !text.is_empty());
        self.talk(now, |sessions, mut rng| {
            sessions.invite(now, peer, InviteOptions::default(), text, &mut rng)
        })
    }

    pub(super) fn send(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
        payload: &[u8],
    ) -> Result<Vec<Output>, WhisperError> {
        self.talk(now, |sessions, mut rng| sessions.send(now, peer, payload, &mut rng))
    }

    pub(super) fn accept(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
    ) -> Result<Vec<Output>, WhisperError> {
        self.talk(now, |sessions, mut rng| sessions.accept(now, peer, &mut rng))
    }

    pub(super) fn decline(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
    ) -> Result<Vec<Output>, WhisperError> {
        self.talk(now, |sessions, _| sessions.refuse(peer))
    }

    pub(super) fn hang_up(
        &mut self,
        now: Timestamp,
        peer: &PublicKey,
    ) -> Result<Vec<Output>, WhisperError> {
        self.talk(now, |sessions, mut rng| sessions.close(now, peer, &mut rng))
    }

    pub(super) fn add_contact(
        &mut self,
        now: Timestamp,
        peer: PublicKey,
    ) -> Result<Vec<Output>, WhisperError> {
        self.talk(now, |sessions, mut rng| sessions.add_contact(now, peer, &mut rng))
    }

    pub(super) fn burn(&mut self) {
        if let Some(talk) = &mut self.talk {
            talk.sessions.burn();
        }
    }

    /// One step of the conversations.
    fn talk(
        &mut self,
        now: Timestamp,
        step: impl FnOnce(&mut Sessions, &mut dyn CryptoRng) -> Result<Vec<SessionOutput>, SessionError>,
    ) -> Result<Vec<Output>, WhisperError> {
        let reason = "this engine has no identity; make one with it".to_owned();
        let talk = self.talk.as_mut().ok_or(WhisperError::Conversation { reason })?;
        let mut rng = Entropy::os().rng()?;
        let asked = step(&mut talk.sessions, &mut rng)?;
        Ok(talk.carry_out(now, asked, &self.node, &mut rng))
    }

    fn relay(&mut self, now: Timestamp, input: Input<'_>, rng: &mut impl CryptoRng) -> Vec<Output> {
        let asked: Vec<node::Output> = self.node.handle(now, input).collect();
        self.read(now, asked, rng)
    }

    /// Passes on what the relay asks for, and opens what it has admitted.
    fn read(
        &mut self,
        now: Timestamp,
        asked: Vec<node::Output>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        for output in asked {
            match output {
                node::Output::Event(Event::Admitted { envelope, from: Some(_) }) => {
                    outputs.extend(self.open(now, &envelope, false, rng));
                }
                node::Output::Event(Event::Direct { envelope, .. }) => {
                    outputs.extend(self.open(now, &envelope, true, rng));
                }
                other => outputs.extend(Output::of_relay(other)),
            }
        }
        outputs
    }

    fn open(
        &mut self,
        now: Timestamp,
        envelope: &envelope::Envelope,
        direct: bool,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let delivery = self.inbox.open(envelope, direct, envelope.rating());
        match (delivery, &mut self.talk) {
            (Some(delivery), Some(talk)) if talk.is_invited(&delivery) => {
                // Why an invitation may not be taken, nobody is told: the sender least of all.
                let received = &delivery.received;
                let asked = talk.sessions.receive(now, &received.message, received.rating);
                talk.carry_out(now, asked.unwrap_or_default(), &self.node, rng)
            }
            (Some(delivery), _) => self.found(&delivery).into_iter().collect(),
            (None, Some(talk)) if !direct => talk.open(now, envelope, &self.node, rng),
            (None, _) => Vec::new(),
        }
    }

    fn found(&self, delivery: &Delivery) -> Option<Output> {
        let numbers = delivery.filters.iter().map(|id| id.as_u64());
        let filters: Vec<u64> = numbers.filter(|id| self.filters.contains_key(id)).collect();
        let is_wanted = !filters.is_empty();
        is_wanted.then(|| Output::Found { filters, received: (&*delivery.received).into() })
    }
}

impl Talk {
    fn is_invited(&self, delivery: &Delivery) -> bool {
        let is_ours = delivery.filters.contains(&self.filter);
        is_ours && session::is_invitation(delivery.received.message.payload())
    }

    /// Tries an envelope; one of an hour that is watched no more once that hour is looked up.
    fn open(
        &mut self,
        now: Timestamp,
        envelope: &envelope::Envelope,
        node: &Node,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        if let Ok(asked) = self.sessions.open(now, envelope, rng) {
            return self.carry_out(now, asked, node, rng);
        }
        let mut outputs = Vec::new();
        if session::is_class_length(envelope.data().len()) {
            for hour in session::late_epochs(now, envelope.issued().unwrap_or_default()) {
                let topics = self.sessions.look_late(now, hour);
                let look = SessionOutput::LookBack(topics);
                outputs.extend(self.carry_out(now, vec![look], node, rng));
            }
        }
        outputs
    }

    /// Carries a step out, and what follows from it. Nothing is stored: the answer is given at once.
    fn carry_out(
        &mut self,
        now: Timestamp,
        asked: Vec<SessionOutput>,
        node: &Node,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut asked: VecDeque<_> = self.sessions.stored_at_once(now, asked).into();
        let mut outputs = Vec::new();
        while let Some(output) = asked.pop_front() {
            match output {
                SessionOutput::Transmit(outgoing) => {
                    // One that cannot be dated, after the year 2106, is lost.
                    let draft = outgoing.draft(now).ok().map(Draft::of);
                    let message = outgoing.message;
                    outputs.extend(draft.map(|draft| Output::Post { draft, message }));
                }
                SessionOutput::Event(event) => {
                    outputs.push(Output::Talk { event: event.into() });
                }
                SessionOutput::LookBack(topics) => {
                    asked.extend(self.look_back(now, &topics, node, rng));
                }
                // Nothing is stored, so there is nothing to wait for.
                SessionOutput::Persist(batch) => {
                    asked.extend(self.sessions.stored(now, batch.id()));
                }
            }
        }
        outputs
    }

    /// Opens what is in the pool already under topics that are watched only now.
    fn look_back(
        &mut self,
        now: Timestamp,
        topics: &[Topic],
        node: &Node,
        rng: &mut impl CryptoRng,
    ) -> Vec<SessionOutput> {
        if topics.is_empty() {
            return Vec::new();
        }
        let entries = node.pool().iter_best_first().map(|(_, entry)| entry.envelope());
        let early = entries.filter(|envelope| topics.contains(&envelope.topic()));
        let mut outputs = Vec::new();
        for envelope in early {
            let opened = self.sessions.open(now, envelope, rng).unwrap_or_default();
            outputs.extend(self.sessions.stored_at_once(now, opened));
        }
        outputs
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("node", &self.node).finish_non_exhaustive()
    }
}
