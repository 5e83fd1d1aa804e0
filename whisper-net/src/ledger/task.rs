//! The task that drives an engine, in threads that may wait for disk and ciphers.

use std::time::Duration;

use tokio::sync::mpsc;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::sync::Input;

use super::PROTOCOL;
use super::line::Command;
use super::queue::Queue;
use super::stand_in;
use crate::driver;
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
    fn take_wishes(&mut self) -> Vec<PeerCommand>;
    /// Whether it must end.
    fn has_failed(&self) -> bool {
        false
    }
}

enum Wake<E> {
    News(Vec<PeerEvent>),
    Command(Command<E>),
    Timer,
}

/// Starts the task. The engine ends with the loop, with the last sender of commands, or when it has
/// failed; if the loop goes on, peers are told from then on that there is nothing.
pub(super) fn start<E: Steps>(
    engine: E,
    queue: Queue,
    commands: mpsc::Receiver<Command<E>>,
    driver: mpsc::WeakSender<driver::Command>,
) {
    tokio::spawn(async move {
        let (genesis, mut queue) = (engine.genesis(), queue);
        run(engine, &mut queue, commands, &driver).await;
        stand_in::answer(genesis, queue, driver).await;
    });
}

async fn run<E: Steps>(
    mut engine: E,
    queue: &mut Queue,
    mut commands: mpsc::Receiver<Command<E>>,
    driver: &mpsc::WeakSender<driver::Command>,
) {
    while !engine.has_failed() {
        let wake = tokio::select! {
            news = queue.next() => if news.is_empty() { return } else { Wake::News(news) },
            command = commands.recv() => match command {
                Some(command) => Wake::Command(command),
                None => return,
            },
            // As long as there is news, time alone tells nothing: the answer may be among it.
            () = tokio::time::sleep(engine.until_next().min(LONGEST_SLEEP)), if queue.is_empty() => {
                Wake::Timer
            }
        };
        let work = tokio::task::spawn_blocking(move || {
            step(&mut engine, wake);
            engine
        });
        // Otherwise the runtime is going down.
        let Ok(back) = work.await else { return };
        engine = back;
        let wishes = engine.take_wishes();
        if !wishes.is_empty() {
            let Some(driver) = driver.upgrade() else { return };
            let command: driver::Command =
                Box::new(move |driver| driver.carry_out(PROTOCOL, wishes));
            if driver.send(command).await.is_err() {
                return;
            }
        }
    }
}

fn step<E: Steps>(engine: &mut E, wake: Wake<E>) {
    match wake {
        Wake::News(batch) => {
            for news in &batch {
                engine.feed(as_input(news));
                if engine.has_failed() {
                    return;
                }
            }
        }
        Wake::Command(command) => command(engine),
        Wake::Timer => engine.feed(Input::Timeout),
    }
    engine.tend();
}

fn as_input(news: &PeerEvent) -> Input<'_> {
    match news {
        PeerEvent::Connected(peer) => Input::Connected(*peer),
        PeerEvent::Disconnected(peer) => Input::Disconnected(*peer),
        PeerEvent::Written { peer, bytes } => Input::Written { peer: *peer, bytes: *bytes },
        PeerEvent::Received { peer, code, payload } => {
            Input::Received { peer: *peer, code: *code, payload }
        }
    }
}

/// How often the clock is looked at even if nothing is due: it may be set.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
