//! The packets of `shh/6`: what stands behind each message code (EIP-627, "Packets").

use alloc::sync::Arc;
use alloc::vec::Vec;

use crate::envelope::Encoded;
use crate::envelope::Envelope;
use crate::envelope::EnvelopeHash;
use crate::pow::Rating;
use crate::rlp;
use crate::rlp::DecodeError;
use crate::rlp::Reader;
use crate::rlp::Writer;
use crate::topic::Bloom;

/// Message codes of `shh/6`. The transport adds and takes off the offset that devp2p assigns.
pub mod code {
    /// The first packet of each side.
    pub const STATUS: u8 = 0;
    /// A list of envelopes.
    pub const MESSAGES: u8 = 1;
    /// The least rating that the sender accepts.
    pub const MIN_RATING: u8 = 2;
    /// The topics that the sender wants.
    pub const BLOOM: u8 = 3;
    /// A packet of envelopes was judged (Status' extension).
    pub const BATCH_ACKNOWLEDGED: u8 = 11;
    /// Which envelopes of a packet were refused, and why (Status' extension).
    pub const MESSAGES_RESPONSE: u8 = 12;
    /// An envelope that is not flooded yet (`spec/privacy.md`).
    pub const STEM: u8 = 40;
    /// An envelope for the archive of a peer that keeps one.
    pub const REQUEST: u8 = 126;
    /// An envelope past pool and network, taken from trusted peers only.
    pub const DIRECT: u8 = 127;
    /// How many codes the protocol has.
    pub const COUNT: u8 = 128;
}

/// The first packet of each side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status {
    /// The least rating that the sender accepts.
    pub min_rating: Rating,
    /// The topics that the sender wants; all of them where there is none.
    pub bloom: Option<Bloom>,
    /// Whether the sender does not relay.
    pub light: bool,
    /// Whether the sender speaks the batch acknowledgement.
    pub acknowledges: bool,
    /// Whether the sender takes envelopes by stems and passes them on.
    pub stems: bool,
}

impl Status {
    /// The version of the protocol.
    pub const VERSION: u64 = 6;

    /// The packet. Its fifth item is Status' extension, its seventh the offer of stems: both are left
    /// out where they would say no and nothing follows.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::new();
        writer.list(|items| {
            items.uint(Self::VERSION).uint(self.min_rating.to_bits());
            items
                .bytes(self.bloom.as_ref().map_or(&[][..], |bloom| bloom.as_bytes()))
                .bool(self.light);
            if self.acknowledges || self.stems {
                items.bool(self.acknowledges);
            }
            if self.stems {
                // Between them stand the limits of Status' nodes: none.
                items.list(|limits| {
                    limits.bytes(&[]).bytes(&[]).bytes(&[]);
                });
                items.bytes(&[&OFFER[..], &[STEMS]].concat());
            }
        });
        writer.into_bytes()
    }

    /// Reads the packet as go-ethereum does: only the version must be there, what follows the last
    /// known item is ignored.
    ///
    /// # Errors
    /// [`StatusError`] if it is not a list, of another version, or demands what is no rating or no
    /// bloom filter.
    pub fn decode(payload: &[u8]) -> Result<Self, StatusError> {
        let mut items = Reader::new(payload).list()?;
        match items.uint()? {
            Self::VERSION => {}
            version => return Err(StatusError::Version(version)),
        }
        let (min_rating, bloom) = match read_bits(&mut items) {
            Some(bits) => {
                (Rating::from_bits(bits).map_err(|_| StatusError::Rating)?, read_bloom(&mut items)?)
            }
            None => (Rating::ZERO, None),
        };
        let light = read_bool(&mut items);
        let acknowledges = read_bool(&mut items);
        let stems = read_offer(items) & STEMS != 0;
        Ok(Self { min_rating, bloom, light, acknowledges, stems })
    }
}

/// The flags of the offer that is the item after the next; none, if that is anything else.
fn read_offer(mut items: Reader<'_>) -> u8 {
    let offer = items.raw().and_then(|_| items.bytes()).unwrap_or_default();
    offer.strip_prefix(OFFER).and_then(|flags| flags.first()).copied().unwrap_or_default()
}

/// An integer, or nothing; an item that is none stays where it is, as in the reference.
fn read_bits(items: &mut Reader<'_>) -> Option<u64> {
    let before = *items;
    let bits = items.uint();
    if matches!(bits, Err(DecodeError::TooLarge)) {
        *items = before;
    }
    bits.ok()
}

fn read_bloom(items: &mut Reader<'_>) -> Result<Option<Bloom>, StatusError> {
    let Ok(bytes) = items.bytes() else { return Ok(None) };
    match <[u8; 64]>::try_from(bytes) {
        Ok(bits) => Ok(Some(Bloom::from_bytes(bits)).filter(|bloom| !bloom.is_full())),
        Err(_) if bytes.is_empty() => Ok(None),
        Err(_) => Err(StatusError::Bloom),
    }
}

/// Anything but a canonical 1 reads as false; what is longer than a byte stays where it is, as in
/// the reference.
fn read_bool(items: &mut Reader<'_>) -> bool {
    let before = *items;
    let value = items.uint();
    if matches!(value, Ok(256..) | Err(DecodeError::TooLarge)) {
        *items = before;
    }
    value == Ok(1)
}

/// Why a first packet does not do.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusError {
    /// It is not the RLP that it must be.
    #[error(transparent)]
    Encoding(#[from] DecodeError),
    /// The peer speaks another version.
    #[error("the peer speaks version {0} of the protocol, not 6")]
    Version(u64),
    /// What it demands is no rating.
    #[error("the peer demands what is no rating")]
    Rating,
    /// Its bloom filter has a wrong size.
    #[error("the bloom filter is neither empty nor 64 bytes")]
    Bloom,
}

/// The packet that announces the least rating we accept.
pub fn encode_min_rating(rating: Rating) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.uint(rating.to_bits());
    writer.into_bytes()
}

/// Reads the packet that announces the least rating a peer accepts; what follows is ignored.
///
/// # Errors
/// [`StatusError`] if it is no integer or no rating.
pub fn decode_min_rating(payload: &[u8]) -> Result<Rating, StatusError> {
    Rating::from_bits(Reader::new(payload).uint()?).map_err(|_| StatusError::Rating)
}

/// The packet that announces the topics we want.
pub fn encode_bloom(bloom: &Bloom) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(bloom.as_bytes());
    writer.into_bytes()
}

/// Reads the packet that announces the topics a peer wants.
///
/// # Errors
/// [`StatusError`] unless it is a string of 64 bytes.
pub fn decode_bloom(payload: &[u8]) -> Result<Bloom, StatusError> {
    Ok(Bloom::from_bytes(Reader::new(payload).array()?))
}

/// The packet that carries `envelopes`.
pub fn encode_messages(envelopes: &[Arc<Envelope>]) -> Vec<u8> {
    let payload = envelopes.iter().map(|envelope| envelope.encoded_len()).sum();
    let mut writer = Writer::with_capacity(rlp::list_len(payload));
    writer.list_header(payload);
    envelopes.iter().for_each(|envelope| envelope.write(&mut writer));
    writer.into_bytes()
}

/// Checks a packet of envelopes, all of it, and returns a reader that stands at the first. Nothing
/// is hashed yet.
///
/// # Errors
/// [`DecodeError`] if anything in it is malformed, or something follows the list.
pub fn check_messages(payload: &[u8]) -> Result<Reader<'_>, DecodeError> {
    let mut packet = Reader::new(payload);
    let envelopes = packet.list()?;
    packet.finish()?;
    let mut rest = envelopes;
    while !rest.is_empty() {
        Encoded::read(&mut rest)?;
    }
    Ok(envelopes)
}

/// Reads a packet of a stem: its envelope, or nothing if it only fills a link. What follows the list
/// fills the packet up.
///
/// # Errors
/// [`DecodeError`] unless it begins with a list of one envelope or of one empty string.
pub fn decode_stem(payload: &[u8]) -> Result<Option<Encoded<'_>>, DecodeError> {
    let mut items = Reader::new(payload).list()?;
    let is_envelope = items.next_is_list();
    let envelope = if is_envelope { Some(Encoded::read(&mut items)?) } else { None };
    if envelope.is_none() {
        items.array::<0>()?;
    }
    items.finish()?;
    Ok(envelope)
}

/// The packet that carries one envelope to a peer that trusts us.
pub fn encode_direct(envelope: &Envelope) -> Vec<u8> {
    envelope.encode()
}

/// Reads what a trusted peer sent: one envelope, or a list of them as Status' nodes send.
///
/// # Errors
/// [`DecodeError`] if it is neither.
pub fn decode_direct(payload: &[u8]) -> Result<Vec<Envelope>, DecodeError> {
    let is_list_of_lists = Reader::new(payload).list()?.next_is_list();
    if !is_list_of_lists {
        return Ok(Vec::from([Envelope::decode(payload)?]));
    }
    let mut rest = check_messages(payload)?;
    let mut envelopes = Vec::new();
    while !rest.is_empty() {
        envelopes.push(Envelope::read(&mut rest)?);
    }
    Ok(envelopes)
}

/// The packet that says: the batch with this hash was judged.
pub fn encode_acknowledgement(batch: &[u8; 32]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.bytes(batch);
    writer.into_bytes()
}

/// Reads the hash of the batch that was judged.
///
/// # Errors
/// [`DecodeError`] unless it is a string of 32 bytes.
pub fn decode_acknowledgement(payload: &[u8]) -> Result<[u8; 32], DecodeError> {
    Reader::new(payload).array()
}

/// The packet that says which envelopes of a batch were refused, and why.
pub fn encode_response(batch: &[u8; 32], refused: &[(EnvelopeHash, Refusal)]) -> Vec<u8> {
    let mut writer = Writer::new();
    writer.list(|packet| {
        packet.uint(RESPONSE_VERSION).list(|body| {
            body.bytes(batch).list(|errors| {
                for (hash, why) in refused {
                    errors.list(|error| {
                        let words = why.words().as_bytes();
                        error.bytes(hash.as_bytes()).uint(REFUSED).bytes(words);
                    });
                }
            });
        });
    });
    writer.into_bytes()
}

/// Which envelopes of a batch a peer refused.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Response {
    /// The hash of the batch.
    pub batch: [u8; 32],
    /// The envelopes that were refused, and why.
    pub refused: Vec<(EnvelopeHash, Refusal)>,
}

/// Why a peer refused an envelope, as far as its words tell: those of Status' nodes, without numbers,
/// which would tell the settings of nodes apart.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// By the peer's clock it comes from the future.
    #[error("by the clock of the peer it comes from the future: one of the two clocks is wrong")]
    Future,
    /// By the peer's clock its time is over.
    #[error(
        "by the clock of the peer its time is over: it came late, or one of the clocks is wrong"
    )]
    Old,
    /// It is larger than what the peer takes.
    #[error("the peer takes nothing so large: post it in parts")]
    TooLarge,
    /// It is rated lower than the peer demands.
    #[error("the peer demands a higher rating: post it again, which asks what peers demand now")]
    RatedTooLow,
    /// The peer wants no such topic.
    #[error("the peer takes no envelopes of this topic")]
    Unwanted,
    /// The peer's pool is full of better rated ones.
    #[error("the pool of the peer is full of better rated envelopes: post it with a higher target")]
    NoRoom,
    /// For a reason of the peer's own.
    #[error("the peer calls it invalid")]
    Other,
}

impl Refusal {
    const ALL: [Self; 7] = [
        Self::Future,
        Self::Old,
        Self::TooLarge,
        Self::RatedTooLow,
        Self::Unwanted,
        Self::NoRoom,
        Self::Other,
    ];

    const fn words(self) -> &'static str {
        match self {
            Self::Future => "envelope from future",
            Self::Old => "very old envelope",
            Self::TooLarge => "huge messages are not allowed",
            Self::RatedTooLow => "envelope with low PoW received",
            Self::Unwanted => "envelope does not match bloom filter",
            Self::NoRoom => "pool is full",
            Self::Other => "invalid envelope",
        }
    }

    /// What these words mean. Those of other programs may be followed by more.
    fn of(words: &[u8]) -> Self {
        let known = Self::ALL.into_iter().find(|known| words.starts_with(known.words().as_bytes()));
        known.unwrap_or(Self::Other)
    }
}

/// Reads which envelopes of a batch were refused; nothing, where the version is unknown. What is
/// listed beyond `most` envelopes is not read.
///
/// # Errors
/// [`DecodeError`] if it is not built as it must be.
pub fn decode_response(payload: &[u8], most: usize) -> Result<Option<Response>, DecodeError> {
    let mut packet = Reader::new(payload).list()?;
    if packet.uint()? != RESPONSE_VERSION {
        return Ok(None);
    }
    let mut body = packet.list()?;
    let batch = body.array()?;
    let mut errors = body.list()?;
    let mut refused = Vec::new();
    while !errors.is_empty() && refused.len() < most {
        let mut error = errors.list()?;
        let hash = EnvelopeHash::new(error.array()?);
        if error.uint()? != 0 {
            refused.push((hash, Refusal::of(error.bytes().unwrap_or_default())));
        }
    }
    Ok(Some(Response { batch, refused }))
}

/// What the offer of our own extensions begins with.
const OFFER: &[u8; 4] = b"wsp1";
/// The flag of the offer that says: stems.
const STEMS: u8 = 1;
const RESPONSE_VERSION: u64 = 1;
/// What Status' code emits for every reason.
const REFUSED: u64 = 36;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_of_a_default_node_is_the_reference_s() {
        let status = Status {
            min_rating: Rating::DEFAULT_MINIMUM,
            bloom: None,
            light: false,
            acknowledges: false,
            stems: false,
        };
        assert_eq!(hex::encode(status.encode()), "cc06883fc999999999999a8080");
        assert_eq!(Status::decode(&status.encode()), Ok(status));
        let offering = Status { acknowledges: true, ..status };
        assert_eq!(hex::encode(offering.encode()), "cd06883fc999999999999a808001");
        assert_eq!(Status::decode(&offering.encode()), Ok(offering));
    }

    #[test]
    fn k13_the_offer_of_stems_is_the_known_answer() {
        let min_rating = Rating::DEFAULT_MINIMUM;
        let status =
            Status { min_rating, bloom: None, light: false, acknowledges: true, stems: true };
        let known = "d706883fc999999999999a808001c3808080857773703101";
        assert_eq!(hex::encode(status.encode()), known);
        assert_eq!(Status::decode(&status.encode()), Ok(status));
        let silent = Status { acknowledges: false, ..status };
        assert_eq!(
            hex::encode(silent.encode()),
            "d706883fc999999999999a808080c3808080857773703101"
        );
        assert_eq!(Status::decode(&silent.encode()), Ok(silent));
    }

    #[test]
    fn whatever_is_no_offer_offers_nothing_and_spoils_nothing() {
        let read = |limits: &[u8], offer: &[u8]| {
            let mut writer = Writer::new();
            writer.list(|items| {
                items.uint(6).uint(0).bytes(&[]).bool(false).bool(true).raw(limits).raw(offer);
            });
            let status = Status::decode(writer.as_bytes()).unwrap();
            assert!(status.acknowledges);
            status.stems
        };
        let limits = &[0xc3, 0x80, 0x80, 0x80];
        assert!(read(limits, b"\x85wsp1\x01") && read(limits, b"\x87wsp1\x01\x02\x03"));
        assert!(read(limits, b"\x85wsp1\xff") && read(&[0x80], b"\x85wsp1\x01"));
        assert!(!read(limits, b"\x85wsp1\x02") && !read(limits, b"\x84wsp1"));
        assert!(!read(limits, b"\x85wsp2\x01") && !read(limits, &[0xc1, 0x01]));
        assert!(!read(limits, b"") && !read(b"", b"") && !read(b"", b"\x85wsp1\x01"));
    }

    #[test]
    fn a_packet_of_a_stem_is_one_envelope_and_what_fills_it_up() {
        let envelope = [0xca, 1, 1, 0x84, 1, 2, 3, 4, 0x81, 0xff, 1];
        let of = |items: &[u8]| [&[0xc0 + items.len() as u8], items].concat();
        let read = |payload: &[u8]| {
            decode_stem(payload).map(|read| read.map(|envelope| envelope.as_bytes().to_vec()))
        };
        assert_eq!(read(&of(&envelope)), Ok(Some(envelope.to_vec())));
        assert_eq!(read(&[&of(&envelope)[..], &[7; 99]].concat()), Ok(Some(envelope.to_vec())));
        assert_eq!(read(&[0xc1, 0x80]), Ok(None));
        assert_eq!(read(&[0xc1, 0x01]), Err(DecodeError::WrongLength));
        assert_eq!(read(&[0xc0]), Err(DecodeError::Missing));
        assert_eq!(read(&of(&[envelope, envelope].concat())), Err(DecodeError::Trailing));
        assert_eq!(read(&of(&[&envelope[..], &[0x80]].concat())), Err(DecodeError::Trailing));
        assert_eq!(read(&[0x80]), Err(DecodeError::UnexpectedString));
    }

    #[test]
    fn a_response_is_read_as_it_was_written() {
        let refused = EnvelopeHash::new([7; 32]);
        for why in Refusal::ALL {
            let bytes = encode_response(&[1; 32], &[(refused, why)]);
            let response = Response { batch: [1; 32], refused: Vec::from([(refused, why)]) };
            assert_eq!(decode_response(&bytes, 9), Ok(Some(response)));
        }
        let bytes = encode_response(&[1; 32], &[(refused, Refusal::Old)]);
        for length in 0..bytes.len() {
            assert!(decode_response(&bytes[..length], 9).is_err(), "{length}");
        }
    }

    #[test]
    fn words_of_other_programs_are_a_reason_too() {
        assert_eq!(Refusal::of(b"very old envelope: 17 s"), Refusal::Old);
        assert_eq!(Refusal::of(b"no"), Refusal::Other);
        assert_eq!(Refusal::of(b""), Refusal::Other);
    }

    #[test]
    fn one_bad_envelope_spoils_the_packet() {
        assert!(check_messages(&[0xc0]).is_ok());
        assert_eq!(check_messages(&[0xc1, 0xc0]).map(|_| ()), Err(DecodeError::Missing));
        assert_eq!(check_messages(&[0xc0, 0x80]).map(|_| ()), Err(DecodeError::Trailing));
        assert_eq!(check_messages(&[]).map(|_| ()), Err(DecodeError::Missing));
    }
}
