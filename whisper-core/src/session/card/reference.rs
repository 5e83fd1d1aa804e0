//! An identity as text, for paper and business cards: who has only this needs a card first.

use core::fmt;
use core::str::FromStr;

use base64ct::Base64UrlUnpadded;
use base64ct::Encoding;

use super::error::CardError;
use super::text::TextError;
use super::text::decode_base64;
use crate::identity::PublicKey;

/// An identity, printed as `wsr1:` and 44 characters of base64url.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Reference(pub PublicKey);

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        f.write_str(&Base64UrlUnpadded::encode_string(&self.0.to_compressed()))
    }
}

impl FromStr for Reference {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let text = text.strip_prefix(PREFIX).ok_or(TextError::NotACard)?;
        let bytes = decode_base64(text).ok_or(TextError::Damaged)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| TextError::Damaged)?;
        let key = PublicKey::from_compressed(bytes).map_err(|_| CardError::Identity)?;
        Ok(Self(key))
    }
}

/// spec/session.md, 3.2.
const PREFIX: &str = "wsr1:";
