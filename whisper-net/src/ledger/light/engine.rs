//! The light node, and the questions that wait for its answers: one step after the other.

use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::oneshot;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::Entry;
use whisper_core::ledger::HeaderAnchor;
use whisper_core::ledger::HeaderChain;
use whisper_core::ledger::Keccak256;
use whisper_core::ledger::Proof;
use whisper_core::ledger::Proven;
use whisper_core::ledger::Question;
use whisper_core::ledger::sync::Event;
use whisper_core::ledger::sync::Input;
use whisper_core::ledger::sync::LightNode;
use whisper_core::ledger::sync::Output;
use whisper_core::ledger::sync::PeerInfo;
use whisper_core::time::Timestamp;

use super::events::LightEvent;
use crate::clock::Clock;
use crate::handler::PeerCommand;
use crate::ledger::commands::PeerCommands;
use crate::ledger::events::Greetings;
use crate::ledger::task::Steps;
use crate::stream::Audience;
use crate::stream::Feed;

pub(super) struct LightEngine {
    node: LightNode,
    clock: Clock,
    /// Where the chain began.
    begin: Option<HeaderAnchor>,
    waiting: Vec<Waiting>,
    /// Callers that wait until no headers are under way.
    unsettled: Vec<oneshot::Sender<()>>,
    audience: Audience<LightEvent>,
    greetings: Greetings,
    commands: PeerCommands,
}

/// A right proof.
pub(super) struct Answer {
    pub(super) proof: Proof,
    pub(super) proven: Proven,
    /// The block that it is proven from.
    pub(super) from: Entry,
}

/// A caller that has asked. If several ask the same, each has a question open.
struct Waiting {
    question: Question,
    answer: oneshot::Sender<Option<Answer>>,
    _turn: OwnedSemaphorePermit,
}

impl LightEngine {
    pub(super) fn new(node: LightNode, clock: Clock, begin: Option<HeaderAnchor>) -> Self {
        Self {
            node,
            clock,
            begin,
            waiting: Vec::new(),
            unsettled: Vec::new(),
            audience: Audience::new(),
            greetings: Greetings::default(),
            commands: PeerCommands::new(),
        }
    }

    /// Asks peers, and answers when they have; with nothing if none could.
    pub(super) fn ask(
        &mut self,
        question: Question,
        answer: oneshot::Sender<Option<Answer>>,
        turn: OwnedSemaphorePermit,
    ) {
        self.waiting.push(Waiting { question, answer, _turn: turn });
        let now = self.clock.now();
        let outputs: Vec<Output> = self.node.ask(now, question).collect();
        self.carry_out(now, outputs);
    }

    /// Tells as soon as no headers are under way.
    pub(super) fn tell_when_settled(&mut self, settled: oneshot::Sender<()>) {
        self.unsettled.push(settled);
    }

    /// Adds a listener, which is told first of the peers that have said their status.
    pub(super) fn listen(&mut self, feed: Feed<LightEvent>) {
        for (peer, status) in self.greetings.of(self.node.peers()) {
            feed.push(LightEvent::Ready { peer, status });
        }
        self.audience.add(feed);
    }

    pub(super) const fn headers(&self) -> &HeaderChain {
        self.node.client().headers()
    }

    pub(super) fn peers(&mut self) -> Vec<PeerInfo> {
        self.node.peers().collect()
    }

    /// The newest anchor that is deep enough, or the one that the chain began at.
    pub(super) fn anchor(&mut self) -> Option<HeaderAnchor> {
        let headers = self.headers();
        let height = headers.tip().height.checked_sub(HeaderChain::<Keccak256>::DEPTH_MAX);
        let oldest = height.and_then(|height| height.checked_sub(SPAN));
        let is_held = oldest.is_some_and(|oldest| oldest >= headers.base());
        let anchor = height.filter(|_| is_held).and_then(|height| headers.anchor_at(height));
        anchor.or_else(|| self.begin.clone())
    }

    fn carry_out(&mut self, now: Timestamp, outputs: Vec<Output>) {
        for output in outputs {
            if let Some(event) = self.commands.note(now, output) {
                self.hear(event);
            }
        }
    }

    fn hear(&mut self, event: Event) {
        match event {
            Event::Tip { id, height } => self.audience.tell(&LightEvent::Tip { id, height }, 0),
            Event::Ready { peer, status } => {
                self.greetings.note(peer, status, self.node.peers());
                self.audience.tell(&LightEvent::Ready { peer, status }, 0);
            }
            Event::Answered { question, proof, proven } => {
                let from = self.headers().get(&question.block());
                let proof = *proof;
                self.answer(&question, from.map(|from| Answer { proof, proven, from }));
            }
            Event::Unanswered(question) => self.answer(&question, None),
            // Those of a node with a whole ledger.
            Event::Chain(_)
            | Event::DeepReorg { .. }
            | Event::Pending(_)
            | Event::Unavailable(_) => {}
        }
    }

    fn answer(&mut self, question: &Question, answer: Option<Answer>) {
        let at = self.waiting.iter().position(|waiting| waiting.question == *question);
        if let Some(at) = at {
            // The caller may have gone.
            let _ = self.waiting.remove(at).answer.send(answer);
        }
    }
}

impl Steps for LightEngine {
    fn genesis(&self) -> BlockId {
        self.node.client().params().genesis_id()
    }

    fn feed(&mut self, input: Input<'_>) {
        let now = self.clock.now();
        let outputs: Vec<Output> = self.node.handle(now, input).collect();
        self.carry_out(now, outputs);
    }

    fn tend(&mut self) {
        if self.node.awaits_headers() {
            self.unsettled.retain(|unsettled| !unsettled.is_closed());
            return;
        }
        for unsettled in self.unsettled.drain(..) {
            // The caller may have gone.
            let _ = unsettled.send(());
        }
    }

    fn until_next(&self) -> Duration {
        let now = self.clock.now();
        let due = self.node.poll_timeout().map(|due| due.saturating_since(now));
        due.unwrap_or(Duration::MAX)
    }

    fn take_commands(&mut self) -> Vec<PeerCommand> {
        self.commands.take()
    }
}

/// How far an anchor reaches down.
const SPAN: u32 = HeaderAnchor::HEADERS as u32 - 1;
