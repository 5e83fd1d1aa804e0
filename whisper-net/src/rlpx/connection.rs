//! A connection that stands: packets in, packets out, until somebody ends it.

use std::collections::BTreeMap;
use std::future::pending;
use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::Interval;
use tokio::time::MissedTickBehavior;
use tokio::time::interval_at;
use tokio::time::timeout;
use whisper_core::crypto::curve::PublicKey;
use whisper_core::peer::PeerId;

use super::bucket::Bucket;
use super::capability::FIRST_ID;
use super::channels::Channels;
use super::disconnect;
use super::disconnect::Reason;
use super::frame::FrameError;
use super::frame::Packet;
use super::opening::Open;
use super::opening::Reader;
use super::opening::Writer;
use super::reader::ReadError;
use super::writer::WriteError;
use crate::peering::Timing;
use crate::transport::DialFailure;
use crate::transport::DisconnectReason;
use crate::transport::Goodbye;
use crate::transport::PeerFacts;
use crate::transport::Protocol;
use crate::transport::TransportEvent;

/// Where connections tell what happens.
#[derive(Clone)]
pub(super) struct Reporter {
    queue: mpsc::Sender<Report>,
    /// Bytes of payloads that may wait in the queue.
    room: Arc<Semaphore>,
}

/// What a connection tells its transport.
pub(super) enum Report {
    /// It stands.
    Opened(PeerId, PeerFacts, Link),
    /// Anything else, with the room that it takes up until it is read.
    Happened(TransportEvent, Option<OwnedSemaphorePermit>),
}

impl Reporter {
    /// `max_packet` is the longest payload that will be reported.
    pub(super) fn new(max_packet: usize) -> (Self, mpsc::Receiver<Report>) {
        let (queue, reported) = mpsc::channel(MAX_EVENTS);
        let room = MAX_QUEUED.max(max_packet.saturating_mul(4)).min(Semaphore::MAX_PERMITS);
        (Self { queue, room: Arc::new(Semaphore::new(room)) }, reported)
    }

    /// False if nobody listens any more.
    async fn report(&self, report: Report) -> bool {
        self.queue.send(report).await.is_ok()
    }

    pub(super) async fn happened(&self, event: TransportEvent) -> bool {
        self.report(Report::Happened(event, None)).await
    }

    async fn received(
        &self,
        peer: PeerId,
        (protocol, code): (Protocol, u8),
        payload: Vec<u8>,
    ) -> bool {
        let bytes = u32::try_from(payload.len()).unwrap_or(u32::MAX);
        let Ok(room) = Arc::clone(&self.room).acquire_many_owned(bytes).await else {
            return false;
        };
        let event = TransportEvent::Received { peer, protocol, code, payload };
        self.report(Report::Happened(event, Some(room))).await
    }
}

/// A packet to be sent: its protocol, that one's code, and the payload.
pub(super) type Outgoing = (Protocol, u8, Vec<u8>);

/// How a transport speaks to one of its connections.
pub(super) struct Link {
    pub(super) key: PublicKey,
    pub(super) commands: mpsc::UnboundedSender<Outgoing>,
    /// The moment until which nothing is read.
    pub(super) gate: watch::Sender<Instant>,
    pub(super) goodbye: oneshot::Sender<Goodbye>,
}

/// How a connection has ended.
#[derive(Debug)]
pub(super) enum Ending {
    /// We end it with this word.
    Ours(Goodbye),
    /// The other end says why it goes.
    Theirs(Reason),
    /// What came is not what belongs on this wire.
    Fault(Reason),
    Unread(ReadError),
    Unwritten(WriteError),
    /// Another connection of the same node has taken the place.
    Replaced,
    /// The transport is gone.
    Abandoned,
}

impl Ending {
    /// The last word, if there is one to be said. A Disconnect is never answered, since its sender may
    /// take the answer for another one; and one that broke the frames could not read it.
    const fn last_word(&self) -> Option<Reason> {
        match self {
            Self::Ours(goodbye) => Some(match goodbye {
                Goodbye::Violation => Reason::Subprotocol,
                Goodbye::Useless => Reason::UselessPeer,
                Goodbye::Quitting => Reason::Quitting,
                Goodbye::Requested => Reason::Requested,
            }),
            Self::Fault(reason) => Some(*reason),
            Self::Replaced => Some(Reason::AlreadyConnected),
            Self::Unread(ReadError::TimedOut) => Some(Reason::Timeout),
            Self::Unread(ReadError::Frame(FrameError::TooLarge { .. } | FrameError::Code)) => {
                Some(Reason::Protocol)
            }
            _ => None,
        }
    }

    /// What decides when it is tried again.
    pub(super) const fn failure(&self) -> Option<DialFailure> {
        match self {
            Self::Replaced => None,
            Self::Theirs(reason) => reason.failure(),
            _ => match self.last_word() {
                Some(reason) => reason.failure(),
                None => None,
            },
        }
    }

    fn disconnect_reason(&self) -> DisconnectReason {
        match self {
            Self::Ours(_) | Self::Abandoned => DisconnectReason::Local,
            Self::Replaced => DisconnectReason::Replaced,
            Self::Theirs(_) | Self::Unread(ReadError::Closed) => DisconnectReason::Remote,
            Self::Unread(ReadError::TimedOut) | Self::Unwritten(WriteError::Stalled) => {
                DisconnectReason::TimedOut
            }
            // A program that ends without a word resets its connections.
            Self::Unread(ReadError::Io(error)) | Self::Unwritten(WriteError::Io(error))
                if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) =>
            {
                DisconnectReason::Remote
            }
            Self::Fault(_) | Self::Unread(_) | Self::Unwritten(_) => DisconnectReason::Broken,
        }
    }
}

/// What a transport tells all of its connections.
#[derive(Clone)]
pub(super) struct Signals {
    /// Whether the transport closes.
    pub(super) closing: watch::Receiver<bool>,
    /// Changes when connections have to show that they still work.
    pub(super) check: watch::Receiver<u32>,
}

/// Runs a connection to its end.
pub(super) async fn run(
    open: Open,
    peer: PeerId,
    facts: PeerFacts,
    reporter: Reporter,
    timing: &Timing,
    signals: Signals,
) -> Ending {
    let Open { reader, writer, gate, channels, key, mut slot, .. } = open;
    let (commands, queue) = mpsc::unbounded_channel();
    let (goodbye, mut asked_to_go) = oneshot::channel();
    let (base, bases) = mpsc::channel(PONGS);
    let unread = gate.subscribe();
    if !reporter.report(Report::Opened(peer, facts, Link { key, commands, gate, goodbye })).await {
        return Ending::Abandoned;
    }
    let heard = AtomicU64::new(0);
    let Signals { closing, check } = signals;
    let checked = checked(check, &base, &heard, &unread, timing.check);
    let mut inbound =
        Inbound::new(peer, reader, channels.clone(), reporter.clone(), base.clone(), &heard);
    let pings = pings(timing.ping);
    let mut outbound = Outbound {
        peer,
        writer,
        channels,
        queue,
        bases,
        pings,
        reporter: reporter.clone(),
        closing,
    };
    // Without an order: a flood in one direction must not hold up the other.
    let ending = tokio::select! {
        Ok(goodbye) = &mut asked_to_go => Ending::Ours(goodbye),
        () = slot.lost() => Ending::Replaced,
        ending = checked => ending,
        ending = inbound.run() => ending,
        ending = outbound.run() => ending,
    };
    tracing::debug!(peer = peer.as_u64(), ?ending, "a connection ends");
    let how = ending.disconnect_reason();
    reporter.happened(TransportEvent::Disconnected { peer, how }).await;
    // Nobody has to wait for the last words before this peer may come again.
    drop(slot);
    if let Some(reason) = ending.last_word() {
        let last_words = async {
            if outbound.writer.say_goodbye(reason).await.is_ok() {
                inbound.reader.drain().await;
            }
        };
        let _ = timeout(timing.goodbye, last_words).await;
    }
    ending
}

/// Ends when the connection has to show that it works, and brings nothing within `span`. Time during
/// which it is not read does not count.
async fn checked(
    mut check: watch::Receiver<u32>,
    base: &mpsc::Sender<u64>,
    heard: &AtomicU64,
    unread: &watch::Receiver<Instant>,
    span: Duration,
) -> Ending {
    check.mark_unchanged();
    while check.changed().await.is_ok() {
        let (start, before) = (Instant::now(), heard.load(Ordering::Relaxed));
        // If others wait to be written, they will do.
        let _ = base.try_send(PING);
        tokio::time::sleep(span).await;
        if heard.load(Ordering::Relaxed) == before && *unread.borrow() <= start {
            return Ending::Unread(ReadError::TimedOut);
        }
    }
    // The transport is gone, and the others notice.
    pending().await
}

/// Packets from the socket to the transport.
struct Inbound<'a> {
    peer: PeerId,
    reader: Reader,
    channels: Channels,
    reporter: Reporter,
    base: mpsc::Sender<u64>,
    /// How many packets have come.
    heard: &'a AtomicU64,
    /// Pings that are answered.
    pings: Bucket,
    /// Packets of the base protocol, which no budget of the node's covers.
    base_packets: Bucket,
}

impl<'a> Inbound<'a> {
    fn new(
        peer: PeerId,
        reader: Reader,
        channels: Channels,
        reporter: Reporter,
        base: mpsc::Sender<u64>,
        heard: &'a AtomicU64,
    ) -> Self {
        let now = Instant::now();
        let pings = Bucket::new(now, PING_BURST, BASE_INTERVAL);
        let base_packets = Bucket::new(now, BASE_BURST, BASE_INTERVAL);
        Self { peer, reader, channels, reporter, base, heard, pings, base_packets }
    }

    async fn run(&mut self) -> Ending {
        loop {
            let packet = match self.reader.next().await {
                Ok(packet) => packet,
                Err(error) => return Ending::Unread(error),
            };
            self.heard.fetch_add(1, Ordering::Relaxed);
            if packet.code < FIRST_ID {
                if let Some(ending) = self.take_base(&packet) {
                    return ending;
                }
                continue;
            }
            let code = self.channels.code_of(packet.code);
            let Some(code) = code else { return Ending::Fault(Reason::Protocol) };
            if !self.reporter.received(self.peer, code, packet.payload).await {
                return Ending::Abandoned;
            }
        }
    }

    /// A packet of the base protocol. Others than Disconnect and Ping are ignored, a second Hello too,
    /// but not in any number.
    fn take_base(&mut self, packet: &Packet) -> Option<Ending> {
        let now = Instant::now();
        match packet.code {
            disconnect::CODE => return Some(Ending::Theirs(Reason::decode(&packet.payload))),
            PING if self.pings.take(now) => {
                // If the last Pongs have not gone out yet, one of them will do.
                let _ = self.base.try_send(PONG);
            }
            _ => {}
        }
        if self.base_packets.take(now) { None } else { Some(Ending::Fault(Reason::Protocol)) }
    }
}

/// Packets from the transport to the socket.
struct Outbound {
    peer: PeerId,
    writer: Writer,
    channels: Channels,
    queue: mpsc::UnboundedReceiver<Outgoing>,
    bases: mpsc::Receiver<u64>,
    pings: Interval,
    reporter: Reporter,
    closing: watch::Receiver<bool>,
}

impl Outbound {
    async fn run(&mut self) -> Ending {
        match self.pump().await {
            Ok(ending) => ending,
            Err(WriteError::Stalled) => Ending::Unwritten(WriteError::Stalled),
            Err(error @ WriteError::Io(_)) => {
                // What the other end has sent before it went is still to be read.
                tokio::time::sleep(READ_OUT).await;
                Ending::Unwritten(error)
            }
        }
    }

    async fn pump(&mut self) -> Result<Ending, WriteError> {
        loop {
            let mut written = BTreeMap::new();
            tokio::select! {
                biased;
                Some(code) = self.bases.recv() => self.push_base(code),
                _ = self.pings.tick() => self.push_base(PING),
                Some(packet) = self.queue.recv() => {
                    written = self.push_all(packet);
                }
                // Behind the queue: what was asked for before goes out first.
                () = closed(&mut self.closing) => {
                    return Ok(Ending::Ours(Goodbye::Quitting));
                }
            }
            self.writer.flush().await?;
            for (protocol, bytes) in written.into_iter().filter(|(_, bytes)| *bytes > 0) {
                let peer = self.peer;
                self.reporter.happened(TransportEvent::Written { peer, protocol, bytes }).await;
            }
        }
    }

    fn push_base(&mut self, code: u64) {
        // An empty list fits into any frame.
        let _ = self.writer.push(code, &[0xc0]);
    }

    /// Collects what is queued, as far as it is worth one write; tells the sums of the payloads.
    fn push_all(&mut self, first: Outgoing) -> BTreeMap<Protocol, usize> {
        let mut written: BTreeMap<Protocol, usize> = BTreeMap::new();
        let mut next = Some(first);
        while let Some((protocol, code, payload)) = next {
            let pushed =
                self.channels.id_of(protocol, code).map(|id| self.writer.push(id, &payload));
            if let Some(Err(error)) = pushed {
                tracing::warn!(%error, "a packet is too large for the wire and was left out");
            }
            let bytes = written.entry(protocol).or_default();
            *bytes = bytes.saturating_add(payload.len());
            next = if self.writer.is_full() { None } else { self.queue.try_recv().ok() };
        }
        written
    }
}

async fn closed(closing: &mut watch::Receiver<bool>) {
    // Without a sender, the transport is gone: that is closed as well.
    let _ = closing.wait_for(|closing| *closing).await;
}

fn pings(every: Duration) -> Interval {
    let every = every.clamp(Duration::from_millis(1), Duration::from_secs(3_600));
    let mut pings = interval_at(Instant::now() + every, every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    pings
}

const PING: u64 = 2;
const PONG: u64 = 3;

/// Events that wait for the driver: some milliseconds of its work.
const MAX_EVENTS: usize = 4_096;
/// Bytes of payloads that wait for the driver, of all peers together.
const MAX_QUEUED: usize = 16 << 20;
/// Answers that wait to be written.
const PONGS: usize = 4;
/// go-ethereum sends a Ping every 15 s.
const PING_BURST: u32 = 5;
/// Anything more is a flood.
const BASE_BURST: u32 = 64;
const BASE_INTERVAL: Duration = Duration::from_secs(1);
/// How long a connection that takes nothing more may still bring something.
const READ_OUT: Duration = Duration::from_secs(5);
