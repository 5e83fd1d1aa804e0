//! Envelopes as they arrive, before anything is hashed.

use core::fmt;

use super::Draft;
use super::Envelope;
use super::EnvelopeHash;
use crate::rlp::DecodeError;
use crate::rlp::Reader;
use crate::topic::Topic;

/// An envelope where it stands in the input, read and not yet hashed: most copies that flooding brings
/// are known, and their work need not be looked at.
#[derive(Clone, Copy)]
pub struct Encoded<'a> {
    expiry: u32,
    ttl: u32,
    topic: Topic,
    data: &'a [u8],
    nonce: u64,
    bytes: &'a [u8],
}

impl<'a> Encoded<'a> {
    /// Reads the envelope that comes next.
    ///
    /// # Errors
    /// [`DecodeError`] unless it is the canonical encoding of exactly five items.
    pub fn read(reader: &mut Reader<'a>) -> Result<Self, DecodeError> {
        let bytes = reader.raw()?;
        let mut items = Reader::new(bytes).list()?;
        let read = Self {
            expiry: items.uint32()?,
            ttl: items.uint32()?,
            topic: Topic::new(items.array()?),
            data: items.bytes()?,
            nonce: items.uint()?,
            bytes,
        };
        items.finish()?;
        Ok(read)
    }

    /// The encoding, whose hash is the envelope's.
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// When it dies, in seconds since the Unix epoch.
    pub const fn expiry(&self) -> u64 {
        self.expiry as u64
    }

    /// When it says it was made, in seconds since the Unix epoch; nothing, if that were before the
    /// epoch.
    pub const fn issued(&self) -> Option<u64> {
        self.expiry().checked_sub(self.ttl as u64)
    }

    /// The envelope, with the work that its nonce shows. `hash` is the hash of its encoding.
    pub fn to_envelope(&self, hash: EnvelopeHash) -> Envelope {
        let &Self { expiry, ttl, topic, data, nonce, .. } = self;
        let fields = Draft { expiry, ttl, topic, data: data.to_vec() };
        let work = fields.search().work_of(nonce);
        Envelope::new(fields, nonce, work, hash)
    }
}

impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded").field("expiry", &self.expiry).finish_non_exhaustive()
    }
}
