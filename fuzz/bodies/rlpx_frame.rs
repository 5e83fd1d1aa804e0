//! Frames from a peer that holds the keys: every MAC is right, and what it covers is the input's.

use aes::Aes256;
use aes::cipher::BlockCipherEncrypt;
use aes::cipher::KeyInit;
use aes::cipher::KeyIvInit;
use aes::cipher::StreamCipher;
use arbitrary::Arbitrary;
use arbitrary::Unstructured;
use ctr::Ctr128BE;
use whisper_core::crypto::Secret;
use whisper_core::hash::Keccak;
use whisper_core::rlp::Writer;
use whisper_net::rlpx::disconnect;
use whisper_net::rlpx::frame::Egress;
use whisper_net::rlpx::frame::FrameError;
use whisper_net::rlpx::frame::HEADER;
use whisper_net::rlpx::frame::Ingress;
use whisper_net::rlpx::frame::Packet;
use whisper_net::rlpx::secrets::Secrets;

pub(crate) fn run(data: &[u8]) {
    if let Ok(channel) = Channel::arbitrary_take_rest(Unstructured::new(data)) {
        channel.run();
    }
}

/// What comes over one connection, and what its receiver is set to.
#[derive(Arbitrary, Debug)]
struct Channel {
    compressed: bool,
    max_frame: u16,
    max_payload: u16,
    frames: Vec<Frame>,
}

#[derive(Arbitrary, Debug)]
struct Frame {
    /// What the header says, if not the truth.
    claimed: Option<u32>,
    behind_size: [u8; 13],
    body: Body,
    /// A bit that is flipped on the way.
    flipped: Option<u16>,
}

#[derive(Arbitrary, Debug)]
enum Body {
    /// Id and payload as they come.
    Raw(Vec<u8>),
    /// As a channel without compression has it.
    Plain(u8, Vec<u8>),
    /// As a compressing channel has it; the payload so many times over.
    Compressed(u8, Vec<u8>, u8),
}

impl Body {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Raw(bytes) => bytes.clone(),
            Self::Plain(id, payload) => with_id(*id, payload),
            Self::Compressed(id, payload, times) => {
                let payload = payload.repeat((*times).into());
                let compressed = snap::raw::Encoder::new().compress_vec(&payload);
                with_id(*id, &compressed.expect("it is short"))
            }
        }
    }
}

fn with_id(id: u8, payload: &[u8]) -> Vec<u8> {
    [Writer::new().uint(id.into()).as_bytes(), payload].concat()
}

impl Channel {
    fn run(&self) {
        let mut forger = Forger::new();
        let mut ingress = Ingress::new(&secrets(), absorbed());
        if self.compressed {
            ingress.decompress();
        }
        ingress.limit(self.max_frame.into(), self.max_payload.into());
        for frame in &self.frames {
            let data = frame.body.bytes();
            let size = frame.claimed.map_or(data.len(), |claimed| claimed as usize & 0xff_ffff);
            let read = self.read(frame, (size, &data), &mut forger, &mut ingress);
            if frame.flipped.is_some() {
                assert!(read.is_err(), "a changed frame passes");
                return;
            }
            assert_eq!(read, self.expected(size, &data));
            let Ok(packet) = read else { return };
            // The one that forged and the one that read have seen the same.
            assert_eq!(forger.digest(), *ingress.mac_digest());
            self.survives_the_wire(&packet);
        }
    }

    /// Sends a frame as it is described, and reads it.
    fn read(
        &self,
        frame: &Frame,
        (size, data): (usize, &[u8]),
        forger: &mut Forger,
        ingress: &mut Ingress,
    ) -> Result<Packet, FrameError> {
        let mut header = forger.header(size, &frame.behind_size);
        let at = usize::from(frame.flipped.unwrap_or_default());
        let in_header = at % 2 == 0;
        if frame.flipped.is_some() && in_header {
            flip(&mut header, at / 2);
        }
        let header = ingress.header(&header)?;
        assert!(size <= self.max_frame.into(), "a frame is longer than it may be");
        assert_eq!(header.remaining(), size.next_multiple_of(16) + 16);
        let mut filled = data.to_vec();
        filled.resize(size.next_multiple_of(16), 0);
        let mut body = forger.body(filled);
        if frame.flipped.is_some() {
            flip(&mut body, at / 2);
        }
        ingress.body(header, &mut body)
    }

    /// What the receiver should make of it.
    fn expected(&self, size: usize, data: &[u8]) -> Result<Packet, FrameError> {
        let max = usize::from(self.max_payload);
        if size > self.max_frame.into() {
            return Err(FrameError::TooLarge { max: self.max_frame.into() });
        }
        let mut data = data.to_vec();
        data.resize(size, 0);
        let (code, payload) = split_id(&data).ok_or(FrameError::Code)?;
        let plain = || Packet { code, payload: payload.to_vec() };
        if !self.compressed {
            let fits = payload.len() <= max;
            return if fits { Ok(plain()) } else { Err(FrameError::TooLarge { max }) };
        }
        match decompressed(payload, max) {
            Err(_) if code == disconnect::CODE && payload.len() <= max => Ok(plain()),
            payload => Ok(Packet { code, payload: payload? }),
        }
    }

    fn survives_the_wire(&self, packet: &Packet) {
        let mut egress = Egress::new(&secrets(), absorbed());
        let mut ingress = Ingress::new(&secrets(), absorbed());
        if self.compressed {
            egress.compress();
            ingress.decompress();
        }
        let mut wire = Vec::new();
        assert_eq!(egress.write(packet.code, &packet.payload, &mut wire), Ok(()));
        let (header, body) = wire.split_first_chunk_mut().expect("a whole frame");
        let again = ingress.header(header).and_then(|header| ingress.body(header, body));
        assert_eq!(again.as_ref(), Ok(packet));
    }
}

/// The id that a body begins with, and the payload.
fn split_id(data: &[u8]) -> Option<(u64, &[u8])> {
    let (first, rest) = data.split_first()?;
    match first {
        0x80 => Some((0, rest)),
        0x01..=0x7f => Some((u64::from(*first), rest)),
        0x81..=0x88 => {
            let (id, rest) = rest.split_at_checked(usize::from(first - 0x80))?;
            let value = id.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            (id[0] != 0 && value > 0x7f).then_some((value, rest))
        }
        _ => None,
    }
}

fn decompressed(payload: &[u8], max: usize) -> Result<Vec<u8>, FrameError> {
    let length = snap::raw::decompress_len(payload).map_err(|_| FrameError::Compression)?;
    if payload.is_empty() {
        return Err(FrameError::Compression);
    }
    if length > max {
        return Err(FrameError::TooLarge { max });
    }
    snap::raw::Decoder::new().decompress_vec(payload).map_err(|_| FrameError::Compression)
}

fn flip(bytes: &mut [u8], at: usize) {
    let at = at % (8 * bytes.len());
    bytes[at / 8] ^= 1 << (at % 8);
}

/// Frames written in another way than the library does: what it writes is checked by tests, what a
/// peer may write by this.
struct Forger {
    stream: Ctr128BE<Aes256>,
    cipher: Aes256,
    hash: Keccak,
}

impl Forger {
    fn new() -> Self {
        Self {
            stream: Ctr128BE::new(&AES.into(), &[0; 16].into()),
            cipher: Aes256::new(&MAC.into()),
            hash: absorbed(),
        }
    }

    fn header(&mut self, size: usize, behind_size: &[u8; 13]) -> [u8; HEADER] {
        let mut header = [0; HEADER];
        let (block, mac) = header.split_at_mut(16);
        block[..3].copy_from_slice(&(size as u32).to_be_bytes()[1..]);
        block[3..].copy_from_slice(behind_size);
        self.stream.apply_keystream(block);
        mac.copy_from_slice(&self.step(block.try_into().expect("16 bytes")));
        header
    }

    fn body(&mut self, mut data: Vec<u8>) -> Vec<u8> {
        self.stream.apply_keystream(&mut data);
        self.hash.update(&data);
        let mac = self.step(self.half());
        data.extend_from_slice(&mac);
        data
    }

    /// RLPx, "MAC": the hash so far, encrypted, masked, absorbed.
    fn step(&mut self, mask: [u8; 16]) -> [u8; 16] {
        let mut block = self.half().into();
        self.cipher.encrypt_block(&mut block);
        let mut block: [u8; 16] = block.into();
        block.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        self.hash.update(&block);
        self.half()
    }

    fn half(&self) -> [u8; 16] {
        self.digest()[..16].try_into().expect("16 bytes")
    }

    fn digest(&self) -> [u8; 32] {
        self.hash.clone().finish()
    }
}

fn secrets() -> Secrets {
    Secrets::new(Secret::fill_with(|key| *key = AES), Secret::fill_with(|key| *key = MAC))
}

fn absorbed() -> Keccak {
    let mut hash = Keccak::new();
    hash.update(b"the same on both sides");
    hash
}

const AES: [u8; 32] = [1; 32];
const MAC: [u8; 32] = [2; 32];
