//! Beside the loop: holds the keys, tries them, and deals out what they open.
//!
//! The relay engine and its loop never wait for anything in here, so that neither what this node can
//! read nor how long that takes shows in the time at which it relays (`attacks.md`, K4).

mod account;
mod queue;
mod reader;
mod repeats;
mod waiting;

use std::sync::Arc;

use tokio::runtime::Handle as Runtime;
use tokio::sync::mpsc;
use tokio::sync::watch;

pub(crate) use self::account::Dispatch;
pub(crate) use self::queue::Arrival;
use self::queue::Batch;
pub(crate) use self::queue::Limits;
pub(crate) use self::queue::Queue;
pub(crate) use self::reader::Reader;

/// Something to be done with the keys, between two batches.
pub(crate) type Command = Box<dyn FnOnce(&mut Reader) + Send>;

/// Where commands go.
pub(crate) type Commands = mpsc::Sender<Command>;

/// Where commands go, without keeping the node alive.
pub(crate) type WeakCommands = mpsc::WeakSender<Command>;

/// Starts the worker. It ends with the last sender of commands, or once the queue is closed and read.
pub(crate) fn start(
    runtime: &Runtime,
    queue: Arc<Queue>,
    reader: Reader,
    alive: watch::Sender<()>,
) -> Commands {
    let (commands, receiver) = mpsc::channel(MOST_COMMANDS);
    runtime.spawn(async move {
        run(queue, receiver, reader).await;
        drop(alive);
    });
    commands
}

async fn run(queue: Arc<Queue>, mut commands: mpsc::Receiver<Command>, reader: Reader) {
    let mut reader = reader;
    loop {
        let deadline = reader.deadline();
        let wake = tokio::select! {
            batch = queue.next(BATCH) => batch.map(Wake::Batch),
            command = commands.recv() => command.map(Wake::Command),
            () = tokio::time::sleep(deadline) => Some(Wake::Timer),
        };
        let Some(wake) = wake else { return };
        // Ciphers are work for a thread that nothing else waits for.
        let work = tokio::task::spawn_blocking(move || {
            match wake {
                Wake::Batch(Batch { arrivals, missed }) => reader.read(&arrivals, missed),
                Wake::Command(command) => command(&mut reader),
                Wake::Timer => reader.tidy(),
            }
            reader
        });
        match work.await {
            Ok(back) => reader = back,
            // The runtime is going down.
            Err(_) => return,
        }
    }
}

enum Wake {
    Batch(Batch),
    Command(Command),
    Timer,
}

/// Envelopes between two looks at the commands: some 60 ms at worst, if each costs an agreement.
const BATCH: usize = 1_024;
/// Far more than an application asks at once.
const MOST_COMMANDS: usize = 1_024;
