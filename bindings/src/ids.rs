//! Names: hex text on the other side, types of their own in each language.

use std::fmt;

use whisper_core::envelope::EnvelopeHash;
use whisper_core::identity::PublicKey;
use whisper_core::ledger::BlockId;
use whisper_core::ledger::TxId;
use whisper_core::peer::PeerId;
use whisper_core::session::MessageName;
use whisper_core::topic::Topic;

use crate::error::WhisperError;

/// The name of a session, as hex text.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionId(String);

impl From<whisper_core::session::SessionId> for SessionId {
    fn from(id: whisper_core::session::SessionId) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

uniffi::custom_type!(PeerId, u64, {
    remote,
    try_lift: |number| Ok(PeerId::new(number)),
    lower: |id| id.as_u64(),
});

uniffi::custom_type!(PublicKey, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| WhisperError::malformed("a public key", error))?),
    lower: |key| key.to_string(),
});

uniffi::custom_type!(Topic, String, {
    remote,
    try_lift: |text| Ok(text.parse().map_err(|error| WhisperError::malformed("a topic", error))?),
    lower: |topic| topic.to_string(),
});

uniffi::custom_type!(SessionId, String, {
    try_lift: |text| Ok(hex_array::<32>(&text, "a session").map(|_| SessionId(text))?),
    lower: |id| id.0,
});

uniffi::custom_type!(MessageName, String, {
    remote,
    try_lift: |text| Ok(MessageName::new(hex_array(&text, "the name of a message")?)),
    lower: |name| name.to_string(),
});

uniffi::custom_type!(EnvelopeHash, String, {
    remote,
    try_lift: |text| Ok(EnvelopeHash::new(hex_array(&text, "the hash of an envelope")?)),
    lower: |hash| hash.to_string(),
});

uniffi::custom_type!(BlockId, String, {
    remote,
    try_lift: |text| {
        // As it is written: the zeros first, the last byte first.
        let mut bytes = hex_array::<32>(&text, "the id of a block")?;
        bytes.reverse();
        Ok(BlockId::new(bytes))
    },
    lower: |id| id.to_string(),
});

uniffi::custom_type!(TxId, String, {
    remote,
    try_lift: |text| Ok(TxId::new(hex_array(&text, "the id of a transaction")?)),
    lower: |id| id.to_string(),
});

fn hex_array<const N: usize>(text: &str, what: &str) -> Result<[u8; N], WhisperError> {
    let mut bytes = [0; N];
    let digits = text.strip_prefix("0x").unwrap_or(text);
    hex::decode_to_slice(digits, &mut bytes)
        .map_err(|error| WhisperError::malformed(what, error))?;
    Ok(bytes)
}
