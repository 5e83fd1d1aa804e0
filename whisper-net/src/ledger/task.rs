//! The task that drives an engine, in threads that may wait for disk and ciphers.

use std::time::Duration;

use whisper_core::ledger::BlockId;
use whisper_core::ledger::sync::Input;

use super::PROTOCOL;
use super::null_responder;
use super::queue::Queue;
use crate::actor::Actor;
use crate::actor::Commands;
use crate::actor::Engine;
use crate::actor::WeakAddress;
use crate::driver::Driver;
use crate::handler::PeerCommand;
use crate::handler::PeerEvent;

/// An engine, as its task sees it: one step after the other.
pub(super) trait Steps: Send + 'static {
    /// The first block of its network.
    fn genesis(&self) -> BlockId;
    /// Takes one step with what a peer did, or with the time alone.
    fn feed(&mut self, input: Input<'_>);
    /// Does what belongs after the steps of a batch.
    fn tend(&mut self) {}
    /// How long until there is something to do.
    fn until_next(&self) -> Duration;
    /// What the steps ask of the connections.
    fn take_commands(&mut self) -> Vec<PeerCommand>;
    /// Whether it must end.
    fn has_failed(&self) -> bool {
        false
    }
}

/// Starts the task. The engine ends with the loop, with the last address that keeps it, or when it
/// has failed; if the loop goes on, peers are told from then on that there is nothing.
pub(super) fn start<E: Steps>(
    engine: E,
    queue: Queue,
    commands: Commands<E>,
    driver: WeakAddress<Driver>,
) {
    tokio::spawn(async move {
        let (genesis, mut queue) = (engine.genesis(), queue);
        run(engine, &mut queue, commands, &driver).await;
        null_responder::answer(genesis, queue, driver).await;
    });
}

async fn run<E: Steps>(
    engine: E,
    queue: &mut Queue,
    commands: Commands<E>,
    driver: &WeakAddress<Driver>,
) {
    let mut actor = Actor::new(engine, commands);
    while !actor.engine().has_failed() {
        // While events wait, time alone tells nothing: the answer may be among them.
        let may_time_out = queue.is_empty();
        let Some(next) = actor.step(queue.next(), may_time_out).await else { return };
        actor = next;
        let commands = actor.engine().take_commands();
        if commands.is_empty() {
            continue;
        }
        if driver.tell(move |driver| driver.carry_out(PROTOCOL, commands)).await.is_err() {
            return;
        }
    }
}

impl<E: Steps> Engine for E {
    type Input = Vec<PeerEvent>;

    fn handle(&mut self, batch: Vec<PeerEvent>) {
        for event in &batch {
            if !self.has_failed() {
                self.feed(as_input(event));
            }
        }
    }

    fn handle_timeout(&mut self) {
        self.feed(Input::Timeout);
    }

    fn until_timeout(&self) -> Duration {
        self.until_next()
    }

    fn finish_step(&mut self) {
        if !self.has_failed() {
            self.tend();
        }
    }
}

fn as_input(event: &PeerEvent) -> Input<'_> {
    match event {
        PeerEvent::Connected(peer) => Input::Connected(*peer),
        PeerEvent::Disconnected(peer) => Input::Disconnected(*peer),
        PeerEvent::Written { peer, bytes } => Input::Written { peer: *peer, bytes: *bytes },
        PeerEvent::Received { peer, code, payload } => {
            Input::Received { peer: *peer, code: *code, payload }
        }
    }
}
