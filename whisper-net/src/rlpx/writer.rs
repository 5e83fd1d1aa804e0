//! Frames into a socket.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::disconnect;
use super::disconnect::Reason;
use super::frame::Egress;
use super::frame::FrameError;

/// Collects frames and writes them at once. Dropping a future loses nothing: what is collected is
/// written by the next one.
pub(super) struct FrameWriter<W> {
    socket: W,
    egress: Egress,
    out: Vec<u8>,
    written: usize,
    stall: Duration,
}

impl<W: AsyncWrite + Unpin> FrameWriter<W> {
    /// `first` is written before all frames.
    pub(super) const fn new(socket: W, egress: Egress, first: Vec<u8>, stall: Duration) -> Self {
        Self { socket, egress, out: first, written: 0, stall }
    }

    /// The channel, to change how it writes.
    pub(super) const fn egress(&mut self) -> &mut Egress {
        &mut self.egress
    }

    /// Collects one packet.
    pub(super) fn push(&mut self, code: u64, payload: &[u8]) -> Result<(), FrameError> {
        self.egress.write(code, payload, &mut self.out)
    }

    /// Whether it is time to write.
    pub(super) const fn is_full(&self) -> bool {
        self.out.len() >= BATCH
    }

    /// Writes what was collected. The other end has to take some of it again and again.
    pub(super) async fn flush(&mut self) -> Result<(), WriteError> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            let write = timeout(self.stall, self.socket.write(rest));
            match write.await.map_err(|_| WriteError::Stalled)?? {
                0 => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                count => self.written = self.written.saturating_add(count),
            }
        }
        self.out.clear();
        self.written = 0;
        if self.out.capacity() > 4 * BATCH {
            self.out.shrink_to(BATCH);
        }
        Ok(())
    }

    /// Says the last word and closes this direction.
    pub(super) async fn say_goodbye(&mut self, reason: Reason) -> Result<(), WriteError> {
        // A Disconnect fits into any frame.
        let _ = self.push(disconnect::CODE, &reason.encode());
        self.flush().await?;
        Ok(self.socket.shutdown().await?)
    }
}

/// What is worth a system call, and what the kernel takes at once.
const BATCH: usize = 64 * 1024;

/// Why nothing more can be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum WriteError {
    #[error("the other end takes nothing")]
    Stalled,
    #[error(transparent)]
    Io(#[from] io::Error),
}
