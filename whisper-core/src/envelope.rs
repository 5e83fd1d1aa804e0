//! Envelopes: what peers relay. A draft becomes one when a nonce closes it.

mod backdate;
mod encoded;

use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::hash::keccak256;
use crate::pow::Rating;
use crate::pow::Search;
use crate::pow::Work;
use crate::rlp;
use crate::rlp::DecodeError;
use crate::rlp::Reader;
use crate::rlp::Writer;
use crate::time::Timestamp;
use crate::topic::Topic;

pub use self::backdate::MAX_BACKDATE;
pub use self::backdate::backdate;
pub use self::encoded::Encoded;

/// An envelope before its nonce.
///
/// ```
/// # use core::time::Duration;
/// use whisper_core::envelope::{Draft, Envelope};
/// use whisper_core::pow::Rating;
/// use whisper_core::time::Timestamp;
/// use whisper_core::topic::Topic;
///
/// let now = Timestamp::from_secs(1_600_000_000);
/// let topic = Topic::new(*b"news");
/// let draft = Draft::new(now, Duration::from_secs(50), topic, vec![0; 284])?;
/// let work = draft.work_for(Rating::new(0.01)?);
/// let nonce = draft.search().find(0..u64::MAX, work).expect("some nonce does it");
/// let envelope = draft.seal(nonce);
/// assert!(envelope.rating() >= Rating::new(0.01)?);
/// assert_eq!(Envelope::decode(&envelope.encode())?, envelope);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Draft {
    expiry: u32,
    ttl: u32,
    topic: Topic,
    data: Vec<u8>,
}

impl Draft {
    /// A draft that is issued now and lives for `ttl`, in whole seconds.
    ///
    /// # Errors
    /// [`EnvelopeError`] if `ttl` is not between 10 s and 2 days, `data` is larger than any node
    /// takes, or the expiry lies beyond the year 2106, where its field ends.
    pub fn new(
        now: Timestamp,
        ttl: Duration,
        topic: Topic,
        data: Vec<u8>,
    ) -> Result<Self, EnvelopeError> {
        if ttl < MIN_TTL || ttl > MAX_TTL {
            return Err(EnvelopeError::Ttl);
        }
        if data.len() > MAX_DATA {
            return Err(EnvelopeError::TooLarge { max: MAX_DATA });
        }
        let ttl = u32::try_from(ttl.as_secs()).map_err(|_| EnvelopeError::Ttl)?;
        Ok(Self { expiry: expiry(now, ttl)?, ttl, topic, data })
    }

    /// The same draft, issued at another time.
    ///
    /// # Errors
    /// [`EnvelopeError::TooLate`] if the expiry lies beyond the year 2106.
    pub fn dated(self, now: Timestamp) -> Result<Self, EnvelopeError> {
        Ok(Self { expiry: expiry(now, self.ttl)?, ..self })
    }

    /// The least work that makes every known implementation rate this at `target` or above: they
    /// disagree about the size, so the largest of theirs is taken.
    pub fn work_for(&self, target: Rating) -> Work {
        let header = HEADER.saturating_add(self.data.len());
        let full = rlp::list_len(self.fields_len().saturating_add(rlp::uint_len(u64::MAX)));
        target.work_for(header.max(full), self.ttl.into())
    }

    /// The search for the nonce.
    pub fn search(&self) -> Search {
        Search::new(&self.without_nonce())
    }

    /// Closes the draft. Any nonce will do; what it is worth, the rating tells.
    pub fn seal(self, nonce: u64) -> Envelope {
        let mut writer = Writer::with_capacity(self.data.len().saturating_add(64));
        writer.list_header(self.fields_len().saturating_add(rlp::uint_len(nonce)));
        self.write_fields(&mut writer);
        writer.uint(nonce);
        let work = self.search().work_of(nonce);
        Envelope::new(self, nonce, work, EnvelopeHash(keccak256(writer.as_bytes())))
    }

    /// Searches until it is rated `target` or above, and closes the draft: `2^work` tries on average.
    /// For work that takes a moment; a search that can be stopped is [`Draft::search`].
    ///
    /// # Errors
    /// [`EnvelopeError::TooMuchWork`] if no nonce can be expected to show so much work.
    pub fn seal_rated(self, target: Rating) -> Result<Envelope, EnvelopeError> {
        let work = self.work_for(target);
        if work.bits() >= NONCE_BITS {
            return Err(EnvelopeError::TooMuchWork);
        }
        let nonce = self.search().find(0..u64::MAX, work).ok_or(EnvelopeError::TooMuchWork)?;
        Ok(self.seal(nonce))
    }

    /// How long it will live.
    pub const fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl as u64)
    }

    /// Where readers will find it.
    pub const fn topic(&self) -> Topic {
        self.topic
    }

    /// The encrypted message.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    fn fields_len(&self) -> usize {
        rlp::uint_len(self.expiry.into())
            .saturating_add(rlp::uint_len(self.ttl.into()))
            .saturating_add(rlp::bytes_len(self.topic.as_bytes()))
            .saturating_add(rlp::bytes_len(&self.data))
    }

    fn write_fields(&self, writer: &mut Writer) {
        writer
            .uint(self.expiry.into())
            .uint(self.ttl.into())
            .bytes(self.topic.as_bytes())
            .bytes(&self.data);
    }

    /// The four items without the nonce, as a list of their own: what the work is done on.
    fn without_nonce(&self) -> Vec<u8> {
        let payload = self.fields_len();
        let mut writer = Writer::with_capacity(rlp::list_len(payload));
        writer.list_header(payload);
        self.write_fields(&mut writer);
        writer.into_bytes()
    }
}

impl fmt::Debug for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Draft")
            .field("expiry", &self.expiry)
            .field("ttl", &self.ttl)
            .field("topic", &self.topic)
            .field("data", &format_args!("{} bytes", self.data.len()))
            .finish()
    }
}

fn expiry(now: Timestamp, ttl: u32) -> Result<u32, EnvelopeError> {
    let expiry = now.as_secs().saturating_add(ttl.into());
    u32::try_from(expiry).map_err(|_| EnvelopeError::TooLate)
}

/// Why a draft cannot be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvelopeError {
    /// The time to live is out of bounds.
    #[error("an envelope lives between 10 seconds and 2 days")]
    Ttl,
    /// The data is larger than any node takes.
    #[error("an envelope carries at most {max} bytes")]
    TooLarge {
        /// The largest length, in bytes.
        max: usize,
    },
    /// The expiry does not fit its field.
    #[error("envelopes cannot expire after the year 2106")]
    TooLate,
    /// The rating asks for more work than a nonce can show.
    #[error("no nonce shows so much work: ask for a lower rating")]
    TooMuchWork,
}

/// What peers relay: an encrypted message, where its readers find it, when it dies, and a nonce
/// that shows the work spent on it. Its hash and its rating are computed once, at the door.
#[derive(Clone, Eq, PartialEq)]
pub struct Envelope {
    fields: Draft,
    nonce: u64,
    hash: EnvelopeHash,
    work: Work,
    rating: Rating,
}

impl Envelope {
    /// Reads an envelope that fills `bytes` (EIP-627, "Envelope").
    ///
    /// # Errors
    /// [`DecodeError`] unless it is the canonical encoding of exactly five items.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let envelope = Self::read(&mut reader)?;
        reader.finish()?;
        Ok(envelope)
    }

    /// Reads the envelope that comes next.
    ///
    /// # Errors
    /// [`DecodeError`] unless it is the canonical encoding of exactly five items.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let encoded = Encoded::read(reader)?;
        Ok(encoded.to_envelope(EnvelopeHash(keccak256(encoded.as_bytes()))))
    }

    /// The canonical encoding.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(self.encoded_len());
        self.write(&mut writer);
        writer.into_bytes()
    }

    /// Appends the canonical encoding.
    pub fn write(&self, writer: &mut Writer) {
        writer.list_header(self.fields.fields_len().saturating_add(rlp::uint_len(self.nonce)));
        self.fields.write_fields(writer);
        writer.uint(self.nonce);
    }

    /// When it dies, in seconds since the Unix epoch.
    pub const fn expiry(&self) -> u64 {
        self.fields.expiry as u64
    }

    /// How long it lives, in seconds.
    pub const fn ttl(&self) -> u64 {
        self.fields.ttl as u64
    }

    /// When it says it was made, in seconds since the Unix epoch; nothing, if that were before the
    /// epoch.
    pub const fn issued(&self) -> Option<u64> {
        self.expiry().checked_sub(self.ttl())
    }

    /// How long it still lives.
    pub(crate) const fn time_left(&self, now: Timestamp) -> Duration {
        Timestamp::from_secs(self.expiry()).saturating_since(now)
    }

    /// Where readers find it.
    pub const fn topic(&self) -> Topic {
        self.fields.topic
    }

    /// The encrypted message.
    pub fn data(&self) -> &[u8] {
        &self.fields.data
    }

    /// The nonce.
    pub const fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The hash by which it is known.
    pub const fn hash(&self) -> EnvelopeHash {
        self.hash
    }

    /// The work it shows.
    pub const fn work(&self) -> Work {
        self.work
    }

    /// Its rating, if it was not made in the future.
    pub const fn rating(&self) -> Rating {
        self.rating
    }

    /// Its rating at `now`: an envelope from the near future is divided by the time until it dies,
    /// and a second more, so that dating ahead gains nothing.
    pub fn rating_at(&self, now: Timestamp) -> Rating {
        let ahead = self.issued().and_then(|issued| issued.checked_sub(now.as_secs()));
        match ahead {
            None | Some(0) => self.rating,
            Some(ahead) => self.rated(self.ttl().saturating_add(ahead).saturating_add(1)),
        }
    }

    /// The size that limits are about: the data and 20 bytes, the raw widths of the other fields.
    pub fn size(&self) -> usize {
        HEADER.saturating_add(self.fields.data.len())
    }

    /// The length of the encoding, in bytes.
    pub fn encoded_len(&self) -> usize {
        rlp::list_len(self.fields.fields_len().saturating_add(rlp::uint_len(self.nonce)))
    }

    /// The length of the encoding without the nonce, in bytes: what the rating divides by.
    pub fn short_len(&self) -> usize {
        rlp::list_len(self.fields.fields_len())
    }

    fn new(fields: Draft, nonce: u64, work: Work, hash: EnvelopeHash) -> Self {
        let envelope = Self { fields, nonce, hash, work, rating: Rating::ZERO };
        Self { rating: envelope.rated(envelope.ttl()), ..envelope }
    }

    fn rated(&self, ttl: u64) -> Rating {
        Rating::compute(self.work, self.short_len(), ttl)
    }
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Envelope")
            .field("expiry", &self.expiry())
            .field("ttl", &self.ttl())
            .field("topic", &self.topic())
            .field("data", &format_args!("{} bytes", self.data().len()))
            .field("rating", &self.rating)
            .finish_non_exhaustive()
    }
}

/// The Keccak-256 hash of an envelope's encoding, nonce included: its name among peers.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct EnvelopeHash([u8; 32]);

impl EnvelopeHash {
    /// The hash of these bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for EnvelopeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for EnvelopeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EnvelopeHash({self})")
    }
}

/// The least an envelope of ours lives: what is shorter dies on the way.
pub const MIN_TTL: Duration = Duration::from_secs(10);
/// The most any envelope lives, a policy of ours: no pool can be filled for longer.
pub const MAX_TTL: Duration = Duration::from_secs(172_800);
/// 4 + 4 + 4 + 8: expiry, ttl, topic and nonce at full width (go-ethereum, `EnvelopeHeaderLength`).
const HEADER: usize = 20;
/// The width of a nonce.
const NONCE_BITS: u16 = 64;
/// go-ethereum's ceiling for the size of a message is 10 MiB.
const MAX_DATA: usize = 10 * 1024 * 1024 - HEADER;

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_600_000_000);

    fn envelope(expiry: u32, ttl: u32, data: Vec<u8>, nonce: u64) -> Envelope {
        Draft { expiry, ttl, topic: Topic::new([1, 2, 3, 4]), data }.seal(nonce)
    }

    #[test]
    fn f4_a_ttl_of_zero_does_not_rate_infinitely() {
        assert!(envelope(1_600_000_000, 0, vec![], 7).rating().as_f64().is_finite());
    }

    #[test]
    fn f5_a_huge_ttl_does_not_wrap() {
        let envelope = envelope(1_600_000_000, u32::MAX, vec![], 7);
        assert_eq!(envelope.issued(), None);
        assert_eq!(envelope.rating_at(NOW), envelope.rating());
    }

    #[test]
    fn b16_an_expiry_after_2106_is_refused() {
        let end = Timestamp::from_secs(u32::MAX.into());
        let draft = Draft::new(end, MIN_TTL, Topic::default(), vec![]);
        assert_eq!(draft, Err(EnvelopeError::TooLate));
    }

    #[test]
    fn a_ttl_out_of_bounds_is_refused() {
        for ttl in [0, 9, 172_801] {
            let draft = Draft::new(NOW, Duration::from_secs(ttl), Topic::default(), vec![]);
            assert_eq!(draft, Err(EnvelopeError::Ttl), "{ttl}");
        }
    }

    #[test]
    fn a_rating_that_no_nonce_reaches_is_refused_and_not_sealed_below() {
        let draft = Draft::new(NOW, MIN_TTL, Topic::default(), vec![7; 100]).unwrap();
        let sealed = draft.seal_rated(Rating::new(1e300).unwrap());
        assert_eq!(sealed, Err(EnvelopeError::TooMuchWork));
    }

    #[test]
    fn every_truncation_and_every_extension_is_refused() {
        let bytes = envelope(1_600_000_050, 50, vec![9; 60], 1 << 40).encode();
        for length in 0..bytes.len() {
            assert!(Envelope::decode(&bytes[..length]).is_err(), "{length}");
        }
        let longer = [&bytes[..], &[0x80]].concat();
        assert_eq!(Envelope::decode(&longer), Err(DecodeError::Trailing));
    }

    proptest! {
        #[test]
        fn an_envelope_is_read_as_it_was_written(
            expiry: u32, ttl: u32, nonce: u64, data in proptest::collection::vec(any::<u8>(), 0..400),
        ) {
            let envelope = envelope(expiry, ttl, data, nonce);
            let bytes = envelope.encode();
            prop_assert_eq!(bytes.len(), envelope.encoded_len());
            prop_assert_eq!(Envelope::decode(&bytes).unwrap(), envelope);
        }

        #[test]
        fn f12_what_is_sealed_reaches_its_target_by_every_size_in_use(
            data in proptest::collection::vec(any::<u8>(), 0..300), ttl in 10_u64..1_000, rating in 1e-4_f64..2e-3,
        ) {
            let target = Rating::new(rating).unwrap();
            let draft = Draft::new(NOW, Duration::from_secs(ttl), Topic::default(), data).unwrap();
            let envelope = draft.seal_rated(target).unwrap();
            for size in [envelope.short_len(), envelope.encoded_len(), envelope.size()] {
                prop_assert!(Rating::compute(envelope.work(), size, ttl) >= target);
            }
        }
    }
}
