//! One direction of a connection in memory: packets in order, as many bytes as a socket would hold.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::task::Waker;

use tokio::time::Instant;

use super::Faults;
use super::conditions::LinkConditions;
use crate::transport::Protocol;

/// One direction of a connection, shared by its writer and its reader.
#[derive(Clone)]
pub(super) struct Pipe(Arc<Shared>);

struct Shared {
    flow: Mutex<Flow>,
    reader: Bell,
    writer: Bell,
}

struct Flow {
    conditions: LinkConditions,
    buffer: usize,
    /// Sent and not taken by the socket yet.
    queued: VecDeque<Packet>,
    /// Taken by the socket, each with the moment of its arrival.
    under_way: VecDeque<(Instant, Packet)>,
    under_way_bytes: usize,
    /// Taken by the socket and not reported to the writer yet.
    written: BTreeMap<Protocol, usize>,
    end: End,
}

/// Protocol, code and body of a packet.
pub(super) type Packet = (Protocol, u8, Vec<u8>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Open,
    /// Nothing more is written; what is under way arrives.
    Finished,
    /// Nobody reads any more: what is sent is lost.
    Deaf,
    /// Nothing arrives any more.
    Broken,
}

/// What a reader finds.
pub(super) enum Arrival {
    Packet(Packet),
    /// Nothing before that moment, or before the bell rings.
    NotBefore(Option<Instant>),
    Finished,
    Broken,
}

impl Pipe {
    pub(super) fn new(faults: &Faults, seed: u64, writer: Bell, reader: Bell) -> Self {
        let flow = Flow {
            conditions: LinkConditions::new(faults, seed),
            buffer: faults.buffer,
            queued: VecDeque::new(),
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            written: BTreeMap::new(),
            end: End::Open,
        };
        Self(Arc::new(Shared { flow: Mutex::new(flow), reader, writer }))
    }

    /// Queues a packet; the conditions may break the connection instead.
    pub(super) fn send(&self, packet: Packet) {
        let mut flow = self.lock();
        if flow.end != End::Open {
            return;
        }
        if flow.conditions.breaks() {
            drop(flow);
            return self.break_off();
        }
        flow.queued.push_back(packet);
        let moved = flow.fill();
        drop(flow);
        if moved {
            self.0.writer.ring();
            self.0.reader.ring();
        }
    }

    /// The next packet that has arrived.
    pub(super) fn receive(&self, now: Instant) -> Arrival {
        let mut flow = self.lock();
        match flow.under_way.front() {
            _ if flow.end == End::Broken => Arrival::Broken,
            None if flow.end == End::Finished && flow.queued.is_empty() => Arrival::Finished,
            None => Arrival::NotBefore(None),
            Some((due, _)) if *due > now => Arrival::NotBefore(Some(*due)),
            Some(_) => {
                let Some((_, packet)) = flow.under_way.pop_front() else {
                    return Arrival::NotBefore(None);
                };
                flow.under_way_bytes = flow.under_way_bytes.saturating_sub(packet.2.len());
                let moved = flow.fill();
                drop(flow);
                if moved {
                    self.0.writer.ring();
                }
                Arrival::Packet(packet)
            }
        }
    }

    /// How many bytes the socket has taken since the last call, and whether the pipe is broken.
    pub(super) fn written(&self) -> (BTreeMap<Protocol, usize>, bool) {
        let mut flow = self.lock();
        (mem::take(&mut flow.written), flow.end == End::Broken)
    }

    /// Whether the socket has taken all that was sent.
    pub(super) fn is_flushed(&self) -> bool {
        let flow = self.lock();
        flow.queued.is_empty() || matches!(flow.end, End::Broken | End::Deaf)
    }

    /// Ends the pipe after what was sent.
    pub(super) fn finish(&self) {
        self.end(End::Finished);
    }

    /// Ends the reading. The writer learns of it from its own reading, since a host that leaves also
    /// finishes the other pipe.
    pub(super) fn abandon(&self) {
        self.end(End::Deaf);
    }

    /// Ends the pipe at once.
    fn break_off(&self) {
        self.end(End::Broken);
    }

    fn end(&self, end: End) {
        let mut flow = self.lock();
        if !matches!(flow.end, End::Broken | End::Deaf) {
            flow.end = end;
        }
        drop(flow);
        self.0.writer.ring();
        self.0.reader.ring();
    }

    fn lock(&self) -> MutexGuard<'_, Flow> {
        self.0.flow.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Flow {
    /// Lets the socket take what it has room for. Any packet fits into an empty one.
    fn fill(&mut self) -> bool {
        let before = self.under_way.len();
        while let Some((_, _, payload)) = self.queued.front() {
            let bytes = self.under_way_bytes.saturating_add(payload.len());
            if bytes > self.buffer && !self.under_way.is_empty() {
                break;
            }
            let Some(packet) = self.queued.pop_front() else { break };
            self.under_way_bytes = bytes;
            let written = self.written.entry(packet.0).or_default();
            *written = written.saturating_add(packet.2.len());
            let earliest = self.under_way.back().map(|(due, _)| *due);
            self.under_way.push_back((self.conditions.due(earliest), packet));
        }
        self.under_way.len() != before
    }
}

/// Wakes the task of a transport.
#[derive(Clone, Default)]
pub(super) struct Bell(Arc<Mutex<Option<Waker>>>);

impl Bell {
    /// Wakes `waker` at the next ring, in place of an earlier one.
    pub(super) fn answer(&self, waker: &Waker) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.as_ref().is_some_and(|before| before.will_wake(waker)) {
            *waiting = Some(waker.clone());
        }
    }

    /// Wakes the task that waits.
    pub(super) fn ring(&self) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}
