//! Frames out of a socket.

use std::future::pending;
use std::io;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio::time::sleep_until;

use super::frame::FrameError;
use super::frame::HEADER;
use super::frame::Header;
use super::frame::Ingress;
use super::frame::Packet;
use crate::peering::Timing;
use crate::peering::after;

/// Reads frames through a large buffer. Dropping the future of [`FrameReader::next`] loses nothing.
pub(super) struct FrameReader<R> {
    socket: R,
    ingress: Ingress,
    buffer: Buffer,
    /// That of the frame whose body is awaited.
    header: Option<Header>,
    gate: Gate,
    idle: Duration,
    frame: Duration,
}

impl<R: AsyncRead + Unpin> FrameReader<R> {
    pub(super) fn new(socket: R, ingress: Ingress, gate: Gate, timing: &Timing) -> Self {
        let buffer = Buffer::new();
        let Timing { idle, frame, .. } = *timing;
        Self { socket, ingress, buffer, header: None, gate, idle, frame }
    }

    /// The channel, to change what it expects.
    pub(super) const fn ingress(&mut self) -> &mut Ingress {
        &mut self.ingress
    }

    /// The next packet. Time is counted from this call, without that for which the gate is shut.
    pub(super) async fn next(&mut self) -> Result<Packet, ReadError> {
        let mut deadline: Option<Deadline> = None;
        loop {
            let shut = self.gate.pass().await;
            if let Some(packet) = self.take()? {
                return Ok(packet);
            }
            let deadline = deadline.get_or_insert_with(|| Deadline::new(self.idle));
            deadline.postpone(shut);
            if !self.buffer.is_empty() || self.header.is_some() {
                deadline.begin_frame(self.frame);
            }
            let needed = self.header.as_ref().map_or(HEADER, Header::remaining);
            let room = self.buffer.room(needed);
            tokio::select! {
                read = self.socket.read(room) => match read? {
                    0 => return Err(ReadError::Closed),
                    count => self.buffer.filled(count),
                },
                () = self.gate.changed() => {}
                () = sleep_until(deadline.earliest()) => return Err(ReadError::TimedOut),
            }
        }
    }

    /// Reads until the other end closes, and forgets it: to close with unread bytes would take back
    /// what was written last.
    pub(super) async fn drain(&mut self) {
        loop {
            let room = self.buffer.fresh();
            if matches!(self.socket.read(room).await, Ok(0) | Err(_)) {
                return;
            }
        }
    }

    /// The next packet, if the buffer holds all of it.
    fn take(&mut self) -> Result<Option<Packet>, FrameError> {
        if self.header.is_none() {
            let Some(bytes) = self.buffer.take(HEADER) else { return Ok(None) };
            let bytes = bytes.first_chunk().ok_or(FrameError::Forged)?;
            self.header = Some(self.ingress.header(bytes)?);
        }
        let needed = self.header.as_ref().map_or(0, Header::remaining);
        let Some(body) = self.buffer.take(needed) else { return Ok(None) };
        let Some(header) = self.header.take() else { return Ok(None) };
        self.ingress.body(header, body).map(Some)
    }
}

/// When a peer has been silent, or a frame under way, for too long.
struct Deadline {
    idle: Instant,
    frame: Option<Instant>,
}

impl Deadline {
    fn new(idle: Duration) -> Self {
        Self { idle: after(Instant::now(), idle), frame: None }
    }

    fn begin_frame(&mut self, span: Duration) {
        self.frame.get_or_insert_with(|| after(Instant::now(), span));
    }

    fn postpone(&mut self, by: Duration) {
        self.idle += by;
        self.frame = self.frame.map(|frame| frame + by);
    }

    fn earliest(&self) -> Instant {
        self.frame.map_or(self.idle, |frame| frame.min(self.idle))
    }
}

/// Whether a socket may be read: shut until some moment, which may be changed meanwhile.
pub(super) struct Gate(watch::Receiver<Instant>);

impl Gate {
    /// An open gate, and what shuts it.
    pub(super) fn new() -> (watch::Sender<Instant>, Self) {
        let (sender, receiver) = watch::channel(Instant::now());
        (sender, Self(receiver))
    }

    /// Waits until the gate is open, and tells how long that was.
    async fn pass(&mut self) -> Duration {
        let start = Instant::now();
        let mut now = start;
        loop {
            let until = *self.0.borrow_and_update();
            if until <= now {
                return now.duration_since(start);
            }
            tokio::select! {
                () = sleep_until(until) => {}
                Ok(()) = self.0.changed() => {}
            }
            now = Instant::now();
        }
    }

    async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            pending::<()>().await;
        }
    }
}

/// Bytes that were read and not used yet.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER], start: 0, end: 0 }
    }

    const fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// The next `count` bytes, if there are so many.
    fn take(&mut self, count: usize) -> Option<&mut [u8]> {
        let end = self.start.checked_add(count).filter(|end| *end <= self.end)?;
        let taken = self.bytes.get_mut(self.start..end)?;
        self.start = end;
        Some(taken)
    }

    /// Where to read to, with room for `needed` bytes from the first unused one on.
    ///
    /// Whatever is moved to the front is less than a frame, and each frame moves once.
    fn room(&mut self, needed: usize) -> &mut [u8] {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end = self.end.saturating_sub(self.start);
        self.start = 0;
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        } else if self.end == 0 && self.bytes.len() > BUFFER && needed <= BUFFER {
            // A large frame has passed.
            self.bytes.truncate(BUFFER);
            self.bytes.shrink_to_fit();
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// All of the buffer, its content forgotten.
    fn fresh(&mut self) -> &mut [u8] {
        (self.start, self.end) = (0, 0);
        &mut self.bytes
    }

    fn filled(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.bytes.len());
    }
}

/// Some two hundred small packets per system call.
const BUFFER: usize = 64 * 1024;

/// Why no packet comes.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    #[error("the other end has closed the connection")]
    Closed,
    #[error("nothing came for too long")]
    TimedOut,
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Frame(#[from] FrameError),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;
    use whisper_core::crypto::Secret;
    use whisper_core::hash::Keccak;

    use super::super::frame::Egress;
    use super::super::secrets::Secrets;
    use super::*;

    fn secrets() -> Secrets {
        Secrets::new(Secret::fill_with(|_| ()), Secret::fill_with(|_| ()))
    }

    /// Sends frames through a socket that takes `chunk` bytes at a time, and reads them.
    async fn through_a_narrow_socket(lengths: &[usize], chunk: usize) -> Vec<usize> {
        let (mut near, far) = tokio::io::duplex(chunk);
        let mut egress = Egress::new(&secrets(), Keccak::new());
        let mut wire = Vec::new();
        for length in lengths {
            egress.write(17, &vec![7; *length], &mut wire).unwrap();
        }
        let (_shut, gate) = Gate::new();
        let ingress = Ingress::new(&secrets(), Keccak::new());
        let mut reader = FrameReader::new(far, ingress, gate, &Timing::default());
        let write = async {
            near.write_all(&wire).await.unwrap();
            drop(near);
        };
        let read = async {
            let mut read = Vec::new();
            loop {
                match reader.next().await {
                    Ok(packet) => read.push(packet.payload.len()),
                    Err(ReadError::Closed) => return read,
                    Err(error) => panic!("{error}"),
                }
            }
        };
        let ((), read) = tokio::join!(write, read);
        assert!(reader.buffer.bytes.len() <= BUFFER, "memory for a large frame is given back");
        read
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn frames_are_read_whole_however_they_are_cut(
            lengths in prop::collection::vec(prop_oneof![0_usize..200, 60_000_usize..200_000], 0..12),
            chunk in 1_usize..100_000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            // A byte at a time takes its time.
            let chunk = if lengths.iter().any(|length| *length > 200) { chunk.max(1_000) } else { chunk };
            prop_assert_eq!(runtime.block_on(through_a_narrow_socket(&lengths, chunk)), lengths);
        }
    }
}
