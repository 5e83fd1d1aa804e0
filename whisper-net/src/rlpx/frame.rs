//! Frames: what runs over a connection after the handshake. Pure: bytes in, packets out.
//!
//! ```text
//! header (16) ‖ header MAC (16) ‖ body, filled to a multiple of 16 ‖ body MAC (16)
//! ```
//!
//! One packet is one frame. The two directions are independent halves, [`Egress`] and [`Ingress`].
//! Each keeps a stream cipher and a running hash, so that a frame cannot be left out, repeated or
//! moved; after one mistake nothing that follows can be read, and the connection ends.

use std::fmt;
use std::mem;

use aes::Aes256;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::KeyInit;
use aes::cipher::KeyIvInit;
use aes::cipher::StreamCipher;
use ctr::Ctr128BE;
use subtle::ConstantTimeEq;
use whisper_core::crypto::wiping_stack;
use whisper_core::hash::Keccak;
use whisper_core::rlp::Reader;
use whisper_core::rlp::Writer;

use super::disconnect;
use super::secrets::STACK;
use super::secrets::Secrets;
use super::secrets::xor;
use super::snappy;

/// One packet: a number that says what it is, and a body.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Packet {
    /// The message id, offset of its capability included.
    pub code: u64,
    /// The body, decompressed.
    pub payload: Vec<u8>,
}

/// The half of a channel that sends.
pub struct Egress {
    stream: Box<Ctr128BE<Aes256>>,
    mac: FrameMac,
    compressor: Option<snappy::Compressor>,
    /// The body under construction; kept for its memory.
    body: Vec<u8>,
}

impl Egress {
    /// The sending half of a channel whose MACs go on from `absorbed`.
    pub fn new(secrets: &Secrets, absorbed: Keccak) -> Self {
        Self {
            stream: stream(secrets),
            mac: FrameMac::new(secrets, absorbed),
            compressor: None,
            body: Vec::new(),
        }
    }

    /// Compresses all that is written from now on: once both sides have said Hello, and both can.
    pub fn compress(&mut self) {
        self.compressor.get_or_insert_with(snappy::Compressor::new);
    }

    /// Appends the frame of one packet to `out`.
    ///
    /// # Errors
    /// [`FrameError::TooLarge`] if the packet exceeds what a frame holds; nothing is written then, and
    /// the channel goes on.
    pub fn write(
        &mut self,
        code: u64,
        payload: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), FrameError> {
        if payload.len() > MAX_FRAME {
            return Err(FrameError::TooLarge { max: MAX_FRAME });
        }
        let mut body = mem::take(&mut self.body);
        body.clear();
        body.extend_from_slice(Writer::with_capacity(9).uint(code).as_bytes());
        match &mut self.compressor {
            Some(compressor) => compressor.append(payload, &mut body)?,
            None => body.extend_from_slice(payload),
        }
        let result = self.seal(&mut body, out);
        self.body = body;
        result
    }

    /// The hash of all that the MACs have absorbed so far. Both ends of a direction agree on it.
    pub const fn mac_digest(&self) -> &[u8; 32] {
        &self.mac.digest
    }

    fn seal(&mut self, body: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<(), FrameError> {
        let size = body.len();
        let mut header = encode_header(size).ok_or(FrameError::TooLarge { max: MAX_FRAME })?;
        body.resize(size.next_multiple_of(BLOCK), 0);
        out.reserve(HEADER.saturating_add(body.len()).saturating_add(BLOCK));
        wiping_stack::<STACK, _>(|| {
            self.stream.apply_keystream(&mut header);
            out.extend_from_slice(&header);
            out.extend_from_slice(&self.mac.header(&header));
            self.stream.apply_keystream(body);
            out.extend_from_slice(body);
            out.extend_from_slice(&self.mac.body(body));
        });
        Ok(())
    }
}

impl fmt::Debug for Egress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Egress(..)")
    }
}

/// The half of a channel that receives.
///
/// A frame is read in two steps, since only its header, once it is known to be genuine, says how long
/// it is: [`Ingress::header`] gives the [`Header`] that [`Ingress::body`] consumes.
pub struct Ingress {
    stream: Box<Ctr128BE<Aes256>>,
    mac: FrameMac,
    compressed: bool,
    max_frame: usize,
    max_payload: usize,
}

impl Ingress {
    /// The receiving half of a channel whose MACs go on from `absorbed`. Its limits are the largest
    /// that frames have.
    pub fn new(secrets: &Secrets, absorbed: Keccak) -> Self {
        Self {
            stream: stream(secrets),
            mac: FrameMac::new(secrets, absorbed),
            compressed: false,
            max_frame: MAX_FRAME,
            max_payload: MAX_FRAME,
        }
    }

    /// Expects all that comes from now on to be compressed: the counterpart of [`Egress::compress`].
    pub const fn decompress(&mut self) {
        self.compressed = true;
    }

    /// Refuses, from now on, frames that are longer on the wire than `max_frame` bytes, and packets
    /// that are longer than `max_payload` bytes after decompression, before memory is taken for them.
    pub fn limit(&mut self, max_frame: usize, max_payload: usize) {
        self.max_frame = max_frame.min(MAX_FRAME);
        self.max_payload = max_payload.min(MAX_FRAME);
    }

    /// Reads a frame's first 32 bytes.
    ///
    /// # Errors
    /// [`FrameError::Forged`], [`FrameError::TooLarge`] or [`FrameError::Code`] (an empty frame has
    /// none). The connection is over then.
    pub fn header(&mut self, bytes: &[u8; HEADER]) -> Result<Header, FrameError> {
        let (first, second) = bytes.split_at(BLOCK);
        let mut header: [u8; BLOCK] = first.try_into().map_err(|_| FrameError::Forged)?;
        wiping_stack::<STACK, _>(|| {
            if !bool::from(self.mac.header(&header).as_slice().ct_eq(second)) {
                return Err(FrameError::Forged);
            }
            self.stream.apply_keystream(&mut header);
            Ok(())
        })?;
        let size = decode_header(&header);
        if size > self.max_frame {
            return Err(FrameError::TooLarge { max: self.max_frame });
        }
        if size == 0 {
            return Err(FrameError::Code);
        }
        Ok(Header { size })
    }

    /// Reads the rest of a frame, [`Header::remaining`] bytes, which are decrypted in place.
    ///
    /// # Errors
    /// What is wrong with it. The connection is over then.
    #[expect(clippy::needless_pass_by_value, reason = "a header is spent on its body")]
    pub fn body(&mut self, header: Header, bytes: &mut [u8]) -> Result<Packet, FrameError> {
        if bytes.len() != header.remaining() {
            return Err(FrameError::Forged);
        }
        let (body, mac) = bytes.split_last_chunk_mut::<BLOCK>().ok_or(FrameError::Forged)?;
        wiping_stack::<STACK, _>(|| {
            if !bool::from(self.mac.body(body).as_slice().ct_eq(mac)) {
                return Err(FrameError::Forged);
            }
            self.stream.apply_keystream(body);
            Ok(())
        })?;
        // The fill is covered by the MAC; what it holds is nobody's business.
        let data = body.get(..header.size).ok_or(FrameError::Forged)?;
        self.packet(data)
    }

    /// The hash of all that the MACs have absorbed so far. Both ends of a direction agree on it.
    pub const fn mac_digest(&self) -> &[u8; 32] {
        &self.mac.digest
    }

    fn packet(&self, data: &[u8]) -> Result<Packet, FrameError> {
        let mut items = Reader::new(data);
        let code = items.uint().map_err(|_| FrameError::Code)?;
        let payload = items.rest();
        let max = self.max_payload;
        if !self.compressed {
            let fits = payload.len() <= max;
            return match fits {
                true => Ok(Packet { code, payload: payload.to_vec() }),
                false => Err(FrameError::TooLarge { max }),
            };
        }
        match snappy::decompress(payload, max) {
            Ok(payload) => Ok(Packet { code, payload }),
            // go-ethereum sends some Disconnects raw although it has read our Hello.
            Err(_) if code == disconnect::CODE && payload.len() <= max => {
                Ok(Packet { code, payload: payload.to_vec() })
            }
            Err(error) => Err(error),
        }
    }
}

impl fmt::Debug for Ingress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ingress(..)")
    }
}

/// A genuine header of a frame whose body is still to come.
#[derive(Debug)]
pub struct Header {
    size: usize,
}

impl Header {
    /// How many bytes are left of the frame.
    pub const fn remaining(&self) -> usize {
        self.size.next_multiple_of(BLOCK).saturating_add(BLOCK)
    }
}

/// The MACs of one direction: a hash that never ends.
struct FrameMac {
    cipher: Box<Aes256>,
    hash: Keccak,
    /// What `hash` would finish as now.
    digest: [u8; 32],
}

impl FrameMac {
    fn new(secrets: &Secrets, hash: Keccak) -> Self {
        let cipher =
            wiping_stack::<STACK, _>(|| Box::new(Aes256::new(secrets.mac.expose().into())));
        let digest = hash.clone().finish();
        Self { cipher, hash, digest }
    }

    fn header(&mut self, ciphertext: &[u8; BLOCK]) -> [u8; BLOCK] {
        self.step(ciphertext)
    }

    fn body(&mut self, ciphertext: &[u8]) -> [u8; BLOCK] {
        self.absorb(ciphertext);
        self.step(&self.half())
    }

    fn step(&mut self, seed: &[u8; BLOCK]) -> [u8; BLOCK] {
        let mut block = self.half().into();
        self.cipher.encrypt_block(&mut block);
        self.absorb(&xor(&block.into(), seed));
        self.half()
    }

    fn absorb(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.digest = self.hash.clone().finish();
    }

    fn half(&self) -> [u8; BLOCK] {
        self.digest.first_chunk().copied().unwrap_or_default()
    }
}

/// Both directions start from the same key and counter: that is how RLPx is. Boxed, as the other
/// cipher is: a key schedule begins with the key, and a move would leave a copy of it.
fn stream(secrets: &Secrets) -> Box<Ctr128BE<Aes256>> {
    wiping_stack::<STACK, _>(|| {
        Box::new(Ctr128BE::new(secrets.aes.expose().into(), &[0; BLOCK].into()))
    })
}

fn encode_header(size: usize) -> Option<[u8; BLOCK]> {
    let [0, high, middle, low] = u32::try_from(size).ok()?.to_be_bytes() else { return None };
    // An empty list of two zeros follows: go-ethereum sends it and nobody reads it.
    Some([high, middle, low, 0xc2, 0x80, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

fn decode_header(header: &[u8; BLOCK]) -> usize {
    header.iter().take(3).fold(0, |size, byte| size << 8 | usize::from(*byte))
}

/// A frame begins with that many bytes.
pub const HEADER: usize = 2 * BLOCK;

/// The most bytes that a frame holds, fill not counted, and the longest payload: 2^24 - 1.
pub const MAX_FRAME: usize = 0xff_ffff;

const BLOCK: usize = 16;

/// Why a frame cannot be read or written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// A MAC does not match: the frame was changed, or the other end holds other keys.
    #[error("a frame is not what the other end sent")]
    Forged,
    /// More bytes than are allowed.
    #[error("a frame or its packet is longer than {max} bytes")]
    TooLarge {
        /// The most that is allowed, in bytes.
        max: usize,
    },
    /// The message id is missing or not a canonical integer.
    #[error("a frame has no canonical message id")]
    Code,
    /// The body is not the compressed form that both sides agreed on.
    #[error("a packet does not decompress")]
    Compression,
}

#[cfg(test)]
mod tests;
