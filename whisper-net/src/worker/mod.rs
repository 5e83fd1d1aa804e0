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
use std::time::Duration;

use tokio::runtime::Handle as Runtime;
use tokio::sync::watch;

pub(crate) use self::account::Dispatch;
pub(crate) use self::queue::Arrival;
use self::queue::Batch;
pub(crate) use self::queue::Limits;
pub(crate) use self::queue::Queue;
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
    runtime.spawn(async move {
        let mut worker = Actor::new(reader, commands);
        while let Some(next) = worker.step(queue.next(BATCH), true).await {
            worker = next;
        }
        drop(alive);
    });
    address
}

impl Engine for Reader {
    type Input = Batch;

    fn handle(&mut self, batch: Batch) {
        self.read(&batch.arrivals, batch.missed);
    }

    fn handle_timeout(&mut self) {
        self.tidy();
    }

    fn until_timeout(&self) -> Duration {
        self.deadline()
    }
}

/// Envelopes between two looks at the commands: some 60 ms at worst, if each costs an agreement.
const BATCH: usize = 1_024;
