//! The task that drives the engine, in threads that may wait for disk and ciphers.

use tokio::sync::mpsc;

use super::engine::Command;
use super::engine::Engine;
use super::queue::Queue;
use crate::driver;
use crate::driver::lodger::News;
use whisper_core::ledger::sync::Input;

enum Wake {
    News(Vec<News>),
    Command(Command),
    Timer,
}

/// Starts the task. It ends with the loop, with the last sender of commands, or when nothing can be
/// stored any more.
pub(super) fn start(
    engine: Engine,
    queue: Queue,
    commands: mpsc::Receiver<Command>,
    driver: mpsc::WeakSender<driver::Command>,
) {
    tokio::spawn(run(engine, queue, commands, driver));
}

async fn run(
    mut engine: Engine,
    mut queue: Queue,
    mut commands: mpsc::Receiver<Command>,
    driver: mpsc::WeakSender<driver::Command>,
) {
    while !engine.has_failed() {
        let wake = tokio::select! {
            news = queue.next() => if news.is_empty() { return } else { Wake::News(news) },
            command = commands.recv() => match command {
                Some(command) => Wake::Command(command),
                None => return,
            },
            () = tokio::time::sleep(engine.until_next()) => Wake::Timer,
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
                Box::new(move |driver| driver.carry_out_for_ledger(wishes));
            if driver.send(command).await.is_err() {
                return;
            }
        }
    }
}

fn step(engine: &mut Engine, wake: Wake) {
    match wake {
        Wake::News(batch) => {
            for news in batch {
                engine.take_news(&news);
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
