//! RLP, read as strictly as go-ethereum reads it: only canonical encodings pass.
//!
//! The headers are `alloy_rlp`'s; what stands here is a walk over the items of a list that neither
//! recurses nor allocates, however deep or long the input claims to be.

use alloc::vec::Vec;

use alloy_rlp::Error;
use alloy_rlp::Header;

/// Reads a sequence of RLP items, one after the other.
///
/// ```
/// use whisper_core::rlp::{Reader, Writer};
///
/// let mut writer = Writer::new();
/// writer.list(|list| {
///     list.uint(6).bytes(b"bloom");
/// });
/// let bytes = writer.into_bytes();
///
/// let mut list = Reader::new(&bytes).list()?;
/// assert_eq!(list.uint()?, 6);
/// assert_eq!(list.bytes()?, b"bloom");
/// list.finish()?;
/// # Ok::<(), whisper_core::rlp::DecodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads the items that stand in `bytes` one behind the other.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// The items of the next item, which must be a list.
    ///
    /// # Errors
    /// What is wrong with the encoding, [`DecodeError::Missing`] at the end.
    pub fn list(&mut self) -> Result<Self, DecodeError> {
        self.payload(true).map(Self::new)
    }

    /// The next item, which must be a byte string.
    ///
    /// # Errors
    /// What is wrong with the encoding, [`DecodeError::Missing`] at the end.
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        self.payload(false)
    }

    /// The next item, which must be a byte string of exactly `N` bytes.
    ///
    /// # Errors
    /// [`DecodeError::WrongLength`], or what is wrong with the encoding.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        self.bytes()?.try_into().map_err(|_| DecodeError::WrongLength)
    }

    /// The next item as an integer of at most eight bytes without leading zeros.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::NonCanonical`], or what else is wrong.
    pub fn uint(&mut self) -> Result<u64, DecodeError> {
        let bytes = self.bytes()?;
        if bytes.len() > 8 {
            return Err(DecodeError::TooLarge);
        }
        if bytes.first() == Some(&0) {
            return Err(DecodeError::NonCanonical);
        }
        Ok(bytes.iter().fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// The next item as an integer of at most four bytes without leading zeros.
    ///
    /// # Errors
    /// [`DecodeError::TooLarge`], [`DecodeError::NonCanonical`], or what else is wrong.
    pub fn uint32(&mut self) -> Result<u32, DecodeError> {
        u32::try_from(self.uint()?).map_err(|_| DecodeError::TooLarge)
    }

    /// The next item whatever it is, with its header, as it stands in the input.
    ///
    /// # Errors
    /// What is wrong with its header; what is inside a list is not looked at.
    pub fn raw(&mut self) -> Result<&'a [u8], DecodeError> {
        let before = self.rest;
        let mut after = before;
        let header = self.header(&mut after)?;
        let length = before.len().saturating_sub(after.len()).saturating_add(header.payload_length);
        let (item, rest) = before.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(item)
    }

    /// Whether the next item claims to be a list.
    pub fn next_is_list(&self) -> bool {
        self.rest.first().is_some_and(|byte| *byte >= 0xc0)
    }

    /// Whether nothing is left.
    pub const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// What has not been read yet.
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// Confirms that everything was read.
    ///
    /// # Errors
    /// [`DecodeError::Trailing`] if something is left.
    pub const fn finish(self) -> Result<(), DecodeError> {
        if self.rest.is_empty() { Ok(()) } else { Err(DecodeError::Trailing) }
    }

    fn payload(&mut self, list: bool) -> Result<&'a [u8], DecodeError> {
        let mut after = self.rest;
        let header = self.header(&mut after)?;
        match (header.list, list) {
            (true, false) => return Err(DecodeError::UnexpectedList),
            (false, true) => return Err(DecodeError::UnexpectedString),
            _ => {}
        }
        let (payload, rest) =
            after.split_at_checked(header.payload_length).ok_or(DecodeError::Truncated)?;
        self.rest = rest;
        Ok(payload)
    }

    fn header(&self, after: &mut &'a [u8]) -> Result<Header, DecodeError> {
        if self.rest.is_empty() {
            return Err(DecodeError::Missing);
        }
        Header::decode(after).map_err(DecodeError::from)
    }
}

/// Why bytes are not the RLP that was expected.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// An item claims more bytes than there are.
    #[error("an item runs past the end of the input")]
    Truncated,
    /// An item is missing.
    #[error("an item is missing")]
    Missing,
    /// A length or an integer is not written in its shortest form.
    #[error("an item is not in its canonical form")]
    NonCanonical,
    /// A list stands where a byte string belongs.
    #[error("a list stands where a byte string belongs")]
    UnexpectedList,
    /// A byte string stands where a list belongs.
    #[error("a byte string stands where a list belongs")]
    UnexpectedString,
    /// A byte string of fixed length has another length.
    #[error("a byte string has the wrong length")]
    WrongLength,
    /// An integer has more bytes than its field.
    #[error("an integer is too large for its field")]
    TooLarge,
    /// Something follows the last item.
    #[error("something follows the last item")]
    Trailing,
}

impl From<Error> for DecodeError {
    fn from(error: Error) -> Self {
        match error {
            Error::LeadingZero | Error::NonCanonicalSingleByte | Error::NonCanonicalSize => {
                Self::NonCanonical
            }
            _ => Self::Truncated,
        }
    }
}

/// Writes RLP.
#[derive(Clone, Debug, Default)]
pub struct Writer(Vec<u8>);

impl Writer {
    /// An empty output.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// An empty output with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self(Vec::with_capacity(capacity))
    }

    /// Appends an integer without leading zeros; zero is the empty string.
    pub fn uint(&mut self, value: u64) -> &mut Self {
        alloy_rlp::Encodable::encode(&value, &mut self.0);
        self
    }

    /// Appends a boolean: 0 or 1, as an integer.
    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.uint(u64::from(value))
    }

    /// Appends a byte string.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        alloy_rlp::Encodable::encode(bytes, &mut self.0);
        self
    }

    /// Appends what is already encoded.
    pub fn raw(&mut self, encoded: &[u8]) -> &mut Self {
        self.0.extend_from_slice(encoded);
        self
    }

    /// Appends a list of what `fill` writes.
    pub fn list(&mut self, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let mut items = Self::new();
        fill(&mut items);
        self.list_header(items.0.len()).raw(&items.0)
    }

    /// Appends the header of a list whose items take `payload` bytes and follow.
    pub fn list_header(&mut self, payload: usize) -> &mut Self {
        Header { list: true, payload_length: payload }.encode(&mut self.0);
        self
    }

    /// What was written.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// What was written, by value.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// The encoded length of an integer, in bytes.
pub fn uint_len(value: u64) -> usize {
    alloy_rlp::Encodable::length(&value)
}

/// The encoded length of a byte string, header included, in bytes.
pub fn bytes_len(bytes: &[u8]) -> usize {
    alloy_rlp::Encodable::length(bytes)
}

/// The encoded length of a list whose items take `payload` bytes, header included, in bytes.
pub const fn list_len(payload: usize) -> usize {
    Header { list: true, payload_length: payload }.length_with_payload()
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_must_be_canonical() {
        for bytes in [&[0x00][..], &[0x81, 0x05], &[0x82, 0x00, 0x01], &[0xb8, 0x01, 0x80]] {
            assert_eq!(Reader::new(bytes).uint(), Err(DecodeError::NonCanonical), "{bytes:02x?}");
        }
        assert_eq!(Reader::new(&[0x80]).uint(), Ok(0));
        assert_eq!(
            Reader::new(&[0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]).uint(),
            Err(DecodeError::TooLarge)
        );
        assert_eq!(Reader::new(&[0x85, 1, 0, 0, 0, 0]).uint32(), Err(DecodeError::TooLarge));
    }

    #[test]
    fn a_header_that_claims_too_much_is_truncated() {
        for first in [0xf8_u8, 0xf9, 0xfb, 0xff, 0xb8, 0xbf] {
            let mut bytes = vec![first];
            bytes.resize(9, 0xff);
            assert_eq!(Reader::new(&bytes).raw(), Err(DecodeError::Truncated), "{first:02x}");
        }
        assert_eq!(Reader::new(&[]).raw(), Err(DecodeError::Missing));
    }

    #[test]
    fn a_list_is_no_string_and_a_string_is_no_list() {
        assert_eq!(Reader::new(&[0xc0]).bytes(), Err(DecodeError::UnexpectedList));
        assert_eq!(Reader::new(&[0x80]).list().map(|_| ()), Err(DecodeError::UnexpectedString));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_again(number: u64, bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let mut writer = Writer::new();
            writer.list(|list| { list.uint(number).bytes(&bytes).bool(true); });
            let payload = uint_len(number) + bytes_len(&bytes) + 1;
            prop_assert_eq!(writer.as_bytes().len(), list_len(payload));
            let mut list = Reader::new(writer.as_bytes()).list().unwrap();
            prop_assert_eq!(list.uint().unwrap(), number);
            prop_assert_eq!(list.bytes().unwrap(), &bytes[..]);
            prop_assert_eq!(list.uint().unwrap(), 1);
            prop_assert!(list.finish().is_ok());
        }

        #[test]
        fn no_input_makes_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let mut reader = Reader::new(&bytes);
            while reader.raw().is_ok() {}
            let _ = Reader::new(&bytes).uint();
            let _ = Reader::new(&bytes).list().and_then(|mut list| list.array::<4>());
        }
    }
}
