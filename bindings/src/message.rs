//! Messages: what is inside of envelopes, and who can read it.

use std::fmt;
use std::sync::Arc;

use whisper_core::identity::PublicKey;
use whisper_core::inbox;
use whisper_core::message;
use whisper_core::message::Padding;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;
use whisper_net::Entropy;

use crate::error::WhisperError;
use crate::faults;
use crate::keys::Identity;
use crate::keys::SymmetricKey;

/// What somebody says. Its text form tells sizes only.
#[derive(Clone, Eq, Hash, PartialEq, uniffi::Record)]
#[uniffi::export(Debug, Eq, Hash)]
pub struct Message {
    /// What is said.
    pub payload: Vec<u8>,
    /// What hid its length.
    pub padding: Vec<u8>,
    /// Who signed it, if somebody did. Compare it: some key comes out of nearly every signature.
    pub signer: Option<PublicKey>,
}

impl From<&message::Message> for Message {
    fn from(message: &message::Message) -> Self {
        Self {
            payload: message.payload().to_vec(),
            padding: message.padding().to_vec(),
            signer: message.signer(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("signed", &self.signer.is_some())
            .finish_non_exhaustive()
    }
}

/// Who can read a message.
#[derive(Clone, uniffi::Enum)]
pub enum Recipient {
    /// The holder of this key's private half.
    Holder {
        /// The public key.
        key: PublicKey,
    },
    /// All who share this key.
    Sharers {
        /// The key.
        key: Arc<SymmetricKey>,
    },
}

/// What opens messages.
#[derive(Clone, uniffi::Enum)]
pub enum Reader {
    /// The identity that they are encrypted for.
    Holder {
        /// The identity.
        identity: Arc<Identity>,
    },
    /// A key that all readers share.
    Sharer {
        /// The key.
        key: Arc<SymmetricKey>,
    },
}

/// Which messages somebody wants.
#[derive(Clone, uniffi::Record)]
pub struct Filter {
    /// What opens them.
    pub reader: Reader,
    /// The topics they come under; any, if there are none.
    #[uniffi(default = [])]
    pub topics: Vec<Topic>,
    /// The least rating of their envelopes.
    #[uniffi(default = None)]
    pub min_rating: Option<f64>,
    /// Who must have signed them; if nobody is named, anybody, or nobody.
    #[uniffi(default = None)]
    pub signer: Option<PublicKey>,
}

impl Filter {
    pub(crate) fn into_core(self) -> Result<inbox::Filter, WhisperError> {
        let key = match self.reader {
            Reader::Holder { identity } => inbox::Key::Identity(Arc::clone(&identity.0)),
            Reader::Sharer { key } => inbox::Key::Symmetric(Arc::clone(&key.0)),
        };
        let min_rating = self.min_rating.map_or(Ok(Rating::ZERO), Rating::new)?;
        let Self { topics, signer, .. } = self;
        Ok(inbox::Filter { topics, min_rating, signer, ..inbox::Filter::new(key) })
    }
}

/// Encrypts what is said, and signs it if somebody is to sign: the data of an envelope. Its length is
/// hidden up to a multiple of 256 bytes. Readers can show a signature to others.
#[uniffi::export(default(signer = None))]
pub fn encrypt(
    payload: &[u8],
    recipient: Recipient,
    signer: Option<Arc<Identity>>,
) -> Result<Vec<u8>, WhisperError> {
    faults::enter("encrypt");
    let signer = signer.as_ref().map(|signer| &*signer.0);
    let recipient = match &recipient {
        Recipient::Holder { key } => message::Recipient::PublicKey(*key),
        Recipient::Sharers { key } => message::Recipient::Symmetric(&key.0),
    };
    let mut rng = Entropy::os().rng()?;
    Ok(message::encrypt(payload, Padding::Aligned, signer, recipient, &mut rng)?)
}
