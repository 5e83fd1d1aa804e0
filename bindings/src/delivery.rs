//! What becomes of a post.

use std::sync::Arc;
use std::time::Duration;

use whisper_core::peer::PeerId;
use whisper_net as net;

use crate::cancel::CancelToken;
use crate::error::WhisperError;
use crate::faults;
use crate::runtime;

/// A post on its way. Let go of, it goes on.
#[derive(Debug, uniffi::Object)]
pub struct Delivery(net::Delivery);

/// How far a post is. More states may come.
#[derive(Clone, Debug, PartialEq, uniffi::Enum)]
#[non_exhaustive]
pub enum DeliveryState {
    /// No peer takes its topic yet.
    Waiting,
    /// The nonce is searched for.
    Working {
        /// The rating that is worked for.
        target: f64,
        /// How long it takes on average.
        expected: Duration,
        /// How long it takes at most, nineteen times of twenty.
        likely: Duration,
        /// The peers that demand more and will not get it.
        left_out: Vec<PeerId>,
    },
    /// The work is done, and no peer has it yet.
    Published,
    /// Peers have it.
    Sent {
        /// How many.
        peers: u64,
    },
    /// Peers have said that they took it.
    Acknowledged {
        /// How many.
        peers: u64,
    },
    /// All peers that answered refused it.
    Declined {
        /// How many.
        peers: u64,
    },
    /// It has come back from the network: others have it.
    Spread,
    /// It died before any peer had it.
    Expired,
    /// It was given up.
    Cancelled,
    /// It could not be sent.
    Failed {
        /// Why, and what helps.
        reason: String,
    },
}

#[uniffi::export]
impl Delivery {
    /// How far it is.
    pub fn state(&self) -> DeliveryState {
        self.0.state().into()
    }

    /// Waits until its state is another than the one that is known, and tells it; nothing if that was
    /// the last. Quick changes may be skipped, the last never is.
    #[uniffi::method(default(known = None, cancel = None))]
    pub async fn changed(
        &self,
        known: Option<DeliveryState>,
        cancel: Option<Arc<CancelToken>>,
    ) -> Result<Option<DeliveryState>, WhisperError> {
        faults::enter("Delivery.changed");
        let post = self.0.clone();
        runtime::run(cancel, async move {
            let is_new = |state: &net::DeliveryState| known != Some(state.clone().into());
            Ok(post.until(is_new).await.map(Into::into))
        })
        .await
    }

    /// Waits until a peer has it, or nobody will. Given up, the post goes on.
    #[uniffi::method(default(cancel = None))]
    pub async fn sent(&self, cancel: Option<Arc<CancelToken>>) -> Result<(), WhisperError> {
        faults::enter("Delivery.sent");
        let post = self.0.clone();
        runtime::run(cancel, async move { Ok(post.sent().await?) }).await
    }

    /// Gives the post up. An envelope that peers may have goes on; nothing calls it back.
    pub fn give_up(&self) -> Result<(), WhisperError> {
        faults::enter("Delivery.give_up");
        self.0.cancel();
        Ok(())
    }
}

impl Delivery {
    pub(crate) fn of(post: net::Delivery) -> Arc<Self> {
        Arc::new(Self(post))
    }
}

impl From<net::DeliveryState> for DeliveryState {
    fn from(state: net::DeliveryState) -> Self {
        match state {
            net::DeliveryState::Waiting => Self::Waiting,
            net::DeliveryState::Working { target, expected, likely, left_out } => {
                Self::Working { target: target.as_f64(), expected, likely, left_out }
            }
            net::DeliveryState::Published => Self::Published,
            net::DeliveryState::Sent { peers } => Self::Sent { peers: peers as u64 },
            net::DeliveryState::Acknowledged { by } => Self::Acknowledged { peers: by as u64 },
            net::DeliveryState::Refused { by, .. } => Self::Declined { peers: by as u64 },
            net::DeliveryState::Spread => Self::Spread,
            net::DeliveryState::Expired => Self::Expired,
            net::DeliveryState::Cancelled => Self::Cancelled,
            net::DeliveryState::Failed(why) => Self::Failed { reason: why.to_string() },
            other => Self::Failed { reason: format!("{other:?}") },
        }
    }
}
