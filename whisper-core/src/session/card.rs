//! What one person hands another so that a session of the full mode can begin: certificates and
//! cards (`spec/session.md`, 3.2).
//!
//! ```text
//! identity I ── signs ──> Cert: D            lasts a year; goes along with each invitation
//!            └─ signs ──> Card: Cert, P, K   lasts two weeks; handed over as a link or a picture
//! ```
//!
//! | file | what |
//! |---|---|
//! | `cert`, `whole`, `short` | [`Cert`], [`Card`], [`ShortCard`]: their bytes, all of them checked |
//! | `signed`, `extensions`, `validity` | what both cards say and sign; what they may add; how long it lasts |
//! | `text`, `parts`, `base45` | a card as a link, as the text of one QR code and of several |
//! | `reference`, `public` | an identity on paper; a card that is found by who knows its identity |
//! | `known` | which of the cards of a peer counts |
//!
//! A value of these types was checked when it was made: signatures hold, keys are keys. Whether its
//! dates hold is asked when it is used, with the time of that moment.

mod base45;
mod cert;
mod error;
mod extensions;
mod known;
mod parts;
mod public;
mod reference;
mod short;
mod signed;
mod text;
mod validity;
mod whole;

pub use cert::Cert;
pub use error::CardError;
pub use extensions::Features;
pub use known::Heard;
pub use known::KnownCards;
pub use known::NotKept;
pub use parts::MAX_PARTS;
pub use parts::Parts;
pub use public::PublicCard;
pub use reference::Reference;
pub use short::ShortCard;
pub use short::TAIL;
pub use signed::CardSettings;
pub use signed::OneTimeKey;
pub use signed::PrekeyId;
pub use text::TextError;
pub use validity::Expired;
pub use validity::Validity;
pub use whole::Card;
pub(super) use whole::Unsigned;

#[cfg(test)]
mod tests;
