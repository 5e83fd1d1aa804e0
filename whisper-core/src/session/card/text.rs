//! Cards as text: a link to send, and what one QR code says.

use alloc::string::String;
use alloc::vec::Vec;
use core::str::FromStr;

use base64ct::Base64UrlUnpadded;
use base64ct::Encoding;

use super::base45;
use super::error::CardError;
use super::whole::Card;

impl Card {
    /// The card as a link: `wsc1:`, then base64url without padding. 1,913 characters for a card with
    /// neither a one-time key nor extensions.
    pub fn to_link(&self) -> String {
        let mut text = String::from(LINK);
        text.push_str(&Base64UrlUnpadded::encode_string(&self.to_bytes()));
        text
    }

    /// The card as the text of one QR code: `WSC1:`, then Base45, so that it may be drawn in
    /// alphanumeric mode. At level L it takes version 28, 129 modules wide: show it at least 5 cm
    /// wide, print it at least 7 cm.
    pub fn to_qr_text(&self) -> String {
        let mut text = String::from(CODE);
        text.push_str(&base45::encode(&self.to_bytes()));
        text
    }
}

impl FromStr for Card {
    type Err = TextError;

    /// Reads a link or the text of a QR code; of several codes, [`Parts`](super::Parts) makes one.
    fn from_str(text: &str) -> Result<Self, TextError> {
        let bytes = if let Some(text) = text.strip_prefix(LINK) {
            decode_base64(text)
        } else if let Some(text) = text.strip_prefix(CODE) {
            base45::decode(text)
        } else {
            return Err(TextError::NotACard);
        };
        Ok(Self::from_bytes(&bytes.ok_or(TextError::Damaged)?)?)
    }
}

/// Why a text is no card.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TextError {
    /// It begins like none.
    #[error("this is not a card: a card begins with wsc1:")]
    NotACard,
    /// A character is wrong or missing.
    #[error("the text is damaged: copy it whole")]
    Damaged,
    /// The parts do not fit together: they have been dropped.
    #[error("the parts are not those of one card: scan them again")]
    Parts,
    /// What it stands for is no card.
    #[error(transparent)]
    Card(#[from] CardError),
}

/// The bytes that are written so, and in no other way: no padding, and bits that are left are zero.
pub(super) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    let bytes = Base64UrlUnpadded::decode_vec(text).ok()?;
    (Base64UrlUnpadded::encode_string(&bytes) == text).then_some(bytes)
}

/// spec/session.md, 3.2.
const LINK: &str = "wsc1:";
const CODE: &str = "WSC1:";
