//! Beside the loop: holds the keys, tries them, and deals out what they open.
//!
//! The relay engine and its loop never wait for anything in here, so that neither what this node can
//! read nor how long that takes shows in the time at which it relays (`attacks.md`, K4).

mod order;
mod queue;
mod reader;
mod renewal;

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;

use self::queue::Batch;
pub(crate) use self::queue::Queue;
pub(crate) use self::reader::Dispatch;
pub(crate) use self::reader::Reader;
use crate::actor;
use crate::actor::Actor;
use crate::actor::Address;
use crate::actor::Engine;

/// Starts the worker. It ends with the last sender of commands, or once the queue is closed and read.
pub(crate) fn start(
    runtime: &Runtime,
    queue: Arc<Queue>,
    reader: Reader,
    alive: watch::Sender<()>,
) -> Address<Reader> {
    let (address, commands) = actor::address();
    let read_on = reader.read_on();
    runtime.spawn(async move {
        let mut worker = Actor::new(reader, commands);
        loop {
            let is_stuck = worker.engine().is_stuck();
            let identities = worker.engine().identities();
            let input = async {
                tokio::select! {
                    batch = queue.next(BATCH, identities), if !is_stuck => batch,
                    () = read_on.notified() => Some(Batch::default()),
                }
            };
            if is_stuck && queue.is_closed() {
                // What cannot be read now will never be.
                break;
            }
            match worker.step(input, true).await {
                Some(next) => worker = next,
                None => break,
            }
        }
        drop(alive);
    });
    address
}

impl Engine for Reader {
    type Input = Batch;

    fn handle(&mut self, batch: Batch) {
        self.read(batch.arrivals, batch.missed);
        self.resume();
    }

    fn handle_timeout(&mut self) {
        self.tidy();
    }

    fn until_timeout(&self) -> Duration {
        self.deadline()
    }
}

/// Agreements, or other envelopes, between two looks at the commands: some 60 ms at worst.
const BATCH: usize = 1_024;
