//! A message on its way in: what an application wants sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rand_core::CryptoRng;
use whisper_core::identity::Identity;
use whisper_core::identity::PublicKey;
use whisper_core::identity::SymmetricKey;
use whisper_core::message;
use whisper_core::message::MessageError;
use whisper_core::message::Padding;
use whisper_core::pow::Rating;
use whisper_core::topic::Topic;

/// A message to be sent. Everything but recipient and payload has a default.
///
/// ```
/// # use std::time::Duration;
/// # use whisper_core::identity::Identity;
/// use whisper_net::{Entropy, Post};
///
/// let bob = Identity::generate(&mut Entropy::os().rng()?);
/// let post = Post { ttl: Duration::from_secs(600), ..Post::to(bob.public_key(), "hello") };
/// # Ok::<(), whisper_net::NoEntropy>(())
/// ```
#[derive(Clone)]
pub struct Post {
    /// Who can read it.
    pub recipient: Recipient,
    /// Where its readers find it; a random topic unless set.
    pub topic: Option<Topic>,
    /// What it says.
    pub payload: Vec<u8>,
    /// Bytes that hide its length; without them it is filled up to a multiple of 256.
    pub padding: Option<Vec<u8>>,
    /// Who signs it. Readers can show the signature to others.
    pub signer: Option<Arc<Identity>>,
    /// How long it lives, 10 seconds to 2 days; 50 seconds unless set. Longer costs more work.
    pub ttl: Duration,
    /// The rating to work for.
    ///
    /// Without one, peers that this node dialled or trusts decide, others only where there are none of
    /// those. It meets the demands of all that cost less than a second of work, and of half of those
    /// that it dialled; where that needs more than the patience, the lowest demand. Peers that ask for
    /// more are left out, and the delivery names them.
    pub target: Option<Rating>,
    /// The most work that is tolerated, as expected time; 10 seconds unless set. What needs more fails
    /// before it begins.
    pub patience: Duration,
}

impl Post {
    /// A message that the holder of `key` can read, under a random topic.
    pub fn to(key: PublicKey, payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Recipient::PublicKey(key), None, payload.into())
    }

    /// A message that all who share `key` can read, under the topic they look at.
    pub fn to_all(key: Arc<SymmetricKey>, topic: Topic, payload: impl Into<Vec<u8>>) -> Self {
        Self::new(Recipient::Symmetric(key), Some(topic), payload.into())
    }

    fn new(recipient: Recipient, topic: Option<Topic>, payload: Vec<u8>) -> Self {
        Self {
            recipient,
            topic,
            payload,
            padding: None,
            signer: None,
            ttl: DEFAULT_TTL,
            target: None,
            patience: DEFAULT_PATIENCE,
        }
    }

    /// Signs and encrypts it.
    pub(crate) fn encrypt(
        &self,
        rng: &mut impl CryptoRng,
    ) -> Result<(Topic, Vec<u8>), MessageError> {
        let topic = self.topic.unwrap_or_else(|| Topic::random(rng));
        let padding = self.padding.as_deref().map_or(Padding::Aligned, Padding::Given);
        let recipient = match &self.recipient {
            Recipient::PublicKey(key) => message::Recipient::PublicKey(*key),
            Recipient::Symmetric(key) => message::Recipient::Symmetric(key),
        };
        let signer = self.signer.as_deref();
        let data = message::encrypt(&self.payload, padding, signer, recipient, rng)?;
        Ok((topic, data))
    }
}

impl fmt::Debug for Post {
    /// Shows what every peer will see, and neither what the message says nor its recipient.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Post")
            .field("payload", &format_args!("{} bytes", self.payload.len()))
            .field("ttl", &self.ttl)
            .field("target", &self.target)
            .field("patience", &self.patience)
            .finish_non_exhaustive()
    }
}

/// Who can read a message.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Recipient {
    /// The holder of this key's private half.
    PublicKey(PublicKey),
    /// All who share this key.
    Symmetric(Arc<SymmetricKey>),
}

/// go-ethereum's default.
const DEFAULT_TTL: Duration = Duration::from_secs(50);
/// What a person puts up with.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(10);
