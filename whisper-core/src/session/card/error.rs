//! What can be wrong with the bytes of a certificate or a card.

/// Why bytes are no certificate or no card. The first fault from the front counts; signatures, which
/// cost most, are looked at last.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CardError {
    /// There are too few bytes or too many.
    #[error("the length is not that of a card: copy it whole")]
    Length,
    /// It was made by a later version.
    #[error("the card has version {found}, this program knows 1: update it")]
    Version {
        /// The version that it names.
        found: u8,
    },
    /// A bit is set that has no meaning.
    #[error("a reserved bit is set")]
    Reserved,
    /// I is no key.
    #[error("the identity is not a key")]
    Identity,
    /// D is no key.
    #[error("the key D is not a key")]
    LongTermKey,
    /// P is no key.
    #[error("the prekey is not a key")]
    Prekey,
    /// K is no key.
    #[error("the key of the KEM is not a key")]
    KemKey,
    /// O is no key.
    #[error("the one-time key is not a key")]
    OneTimeKey,
    /// An id is zero.
    #[error("an id is zero")]
    ZeroId,
    /// Two of D, P and O are the same.
    #[error("two keys are the same")]
    SameKeys,
    /// The last moment lies before the first.
    #[error("the dates are reversed")]
    Dates,
    /// The dates lie further apart than is allowed.
    #[error("it would last too long")]
    TooLong,
    /// The extensions do not fill their field, do not ascend, or one of them has no content.
    #[error("the extensions are malformed")]
    Extensions,
    /// The signature of the certificate is not by I.
    #[error("the certificate is not signed by its identity")]
    CertSignature,
    /// The signature of the card is not by I.
    #[error("the card is not signed by its identity")]
    CardSignature,
}
