//! Compression of packets (EIP-706): Snappy's block format, whose length is read before memory is taken.

use snap::raw::Decoder;
use snap::raw::Encoder;
use snap::raw::decompress_len;
use snap::raw::max_compress_len;

use super::frame::FrameError;

/// Compresses the packets of one direction, and keeps its table between them.
pub(super) struct Compressor(Encoder);

impl Compressor {
    pub(super) fn new() -> Self {
        Self(Encoder::new())
    }

    /// Appends the compressed form of `payload` to `out`.
    pub(super) fn append(&mut self, payload: &[u8], out: &mut Vec<u8>) -> Result<(), FrameError> {
        let start = out.len();
        out.resize(start.saturating_add(max_compress_len(payload.len())), 0);
        let room = out.get_mut(start..).unwrap_or_default();
        let length = self.0.compress(payload, room).map_err(|_| FrameError::Compression)?;
        out.truncate(start.saturating_add(length));
        Ok(())
    }
}

/// Decompresses at most `max` bytes.
pub(super) fn decompress(compressed: &[u8], max: usize) -> Result<Vec<u8>, FrameError> {
    // Even nothing has a compressed form, of one byte.
    if compressed.is_empty() {
        return Err(FrameError::Compression);
    }
    let length = decompress_len(compressed).map_err(|_| FrameError::Compression)?;
    if length > max {
        return Err(FrameError::TooLarge { max });
    }
    if length > compressed.len().saturating_mul(MAX_RATIO) {
        return Err(FrameError::Compression);
    }
    let mut payload = vec![0; length];
    let written =
        Decoder::new().decompress(compressed, &mut payload).map_err(|_| FrameError::Compression)?;
    if written == length { Ok(payload) } else { Err(FrameError::Compression) }
}

/// The most that Snappy can gain: its best element copies 64 bytes and takes three. Who announces more
/// lies, and gets no memory for it.
const MAX_RATIO: usize = 22;
