//! Envelopes: what peers relay, and the work that they are rated by.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;

use whisper_core::envelope;
use whisper_core::envelope::EnvelopeHash;
use whisper_core::pow::Rating;
use whisper_core::pow::Work;
use whisper_core::topic::Topic;

use crate::cancel::CancelToken;
use crate::error::WhisperError;
use crate::faults;
use crate::runtime;
use crate::time::timestamp;

/// What peers relay: an encrypted message with its topic, its time to live and its work.
#[derive(Debug, uniffi::Object)]
pub struct Envelope(pub(crate) Arc<envelope::Envelope>);

/// What everybody can see of an envelope.
#[derive(Clone, Debug, PartialEq, uniffi::Record)]
pub struct EnvelopeInfo {
    /// The hash by which it is known.
    pub hash: EnvelopeHash,
    /// Where its readers find it.
    pub topic: Topic,
    /// When it dies, in seconds since 1970.
    pub expiry: u64,
    /// How long it lives, in seconds.
    pub ttl: u64,
    /// The nonce that shows its work.
    pub nonce: u64,
    /// The work it shows, in leading zero bits.
    pub work: u32,
    /// Its rating: the work's worth, by size and time to live.
    pub rating: f64,
    /// The size that limits are about, in bytes.
    pub size: u64,
}

#[uniffi::export]
impl Envelope {
    /// Reads an envelope as peers send it.
    #[uniffi::constructor]
    pub fn decode(bytes: &[u8]) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Envelope.decode");
        Ok(Self::of(envelope::Envelope::decode(bytes)?))
    }

    /// The envelope as peers take it.
    pub fn encode(&self) -> Result<Vec<u8>, WhisperError> {
        faults::enter("Envelope.encode");
        Ok(self.0.encode())
    }

    /// What everybody can see of it.
    pub fn info(&self) -> EnvelopeInfo {
        EnvelopeInfo {
            hash: self.0.hash(),
            topic: self.0.topic(),
            expiry: self.0.expiry(),
            ttl: self.0.ttl(),
            nonce: self.0.nonce(),
            work: self.0.work().bits().into(),
            rating: self.0.rating().as_f64(),
            size: self.0.size() as u64,
        }
    }

    /// The encrypted message.
    pub fn data(&self) -> Vec<u8> {
        self.0.data().to_vec()
    }
}

impl Envelope {
    pub(crate) fn of(envelope: envelope::Envelope) -> Arc<Self> {
        Arc::new(Self(Arc::new(envelope)))
    }
}

/// An envelope before its work is done.
#[derive(Debug, uniffi::Object)]
pub struct Draft(envelope::Draft);

#[uniffi::export]
impl Draft {
    /// A draft that is made now and lives for 10 seconds to 2 days.
    #[uniffi::constructor]
    pub fn new(
        now: SystemTime,
        ttl: Duration,
        topic: Topic,
        data: &[u8],
    ) -> Result<Arc<Self>, WhisperError> {
        faults::enter("Draft.new");
        let draft = envelope::Draft::new(timestamp(now), ttl, topic, data.to_vec())?;
        Ok(Arc::new(Self(draft)))
    }

    /// The least work, in leading zero bits, that makes every node rate it so high.
    pub fn work_for(&self, rating: f64) -> Result<u32, WhisperError> {
        faults::enter("Draft.work_for");
        Ok(self.0.work_for(Rating::new(rating)?).bits().into())
    }

    /// Tries `count` nonces from `first` on, for work of so many bits. It blocks for about half a
    /// microsecond a try; the caller decides how many at once.
    pub fn find(&self, first: u64, count: u64, work: u32) -> Result<Option<u64>, WhisperError> {
        faults::enter("Draft.find");
        let work = Work::new(u16::try_from(work).unwrap_or(u16::MAX));
        Ok(self.0.search().find(first..first.saturating_add(count), work))
    }

    /// Closes the draft. Any nonce will do; what it is worth, the rating tells.
    pub fn seal(&self, nonce: u64) -> Result<Arc<Envelope>, WhisperError> {
        faults::enter("Draft.seal");
        Ok(Envelope::of(self.0.clone().seal(nonce)))
    }

    /// Works until every node rates it so high, on a thread of its own, and closes the draft. Given
    /// up, the work ends.
    #[uniffi::method(default(cancel = None))]
    pub async fn mine(
        &self,
        rating: f64,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Arc<Envelope>, WhisperError> {
        faults::enter("Draft.mine");
        let work = self.0.work_for(Rating::new(rating)?);
        let draft = self.0.clone();
        runtime::run(cancel, async move {
            let given_up = GiveUpOnDrop::default();
            let flag = Arc::clone(&given_up.0);
            let search = draft.search();
            let mining = tokio::task::spawn_blocking(move || {
                steps()
                    .take_while(|_| !flag.load(Ordering::Relaxed))
                    .find_map(|s| search.find(s, work))
            });
            let nonce = runtime::joined(mining.await)?.ok_or(WhisperError::Cancelled)?;
            Ok(Envelope::of(draft.seal(nonce)))
        })
        .await
    }
}

impl Draft {
    pub(crate) fn of(draft: envelope::Draft) -> Arc<Self> {
        Arc::new(Self(draft))
    }
}

/// All nonces, in parts of some milliseconds.
fn steps() -> impl Iterator<Item = Range<u64>> {
    (0..u64::MAX / STEP).map(|step| step * STEP..(step + 1) * STEP)
}

/// Ends the search of whoever goes away.
#[derive(Default)]
struct GiveUpOnDrop(Arc<AtomicBool>);

impl Drop for GiveUpOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Nonces between two looks at whether anybody still waits.
const STEP: u64 = 16_384;
