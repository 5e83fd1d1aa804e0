//! The engine behind its lock: relay and mailbox, and the wires between them.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use rand_core::CryptoRng;
use whisper_core::envelope;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::inbox::Filter;
use whisper_core::inbox::FilterId;
use whisper_core::mailbox;
use whisper_core::mailbox::Arrival;
use whisper_core::mailbox::Backlog;
use whisper_core::mailbox::Limits;
use whisper_core::mailbox::Mailbox;
use whisper_core::mailbox::Reviewer;
use whisper_core::mailbox::Step;
use whisper_core::mailbox::StepError;
use whisper_core::node;
use whisper_core::node::Event;
use whisper_core::node::Input;
use whisper_core::node::Node;
use whisper_core::peer::Network;
use whisper_core::pool::Origin;
use whisper_core::time::Timestamp;
use whisper_net::Entropy;

use super::output::Output;
use crate::envelope::Draft;
use crate::error::WhisperError;

pub(super) struct State {
    node: Node,
    mailbox: Mailbox,
    /// What is still to be read.
    backlog: Backlog,
    /// Looks through the pool for filters that came later.
    reviewer: Reviewer,
    filters: BTreeMap<u64, FilterId>,
    /// Whose account is opened with the first step: only then is the app's time known.
    identity: Option<Arc<Identity>>,
    account: Option<PublicKey>,
    /// The time of the last step.
    now: Timestamp,
}

impl State {
    pub(super) fn new(
        config: node::Config,
        secret: [u8; 32],
        identity: Option<Arc<Identity>>,
    ) -> Self {
        let waiting = Limits::waiting(config.pool_bytes);
        Self {
            node: Node::new(config, secret),
            mailbox: Mailbox::new(mailbox::Config { waiting, persists: false }),
            backlog: Backlog::new(Limits::unread(config.pool_bytes)),
            reviewer: Reviewer::default(),
            filters: BTreeMap::new(),
            account: identity.as_ref().map(|identity| identity.public_key()),
            identity,
            now: Timestamp::default(),
        }
    }

    /// One step of the relay, and what is read on the way.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        input: Input<'_>,
    ) -> Result<Vec<Output>, WhisperError> {
        let mut rng = self.begin(now)?;
        let asked: Vec<node::Output> = self.node.handle(now, input).collect();
        Ok(self.read(now, asked, &mut rng))
    }

    /// As a step, and what time asks of conversations.
    pub(super) fn tick(&mut self, now: Timestamp) -> Result<Vec<Output>, WhisperError> {
        let mut rng = self.begin(now)?;
        let asked: Vec<node::Output> = self.node.handle(now, Input::Timeout).collect();
        let mut outputs = self.read(now, asked, &mut rng);
        let due = self.mailbox.timeout(now, &mut rng);
        outputs.extend(self.carry_out(now, due, &mut rng));
        Ok(outputs)
    }

    pub(super) fn poll_timeout(&self) -> Option<Timestamp> {
        let is_done = self.backlog.is_empty() && self.reviewer.is_idle();
        let goes_on = (!is_done).then_some(self.now);
        goes_on.into_iter().chain(self.mailbox.poll_timeout()).chain(self.node.poll_timeout()).min()
    }

    pub(super) fn advised_rating(&self) -> f64 {
        self.node.advised_rating().as_f64()
    }

    pub(super) fn publish(
        &mut self,
        now: Timestamp,
        envelope: &envelope::Envelope,
    ) -> Result<Vec<Output>, WhisperError> {
        let mut rng = self.begin(now)?;
        let asked: Vec<node::Output> = self.node.publish(now, envelope.clone())?.collect();
        Ok(self.read(now, asked, &mut rng))
    }

    /// Adds a filter. What the pool holds already is tried with the next steps.
    pub(super) fn add_filter(&mut self, filter: Filter) -> u64 {
        let id = self.mailbox.add_filter(filter);
        self.filters.insert(id.as_u64(), id);
        if let Some(review) = self.mailbox.start_review() {
            self.reviewer.request(review);
        }
        id.as_u64()
    }

    pub(super) fn remove_filter(&mut self, filter: u64) -> bool {
        self.filters.remove(&filter).and_then(|id| self.mailbox.remove_filter(id)).is_some()
    }

    /// One step of the conversations.
    pub(super) fn talk(&mut self, now: Timestamp, step: Step) -> Result<Vec<Output>, WhisperError> {
        let reason = "this engine has no identity; make one with it".to_owned();
        let account = self.account.ok_or(WhisperError::Conversation { reason })?;
        let mut rng = self.begin(now)?;
        match self.mailbox.step(now, &account, step, &mut rng) {
            Ok(asked) => Ok(self.carry_out(now, asked, &mut rng)),
            Err(StepError::Session(why)) => Err(why.into()),
            Err(other) => Err(WhisperError::Conversation { reason: other.to_string() }),
        }
    }

    /// Wipes all keys of conversations. Without an identity there are none.
    pub(super) fn burn(&mut self) {
        if let Some(account) = self.account {
            // Nothing is stored, so nothing remains to be done.
            drop(self.mailbox.burn(self.now, &account));
        }
    }

    /// Draws the randomness of a step before anything moves.
    fn begin(&mut self, now: Timestamp) -> Result<impl CryptoRng + use<>, WhisperError> {
        let rng = Entropy::os().rng()?;
        self.now = now;
        if let Some(identity) = self.identity.take() {
            // It is the only one.
            let _ = self.mailbox.open_account(now, identity);
        }
        Ok(rng)
    }

    /// Passes on what the relay asks for, and opens what peers brought: no more in one step than
    /// takes some milliseconds.
    fn read(
        &mut self,
        now: Timestamp,
        asked: Vec<node::Output>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut outputs = Vec::new();
        for output in asked {
            match output {
                node::Output::Event(Event::Admitted { envelope, from: Some(from) }) => {
                    self.backlog
                        .push(Arrival::admitted(envelope, Origin::Network(Network::Alone(from))));
                }
                node::Output::Event(Event::Direct { envelope, from }) => {
                    self.backlog.push(Arrival::direct(envelope, from));
                }
                other => outputs.extend(Output::of_relay(other)),
            }
        }
        if self.backlog.len() <= SLICE {
            let known = self.reviewer.slice(self.node.pool(), SLICE).into_iter();
            let known = known.filter(|arrival| !arrival.origin.is_own());
            known.for_each(|arrival| drop(self.backlog.push(arrival)));
        }
        for arrival in self.backlog.take(SLICE, self.mailbox.identities()) {
            let asked = self.mailbox.receive(now, arrival, rng);
            outputs.extend(self.carry_out(now, asked, rng));
        }
        outputs
    }

    /// Passes on what the mailbox asks for. Nothing is stored: a batch is answered at once.
    fn carry_out(
        &mut self,
        now: Timestamp,
        asked: Vec<mailbox::Output>,
        rng: &mut impl CryptoRng,
    ) -> Vec<Output> {
        let mut asked = VecDeque::from(asked);
        let mut outputs = Vec::new();
        while let Some(output) = asked.pop_front() {
            match output {
                mailbox::Output::Persist { account, batch } => {
                    asked.extend(self.mailbox.stored(now, &account, batch.id(), rng));
                }
                mailbox::Output::Publish { outgoing, .. } => {
                    // One that cannot be dated, after the year 2106, is lost.
                    let draft = outgoing.draft(now).ok().map(Draft::of);
                    let message = outgoing.message;
                    outputs.extend(draft.map(|draft| Output::Post { draft, message }));
                }
                mailbox::Output::Deliver(delivery) => outputs.push(Output::Found {
                    filters: delivery.filters.iter().map(|id| id.as_u64()).collect(),
                    received: (&*delivery.received).into(),
                }),
                mailbox::Output::Event { event, .. } => {
                    outputs.push(Output::Talk { event: event.into() });
                }
            }
        }
        outputs
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Envelopes that are read in one step: at most some 10 ms on a phone, if each costs an agreement.
const SLICE: usize = 128;
